"""Starting the savings model, and changing its assumptions: pages, API and the demo do it here."""

from collections.abc import Mapping
from datetime import date, datetime
from decimal import Decimal
from itertools import pairwise

from django.db import transaction
from django.utils.translation import gettext as _

from finops_site.lib.money import ISO_4217, exact_text
from finops_site.lib.periods import Month
from finops_site.lib.person import Person
from finops_site.models import User
from programme.calc.savings_model import CASES, MONEY_UNITS, AssumptionUnit
from programme.models import Assumption, AssumptionChange, SavingsModel
from programme.savings_model.template import SEED_PLAN

MOST = Decimal(10) ** 15
LONGEST_TEXT = 500
# Of what a programme costs, and of the time until it is back, less is better.
FALLING = ("investment", "stated-payback")


class CannotChange(ValueError):
    """It cannot be done so; the message says why."""


class WasChanged(CannotChange):
    """Somebody else changed it since it was read."""


def savings_model() -> SavingsModel | None:
    """The model of this company; None before somebody starts it."""
    return SavingsModel.objects.first()


def assumptions_of(user: Person, as_of: date) -> list[Assumption]:
    """What was assumed at the end of a day, as far as `user` sees it; not to be saved where that day is over."""
    rows = list(Assumption.objects.visible_to(user).select_related("changed_by"))
    by_pk = {row.pk: row for row in rows}
    later = AssumptionChange.objects.filter(assumption__in=by_pk, at__date__gt=as_of)
    # The newest first: what each of them replaced held before it.
    for change in later.order_by("-at", "-pk"):
        row = by_pk[change.assumption_id]
        for case in CASES:
            text = change.before.get(case)
            setattr(row, case, None if text is None else Decimal(text))
        row.currency, row.source = change.before["currency"], change.before["source"]
    return rows


@transaction.atomic
def start_model(*, user: User | None, currency: str, start: Month, now: datetime) -> SavingsModel:
    """The model with the assumptions of the plan. Raises CannotChange where there is one, or for no currency."""
    if SavingsModel.objects.select_for_update().exists():
        raise CannotChange(_("There is a savings model already: change its assumptions."))
    if currency not in ISO_4217:
        raise CannotChange(_("{currency} is no currency: use its code, like USD.").format(currency=repr(currency[:20])))
    model = SavingsModel.objects.create(currency=currency, start=start.start, started_by=user, started_at=now)
    rows = [
        Assumption(key=row.key, position=number, source=row.source, changed_by=user, changed_at=now)
        for number, row in enumerate(SEED_PLAN, 1)
    ]
    for row, planned in zip(rows, SEED_PLAN, strict=True):
        for case, value in zip(CASES, planned.values, strict=True):
            setattr(row, case, value)
        row.currency = currency if row.kind.unit in MONEY_UNITS else ""
    Assumption.objects.bulk_create(rows)
    return model


@transaction.atomic
def set_start(*, user: User, currency: str, start: Month, now: datetime) -> SavingsModel:
    """Starts the model, or moves the month from which savings count. Raises CannotChange for another currency."""
    model = SavingsModel.objects.select_for_update().first()
    if model is None:
        return start_model(user=user, currency=currency, start=start, now=now)
    if currency != model.currency:
        raise CannotChange(
            _("The model is in {currency}: give an assumption another currency, and it is converted.").format(
                currency=model.currency
            )
        )
    model.start = start.start
    model.save(update_fields=["start"])
    return model


@transaction.atomic
def change_assumption(
    pk: int,
    *,
    user: User,
    values: Mapping[str, Decimal | None],
    currency: str,
    source: str,
    reason: str,
    version: int | None,
    now: datetime,
) -> Assumption:
    """Sets the values of the cases, with the source and the reason, and keeps what it was.

    `version` is the one that was read; None takes any. Raises CannotChange, and WasChanged where it is another one.
    """
    row = Assumption.objects.select_for_update().get(pk=pk)
    if version is not None and version != row.version:
        raise WasChanged(_("Somebody else changed this assumption after you opened it. Open it again to see it."))
    wanted = {case: values.get(case) for case in CASES}
    _check(row, wanted, currency, source, reason)
    before = _as_json(row)
    for case, value in wanted.items():
        setattr(row, case, value)
    row.currency, row.source = currency if row.kind.unit in MONEY_UNITS else "", source.strip()
    after = _as_json(row)
    if after == before:
        raise CannotChange(_("Nothing is changed."))
    row.changed_by, row.changed_at, row.version = user, now, row.version + 1
    row.save()
    AssumptionChange.objects.create(
        assumption=row, at=now, by=user, by_name=str(user), before=before, after=after, reason=reason.strip()
    )
    return row


def _check(row: Assumption, values: Mapping[str, Decimal | None], currency: str, source: str, reason: str) -> None:
    kind = row.kind
    if not reason.strip():
        raise CannotChange(_("Say why it changes: the reason stands in its history."))
    if not source.strip():
        raise CannotChange(_("Say where the values come from."))
    if max(len(source), len(reason)) > LONGEST_TEXT:
        raise CannotChange(_("At most {count} characters.").format(count=LONGEST_TEXT))
    if kind.unit in MONEY_UNITS and currency not in ISO_4217:
        raise CannotChange(_("{currency} is no currency: use its code, like USD.").format(currency=repr(currency[:20])))
    if kind.single and any(values[case] is not None for case in CASES if case != "expected"):
        raise CannotChange(_("It has one value, the expected one: what was paid has no cases."))
    for value in filter(None, values.values()):
        if not value.is_finite() or abs(value) >= MOST:
            raise CannotChange(_("A value is a number, and smaller than 10 to the power of 15."))
        if value < 0 and kind.key != "stated-roi":
            raise CannotChange(_("A value is not below zero."))
        if kind.key == "tags-reduction" and value > 100:
            raise CannotChange(_("Cost falls by 100% at the most."))
    _check_order(values, falls=kind.key in FALLING)


def _check_order(values: Mapping[str, Decimal | None], *, falls: bool) -> None:
    """The conservative case is no better than the expected one, nor that than the optimistic; unknown ones are left."""
    known = [value for case in CASES if (value := values[case]) is not None]
    if any(other > one if falls else other < one for one, other in pairwise(known)):
        text = (
            _("The conservative case is not below the expected one, nor that below the optimistic one.")
            if falls
            else _("The conservative case is not above the expected one, nor that above the optimistic one.")
        )
        raise CannotChange(text)


def _as_json(row: Assumption) -> dict[str, str | None]:
    values: dict[str, str | None] = {case: exact_text(value) for case, value in row.values.items()}
    return {**values, "currency": row.currency, "source": row.source}


def unit_words(unit: AssumptionUnit, currency: str) -> str:
    """What the values of an assumption count, in words: ``USD a year``."""
    return {
        AssumptionUnit.YEARLY: _("{currency} a year"),
        AssumptionUnit.MONTHLY: _("{currency} a month"),
        AssumptionUnit.ONCE: _("{currency}, once"),
        AssumptionUnit.PERCENT: "%",
        AssumptionUnit.MONTHS: _("months"),
    }[unit].format(currency=currency)

"""Sums of findings, and their share of what runs: by rule, by team, and what is not known."""

from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

from django.db.models import Count, Q, Sum

from costs.models import DayRollup
from finops_site.lib.money import ratio
from finops_site.lib.periods import Period
from finops_site.lib.person import Person
from usage.calc.rules.base import Confidence
from usage.models import Evaluation, Finding
from usage.models.findings import FindingQuerySet

WINDOW = timedelta(days=30)
# Days of an average month.
MONTH_DAYS = Decimal(365) / 12


@dataclass(frozen=True, slots=True)
class Sums:
    """Findings of one currency: how many, what they save in an average month, and how many of unknown saving.

    `counted` is None where no saving is known, which is not zero.
    """

    count: int
    counted: Decimal | None
    unknown: int


@dataclass(frozen=True, slots=True)
class Group:
    """Sums of the findings that share a value: a rule, a team, how sure they are."""

    value: Any
    label: str
    currency: str
    sums: Sums


def window(last_day: date) -> Period:
    """The days that findings of a day looked at."""
    evaluation = newest_evaluation()
    if evaluation and evaluation.first_day and evaluation.last_day:
        return Period(evaluation.first_day, evaluation.last_day + timedelta(days=1))
    return Period(last_day - WINDOW, last_day + timedelta(days=1))


def newest_evaluation() -> Evaluation | None:
    """The newest that ended well; None before the first."""
    return Evaluation.objects.filter(state=Evaluation.State.DONE).first()


def sums_by_currency(rows: FindingQuerySet) -> dict[str, Sums]:
    """{currency: sums}, in their order."""
    return {group.currency: group.sums for group in group_by(rows)}


def group_by(rows: FindingQuerySet, field: str = "", label: str = "") -> list[Group]:
    """Sums for each value of `field` and currency, what saves most first; `label` is the field of its name."""
    names = [name for name in (field, label, "currency") if name]
    sums = (
        rows.order_by()
        .values(*names)
        .annotate(n=Count("pk"), counted=Sum("counted_saving"), unknown=Count("pk", filter=Q(counted_saving=None)))
    )
    groups = [
        Group(
            row[field] if field else None,
            str(row[label or field] or "") if field else "",
            row["currency"],
            Sums(row["n"], row["counted"], row["unknown"]),
        )
        for row in sums
    ]
    return sorted(groups, key=lambda one: (-(one.sums.counted or 0), one.label, one.currency))


@dataclass(frozen=True, slots=True)
class WasteShare:
    """What open findings that are certain or likely save of what runs, for an average month; None where not known.

    `unknown` of the `findings` have no known saving, and are in no sum.
    """

    currency: str
    waste: Decimal | None
    cost: Decimal | None
    findings: int = 0
    unknown: int = 0

    @property
    def share(self) -> Decimal | None:
        return None if self.waste is None or self.cost is None else ratio(self.waste, self.cost)


def waste_shares(user: Person, evaluation: Evaluation | None) -> list[WasteShare]:
    """The share of waste in each currency, of what she sees, the dearest first, by the newest evaluation; empty before
    the first.

    The cost is that of usage, effective, in the days the evaluation looked at, for an average month. What needs a look
    is no waste yet.
    """
    if evaluation is None or evaluation.first_day is None or evaluation.last_day is None:
        return []
    days = Period(evaluation.first_day, evaluation.last_day + timedelta(days=1))
    used = DayRollup.objects.visible_to(user).filter(
        charge_date__range=(days.start, days.last_day), charge_category="Usage"
    )
    costs = dict(used.order_by().values_list("currency").annotate(Sum("effective_cost")))
    waste = sums_by_currency(Finding.objects.visible_to(user).open().exclude(confidence=Confidence.LOOK))
    months = Decimal(days.days) / MONTH_DAYS
    nothing = Sums(0, Decimal(0), 0)
    shares = [
        WasteShare(code, sums.counted, _a_month(cost, months), sums.count, sums.unknown)
        for code, cost in sorted(costs.items())
        for sums in [waste.get(code, nothing)]
    ]
    return sorted(shares, key=lambda one: -(one.cost or 0))


def _a_month(cost: Decimal | None, months: Decimal) -> Decimal | None:
    return None if cost is None else cost / months

"""What people decide about KPIs: targets, owners, baselines and comments; and what pillars ask about them."""

from collections.abc import Mapping
from datetime import date, datetime, timedelta
from typing import Any, cast

from django.db import transaction
from django.utils.translation import gettext as _

from finops_site.lib.person import Person
from finops_site.models import User
from finops_site.registry import Kpi as RegisteredKpi
from finops_site.registry import KpiTarget, Measure, Unit
from programme.models import Kpi, KpiComment, KpiDay, KpiTargetChange

EDITABLE = ("target", "target_day", "owner", "baseline", "baseline_day")
NEVER_BELOW_ZERO = (Unit.HOURS, Unit.COUNT, Unit.MONTHS)


class BadTarget(Exception):
    """A target or baseline that cannot be, with the reason."""


def load_settings(kpi: RegisteredKpi) -> Kpi:
    """What is decided about a KPI; not saved, with what the plan says, where nobody has decided anything."""
    row = Kpi.objects.filter(name=kpi.name).select_related("owner", "changed_by").first()
    return row or Kpi(name=kpi.name, target=kpi.target, baseline=kpi.baseline, currency=kpi.currency)


@transaction.atomic
def save_settings(kpi: RegisteredKpi, values: Mapping[str, Any], *, by: Person, now: datetime) -> Kpi:
    """Writes what is in `values` (names of EDITABLE); what is not in it stays. Raises BadTarget."""
    row = Kpi.objects.select_for_update().filter(name=kpi.name).first() or load_settings(kpi)
    for name in EDITABLE:
        if name in values:
            setattr(row, name, values[name])
    check_settings(kpi, row)
    row.currency = row.currency or kpi.currency
    row.changed_by, row.changed_at = cast(User, by), now
    row.save()
    _note_target(row, now)
    return row


def _note_target(row: Kpi, now: datetime) -> None:
    """Keeps from when on this target holds, unless it holds already."""
    newest = KpiTargetChange.objects.filter(name=row.name).last()
    if newest is None or (newest.target, newest.currency) != (row.target, row.currency):
        KpiTargetChange.objects.create(name=row.name, at=now, target=row.target, currency=row.currency)


def check_settings(kpi: RegisteredKpi, row: Kpi) -> None:
    """Raises BadTarget for what a KPI cannot be aimed at."""
    if row.target is not None and row.target < 0:
        raise BadTarget(_("{name}: less than 0 cannot be.").format(name=_("target")))
    for name in ("target", "baseline"):
        value = getattr(row, name)
        if value is not None and value < 0 and kpi.unit in NEVER_BELOW_ZERO:
            raise BadTarget(_("{name}: less than 0 cannot be.").format(name=_(name)))
    if _is_share(kpi) and row.target is not None and row.target > 100:
        raise BadTarget(_("target: more than 100% cannot be reached."))
    if row.target_day and row.target is None:
        raise BadTarget(_("A day without a target: give the value that is to be reached by then."))
    if row.baseline_day and row.baseline is None:
        raise BadTarget(_("A day without a baseline: give the value that it had then."))
    if row.target_day and row.baseline_day and row.target_day <= row.baseline_day:
        raise BadTarget(_("The target is due after the day on which the baseline was taken."))
    if row.owner and not row.owner.is_active:
        raise BadTarget(_("The owner must be somebody who can sign in."))


def _is_share(kpi: RegisteredKpi) -> bool:
    """Whether it is a part of a whole: a return, of which the plan wants more than 100%, is none."""
    return kpi.unit == Unit.PERCENT and (kpi.target is None or kpi.target <= 100)


def add_comment(kpi: RegisteredKpi, text: str, *, by: Person, now: datetime) -> KpiComment:
    """Adds what somebody says about a KPI. Raises BadTarget for nothing, and for what nobody reads to its end."""
    text = text.strip()
    if not text:
        raise BadTarget(_("A comment needs a text."))
    if len(text) > 2000:
        raise BadTarget(_("A comment has 2000 characters at most."))
    author = cast(User, by)
    return KpiComment.objects.create(name=kpi.name, text=text, author=author, author_name=str(author)[:200], at=now)


# What the registry asks (finops_site.registry.KpiArchive).


def find_targets() -> dict[str, KpiTarget]:
    """{name: the target that finance decided}."""
    rows = Kpi.objects.values_list("name", "target", "currency")
    return {name: KpiTarget(target, currency) for name, target, currency in rows}


def targets_at(moment: datetime) -> dict[str, KpiTarget]:
    """{name: the target that held at a moment}; one that nobody had set by then is not in it: the plan's held."""
    rows = KpiTargetChange.objects.filter(at__lte=moment).order_by("name", "-at", "-pk").distinct("name")
    return {row.name: KpiTarget(row.target, row.currency) for row in rows}


def find_stored(as_of: date) -> tuple[date, dict[str, Measure]] | None:
    """The newest stored day of up to `as_of`, of yesterday at the oldest, and its measures."""
    rows = list(KpiDay.objects.filter(day__lte=as_of, day__gte=as_of - timedelta(days=1)))
    if not rows:
        return None
    newest = max(row.day for row in rows)
    return newest, {row.name: row.as_measure() for row in rows if row.day == newest}

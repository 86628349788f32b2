"""The past of KPIs: each night stores what it knows of the whole company, once; what is stored stays as it is."""

import logging
from collections.abc import Iterable, Mapping
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal

from django.db import transaction
from django.utils import timezone

from finops_site.lib.money import EXACT, STORED_UNIT
from finops_site.lib.periods import Month
from finops_site.lib.person import WholeCompany
from finops_site.registry import Kpi, KpiTarget, Measure, NightlyCheckFailed, registry
from finops_site.translation import gettext_lazy as _lazy
from finops_site.translation import in_every_language
from programme.calc.kpi_progress import last_of_months
from programme.kpis.targets import targets_at
from programme.models import DecisionPoint, KpiDay, KpiRecount

logger = logging.getLogger(__name__)

# A night that was missed is stored later, as it would be known by then; of longer ago it stays a gap.
MOST_NIGHTS_BACK = 31
# Bills are restated for about so long.
MONTHS_COUNTED_AGAIN = 12
# When the night of a day is (UTC): what was decided later on the day is of the next one.
NIGHT = time(5, 10)
LONGEST = 1000
NOTHING_TO_MEASURE, NOT_KNOWN = _lazy("There is nothing to measure it by yet."), _lazy("not known")


def run_night(as_of: date) -> str:
    """Stores the nights that are missing up to `as_of`, then counts the ends of past months again.

    Raises NightlyCheckFailed, after all else is done, where a KPI could not be measured.
    """
    stored, failed = 0, set[str]()
    for day in missing_nights(as_of):
        made, broken = store_day(day)
        stored, failed = stored + made, failed | broken
    differing = count_again(as_of)
    if failed:
        raise NightlyCheckFailed(f"{stored} values of KPIs stored; could not be measured: {', '.join(sorted(failed))}")
    return f"{stored} values of KPIs stored; {differing} of past months would differ with today's bills"


def missing_nights(as_of: date) -> list[date]:
    """The days to store: from the one after the newest that is stored to `as_of`, and that one where KPIs are new."""
    newest = KpiDay.objects.filter(day__lt=as_of).order_by("-day").values_list("day", flat=True).first()
    first = as_of if newest is None else max(newest + timedelta(days=1), as_of - timedelta(days=MOST_NIGHTS_BACK))
    return [first + timedelta(days=number) for number in range((as_of - first).days + 1)]


def first_day(today: date) -> date:
    """The first day whose KPIs can be stored: that of the first month with cost; of no bill the nights made up for."""
    months = registry.report_months(WholeCompany(), today)
    return min([month.month.start for month in months[-1:]] + [today - timedelta(days=MOST_NIGHTS_BACK)])


def store_day(day: date, *, now: datetime | None = None) -> tuple[int, set[str]]:
    """Stores the KPIs of a day that are not stored yet; returns how many, and the names of those that failed."""
    now = now or timezone.now()
    there = set(KpiDay.objects.filter(day=day).values_list("name", flat=True))
    # The same person for all of them: what several KPIs stand on is worked out once.
    company, targets, is_over = WholeCompany(), _targets_of(day, now), timezone.now().date() > day
    rows, failed = [], set[str]()
    for kpi in registry.of(Kpi):
        if kpi.name not in there:
            try:
                # One that breaks in the database must not take the others with it.
                with transaction.atomic():
                    measure = _too_late(kpi) if is_over and kpi.only_now else kpi.measure(company, day)
                    rows.append(make_day(kpi, measure, day, now, targets))
            except Exception:
                logger.exception("the KPI %s could not be measured as of %s", kpi.name, day)
                failed.add(kpi.name)
    # Two nights at once: who was first has written it.
    KpiDay.objects.bulk_create(rows, ignore_conflicts=True)
    return len(rows), failed


def _targets_of(day: date, now: datetime) -> dict[str, KpiTarget]:
    """The targets that held in the night of a day; of one that is made up for, those of then."""
    return targets_at(min(now, datetime.combine(day, NIGHT, UTC))) if now.date() > day else registry.kpi_targets()


def make_day(kpi: Kpi, measure: Measure | None, day: date, now: datetime, targets: Mapping[str, KpiTarget]) -> KpiDay:
    """The row of a day, not saved, against the target of then. Without a measure it says why there is none."""
    measure = measure or unknown_measure(kpi)
    target, words = targets.get(kpi.name), measure.description or NOT_KNOWN
    return KpiDay(
        name=kpi.name,
        day=day,
        value=as_stored(measure.value),
        unit=measure.unit.value,
        currency=measure.currency,
        target=measure.target if target is None else target.value,
        better=measure.better.value,
        description=str(words)[:LONGEST],
        descriptions={language: text[:LONGEST] for language, text in in_every_language(words).items()},
        url=measure.url[:500],
        made_at=now,
    )


def as_stored(value: Decimal | None) -> Decimal | None:
    """A value in the digits that are stored: one more digit would be a difference that nobody made."""
    return None if value is None else value.quantize(STORED_UNIT, context=EXACT)


def unknown_measure(kpi: Kpi) -> Measure:
    """What stands for a KPI that has nothing to measure yet: no value, and why."""
    return Measure(None, kpi.unit, kpi.target, kpi.better, kpi.why_unknown or NOTHING_TO_MEASURE, "", kpi.currency)


def _too_late(kpi: Kpi) -> Measure:
    """What stands for a KPI that cannot be asked of a day that is over."""
    return Measure(None, kpi.unit, kpi.target, kpi.better, kpi.only_now, "", kpi.currency)


def count_again(as_of: date, *, names: Iterable[str] | None = None) -> int:
    """Counts the last stored day of each past month, and days of decisions, again; returns how many values differ.

    What was stored stays: the answer stands beside it.
    """
    oldest = Month.of(as_of).plus(-MONTHS_COUNTED_AGAIN).start
    stored = KpiDay.objects.filter(day__gte=oldest, day__lt=Month.of(as_of).start)
    ends = [day for day in last_of_months(stored.order_by().values_list("day", flat=True).distinct()).values() if day]
    # What a decision stood on is looked at again on its page, and must read the same on the KPI's.
    decided = DecisionPoint.objects.filter(decided_at__date__gte=oldest, decided_at__date__lt=as_of)
    ends += decided.values_list("decided_at__date", flat=True)
    kpis = {kpi.name: kpi for kpi in registry.of(Kpi) if names is None or kpi.name in names}
    kpis = {name: kpi for name, kpi in kpis.items() if not kpi.only_now}
    rows, now, differing, company = [], timezone.now(), 0, WholeCompany()
    for row in KpiDay.objects.filter(day__in=ends, name__in=kpis).order_by("day", "name"):
        try:
            with transaction.atomic():
                measure = kpis[row.name].measure(company, row.day) or unknown_measure(kpis[row.name])
        except Exception:
            logger.exception("the KPI %s could not be counted again as of %s", row.name, row.day)
            continue
        recount = KpiRecount(kpi_day=row, value=as_stored(measure.value), currency=measure.currency, counted_at=now)
        differing += recount.differs
        rows.append(recount)
    KpiRecount.objects.bulk_create(
        rows, update_conflicts=True, unique_fields=["kpi_day"], update_fields=["value", "currency", "counted_at"]
    )
    return differing

"""What pages, files and the API show of KPIs: the value of now, and the days that nights stored."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from decimal import Decimal
from functools import cached_property

from django.db.models import QuerySet

from finops_site.lib.periods import Month
from finops_site.lib.person import Person
from finops_site.registry import Kpi as RegisteredKpi
from finops_site.registry import KpiTarget, Measure, against_for, registry
from programme.calc.kpi_progress import Goal, Progress, last_of_months, progress
from programme.kpis import catalogue
from programme.kpis.nights import unknown_measure
from programme.kpis.targets import load_settings
from programme.models import Kpi, KpiDay

# The course on the list.
COURSE_DAYS = 120


@dataclass(frozen=True, slots=True)
class KpiFigure:
    """A KPI, what is decided about it, and its value as of `day`; `is_stored`: as the night of that day knew it."""

    kpi: RegisteredKpi
    settings: Kpi
    measure: Measure
    day: date
    is_stored: bool = False
    course: tuple[tuple[date, Decimal | None], ...] = ()
    is_of_company: bool = True

    @property
    def goal(self) -> Goal:
        return Goal(self.measure.target, self.target_day, self.baseline, self.baseline_day)

    @property
    def target_day(self) -> date | None:
        """None where she is not held against a target: the day is that target's."""
        return None if self.measure.target is None else self.settings.target_day

    @property
    def baseline(self) -> Decimal | None:
        """None where it is in another currency than the value, and of teams: it is the company's."""
        if not self.is_of_company:
            return None
        is_other = self.settings.currency and self.settings.currency != self.measure.currency
        return None if is_other and self.measure.currency else self.settings.baseline

    @property
    def baseline_day(self) -> date | None:
        """None where she is shown no baseline."""
        return None if self.baseline is None else self.settings.baseline_day

    @property
    def progress(self) -> Progress:
        return progress(self.measure.value, self.goal, self.measure.better, self.day)

    @property
    def due_today(self) -> Decimal | None:
        """What a straight line from its baseline to its target asks for on the day."""
        return self.goal.due_by(self.day)


@dataclass(frozen=True, slots=True)
class PastValue:
    """A stored day of a KPI, or a month by its last stored day; a month without any has neither value nor day.

    `today` is what that day would be with today's bills, where that was counted and differs.
    """

    when: date | Month
    day: date | None
    value: Decimal | None
    currency: str
    target: Decimal | None
    reason: str
    made_at: datetime | None = None
    differs: bool = False
    today: Decimal | None = None
    today_currency: str = ""
    counted_at: datetime | None = None

    @property
    def is_late(self) -> bool:
        """Whether it was stored more than a day after, for its night was missed."""
        return bool(self.made_at and self.day and self.made_at.date() > self.day + timedelta(days=1))


def list_figures(user: Person, as_of: date) -> list[KpiFigure]:
    """Every KPI that `user` may see: of the whole company as the last night stored it, else measured now."""
    kpis = catalogue.find_kpis(user)
    settings = {row.name: row for row in Kpi.objects.select_related("owner")}
    stored = registry.stored_measures(user, as_of)
    day, measures = stored if stored else (as_of, registry.measures(user, as_of))
    by_name = {kpi.name: measure for kpi, measure in measures}
    courses = _courses(user, as_of)
    figures = []
    for kpi in kpis:
        row = settings.get(kpi.name) or Kpi(
            name=kpi.name, target=kpi.target, baseline=kpi.baseline, currency=kpi.currency
        )
        if kpi.name not in by_name and not user.sees_whole_company:
            # Of her own teams there is nothing that it could count.
            continue
        measure = by_name.get(kpi.name) or _with_target(user, unknown_measure(kpi), row)
        course = tuple(courses.get(kpi.name, ()))
        figures.append(KpiFigure(kpi, row, measure, day, stored is not None, course, user.sees_whole_company))
    return figures


def find_figure(user: Person, name: str, as_of: date) -> KpiFigure | None:
    """A KPI as it is now, of what `user` may see; None where there is none of that name for her."""
    kpi = catalogue.find_kpi(user, name)
    if kpi is None:
        return None
    row = load_settings(kpi)
    measure = _with_target(user, kpi.measure(user, as_of) or unknown_measure(kpi), row)
    return KpiFigure(kpi, row, measure, as_of, is_of_company=user.sees_whole_company)


def _with_target(user: Person, measure: Measure, row: Kpi) -> Measure:
    if row.pk is None:
        return against_for(user, measure, None)
    return against_for(user, measure, KpiTarget(row.target, row.currency))


def _courses(user: Person, as_of: date) -> dict[str, list[tuple[date, Decimal | None]]]:
    """{name: (day, value) of the last months}, of what nights stored."""
    rows = KpiDay.objects.visible_to(user).filter(day__gt=as_of - timedelta(days=COURSE_DAYS), day__lte=as_of)
    courses: dict[str, list[tuple[date, Decimal | None]]] = defaultdict(list)
    for name, day, value in rows.order_by("name", "day").values_list("name", "day", "value"):
        courses[name].append((day, value))
    return courses


class History:
    """The stored days of a KPI, of those that `user` may see."""

    def __init__(self, user: Person, name: str) -> None:
        self.rows: QuerySet[KpiDay] = (
            KpiDay.objects.visible_to(user).filter(name=name).select_related("recount").order_by("day")
        )

    @cached_property
    def days(self) -> list[PastValue]:
        """Every stored day, the oldest first."""
        return [_past(row, row.day) for row in self.rows]

    @cached_property
    def months(self) -> list[PastValue]:
        """Every month from the first stored one to the last, by its last stored day."""
        by_day = {one.day: one for one in self.days}
        return list(self._months(by_day))

    def _months(self, by_day: dict[date | None, PastValue]) -> Iterator[PastValue]:
        for month, day in last_of_months(day for day in by_day if day).items():
            if day is None:
                yield PastValue(month, None, None, "", None, "")
            else:
                yield replace(by_day[day], when=month)

    def by(self, grain: str) -> Sequence[PastValue]:
        """Its days, or its months where `grain` is "month"."""
        return self.months if grain == "month" else self.days


def _past(row: KpiDay, when: date | Month) -> PastValue:
    recount = getattr(row, "recount", None)
    differs = recount is not None and recount.differs
    return PastValue(
        when,
        row.day,
        row.value,
        row.currency,
        row.target,
        row.words if row.value is None else "",
        row.made_at,
        differs,
        recount.value if recount and differs else None,
        recount.currency if recount and differs else "",
        recount.counted_at if recount and differs else None,
    )

"""Which billing months are charged back, and the fingerprints that show whether a draft is out of date.

A fingerprint is a hash of everything that statements are made from: the bills of the month, its splits and metrics.
"""

import hashlib
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from datetime import date

from django.db.models import Count, Max, Sum
from django.db.models.functions import TruncMonth

from costs.models import DeliveryMonth
from costs.query.known_until import KnownDays, known_in
from costs.retention import find_versions, versions_behind
from finops_site.lib.periods import Month
from finops_site.lib.person import Person
from finops_site.models import Team
from tagging.models import Adjustment, ChargebackPeriod, MetricValue, Split

NO_BILL = "no bill"


def month_fingerprints() -> dict[Month, str]:
    """The fingerprint of every billing month that has a bill: its bills, splits and metrics."""
    parts: dict[Month, list[str]] = defaultdict(list)
    current = DeliveryMonth.objects.current().order_by("billing_month", "pk")
    for day, pk, revision in current.values_list("billing_month", "pk", "revision"):
        parts[Month.of(day)].append(f"bill {pk} {revision}")
    splits = list(Split.objects.order_by("pk").values_list("pk", "version", "start", "end", "metric"))
    metrics = _metric_versions({metric for *_, metric in splits if metric})
    for month, of_month in parts.items():
        for pk, version, start, end, metric in splits:
            if (start is None or start <= month.start) and (end is None or month.start < end):
                of_month.append(f"split {pk} {version} {metrics.get((metric, month), '')}")
    return {month: _hash(of_month) for month, of_month in parts.items()}


def _metric_versions(metrics: set[int]) -> dict[tuple[int, Month], str]:
    if not metrics:
        return {}
    by_month = MetricValue.objects.filter(metric__in=metrics).order_by().annotate(month=TruncMonth("day"))
    rows = by_month.values("metric", "month").annotate(n=Count("pk"), total=Sum("value"), last=Max("changed_at"))
    return {(row["metric"], Month.of(row["month"])): f"{row['n']} {row['total']} {row['last']}" for row in rows}


def _hash(parts: Iterable[str]) -> str:
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()


def period_fingerprints(periods: Iterable[ChargebackPeriod], by_month: Mapping[Month, str]) -> dict[int, str]:
    """{period: the fingerprint that its draft should have}: that of its month, of its settings and of what it books.

    A draft that has another fingerprint is out of date.
    """
    opened = open_period()
    closed = ChargebackPeriod.objects.closed().order_by("billing_month")
    corrected = [f"{period.month} {by_month.get(period.month, NO_BILL)}" for period in closed]
    booked: dict[int, list[str]] = defaultdict(list)
    for pk, adjustment in Adjustment.objects.order_by("pk").values_list("period", "pk"):
        booked[pk].append(f"adjustment {adjustment}")
    fingerprints = {}
    for period in periods:
        parts = [by_month.get(period.month, NO_BILL), period.basis, period.discounts, *booked[period.pk]]
        parts += corrected if opened and opened.pk == period.pk else []
        fingerprints[period.pk] = _hash(parts)
    return fingerprints


def period_fingerprint(period: ChargebackPeriod, by_month: Mapping[Month, str]) -> str:
    return period_fingerprints([period], by_month)[period.pk]


def is_outdated(period: ChargebackPeriod) -> bool:
    """Whether a draft was computed from something else than today's bills, splits and metrics."""
    return not period.is_closed and period.fingerprint != period_fingerprint(period, month_fingerprints())


def outdated_drafts(by_month: Mapping[Month, str]) -> list[ChargebackPeriod]:
    drafts = list(ChargebackPeriod.objects.draft())
    wanted = period_fingerprints(drafts, by_month)
    return [period for period in drafts if period.fingerprint != wanted[period.pk]]


def ensure_periods(months: Iterable[Month]) -> None:
    """A draft for every month that has a bill; basis and discounts are those of the latest month before."""
    known = {period.month: period for period in ChargebackPeriod.objects.all()}
    for month in sorted(set(months) - set(known)):
        before = max((earlier for earlier in known if earlier < month), default=None)
        template = known[before] if before else ChargebackPeriod()
        known[month], _ = ChargebackPeriod.objects.get_or_create(
            billing_month=month.start, defaults={"basis": template.basis, "discounts": template.discounts}
        )
    open_period()


def open_period() -> ChargebackPeriod | None:
    """The draft that follows the last closed month: corrections are booked in it. None while no month is closed."""
    last = ChargebackPeriod.objects.closed().first()
    if last is None:
        return None
    draft = ChargebackPeriod.objects.draft().filter(billing_month__gt=last.billing_month).last()
    if draft is None:
        draft, _ = ChargebackPeriod.objects.get_or_create(
            billing_month=last.month.next.start, defaults={"basis": last.basis, "discounts": last.discounts}
        )
    return draft


def known_of_month(user: Person, period: ChargebackPeriod, as_of: date, *, team: Team | None = None) -> KnownDays:
    """What the bills know of a month, of what `user` may see (of a team): what is missing, and whether it is final."""
    filters = {"team": [str(team.pk)]} if team else {}
    return known_in(user, period.month.period, as_of, filters=filters, metric=period.basis)


def deliveries_behind_statements(months: Collection[date] | None) -> dict[int, str]:
    """{delivery: the reason} of bills that a closed statement stands on: its own month's versions when it was closed.

    Later months book corrections of the months before them, so that what made those up at each later closing stays too.
    """
    closed = dict(ChargebackPeriod.objects.closed().values_list("billing_month", "closed_at"))
    closings = [moment for moment in closed.values() if moment]
    wanted = set(closed) if months is None else set(closed) & set(months)
    protected: dict[int, str] = {}
    for (_, month, *_), versions in find_versions(wanted).items():
        moments = [moment for moment in closings if closed[month] and moment >= closed[month]]
        reason = f"the closed statements of {Month.of(month)} stand on it"
        protected |= dict.fromkeys(versions_behind(moments, versions), reason)
    return protected

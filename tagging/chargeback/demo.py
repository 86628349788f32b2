"""The demo's chargeback: two closed months, a correction of one, a dispute, and last month, ready to be closed."""

from collections.abc import Callable
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal

from costs.models import Pool
from finops_site.lib.periods import Month
from finops_site.models import Team, User
from tagging.calc import pool_splits
from tagging.chargeback import closing, disputes, draft_statements, splits
from tagging.models import ChargebackPeriod, Dispute, Metric, MetricValue, Split, StatementLine

METRIC = "gigabytes transferred"
# Gigabytes a day of each team, and the value that is forgotten at first.
DAILY = {"Payments": 310, "Data": 540, "Storefront": 820, "Platform": 130}
FORGOTTEN = ("Data", 180)


def make_splits(say: Callable[[str], object], *, as_of: date) -> None:
    """Splits of the demo's pools, before its first month is closed."""
    if Split.objects.exists():
        return
    pools = {pool.name: pool for pool in Pool.objects.all()}
    metric = _make_metric(as_of)
    percentages = {"Payments": "20", "Data": "45", "Storefront": "25", "Platform": "10"}
    shares = {
        pool_splits.team(team.pk): Decimal(percentages[team.name]) for team in Team.objects.filter(name__in=percentages)
    }
    methods = {
        "Support": ("direct", {}, None),
        "Tax": ("direct", {}, None),
        "Credits": ("even", {}, None),
        "Network": ("metric", {}, metric),
        "Observability": ("fixed", shares, None),
    }
    for name, (method, parts, of) in methods.items():
        if name in pools:
            splits.save_split(Split(pool=pools[name], method=method, metric=of), parts)
    say(f"  {Split.objects.count()} splits of pools")


def _make_metric(as_of: date) -> Metric:
    """The gigabytes that each team transferred in the last months, a value a day."""
    metric, _ = Metric.objects.get_or_create(name=METRIC, defaults={"description": "Counted by the load balancers."})
    first = Month.of(as_of - timedelta(days=1)).plus(-12).start
    days = [first + timedelta(days=n) for n in range((as_of - first).days)]
    MetricValue.objects.bulk_create(
        (
            MetricValue(metric=metric, team=team, day=day, value=Decimal(DAILY[team.name] + 7 * (day.day % 11)))
            for team in Team.objects.filter(name__in=DAILY)
            for day in days
        ),
        ignore_conflicts=True,
    )
    return metric


def make_chargeback(say: Callable[[str], object], *, as_of: date) -> None:
    """Closes two months and leaves the last one to be closed by hand, once; a metric is corrected, a line disputed."""
    make_splits(say, as_of=as_of)
    draft_statements.refresh_stale_drafts()
    if ChargebackPeriod.objects.closed().exists():
        return
    fay, lea = (User.objects.filter(email__startswith=f"{name}@").first() for name in ("fay", "lea"))
    last = Month.of(as_of - timedelta(days=1)).previous
    first = last.plus(-2)
    before = ChargebackPeriod.objects.draft().filter(billing_month__lt=first.start).first()
    if before and fay:
        closing.set_aside(before, fay, _in_the_month_after(before.month, 5), and_before=True)
    for month in (first, last.previous):
        _close(month, fay)
    # A value that was forgotten is loaded after the month was closed: everybody's share of the network changes.
    name, value = FORGOTTEN
    forgotten = MetricValue.objects.filter(metric__name=METRIC, team__name=name, day=last.previous.start)
    forgotten.update(value=Decimal(value))
    draft_statements.refresh_stale_drafts()
    _dispute(last.previous, lea)
    say(f"  {len(ChargebackPeriod.objects.closed_months())} closed months of chargeback, one correction, one dispute")


def _in_the_month_after(month: Month, day: int) -> datetime:
    return datetime.combine(month.next.start + timedelta(days=day - 1), time(9, 12), UTC)


def _close(month: Month, user: User | None) -> None:
    period = ChargebackPeriod.objects.filter(billing_month=month.start).first()
    if period and period.totals.exists() and user:
        draft_statements.refresh_stale_drafts()
        period.refresh_from_db()
        closing.close_month(period, user, seen=period.fingerprint, now=_in_the_month_after(month, 5))


def _dispute(month: Month, user: User | None) -> None:
    lines = StatementLine.objects.filter(statement__period__billing_month=month.start, kind="shared")
    line = lines.filter(statement__team__name="Payments").order_by("-amount").first()
    if user and line and not Dispute.objects.exists():
        comment = "We moved our traffic to the CDN in the middle of the month: is that in the metric already?"
        disputes.raise_dispute(line, user, comment, _in_the_month_after(month, 8))

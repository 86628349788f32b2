"""That shares of clusters are the cost of their machines: what `check_books` asks of this package."""

from collections import defaultdict
from collections.abc import Iterator
from decimal import Decimal

from django.db.models import Max, Min

from costs.clusters import shares
from costs.models import ClusterUsage
from costs.reconciliation import Check
from finops_site.lib.money import EXACT, exact_text
from finops_site.lib.periods import Month, Period
from finops_site.lib.person import WholeCompany


def check_shares(month: Month | None) -> Iterator[Check]:
    """For each cluster: the shares of all workloads and of idle sum to the cost lines of its machines."""
    rows = ClusterUsage.objects.order_by("cluster").values_list("cluster").annotate(Min("day"), Max("day"))
    for cluster, first, last in rows:
        months = Period(Month.of(first).start, Month.of(last).next.start)
        period = month.period if month else months
        if not (period.start < months.end and months.start < period.end):
            continue
        for metric in ("billed_cost", "effective_cost"):
            sums: dict[str, Decimal] = defaultdict(Decimal)
            for share in shares.split(WholeCompany(), period, "workload", metric=metric, cluster=cluster):
                sums[share.currency] = EXACT.add(sums[share.currency], share.amount)
            lines = shares.totals(WholeCompany(), period, metric=metric, cluster=cluster)
            about = f"{cluster}, {metric.replace('_', ' ')}"
            yield Check("shares of a cluster = cost lines of its machines", about, _text(sums), _text(lines))


def _text(sums: dict[str, Decimal]) -> str:
    return ", ".join(f"{exact_text(amount)} {currency}" for currency, amount in sorted(sums.items())) or "nothing"

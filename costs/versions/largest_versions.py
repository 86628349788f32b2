"""The largest version of a month so far, against which small steps are added up."""

from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal

from django.db.models import Q, QuerySet

from costs.calc.wholeness import LargestVersion
from costs.models import DeliveredAccount, Delivery, DeliveryMonth
from costs.versions.beside import doubts_about
from costs.versions.streams import rivals_of
from finops_site.lib.money import EXACT
from finops_site.lib.periods import Month


def largest_versions(
    delivery: Delivery, new: Sequence[DeliveryMonth], old: Sequence[DeliveryMonth], metrics: Mapping[str, str]
) -> list[LargestVersion]:
    """The largest version by currency and cost that came after the month's end and after a person's last decision.

    `metrics` are {cost: what people call it}. None of a month that was not over when the delivery came: it still grew.
    """
    end = Month.of(new[0].billing_month).next.start
    if delivery.received_at.date() < end:
        return []
    counted = DeliveryMonth.objects.filter(
        Q(delivery__held_because=[]) | Q(delivery__is_accepted=True),
        delivery__status__in=[Delivery.Status.SUPERSEDED, Delivery.Status.CURRENT],
        delivery__order_at__lt=delivery.order_at,
        delivery__received_at__date__gte=end,
        billing_month=new[0].billing_month,
    )
    rows = {row.pk: row for month in new for row in _versions_of(month, counted)}
    accepted = [row.delivery.order_at for row in rows.values() if row.delivery.is_accepted]
    since = max([row.delivery.order_at for row in old if row.delivery.is_accepted] + accepted, default=None)
    # A delivery that was loaded anew has several rows: the last one counts.
    last = {(row.delivery, row.stream_id): row for _, row in sorted(rows.items())}
    sums: dict[tuple[str, str], dict[Delivery, Decimal]] = {}
    for (version, _), row in last.items():
        if since is None or version.order_at >= since:
            _add_totals(sums, version, row, metrics)
    now: dict[tuple[str, str], dict[Delivery, Decimal]] = {}
    for month in new:
        _add_totals(now, delivery, month, metrics)
    largest = []
    for (code, metric), by_version in sums.items():
        version = max(by_version, key=lambda version: by_version[version])
        amount = now.get((code, metric), {}).get(delivery, Decimal(0))
        received_on = version.received_at.date()
        largest.append(LargestVersion(code, metrics[metric], received_on, by_version[version], amount))
    return largest


def _versions_of(month: DeliveryMonth, among: QuerySet[DeliveryMonth]) -> list[DeliveryMonth]:
    """Those of `among` all of whose cost this month bills again: a loose file may have billed other accounts too."""
    rows = list(rivals_of(month, among).select_related("delivery", "stream"))
    doubts = doubts_about(month, rows)
    accounts: dict[int, set[str]] = {}
    covered = DeliveredAccount.objects.filter(delivery_month__in=[month.pk, *(row.pk for row in rows)])
    for pk, billing, sub in covered.values_list("delivery_month", "billing_account", "sub_account"):
        accounts.setdefault(pk, set()).add((sub or billing).lower())
    own = accounts.get(month.pk, set())
    return [row for row in rows if row.pk not in doubts and (row.delivery.part or accounts.get(row.pk, own) <= own)]


def _add_totals(
    sums: dict[tuple[str, str], dict[Delivery, Decimal]], version: Delivery, row: DeliveryMonth, metrics: Iterable[str]
) -> None:
    for code, amounts in row.totals.items():
        for metric in metrics:
            of_version = sums.setdefault((code, metric), {})
            of_version[version] = EXACT.add(of_version.get(version, Decimal(0)), Decimal(amounts.get(metric) or 0))

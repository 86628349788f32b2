"""Judging a loaded delivery by the versions it would replace, before it counts."""

from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from django.conf import settings
from django.db import connection
from django.db.models import Max, Q
from django.utils.translation import gettext as _

from costs.calc.wholeness import (
    CostComparison,
    DescribedCost,
    Limits,
    MissingDays,
    Versions,
    reasons_to_hold,
    usual_limits,
)
from costs.models import DayRollup, Delivery, DeliveryMonth, Stream
from costs.versions.beside import doubts_about
from costs.versions.largest_versions import largest_versions
from costs.versions.overlaps import billed_by_another_export
from costs.versions.streams import grown_from
from finops_site.lib.periods import Month
from finops_site.translation import gettext_lazy as _lazy
from finops_site.ui.figures import month_text

if TYPE_CHECKING:
    from django.db.backends.utils import CursorWrapper

# `cost_column` is put in by `_versions`.
BOTH = """
    both_versions AS (
        SELECT lower(sub_account) AS account, service, currency, charge_date,
            coalesce({cost_column}, 0) AS cost, delivery_month_id = ANY(%(old)s) AS is_old
        FROM costs_dayrollup
        WHERE delivery_month_id = ANY(%(old)s || %(new)s) AND charge_date <= %(until)s
    )
"""
# Sums of both versions on the days that are complete in the older one: of all, of charges without credits, by account
# and by service.
COMPARE = f"""
    WITH {BOTH}, sums AS (
        SELECT CASE WHEN GROUPING(account) = 0 THEN 'account' WHEN GROUPING(service) = 0 THEN 'service' ELSE 'total' END
            AS kind, coalesce(account, service, '') AS name, currency,
            sum(cost) FILTER (WHERE is_old) AS before, sum(cost) FILTER (WHERE NOT is_old) AS after,
            sum(cost) FILTER (WHERE is_old AND cost > 0) AS gross_before,
            sum(cost) FILTER (WHERE NOT is_old AND cost > 0) AS gross_after
        FROM both_versions GROUP BY GROUPING SETS ((currency), (currency, account), (currency, service))
    )
    SELECT kind, name, currency, before, after FROM sums
    UNION ALL SELECT 'gross', '', currency, gross_before, gross_after FROM sums WHERE kind = 'total'
"""
MISSING_DAYS = f"""
    WITH {BOTH}, days AS (
        SELECT account, currency, charge_date, sum(cost) FILTER (WHERE is_old) AS cost, bool_or(NOT is_old) AS is_new
        FROM both_versions GROUP BY 1, 2, 3
    )
    SELECT account, currency, count(*), min(charge_date), max(charge_date), sum(cost)
    FROM days d WHERE NOT is_new AND EXISTS (SELECT FROM days n WHERE n.account = d.account AND n.is_new)
    GROUP BY 1, 2
"""
# The sums of the other costs, and of each owner, on the same days.
OF_COSTS = """
    SELECT currency, {sums} FROM costs_dayrollup
    WHERE delivery_month_id = ANY(%(old)s || %(new)s) AND charge_date <= %(until)s GROUP BY currency
"""
OF_OWNERS = """
    SELECT 'owner', coalesce(team.name, 'the pool ' || pool.name, 'unowned'), currency,
        sum({cost}) FILTER (WHERE delivery_month_id = ANY(%(old)s)),
        sum({cost}) FILTER (WHERE delivery_month_id = ANY(%(new)s))
    FROM costs_dayrollup r
    LEFT JOIN finops_site_team team ON team.id = r.owner_id LEFT JOIN costs_pool pool ON pool.id = r.pool_id
    WHERE delivery_month_id = ANY(%(old)s || %(new)s) AND charge_date <= %(until)s GROUP BY 2, 3
"""
# How much of the cost names a region, a resource, tags and each tag, as the bill has them and not as we tagged it.
DESCRIBED = """
    WITH months AS (
        SELECT currency, delivery_month_id = ANY(%(old)s) AS is_old, region, tag_set_id, sum(abs({cost})) AS cost
        FROM costs_monthrollup WHERE delivery_month_id = ANY(%(old)s || %(new)s) GROUP BY 1, 2, 3, 4
    ), tagged AS (
        SELECT m.currency, m.is_old, coalesce(delivered.tags, own.tags) AS tags, m.cost
        FROM (SELECT currency, is_old, tag_set_id, sum(cost) AS cost FROM months GROUP BY 1, 2, 3) m
        JOIN costs_tagset own ON own.id = m.tag_set_id
        LEFT JOIN costs_tagset delivered ON delivered.id = own.delivered_id
    ), named AS (
        SELECT '' AS name, currency, is_old, cost FROM months
        UNION ALL SELECT 'Regions', currency, is_old, cost FROM months WHERE region <> ''
        UNION ALL SELECT 'Tags', currency, is_old, cost FROM tagged WHERE tags <> '{{}}'
        UNION ALL SELECT 'The tag ' || key, currency, is_old, cost FROM tagged, jsonb_object_keys(tags) key
        UNION ALL SELECT 'Resource ids', currency, delivery_month_id = ANY(%(old)s), abs({cost})
            FROM costs_resourcerollup WHERE delivery_month_id = ANY(%(old)s || %(new)s) AND resource <> ''
    )
    SELECT name, currency, coalesce(sum(cost) FILTER (WHERE is_old), 0),
        coalesce(sum(cost) FILTER (WHERE NOT is_old), 0)
    FROM named GROUP BY 1, 2
"""
# So many days after a day its charges are complete; what is younger was still growing.
SETTLED_AFTER = timedelta(days=2)
METRICS = {
    "billed_cost": _lazy("Billed cost"),
    "effective_cost": _lazy("Effective cost"),
    "list_cost": _lazy("List cost"),
    "contracted_cost": _lazy("Contracted cost"),
}
# Those of which a change is a reason: prices are corrected as providers like.
JUDGED = ("billed_cost", "effective_cost")
COST_OF_VIEW = {"actual": "billed_cost", "amortized": "effective_cost"}
REMEMBERED = 24


def judge(
    delivery: Delivery, months: Sequence[DeliveryMonth], rivals: Mapping[int, Sequence[DeliveryMonth]]
) -> list[str]:
    """Why the delivery should not count before somebody has looked at it; empty when it may.

    `rivals` are the months that each month would replace, by its pk. Where both views of a bill came in one delivery,
    each is compared with its own older version. A first delivery is never held, nor what a person has accepted. Notes
    on each month how much it changes the version before it, for that is what the limits of its stream are learnt from.
    """
    reasons: list[str] = []
    grown = grown_from(delivery)
    rivals = {pk: [row for row in rows if row.delivery_id not in grown] for pk, rows in rivals.items()}
    for billing_month, view in sorted({(month.billing_month, month.view) for month in months}):
        in_month = [month for month in months if month.billing_month == billing_month]
        new = [month for month in in_month if month.view == view]
        name = month_text(Month.of(billing_month))
        prefix = (_("{month}, {view} view").format(month=name, view=view) if len(new) < len(in_month) else name) + ": "
        is_compared = not delivery.is_accepted and all(month.stream.is_judged for month in new)
        doubts = {pk: words for month in new for pk, words in doubts_about(month, rivals[month.pk]).items()}
        if is_compared:
            reasons += dict.fromkeys(prefix + words for words in doubts.values())
        old = list({row.pk: row for month in new for row in rivals[month.pk] if row.pk not in doubts}.values())
        if not old or any(row.delivery.order_at > delivery.order_at for row in old):
            continue
        lost = [words for metric, words in METRICS.items() if _has(old, metric) and not _states(in_month, metric)]
        versions = _versions(delivery, new, old, lost_metrics=lost)
        changes = [row.share for row in versions.compared if row.kind == "total" and row.share is not None]
        if changes:
            change = max(changes, key=abs).quantize(Decimal("0.000001"))
            limit = Decimal(10**5)
            DeliveryMonth.objects.filter(pk__in=[month.pk for month in new]).update(
                change=max(-limit, min(limit, change))
            )
        if is_compared:
            reasons += [prefix + reason for reason in reasons_to_hold(versions, limits_of(new[0].stream))]
    return [*reasons, *billed_by_another_export(delivery, months)]


def _versions(
    delivery: Delivery, new: Sequence[DeliveryMonth], old: Sequence[DeliveryMonth], *, lost_metrics: Sequence[str]
) -> Versions:
    stated = [metric for metric in JUDGED if _states(old, metric) and _states(new, metric)]
    cost_column = COST_OF_VIEW.get(new[0].view) or next(iter(stated), "billed_cost, effective_cost")
    cost = f"coalesce({cost_column}, 0)"
    before, after = [row.pk for row in old], [row.pk for row in new]
    until = max(_complete_until(row) for row in old)
    parameters: dict[str, list[int] | date] = {"old": before, "new": after, "until": until}
    with connection.cursor() as cursor:
        cursor.execute(COMPARE.format(cost_column=cost_column), parameters)
        compared = [CostComparison(*row) for row in cursor.fetchall()]
        cursor.execute(MISSING_DAYS.format(cost_column=cost_column), parameters)
        missing = [MissingDays(*row) for row in cursor.fetchall()]
        compared += _of_other_costs(cursor, [metric for metric in stated if metric != cost_column], parameters)
        cursor.execute(OF_OWNERS.format(cost=cost), parameters)
        compared += [CostComparison(*row) for row in cursor.fetchall()]
        cursor.execute(DESCRIBED.format(cost=cost), parameters)
        described = cursor.fetchall()
    totals = {currency: amounts for name, currency, *amounts in described if not name}
    older = {row.delivery_id: row.delivery for row in old}.values()
    read = sum(row.rows_read for row in older)
    return Versions(
        compared=[row for row in compared if row.before is not None or row.kind in ("total", "owner")],
        last_day_before=until,
        last_day=DayRollup.objects.filter(delivery_month__in=after).aggregate(day=Max("charge_date"))["day"],
        rows_read=delivery.rows_read,
        rows_rejected=delivery.rows_rejected,
        rejected_share_before=Decimal(sum(row.rows_rejected for row in older)) / read if read else Decimal(0),
        expected_rows=delivery.expected_rows,
        lost_metrics=lost_metrics,
        missing_days=missing,
        described=[DescribedCost(*row, *totals[row[1]]) for row in described if row[0]],
        largest=largest_versions(delivery, new, old, {metric: METRICS[metric] for metric in stated}),
    )


def _of_other_costs(
    cursor: "CursorWrapper", metrics: Sequence[str], parameters: Mapping[str, Any]
) -> list[CostComparison]:
    """The totals of these costs on the same days, in both versions."""
    if not metrics:
        return []
    sums = ", ".join(
        f"sum({metric}) FILTER (WHERE delivery_month_id = ANY(%({which})s))"
        for metric in metrics
        for which in ("old", "new")
    )
    cursor.execute(OF_COSTS.format(sums=sums), parameters)
    return [
        CostComparison("metric", METRICS[metric], currency, *amounts[2 * number : 2 * number + 2])
        for currency, *amounts in cursor.fetchall()
        for number, metric in enumerate(metrics)
    ]


def _complete_until(month: DeliveryMonth) -> date:
    """The last day of a version whose charges were complete when it came: the running days were still growing."""
    last = DayRollup.objects.filter(delivery_month=month).aggregate(day=Max("charge_date"))["day"]
    settled = month.delivery.received_at.date() - SETTLED_AFTER
    return min(last or settled, settled)


def _has(months: Sequence[DeliveryMonth], metric: str) -> bool:
    """Whether a cost is stated; a price that is zero everywhere is how some bills write that they do not know it."""
    if metric in JUDGED:
        return _states(months, metric)
    return any(Decimal(sums.get(metric) or 0) for month in months for sums in month.totals.values())


def _states(months: Sequence[DeliveryMonth], metric: str) -> bool:
    return any(sums.get(metric) is not None for month in months for sums in month.totals.values())


def limits_of(stream: Stream) -> Limits:
    """How much a newer version of this stream may differ: as somebody set it, else as its history shows."""
    defaults = Limits(Decimal(settings.FINOPS_HOLD_DOWN_PERCENT) / 100, Decimal(settings.FINOPS_HOLD_UP_PERCENT) / 100)
    # What was held and never accepted is no example of what is usual.
    counted = stream.months.filter(
        Q(delivery__held_because=[]) | Q(delivery__is_accepted=True), change__isnull=False
    ).filter(delivery__status__in=[Delivery.Status.CURRENT, Delivery.Status.SUPERSEDED, Delivery.Status.WITHDRAWN])
    changes = counted.order_by("-pk").values_list("change", flat=True)[:REMEMBERED]
    usual = usual_limits([change for change in changes if change is not None], defaults)
    return Limits(
        usual.down if stream.hold_down is None else stream.hold_down / 100,
        usual.up if stream.hold_up is None else stream.hold_up / 100,
    )

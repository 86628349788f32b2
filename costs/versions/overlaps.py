"""The same account arriving through two sources or exports: noticed and reported, for its cost would count twice."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from django.db import connection
from django.utils.translation import gettext as _

from costs.models import Delivery, DeliveryMonth, Source
from costs.versions.streams import in_another_export
from finops_site.lib.periods import Month
from finops_site.lib.words import some_of
from finops_site.ui.figures import month_text

# Pairs of sources that bill the same account for the same month, unless they are marked as complementing each other.
# And pairs of exports of one source that bill the same days of an account, unless they are its two views or a person
# decided that they stand beside each other.
FIND = """
    WITH billed AS (
        SELECT m.billing_month, a.sub_account, t.source_id, m.stream_id, t.view, s.name, m.delivery_id,
            s.name || ' (' || CASE t.export WHEN '' THEN 'loose files' ELSE t.export END || ')' AS export_name,
            min(a.first_day) AS first_day, max(a.last_day) AS last_day
        FROM costs_deliveredaccount a
        JOIN costs_deliverymonth m ON m.id = a.delivery_month_id AND m.is_current
        JOIN costs_stream t ON t.id = m.stream_id
        JOIN costs_source s ON s.id = t.source_id
        WHERE a.sub_account <> '' GROUP BY 1, 2, 3, 4, 5, 6, 7, t.export
    ),
    pairs AS (
        SELECT one.billing_month, one.sub_account,
            unnest(CASE WHEN one.source_id = other.source_id THEN ARRAY[one.export_name, other.export_name]
                ELSE ARRAY[one.name, other.name] END) AS name
        FROM billed one JOIN billed other USING (billing_month, sub_account)
        WHERE one.stream_id < other.stream_id AND CASE WHEN one.source_id = other.source_id
            THEN (one.view = other.view OR '' IN (one.view, other.view))
                AND one.first_day <= other.last_day AND other.first_day <= one.last_day
                AND NOT EXISTS (SELECT FROM costs_delivery_beside b
                    WHERE b.from_delivery_id = one.delivery_id AND b.to_delivery_id = other.delivery_id)
            ELSE NOT EXISTS (SELECT FROM costs_source_complements c
                WHERE c.from_source_id = one.source_id AND c.to_source_id = other.source_id) END
    )
    SELECT billing_month, sub_account, array_agg(DISTINCT name ORDER BY name)
    FROM pairs GROUP BY 1, 2 ORDER BY 1 DESC, 2 LIMIT 500
"""


@dataclass(frozen=True, slots=True)
class Overlap:
    """One account in one billing month that several sources bill, or several exports of one source."""

    billing_month: date
    account: str
    sources: tuple[str, ...]

    def concerns(self, source: Source) -> bool:
        return any(name == source.name or name.startswith(f"{source.name} (") for name in self.sources)

    def __str__(self) -> str:
        return _("{account} in {month}: {names}").format(
            account=self.account, month=Month.of(self.billing_month), names=", ".join(self.sources)
        )


def billed_by_another_export(delivery: Delivery, months: Sequence[DeliveryMonth]) -> list[str]:
    """Why a delivery waits whose accounts another export of its source bills on the same days; mostly empty.

    AWS's cost and usage report and its FOCUS export, for example, are the same bill. Once a person has accepted one
    delivery of the stream, the two stand beside each other.
    """
    if delivery.is_accepted:
        return []
    reasons = []
    for month in months:
        stream = month.stream
        if not stream.is_judged or stream.months.filter(delivery__is_accepted=True).exists():
            continue
        others = list(in_another_export(month).select_related("stream").order_by("stream__export", "delivery"))
        if others:
            accounts = month.accounts.exclude(sub_account="").values_list("sub_account", flat=True)[:3]
            exports = ", ".join(dict.fromkeys(other.stream.export for other in others))
            versions = ", ".join(str(pk) for pk in dict.fromkeys(other.delivery_id for other in others))
            reasons.append(
                _(
                    "{billing_month}: {exports} of this source already bills the same days of {accounts}: with "
                    "{export} their cost would count twice. Keep one export in the source: reject this bill and "
                    "leave {export} out, or withdraw delivery {versions} and accept this one. Accept it without "
                    "that only if both are to be added."
                ).format(
                    billing_month=month_text(Month.of(month.billing_month)),
                    exports=exports,
                    accounts=", ".join(accounts) or _("the same accounts"),
                    export=stream.export,
                    versions=versions,
                )
            )
    return reasons


def find_overlaps(source: Source | None = None) -> list[Overlap]:
    """Every account and month that more than one source bills, the latest first; of one source when it is named."""
    with connection.cursor() as cursor:
        cursor.execute(FIND)
        overlaps = [Overlap(month, account, tuple(names)) for month, account, names in cursor.fetchall()]
    return [overlap for overlap in overlaps if source is None or overlap.concerns(source)]


def overlap_warning(source: Source) -> str:
    """One sentence for the delivery that brought it; empty when no account overlaps."""
    overlaps = find_overlaps(source)
    if not overlaps:
        return ""
    accounts = sorted({overlap.account for overlap in overlaps})
    others = sorted({name for overlap in overlaps for name in overlap.sources} - {source.name})
    return _(
        "Account {accounts} also arrives through {names}: its cost counts twice until one of the two "
        "bills is withdrawn, or the sources are marked as complementing each other."
    ).format(accounts=some_of(accounts, 3), names=", ".join(others))

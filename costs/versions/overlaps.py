"""The same account arriving through two sources: noticed and reported, for its cost would count twice."""

from dataclasses import dataclass
from datetime import date

from django.db import connection

from costs.models import Source
from finops_site.lib.periods import Month

# Pairs of sources that bill the same account for the same month, unless they are marked as complementing each other.
FIND = """
    WITH billed AS (
        SELECT DISTINCT m.billing_month, r.sub_account, d.source_id
        FROM costs_monthrollup r
        JOIN costs_deliverymonth m ON m.id = r.delivery_month_id AND m.is_current
        JOIN costs_delivery d ON d.id = m.delivery_id
        WHERE r.sub_account <> ''
    )
    SELECT one.billing_month, one.sub_account, array_agg(DISTINCT s.name ORDER BY s.name)
    FROM billed one
    JOIN billed other USING (billing_month, sub_account)
    JOIN costs_source s ON s.id IN (one.source_id, other.source_id)
    WHERE one.source_id < other.source_id AND NOT EXISTS (
        SELECT FROM costs_source_complements c
        WHERE c.from_source_id = one.source_id AND c.to_source_id = other.source_id)
    GROUP BY 1, 2 ORDER BY 1 DESC, 2 LIMIT 500
"""


@dataclass(frozen=True, slots=True)
class Overlap:
    """One account in one billing month that several sources bill."""

    billing_month: date
    account: str
    sources: tuple[str, ...]

    def __str__(self) -> str:
        return f"{self.account} in {Month.of(self.billing_month)}: {', '.join(self.sources)}"


def find_overlaps(source: Source | None = None) -> list[Overlap]:
    """Every account and month that more than one source bills, the latest first; of one source when it is named."""
    with connection.cursor() as cursor:
        cursor.execute(FIND)
        overlaps = [Overlap(month, account, tuple(names)) for month, account, names in cursor.fetchall()]
    return [overlap for overlap in overlaps if source is None or source.name in overlap.sources]


def overlap_warning(source: Source) -> str:
    """One sentence for the delivery that brought it; empty when no account overlaps."""
    overlaps = find_overlaps(source)
    if not overlaps:
        return ""
    accounts = sorted({overlap.account for overlap in overlaps})
    others = sorted({name for overlap in overlaps for name in overlap.sources} - {source.name})
    listed = ", ".join(accounts[:3]) + (f" and {len(accounts) - 3} more" if len(accounts) > 3 else "")
    return (
        f"Account {listed} also arrives through {', '.join(others)}: its cost counts twice until one of the two bills "
        "is withdrawn, or the sources are marked as complementing each other."
    )

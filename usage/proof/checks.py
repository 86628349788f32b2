"""What check_books proves of savings: each month against the cost lines, summed by another way than made it."""

from collections.abc import Iterator

from django.db import connection

from costs.reconciliation import Check
from finops_site.lib.money import exact_text
from finops_site.lib.periods import Month

# By the resource's day sums in SQL, where the months are made by the ORM from lines of many resources at once.
COST_AFTER = """
SELECT s.month, s.currency, s.resource_key, s.cost_after, coalesce(sum(l.effective_cost), 0)
FROM (
  SELECT DISTINCT m.month, m.currency, m.cost_after, f.resource_key, f.provider, f.account, f.region, f.resource
  FROM usage_savingmonth m JOIN usage_finding f ON f.id = m.finding_id
  WHERE %(month)s::date IS NULL OR m.month = %(month)s::date
) s
LEFT JOIN costs_costline l ON l.resource = s.resource AND l.provider = s.provider
  AND coalesce(nullif(l.sub_account, ''), l.billing_account) = s.account
  AND l.region = s.region AND l.currency = s.currency AND l.commitment = '' AND l.pricing_category <> 'Committed'
  AND l.charge_date >= s.month AND l.charge_date < s.month + interval '1 month'
  AND l.delivery_month_id IN (SELECT id FROM costs_deliverymonth WHERE is_current)
GROUP BY 1, 2, 3, 4
HAVING s.cost_after <> coalesce(sum(l.effective_cost), 0)
ORDER BY 1, 2, 3 LIMIT 5
"""


def saving_checks(month: Month | None) -> Iterator[Check]:
    """The cost after of every proved month = the cost lines of the resource; no counted saving is below zero."""
    with connection.cursor() as cursor:
        cursor.execute(COST_AFTER, {"month": month.start if month else None})
        for row in cursor.fetchall():
            about = f"{row[0]:%Y-%m}, {row[1]}, resource {row[2]}"
            yield Check(
                "cost after a finding was mended = cost lines",
                about,
                exact_text(row[3]) or "",
                exact_text(row[4]) or "",
            )

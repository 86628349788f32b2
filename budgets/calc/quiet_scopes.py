"""A scope that had cost and has none any more, though its bills are delivered: was something renamed? Pure: no Django.

Silence is told from a rare cost by what the scope did before: one with cost on most days is quiet after a few days
without any; a yearly fee is not.
"""

from collections.abc import Mapping
from datetime import date, timedelta
from decimal import Decimal
from itertools import pairwise

# So many days before the last one with cost say how often it has cost.
DAYS_BEFORE = 60
FEWEST_DAYS = 7
# So many days without cost, beyond the longest pause before, are no weekend.
QUIET_DAYS = 3
MOST_SIMILAR = Decimal(2)


def quiet_since(amounts: Mapping[date, Decimal], complete_until: date | None) -> date | None:
    """The last day with cost of a scope that has fallen silent; None while it has cost, or where it was always rare."""
    days = sorted(day for day, amount in amounts.items() if amount)
    if not days or complete_until is None or (complete_until - days[-1]).days < QUIET_DAYS:
        return None
    last = days[-1]
    before = [day for day in days if last - day < timedelta(days=DAYS_BEFORE)]
    span = (last - before[0]).days + 1
    if len(before) < FEWEST_DAYS or 2 * len(before) <= span:
        return None
    pause = max(((later - day).days - 1 for day, later in pairwise(before)), default=0)
    return last if (complete_until - last).days >= pause + QUIET_DAYS else None


def is_similar(daily: Decimal, daily_before: Decimal) -> bool:
    """Whether one daily cost may be the other under a new name: neither is more than twice the other."""
    if daily <= 0 or daily_before <= 0:
        return False
    return daily <= MOST_SIMILAR * daily_before and daily_before <= MOST_SIMILAR * daily

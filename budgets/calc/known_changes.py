"""Changes that are known before a bill shows them: which budgets they concern, and by how much. Pure: no Django.

A change that is still ahead is added to the forecast. One that has begun is in the last days only: the days before it
are lifted by as much, so that the forecast takes the new level at once and not in the course of a week.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import date, timedelta
from decimal import Decimal

import numpy as np

from budgets.calc.cost_history import CostHistory, Floats
from budgets.calc.forecast import Distribution
from finops_site.lib.money import formatted
from finops_site.lib.periods import Period
from finops_site.registry import KnownChange

# So many days after it began a change is in the history well enough.
LIFTED_DAYS = 60


def changes_in_scope(
    changes: Iterable[KnownChange],
    filters: Mapping[str, Collection[str]],
    *,
    basis: str,
    currency: str,
    left_out: Collection[str] = (),
) -> list[KnownChange]:
    """The changes that a scope counts: every dimension it filters by is one the change names, with a value of its own.

    Nobody knows what a change does not name (its tags, for example): a scope that filters by it does not count it.
    """
    return [
        change
        for change in changes
        if (change.basis, change.currency) == (basis, currency)
        and change.filters.get("charge_category") not in left_out
        and all(change.filters.get(name) in values for name, values in filters.items())
    ]


def lift_history(history: CostHistory, changes: Sequence[Sequence[KnownChange]]) -> CostHistory:
    """The history as if what has changed for good lately had always been so; `changes` has an entry for each row.

    Days before a series began stay empty.
    """
    if not any(changes):
        return history
    daily, begun = history.daily.copy(), history.first_columns()
    for row, row_changes in enumerate(changes):
        for change in row_changes:
            column = (change.first - history.first).days
            if change.end is None and history.days - LIFTED_DAYS <= column < history.days:
                daily[row, begun[row] : max(column, begun[row])] += float(change.amount)
    return CostHistory(history.first, daily)


def amount_ahead(changes: Iterable[KnownChange], last_known: date, period: Period) -> Decimal:
    """What the changes that begin after `last_known` add to the days of `period` that follow it."""
    first_ahead = max(period.start, last_known + timedelta(days=1))
    total = Decimal(0)
    for change in changes:
        if change.first > last_known:
            days = (min(change.end or period.end, period.end) - max(change.first, first_ahead)).days
            total += change.amount * max(days, 0)
    return total


def shift(distribution: Distribution, amount: Decimal) -> Distribution:
    """The same distribution, `amount` higher."""
    if not amount:
        return distribution
    by = float(amount)
    likely: Floats = np.asarray(distribution.likely + by)
    return Distribution(distribution.likeliest + by, likely, distribution.method)


def describe_changes(changes: Iterable[KnownChange], currency: str) -> list[str]:
    """In words, one line for each event: ``RI db-main ends on 12 Dec 2026: 24.50 USD a day more``."""
    sums: dict[tuple[date, str, bool], Decimal] = {}
    for change in changes:
        key = (change.first, change.description, change.end == change.first + timedelta(days=1))
        sums[key] = sums.get(key, Decimal(0)) + change.amount
    lines = []
    for (first, description, is_once), amount in sorted(sums.items()):
        how = "once" if is_once else f"a day {'more' if amount > 0 else 'less'}"
        if amount:
            lines.append(f"{description} on {first:%-d %b %Y}: {formatted(abs(amount), currency)} {currency} {how}")
    return lines

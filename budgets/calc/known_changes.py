"""What is known of the days ahead before a bill tells it: which budgets it touches, and by how much. Pure: no Django.

A change that is still ahead is added to the forecast. One that has begun is in the last days only: the days before it
are lifted by as much, so that the forecast takes the new level at once and not in the course of a week.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import date, timedelta
from decimal import Decimal

import numpy as np

from budgets.calc.forecast import Floats, History, Outlook, beginnings
from finops_site.lib.money import formatted
from finops_site.lib.periods import Period
from finops_site.registry import KnownChange

# So long after it began a change is in the history well enough.
LIFTED_DAYS = 60


def touching(
    changes: Iterable[KnownChange],
    filters: Mapping[str, Collection[str]],
    *,
    basis: str,
    currency: str,
    left_out: Collection[str] = (),
) -> list[KnownChange]:
    """The changes that a scope counts: every dimension it filters by is one the change names, with a value of its own.

    What a change does not name (a tag, say) nobody knows of it: a scope that asks for it does not count it.
    """
    return [
        change
        for change in changes
        if (change.basis, change.currency) == (basis, currency)
        and change.filters.get("charge_category") not in left_out
        and all(change.filters.get(name) in values for name, values in filters.items())
    ]


def lifted(history: History, changes: Sequence[Sequence[KnownChange]]) -> History:
    """The history as if what has changed for good lately had always been so; a series' changes stand at its row.

    Days before a series began stay empty.
    """
    if not any(changes):
        return history
    daily, begun = history.daily.copy(), beginnings(history)
    for row, mine in enumerate(changes):
        for change in mine:
            column = (change.first - history.first).days
            if change.end is None and history.days - LIFTED_DAYS <= column < history.days:
                daily[row, begun[row] : max(column, begun[row])] += float(change.amount)
    return History(history.first, daily)


def ahead(changes: Iterable[KnownChange], last_known: date, period: Period) -> Decimal:
    """What the changes that begin after `last_known` add to the days of `period` that follow it."""
    first_ahead = max(period.start, last_known + timedelta(days=1))
    return sum(
        (_in_days(change, first_ahead, period.end) for change in changes if change.first > last_known), Decimal(0)
    )


def _in_days(change: KnownChange, start: date, end: date) -> Decimal:
    days = (min(change.end or end, end) - max(change.first, start)).days
    return change.amount * max(days, 0)


def moved(outlook: Outlook, amount: Decimal) -> Outlook:
    """The same distribution, `amount` higher."""
    if not amount:
        return outlook
    by = float(amount)
    likely: Floats = np.asarray(outlook.likely + by)
    return Outlook(outlook.likeliest + by, likely, outlook.method)


def told(changes: Iterable[KnownChange], currency: str) -> list[str]:
    """In words, what belongs together in one: ``RI db-main ends on 12 Dec 2026: 24.50 USD a day more``."""
    sums: dict[tuple[date, str, bool], Decimal] = {}
    for change in changes:
        key = (change.first, change.description, change.end == change.first + timedelta(days=1))
        sums[key] = sums.get(key, Decimal(0)) + change.amount
    return [_words(*key, amount, currency) for key, amount in sorted(sums.items()) if amount]


def _words(first: date, what: str, once: bool, amount: Decimal, currency: str) -> str:
    direction = "more" if amount > 0 else "less"
    how = "once" if once else f"a day {direction}"
    return f"{what} on {first:%-d %b %Y}: {formatted(abs(amount), currency)} {currency} {how}"

"""Changes that are known before a bill shows them: which budgets they concern, and by how much. Pure: no Django.

A change that is still ahead is added to the forecast. One that has begun is in the last days only: the days before it
are lifted by as much, so that the forecast takes the new level at once and not in the course of a week.
"""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import date, timedelta
from decimal import Decimal

import numpy as np
import numpy.typing as npt

from budgets.calc.cost_history import CostHistory, Floats
from budgets.calc.forecast import Distribution
from costs.calc.charge_kinds import COMMITMENT, PURCHASE
from costs.calc.filters import Filter
from finops_site.lib.language import gettext as _
from finops_site.lib.money import formatted
from finops_site.lib.periods import Period, day_text
from finops_site.registry import KnownChange

# So many days after it began a change is in the history well enough.
LIFTED_DAYS = 60
# What is expected within so many days and this share of an announced amount is the same charge.
NEAR_DAYS, ALIKE = 3, 0.5


def changes_in_scope(
    changes: Iterable[KnownChange], filters: Sequence[Filter], *, basis: str, currency: str
) -> list[KnownChange]:
    """The changes that a scope counts: every dimension it filters by is one the change names, with a value it accepts.

    Nobody knows what a change does not name (its tags, for example): a scope that filters by it does not count it.
    `filters` have the values that groups of cost have.
    """
    return [
        change
        for change in changes
        if (change.basis, change.currency) == (basis, currency) and _is_counted(change, filters)
    ]


def _is_counted(change: KnownChange, filters: Sequence[Filter]) -> bool:
    category = change.filters.get("charge_category")
    # What contracts announce to be bought is a commitment.
    kind = {"charge_kind": COMMITMENT if category == PURCHASE else category} if category else {}
    values = {**change.filters, **kind, "currency": change.currency}
    return all(chosen.dimension in values and chosen.accepts(values[chosen.dimension]) for chosen in filters)


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


def not_yet_expected(
    changes: Sequence[KnownChange], start: date, added: Floats, came: Floats | None = None
) -> list[KnownChange]:
    """The changes without charges of one day that the history expects by itself: `added` on the days from `start` on.

    A fee that came month after month is learnt; whoever enters it too means the same one. So does what was billed some
    days earlier than entered: `came` is what stood out of the days just before `start`, that of another charge aside.
    """
    came = np.zeros(0) if came is None else came.copy()
    for change in changes:
        place = (change.first - start).days + len(came)
        if _is_once(change) and 0 <= place < len(came) and _are_alike(came[place], change):
            came[place] = 0.0
    near = np.concatenate([came, added])
    left = []
    for change in changes:
        place = (change.first - start).days
        if _is_once(change) and 0 <= place < len(added):
            around = near[max(0, len(came) + place - NEAR_DAYS) : len(came) + place + NEAR_DAYS + 1]
            if _are_alike(around, change).any():
                continue
        left.append(change)
    return left


def _is_once(change: KnownChange) -> bool:
    return change.end == change.first + timedelta(days=1)


def _are_alike(amounts: Floats, change: KnownChange) -> npt.NDArray[np.bool_]:
    """Which amounts may be that of the change."""
    amount = float(change.amount)
    return np.asarray(np.abs(amounts - amount) <= ALIKE * abs(amount))


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
    return replace(distribution, likely=distribution.likely + float(amount))


def describe_changes(changes: Iterable[KnownChange], currency: str) -> list[str]:
    """In words, one line for each event: ``RI db-main ends on 12 Dec 2026: 24.50 USD a day more``."""
    sums: dict[tuple[date, str, bool], Decimal] = {}
    for change in changes:
        key = (change.first, change.description, change.end == change.first + timedelta(days=1))
        sums[key] = sums.get(key, Decimal(0)) + change.amount
    lines = []
    for (first, description, is_once), amount in sorted(sums.items()):
        if is_once:
            how = _("once") if amount > 0 else _("once, less")
        else:
            how = _("a day more") if amount > 0 else _("a day less")
        if amount:
            lines.append(
                _("{description} on {first}: {amount} {currency} {how}").format(
                    description=description,
                    first=day_text(first),
                    amount=formatted(abs(amount), currency),
                    currency=currency,
                    how=how,
                )
            )
    return lines

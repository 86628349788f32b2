"""What an alert avoided that somebody acted on. Pure: no Django.

Conservative on purpose: only what lies outside of the forecast's own interval counts, and only above the budget. That
a period ends within what was forecast proves nothing, in either direction. What ends above the interval although
somebody acted is a loss, and is shown as one.
"""

from decimal import Decimal

from finops_site.lib.money import EXACT

ZERO = Decimal(0)


def avoided_overrun(budgeted: Decimal, low: Decimal, high: Decimal, final: Decimal) -> Decimal | None:
    """The overrun that was expected at least (`low`), less the one that came; negative where it came out above `high`.

    `low` and `high` are the forecast's interval on the night before somebody acted. None where nothing is proved.
    """
    if low <= final <= high:
        return None
    expected = low if final < low else high
    difference = EXACT.subtract(_over(expected, budgeted), _over(final, budgeted))
    return difference if difference else None


def _over(amount: Decimal, budgeted: Decimal) -> Decimal:
    return max(ZERO, EXACT.subtract(amount, budgeted))

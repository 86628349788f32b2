"""Until which day the cost of a scope is complete: all of it, and each part of it where some of its bills are late."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta

from costs.calc.known_until import Bill
from costs.query.known_until import bills_going_on, last_known_day

# A cloud's bill of the last two days is never complete.
LAG_DAYS = 2
# What was delivered of days so long ago is all there will be.
SETTLED_DAYS = 4
# Bills that are complete until days no further apart are forecast as one: so much nearly every night is.
NEAR_DAYS = 2


@dataclass(frozen=True, slots=True)
class ScopePart:
    """Those bills of a scope that are complete until about the same day; `complete_until` is the earliest."""

    complete_until: date
    bills: list[Bill]

    def brings(self, account: str) -> bool:
        return any(account in bill.accounts or account in bill.payers for bill in self.bills)


def last_complete_day(delivered: date, as_of: date) -> date:
    """The last day whose cost is taken as complete, of what is delivered until a day."""
    return max(delivered - timedelta(days=LAG_DAYS), min(delivered, as_of - timedelta(days=SETTLED_DAYS)))


def complete_day(bills: Sequence[Bill], delivered: date, as_of: date) -> date:
    """The last day that is complete in all of these bills; `delivered`: the last day in any bill."""
    return last_complete_day(min(last_known_day(bills, as_of) or delivered, delivered), as_of)


def scope_parts(bills: Mapping[int, Sequence[Bill]], delivered: date, as_of: date) -> dict[int, list[ScopePart]]:
    """{budget id: the parts of its scope, the latest bills first} out of its bills; those in one part are left out."""
    by_bills: dict[tuple[int, ...], list[ScopePart]] = {}
    parts = {}
    for pk, own in bills.items():
        key = tuple(map(id, own))
        if key not in by_bills:
            by_bills[key] = _parts(own, delivered, as_of)
        if len(by_bills[key]) > 1:
            parts[pk] = by_bills[key]
    return parts


def _parts(bills: Sequence[Bill], delivered: date, as_of: date) -> list[ScopePart]:
    """Bills that have ended are in no part: all of their cost is known, as it is of the last part."""
    parts: list[ScopePart] = []
    going_on = [(complete_day([bill], delivered, as_of), bill) for bill in bills_going_on(bills, as_of)]
    for day, bill in sorted(going_on, key=lambda pair: pair[0]):
        if parts and (day - parts[-1].complete_until).days <= NEAR_DAYS:
            parts[-1].bills.append(bill)
        else:
            parts.append(ScopePart(day, [bill]))
    return parts

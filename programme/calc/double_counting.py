"""One realised sum of what several sources prove: the same money counts once. Pure: no Django.

The rule. Rows of one month and currency are taken from the strongest proof to the weakest (the order of their sources,
then the narrower scope, then the larger amount). A row counts for what it shows beyond the rows before it that may show
the same money: those whose scope its own scope meets, or lies within, or contains. It never counts below zero for that.
A loss counts in full, whatever stands beside it: leaving some of it out would flatter.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal

from finops_site.lib.money import EXACT
from finops_site.lib.periods import Month
from finops_site.registry import SavingsEvidence

ZERO = Decimal(0)


@dataclass(frozen=True, slots=True)
class Claim:
    """A row of evidence with where it comes from; `strength` is the order of its source, lower is stronger."""

    row: SavingsEvidence
    lever: str
    source: str
    strength: int


@dataclass(frozen=True, slots=True)
class CountedClaim:
    """A claim, and how much of it is in the realised sum; `same_as` are the rows that show the rest of it."""

    claim: Claim
    counted: Decimal
    same_as: Sequence[str] = ()

    @property
    def left_out(self) -> Decimal:
        """What other rows show already."""
        return EXACT.subtract(self.claim.row.amount, self.counted)


def overlap(one: SavingsEvidence, other: SavingsEvidence) -> bool:
    """Whether two rows may show the same money."""
    return bool(one.scope & other.scope or one.scope & other.within or one.within & other.scope)


def count_once(claims: Iterable[Claim]) -> list[CountedClaim]:
    """Each claim with what of it counts, by month, strongest proof first."""
    groups: dict[tuple[Month, str], list[Claim]] = defaultdict(list)
    for claim in claims:
        groups[claim.row.month, claim.row.currency].append(claim)
    return [counted for key in sorted(groups) for counted in _count_group(groups[key])]


def _count_group(claims: Sequence[Claim]) -> list[CountedClaim]:
    ordered = sorted(
        claims,
        key=lambda claim: (claim.strength, claim.source, len(claim.row.scope), -claim.row.amount, claim.row.what),
    )
    counted: list[CountedClaim] = []
    for claim in ordered:
        counted.append(_beyond(claim, counted))
    return counted


def _beyond(claim: Claim, before: Sequence[CountedClaim]) -> CountedClaim:
    if claim.row.amount <= 0:
        return CountedClaim(claim, claim.row.amount)
    same = [other for other in before if other.counted > 0 and overlap(other.claim.row, claim.row)]
    shown = ZERO
    for other in same:
        shown = EXACT.add(shown, other.counted)
    rest = max(ZERO, EXACT.subtract(claim.row.amount, shown))
    return CountedClaim(claim, rest, tuple(other.claim.row.what for other in same))


def sums(counted: Iterable[CountedClaim]) -> dict[tuple[Month, str, str], Decimal]:
    """{(month, lever, currency): what counts}."""
    totals: dict[tuple[Month, str, str], Decimal] = defaultdict(Decimal)
    for one in counted:
        key = (one.claim.row.month, one.claim.lever, one.claim.row.currency)
        totals[key] = EXACT.add(totals[key], one.counted)
    return dict(totals)


def total(by_key: Mapping[tuple[Month, str, str], Decimal], *, currency: str, lever: str = "") -> Decimal | None:
    """The sum of one currency, of one lever where it is named; None where nothing is proved."""
    amounts = [amount for (_, of, code), amount in by_key.items() if code == currency and (not lever or of == lever)]
    result = ZERO
    for amount in amounts:
        result = EXACT.add(result, amount)
    return result if amounts else None

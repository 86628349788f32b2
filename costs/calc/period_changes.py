"""What changed between two periods: new, gone, more, less; the parts sum to the whole change. Pure: no Django."""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal

from finops_site.lib.money import EXACT, exact_sum

KINDS = ("new", "gone", "more", "less")


@dataclass(frozen=True, slots=True)
class Change:
    """How the cost of one thing differs: `kind` is new, gone, more or less; amounts are in one currency."""

    kind: str
    key: str
    before: Decimal
    after: Decimal

    @property
    def difference(self) -> Decimal:
        return EXACT.subtract(self.after, self.before)


def changes(before: Mapping[str, Decimal], after: Mapping[str, Decimal]) -> list[Change]:
    """Every key whose cost differs, largest difference first. A key that only one side knows is new or gone."""
    found = [_change(key, before.get(key), after.get(key)) for key in sorted({*before, *after})]
    return sorted((each for each in found if each.difference), key=lambda each: -abs(each.difference))


def _change(key: str, before: Decimal | None, after: Decimal | None) -> Change:
    zero = Decimal(0)
    if not before and after:
        return Change("new", key, zero, after)
    if before and not after:
        return Change("gone", key, before, after or zero)
    kind = "more" if (after or zero) > (before or zero) else "less"
    return Change(kind, key, before or zero, after or zero)


def by_kind(found: list[Change]) -> dict[str, list[Change]]:
    """{kind: its changes}, for all four kinds, in the order of `found`."""
    return {kind: [each for each in found if each.kind == kind] for kind in KINDS}


def whole(found: list[Change]) -> Decimal:
    """The sum of all differences: exactly what the total changed by."""
    return exact_sum(each.difference for each in found)

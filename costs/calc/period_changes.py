"""What changed between two periods: new, gone, more, less; the parts sum to the change in total. Pure: no Django."""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal

from finops_site.lib.money import EXACT

KINDS = ("new", "gone", "more", "less")


@dataclass(frozen=True, slots=True)
class CostChange:
    """How the cost of one thing differs: `kind` is new, gone, more or less; amounts are in one currency."""

    kind: str
    key: str
    before: Decimal
    after: Decimal

    @property
    def difference(self) -> Decimal:
        return EXACT.subtract(self.after, self.before)


def cost_changes(before: Mapping[str, Decimal], after: Mapping[str, Decimal]) -> list[CostChange]:
    """Every key whose cost differs, largest difference first. A key that only one side knows is new or gone."""
    changes = []
    for key in sorted({*before, *after}):
        old, new = before.get(key) or Decimal(0), after.get(key) or Decimal(0)
        kind = "new" if not old else "gone" if not new else "more" if new > old else "less"
        changes.append(CostChange(kind, key, old, new))
    return sorted((change for change in changes if change.difference), key=lambda change: -abs(change.difference))

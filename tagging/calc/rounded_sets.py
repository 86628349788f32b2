"""Amounts in whole cents whose parts sum to their whole, for documents, pages, files and the ledger. Pure: no Django.

Each amount is rounded once, from the whole down to its parts by the largest remainder, and never again by itself: a
month to its statements, a statement to its kinds, a kind to its lines. Every amount stays within one unit of what it is
exactly, where its whole does.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import ROUND_FLOOR, Decimal

from finops_site.lib.money import EXACT, exact_sum, places, rounded

ZERO = Decimal(0)
DIRECT, SHARED, SPREAD, CORRECTION, ADJUSTMENT = "direct", "shared", "spread", "correction", "adjustment"
KINDS = (DIRECT, SHARED, SPREAD, CORRECTION, ADJUSTMENT)
# (team, kind, key) of a line of a statement.
LineKey = tuple[int, str, str]


def rounded_set(parts: Sequence[Decimal], currency: str, *, total: Decimal | None = None) -> list[Decimal]:
    """`parts` in whole smallest units of their currency, which sum to the rounded whole; any signs.

    Each is cut down to a whole unit, and the units that are left go one each to the largest remainders (the larger
    amount, then the earlier one, on a tie). `total` is what they make where that was rounded already; where it is
    further from their sum than rounding can be, the largest amounts take the difference. Raises ValueError where there
    is a whole and no part of it.
    """
    unit = Decimal(1).scaleb(-places(currency))
    target = rounded(exact_sum(parts) if total is None else total, currency)
    if not parts:
        if target:
            raise ValueError(f"{target} {currency} has no parts")
        return []
    shares = [part.quantize(unit, rounding=ROUND_FLOOR, context=EXACT) for part in parts]
    rests = [EXACT.subtract(part, share) for part, share in zip(parts, shares, strict=True)]
    left = int(EXACT.divide(EXACT.subtract(target, exact_sum(shares)), unit))
    by_size = sorted(range(len(parts)), key=lambda i: (-abs(parts[i]), i))
    by_rest = sorted((i for i in by_size if rests[i]), key=lambda i: -rests[i])
    for i in by_rest[: max(0, left)]:
        shares[i] = EXACT.add(shares[i], unit)
    beyond = left if left < 0 else max(0, left - len(by_rest))
    for_each, more = divmod(abs(beyond), len(parts))
    for place, i in enumerate(by_size):
        units = for_each + (place < more)
        shares[i] = EXACT.add(shares[i], EXACT.multiply(unit, units if beyond > 0 else -units))
    # Adding zero makes the zero of a cut amount a positive one.
    return [EXACT.add(share, ZERO) for share in shares]


@dataclass(frozen=True, slots=True)
class MonthDocuments:
    """A month of chargeback in one currency, as its documents show it.

    `lines` is {(team, kind, key): amount}, `statements` {team: {kind: sum of its lines}}; `month` has `bill` = `direct`
    + `shared` + `unallocated` + `unowned` + `rounding`, and what is booked on top: `corrections` and `given_back`.
    """

    lines: dict[LineKey, Decimal]
    statements: dict[int, dict[str, Decimal]]
    month: dict[str, Decimal] = field(default_factory=dict)


def round_month(
    lines: Mapping[LineKey, Decimal], currency: str, *, bill: Decimal, unallocated: Decimal, unowned: Decimal
) -> MonthDocuments:
    """Rounds a month, so that all its statements and what nobody is charged make its rounded bill.

    Direct and shared cost come from the bill. Spread discounts are zero in sum, corrections sum to what all of them
    make, and an adjustment is the amount that a person entered, on both its sides.
    """
    exact: dict[str, dict[int, Decimal]] = {kind: defaultdict(Decimal) for kind in KINDS}
    for (team, kind, _), amount in lines.items():
        exact[kind][team] = EXACT.add(exact[kind][team], amount)
    teams = sorted({team for team, *_ in lines})
    own = [EXACT.add(exact[DIRECT][team], exact[SHARED][team]) for team in teams]
    *totals, no_taker, no_owner = rounded_set([*own, unallocated, unowned], currency)
    by_kind: dict[str, dict[int, Decimal]] = {DIRECT: {}, SHARED: {}}
    for team, total in zip(teams, totals, strict=True):
        amounts = _direct_and_shared(exact[DIRECT][team], exact[SHARED][team], total, currency)
        by_kind[DIRECT][team], by_kind[SHARED][team] = amounts
    for kind in (SPREAD, CORRECTION):
        of_teams = rounded_set([exact[kind][team] for team in teams], currency)
        by_kind[kind] = dict(zip(teams, of_teams, strict=True))
    documents = _round_lines(lines, currency, by_kind)
    by_kind[ADJUSTMENT] = defaultdict(Decimal)
    for (team, kind, _), amount in documents.items():
        if kind == ADJUSTMENT:
            by_kind[ADJUSTMENT][team] = EXACT.add(by_kind[ADJUSTMENT][team], amount)
    statements = {team: {kind: by_kind[kind].get(team, ZERO) for kind in KINDS} for team in teams}
    month = {
        "bill": rounded(bill, currency),
        "direct": exact_sum(by_kind[DIRECT].values()),
        "shared": exact_sum(by_kind[SHARED].values()),
        "unallocated": no_taker,
        "unowned": no_owner,
        "corrections": exact_sum(by_kind[CORRECTION].values()),
        "given_back": EXACT.subtract(ZERO, exact_sum(by_kind[ADJUSTMENT].values())),
    }
    parts = exact_sum(month[name] for name in ("direct", "shared", "unallocated", "unowned"))
    month["rounding"] = EXACT.subtract(month["bill"], parts)
    return MonthDocuments(documents, statements, month)


def _round_lines(
    lines: Mapping[LineKey, Decimal], currency: str, wholes: Mapping[str, Mapping[int, Decimal]]
) -> dict[LineKey, Decimal]:
    """The lines of each team and kind, which make its rounded sum; without one, each by itself."""
    groups: dict[tuple[int, str], list[LineKey]] = defaultdict(list)
    for key in lines:
        groups[key[:2]].append(key)
    documents: dict[LineKey, Decimal] = {}
    for (team, kind), keys in groups.items():
        if kind == ADJUSTMENT:
            documents |= {key: rounded(lines[key], currency) for key in keys}
            continue
        amounts = rounded_set([lines[key] for key in keys], currency, total=wholes[kind][team])
        documents |= dict(zip(keys, amounts, strict=True))
    return documents


def _direct_and_shared(direct: Decimal, shared: Decimal, total: Decimal, currency: str) -> tuple[Decimal, Decimal]:
    """Both in whole units that sum to `total`: direct cost as people read it elsewhere, where that leaves shared cost
    within one unit of what it is exactly.
    """
    unit = Decimal(1).scaleb(-places(currency))
    low = shared.quantize(unit, rounding=ROUND_FLOOR, context=EXACT)
    high = low if low == shared else EXACT.add(low, unit)
    near = rounded(direct, currency)
    nearest = min(EXACT.subtract(total, low), max(EXACT.subtract(total, high), near))
    return EXACT.add(nearest, ZERO), EXACT.add(EXACT.subtract(total, nearest), ZERO)

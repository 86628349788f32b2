"""The savings model: what three pillars would save in a year, in three cases, and what follows. Pure: no Django.

Every amount is in one currency; None is not known, and what stands on something unknown is unknown too.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum

from finops_site.lib.money import EXACT, ratio

CASES = ("conservative", "expected", "optimistic")
YEAR_MONTHS = Decimal(12)
HUNDRED = Decimal(100)

COMMITMENTS, ALERTS, TAGS = "commitments", "alerts", "tags"
PILLARS = (COMMITMENTS, ALERTS, TAGS)
# What is proved and belongs to no pillar of the plan: it is shown beside them.
USAGE = "usage"
LEVERS = (*PILLARS, USAGE)


class AssumptionUnit(StrEnum):
    """What the values of an assumption count."""

    YEARLY = "money a year"
    MONTHLY = "money a month"
    ONCE = "money, once"
    PERCENT = "%"
    MONTHS = "months"


MONEY_UNITS = (AssumptionUnit.YEARLY, AssumptionUnit.MONTHLY, AssumptionUnit.ONCE)


@dataclass(frozen=True, slots=True)
class AssumptionKind:
    """An assumption of the model; `group` is its pillar, ``investment``, or ``stated`` for what the plan claims.

    One that is `single` has its value under the expected case alone.
    """

    key: str
    group: str
    unit: AssumptionUnit
    single: bool = False


INVESTMENT, STATED = "investment", "stated"
KINDS = {
    kind.key: kind
    for kind in (
        AssumptionKind("commitments-saving", COMMITMENTS, AssumptionUnit.YEARLY),
        AssumptionKind("alerts-avoided", ALERTS, AssumptionUnit.YEARLY),
        AssumptionKind("tags-base", TAGS, AssumptionUnit.MONTHLY),
        AssumptionKind("tags-reduction", TAGS, AssumptionUnit.PERCENT),
        AssumptionKind("investment", INVESTMENT, AssumptionUnit.ONCE),
        AssumptionKind("investment-paid", INVESTMENT, AssumptionUnit.ONCE, single=True),
        AssumptionKind("stated-tags", STATED, AssumptionUnit.YEARLY),
        AssumptionKind("stated-total", STATED, AssumptionUnit.YEARLY),
        AssumptionKind("stated-roi", STATED, AssumptionUnit.PERCENT),
        AssumptionKind("stated-payback", STATED, AssumptionUnit.MONTHS),
    )
}

# {case: value} of each assumption.
Values = Mapping[str, Mapping[str, Decimal | None]]


@dataclass(frozen=True, slots=True)
class CaseResult:
    """A case: savings of a year by pillar, their sum, the investment, ROI as a ratio, and payback in months."""

    case: str
    savings: Mapping[str, Decimal | None]
    total: Decimal | None
    investment: Decimal | None
    roi: Decimal | None
    payback: Decimal | None


def added(amounts: Sequence[Decimal | None]) -> Decimal | None:
    """The exact sum; None where one of them is not known."""
    total = Decimal(0)
    for amount in amounts:
        if amount is None:
            return None
        total = EXACT.add(total, amount)
    return total


def return_on(saving: Decimal | None, investment: Decimal | None) -> Decimal | None:
    """(saving - investment) / investment; None where one is not known, or nothing was invested."""
    if saving is None or investment is None:
        return None
    return ratio(EXACT.subtract(saving, investment), investment)


def payback_months(yearly: Decimal | None, investment: Decimal | None) -> Decimal | None:
    """Months until a year's saving, spread evenly, has brought the investment back; None where it never does."""
    if yearly is None or investment is None or yearly <= 0:
        return None
    return investment * YEAR_MONTHS / yearly


def pillar_savings(values: Values, case: str) -> dict[str, Decimal | None]:
    """What each pillar saves in a year of this case."""

    def of(key: str) -> Decimal | None:
        return values.get(key, {}).get(case)

    base, reduction = of("tags-base"), of("tags-reduction")
    tags = None
    if base is not None and reduction is not None:
        tags = EXACT.multiply(EXACT.multiply(base, YEAR_MONTHS), reduction).scaleb(-2)
    return {COMMITMENTS: of("commitments-saving"), ALERTS: of("alerts-avoided"), TAGS: tags}


def case_result(values: Values, case: str) -> CaseResult:
    savings = pillar_savings(values, case)
    total = added(list(savings.values()))
    investment = values.get("investment", {}).get(case)
    return CaseResult(case, savings, total, investment, return_on(total, investment), payback_months(total, investment))


def case_results(values: Values) -> list[CaseResult]:
    """Every case, the conservative one first."""
    return [case_result(values, case) for case in CASES]


@dataclass(frozen=True, slots=True)
class Comparison:
    """A claim of the plan beside what follows by arithmetic, for its low and its high end; None: not known.

    Percentages are 193 for 193 %. `name` tells which calculation: ``tags``, ``total``, ``roi``, ``roi-of-stated``,
    ``payback``.
    """

    name: str
    unit: AssumptionUnit
    stated: tuple[Decimal | None, Decimal | None]
    follows: tuple[Decimal | None, Decimal | None]

    @property
    def claim_key(self) -> str:
        """The key of the assumption that states it."""
        return "stated-roi" if self.name == "roi-of-stated" else f"stated-{self.name}"

    @property
    def differences(self) -> tuple[Decimal | None, Decimal | None]:
        """What follows less what was stated: below zero, the plan claims more than its parts bring."""
        low, high = (
            None if claim is None or result is None else EXACT.subtract(result, claim)
            for claim, result in zip(self.stated, self.follows, strict=True)
        )
        return low, high


def compare_stated(values: Values) -> list[Comparison]:
    """What the plan states against what follows from its own assumptions, as far as it states it."""
    results = {case: case_result(values, case) for case in CASES}
    ends = [results["conservative"], results["optimistic"]]

    def stated(key: str) -> tuple[Decimal | None, Decimal | None]:
        row = values.get(key, {})
        return row.get("conservative"), row.get("optimistic")

    def percent(share: Decimal | None) -> Decimal | None:
        return None if share is None else share * HUNDRED

    totals = stated("stated-total")
    of_stated = [return_on(total, end.investment) for total, end in zip(totals, ends, strict=True)]
    rows = [
        Comparison("tags", AssumptionUnit.YEARLY, stated("stated-tags"), _pair([end.savings[TAGS] for end in ends])),
        Comparison("total", AssumptionUnit.YEARLY, totals, _pair([end.total for end in ends])),
        Comparison("roi", AssumptionUnit.PERCENT, stated("stated-roi"), _pair([percent(end.roi) for end in ends])),
        Comparison(
            "roi-of-stated",
            AssumptionUnit.PERCENT,
            stated("stated-roi"),
            _pair([percent(share) for share in of_stated]),
        ),
        Comparison("payback", AssumptionUnit.MONTHS, stated("stated-payback"), _pair([end.payback for end in ends])),
    ]
    return [row for row in rows if any(claim is not None for claim in row.stated)]


def _pair(ends: Sequence[Decimal | None]) -> tuple[Decimal | None, Decimal | None]:
    low, high = ends
    return low, high

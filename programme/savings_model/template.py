"""The plan that a model starts from: three pillars, an investment, and what the plan itself states of them."""

from dataclasses import dataclass
from decimal import Decimal

CURRENCY = "USD"
PLAN = "The programme's plan"


@dataclass(frozen=True, slots=True)
class PlanValue:
    """The values of an assumption in the plan, from the conservative case to the optimistic one."""

    key: str
    conservative: str | None
    expected: str | None
    optimistic: str | None
    source: str

    @property
    def values(self) -> tuple[Decimal | None, ...]:
        return tuple(
            None if text is None else Decimal(text) for text in (self.conservative, self.expected, self.optimistic)
        )


MIDWAY = f"{PLAN}; the expected case lies midway, for the plan states none"
SEED_PLAN = (
    PlanValue("commitments-saving", "27000", "76000", "125000", MIDWAY),
    PlanValue("alerts-avoided", "12000", "18000", "24000", MIDWAY),
    PlanValue("tags-base", "65000", "65000", "65000", PLAN),
    PlanValue("tags-reduction", "12", "15", "18", MIDWAY),
    PlanValue("investment", "62000", "52000", "42000", MIDWAY),
    PlanValue("investment-paid", None, None, None, ""),
    PlanValue("stated-tags", "94000", None, "140000", PLAN),
    PlanValue("stated-total", "150000", None, "300000", PLAN),
    PlanValue("stated-roi", "193", None, "257", PLAN),
    PlanValue("stated-payback", "6", None, "5", PLAN),
)

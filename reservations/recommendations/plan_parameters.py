"""What a person asks a recommendation for: the limits, checked."""

from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from reservations.calc.terms import (
    OPTIONS,
    PAYMENTS,
    TERMS,
)
from reservations.optimizer.model import PurchaseLimits
from reservations.optimizer.offers import PurchaseScope


class InvalidParameters(ValueError):
    """Parameters that no recommendation can be made from; the message says which."""


@dataclass(frozen=True, slots=True)
class Parameters:
    """What a person asks for. Shares between 0 and 1; money in the plan's currency; `terms` in months.

    `is_shared`: the accounts of the organisation share commitments (AWS's default).
    """

    terms: tuple[int, ...] = TERMS
    payments: tuple[str, ...] = tuple(PAYMENTS)
    kinds: tuple[str, ...] = OPTIONS
    target_coverage: float | None = None
    minimum_coverage: float | None = None
    max_upfront: float | None = None
    max_monthly: float | None = None
    minimum_utilisation: float | None = None
    break_even_months: float | None = None
    cash_rate: float = 0.0
    negotiated: float = 0.0
    negotiated_on_commitments: bool = False
    is_shared: bool = True

    def __post_init__(self) -> None:
        if self.negotiated >= 1:
            raise InvalidParameters("negotiated must be below 1: a discount of everything leaves nothing to save.")
        for name in ("target_coverage", "minimum_coverage", "minimum_utilisation", "negotiated"):
            value = getattr(self, name)
            if value is not None and not 0 <= value <= 1:
                raise InvalidParameters(f"{name.replace('_', ' ')} must be between 0 and 1 (0.7 is 70 %), not {value}.")
        for name in ("max_upfront", "max_monthly", "break_even_months", "cash_rate"):
            value = getattr(self, name)
            if value is not None and not 0 <= value < 1e15:
                raise InvalidParameters(f"{name.replace('_', ' ')} must not be negative, and a number: not {value}.")
        if self.minimum_coverage and self.target_coverage is not None and self.minimum_coverage > self.target_coverage:
            raise InvalidParameters("the coverage to reach is above the coverage to stop at.")

    def as_json(self) -> dict[str, Any]:
        return {name: getattr(self, name) for name in self.__dataclass_fields__}

    @classmethod
    def from_json(cls, stored: dict[str, Any]) -> "Parameters":
        known = {name: value for name, value in stored.items() if name in cls.__dataclass_fields__}
        values: dict[str, Any] = {n: tuple(value) if isinstance(value, list) else value for n, value in known.items()}
        return cls(**values)

    def scope(self) -> PurchaseScope:
        """What may be bought, in the terms of the optimiser."""
        limits = PurchaseLimits(
            self.max_upfront, self.max_monthly, self.target_coverage, self.minimum_coverage, self.minimum_utilisation
        )
        return PurchaseScope(
            self.kinds,
            self.terms,
            self.payments,
            self.break_even_months,
            self.cash_rate,
            Decimal(str(self.negotiated)),
            self.negotiated_on_commitments,
            limits,
        )

"""What a recommendation may recommend: finance's policy, or the limits that a person sets instead, checked."""

from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from django.utils.translation import gettext as _

from reservations.calc.terms import (
    OPTIONS,
    PAYMENTS,
    TERMS,
)
from reservations.models import BuyingPolicy
from reservations.optimizer.model import PurchaseLimits
from reservations.optimizer.offers import PurchaseScope


class InvalidParameters(ValueError):
    """Parameters that no recommendation can be made from; the message says which."""


@dataclass(frozen=True, slots=True)
class Parameters:
    """What may be recommended. Shares between 0 and 1; money in the plan's currency; `terms` in months.

    `cash_rate` is what cash costs a year: what is paid upfront costs so much more, and no slice is bought that returns
    less on what it commits. `is_shared` is whether accounts share their commitments. `batches_bought` of the plan that
    this one goes on with are owned already.
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
    batches_bought: int = 0

    def __post_init__(self) -> None:
        if self.negotiated >= 1:
            raise InvalidParameters(_("negotiated must be below 1: a discount of everything leaves nothing to save."))
        for name in ("target_coverage", "minimum_coverage", "minimum_utilisation", "negotiated"):
            value = getattr(self, name)
            if value is not None and not 0 <= value <= 1:
                raise InvalidParameters(
                    _("{name} must be between 0 and 1 (0.7 is 70%), not {value}.").format(
                        name=name.replace("_", " "), value=value
                    )
                )
        for name in ("max_upfront", "max_monthly", "break_even_months", "cash_rate"):
            value = getattr(self, name)
            if value is not None and not 0 <= value < 1e15:
                raise InvalidParameters(
                    _("{name} must not be negative, and a number: not {value}.").format(
                        name=name.replace("_", " "), value=value
                    )
                )
        if self.minimum_coverage and self.target_coverage is not None and self.minimum_coverage > self.target_coverage:
            raise InvalidParameters(_("the coverage to reach is above the coverage to stop at."))

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


def default_parameters(**changes: Any) -> Parameters:
    """What finance's policy allows, with what somebody asks for instead: the one default of pages, API and commands.

    Raises InvalidParameters.
    """
    policy = BuyingPolicy.get()
    allowed = {
        "terms": tuple(term for term in TERMS if term <= policy.longest_term),
        "max_upfront": _number(policy.upfront_limit),
        "target_coverage": _number(policy.coverage_limit),
        "minimum_utilisation": _number(policy.minimum_utilisation),
        "cash_rate": float(policy.cash_rate),
    }
    return Parameters.from_json(allowed | changes)


def _number(value: Decimal | None) -> float | None:
    return None if value is None else float(value)

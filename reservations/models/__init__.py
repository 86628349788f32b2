from reservations.models.commitments import Commitment, Coverage, Notice, Utilisation
from reservations.models.plans import Plan, PlanItem
from reservations.models.purchases import (
    ApproverLimit,
    BuyingPolicy,
    LedgerMonth,
    PurchaseEvent,
    PurchaseRequest,
    StandingOrder,
)
from reservations.models.rates import Rate

__all__ = [
    "ApproverLimit",
    "BuyingPolicy",
    "Commitment",
    "Coverage",
    "LedgerMonth",
    "Notice",
    "Plan",
    "PlanItem",
    "PurchaseEvent",
    "PurchaseRequest",
    "Rate",
    "StandingOrder",
    "Utilisation",
]

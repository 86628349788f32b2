from reservations.models.commitments import Commitment, Coverage, Notice, Utilisation
from reservations.models.plans import Plan, PlanItem
from reservations.models.rates import Rate

__all__ = ["Commitment", "Coverage", "Notice", "Plan", "PlanItem", "Rate", "Utilisation"]

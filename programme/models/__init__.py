from programme.models.savings_model import Assumption, AssumptionChange, SavingsModel

__all__ = ["Assumption", "AssumptionChange", "SavingsModel"]

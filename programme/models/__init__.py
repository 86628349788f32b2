from programme.models.kpis import Kpi, KpiComment, KpiDay, KpiRecount
from programme.models.savings_model import Assumption, AssumptionChange, SavingsModel

__all__ = ["Assumption", "AssumptionChange", "Kpi", "KpiComment", "KpiDay", "KpiRecount", "SavingsModel"]

from programme.models.kpis import Kpi, KpiComment, KpiDay, KpiRecount

__all__ = ["Kpi", "KpiComment", "KpiDay", "KpiRecount"]

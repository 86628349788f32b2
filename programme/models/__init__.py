from programme.models.kpis import Kpi, KpiComment, KpiDay, KpiRecount
from programme.models.reports import (
    MadeReport,
    ReportDelivery,
    ReportKind,
    ReportRecipient,
    ReportRun,
    ReportSchedule,
)

__all__ = [
    "Kpi",
    "KpiComment",
    "KpiDay",
    "KpiRecount",
    "MadeReport",
    "ReportDelivery",
    "ReportKind",
    "ReportRecipient",
    "ReportRun",
    "ReportSchedule",
]

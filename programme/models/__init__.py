from programme.models.reports import (
    MadeReport,
    ReportDelivery,
    ReportKind,
    ReportRecipient,
    ReportRun,
    ReportSchedule,
)

__all__ = ["MadeReport", "ReportDelivery", "ReportKind", "ReportRecipient", "ReportRun", "ReportSchedule"]

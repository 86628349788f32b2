from programme.models.kpis import Kpi, KpiComment, KpiDay, KpiRecount, KpiTargetChange
from programme.models.reports import (
    MadeReport,
    ReportDelivery,
    ReportKind,
    ReportRecipient,
    ReportRun,
    ReportSchedule,
)
from programme.models.roadmap import (
    Communication,
    DecisionIsRecorded,
    DecisionPoint,
    Milestone,
    Phase,
    Programme,
    ProgrammeTemplate,
    ProgrammeWeek,
    Risk,
    SignOff,
)
from programme.models.savings_model import Assumption, AssumptionChange, SavingsModel

__all__ = [
    "Assumption",
    "AssumptionChange",
    "Communication",
    "DecisionIsRecorded",
    "DecisionPoint",
    "Kpi",
    "KpiComment",
    "KpiDay",
    "KpiRecount",
    "KpiTargetChange",
    "MadeReport",
    "Milestone",
    "Phase",
    "Programme",
    "ProgrammeTemplate",
    "ProgrammeWeek",
    "ReportDelivery",
    "ReportKind",
    "ReportRecipient",
    "ReportRun",
    "ReportSchedule",
    "Risk",
    "SavingsModel",
    "SignOff",
]

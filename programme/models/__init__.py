from programme.models.kpis import Kpi, KpiComment, KpiDay, KpiRecount
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

__all__ = [
    "Communication",
    "DecisionIsRecorded",
    "DecisionPoint",
    "Kpi",
    "KpiComment",
    "KpiDay",
    "KpiRecount",
    "Milestone",
    "Phase",
    "Programme",
    "ProgrammeTemplate",
    "ProgrammeWeek",
    "Risk",
    "SignOff",
]

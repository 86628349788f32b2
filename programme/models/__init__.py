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
    "Milestone",
    "Phase",
    "Programme",
    "ProgrammeTemplate",
    "ProgrammeWeek",
    "Risk",
    "SignOff",
]

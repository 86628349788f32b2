from costs.models.changes import RestatedCost, Restatement
from costs.models.deliveries import Delivery, DeliveryFile, DeliveryMonth, Reject, Source
from costs.models.exports import FocusExport
from costs.models.lines import CostLine, DayRollup, Dimension, MonthRollup, TagSet

__all__ = [
    "CostLine",
    "DayRollup",
    "Delivery",
    "DeliveryFile",
    "DeliveryMonth",
    "Dimension",
    "FocusExport",
    "MonthRollup",
    "Reject",
    "RestatedCost",
    "Restatement",
    "Source",
    "TagSet",
]

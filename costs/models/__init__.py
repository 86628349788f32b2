from costs.models.change_sets import ProviderChangeSet, ProviderChangeSetQuerySet
from costs.models.changes import RestatedCost, Restatement
from costs.models.clusters import ClusterFile, ClusterUsage
from costs.models.conformance import ConformanceResult
from costs.models.deliveries import Delivery, DeliveryFile, DeliveryMonth, Reject, Source
from costs.models.exports import ExportPlace, FocusExport
from costs.models.invoices import Invoice, InvoiceCost, InvoiceFile
from costs.models.lines import (
    AccountGroup,
    CostLine,
    DayRollup,
    Dimension,
    GroupedAccount,
    MonthRollup,
    Pool,
    ResourceRollup,
    TagSet,
)
from costs.models.rates import ExchangeRate
from costs.models.sources import Credential, FetchedBill
from costs.models.streams import DeliveredAccount, Stream

__all__ = [
    "AccountGroup",
    "ClusterFile",
    "ClusterUsage",
    "ConformanceResult",
    "CostLine",
    "Credential",
    "DayRollup",
    "DeliveredAccount",
    "Delivery",
    "DeliveryFile",
    "DeliveryMonth",
    "Dimension",
    "ExchangeRate",
    "ExportPlace",
    "FetchedBill",
    "FocusExport",
    "GroupedAccount",
    "Invoice",
    "InvoiceCost",
    "InvoiceFile",
    "MonthRollup",
    "Pool",
    "ProviderChangeSet",
    "ProviderChangeSetQuerySet",
    "Reject",
    "ResourceRollup",
    "RestatedCost",
    "Restatement",
    "Source",
    "Stream",
    "TagSet",
]

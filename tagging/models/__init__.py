from tagging.models.chargeback import ChargebackPeriod
from tagging.models.ownership import CONDITIONS, OwnershipRule

__all__ = ["CONDITIONS", "ChargebackPeriod", "OwnershipRule"]

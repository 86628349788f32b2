from tagging.models.chargeback import ChargebackPeriod
from tagging.models.ownership import CONDITIONS, KNOWN, Application, Changed, Fixer, OwnershipRule

__all__ = ["CONDITIONS", "KNOWN", "Application", "Changed", "ChargebackPeriod", "Fixer", "OwnershipRule"]

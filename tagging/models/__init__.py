from tagging.models.ownership import CONDITIONS, OwnershipRule

__all__ = ["CONDITIONS", "OwnershipRule"]

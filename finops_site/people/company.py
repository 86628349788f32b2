"""Whose site it is: what the environment names, else what somebody entered on the page Company."""

from django.conf import settings

from finops_site.models import Company


def load_company(user: object = None) -> Company:
    """The one row, not saved yet where nobody has entered anything; the person of a request knows it (RoleBackend)."""
    if hasattr(user, "company"):
        return Company(**(user.company or {}))
    return Company.objects.first() or Company()


def company_name() -> str:
    """The name at the head of reports and statements."""
    return settings.FINOPS_COMPANY or load_company().name or "FinOps"


def reporting_currency(user: object = None) -> str:
    """The currency that home and teams show costs in; empty for the one that they were billed in."""
    return settings.FINOPS_REPORTING_CURRENCY or load_company(user).currency

"""Whose site it is: what the environment names, else what somebody entered on the page Company."""

from django.conf import settings

from finops_site.models import Company


def load_company(user: object = None) -> Company:
    """The one row, not saved yet where nobody has entered anything; the person of a request knows it (RoleBackend)."""
    if hasattr(user, "company"):
        return Company(**(user.company or {}))
    return Company.objects.first() or Company()


def entered_name() -> str:
    """What the company is called; empty where nobody said it."""
    return settings.FINOPS_COMPANY or load_company().name


def company_name() -> str:
    """The name at the head of reports and statements."""
    return entered_name() or "FinOps"


def reporting_currency(user: object = None) -> str:
    """The currency that home and teams show costs in; empty for the one that they were billed in."""
    return settings.FINOPS_REPORTING_CURRENCY or load_company(user).currency


def company_language(user: object = None) -> str:
    """The language of statements, of the work of the night, and of mail to somebody who chose none."""
    return language_of(load_company(user))


def language_of(company: Company) -> str:
    """The same, of a company that was loaded already."""
    return settings.FINOPS_LANGUAGE or company.language or settings.LANGUAGE_CODE

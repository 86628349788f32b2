"""Invoices that wait for finance, as the home page lists them."""

from django.db.models import QuerySet
from django.urls import reverse

from costs.models import Invoice
from finops_site.lib.person import Person
from finops_site.registry import PendingDecision
from finops_site.ui.pending_decisions import decision_items


def list_invoices(user: Person, rows: QuerySet[Invoice]) -> list[PendingDecision]:
    url = f"{reverse('costs:invoices')}?state=unsettled"
    return decision_items(
        rows, "An invoice differs from the bill", "invoices differ from the bills and are not explained", url
    )

"""Invoices that wait for finance, as the home page lists them."""

from django.db.models import QuerySet
from django.urls import reverse
from django.utils.translation import gettext as _

from costs.invoices.comparison import list_unsettled
from costs.models import Invoice
from finops_site.lib.person import Person
from finops_site.registry import PendingDecision
from finops_site.ui.pending_decisions import decision_items


def invoices_of(user: Person) -> QuerySet[Invoice]:
    """The invoices that may have to be settled: which do is worked out only where there are any."""
    return Invoice.objects.visible_to(user)


def list_invoices(user: Person, _rows: QuerySet[Invoice]) -> list[PendingDecision]:
    """Those that differ and are not explained."""
    rows = list_unsettled(user)
    url = f"{reverse('costs:invoices')}?state=unsettled"
    return decision_items(
        rows, _("An invoice differs from the bill"), _("invoices differ from the bills and are not explained"), url
    )

"""Price lists: what is there, and loading more."""

from django.contrib import messages
from django.db.models import QuerySet
from django.urls import reverse_lazy
from django.utils.translation import ngettext

from finops_site.lib.words import number_text
from finops_site.translation import gettext_lazy as _lazy
from finops_site.ui.pages import Action, Empty, FormPage, ListPage
from reservations.models import Rate
from reservations.pricing import price_book
from reservations.pricing.forms import PricesForm, RateFilter
from reservations.pricing.tables import PriceTable

LOAD = Action(_lazy("Load a price list"), "reservations:prices_load", "upload", "reservations.add_rate", primary=True)


class PricesPage(ListPage):
    permission_required = "reservations.view_rate"
    model = Rate
    title = _lazy("Prices")
    subtitle = _lazy(
        "What machines cost on demand and under each option. Without a list, prices are indicative, and marked so."
    )
    breadcrumbs = ((_lazy("Commitments"), "reservations:overview"),)
    table_class = PriceTable
    filterset_class = RateFilter
    orderings = ("-day",)
    actions = (LOAD,)
    empty = Empty(
        _lazy("No price list yet"),
        _lazy(
            "Recommendations use indicative prices until one is loaded: AWS's offer files, Azure's "
            "retail prices, Google Cloud's price table, or a sheet of your own."
        ),
        "receipt-2",
        LOAD,
    )

    def get_queryset(self) -> QuerySet[Rate]:
        # Prices are no secret: everybody sees all of them.
        return Rate.objects.all()


class LoadPrices(FormPage):
    permission_required = "reservations.add_rate"
    form_class = PricesForm
    title = _lazy("Load a price list")
    breadcrumbs = ((_lazy("Commitments"), "reservations:overview"), (_lazy("Prices"), "reservations:prices"))
    submit_label = _lazy("Load")
    cancel_url_name = "reservations:prices"
    success_url = reverse_lazy("reservations:prices")

    def save(self, form: PricesForm) -> int:
        count = price_book.load_prices(form.cleaned_data["file"])
        messages.success(
            self.request,
            ngettext("{count} price is loaded.", "{count} prices are loaded.", count).format(count=number_text(count)),
        )
        return count

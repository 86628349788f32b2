"""Exchange rates: what is there, and loading more."""

from typing import Any

from django.contrib import messages
from django.urls import reverse_lazy

from costs.models import ExchangeRate
from costs.query import currency_conversion
from costs.web.forms import RatesForm
from costs.web.tables import ExchangeRateTable
from finops_site.lib.words import counted
from finops_site.ui.pages import Action, Empty, FormPage, ListPage

LOAD = Action("Load rates", "costs:rates_load", "upload", "costs.add_exchangerate", primary=True)


class RatesPage(ListPage):
    permission_required = "costs.view_exchangerate"
    title = "Exchange rates"
    subtitle = "Costs stay in the currency they are billed in; these convert them where they are shown."
    actions = (LOAD,)
    table_class = ExchangeRateTable
    orderings = ("-day",)
    empty = Empty(
        "No rates yet", "Load the ECB's history, or rates of your own: date, base, quote, rate.", "exchange", LOAD
    )

    def get_queryset(self) -> Any:
        # Rates are nobody's secret: everybody sees all of them.
        return ExchangeRate.objects.all()


class LoadRates(FormPage):
    permission_required = "costs.add_exchangerate"
    form_class = RatesForm
    title = "Load exchange rates"
    breadcrumbs = (("Exchange rates", "costs:rates"),)
    submit_label = "Load"
    cancel_url_name = "costs:rates"
    success_url = reverse_lazy("costs:rates")

    def save(self, form: RatesForm) -> int:
        count = currency_conversion.load_rates(form.cleaned_data["file"], form.cleaned_data["source"])
        loaded = counted(count, "rate is loaded", "rates are loaded")
        messages.success(self.request, f"{loaded}; one for the same day replaced the one before.")
        return count

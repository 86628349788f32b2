"""Exchange rates: what is there, and loading more."""

from typing import Any

from django.contrib import messages
from django.urls import reverse_lazy
from django.utils.translation import ngettext

from costs.models import ExchangeRate
from costs.query import currency_conversion
from costs.web.forms import RatesForm
from costs.web.tables import ExchangeRateTable
from finops_site.lib.words import number_text
from finops_site.translation import gettext_lazy as _lazy
from finops_site.ui.pages import Action, Empty, FormPage, ListPage

LOAD = Action(_lazy("Load rates"), "costs:rates_load", "upload", "costs.add_exchangerate", primary=True)


class RatesPage(ListPage):
    permission_required = "costs.view_exchangerate"
    title = _lazy("Exchange rates")
    subtitle = _lazy("Costs stay in the currency they are billed in; these convert them where they are shown.")
    actions = (LOAD,)
    table_class = ExchangeRateTable
    orderings = ("-day",)
    empty = Empty(
        _lazy("No rates yet"),
        _lazy("Load the ECB's history, or rates of your own: date, base, quote, rate."),
        "exchange",
        LOAD,
    )

    def get_queryset(self) -> Any:
        # Rates are nobody's secret: everybody sees all of them.
        return ExchangeRate.objects.all()


class LoadRates(FormPage):
    permission_required = "costs.add_exchangerate"
    form_class = RatesForm
    title = _lazy("Load exchange rates")
    breadcrumbs = ((_lazy("Exchange rates"), "costs:rates"),)
    submit_label = _lazy("Load")
    cancel_url_name = "costs:rates"
    success_url = reverse_lazy("costs:rates")

    def save(self, form: RatesForm) -> int:
        count = currency_conversion.load_rates(form.cleaned_data["file"], form.cleaned_data["source"])
        words = ngettext(
            "{count} rate is loaded; one for the same day replaced the one before.",
            "{count} rates are loaded; one for the same day replaced the one before.",
            count,
        )
        messages.success(self.request, words.format(count=number_text(count)))
        return count

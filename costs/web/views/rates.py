"""Exchange rates: what is there, and loading more."""

from typing import Any

import django_tables2
from django import forms
from django.contrib import messages
from django.urls import reverse_lazy

from costs.calc import exchange_rates
from costs.models import ExchangeRate
from costs.query import currency_conversion
from finops_site.templatetags.finops import rate as rate_text
from finops_site.ui.pages import Action, Empty, FormPage, ListPage
from finops_site.ui.tables import BaseTable, DayColumn, NumberColumn

MOST_BYTES = 20 << 20
LOAD = Action("Load rates", "costs:rates_load", "upload", "costs.add_exchangerate", primary=True)


class RateTable(BaseTable):
    day = DayColumn("Day")
    monthly = django_tables2.Column("Is", orderable=False)
    base = django_tables2.Column("One", orderable=False)
    rate = NumberColumn("Is worth", orderable=False)
    quote = django_tables2.Column("In", orderable=False)
    source = django_tables2.Column(orderable=False)

    caption = "Exchange rates"

    class Meta(BaseTable.Meta):
        model = ExchangeRate
        fields = ["day", "monthly", "base", "rate", "quote", "source"]

    def render_monthly(self, value: bool) -> str:
        return "average of the month" if value else "the day's"

    def render_rate(self, value: Any) -> str:
        return rate_text(value)

    def value_rate(self, value: Any) -> str:
        return f"{value.normalize():f}"


class RatesPage(ListPage):
    permission_required = "costs.view_exchangerate"
    title = "Exchange rates"
    subtitle = "Costs stay in the currency they are billed in; these turn them into another where they are shown."
    actions = (LOAD,)
    table_class = RateTable
    orderings = ("-day",)
    empty = Empty(
        "No rates yet", "Load the ECB's history, or rates of your own: date, base, quote, rate.", "exchange", LOAD
    )

    def get_queryset(self) -> Any:
        # Rates are nobody's secret: everybody sees all of them.
        return ExchangeRate.objects.all()


class RatesForm(forms.Form):
    file = forms.FileField(help_text="CSV: date (or month), base, quote, rate; or the ECB's history or portal export.")
    source = forms.CharField(required=False, max_length=100, help_text="Who says so, where the file does not.")

    def clean_file(self) -> list[exchange_rates.CurrencyRate]:
        uploaded = self.cleaned_data["file"]
        if uploaded.size > MOST_BYTES:
            raise forms.ValidationError("That is too big for a file of rates.")
        try:
            return exchange_rates.parse(uploaded.read().decode("utf-8-sig"))
        except UnicodeDecodeError:
            raise forms.ValidationError("The file is not UTF-8 text.") from None
        except exchange_rates.BadRates as error:
            raise forms.ValidationError(str(error)) from None


class LoadRates(FormPage):
    permission_required = "costs.add_exchangerate"
    form_class = RatesForm
    title = "Load exchange rates"
    breadcrumbs = (("Exchange rates", "costs:rates"),)
    submit_label = "Load"
    cancel_url_name = "costs:rates"
    success_url = reverse_lazy("costs:rates")

    def save(self, form: RatesForm) -> int:
        count = currency_conversion.load(form.cleaned_data["file"], form.cleaned_data["source"])
        messages.success(self.request, f"{count:,} rates are loaded; one for the same day replaced the one before.")
        return count

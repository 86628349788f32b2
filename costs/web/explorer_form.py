"""The state of the cost explorer: a form kept in the address, and the question that it asks."""

from datetime import date
from typing import cast

from django import forms
from django.conf import settings
from django.http import QueryDict

from costs.calc.dimensions import DIMENSIONS, FILTER_BAR
from costs.query import currency_conversion, filter_choices, latest_month
from costs.query.question import METRIC, BadQuestion, Question
from costs.web.filters import filters_in, value_choices
from finops_site.lib.periods import Period, parse_range
from finops_site.lib.person import Person

METRIC_LABELS = {
    "billed_cost": "Billed cost",
    "effective_cost": "Effective cost",
    "list_cost": "List cost",
    "contracted_cost": "Contracted cost",
}
MOST_BUCKETS = 400


class ExplorerForm(forms.Form):
    """What to show, of which days, grouped and filtered by what; every filter of the address is part of it."""

    PERIODS = {
        "this-month": "This month",
        "last-month": "Last month",
        "3-months": "Last 3 months",
        "6-months": "Last 6 months",
        "12-months": "Last 12 months",
        "": "From … to …",
    }
    MONTHS = {"this-month": 1, "3-months": 3, "6-months": 6, "12-months": 12}

    group_by = forms.ChoiceField(label="Group by", required=False)
    and_by = forms.ChoiceField(label="and by", required=False)
    grain = forms.ChoiceField(
        label="Every", choices=[("month", "Month"), ("week", "Week"), ("day", "Day")], required=False
    )
    metric = forms.ChoiceField(label="Amount", choices=list(METRIC_LABELS.items()), required=False)
    show_in = forms.ChoiceField(label="Show in", required=False)
    period = forms.ChoiceField(label="Period", choices=list(PERIODS.items()), required=False)
    to = forms.CharField(label="To", required=False, widget=forms.DateInput(attrs={"placeholder": "2025-11 or a day"}))

    def __init__(self, data: QueryDict, *, user: Person, today: date) -> None:
        super().__init__(_with_defaults(data))
        self.user, self.today = user, today
        start = forms.DateInput(attrs={"placeholder": "2025-09 or a day"})
        self.fields = {**self.fields, "from": forms.CharField(label="From", required=False, widget=start)}
        self.fields["to"] = self.fields.pop("to")
        own = settings.FINOPS_REPORTING_CURRENCY
        currencies = sorted(currency_conversion.currencies(), key=lambda code: (code != own, code))
        self.groupings = filter_choices.groupings(user)
        choices = {
            "group_by": [("", "nothing"), *self.groupings],
            "and_by": [("", "—"), *self.groupings],
            "show_in": [("", "as billed"), *((code, code) for code in currencies)],
        }
        for name, offered in choices.items():
            cast(forms.ChoiceField, self.fields[name]).choices = offered
        for name in filter_choices.offered(user, FILTER_BAR):
            self.fields[name] = forms.MultipleChoiceField(
                label=DIMENSIONS[name].label, choices=value_choices(user, data, name), required=False
            )
        # Filters of the address that are not offered stay when another one is chosen.
        for name, values in filters_in(self.data).items():  # type: ignore[arg-type]
            if name not in self.fields:
                self.fields[name] = forms.MultipleChoiceField(
                    choices=[(value, value) for value in values], widget=forms.MultipleHiddenInput, required=False
                )

    def build_question(self) -> Question:
        """Raises ValueError, with the reason, for what cannot be asked. Only for a form that is valid."""
        chosen = self.cleaned_data
        period = self._period()
        if chosen["grain"] == "day" and period.days > MOST_BUCKETS:
            raise BadQuestion(f"{period.days} days are too many to show by day: ask by week or month, or for less.")
        groups = tuple(name for name in (chosen["group_by"], chosen["and_by"]) if name)
        return Question(period, groups, chosen["grain"], chosen["metric"], filters_in(self.data))  # type: ignore[arg-type]

    def _period(self) -> Period:
        chosen = self.cleaned_data
        if chosen["from"]:
            return parse_range(chosen["from"], chosen["to"] or chosen["from"])
        month = latest_month.month(self.user, self.today)
        if chosen["period"] == "last-month":
            return month.previous.period
        return Period(month.plus(1 - self.MONTHS.get(chosen["period"], 6)).start, month.next.start)


def _with_defaults(data: QueryDict) -> QueryDict:
    """The address with what it leaves out; `group_by` may name two dimensions, as in the API."""
    data = data.copy()
    groups = [name for value in data.getlist("group_by") for name in value.split(",") if name]
    if len(groups) > 1 and not data.get("and_by"):
        data["and_by"] = groups[1]
    data["group_by"] = groups[0] if groups else ("service" if "group_by" not in data else "")
    for name, default in {"grain": "month", "metric": METRIC}.items():
        data[name] = data.get(name) or default
    if not data.get("from") and not data.get("period"):
        data["period"] = "6-months"
    return data

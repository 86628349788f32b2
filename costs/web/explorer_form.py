"""The state of the cost explorer: a form kept in the address, and the question that it asks."""

from collections.abc import Container
from datetime import date
from typing import cast

from django import forms
from django.http import QueryDict
from django.utils.text import format_lazy
from django.utils.translation import gettext as _

from costs.calc.dimensions import DIMENSIONS, FILTER_BAR
from costs.calc.filters import Operator, check_names, filter_label, is_filter_name, is_tag
from costs.calc.period_changes import days_just_before, same_days_before, same_part
from costs.query import currency_conversion, filter_choices, latest_month
from costs.query.question import METRIC_LABELS, BadQuestion, Question, company_metric
from costs.query.stored_values import read_filters
from costs.web.filters import (
    FURTHER,
    FURTHER_LABELS,
    FilterBar,
    check_further,
    filters_in,
    further_choices,
    further_in_words,
    name_in_words,
    named_values,
    remaining_widget,
    value_choices,
)
from finops_site.lib.addresses import VIEW
from finops_site.lib.periods import Period, parse_range
from finops_site.lib.person import Person
from finops_site.people.company import reporting_currency
from finops_site.translation import gettext_lazy as _lazy
from finops_site.translation import pgettext_lazy
from finops_site.ui.forms import DayInput

# Amounts beside costs: of these the company's cost is only what a unit is priced by.
QUANTITY, UNIT_PRICE = "quantity", "unit_price"
MOST_BUCKETS = 400
TOP = 10
MOST_SKIPPED = 1_000


class ExplorerForm(forms.Form):
    """What to show, of which days, grouped and filtered by what; every filter of the address is part of it."""

    PERIODS = {
        "this-month": _lazy("This month"),
        "last-month": _lazy("Last month"),
        "3-months": _lazy("Last 3 months"),
        "6-months": _lazy("Last 6 months"),
        "12-months": _lazy("Last 12 months"),
        "": _lazy("From … to …"),
    }
    DEFAULT_PERIOD = "6-months"
    MONTHS = {"this-month": 1, "3-months": 3, "6-months": 6, "12-months": 12}

    group_by = forms.ChoiceField(label=_lazy("Group by"), required=False)
    and_by = forms.ChoiceField(label=_lazy("and by"), required=False)
    grain = forms.ChoiceField(
        label=_lazy("Every"),
        choices=[("month", _lazy("Month")), ("week", _lazy("Week")), ("day", _lazy("Day"))],
        required=False,
    )
    metric = forms.ChoiceField(
        label=_lazy("Amount"),
        choices=[*METRIC_LABELS.items(), (QUANTITY, _lazy("Quantity")), (UNIT_PRICE, _lazy("Unit price"))],
        required=False,
    )
    show_in = forms.ChoiceField(label=_lazy("Show in"), required=False)
    period = forms.ChoiceField(label=_lazy("Period"), choices=list(PERIODS.items()), required=False)
    to = forms.CharField(label=pgettext_lazy("day", "To"), required=False, widget=DayInput(is_last=True))
    top = forms.TypedChoiceField(
        label=_lazy("Rows"),
        choices=[
            (str(number), format_lazy(_lazy("the {number} largest"), number=number)) for number in (5, TOP, 20, 50, 100)
        ],
        coerce=int,
        required=False,
    )
    forecast = forms.ChoiceField(
        label=_lazy("Forecast"),
        choices=[
            ("", _lazy("none")),
            ("1", _lazy("this month")),
            ("3", _lazy("3 months")),
            ("6", _lazy("6 months")),
            ("12", _lazy("12 months")),
        ],
        required=False,
    )
    skip = forms.IntegerField(
        label=_lazy("Without the largest"),
        min_value=0,
        max_value=MOST_SKIPPED,
        required=False,
        widget=forms.HiddenInput,
    )

    def __init__(self, data: QueryDict, *, user: Person, today: date) -> None:
        super().__init__(_with_defaults(data, self.DEFAULT_PERIOD, self.base_fields))
        self.user, self.today = user, today
        self.all_groups = list(dict.fromkeys([*_groups_in(data), *filter(None, data.getlist("and_by"))]))
        self.fields = {**self.fields, "from": forms.CharField(label=_("From"), required=False, widget=DayInput())}
        for name in ("to", "against", "against_from", "against_to", "top", "forecast", "skip"):
            if name in self.fields:
                self.fields[name] = self.fields.pop(name)
        # Either a period by its name or days.
        self.fields["period"].widget.attrs["data-clears"] = "from to"
        for name in ("from", "to"):
            self.fields[name].widget.attrs["data-clears"] = "period"
        own = reporting_currency(user)
        currencies = sorted(currency_conversion.currencies(), key=lambda code: (code != own, code))
        self.groupings = filter_choices.groupings(user)
        # A tag may be written as no bill writes it: in other capitals, by an alias.
        chosen_groups = [str(self.data.get(name, "")) for name in ("group_by", "and_by")]
        self.groupings += [
            (name, filter_label(name, Operator.IS))
            for name in chosen_groups
            if is_tag(name) and name not in dict(self.groupings)
        ]
        choices = {
            "group_by": [("", _("nothing")), *self.groupings],
            "and_by": [("", "—"), *self.groupings],
            "show_in": [("", _("as billed")), *((code, code) for code in currencies)],
        }
        for name, offered in choices.items():
            if name in self.fields:
                cast(forms.ChoiceField, self.fields[name]).choices = offered
        for name in filter_choices.offered(user, FILTER_BAR):
            self.fields[name] = forms.MultipleChoiceField(
                label=DIMENSIONS[name].label, choices=value_choices(user, data, name), required=False
            )
        dimensions, operators = further_choices(user)
        self.fields |= {
            FURTHER[0]: forms.ChoiceField(label=FURTHER_LABELS[0], choices=[("", "—"), *dimensions], required=False),
            FURTHER[1]: forms.ChoiceField(label=FURTHER_LABELS[1], choices=[("", "—"), *operators], required=False),
            FURTHER[2]: forms.CharField(label=FURTHER_LABELS[2], required=False),
        }
        # Filters of the address that are not offered stay when another one is chosen.
        for name, values in filters_in(self.data).items():  # type: ignore[arg-type]
            if name in self.data and name not in self.fields:
                self.fields[name] = forms.MultipleChoiceField(
                    label=name_in_words(name),
                    choices=named_values(user, name, values),
                    widget=remaining_widget(name),
                    required=False,
                )

    @property
    def is_about_usage(self) -> bool:
        """Whether quantities or unit prices are asked for, of a form that is valid."""
        return self.cleaned_data["metric"] in (QUANTITY, UNIT_PRICE)

    def build_question(self) -> Question:
        """Raises ValueError, with the reason, for what cannot be asked. Only for a form that is valid."""
        chosen = self.cleaned_data
        check_names(self.data, [*self.fields, "_export", VIEW])
        check_further(self.data)  # type: ignore[arg-type]
        if len(self.all_groups) > 2:
            raise BadQuestion(
                _("Group by two things at most, not by {names}.").format(names=", ".join(self.all_groups))
            )
        period = self._period()
        grain = chosen.get("grain", "")
        if grain == "day" and period.days > MOST_BUCKETS:
            raise BadQuestion(
                _("{days} days are too many to show by day: ask by week or month, or for less.").format(
                    days=period.days
                )
            )
        if chosen.get("forecast") and (grain != "month" or self.is_about_usage):
            raise BadQuestion(_("A forecast is one of cost by month: choose both, or no forecast."))
        if self.is_about_usage and chosen.get("show_in"):
            raise BadQuestion(_("Quantities have no currency, and prices the one of the bill: show them as billed."))
        metric = company_metric() if self.is_about_usage else chosen["metric"]
        filters = read_filters(filters_in(self.data), self.user)  # type: ignore[arg-type]
        groups = tuple(name for name in (chosen["group_by"], chosen["and_by"]) if name)
        return Question(period, groups, grain, metric, filters)

    @property
    def filter_bar(self) -> FilterBar:
        """The fields that filter: what has chips, because the answer is about less than all cost."""
        names = [name for name in self.fields if is_filter_name(name) or name in FURTHER]
        return FilterBar([self[name] for name in names], further_in_words(self.data))  # type: ignore[arg-type]

    def _period(self) -> Period:
        chosen = self.cleaned_data
        first, last = chosen["from"].strip(), chosen["to"].strip()
        if first or last:
            if chosen["period"]:
                raise BadQuestion(_("Choose a period by its name, or days from and to: both together are no question."))
            return parse_range(first or last, last or first)
        month = latest_month.month(self.user, self.today)
        if chosen["period"] == "last-month":
            return month.previous.period
        return Period(month.plus(1 - self.MONTHS.get(chosen["period"], 6)).start, month.next.start)


class CompareForm(ExplorerForm):
    """Two periods of the same question; the days of the other one are found, or chosen."""

    DEFAULT_PERIOD = "this-month"
    OTHERS = {"before": _lazy("the days before"), "year": _lazy("a year earlier"), "": _lazy("the days …")}

    grain = None  # type: ignore[assignment]
    show_in = None  # type: ignore[assignment]
    forecast = None  # type: ignore[assignment]
    skip = None  # type: ignore[assignment]
    against = forms.ChoiceField(label=_lazy("Compare with"), choices=list(OTHERS.items()), required=False)
    against_from = forms.CharField(label=_lazy("the days from"), required=False, widget=DayInput())
    against_to = forms.CharField(label=_lazy("the days to"), required=False, widget=DayInput(is_last=True))

    def __init__(self, data: QueryDict, *, user: Person, today: date) -> None:
        data = data.copy()
        if not any(data.get(name) for name in ("against", "against_from", "against_to")):
            data["against"] = "before"
        super().__init__(data, user=user, today=today)
        cast(forms.ChoiceField, self.fields["metric"]).choices = list(METRIC_LABELS.items())
        self.fields["against"].widget.attrs["data-clears"] = "against_from against_to"
        for name in ("against_from", "against_to"):
            self.fields[name].widget.attrs["data-clears"] = "against"

    def compared(self, question: Question) -> tuple[Period, Period]:
        """The days of a question that are billed, and those they are compared with. Raises ValueError for no days."""
        period = question.period
        now = latest_month.billed_days(self.user, period, self.today, question.filters)
        first, last = (self.cleaned_data[name].strip() for name in ("against_from", "against_to"))
        if not first and not last:
            years = self.cleaned_data["against"] == "year"
            return now, same_days_before(period, now, 12) if years else days_just_before(period, now)
        if self.cleaned_data["against"]:
            raise BadQuestion(_("Compare with days by their name, or from and to: both together are no question."))
        other = parse_range(first or last, last or first)
        return now, same_part(period, now, other)


def _with_defaults(data: QueryDict, period: str, fields: Container[str]) -> QueryDict:
    """The address with what it leaves out; `group_by` may name two dimensions, as in the API."""
    data = data.copy()
    groups = _groups_in(data)
    if len(groups) > 1 and not data.get("and_by"):
        data["and_by"] = groups[1]
    data["group_by"] = groups[0] if groups else ("service" if "group_by" not in data else "")
    for name, default in {"grain": "month", "metric": company_metric(), "top": str(TOP)}.items():
        if name in fields:
            data[name] = data.get(name) or default
    if not any(data.get(name) for name in ("from", "to", "period")):
        data["period"] = period
    return data


def _groups_in(data: QueryDict) -> list[str]:
    return [name for value in data.getlist("group_by") for name in value.split(",") if name]

"""The cost explorer: what was spent, by one or two things, over time."""

from dataclasses import dataclass
from datetime import date, timedelta
from itertools import chain
from typing import Any
from urllib.parse import urlencode

from django import forms
from django.conf import settings
from django.http import HttpRequest, HttpResponseBase
from django.urls import reverse
from django.utils import timezone
from django.utils.functional import cached_property
from django.views.generic import TemplateView

from costs.query import currency_conversion, filter_choices, latest_month, spend
from costs.query.spend import BadQuestion, Group, Pivot, Question, Row
from finops_site.lib import charts
from finops_site.lib.periods import Month, Period, parse_range, short_day_text
from finops_site.lib.person import Person
from finops_site.ui.downloads import csv_download
from finops_site.ui.figures import month_text
from finops_site.ui.pages import Empty, Page

METRICS = [
    ("billed_cost", "Billed cost"),
    ("effective_cost", "Effective cost"),
    ("list_cost", "List cost"),
    ("contracted_cost", "Contracted cost"),
]
GRAINS = [("month", "Month"), ("week", "Week"), ("day", "Day")]
PERIODS = [
    ("this-month", "This month"),
    ("last-month", "Last month"),
    ("3-months", "Last 3 months"),
    ("6-months", "Last 6 months"),
    ("12-months", "Last 12 months"),
    ("", "From … to …"),
]
FILTERS = ("service", "team", "pool", "account", "region", "charge_category", "provider")
MOST_BUCKETS = 400
MOST_ROWS = 1_000_000


class ExplorerForm(forms.Form):
    """The state of the explorer, kept in the address."""

    group_by = forms.ChoiceField(label="Group by", required=False)
    and_by = forms.ChoiceField(label="and by", required=False)
    grain = forms.ChoiceField(label="Every", choices=GRAINS, required=False)
    metric = forms.ChoiceField(label="Amount", choices=METRICS, required=False)
    show_in = forms.ChoiceField(label="Show in", required=False)
    period = forms.ChoiceField(label="Period", choices=PERIODS, required=False)
    to = forms.CharField(label="To", required=False, widget=forms.DateInput(attrs={"placeholder": "2025-11 or a day"}))

    def __init__(self, data: Any, *, user: Person) -> None:
        super().__init__(data)
        start = forms.DateInput(attrs={"placeholder": "2025-09 or a day"})
        self.fields = {**self.fields, "from": forms.CharField(label="From", required=False, widget=start)}
        self.fields["to"] = self.fields.pop("to")
        groupings = filter_choices.groupings(user)
        self.fields["group_by"].choices = [("", "nothing"), *groupings]
        self.fields["and_by"].choices = [("", "—"), *groupings]
        self.fields["show_in"].choices = [("", "as billed"), *((code, code) for code in _offered())]
        for name in FILTERS if user.sees_whole_company else [name for name in FILTERS if name != "pool"]:
            label = spend.LABELS[name]
            self.fields[name] = forms.MultipleChoiceField(
                label=label, choices=filter_choices.values(user, name), required=False
            )


def _offered() -> list[str]:
    """The currencies costs can be shown in, the company's own first."""
    own = settings.FINOPS_REPORTING_CURRENCY
    return sorted(currency_conversion.currencies(), key=lambda code: (code != own, code))


@dataclass(frozen=True, slots=True)
class Bar:
    """What the filter bar draws: anything with a form."""

    form: forms.Form


class Explorer(Page, TemplateView):
    permission_required = "costs.view_costline"
    title = "Cost explorer"
    subtitle = "Amounts by charge day: when it was used, in UTC. Open any figure to see its cost lines."
    template_name = "costs/explorer.html"
    empty = Empty("No cost here", "Nothing was spent in this period by what you may see.", "chart-bar")

    def get(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        if request.GET.get("_export") == "csv" and self.question:
            return self.csv()
        return super().get(request, *args, **kwargs)

    def get_template_names(self) -> list[str]:
        return ["costs/explorer_answer.html" if self.wants_fragment("list") else self.template_name]

    @cached_property
    def today(self) -> date:
        return timezone.now().date()

    @cached_property
    def form(self) -> ExplorerForm:
        data = self.request.GET.copy()
        groups = [name for value in data.getlist("group_by") for name in value.split(",") if name]
        if len(groups) > 1 and not data.get("and_by"):
            data["and_by"] = groups[1]
        data["group_by"] = groups[0] if groups else ("service" if "group_by" not in data else "")
        for name, default in {"grain": "month", "metric": "billed_cost"}.items():
            data[name] = data.get(name) or default
        if not data.get("from") and not data.get("period"):
            data["period"] = "6-months"
        return ExplorerForm(data, user=self.request.user)

    @cached_property
    def question(self) -> Question | None:
        """The question of the address; None, with the reason in the form, when it cannot be asked."""
        if not self.form.is_valid():
            return None
        said = self.form.cleaned_data
        groups = tuple(name for name in (said["group_by"], said["and_by"]) if name)
        filters = {name: said[name] for name in FILTERS if said.get(name)}
        filters |= {name: self.request.GET.getlist(name) for name in self.request.GET if name.startswith(spend.TAG)}
        try:
            period = self._period(said)
            return Question(period, groups, self._grain(said["grain"], period), said["metric"], filters)
        except (BadQuestion, ValueError) as error:
            self.form.add_error(None, str(error))
            return None

    def _period(self, said: dict[str, Any]) -> Period:
        if said["from"]:
            return parse_range(said["from"], said["to"] or said["from"])
        month = latest_month.month(self.request.user, self.today)
        counts = {"this-month": 1, "3-months": 3, "6-months": 6, "12-months": 12}
        if said["period"] == "last-month":
            return month.previous.period
        return Period(month.plus(1 - counts.get(said["period"], 6)).start, month.next.start)

    def _grain(self, grain: str, period: Period) -> str:
        if grain == "day" and period.days > MOST_BUCKETS:
            raise BadQuestion(f"{period.days} days are too many to show by day: ask by week or month, or for less.")
        return grain

    @cached_property
    def pivots(self) -> list[Pivot]:
        if not self.question:
            return []
        found = spend.pivots(self.request.user, self.question)
        return currency_conversion.pivots(found, self.exchange(found)) if self.target else found

    @property
    def target(self) -> str:
        """The currency to show costs in; empty for each as it was billed."""
        return self.form.cleaned_data["show_in"] if self.form.is_valid() else ""

    def exchange(self, found: list[Pivot]) -> currency_conversion.Exchange:
        assert self.question
        codes = [pivot.currency for pivot in found]
        self.turned = currency_conversion.Exchange(self.target, self.question.grain, self.question.period, codes)
        return self.turned

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        answers = [self._answer(pivot) for pivot in self.pivots]
        context = {
            "bar": Bar(self.form),
            "answers": answers,
            "question": self.question,
            "metric": dict(METRICS).get(self.question.metric) if self.question else "",
            "empty": self.empty.for_user(self.request.user),
            "errors": self.form.non_field_errors(),
            "rates": self.turned.list_used() if self.target and self.question else [],
            "apart": self.turned.missing if self.target and self.question else {},
            "target": self.target,
        }
        return super().get_context_data(**{**context, **kwargs})

    def _answer(self, pivot: Pivot) -> dict[str, Any]:
        """One currency's chart and table, each figure with the address of its lines."""
        heads = [self._bucket_text(bucket) for bucket in pivot.buckets]
        groups = pivot.groups or [Group((), "Total", pivot.sums, pivot.total)]
        return {
            "currency": pivot.currency,
            "heads": heads,
            "rows": [self._row(group, pivot) for group in groups],
            "sums": self._cells((), pivot.sums, pivot),
            "total": pivot.total,
            "total_url": self._lines_url((), None, pivot.currency),
            "chart": self._chart(pivot, heads, groups),
        }

    def _chart(self, pivot: Pivot, heads: list[str], groups: list[Group]) -> dict[str, Any]:
        many = [
            charts.series(group.label, group.amounts, **({"other": True} if not group.keys and pivot.groups else {}))
            for group in groups
        ]
        return {
            "id": f"spend-{pivot.currency.lower()}",
            "kind": "stacked-bar",
            "title": f"{self._title()} in {pivot.currency}",
            "categories": heads,
            "series": many,
            "currency": pivot.currency,
            "table_id": f"table-{pivot.currency.lower()}",
        }

    def _title(self) -> str:
        assert self.question
        names = dict(filter_choices.groupings(self.request.user))
        by = " and ".join(names.get(name, name) for name in self.question.group_by)
        return f"{dict(METRICS)[self.question.metric]}{' by ' + by.lower() if by else ''}"

    def _row(self, group: Group, pivot: Pivot) -> dict[str, Any]:
        linked = bool(group.keys) or not pivot.groups
        return {
            "label": group.label,
            "cells": self._cells(group.keys, group.amounts, pivot, linked=linked),
            "total": group.total,
            "url": self._lines_url(group.keys, None, pivot.currency) if linked else "",
        }

    def _cells(self, keys: tuple[str, ...], amounts: Any, pivot: Pivot, *, linked: bool = True) -> list[dict[str, Any]]:
        return [
            {"amount": amount, "url": self._lines_url(keys, bucket, pivot.currency) if linked else ""}
            for amount, bucket in zip(amounts, pivot.buckets, strict=True)
        ]

    def _bucket_text(self, bucket: date) -> str:
        assert self.question
        if self.question.grain == "month":
            return month_text(bucket)
        text = short_day_text(bucket)
        return f"week of {text}" if self.question.grain == "week" else text

    def _span(self, bucket: date | None) -> Period:
        """The days of a bucket that lie in the period asked for."""
        assert self.question
        asked = self.question.period
        if bucket is None:
            return asked
        end = {
            "month": Month.of(bucket).next.start,
            "week": bucket + timedelta(days=7),
            "day": bucket + timedelta(days=1),
        }[self.question.grain]
        return Period(max(bucket, asked.start), min(end, asked.end))

    def _lines_url(self, keys: tuple[str, ...], bucket: date | None, currency: str) -> str:
        """The cost lines behind a figure: same filters, same days, same currency."""
        assert self.question
        span = self._span(bucket)
        wanted: dict[str, Any] = {name: list(found) for name, found in self.question.filters.items()}
        wanted |= dict(zip(self.question.group_by, ([key] for key in keys), strict=False)) if keys else {}
        shown = {} if currency == self.target else {"currency": currency}
        query = {**wanted, "from": span.start, "to": span.last_day, **shown}
        return f"{reverse('costs:lines')}?{urlencode(query, doseq=True)}"

    def _rows(self) -> list[Row]:
        assert self.question
        if self.target:
            return currency_conversion.rows(self.request.user, self.question, self.target, limit=MOST_ROWS)[0]
        return spend.rows(self.request.user, self.question)

    def csv(self) -> HttpResponseBase:
        """Every group, none put together, with all digits."""
        assert self.question
        found = self._rows()
        names = spend.labels(self.question.group_by, found)
        head = [*(self.question.group_by or ()), "label", self.question.grain, "currency", self.question.metric]
        lines = ((*row.group, names[row.group], row.bucket, row.currency, row.amount) for row in found)
        return csv_download(chain([head], lines), "spend")

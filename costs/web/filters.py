"""The filters of the cost lines page; they take every parameter the explorer links with."""

from datetime import date
from functools import cached_property
from typing import Any

import django_filters
from django import forms
from django.core.exceptions import ValidationError
from django.db.models import Q

from costs.models import CostLine
from costs.query import filter_choices, latest_month, spend
from costs.query.spend import FIELDS, TAG, Question
from finops_site.lib.periods import Period, parse_range

OFFERED = ("service", "team", "pool", "account", "region", "charge_category", "currency")
# Not drawn in the bar, but a figure of the explorer may carry them.
CARRIED = tuple(name for name in FIELDS if name not in (*OFFERED, "resource"))


class LineFilter(django_filters.FilterSet):
    """Cost lines of a span of days; without one, of the latest month that has any."""

    to = django_filters.CharFilter(label="To", method="passed", widget=forms.DateInput())
    service = django_filters.MultipleChoiceFilter(label="Service", method="passed")
    team = django_filters.MultipleChoiceFilter(label="Team", method="passed")
    pool = django_filters.MultipleChoiceFilter(label="Pool", method="passed")
    account = django_filters.MultipleChoiceFilter(label="Account", method="passed")
    region = django_filters.MultipleChoiceFilter(label="Region", method="passed")
    charge_category = django_filters.MultipleChoiceFilter(label="Category", method="passed")
    currency = django_filters.MultipleChoiceFilter(label="Currency", method="passed")
    resource = django_filters.CharFilter(label="Resource", method="named")
    tag = django_filters.CharFilter(label="Tag (Key or Key=value)", method="tagged")
    min = django_filters.NumberFilter(label="At least (billed)", field_name="billed_cost", lookup_expr="gte")

    class Meta:
        model = CostLine
        fields: list[str] = []

    def __init__(self, data: Any = None, *args: Any, request: Any = None, today: date, **kwargs: Any) -> None:
        super().__init__(data, *args, request=request, **kwargs)
        self.user, self.today = request.user, today
        start = django_filters.CharFilter(label="From", method="passed", widget=forms.DateInput())
        start.field_name, start.model, start.parent = "from", CostLine, self
        self.filters = {"from": start, **self.filters}
        if not self.user.sees_whole_company:
            del self.filters["pool"]
        for name in set(OFFERED) & set(self.filters):
            self.filters[name].extra["choices"] = filter_choices.values(self.user, name)

    @cached_property
    def period(self) -> Period:
        """The days asked for; raises ValueError where they cannot be read."""
        first, last = self.data.get("from", "").strip(), self.data.get("to", "").strip()
        if first or last:
            return parse_range(first or last, last or first)
        return latest_month.month(self.user, self.today).period

    @cached_property
    def question(self) -> Question:
        """What the dimensions of the address ask; raises ValueError for what nobody can answer."""
        names = [name for name in self.data if name in (*OFFERED, *CARRIED) or name.startswith(TAG)]
        filters = {name: self.data.getlist(name) for name in names}
        # An empty value says nothing, except of a tag: there it means the lines without it.
        said = {name: values for name, values in filters.items() if any(values) or name.startswith(TAG)}
        return Question(self.period, filters=said)

    @property
    def by_words(self) -> bool:
        """Whether a filter asks what only cost lines know."""
        return any(self.data.get(name, "").strip() for name in ("resource", "tag", "min"))

    def is_valid(self) -> bool:
        if not super().is_valid():
            return False
        try:
            return bool(self.question)
        except ValueError as error:
            self.form.add_error(None if "from" not in self.form.fields else "from", ValidationError(str(error)))
            return False

    def filter_queryset(self, queryset: Any) -> Any:
        return spend.filtered(super().filter_queryset(queryset), self.question)

    def passed(self, queryset: Any, name: str, value: Any) -> Any:
        """Answered by `question`."""
        return queryset

    def named(self, queryset: Any, name: str, value: str) -> Any:
        """Resources by id, or with the words in their id or name."""
        return queryset.filter(Q(resource__icontains=value) | Q(resource_name__icontains=value))

    def tagged(self, queryset: Any, name: str, value: str) -> Any:
        key, _, wanted = value.partition("=")
        if not wanted:
            return queryset.filter(tag_set__tags__has_key=key.strip())
        return queryset.filter(tag_set__tags__contains={key.strip(): wanted.strip()})

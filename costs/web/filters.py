"""Filters of the lists of cost lines and of deliveries."""

from dataclasses import dataclass
from datetime import date
from functools import cached_property
from typing import Any

import django_filters
from django import forms
from django.core.exceptions import ValidationError
from django.db.models import Q, QuerySet
from django.db.models.functions import Collate
from django.http import HttpRequest, QueryDict
from drf_spectacular.utils import extend_schema_field

from costs.calc.dimensions import DIMENSIONS, FILTER_BAR, FILTERABLE, TAG
from costs.models import CostLine, Delivery, DeliveryMonth, ResourceRollup, Source
from costs.query import filter_choices, latest_month
from costs.query.question import Question
from costs.query.rows import filtered_rows, stored_values
from costs.query.scope import NOBODY
from costs.web.delivery_tables import STATES
from finops_site.lib.periods import Month, Period, parse_range
from finops_site.lib.person import Person
from finops_site.people.signed_in import signed_in_user
from finops_site.ui.filters import MonthFilter

# Resources that a search goes on with by their ids; lines of more than so many are found by the text itself.
MOST_RESOURCES = 1_000


@dataclass(frozen=True, slots=True)
class FilterBar:
    """What includes/filters.html draws where no rows are filtered: anything with a form."""

    form: forms.Form


def filters_in(data: QueryDict) -> dict[str, list[str]]:
    """{dimension: values} of every filter in an address; an empty value filters nothing but a tag: lines without it."""
    values = {name: data.getlist(name) for name in data if name in FILTERABLE or name.startswith(TAG)}
    return {name: chosen for name, chosen in values.items() if any(chosen) or name.startswith(TAG)}


def value_choices(user: Person, data: QueryDict, name: str) -> list[tuple[str, str]]:
    """The drop-down of a dimension; where the address asks for lines that have nothing of it, that is a choice too."""
    choices = filter_choices.values(user, name)
    if NOBODY in data.getlist(name) and NOBODY not in dict(choices):
        choices = [*choices, (NOBODY, f"no {DIMENSIONS[name].label.lower()}")]
    return choices


class LineFilter(django_filters.FilterSet):
    """Cost lines of a span of days; without one, of the latest month that has any.

    It takes every parameter that the explorer links with.
    """

    OFFERED = (*FILTER_BAR, "currency")

    to = django_filters.CharFilter(label="To", method="answered_by_question", widget=forms.DateInput())
    resource = django_filters.CharFilter(label="Resource", method="filter_resource")
    tag = django_filters.CharFilter(label="Tag (Key or Key=value)", method="filter_tag")
    min = django_filters.NumberFilter(label="At least (billed)", field_name="billed_cost", lookup_expr="gte")

    class Meta:
        model = CostLine
        fields: list[str] = []

    def __init__(
        self, data: QueryDict, queryset: QuerySet[CostLine], *, request: HttpRequest, today: date, **options: Any
    ) -> None:
        super().__init__(data, queryset, request=request, **options)
        self.user, self.today = signed_in_user(request), today
        start = django_filters.CharFilter(label="From", method="answered_by_question", widget=forms.DateInput())
        chosen = {
            name: django_filters.MultipleChoiceFilter(
                label=DIMENSIONS[name].label,
                method="answered_by_question",
                choices=value_choices(self.user, data, name),
            )
            for name in filter_choices.offered(self.user, self.OFFERED)
        }
        for name, added in {"from": start, **chosen}.items():
            added.field_name, added.model, added.parent = name, CostLine, self
        to = self.filters.pop("to")  # type: ignore[has-type]
        self.filters = {"from": start, "to": to, **chosen, **self.filters}  # type: ignore[has-type]

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
        filters = {name: values for name, values in filters_in(self.data).items() if name != "resource"}
        return Question(self.period, filters=filters)

    @property
    def needs_lines(self) -> bool:
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

    def filter_queryset(self, queryset: QuerySet[CostLine]) -> QuerySet[CostLine]:
        return filtered_rows(super().filter_queryset(queryset), self.question)

    def answered_by_question(self, queryset: QuerySet[CostLine], name: str, value: object) -> QuerySet[CostLine]:
        """Filtered by `question`, with all other dimensions of the address."""
        return queryset

    def filter_resource(self, queryset: QuerySet[CostLine], name: str, value: str) -> QuerySet[CostLine]:
        """One resource by its id, or those with the text in their id or name; several by their ids; NOBODY: none."""
        resources = self.data.getlist(name)
        if len(resources) > 1 or value == NOBODY:
            return queryset.filter(resource__in=stored_values(name, resources))
        has_the_text = Q(resource__icontains=value) | Q(resource_name__icontains=value)
        try:
            months = Period(Month.of(self.period.start).start, self.period.end)
        except ValueError:
            return queryset.none()
        # A month has far fewer resources than lines, so they are searched first; not where nearly every one matches.
        resources = ResourceRollup.objects.visible_to(self.user).charged_in(months)
        if value.isascii():
            # In this collation capitals are told from small letters in half the time; it knows those of English alone.
            folded = {f"folded_{name}": Collate(name, "C") for name in ("resource", "resource_name")}
            resources = resources.alias(**folded).filter(
                Q(folded_resource__icontains=value) | Q(folded_resource_name__icontains=value)
            )
        else:
            resources = resources.filter(has_the_text)
        ids = list(resources.order_by().values_list("resource", flat=True).distinct()[: MOST_RESOURCES + 1])
        if "" in ids or len(ids) > MOST_RESOURCES:
            return queryset.filter(has_the_text)
        return queryset.of_resources(ids)  # type: ignore[attr-defined]

    def filter_tag(self, queryset: QuerySet[CostLine], name: str, value: str) -> QuerySet[CostLine]:
        key, _, wanted = value.partition("=")
        if not wanted:
            return queryset.filter(tag_set__tags__has_key=key.strip())
        return queryset.filter(tag_set__tags__contains={key.strip(): wanted.strip()})


class DeliveryFilter(django_filters.FilterSet):
    source = django_filters.ModelMultipleChoiceFilter(queryset=Source.objects.all())
    status = django_filters.MultipleChoiceFilter(choices=[(state, text) for state, (text, _, _) in STATES.items()])
    month = MonthFilter(label="Billing month", method="in_month")

    class Meta:
        model = Delivery
        fields = ["source", "status", "month"]

    @extend_schema_field({"type": "string", "pattern": r"^\d{4}-\d{2}$", "example": "2025-11"})
    def in_month(self, deliveries: QuerySet[Delivery], _name: str, month: Month | None) -> QuerySet[Delivery]:
        if month is None:
            return deliveries
        return deliveries.filter(pk__in=DeliveryMonth.objects.filter(billing_month=month.start).values("delivery"))

"""Filters of the lists of cost lines and of deliveries."""

from collections.abc import Iterable
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
from django.utils.translation import gettext as _
from drf_spectacular.utils import extend_schema_field

from costs.calc.dimensions import DIMENSIONS, FILTER_BAR, FILTERABLE, TAG
from costs.calc.filters import (
    NO,
    OPERATOR_WORDS,
    SEPARATOR,
    YES,
    BadFilter,
    Operator,
    check_names,
    filter_label,
    filter_name,
    filter_value,
    is_tag,
    split_name,
)
from costs.calc.filters import filters_in as address_filters
from costs.models import CostLine, Delivery, DeliveryMonth, ResourceRollup, Source
from costs.query import filter_choices, latest_month
from costs.query.question import Question
from costs.query.rows import filter_by, filtered_rows
from costs.query.scope import NOBODY
from costs.query.stored_values import read_filters
from costs.web.delivery_tables import STATES
from finops_site.lib.addresses import VIEW
from finops_site.lib.periods import Month, Period, parse_range
from finops_site.lib.person import Person
from finops_site.lib.words import in_sentence
from finops_site.people.signed_in import signed_in_user
from finops_site.translation import gettext_lazy as _lazy
from finops_site.translation import pgettext_lazy
from finops_site.ui.filters import AmountFilter, JointFilter, MonthFilter
from finops_site.ui.keyset import PAGING_PARAMETERS

# Resources that a search goes on with by their ids; lines of more than so many are found by the text itself.
MOST_RESOURCES = 1_000
# What stands in the address of a list beside its filters.
FURTHER = ("further", "further_how", "further_values")
FURTHER_LABELS = (_lazy("Further filter"), _lazy("is compared by"), _lazy("with (one; another)"))
PAGE_PARAMETERS = (*PAGING_PARAMETERS, "sort", "_export", VIEW)


@dataclass(frozen=True, slots=True)
class FilterBar:
    """What includes/filters.html and chips.html draw where no rows are filtered: a form, or some of its fields.

    `joint`: the fields among them that are one filter together.
    """

    form: Iterable[forms.BoundField]
    joint: JointFilter | None = None


def filters_in(data: QueryDict) -> dict[str, list[str]]:
    """{name: values} of every filter in an address, that of the fields FURTHER among them."""
    filters = address_filters(data.lists())
    name, chosen = further_filter(data)
    return filters | ({name: list(dict.fromkeys([*filters.get(name, []), *chosen]))} if chosen else {})


def further_in_words(data: QueryDict) -> JointFilter:
    """What the fields FURTHER ask together."""
    name, chosen = further_filter(data)
    return JointFilter(FURTHER, name_in_words(name), ", ".join(chosen)) if chosen else JointFilter(FURTHER)


def further_filter(data: QueryDict) -> tuple[str, list[str]]:
    """The filter of the fields FURTHER, which ask otherwise than by a drop-down: its name and values, if any."""
    dimension, how, text = (data.get(name, "").strip() for name in FURTHER)
    operator = Operator(how) if how in list(Operator) else Operator.IS
    chosen = [part.strip() for part in text.split(";") if part.strip()]
    if operator is Operator.EMPTY:
        chosen = chosen or [YES]
    return filter_name(dimension, operator), chosen if dimension else []


def check_further(data: QueryDict) -> None:
    """Raises BadFilter for a part of the fields FURTHER without the rest: it would filter nothing."""
    _ignored, chosen = further_filter(data)
    if not chosen and any(data.get(name, "").strip() for name in FURTHER):
        raise BadFilter(_("The further filter is not complete: choose what it is about and type a value, or clear it."))


def further_choices(user: Person) -> tuple[list[tuple[str, str]], list[tuple[str, str]]]:
    """Any dimension or tag that she may ask by, and the operators: what FURTHER offers."""
    names = list(filter_choices.offered(user, FILTERABLE))
    names += [f"{TAG}{key}" for key in filter_choices.tag_keys(user)]
    dimensions = [(name, filter_label(name, Operator.IS)) for name in names]
    return dimensions, [(str(operator), _(words)) for operator, words in OPERATOR_WORDS.items()]


def name_in_words(name: str) -> str:
    """What people call a filter; its name where it is none, for it is refused anyway."""
    try:
        return filter_label(*split_name(name))
    except ValueError:
        return name


def named_values(user: Person, name: str, values: Iterable[str]) -> list[tuple[str, str]]:
    """The values of a filter that only the address has, with what people call them; of a tag, all that she sees."""
    dimension = name.rpartition(SEPARATOR)[0] or name
    labels = dict(_asked_by(user, dimension)) if dimension in FILTERABLE else {}
    given = [(value, labels.get(value, value or _("nothing"))) for value in dict.fromkeys(values)]
    if not is_chosen_tag(name):
        return given
    others = [(value, value) for value in filter_choices.tag_values(user, name.removeprefix(TAG))]
    return [*given, *(other for other in others if other not in given)]


def _asked_by(user: Person, dimension: str) -> list[tuple[str, str]]:
    """The values of a dimension as filters have them, and their labels: one that is called none stands in quotes."""
    return [(filter_value(dimension, value), label) for value, label in filter_choices.values(user, dimension)]


def is_chosen_tag(name: str) -> bool:
    """Whether a filter asks for values of a tag: it is shown as a drop-down once the address has it."""
    return is_tag(name) and split_name(name) == (name, Operator.IS)


def remaining_widget(name: str) -> type[forms.Widget]:
    """What holds a filter of the address that is not offered, so that it stays when another one is chosen."""
    return forms.SelectMultiple if is_chosen_tag(name) else forms.MultipleHiddenInput


def value_choices(user: Person, data: QueryDict, name: str) -> list[tuple[str, str]]:
    """The drop-down of a dimension, and what the address asks for beside it: whether anything has it, is answered."""
    choices = _asked_by(user, name)
    offered = {value for value, _ignored in choices}
    others = [value for value in dict.fromkeys(data.getlist(name)) if value and value not in offered]
    nothing = _("no {label}").format(label=in_sentence(DIMENSIONS[name].label))
    return [*choices, *((value, nothing if value == NOBODY else value) for value in others)]


class LineFilter(django_filters.FilterSet):
    """Cost lines of a span of days; without one, of the latest month that has any.

    It takes every parameter that the explorer links with.
    """

    OFFERED = (*FILTER_BAR, "currency")

    to = django_filters.CharFilter(
        label=pgettext_lazy("day", "To"), method="answered_by_question", widget=forms.DateInput()
    )
    resource = django_filters.CharFilter(label=_lazy("Resource"), method="filter_resource")
    tag = django_filters.CharFilter(label=_lazy("Tag (Key or Key=value)"), method="filter_tag")
    min = AmountFilter(label=_lazy("At least (billed)"), field_name="billed_cost", lookup_expr="gte")

    class Meta:
        model = CostLine
        fields: list[str] = []

    def __init__(
        self, data: QueryDict, queryset: QuerySet[CostLine], *, request: HttpRequest, today: date, **options: Any
    ) -> None:
        # An empty value asks nothing, as of every other filter.
        data = data.copy()
        data.setlist("resource", [text for text in data.getlist("resource") if text.strip()])
        super().__init__(data, queryset, request=request, **options)
        self.user, self.today = signed_in_user(request), today
        start = django_filters.CharFilter(label=_("From"), method="answered_by_question", widget=forms.DateInput())
        chosen = {
            name: django_filters.MultipleChoiceFilter(
                label=DIMENSIONS[name].label,
                method="answered_by_question",
                choices=value_choices(self.user, data, name),
            )
            for name in filter_choices.offered(self.user, self.OFFERED)
        }
        # Filters of the address that are not offered stay when another one is chosen.
        remaining: dict[str, django_filters.Filter] = {
            name: django_filters.MultipleChoiceFilter(
                label=name_in_words(name),
                method="answered_by_question",
                choices=named_values(self.user, name, values),
                widget=remaining_widget(name),
            )
            for name, values in filters_in(data).items()
            if name in data and name not in chosen and name not in self.filters  # type: ignore[has-type]
        }
        dimensions, operators = further_choices(self.user)
        further: dict[str, django_filters.Filter] = {
            FURTHER[0]: django_filters.ChoiceFilter(label=FURTHER_LABELS[0], choices=dimensions, empty_label="—"),
            FURTHER[1]: django_filters.ChoiceFilter(label=FURTHER_LABELS[1], choices=operators, empty_label="—"),
            FURTHER[2]: django_filters.CharFilter(label=FURTHER_LABELS[2]),
        }
        for field in further.values():
            field.method = "answered_by_question"
        remaining |= further
        for name, added in {"from": start, **chosen, **remaining}.items():
            added.field_name, added.model, added.parent = name, CostLine, self
        to = self.filters.pop("to")  # type: ignore[has-type]
        self.filters = {"from": start, "to": to, **chosen, **self.filters, **remaining}  # type: ignore[has-type]

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
        # Of this page `resource` searches, see `filter_resource`; where the fields FURTHER ask by it, they compare.
        others = self.data.copy()
        others.pop("resource", None)
        return Question(self.period, filters=read_filters(filters_in(others), self.user))

    @property
    def joint(self) -> JointFilter:
        return further_in_words(self.data)

    @property
    def needs_lines(self) -> bool:
        """Whether a filter asks what only cost lines know."""
        return any(self.data.get(name, "").strip() for name in ("resource", "tag", "min"))

    def is_valid(self) -> bool:
        if not super().is_valid():
            return False
        try:
            check_names(self.data, [*self.filters, *PAGE_PARAMETERS])
            check_further(self.data)
            return bool(self.question)
        except ValueError as error:
            self.form.add_error(None, ValidationError(str(error)))
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
            return filter_by(queryset, {name: resources})
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
        return filter_by(queryset, self.tag_filter) if self.tag_filter else queryset.none()

    @property
    def tag_filter(self) -> dict[str, list[str]]:
        """The filter that ``Key=value``, or ``Key``, stands for; none without a key."""
        key, _ignored, wanted = (part.strip() for part in self.data.get("tag", "").partition("="))
        if not key:
            return {}
        tag = f"{TAG}{key}"
        return {filter_name(tag): [wanted]} if wanted else {filter_name(tag, Operator.EMPTY): [NO]}


class DeliveryFilter(django_filters.FilterSet):
    source = django_filters.ModelMultipleChoiceFilter(queryset=Source.objects.all())
    status = django_filters.MultipleChoiceFilter(
        choices=[(state, text) for state, (text, _ignored, _ignored) in STATES.items()]
    )
    month = MonthFilter(label=_lazy("Billing month"), method="in_month")

    class Meta:
        model = Delivery
        fields = ["source", "status", "month"]

    @extend_schema_field({"type": "string", "pattern": r"^\d{4}-\d{2}$", "example": "2025-11"})
    def in_month(self, deliveries: QuerySet[Delivery], _name: str, month: Month | None) -> QuerySet[Delivery]:
        if month is None:
            return deliveries
        return deliveries.filter(pk__in=DeliveryMonth.objects.filter(billing_month=month.start).values("delivery"))

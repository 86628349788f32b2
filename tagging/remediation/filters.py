"""The filters of suggestions and virtual tags."""

from typing import Any

import django_filters
from django.db.models import Q

from costs.query import filter_choices
from costs.query.scope import NOBODY
from finops_site.models import Team
from tagging.models import Suggestion, VirtualTag

SURE = [("0.9", "90 % and more"), ("0.75", "75 % and more"), ("0.5", "50 % and more"), ("0.25", "25 % and more")]


class OfResources(django_filters.FilterSet):
    """What lists about resources share: their words, their teams, their accounts."""

    q = django_filters.CharFilter(label="Resource", method="named")
    team = django_filters.MultipleChoiceFilter(label="Team", method="of_teams")
    account = django_filters.MultipleChoiceFilter(label="Account", field_name="sub_account")

    def __init__(self, data: Any = None, *args: Any, request: Any = None, **kwargs: Any) -> None:
        super().__init__(data, *args, request=request, **kwargs)
        for name in ("team", "account"):
            self.filters[name].extra["choices"] = filter_choices.values(request.user, name)

    def named(self, queryset: Any, name: str, value: str) -> Any:
        return queryset.filter(Q(resource__icontains=value) | Q(resource_name__icontains=value))

    def of_teams(self, queryset: Any, name: str, values: list[str]) -> Any:
        if not values:
            return queryset
        wanted = Q(team__isnull=True) if NOBODY in values else Q(pk__in=[])
        for team in Team.objects.filter(pk__in=[value for value in values if value.isdigit()]):
            wanted |= Q(team__in=list(Team.objects.below(team).values_list("pk", flat=True)))
        return queryset.filter(wanted)


class SuggestionFilter(OfResources):
    tag = django_filters.ChoiceFilter(label="Tag", field_name="tag", empty_label="any")
    kind = django_filters.ChoiceFilter(label="Evidence", choices=Suggestion.Kind.choices, empty_label="any")
    sure = django_filters.ChoiceFilter(
        label="Confidence", field_name="confidence", lookup_expr="gte", choices=SURE, empty_label="any"
    )

    class Meta:
        model = Suggestion
        fields: list[str] = []

    def __init__(self, data: Any = None, *args: Any, **kwargs: Any) -> None:
        super().__init__(data, *args, **kwargs)
        known = Suggestion.objects.order_by("tag").values_list("tag", flat=True).distinct()
        self.filters["tag"].extra["choices"] = [(tag, tag) for tag in known]


class VirtualTagFilter(OfResources):
    key = django_filters.CharFilter(label="Key", lookup_expr="iexact")
    state = django_filters.ChoiceFilter(label="State", choices=VirtualTag.State.choices, empty_label="any")

    class Meta:
        model = VirtualTag
        fields: list[str] = []

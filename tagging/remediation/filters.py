"""The filters of suggestions and virtual tags."""

from typing import Any

import django_filters
from django.db.models import Q, QuerySet
from django.http import HttpRequest, QueryDict

from costs.query import filter_choices
from costs.query.scope import NOBODY
from finops_site.models import Team
from finops_site.people.signed_in import signed_in_user
from finops_site.translation import gettext_lazy as _lazy
from tagging.models import Suggestion, VirtualTag

CONFIDENCES = [
    ("0.9", _lazy("90% and more")),
    ("0.75", _lazy("75% and more")),
    ("0.5", _lazy("50% and more")),
    ("0.25", _lazy("25% and more")),
]


class ResourceRowFilter(django_filters.FilterSet):
    """The filters that lists about resources share: their name, team and account."""

    q = django_filters.CharFilter(label=_lazy("Resource"), method="named")
    team = django_filters.MultipleChoiceFilter(label=_lazy("Team"), method="of_teams")
    account = django_filters.MultipleChoiceFilter(label=_lazy("Account"), field_name="sub_account")

    def __init__(self, data: QueryDict | None = None, *args: Any, request: HttpRequest, **kwargs: Any) -> None:
        super().__init__(data, *args, request=request, **kwargs)
        for name in ("team", "account"):
            self.filters[name].extra["choices"] = filter_choices.values(signed_in_user(request), name)

    def named(self, queryset: QuerySet, name: str, value: str) -> QuerySet:
        return queryset.filter(Q(resource__icontains=value) | Q(resource_name__icontains=value))

    def of_teams(self, queryset: QuerySet, name: str, values: list[str]) -> QuerySet:
        if not values:
            return queryset
        condition = Q(team__isnull=True) if NOBODY in values else Q(pk__in=[])
        for team in Team.objects.filter(pk__in=[value for value in values if value.isdigit()]):
            condition |= Q(team__in=list(Team.objects.below(team).values_list("pk", flat=True)))
        return queryset.filter(condition)


class SuggestionFilter(ResourceRowFilter):
    tag = django_filters.ChoiceFilter(label=_lazy("Tag"), field_name="tag", empty_label=_lazy("any"))
    kind = django_filters.ChoiceFilter(
        label=_lazy("Evidence"), choices=Suggestion.Kind.choices, empty_label=_lazy("any")
    )
    sure = django_filters.ChoiceFilter(
        label=_lazy("Confidence"),
        field_name="confidence",
        lookup_expr="gte",
        choices=CONFIDENCES,
        empty_label=_lazy("any"),
    )

    class Meta:
        model = Suggestion
        fields: list[str] = []

    def __init__(self, data: QueryDict | None = None, *args: Any, **kwargs: Any) -> None:
        super().__init__(data, *args, **kwargs)
        tags = Suggestion.objects.order_by("tag").values_list("tag", flat=True).distinct()
        self.filters["tag"].extra["choices"] = [(tag, tag) for tag in tags]


class VirtualTagFilter(ResourceRowFilter):
    key = django_filters.CharFilter(label=_lazy("Key"), lookup_expr="iexact")
    state = django_filters.ChoiceFilter(
        label=_lazy("State"), choices=VirtualTag.State.choices, empty_label=_lazy("any")
    )

    class Meta:
        model = VirtualTag
        fields: list[str] = []

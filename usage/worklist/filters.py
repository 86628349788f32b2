"""The filters of findings; figures of the overview link to the list with them."""

from typing import Any

import django_filters
from django import forms
from django.db.models import Q, QuerySet
from django.http import HttpRequest, QueryDict
from django.utils.functional import cached_property

from costs.query import filter_choices
from costs.query.scope import NOBODY, TeamTree
from finops_site.lib.person import Person
from finops_site.models import User
from finops_site.people.signed_in import signed_in_user
from finops_site.translation import gettext_lazy as _lazy
from usage.models import Finding
from usage.models.findings import FindingQuerySet
from usage.worklist.finding_texts import CONFIDENCES, LEVELS
from usage.worklist.rule_names import rule_choices

OPEN, ALL = "open", "all"
STATE_CHOICES = [(OPEN, _lazy("to do")), *Finding.State.choices, (ALL, _lazy("all"))]
ME = "me"
NO_ENVIRONMENT = "none"
CONFIDENCE_CHOICES = [(value, label) for value, (label, _tone, _icon) in CONFIDENCES.items()]
LEVEL_CHOICES = list(LEVELS.items())
SAVINGS = [("known", _lazy("known")), ("unknown", _lazy("not known"))]


class FindingFilter(django_filters.FilterSet):
    """What could cost less: what waits for somebody, unless another state is chosen."""

    q = django_filters.CharFilter(label=_lazy("Resource"), method="named")
    state = django_filters.ChoiceFilter(
        label=_lazy("State"), choices=STATE_CHOICES, method="of_state", empty_label=None
    )
    team = django_filters.MultipleChoiceFilter(label=_lazy("Team"), method="of_teams")
    rule = django_filters.MultipleChoiceFilter(label=_lazy("What"))
    assignee = django_filters.ChoiceFilter(label=_lazy("Assigned to"), method="of_person", empty_label=_lazy("anybody"))
    confidence = django_filters.MultipleChoiceFilter(label=_lazy("Confidence"), choices=CONFIDENCE_CHOICES)
    effort = django_filters.MultipleChoiceFilter(label=_lazy("Effort"), choices=LEVEL_CHOICES)
    risk = django_filters.MultipleChoiceFilter(label=_lazy("Risk"), choices=LEVEL_CHOICES)
    environment = django_filters.MultipleChoiceFilter(label=_lazy("Environment"), method="of_environments")
    account = django_filters.MultipleChoiceFilter(label=_lazy("Account"))
    provider = django_filters.MultipleChoiceFilter(label=_lazy("Provider"))
    saving = django_filters.ChoiceFilter(
        label=_lazy("Saving"), choices=SAVINGS, method="of_saving", empty_label=_lazy("any")
    )
    currency = django_filters.CharFilter(field_name="currency", widget=forms.HiddenInput())

    class Meta:
        model = Finding
        fields: list[str] = []

    def __init__(self, data: QueryDict | None = None, *args: Any, request: HttpRequest, **kwargs: Any) -> None:
        data = data.copy() if data is not None else QueryDict(mutable=True)
        data.setdefault("state", OPEN)
        super().__init__(data, *args, request=request, **kwargs)
        choices = FindingChoices(signed_in_user(request))
        for name in ("team", "account", "provider"):
            self.filters[name].extra["choices"] = filter_choices.values(choices.user, name)
        self.filters["rule"].extra["choices"] = rule_choices(choices.distinct("rule"))
        self.filters["environment"].extra["choices"] = choices.environments
        self.filters["assignee"].extra["choices"] = choices.people

    def named(self, queryset: FindingQuerySet, name: str, value: str) -> QuerySet:
        """Resources with the text in their id or name."""
        return queryset.filter(Q(resource__icontains=value) | Q(resource_name__icontains=value))

    def of_state(self, queryset: FindingQuerySet, name: str, value: str) -> QuerySet:
        if value == ALL:
            return queryset
        return queryset.open() if value == OPEN else queryset.filter(state=value)

    def of_teams(self, queryset: FindingQuerySet, name: str, values: list[str]) -> QuerySet:
        """Those of the teams and the teams below them; NOBODY stands for what nobody owns."""
        if not values:
            return queryset
        teams = TeamTree().with_teams_below(values)
        owned = Q(owner__in=[int(team) for team in teams if team.isdigit()])
        return queryset.filter(owned | Q(owner=None) if NOBODY in teams else owned)

    def of_person(self, queryset: FindingQuerySet, name: str, value: str) -> QuerySet:
        if value == NOBODY:
            return queryset.filter(assignee=None)
        return queryset.filter(assignee=signed_in_user(self.request).pk if value == ME else int(value))

    def of_environments(self, queryset: FindingQuerySet, name: str, values: list[str]) -> QuerySet:
        return queryset.filter(environment__in=["" if value == NO_ENVIRONMENT else value for value in values])

    def of_saving(self, queryset: FindingQuerySet, name: str, value: str) -> QuerySet:
        return queryset.filter(counted_saving__isnull=value == "unknown")


class FindingChoices:
    """What the drop-downs offer: what the findings that she sees have."""

    def __init__(self, user: User) -> None:
        self.user = user

    def distinct(self, name: str) -> list[str]:
        rows = Finding.objects.visible_to(self._person).order_by(name)
        return list(rows.values_list(name, flat=True).distinct())

    @property
    def _person(self) -> Person:
        return self.user

    @cached_property
    def environments(self) -> list[tuple[str, Any]]:
        return [
            (value or NO_ENVIRONMENT, value or _lazy("without an environment"))
            for value in self.distinct("environment")
        ]

    @cached_property
    def people(self) -> list[tuple[str, Any]]:
        """Me, nobody, and everybody who has been given one that she sees."""
        given = Finding.objects.visible_to(self._person).exclude(assignee=None).order_by().values("assignee")
        people = User.objects.filter(pk__in=given).order_by("name", "email")
        return [(ME, _lazy("me")), (NOBODY, _lazy("nobody")), *((str(one.pk), str(one)) for one in people)]

"""The filters of the worklist; figures of the overview link here with them."""

from datetime import date
from typing import Any, cast

import django_filters
from django import forms
from django.db.models import Q
from django.http import HttpRequest, QueryDict

from costs.query import filter_choices
from costs.query.scope import of_teams
from finops_site.lib.periods import Month
from finops_site.people.signed_in import signed_in_user
from finops_site.translation import gettext_lazy as _lazy
from finops_site.ui.filters import MonthFilter
from tagging.models import TagFact, TaggedResource
from tagging.models.policy import TaggedResourceQuerySet
from tagging.policy import compliance_figures

WORKLIST_STATES = [
    ("wrong", _lazy("to fix")),
    ("compliant", _lazy("complies")),
    ("excepted", _lazy("excepted")),
    ("all", _lazy("everything that can carry tags")),
    ("untaggable", _lazy("cannot carry tags")),
]


class ResourceFilter(django_filters.FilterSet):
    """Resources of one charge month, those to fix unless another state is chosen."""

    q = django_filters.CharFilter(label=_lazy("Resource"), method="named")
    month = MonthFilter(label=_lazy("Month"), method="combined")
    state = django_filters.ChoiceFilter(
        label=_lazy("State"), choices=WORKLIST_STATES, method="combined", empty_label=None
    )
    team = django_filters.MultipleChoiceFilter(label=_lazy("Team"), method="of_teams")
    tag = django_filters.ChoiceFilter(label=_lazy("Tag"), method="combined", empty_label=_lazy("any"))
    fact = django_filters.ChoiceFilter(
        label=_lazy("State of the tag"),
        choices=TagFact.State.choices,
        method="combined",
        empty_label=_lazy("anything wrong"),
    )
    account = django_filters.MultipleChoiceFilter(label=_lazy("Account"), field_name="sub_account")
    service = django_filters.MultipleChoiceFilter(label=_lazy("Service"), field_name="service")
    provider = django_filters.MultipleChoiceFilter(label=_lazy("Provider"), field_name="provider")
    currency = django_filters.CharFilter(field_name="currency", widget=forms.HiddenInput())

    class Meta:
        model = TaggedResource
        fields: list[str] = []

    def __init__(
        self, data: QueryDict | None = None, *args: Any, request: HttpRequest, today: date, **kwargs: Any
    ) -> None:
        data = data.copy() if data is not None else QueryDict(mutable=True)
        data.setdefault("state", "wrong")
        super().__init__(data, *args, request=request, **kwargs)
        self.today = today
        for name in ("team", "account", "service", "provider"):
            self.filters[name].extra["choices"] = filter_choices.values(signed_in_user(request), name)
        if month := self.month_shown:
            self.data.setdefault("month", str(month))
        self.filters["tag"].extra["choices"] = [(key, key) for key in compliance_figures.requirements()]

    @property
    def month_shown(self) -> Month | None:
        return compliance_figures.month_for(self.data.get("month", ""), self.today)

    def filter_queryset(self, queryset: TaggedResourceQuerySet) -> TaggedResourceQuerySet:
        month = self.month_shown
        if month is None:
            return queryset.none()
        rows = super().filter_queryset(queryset).in_month(month)
        state, tag, fact = (self.form.cleaned_data.get(name) for name in ("state", "tag", "fact"))
        if state == "untaggable":
            return rows.exclude(why_not="")
        if tag or fact:
            # The outcomes in which a tag, or any required one, is in this state; without a state: not right.
            facts = TagFact.objects.filter(tag=tag) if tag else TagFact.objects.filter(is_required=True)
            facts = facts.filter(state=fact) if fact else facts.exclude(state=TagFact.State.OK)
            rows = rows.filter(verdict__in=facts.values("verdict"))
        if state == "all" or fact:
            return rows.taggable()
        rows = rows.with_state(self.today)
        return rows.wrong(self.today) if (state or "wrong") == "wrong" else rows.filter(state=state)

    def combined(self, queryset: TaggedResourceQuerySet, name: str, value: object) -> TaggedResourceQuerySet:
        """Applied in `filter_queryset`: these belong together."""
        return queryset

    def named(self, queryset: TaggedResourceQuerySet, name: str, value: str) -> TaggedResourceQuerySet:
        """Resources with the text in their id or name."""
        return queryset.filter(Q(resource__icontains=value) | Q(resource_name__icontains=value))

    def of_teams(self, queryset: TaggedResourceQuerySet, name: str, values: list[str]) -> TaggedResourceQuerySet:
        """Resources of the teams and the teams below them."""
        return cast(TaggedResourceQuerySet, of_teams(queryset, values)) if values else queryset

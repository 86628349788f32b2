"""The filters of the worklist; figures of the overview link here with them."""

from datetime import date
from typing import Any

import django_filters
from django import forms
from django.db.models import Q

from costs.query import filter_choices, spend
from finops_site.ui.filters import MonthFilter
from tagging.models import TagFact, TaggedResource
from tagging.policy import compliance_figures

WORKLIST_STATES = [
    ("wrong", "to fix"),
    ("compliant", "complies"),
    ("excepted", "excepted"),
    ("all", "everything that can carry tags"),
    ("untaggable", "cannot carry tags"),
]


class ResourceFilter(django_filters.FilterSet):
    """Resources of one charge month, those to fix unless another state is asked for."""

    q = django_filters.CharFilter(label="Resource", method="named")
    month = MonthFilter(label="Month", method="passed")
    state = django_filters.ChoiceFilter(label="State", choices=WORKLIST_STATES, method="passed", empty_label=None)
    team = django_filters.MultipleChoiceFilter(label="Team", method="of_teams")
    tag = django_filters.ChoiceFilter(label="Tag", method="passed", empty_label="any")
    fact = django_filters.ChoiceFilter(
        label="What is the case", choices=TagFact.State.choices, method="passed", empty_label="anything wrong"
    )
    account = django_filters.MultipleChoiceFilter(label="Account", field_name="sub_account")
    service = django_filters.MultipleChoiceFilter(label="Service", field_name="service")
    provider = django_filters.MultipleChoiceFilter(label="Provider", field_name="provider")
    currency = django_filters.CharFilter(field_name="currency", widget=forms.HiddenInput())

    class Meta:
        model = TaggedResource
        fields: list[str] = []

    def __init__(self, data: Any = None, *args: Any, request: Any = None, today: date, **kwargs: Any) -> None:
        data = data.copy() if data is not None else {}
        data.setdefault("state", "wrong")
        super().__init__(data, *args, request=request, **kwargs)
        self.today = today
        for name in ("team", "account", "service", "provider"):
            self.filters[name].extra["choices"] = filter_choices.values(request.user, name)
        if month := self.month_shown:
            self.data.setdefault("month", str(month))
        self.filters["tag"].extra["choices"] = [(key, key) for key in compliance_figures.requirements()]

    @property
    def month_shown(self) -> Any:
        return compliance_figures.month_for(self.data.get("month", ""), self.today)

    def filter_queryset(self, queryset: Any) -> Any:
        found = super().filter_queryset(queryset)
        month = self.month_shown
        if month is None:
            return found.none()
        said = self.form.cleaned_data
        return self._in_state(found.in_month(month), said.get("state") or "wrong", said.get("tag"), said.get("fact"))

    def _in_state(self, found: Any, state: str, tag: str, fact: str) -> Any:
        if state == "untaggable":
            return found.exclude(why_not="")
        if tag or fact:
            found = found.taggable().filter(verdict__in=_verdicts(tag, fact))
            return found if fact or state == "all" else found.with_state(self.today).filter(state=state)
        if state == "all":
            return found.taggable()
        return found.with_state(self.today).filter(state=state)

    def passed(self, queryset: Any, name: str, value: Any) -> Any:
        """Looked at in `filter_queryset`: these belong together."""
        return queryset

    def named(self, queryset: Any, name: str, value: str) -> Any:
        """Resources with the words in their id or name."""
        return queryset.filter(Q(resource__icontains=value) | Q(resource_name__icontains=value))

    def of_teams(self, queryset: Any, name: str, values: list[str]) -> Any:
        """Resources of the teams and the teams below them."""
        return spend.of_teams(queryset, values) if values else queryset


def _verdicts(tag: str, fact: str) -> Any:
    """The outcomes in which a tag, or any required one, is in a state; without a state: not right."""
    facts = TagFact.objects.filter(tag=tag) if tag else TagFact.objects.filter(is_required=True)
    facts = facts.filter(state=fact) if fact else facts.exclude(state=TagFact.State.OK)
    return facts.values("verdict")

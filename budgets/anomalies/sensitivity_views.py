"""How sensitive anomaly detection is: the list, a form for one scope, and the way back to normal."""

from collections.abc import Callable
from typing import Any, cast

import django_tables2
from django import forms
from django.contrib import messages
from django.core.exceptions import PermissionDenied, ValidationError
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import get_object_or_404, redirect
from django.urls import reverse, reverse_lazy
from django.utils.functional import cached_property
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.views.generic import View

from budgets.anomalies.sensitivity import check_sensitivity, may_set_sensitivity, remove_sensitivity, save_sensitivity
from budgets.models import AnomalySensitivity
from budgets.permissions import led_teams
from finops_site.lib.person import Person
from finops_site.models import Team
from finops_site.translation import gettext_lazy as _lazy
from finops_site.ui.pages import Action, Empty, FormPage, ListPage, Page
from finops_site.ui.tables import BaseTable, StatusColumn

LEVELS = {
    "high": (_lazy("high"), "busy", "trending-up"),
    "normal": (_lazy("normal"), "calm", "point"),
    "low": (_lazy("low"), "calm", "trending-down"),
}


def may_set_any(person: Person) -> bool:
    """Whether there is a scope whose sensitivity she may set: finance and those who lead a team."""
    return person.has_perm("budgets.change_budget") or bool(led_teams(person))


class SensitivityTable(BaseTable):
    scope = django_tables2.Column(_lazy("Of what"), accessor="scope_name", orderable=False)
    level = StatusColumn(_lazy("Level"), states=LEVELS)
    why = django_tables2.Column(_lazy("Why"))

    class Meta(BaseTable.Meta):
        model = AnomalySensitivity
        fields = ()
        caption = _lazy("Sensitivity")

    @cached_property
    def can_set(self) -> Callable[[int | None], bool]:
        """Whether who reads may set it for a team, or where no team is named: by one question for all rows."""
        person = self.request.user
        led = set() if person.has_perm("budgets.change_budget") else led_teams(person)
        return lambda team: person.has_perm("budgets.change_budget") or team in led

    def render_scope(self, value: str, record: AnomalySensitivity) -> str | SafeString:
        if not self.can_set(record.team_id):
            return value
        return format_html('<a href="{}">{}</a>', reverse("budgets:sensitivity", args=[record.pk]), value)

    def value_scope(self, value: str) -> str:
        return value


class SensitivitiesPage(ListPage):
    permission_required = "budgets.propose_budget"
    model = AnomalySensitivity
    title = _lazy("Sensitivity of anomalies")
    subtitle = _lazy(
        "How much it takes to be an anomaly. What is not listed is normal; changes hold from the next night on."
    )
    table_class = SensitivityTable
    breadcrumbs = ((_lazy("Anomalies"), "budgets:anomalies"),)
    empty = Empty(
        _lazy("All is normal"), _lazy("No team, service or account has a sensitivity of its own."), "adjustments"
    )
    actions = (
        Action(_lazy("Set for a scope"), "budgets:sensitivity_add", "plus", "budgets.propose_budget", primary=True),
    )

    def get_actions(self) -> list[Action]:
        return super().get_actions() if may_set_any(self.person) else []


class SensitivityForm(forms.ModelForm):
    class Meta:
        model = AnomalySensitivity
        fields = ["team", "service", "account", "level", "why"]
        help_texts = {
            "team": _lazy("With the teams below it, as far as these have none of their own."),
            "service": _lazy("Spelled as in the bill; empty for all."),
            "level": _lazy(
                "High: from 15% and 3 deviations; normal: 25% and 4; low: 50%, 6 and three times the money."
            ),
        }

    def __init__(self, *args: Any, person: Person, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.person = person
        teams = Team.objects.visible_to(person)
        if not person.has_perm("budgets.change_budget"):
            teams = teams.filter(pk__in=led_teams(person))
            self.fields["team"].required = True
        cast(forms.ModelChoiceField, self.fields["team"]).queryset = teams

    def clean(self) -> dict[str, Any]:
        values = super().clean() or {}
        if not self.errors:
            for name, value in values.items():
                setattr(self.instance, name, value)
            try:
                check_sensitivity(self.instance, self.person)
            except PermissionDenied as error:
                raise ValidationError(str(error)) from None
        return values


class EditSensitivity(FormPage):
    permission_required = "budgets.propose_budget"
    model = AnomalySensitivity
    form_class = SensitivityForm
    breadcrumbs = ((_lazy("Anomalies"), "budgets:anomalies"), (_lazy("Sensitivity"), "budgets:sensitivities"))
    cancel_url_name = "budgets:sensitivities"
    success_url = reverse_lazy("budgets:sensitivities")
    success_message = _lazy("It holds from the next night on.")

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        if self.person.is_authenticated and not self._may():
            raise PermissionDenied
        return super().dispatch(request, *args, **kwargs)

    def _may(self) -> bool:
        if self.object is not None:
            return may_set_sensitivity(self.person, self.object.team_id)
        return may_set_any(self.person)

    def get_title(self) -> str:
        return (
            _("Sensitivity of {scope_name}").format(scope_name=self.object.scope_name)
            if self.object
            else _("Set the sensitivity of a scope")
        )

    def get_form_kwargs(self) -> dict[str, Any]:
        return {**super().get_form_kwargs(), "person": self.person}

    def get_actions(self) -> list[Action]:
        return []

    def save(self, form: SensitivityForm) -> AnomalySensitivity:
        return save_sensitivity(form.instance, self.person)


class RemoveSensitivity(Page, View):
    """Back to normal."""

    permission_required = "budgets.propose_budget"
    http_method_names = ["post"]

    def post(self, request: HttpRequest, pk: int) -> HttpResponse:
        row = get_object_or_404(AnomalySensitivity.objects.visible_to(self.person), pk=pk)
        name = row.scope_name
        remove_sensitivity(row, self.person)
        messages.success(request, _("{name} is normal again, from the next night on.").format(name=name))
        return redirect("budgets:sensitivities")

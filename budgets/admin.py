"""The admin of budgets, read only but for sensitivities and the allow-list of controls: as whom they act in an account.

Amounts are changed on their pages, where every change has a version.
"""

from django.contrib import admin
from django.db.models import Model, QuerySet
from django.forms import ModelForm
from django.http import HttpRequest
from unfold.admin import ModelAdmin

from budgets.anomalies.sensitivity import remove_sensitivity, save_sensitivity
from budgets.models import (
    Alert,
    AnomalySensitivity,
    Budget,
    Control,
    ControlAccess,
    ControlChangeSet,
    KnownCharge,
)
from finops_site.people.signed_in import signed_in_user


class ReadOnly(ModelAdmin):
    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False

    def get_queryset(self, request: HttpRequest) -> QuerySet:
        return super().get_queryset(request).visible_to(request.user)


@admin.register(Budget)
class BudgetAdmin(ReadOnly):
    list_display = ["name", "team", "kind", "currency", "state", "version"]
    list_filter = ["state", "kind", "team"]
    list_select_related = ["team"]
    search_fields = ["name"]


@admin.register(Alert)
class AlertAdmin(ReadOnly):
    list_display = ["budget", "kind", "state", "opened_at", "acknowledged_by"]
    list_filter = ["state", "kind"]
    list_select_related = ["budget", "acknowledged_by"]


@admin.register(Control)
class ControlAdmin(ReadOnly):
    list_display = ["name", "budget", "action", "is_active", "armed_by", "armed_until"]
    list_filter = ["action", "is_active"]
    list_select_related = ["budget", "armed_by"]
    search_fields = ["name"]


@admin.register(ControlChangeSet)
class ControlChangeSetAdmin(ReadOnly):
    list_display = ["control", "state", "proposed_at", "proposed_by", "approved_by", "ends_at"]
    list_filter = ["state"]
    list_select_related = ["control", "proposed_by", "approved_by"]


@admin.register(ControlAccess)
class ControlAccessAdmin(ModelAdmin):
    """As whom controls act in an account; it shows no secret. An administrator keeps the allow-list, finance arms."""

    list_display = ["account", "credential", "endpoint", "actions"]
    search_fields = ["account"]
    list_select_related = ["credential"]


@admin.register(KnownCharge)
class KnownChargeAdmin(ReadOnly):
    list_display = ["budget", "description", "day", "amount", "repeats", "until"]
    list_filter = ["repeats"]
    list_select_related = ["budget"]
    search_fields = ["description"]


@admin.register(AnomalySensitivity)
class AnomalySensitivityAdmin(ModelAdmin):
    """Finance sets how sensitive anomaly detection is, by the same service as the page."""

    list_display = ["scope_name", "level", "why"]
    list_filter = ["level", "team"]
    list_select_related = ["team"]
    search_fields = ["service", "account"]

    def has_view_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return request.user.has_perm("budgets.change_budget")

    def has_add_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("budgets.change_budget")

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return request.user.has_perm("budgets.change_budget")

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return request.user.has_perm("budgets.change_budget")

    def has_module_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("budgets.change_budget")

    def save_model(self, request: HttpRequest, obj: AnomalySensitivity, form: ModelForm, change: bool) -> None:
        save_sensitivity(obj, signed_in_user(request))

    def delete_model(self, request: HttpRequest, obj: AnomalySensitivity) -> None:
        remove_sensitivity(obj, signed_in_user(request))

    def delete_queryset(self, request: HttpRequest, queryset: QuerySet[AnomalySensitivity]) -> None:
        for row in queryset:
            remove_sensitivity(row, signed_in_user(request))

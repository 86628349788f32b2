"""The admin of budgets, read only: amounts are changed on their pages, where every change has a version."""

from django.contrib import admin
from django.db.models import Model, QuerySet
from django.http import HttpRequest
from unfold.admin import ModelAdmin

from budgets.models import Alert, Budget


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

"""The admin of the programme, read only: plans are changed on their pages, and a recorded decision never."""

from django.contrib import admin
from django.db.models import Model, QuerySet
from django.http import HttpRequest
from unfold.admin import ModelAdmin

from programme.models import Assumption, AssumptionChange, DecisionPoint, Programme


class ReadOnly(ModelAdmin):
    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False

    def get_queryset(self, request: HttpRequest) -> QuerySet:
        rows: QuerySet = super().get_queryset(request).visible_to(request.user)
        return rows


@admin.register(Programme)
class ProgrammeAdmin(ReadOnly):
    list_display = ["name", "start", "days", "status", "ended_on"]
    list_filter = ["status"]


@admin.register(DecisionPoint)
class DecisionPointAdmin(ReadOnly):
    list_display = ["name", "programme", "due", "verdict", "decided_by_name", "decided_at"]
    list_filter = ["verdict"]
    list_select_related = ["programme"]


@admin.register(Assumption)
class AssumptionAdmin(ReadOnly):
    list_display = ["key", "conservative", "expected", "optimistic", "currency", "source", "changed_by", "changed_at"]
    list_select_related = ["changed_by"]


@admin.register(AssumptionChange)
class AssumptionChangeAdmin(ReadOnly):
    list_display = ["assumption", "at", "by_name", "reason"]
    list_select_related = ["assumption"]

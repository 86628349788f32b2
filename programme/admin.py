"""The admin of the programme: facts, which are looked at and never edited there."""

from django.contrib import admin

from finops_site.admin import FactAdmin
from finops_site.lib.person import Person
from programme.models import Assumption, AssumptionChange
from programme.models.savings_model import CompanyFigureQuerySet


class CompanyFigureAdmin(FactAdmin):
    def visible(self, rows: CompanyFigureQuerySet, user: Person) -> CompanyFigureQuerySet:
        return rows.visible_to(user)


@admin.register(Assumption)
class AssumptionAdmin(CompanyFigureAdmin):
    list_display = ["key", "conservative", "expected", "optimistic", "currency", "source", "changed_by", "changed_at"]
    list_select_related = ["changed_by"]


@admin.register(AssumptionChange)
class AssumptionChangeAdmin(CompanyFigureAdmin):
    list_display = ["assumption", "at", "by_name", "reason"]
    list_select_related = ["assumption"]

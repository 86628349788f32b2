"""The admin of commitments: read-only; commitments are completed by CSV, prices are loaded."""

from django.contrib import admin
from django.db.models import QuerySet

from finops_site.admin import FactAdmin
from finops_site.lib.person import Person
from reservations.models import Commitment, Notice, Plan, PurchaseRequest, Rate, StandingOrder, Utilisation
from reservations.querysets import CommitmentQuerySet, PlanQuerySet, PurchaseQuerySet, UtilisationQuerySet


@admin.register(Commitment)
class CommitmentAdmin(FactAdmin):
    list_display = ["__str__", "kind", "provider", "region", "end", "owner", "source"]
    list_filter = ["kind", "source"]
    list_select_related = ["owner"]
    search_fields = ["commitment_id", "name"]

    def visible(self, rows: CommitmentQuerySet, user: Person) -> CommitmentQuerySet:
        return rows.visible_to(user)


@admin.register(Utilisation)
class UtilisationAdmin(FactAdmin):
    list_display = ["commitment", "day", "used", "unused", "unit", "unused_cost", "currency"]
    list_select_related = ["commitment"]

    def visible(self, rows: UtilisationQuerySet, user: Person) -> UtilisationQuerySet:
        return rows.visible_to(user)


@admin.register(Plan)
class PlanAdmin(FactAdmin):
    list_display = ["__str__", "state", "confidence", "cost_before", "cost_after", "lower_bound", "currency"]
    list_select_related = ["team"]

    def visible(self, rows: PlanQuerySet, user: Person) -> PlanQuerySet:
        return rows.visible_to(user)


@admin.register(Rate)
class RateAdmin(FactAdmin):
    list_display = ["__str__", "term_months", "payment", "hourly", "upfront", "currency", "source", "day"]
    list_filter = ["kind", "is_indicative"]
    search_fields = ["instance_type", "region"]

    def visible(self, rows: QuerySet, user: Person) -> QuerySet:
        return rows


@admin.register(Notice)
class NoticeAdmin(FactAdmin):
    list_display = ["text", "kind", "about", "made_at", "sent_at"]


@admin.register(PurchaseRequest)
class PurchaseRequestAdmin(FactAdmin):
    list_display = ["__str__", "state", "value", "currency", "requested_by", "approved_by", "reference"]
    list_filter = ["state", "kind"]
    list_select_related = ["requested_by", "approved_by"]
    search_fields = ["reference", "instance_type"]

    def visible(self, rows: PurchaseQuerySet, user: Person) -> PurchaseQuerySet:
        return rows.visible_to(user)


@admin.register(StandingOrder)
class StandingOrderAdmin(FactAdmin):
    list_display = ["name", "team", "is_active", "minimum_utilisation", "made_by", "last_result"]
    list_select_related = ["team", "made_by"]

    def visible(self, rows: PlanQuerySet, user: Person) -> PlanQuerySet:
        return rows.visible_to(user)

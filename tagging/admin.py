"""The admin of ownership: finance edits the rules; who may see teams may read them."""

from django.contrib import admin
from django.db.models import QuerySet
from django.forms import ModelForm
from django.http import HttpRequest
from unfold.admin import ModelAdmin

from finops_site.people.signed_in import signed_in_user
from finops_site.translation import gettext_lazy as _lazy
from tagging.models import CONDITIONS, OwnershipRule
from tagging.ownership import rules
from tagging.remediation import admin as remediation_admin  # noqa: F401


@admin.register(OwnershipRule)
class OwnershipRuleAdmin(ModelAdmin):
    """Edits ownership rules by the same services as the pages: each change is versioned and applied."""

    list_display = ["name", "order", "team", "pool", "conditions", "is_active"]
    list_editable = ["order", "is_active"]
    list_filter = ["team", "pool", "is_active"]
    list_select_related = ["team", "pool"]
    search_fields = ["name", "tag_value", "sub_account", "service"]
    autocomplete_fields = ["team"]
    fieldsets = [
        (None, {"fields": ["name", "team", "pool", "start", "end", "order", "is_active"]}),
        (_lazy("Cost that meets every condition given"), {"fields": list(CONDITIONS)}),
    ]

    @admin.display(description="when")
    def conditions(self, rule: OwnershipRule) -> str:
        given = {name: getattr(rule, name) for name in CONDITIONS}
        return ", ".join(f"{name.replace('_', ' ')} {value}" for name, value in given.items() if value)

    def save_model(self, request: HttpRequest, obj: OwnershipRule, form: ModelForm, change: bool) -> None:
        rules.save_rule(obj, signed_in_user(request))

    def delete_model(self, request: HttpRequest, obj: OwnershipRule) -> None:
        rules.delete_rules([obj], signed_in_user(request))

    def delete_queryset(self, request: HttpRequest, queryset: QuerySet[OwnershipRule]) -> None:
        rules.delete_rules(queryset, signed_in_user(request))

"""The admin of tagging access: as whom tags are set in an account. It shows no secret."""

from django.contrib import admin
from unfold.admin import ModelAdmin

from tagging.models import TaggingAccess


@admin.register(TaggingAccess)
class TaggingAccessAdmin(ModelAdmin):
    list_display = ["sub_account", "credential", "endpoint", "per_call"]
    search_fields = ["sub_account"]
    list_select_related = ["credential"]

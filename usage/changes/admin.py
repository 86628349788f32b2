"""The admin of fixes by role: an administrator keeps the allow-list; nothing is approved or applied here."""

from django.contrib import admin
from unfold.admin import ModelAdmin

from usage.models import FixAccess


@admin.register(FixAccess)
class FixAccessAdmin(ModelAdmin):
    """As whom findings are mended in an account, and by which actions; it shows no secret."""

    list_display = ["account", "credential", "endpoint", "actions"]
    search_fields = ["account"]
    list_select_related = ["credential"]

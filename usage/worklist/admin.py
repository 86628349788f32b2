"""The admin of the worklist: trackers are edited here, findings are read and answered by the service of the pages."""

from django import forms
from django.conf import settings
from django.contrib import admin, messages
from django.core.exceptions import ValidationError
from django.db.models import Model, QuerySet
from django.http import HttpRequest
from django.utils import timezone
from django.utils.translation import gettext as _
from unfold.admin import ModelAdmin

from finops_site.lib import http_client
from finops_site.people.signed_in import signed_in_user
from finops_site.translation import gettext_lazy as _lazy
from finops_site.ui.bulk_results import BulkRefused
from usage.models import Finding, Tracker
from usage.worklist.answers import Answer, Verb, answer_findings


class TrackerForm(forms.ModelForm):
    """A tracker, whose address is one that tickets may be sent to."""

    def clean_url(self) -> str:
        """Refused at once, as each ticket would fail; a name that nobody knows just now may be known by then."""
        url: str = self.cleaned_data["url"]
        try:
            http_client.check_address_resolves(url, settings.FINOPS_HTTP_ALLOWED_HOSTS)
        except http_client.Undeliverable as reason:
            if not reason.temporary:
                raise ValidationError(str(reason)) from None
        return url


@admin.register(Tracker)
class TrackerAdmin(ModelAdmin):
    """Where tickets are made. It shows no secret: that is the credential's."""

    form = TrackerForm
    list_display = ["name", "system", "project", "team", "is_active"]
    list_filter = ["system", "is_active"]
    list_select_related = ["team"]
    search_fields = ["name", "project"]
    autocomplete_fields = ["team"]


@admin.register(Finding)
class FindingAdmin(ModelAdmin):
    """Findings are made by evaluations: here they are read, and answered as on their pages."""

    list_display = ["rule", "resource", "owner", "state", "counted_saving", "currency"]
    list_filter = ["state", "rule", "confidence"]
    list_select_related = ["owner"]
    search_fields = ["resource", "resource_name"]
    actions = ["mark_mended", "reopen"]

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        # Its fields are the evaluation's; who may answer has the actions.
        return False

    def has_answer_permission(self, request: HttpRequest) -> bool:
        return signed_in_user(request).has_perm("usage.change_finding")

    def get_queryset(self, request: HttpRequest) -> QuerySet:
        return Finding.objects.visible_to(signed_in_user(request)).order_by("-id")

    @admin.action(description=_lazy("Mended"), permissions=["answer"])
    def mark_mended(self, request: HttpRequest, queryset: QuerySet[Finding]) -> None:
        self._answer(request, queryset, Verb.MENDED)

    @admin.action(description=_lazy("Reopen"), permissions=["answer"])
    def reopen(self, request: HttpRequest, queryset: QuerySet[Finding]) -> None:
        self._answer(request, queryset, Verb.REOPEN)

    def _answer(self, request: HttpRequest, queryset: QuerySet[Finding], verb: Verb) -> None:
        pks = list(queryset.values_list("pk", flat=True))
        try:
            result = answer_findings(pks, Answer(verb), user=signed_in_user(request), now=timezone.now())
        except BulkRefused as problem:
            self.message_user(request, str(problem), messages.ERROR)
            return
        text = _("{count} done, {left} left out.").format(count=result.count, left=len(result.left_out))
        self.message_user(request, text, messages.SUCCESS if result.count else messages.WARNING)

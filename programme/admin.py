"""The admin of the programme: targets of KPIs, comments and schedules of reports go through the services of pages.

The rest is read only: plans are changed on their pages, and a recorded decision never.
"""

from typing import Any, cast

from django import forms
from django.contrib import admin
from django.core.exceptions import ValidationError
from django.db.models import Model, QuerySet
from django.http import HttpRequest
from django.utils import timezone
from unfold.admin import ModelAdmin

from finops_site.people.signed_in import signed_in_user
from finops_site.translation import gettext_lazy as _lazy
from programme.kpis import catalogue, targets
from programme.kpis.forms import CommentForm, KpiForm
from programme.models import (
    Assumption,
    AssumptionChange,
    DecisionPoint,
    Kpi,
    KpiComment,
    Programme,
    ReportSchedule,
)
from programme.reports import schedules
from programme.reports.forms import ScheduleForm


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


def _kpi_field() -> forms.ChoiceField:
    return forms.ChoiceField(
        label=_lazy("KPI"), choices=lambda: [(kpi.name, str(kpi.label)) for kpi in catalogue.all_kpis()]
    )


class KpiAdminForm(KpiForm):
    """Target and owner of a KPI; of a new row, which KPI."""

    kpi = _kpi_field()

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if self.instance.pk:
            field = self.fields["kpi"]
            field.disabled, self.initial["kpi"] = True, self.instance.name

    def clean(self) -> dict[str, Any]:
        values = super().clean() or {}
        name = values.get("kpi", "")
        kpi = next((kpi for kpi in catalogue.all_kpis() if kpi.name == name), None)
        if self.errors:
            return values
        if kpi is None:
            raise ValidationError(_lazy("Nobody works out this figure any more."))
        if self.instance.pk is None and Kpi.objects.filter(name=name).exists():
            self.add_error("kpi", _lazy("This KPI has its target already: change that one."))
            return values
        # Only what was sent is looked at: the row itself is written by the service.
        try:
            targets.check_settings(kpi, Kpi(name=name, **{field: values[field] for field in targets.EDITABLE}))
        except targets.BadTarget as problem:
            raise ValidationError(str(problem)) from None
        return values


@admin.register(Kpi)
class KpiAdmin(ModelAdmin):
    """What finance decides about KPIs, as on their pages; who sees the whole company reads it."""

    form = KpiAdminForm
    fields = ["kpi", *targets.EDITABLE]
    list_display = ["name", "target", "target_day", "currency", "owner", "changed_by", "changed_at"]
    list_select_related = ["owner", "changed_by"]

    def get_queryset(self, request: HttpRequest) -> QuerySet:
        rows = super().get_queryset(request)
        return rows if signed_in_user(request).sees_whole_company else rows.none()

    def has_add_permission(self, request: HttpRequest) -> bool:
        return self.has_change_permission(request)

    def save_model(self, request: HttpRequest, obj: Kpi, form: KpiAdminForm, change: bool) -> None:
        name = form.cleaned_data["kpi"]
        kpi = next(kpi for kpi in catalogue.all_kpis() if kpi.name == name)
        values = {field: form.cleaned_data[field] for field in targets.EDITABLE}
        saved = targets.save_settings(kpi, values, by=signed_in_user(request), now=timezone.now())
        obj.pk, obj.name = saved.pk, saved.name


class CommentAdminForm(CommentForm):
    kpi = _kpi_field()


@admin.register(KpiComment)
class KpiCommentAdmin(ReadOnly):
    """Comments on KPIs: whoever may write them on the pages writes them here, and nobody changes one."""

    form = CommentAdminForm
    fields = ["kpi", "text"]
    list_display = ["name", "author_name", "at", "text"]

    def has_view_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        person = signed_in_user(request)
        return person.sees_whole_company and person.has_perm("programme.view_kpi")

    def has_add_permission(self, request: HttpRequest) -> bool:
        person = signed_in_user(request)
        return person.sees_whole_company and person.has_perm("programme.add_kpicomment")

    def get_fields(self, request: HttpRequest, obj: Model | None = None) -> Any:
        return ["name", "text", "author_name", "at"] if obj else self.fields

    def save_model(self, request: HttpRequest, obj: KpiComment, form: CommentAdminForm, change: bool) -> None:
        kpi = next(kpi for kpi in catalogue.all_kpis() if kpi.name == form.cleaned_data["kpi"])
        made = targets.add_comment(kpi, form.cleaned_data["text"], by=signed_in_user(request), now=timezone.now())
        obj.pk, obj.name, obj.author_name = made.pk, made.name, made.author_name


@admin.register(ReportSchedule)
class ReportScheduleAdmin(ModelAdmin):
    """Schedules of reports by the form and the services of their pages; the address of a channel is never shown."""

    form = ScheduleForm
    list_display = ["name", "kind", "every", "channel", "owner", "is_paused"]
    list_filter = ["kind", "is_paused"]
    list_select_related = ["owner"]
    search_fields = ["name"]
    actions = ["pause", "resume", "take_over"]

    def get_queryset(self, request: HttpRequest) -> QuerySet:
        rows: QuerySet = super().get_queryset(request).visible_to(request.user)
        return rows

    def get_form(self, request: HttpRequest, obj: Any = None, change: bool = False, **kwargs: Any) -> Any:
        may_edit = self.has_change_permission(request, obj) if obj else self.has_add_permission(request)
        if not may_edit:
            return super().get_form(request, obj, change, form=forms.ModelForm, **kwargs)
        form, user = super().get_form(request, obj, change, **kwargs), signed_in_user(request)

        class OfUser(form):  # type: ignore[misc, valid-type]
            def __init__(self, *args: Any, **more: Any) -> None:
                super().__init__(*args, user=user, **more)

        return OfUser

    def get_fields(self, request: HttpRequest, obj: Model | None = None) -> Any:
        # The addresses of channels are as secret as keys: who only reads sees none.
        shown = list(ScheduleForm.Meta.fields)
        if self.has_change_permission(request, obj) if obj else self.has_add_permission(request):
            return shown
        hidden = {"people", "addresses", "url", "secret"}
        return [name for name in shown if name not in hidden]

    def save_model(self, request: HttpRequest, obj: ReportSchedule, form: forms.ModelForm, change: bool) -> None:
        chosen = cast(ScheduleForm, form).cleaned_data
        schedules.save_schedule(obj, chosen["people"], chosen["addresses"], timezone.now())

    @admin.action(description=_lazy("Pause"), permissions=["change"])
    def pause(self, request: HttpRequest, queryset: QuerySet[ReportSchedule]) -> None:
        for schedule in queryset:
            schedules.pause(schedule)

    @admin.action(description=_lazy("Go on"), permissions=["change"])
    def resume(self, request: HttpRequest, queryset: QuerySet[ReportSchedule]) -> None:
        for schedule in queryset:
            schedules.resume(schedule, timezone.now())

    @admin.action(description=_lazy("Take over"), permissions=["change"])
    def take_over(self, request: HttpRequest, queryset: QuerySet[ReportSchedule]) -> None:
        for schedule in queryset:
            schedules.take_over(schedule, signed_in_user(request))

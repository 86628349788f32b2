"""The pages of schedules: who gets which report when, what was sent, and the buttons."""

from collections.abc import Callable
from typing import Any

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.utils import timezone
from django.utils.functional import cached_property
from django.utils.translation import gettext as _
from django.views.generic import View

from finops_site.translation import gettext_lazy as _lazy
from finops_site.ui.pages import Action, DetailPage, Empty, FormPage, ListPage, Page
from programme.models import Communication, MadeReport, ReportDelivery, ReportSchedule
from programme.reports import runs, schedules, sending
from programme.reports.forms import ScheduleForm
from programme.reports.readers import NoAccess
from programme.reports.tables import ScheduleTable
from programme.roadmap import communications, milestones
from programme.roadmap.plans import CannotDo

SEE, ADD, CHANGE, DELETE = (f"programme.{verb}_reportschedule" for verb in ("view", "add", "change", "delete"))
SEND = "programme.send_madereport"
SHOWN_RUNS = 12


class SchedulesPage(ListPage):
    permission_required = SEE
    model = ReportSchedule
    title = _lazy("Schedules")
    subtitle = _lazy("Reports that are made and sent by themselves. Each recipient gets what she may see.")
    table_class = ScheduleTable
    can_be_saved = False
    export_name = "report-schedules"
    actions = (Action(_lazy("New schedule"), "programme:report_schedule_add", "plus", ADD, primary=True),)
    empty = Empty(
        _lazy("No schedule yet"),
        _lazy(
            "The monthly report to the executives, the update every two weeks to a channel: finance sets them up here."
        ),
        "clock",
        Action(_lazy("New schedule"), "programme:report_schedule_add", "plus", ADD),
    )

    def get_queryset(self) -> Any:
        return super().get_queryset().select_related("owner", "team").prefetch_related("recipients__user")


class SchedulePage(DetailPage):
    """One schedule: to whom it goes, and what became of its last runs."""

    permission_required = SEE
    model = ReportSchedule
    template_name = "programme/schedule.html"
    object: ReportSchedule

    def get_subtitle(self) -> str:
        return f"{self.object.get_kind_display()}, {schedules.when_text(self.object)}"

    def get_breadcrumbs(self) -> list[tuple[str, str]]:
        return [(_("Schedules"), "programme:report_schedules")]

    def get_actions(self) -> list[Action]:
        edit = Action(_("Edit"), "programme:report_schedule_edit", "pencil", CHANGE, args=(self.object.pk,))
        return [edit] if self.person.has_perm(CHANGE) else []

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        shown = list(self.object.runs.prefetch_related("deliveries__user")[:SHOWN_RUNS])
        reports = {row.report_id for run in shown for row in run.deliveries.all() if row.report_id}
        readable = set(MadeReport.objects.visible_to(self.person).filter(pk__in=reports).values_list("pk", flat=True))
        return super().get_context_data(
            runs=shown,
            readable=readable,
            left=[row for row in self.object.recipients.select_related("user") if row.left_at],
            to_text=schedules.to_text(self.object),
            when=schedules.when_text(self.object),
            may_send=self.person.has_perm(SEND),
            may_change=self.person.has_perm(CHANGE),
            may_delete=self.person.has_perm(DELETE),
            **kwargs,
        )


class EditSchedule(FormPage):
    """Makes a schedule, or changes one; `?communication=3` makes one for a row of a plan, filled in from it."""

    model = ReportSchedule
    form_class = ScheduleForm
    cancel_url_name = "programme:report_schedules"

    permission_required = CHANGE
    parameters = ("communication",)

    @cached_property
    def communication(self) -> Communication | None:
        """The row of a plan that is to have this schedule, for who may change the plan."""
        number = self.request.GET.get("communication", "")
        if "pk" in self.kwargs or not (number.isascii() and number.isdecimal() and len(number) < 19):
            return None
        if not self.person.has_perm(milestones.MAY_CHANGE):
            return None
        return get_object_or_404(Communication.objects.visible_to(self.person), pk=number)

    def get_initial(self) -> dict[str, Any]:
        return communications.proposed_schedule(self.communication) if self.communication else {}

    def get_permission_required(self) -> str:
        return CHANGE if "pk" in self.kwargs else ADD

    def get_title(self) -> str:
        return str(self.object) if self.object else _("New schedule")

    def get_breadcrumbs(self) -> list[tuple[str, str]]:
        return [(_("Schedules"), "programme:report_schedules")]

    def get_form_kwargs(self) -> dict[str, Any]:
        return {**super().get_form_kwargs(), "user": self.person}

    def form_valid(self, form: ScheduleForm) -> HttpResponse:
        try:
            return super().form_valid(form)
        except CannotDo as error:
            form.add_error(None, str(error))
            return self.form_invalid(form)

    @transaction.atomic
    def save(self, form: ScheduleForm) -> ReportSchedule:
        chosen = form.cleaned_data
        saved = schedules.save_schedule(form.instance, chosen["people"], chosen["addresses"], timezone.now())
        if self.communication:
            self.communication.schedule_name = saved.name
            milestones.save_communication(self.communication)
        messages.success(self.request, _("{name} is saved.").format(name=saved))
        return saved


class ActOnSchedule(Page, View):
    """The buttons of a schedule: pause, resume, take over, send now, delete."""

    permission_required = CHANGE

    def post(self, request: HttpRequest, pk: int, verb: str) -> HttpResponse:
        schedule = get_object_or_404(ReportSchedule.objects.visible_to(self.person), pk=pk)
        verbs: dict[str, tuple[str, Callable[[ReportSchedule], str]]] = {
            "pause": (CHANGE, self._pause),
            "resume": (CHANGE, self._resume),
            "send": (SEND, self._send),
            "take-over": (CHANGE, self._take_over),
            "delete": (DELETE, self._delete),
        }
        if verb not in verbs:
            raise Http404
        permission, act = verbs[verb]
        if not self.person.has_perm(permission):
            raise PermissionDenied
        messages.success(request, act(schedule))
        return redirect("programme:report_schedules") if verb == "delete" else redirect(schedule)

    def _pause(self, schedule: ReportSchedule) -> str:
        schedules.pause(schedule)
        return _("{name} is paused.").format(name=schedule)

    def _resume(self, schedule: ReportSchedule) -> str:
        schedules.resume(schedule, timezone.now())
        return _("{name} goes on.").format(name=schedule)

    def _take_over(self, schedule: ReportSchedule) -> str:
        schedules.take_over(schedule, self.person)
        return _("{name} is yours now.").format(name=schedule)

    def _send(self, schedule: ReportSchedule) -> str:
        runs.run_now(schedule, self.person, timezone.now())
        return _("{name} is being made, and sent to everybody on it.").format(name=schedule)

    def _delete(self, schedule: ReportSchedule) -> str:
        name = str(schedule)
        schedule.delete()
        return _("{name} is deleted. What was sent stays in the list of reports.").format(name=name)


class SendAgain(Page, View):
    """Sends one delivery once more, as it was."""

    permission_required = SEND

    def post(self, request: HttpRequest, pk: int) -> HttpResponse:
        rows = ReportDelivery.objects.select_related("run__schedule__owner", "run__schedule__secret", "report", "user")
        delivery = get_object_or_404(rows, pk=pk)
        schedule = delivery.run.schedule
        if schedule is None or not ReportSchedule.objects.visible_to(self.person).filter(pk=schedule.pk).exists():
            raise Http404
        try:
            again = sending.send_again(delivery, timezone.now())
        except NoAccess as reason:
            messages.error(request, str(reason))
        else:
            messages.success(request, _("It is sent again to {to}.").format(to=again.to))
        return redirect(schedule)

"""Change sets of controls: the list, and one with its steps, its commands, its undo and what it saved."""

from typing import Any, cast

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import redirect
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from budgets.calc.controls import rules as control_rules
from budgets.calc.controls.rules import CannotControl
from budgets.calc.controls.scripts import VERBS, shown_command
from budgets.controls import approvals, running
from budgets.controls.next_steps import PERMISSIONS, next_steps, scripts_for, take_step
from budgets.controls.scripts import TO_UNDO, script_of
from budgets.controls.tables import (
    CHANGE_STATES,
    ChangeSetFilter,
    ChangeSetTable,
    ControlEventTable,
    StepTable,
)
from budgets.models import ControlChangeSet, ControlPolicy, ControlStep
from finops_site.lib.money import exact_sum
from finops_site.lib.periods import day_text, moment_text
from finops_site.lib.words import labelled, number_text
from finops_site.models import User
from finops_site.translation import gettext_lazy as _lazy
from finops_site.ui.downloads import download
from finops_site.ui.pages import Action, DetailPage, Empty, FollowedPage, ListPage

CONTROLS = Action(_lazy("Controls"), "budgets:controls", "shield-lock", "budgets.view_control")
SHOWN_COMMANDS = 50
Result = ControlStep.Result


class ControlChangesPage(ListPage):
    permission_required = "budgets.view_controlchangeset"
    model = ControlChangeSet
    title = _lazy("Change sets of controls")
    subtitle = _lazy("Proposed by a control, approved by a second person, run, undone, and compared with the bill.")
    table_class = ChangeSetTable
    filterset_class = ChangeSetFilter
    orderings = ("-proposed_at",)
    breadcrumbs = ((_lazy("Controls"), "budgets:controls"),)
    empty = Empty(
        _lazy("Nothing is proposed"),
        _lazy("When a threshold or an anomaly that a control watches is reached, what it would do is proposed here."),
        "shield-lock",
        CONTROLS,
    )

    def get_queryset(self) -> QuerySet[ControlChangeSet]:
        return super().get_queryset().select_related("control", "approved_by", "team")


class ControlChangePage(FollowedPage):
    permission_required = "budgets.view_controlchangeset"
    model = ControlChangeSet
    template_name = "budgets/control_change.html"
    breadcrumbs = ((_lazy("Controls"), "budgets:controls"), (_lazy("Change sets"), "budgets:control_changes"))

    def get_queryset(self) -> QuerySet[ControlChangeSet]:
        rows = super().get_queryset()
        return rows.select_related(
            "control__budget__team", "control__threshold__budget", "team", "alert__budget", "proposed_by", "approved_by"
        )

    def get_title(self) -> str:
        return self.object.title

    def get_subtitle(self) -> str:
        row = self.object
        text = (
            _("{why}. Proposed by itself, for {person}, {moment}.")
            if row.is_automatic
            else _("{why}. Proposed by {person}, {moment}.")
        )
        return text.format(why=row.why, person=row.proposed_by, moment=moment_text(row.proposed_at))

    def progress(self) -> dict[str, Any] | None:
        row = self.object
        if row.state != control_rules.RUNNING or not row.by_role:
            return None
        steps = list(row.steps.all())
        over = [
            step for step in steps if step.result not in (Result.READY, Result.WAITING, Result.RUNNING, Result.UNDOING)
        ]
        if row.is_undoing:
            over = [step for step in steps if step.result not in (*TO_UNDO,)]
        return {
            "label": _("It is being undone") if row.is_undoing else _("It is being run"),
            "percent": 100 * len(over) // max(1, len(steps)),
            "detail": ngettext("{done} of {count} step", "{done} of {count} steps", len(steps)).format(
                done=len(over), count=len(steps)
            ),
            "url": f"{row.get_absolute_url()}?progress=1",
        }

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        if self.asks_progress:
            return super().get_context_data(**kwargs)
        row, user, now = self.object, self.person, timezone.now()
        steps = list(row.steps.all())
        allowed = next_steps(row, user, now)
        context = {
            "row": row,
            "state": CHANGE_STATES[row.state],
            "stats": _stats(row, steps),
            "steps": StepTable(steps, request=None),
            "commands": [_commands(step, row) for step in steps[:SHOWN_COMMANDS]],
            "events": ControlEventTable(row.events.select_related("by"), request=None),
            "allowed": [step for step in allowed if not step.why],
            "refused": [step for step in allowed if step.why],
            "doubts": [step for step in steps if step.result in running.SETTLED_BY_PEOPLE]
            if user.has_perm(approvals.MAY_RUN)
            else [],
            "scripts": scripts_for(row, user),
            "pastes": _pastes(row, user),
            "notes": sorted({labelled(step.label, _(step.rules.note)) for step in steps if step.rules.note}),
            "policy": ControlPolicy.get(),
            "box": row.control.box_words,
        }
        return super().get_context_data(**{**context, **kwargs})

    def post(self, request: HttpRequest, pk: int) -> HttpResponse:
        self.object = row = self.get_object()
        verb = request.POST.get("verb", "")
        if verb not in PERMISSIONS:
            raise Http404
        if not request.user.has_perm(PERMISSIONS[verb]):
            raise PermissionDenied
        try:
            done = take_step(row, verb, user=self.person, now=timezone.now(), values=request.POST.dict())
        except CannotControl as problem:
            messages.error(request, str(problem))
        else:
            messages.success(request, f"{done.get_state_display().capitalize()}. {done.message}".strip())
        return redirect(row)


def _pastes(row: ControlChangeSet, user: User) -> list[tuple[str, str]]:
    """What may be pasted now, as (verb, label)."""
    if not user.has_perm(approvals.MAY_RUN):
        return []
    if row.state == control_rules.RUNNING and not row.by_role:
        undoing, running = _("What the undoing script printed"), _("What the running script printed")
        return [("ran", undoing if row.is_undoing else running)]
    pastes = []
    if row.state in (*control_rules.OPEN, control_rules.PARTLY_DONE):
        pastes.append(("checked", _("What the checking script printed")))
    if (row.state, "undo") in control_rules.TRANSITIONS and row.steps.filter(result__in=TO_UNDO).exists():
        pastes.append(("ran", _("What the undoing script printed")))
    return pastes


def _stats(row: ControlChangeSet, steps: list[ControlStep]) -> list[dict[str, Any]]:
    """The cards: how many resources, what they cost a day, what acting saves, and what the bill proves."""
    known = [step for step in steps if step.saving is not None]
    unknown = len(steps) - len(known)
    currency = next((step.currency for step in steps if step.currency), "")
    costs = [step.cost for step in steps if step.cost is not None and step.currency == currency]
    saving = exact_sum(step.saving for step in known if step.saving is not None and step.currency == currency)
    cards: list[dict[str, Any]] = [
        {
            "label": _("Resources"),
            "value": number_text(len(steps)),
            "note": _("{count} left out").format(count=number_text(row.left_out_count))
            if row.left_out_count
            else _("none left out"),
            "icon": "server",
        }
    ]
    if costs:
        note = _("by the bill until {known_until}").format(known_until=day_text(row.known_until))
        cards.append(
            {
                "label": _("Cost a day"),
                "amount": exact_sum(costs),
                "currency": currency,
                "note": note,
                "icon": "receipt",
            }
        )
    cards.append(
        {
            "label": _("Saves a day"),
            "amount": saving,
            "currency": currency,
            "note": _("of {unknown} not known").format(unknown=unknown) if unknown else _("net of commitments"),
            "icon": "coin",
        }
        if known
        else {"label": _("Saves a day"), "value": _("not known"), "note": _("the bill will show it"), "icon": "coin"}
    )
    if row.started_at:
        days = (
            ngettext("{saved_days} day of the bill", "{saved_days} days of the bill", row.saved_days).format(
                saved_days=row.saved_days
            )
            if row.saved_days
            else row.saved_note or _("measured every night")
        )
        cards.append(
            {
                "label": _("Saved"),
                "amount": row.saved,
                "currency": row.saved_currency,
                "note": row.saved_note or days,
                "icon": "report-money",
            }
            if row.saved is not None
            else {"label": _("Saved"), "value": _("not known yet"), "note": days, "icon": "report-money"}
        )
    return cards


def _commands(step: ControlStep, row: ControlChangeSet) -> dict[str, Any]:
    """The commands of a step as one may copy them, quoted; the undo as soon as the state before is known."""
    place, rules = step.place, step.rules
    known = bool(step.before)
    needs_before = _("needs the state before: the dry run reads it")
    return {
        "step": step,
        "read": shown_command(rules.read(place), place),
        "do": shown_command(rules.do(place, step.before, row.wanted), place) if known else needs_before,
        "undo": shown_command(rules.undo(place, step.before), place) if known else needs_before,
    }


class ControlScript(DetailPage):
    """A script of a change set, for whoever may run it, in a state in which it belongs."""

    permission_required = approvals.MAY_RUN
    model = ControlChangeSet

    def get(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        row = cast(ControlChangeSet, self.get_object())
        verb = self.kwargs["verb"]
        if verb not in VERBS:
            raise Http404
        if verb not in dict(scripts_for(row, self.person)):
            messages.error(
                request,
                _("There is no such script now: the change set is {state}.").format(state=row.get_state_display()),
            )
            return redirect(row)
        if objection := running.script_objection(row, verb, timezone.now()):
            messages.error(request, objection)
            return redirect(row)
        return download(script_of(row, verb), f"control-{row.pk}-{verb}", "sh", "text/x-shellscript; charset=utf-8")

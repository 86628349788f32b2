"""Controls: the list, one of them, defined, armed and switched off; the policy and the switch that stops all."""

from functools import cached_property
from typing import Any, cast

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.urls import reverse_lazy
from django.utils import timezone
from django.utils.text import capfirst
from django.utils.translation import gettext as _
from django.views.generic import View

from budgets.calc.controls.rules import CannotControl
from budgets.calc.controls.targets import EXAMPLES
from budgets.controls import approvals, proposals
from budgets.controls.forms import ArmForm, ControlForm, ControlPolicyForm
from budgets.controls.tables import ChangeSetTable, ControlFilter, ControlTable, control_state
from budgets.models import Budget, Control, ControlAccess, ControlChangeSet, ControlPolicy
from budgets.permissions import led_teams
from finops_site.lib.periods import moment_text
from finops_site.translation import gettext_lazy as _lazy
from finops_site.ui.pages import Action, DetailPage, Empty, FormPage, ListPage, Page

CRUMBS = ((_lazy("Controls"), "budgets:controls"),)
CHANGES = Action(_lazy("Change sets"), "budgets:control_changes", "list-details", "budgets.view_controlchangeset")
POLICY = Action(_lazy("Policy"), "budgets:control_policy", "shield-lock", "budgets.change_controlpolicy")
ADD = Action(_lazy("For anomalies"), "budgets:control_add", "plus", "budgets.add_control")
BUDGETS = Action(_lazy("Budgets"), "budgets:budgets", "target", "budgets.add_control")


class ControlsPage(ListPage):
    permission_required = "budgets.view_control"
    model = Control
    title = _lazy("Controls")
    template_name = "budgets/controls.html"
    subtitle = _lazy("What a threshold or an anomaly proposes to do, and never does without somebody's approval.")
    table_class = ControlTable
    filterset_class = ControlFilter
    actions = (CHANGES, POLICY, ADD)
    empty = Empty(
        _lazy("No control yet"),
        _lazy(
            "A control is the last resort of a budget: at a threshold it proposes to stop dev and test "
            "machines, for instance, with the commands that undo it. Finance opens a budget and adds one "
            "under Controls."
        ),
        "shield-lock",
        BUDGETS,
    )

    def get_queryset(self) -> QuerySet[Control]:
        rows = super().get_queryset()
        return rows.select_related("budget", "threshold__budget", "team", "armed_by")

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        return super().get_context_data(**{"policy": ControlPolicy.get(), **kwargs})


class ControlPage(DetailPage):
    permission_required = "budgets.view_control"
    model = Control
    template_name = "budgets/control.html"
    breadcrumbs = CRUMBS

    def get_queryset(self) -> QuerySet[Control]:
        rows = super().get_queryset()
        return rows.select_related("budget__team", "threshold__budget", "team", "armed_by", "changed_by")

    def get_subtitle(self) -> str:
        control = self.object
        return (
            _("{when}. {what}, for {box_words}.")
            .format(when=control.when, what=capfirst(control.what), box_words=control.box_words)
            .replace("for until", "until")
        )

    def get_actions(self) -> list[Action]:
        args, user = (self.object.pk,), self.person
        actions = []
        if user.has_perm(approvals.MAY_DEFINE):
            actions.append(Action(_("Edit"), "budgets:control_edit", "pencil", args=args, primary=True))
        if user.has_perm(approvals.MAY_ARM) and self.object.is_active:
            actions.append(Action(_("Arm"), "budgets:control_arm", "shield-lock", args=args))
        return actions

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        control, user, now = self.object, self.person, timezone.now()
        changes = ControlChangeSet.objects.visible_to(user).filter(control=control)
        changes = changes.select_related("control", "approved_by")[:20]
        access = ControlAccess.objects.filter(account__in=control.accounts)
        allowed = sorted(item.account for item in access if control.action in item.actions)
        owner = control.owner
        context = {
            "state": control_state(control),
            "policy": ControlPolicy.get(),
            "is_armed": control.is_armed(now),
            "by_role": allowed,
            "by_hand": sorted(set(control.accounts) - set(allowed)),
            "changes": ChangeSetTable(changes, request=None) if changes else None,
            "may_define": user.has_perm(approvals.MAY_DEFINE),
            "may_disarm": user.has_perm(approvals.MAY_ARM)
            or bool(owner and user.has_perm(approvals.MAY_APPROVE) and owner.pk in led_teams(user)),
            "may_propose": bool(control.budget_id and control.is_active and user.has_perm(approvals.MAY_PROPOSE)),
        }
        return super().get_context_data(**{**context, **kwargs})


class EditControl(FormPage):
    """A control of a budget (?budget= in the address of a new one), or of anomalies."""

    permission_required = "budgets.change_control"
    parameters = ("budget",)
    model = Control
    form_class = ControlForm
    template_name = "budgets/control_form.html"
    breadcrumbs = CRUMBS
    submit_label = _lazy("Save the control")

    def get_permission_required(self) -> str:
        return "budgets.change_control" if "pk" in self.kwargs else "budgets.add_control"

    @cached_property
    def budget(self) -> Budget | None:
        if self.object:
            return cast(Budget | None, self.object.budget)
        pk = self.request.GET.get("budget", "")
        if not pk:
            return None
        if not pk.isdecimal() or len(pk) > 18:
            raise Http404
        return get_object_or_404(Budget.objects.visible_to(self.person), pk=pk)

    def get_title(self) -> str:
        if self.object:
            return _("Change {object}").format(object=self.object)
        return _("A control of {budget}").format(budget=self.budget) if self.budget else _("A control of anomalies")

    def get_subtitle(self) -> str:
        return _("Somebody else approves what it proposes. Whoever changes it disarms it.")

    def get_form_kwargs(self) -> dict[str, Any]:
        return {**super().get_form_kwargs(), "user": self.person, "budget": self.budget}

    def save(self, form: ControlForm) -> Control:
        control = form.save(commit=False)
        approvals.save_control(control, user=self.person, now=timezone.now())
        messages.success(self.request, _("The control is saved. It proposes from now on, and is not armed."))
        return cast(Control, control)

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        return super().get_context_data(**{"examples": sorted(EXAMPLES.items()), **kwargs})


class ArmControl(FormPage):
    permission_required = approvals.MAY_ARM
    model = Control
    form_class = ArmForm
    breadcrumbs = CRUMBS
    submit_label = _lazy("Arm it")

    def get_title(self) -> str:
        return _("Arm {object}").format(object=self.object)

    def get_subtitle(self) -> str:
        return _("{when}: it will {what} by itself, without anybody's approval.").format(
            when=self.object.when, what=self.object.what
        )

    def get_form_kwargs(self) -> dict[str, Any]:
        kwargs = super().get_form_kwargs()
        kwargs.pop("instance")
        return kwargs

    def form_valid(self, form: ArmForm) -> HttpResponse:
        try:
            control = approvals.arm(
                self.object.pk, user=self.person, until=form.cleaned_data["until"], now=timezone.now()
            )
        except CannotControl as problem:
            form.add_error(None, str(problem))
            return self.form_invalid(form)
        messages.warning(self.request, _("It is armed until {moment}.").format(moment=moment_text(control.armed_until)))
        return redirect(control)


class ActOnControl(Page, View):
    """A button of one control: propose now, disarm, switch on or off."""

    permission_required = "budgets.view_control"
    http_method_names = ("post", "options")

    def post(self, request: HttpRequest, pk: int, verb: str) -> HttpResponse:
        rows = Control.objects.visible_to(self.person).select_related("budget__team", "threshold__budget", "changed_by")
        control = get_object_or_404(rows, pk=pk)
        user, now = self.person, timezone.now()
        try:
            if verb == "propose":
                change_set = proposals.propose_by_hand(
                    control, user=user, now=now, why=request.POST.get("why", "").strip()[:300]
                )
                messages.success(request, _("It is proposed: whoever may approve it got an email."))
                return redirect(change_set)
            if verb == "disarm":
                approvals.disarm(pk, user=user)
                messages.success(request, _("It is disarmed: it proposes, and does nothing by itself."))
            elif verb in ("on", "off"):
                approvals.switch_control(pk, user=user, on=verb == "on")
                messages.success(request, _("It proposes again.") if verb == "on" else _("It is switched off."))
            else:
                raise Http404
        except CannotControl as problem:
            messages.error(request, str(problem))
        return redirect(control)


class ControlPolicyPage(FormPage):
    permission_required = "budgets.change_controlpolicy"
    form_class = ControlPolicyForm
    template_name = "budgets/control_policy.html"
    title = _lazy("Policy of controls")
    subtitle = _lazy("Holds for every control, whoever defined and whoever approved it.")
    breadcrumbs = CRUMBS
    success_message = _lazy("The policy is saved.")
    success_url = reverse_lazy("budgets:control_policy")

    @cached_property
    def object(self) -> ControlPolicy:
        return ControlPolicy.get()

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        now = timezone.now()
        rows = Control.objects.filter(armed_by__isnull=False).select_related("armed_by", "budget", "threshold__budget")
        context = {
            "policy": ControlPolicy.get(),
            "armed": [control for control in rows if control.is_armed(now)],
            "access": ControlAccess.objects.all(),
        }
        return super().get_context_data(**{**context, **kwargs})


class ControlSwitch(Page, View):
    """The switch that stops all controls and disarms every one: one button, at once."""

    permission_required = "budgets.change_controlpolicy"
    http_method_names = ("post", "options")

    def post(self, request: HttpRequest) -> HttpResponse:
        try:
            policy = approvals.set_switch(user=self.person, stop=request.POST.get("stop") == "1")
        except CannotControl as problem:
            raise PermissionDenied(str(problem)) from None
        if policy.is_stopped:
            messages.warning(request, _("All controls are stopped and disarmed. What was done can still be undone."))
        else:
            messages.success(request, _("Controls propose again. None of them is armed."))
        return redirect("budgets:control_policy")

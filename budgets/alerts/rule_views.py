"""When a budget warns and whom it notifies: added, changed, switched off, tested."""

from collections.abc import Callable
from functools import cached_property
from typing import Any

from django.contrib import messages
from django.core.exceptions import PermissionDenied, ValidationError
from django.db.models import Model
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import get_object_or_404, redirect
from django.utils import timezone
from django.views.generic import View

from budgets.alerts import channels, ignored_thresholds, threshold_changes
from budgets.alerts.rule_forms import RecipientForm, ThresholdForm
from budgets.models import Budget, Recipient, Threshold
from budgets.permissions import may_edit_budget, may_edit_recipients
from finops_site.lib.http_client import Undeliverable
from finops_site.lib.person import Person
from finops_site.ui.pages import FormPage, Page


class _RuleForm(FormPage):
    """A form about one threshold or recipient of a budget: `line` in the address, a new one without it."""

    permission_required = "budgets.view_budget"
    model = Budget
    row_model: type[Model]
    may_edit: Callable[[Person, Budget], bool]
    anchor = ""

    @cached_property
    def line(self) -> Any:
        pk = self.kwargs.get("line")
        return get_object_or_404(self.row_model, pk=pk, budget=self.object) if pk else None

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        if self.person.is_authenticated and not type(self).may_edit(self.person, self.object):
            raise PermissionDenied
        return super().dispatch(request, *args, **kwargs)

    def get_breadcrumbs(self) -> Any:
        return (("Budgets", "budgets:budgets"), (str(self.object), self.object.get_absolute_url()))

    def get_form_kwargs(self) -> dict[str, Any]:
        kwargs = {**super().get_form_kwargs(), "budget": self.object}
        kwargs.pop("instance", None)
        return {**kwargs, "instance": self.line} if self.line else kwargs

    def get_success_url(self) -> str:
        return f"{self.object.get_absolute_url()}#{self.anchor}"

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        return super().get_context_data(**{"cancel_url": self.get_success_url(), **kwargs})


class EditThreshold(_RuleForm):
    row_model, form_class, may_edit, anchor = Threshold, ThresholdForm, staticmethod(may_edit_budget), "thresholds"

    def get_title(self) -> str:
        return f"Change {self.line}" if self.line else f"When {self.object} warns"

    def get_subtitle(self) -> str:
        return "A percentage of the period's amount, or an amount. The alerts of one that has warned already stay."

    def save(self, form: ThresholdForm) -> Threshold:
        if self.line is None:
            return form.save()
        return threshold_changes.change_threshold(self.line, form.cleaned_data, timezone.now())


class EditRecipient(_RuleForm):
    row_model, form_class, may_edit, anchor = Recipient, RecipientForm, staticmethod(may_edit_recipients), "recipients"

    def get_title(self) -> str:
        return f"Change a recipient of {self.object}" if self.line else f"Whom {self.object} notifies"

    def get_subtitle(self) -> str:
        return "Fill in what belongs to the kind: a person, a role, an e-mail address, or the address of a channel."


class _RuleButton(Page, View):
    """A button of one threshold or recipient."""

    permission_required = "budgets.view_budget"
    row_model: type[Model]
    may_edit: Callable[[Person, Budget], bool]
    anchor = ""

    def post(self, request: HttpRequest, pk: int, line: int, verb: str) -> HttpResponse:
        budget = get_object_or_404(Budget.objects.visible_to(self.person), pk=pk)
        if not type(self).may_edit(self.person, budget):
            raise PermissionDenied
        self.act(get_object_or_404(self.row_model, pk=line, budget=budget), verb)
        return redirect(f"{budget.get_absolute_url()}#{self.anchor}")

    def act(self, line: Any, verb: str) -> None:
        raise NotImplementedError


class ActOnThreshold(_RuleButton):
    row_model, may_edit, anchor = Threshold, staticmethod(may_edit_budget), "thresholds"

    def act(self, line: Threshold, verb: str) -> None:
        if verb == "on":
            threshold_changes.switch_on_threshold(line)
            messages.success(self.request, f"It warns at {line} again, from the next night on.")
        else:
            threshold_changes.switch_off_threshold(line, timezone.now())
            messages.success(self.request, f"It does not warn at {line} any more; its alerts stay.")


class ActOnRecipient(_RuleButton):
    row_model, may_edit, anchor = Recipient, staticmethod(may_edit_recipients), "recipients"

    def act(self, line: Recipient, verb: str) -> None:
        if verb != "test":
            name = str(line)
            line.delete()
            messages.success(self.request, f"It does not notify {name} any more.")
            return
        if line.kind not in Recipient.CHANNELS:
            messages.error(self.request, "Only channels can be tested: a mail goes out with the next alert.")
            return
        try:
            channels.send_test(line, timezone.now())
        except Undeliverable as reason:
            messages.error(self.request, f"The test message was not delivered. {reason}")
        except ValidationError as reason:
            messages.error(self.request, "; ".join(reason.messages))
        else:
            messages.success(self.request, "The test message was delivered: look into the channel.")


class FollowProposal(Page, View):
    """Does what is proposed for an ignored threshold."""

    permission_required = "budgets.change_budget"

    def post(self, request: HttpRequest, pk: int) -> HttpResponse:
        budgets = Budget.objects.visible_to(self.person)
        threshold = get_object_or_404(Threshold, pk=pk, budget__in=budgets, is_active=True)
        try:
            messages.success(request, ignored_thresholds.follow_proposal(threshold, timezone.now()))
        except ignored_thresholds.NoProposal as reason:
            messages.error(request, str(reason))
        return redirect("budgets:alerts")

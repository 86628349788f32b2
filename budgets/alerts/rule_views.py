"""What a budget warns at and whom it tells: added, changed, switched off, tried out."""

from functools import cached_property
from typing import Any

from django.contrib import messages
from django.core.exceptions import PermissionDenied, ValidationError
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import get_object_or_404, redirect
from django.utils import timezone
from django.views.generic import View

from budgets.alerts import channels, ignored_thresholds
from budgets.alerts.rule_forms import RecipientForm, ThresholdForm
from budgets.models import Budget, Recipient, Threshold
from budgets.planning import budget_changes
from budgets.planning.budget_views import may_edit, may_tell
from finops_site.lib.http_client import Undeliverable
from finops_site.ui.pages import FormPage, Page


class _RulePage(FormPage):
    """A form about one row of a budget: `line` in the address, a new one without it."""

    permission_required = "budgets.view_budget"
    model = Budget
    row: Any
    allowed: Any
    anchor = ""

    @cached_property
    def line(self) -> Any:
        pk = self.kwargs.get("line")
        return get_object_or_404(self.row, pk=pk, budget=self.object) if pk else None

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        if request.user.is_authenticated and not type(self).allowed(request.user, self.object):
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


class EditThreshold(_RulePage):
    row, form_class, allowed, anchor = Threshold, ThresholdForm, staticmethod(may_edit), "thresholds"

    def get_title(self) -> str:
        return f"Change {self.line}" if self.line else f"When {self.object} warns"

    def get_subtitle(self) -> str:
        return "A percentage of the period's amount, or an amount. One that has warned already keeps its alerts."

    def save(self, form: ThresholdForm) -> Threshold:
        if self.line is None:
            return form.save()
        return budget_changes.change_threshold(self.line, form.cleaned_data, timezone.now())


class EditRecipient(_RulePage):
    row, form_class, allowed, anchor = Recipient, RecipientForm, staticmethod(may_tell), "recipients"

    def get_title(self) -> str:
        return f"Change whom {self.object} tells" if self.line else f"Whom {self.object} tells"

    def get_subtitle(self) -> str:
        return "Fill in what belongs to the kind: a person, a role, an e-mail address, or the address of a channel."


class _RuleButton(Page, View):
    """A button of one row."""

    permission_required = "budgets.view_budget"
    row: Any
    allowed: Any
    anchor = ""

    def post(self, request: HttpRequest, pk: int, line: int, verb: str) -> HttpResponse:
        budget = get_object_or_404(Budget.objects.visible_to(request.user), pk=pk)
        if not type(self).allowed(request.user, budget):
            raise PermissionDenied
        self.act(get_object_or_404(self.row, pk=line, budget=budget), verb)
        return redirect(f"{budget.get_absolute_url()}#{self.anchor}")

    def act(self, line: Any, verb: str) -> None:
        raise NotImplementedError


class ActOnThreshold(_RuleButton):
    row, allowed, anchor = Threshold, staticmethod(may_edit), "thresholds"

    def act(self, line: Threshold, verb: str) -> None:
        if verb == "on":
            budget_changes.switch_on(line)
            messages.success(self.request, f"It warns at {line} again, from the next night on.")
        else:
            budget_changes.switch_off(line, timezone.now())
            messages.success(self.request, f"It does not warn at {line} any more; its alerts stay.")


class ActOnRecipient(_RuleButton):
    row, allowed, anchor = Recipient, staticmethod(may_tell), "recipients"

    def act(self, line: Recipient, verb: str) -> None:
        if verb == "test":
            self._try_out(line)
        else:
            name = str(line)
            line.delete()
            messages.success(self.request, f"It does not tell {name} any more.")

    def _try_out(self, line: Recipient) -> None:
        if line.kind not in Recipient.CHANNELS:
            messages.error(self.request, "Only channels are tried out: a mail goes out with the next alert.")
            return
        try:
            channels.send_test(line, timezone.now())
        except Undeliverable as reason:
            messages.error(self.request, f"The test message was not taken. {reason}")
        except ValidationError as reason:
            messages.error(self.request, "; ".join(reason.messages))
        else:
            messages.success(self.request, "The test message was taken: look into the channel.")


class FollowProposal(Page, View):
    """Does what is proposed for a threshold that nobody acts on."""

    permission_required = "budgets.change_budget"

    def post(self, request: HttpRequest, pk: int) -> HttpResponse:
        budgets = Budget.objects.visible_to(request.user)
        threshold = get_object_or_404(Threshold, pk=pk, budget__in=budgets, is_active=True)
        try:
            messages.success(request, ignored_thresholds.follow(threshold, timezone.now()))
        except budget_changes.NotNow as reason:
            messages.error(request, str(reason))
        return redirect("budgets:alerts")

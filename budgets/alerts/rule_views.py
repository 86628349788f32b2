"""When a budget warns and whom it notifies: added, changed, switched off, tested."""

from django.contrib import messages
from django.core.exceptions import ValidationError
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.generic import View

from budgets.alerts import channels, ignored_thresholds, threshold_changes
from budgets.alerts.rule_forms import RecipientForm, ThresholdForm
from budgets.line_pages import LineButton, LineForm
from budgets.models import Budget, Recipient, Threshold
from budgets.permissions import may_edit_budget, may_edit_recipients
from finops_site.lib.http_client import Undeliverable
from finops_site.ui.pages import Page


class EditThreshold(LineForm):
    row_model, form_class, may_edit, anchor = Threshold, ThresholdForm, staticmethod(may_edit_budget), "thresholds"

    def get_title(self) -> str:
        return (
            _("Change {line}").format(line=self.line)
            if self.line
            else _("When {object} warns").format(object=self.object)
        )

    def get_subtitle(self) -> str:
        return _("A percentage of the period's amount, or an amount. The alerts of one that has warned already stay.")

    def save(self, form: ThresholdForm) -> Threshold:
        if self.line is None:
            return form.save()
        return threshold_changes.change_threshold(self.line, form.cleaned_data, timezone.now())


class EditRecipient(LineForm):
    row_model, form_class, may_edit, anchor = Recipient, RecipientForm, staticmethod(may_edit_recipients), "recipients"

    def get_title(self) -> str:
        return (
            _("Change a recipient of {object}").format(object=self.object)
            if self.line
            else _("Whom {object} notifies").format(object=self.object)
        )

    def get_subtitle(self) -> str:
        return _("Fill in what belongs to the kind: a person, a role, an e-mail address, or the address of a channel.")


class ActOnThreshold(LineButton):
    row_model, may_edit, anchor = Threshold, staticmethod(may_edit_budget), "thresholds"

    def act(self, line: Threshold, verb: str) -> None:
        if verb == "on":
            threshold_changes.switch_on_threshold(line)
            messages.success(self.request, _("It warns at {line} again, from the next night on.").format(line=line))
        else:
            threshold_changes.switch_off_threshold(line, timezone.now())
            messages.success(self.request, _("It does not warn at {line} any more; its alerts stay.").format(line=line))


class ActOnRecipient(LineButton):
    row_model, may_edit, anchor = Recipient, staticmethod(may_edit_recipients), "recipients"

    def act(self, line: Recipient, verb: str) -> None:
        if verb != "test":
            name = str(line)
            line.delete()
            messages.success(self.request, _("It does not notify {name} any more.").format(name=name))
            return
        if line.kind not in Recipient.CHANNELS:
            messages.error(self.request, _("Only channels can be tested: a mail goes out with the next alert."))
            return
        try:
            channels.send_test(line, timezone.now())
        except Undeliverable as reason:
            messages.error(self.request, _("The test message was not delivered. {reason}").format(reason=reason))
        except ValidationError as reason:
            messages.error(self.request, "; ".join(reason.messages))
        else:
            messages.success(self.request, _("The test message was delivered: look into the channel."))


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

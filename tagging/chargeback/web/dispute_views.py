"""Pages of disputes: raising one, reading it, resolving it."""

from functools import cached_property
from typing import Any

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import get_object_or_404, redirect
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _

from finops_site.translation import gettext_lazy as _lazy
from finops_site.ui.pages import DetailPage, Empty, FormPage, ListPage
from tagging.chargeback import disputes
from tagging.chargeback.disputes import CorrectingEntry, InvalidDispute
from tagging.chargeback.links import CostLineLinks
from tagging.chargeback.web.forms import DecisionForm, DisputeForm, ResolveForm
from tagging.chargeback.web.period_pages import BREADCRUMBS
from tagging.chargeback.web.tables import DISPUTE_STATES, DisputeTable
from tagging.models import Adjustment, Dispute, Statement, StatementLine
from tagging.models.chargeback import DisputeQuerySet


class DisputesPage(ListPage):
    permission_required = "tagging.view_dispute"
    model = Dispute
    title = _lazy("Disputes")
    subtitle = _lazy("Lines of statements that a lead disputes, and the answers of finance.")
    breadcrumbs = BREADCRUMBS
    table_class = DisputeTable
    empty = Empty(_lazy("Nothing is disputed"), _lazy("A team's lead disputes a line on her statement."), "checks")

    def get_queryset(self) -> DisputeQuerySet:
        return Dispute.objects.visible_to(self.person).with_statement()


class DisputePage(DetailPage):
    permission_required = "tagging.view_dispute"
    model = Dispute
    template_name = "tagging/dispute.html"
    breadcrumbs = (*BREADCRUMBS, (_lazy("Disputes"), "tagging:disputes"))

    def get_queryset(self) -> DisputeQuerySet:
        return Dispute.objects.visible_to(self.person).with_statement()

    def get_title(self) -> str:
        return _("Dispute of {line}").format(line=self.object.line.label)

    def get_subtitle(self) -> str:
        return str(self.object.line.statement)

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        dispute, user = self.object, self.person
        is_finance = user.has_perm("tagging.change_dispute")
        may_resolve = is_finance and dispute.state == Dispute.State.OPEN
        is_proposed = dispute.state == Dispute.State.PROPOSED
        adjustment = Adjustment.objects.filter(dispute=dispute).select_related("period", "from_team", "to_team").first()
        may_take_back = is_finance and adjustment is not None and adjustment.period.is_draft
        context = {
            "dispute": dispute,
            "state": DISPUTE_STATES[Dispute.State(dispute.state)],
            "statement": dispute.line.statement,
            "adjustment": adjustment,
            "take_back": (kwargs.get("decision") or DecisionForm()) if may_take_back else None,
            "form": kwargs.get("form") or (ResolveForm() if may_resolve else None),
            "limits": disputes.correction_limits(dispute.line, dispute.line.statement) if may_resolve else None,
            "decision": (kwargs.get("decision") or DecisionForm()) if is_proposed and is_finance else None,
            "may_confirm": is_proposed and is_finance and user.pk not in (dispute.proposed_by_id, dispute.raised_by_id),
            "line_url": CostLineLinks().statement_line(dispute.line, user),
        }
        return super().get_context_data(**{**context, **kwargs})

    def post(self, request: HttpRequest, pk: int) -> HttpResponse:
        self.object = self.get_object()
        if not request.user.has_perm("tagging.change_dispute"):
            raise PermissionDenied
        if request.POST.get("verb") in ("confirm", "reject"):
            return self._decide(request)
        form = ResolveForm(request.POST)
        if not form.is_valid():
            return self.render_to_response(self.get_context_data(form=form))
        amount = form.cleaned_data["amount"]
        entry = CorrectingEntry(amount, form.cleaned_data["to_team"]) if amount is not None else None
        try:
            disputes.resolve_dispute(self.object, self.person, form.cleaned_data["answer"], timezone.now(), entry)
        except InvalidDispute as problem:
            form.add_error(None, str(problem))
            return self.render_to_response(self.get_context_data(form=form))
        if self.object.state == Dispute.State.PROPOSED:
            messages.warning(
                request, _("Not booked yet: it is above the disputed line, so that a second person confirms it.")
            )
        else:
            messages.success(request, _("Resolved: the person who raised it gets your answer by email."))
        return redirect(self.object)

    def _decide(self, request: HttpRequest) -> HttpResponse:
        """Confirms a correcting entry that somebody proposed, or turns it down."""
        form = DecisionForm(request.POST)
        try:
            if request.POST["verb"] == "confirm":
                disputes.confirm_correction(self.object, self.person, timezone.now())
                messages.success(request, _("Booked: the person who raised the dispute gets the answer by email."))
            else:
                disputes.reject_correction(self.object, self.person, request.POST.get("why", ""), timezone.now())
                messages.success(request, _("Nothing is booked: the dispute is open again."))
        except InvalidDispute as problem:
            form.add_error(None, str(problem))
            return self.render_to_response(self.get_context_data(decision=form))
        return redirect(self.object)


class RaiseDispute(FormPage):
    """A lead disputes a line of her team's statement."""

    permission_required = "tagging.add_dispute"
    form_class = DisputeForm
    template_name = "tagging/dispute_add.html"
    submit_label = _lazy("Dispute this line")

    @cached_property
    def line(self) -> StatementLine:
        visible = Statement.objects.visible_to(self.person)
        rows = StatementLine.objects.filter(statement__in=visible).select_related(
            "statement__period", "statement__team"
        )
        return get_object_or_404(rows, pk=self.kwargs["pk"])

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        # Another team's line is not found; one's own team's may be disputed by its lead alone.
        if request.user.is_authenticated and not disputes.leads_team(request.user, self.line.statement.team):
            raise PermissionDenied
        return super().dispatch(request, *args, **kwargs)

    def get_title(self) -> str:
        return _("Dispute {line}").format(line=self.line.label)

    def get_breadcrumbs(self) -> list[tuple[str, str]]:
        return [*BREADCRUMBS, (str(self.line.statement), self.line.statement.get_absolute_url())]

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        statement = self.line.statement
        context = {"line": self.line, "statement": statement, "cancel_url": statement.get_absolute_url()}
        return super().get_context_data(**{**context, **kwargs})

    def form_valid(self, form: DisputeForm) -> HttpResponse:
        try:
            dispute = disputes.raise_dispute(self.line, self.person, form.cleaned_data["comment"], timezone.now())
        except InvalidDispute as problem:
            form.add_error(None, str(problem))
            return self.form_invalid(form)
        messages.success(self.request, _("Finance is notified, and answers here."))
        return redirect(reverse("tagging:dispute", args=[dispute.pk]))

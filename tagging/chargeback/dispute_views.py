"""Pages of disputes: raising one, reading it, resolving it."""

from functools import cached_property
from typing import Any

import django_tables2
from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import redirect
from django.urls import reverse
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString

from finops_site.ui.pages import DetailPage, Empty, FormPage, ListPage
from finops_site.ui.tables import BaseTable, MoneyColumn, StatusColumn
from tagging.chargeback import disputes, statement_figures
from tagging.chargeback.disputes import CorrectingEntry, InvalidDispute
from tagging.chargeback.forms import DisputeForm, ResolveForm
from tagging.models import Dispute, Statement, StatementLine

STATES = {
    Dispute.State.OPEN: ("Open", "warn", "flag"),
    Dispute.State.ANSWERED: ("Answered", "calm", "checks"),
    Dispute.State.CORRECTED: ("Corrected", "good", "circle-check"),
}
CRUMBS = (("Chargeback", "tagging:chargeback"), ("Disputes", "tagging:disputes"))


class DisputeTable(BaseTable):
    line = django_tables2.Column("Line", accessor="line.label")
    team = django_tables2.Column("Team", accessor="line.statement.team_name")
    month = django_tables2.Column("Billing month", accessor="line.statement.period.month")
    amount = MoneyColumn("Amount", accessor="line.amount", currency="line.statement.currency")
    state = StatusColumn(states=STATES)
    raised_by = django_tables2.Column("Raised by")
    raised_at = django_tables2.DateTimeColumn(format="j M Y")

    class Meta(BaseTable.Meta):
        orderable = False
        caption = "Disputes"

    def render_line(self, value: str, record: Dispute) -> SafeString:
        return format_html('<a href="{}">{}</a>', record.get_absolute_url(), value)


def with_statement(rows: Any) -> Any:
    return rows.select_related("line__statement__period", "line__statement__team", "raised_by", "resolved_by")


class DisputesPage(ListPage):
    permission_required = "tagging.view_dispute"
    model = Dispute
    title = "Disputes"
    subtitle = "Lines of statements that a lead says are wrong, and what finance answered."
    breadcrumbs = (("Chargeback", "tagging:chargeback"),)
    table_class = DisputeTable
    empty = Empty("Nothing is disputed", "A team's lead disputes a line on her statement.", "checks")

    def get_queryset(self) -> Any:
        return with_statement(super().get_queryset())


class DisputePage(DetailPage):
    permission_required = "tagging.view_dispute"
    model = Dispute
    template_name = "tagging/dispute.html"
    breadcrumbs = CRUMBS

    def get_queryset(self) -> Any:
        return with_statement(super().get_queryset())

    def get_title(self) -> str:
        return f"Dispute of {self.object.line.label}"

    def get_subtitle(self) -> str:
        return str(self.object.line.statement)

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        dispute, user = self.object, self.request.user
        may = user.has_perm("tagging.change_dispute") and dispute.state == Dispute.State.OPEN
        context = {
            "dispute": dispute,
            "state": STATES[dispute.state],
            "statement": dispute.line.statement,
            "adjustment": getattr(dispute, "adjustment", None),
            "form": kwargs.get("form") or (ResolveForm() if may else None),
            "line_url": statement_figures.line_url(dispute.line, user),
        }
        return super().get_context_data(**{**context, **kwargs})

    def post(self, request: HttpRequest, pk: int) -> HttpResponse:
        self.object = self.get_object()
        if not request.user.has_perm("tagging.change_dispute"):
            raise PermissionDenied
        form = ResolveForm(request.POST)
        if not form.is_valid():
            return self.render_to_response(self.get_context_data(form=form))
        amount = form.cleaned_data["amount"]
        move = CorrectingEntry(amount, form.cleaned_data["to_team"]) if amount is not None else None
        try:
            disputes.resolve_dispute(self.object, request.user, form.cleaned_data["answer"], timezone.now(), move)
        except InvalidDispute as problem:
            form.add_error(None, str(problem))
            return self.render_to_response(self.get_context_data(form=form))
        messages.success(request, "Resolved: who raised it gets your answer by mail.")
        return redirect(self.object)


class RaiseDispute(FormPage):
    """A lead disputes a line of her team's statement."""

    permission_required = "tagging.add_dispute"
    form_class = DisputeForm
    template_name = "tagging/dispute_add.html"
    submit_label = "Dispute this line"

    @cached_property
    def line(self) -> StatementLine:
        visible = Statement.objects.visible_to(self.request.user)
        rows = StatementLine.objects.filter(statement__in=visible).select_related(
            "statement__period", "statement__team"
        )
        found = rows.filter(pk=self.kwargs["pk"]).first()
        if found is None:
            raise Http404
        return found

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        if request.user.is_authenticated:
            # Somebody else's line is not found; one's own team's is for who leads it.
            team = self.line.statement.team
            if not disputes.leads_team(request.user, team):
                raise PermissionDenied
        return super().dispatch(request, *args, **kwargs)

    def get_title(self) -> str:
        return f"Dispute {self.line.label}"

    def get_breadcrumbs(self) -> list[tuple[str, str]]:
        return [("Chargeback", "tagging:chargeback"), (str(self.line.statement), self._statement_url())]

    def _statement_url(self) -> str:
        return self.line.statement.get_absolute_url()

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        return super().get_context_data(
            line=self.line, statement=self.line.statement, **{"cancel_url": self._statement_url(), **kwargs}
        )

    def form_valid(self, form: DisputeForm) -> HttpResponse:
        try:
            dispute = disputes.raise_dispute(self.line, self.request.user, form.cleaned_data["comment"], timezone.now())
        except InvalidDispute as problem:
            form.add_error(None, str(problem))
            return self.form_invalid(form)
        messages.success(self.request, "Finance is told, and answers here.")
        return redirect(reverse("tagging:dispute", args=[dispute.pk]))

"""The statement of one team and month: its page, its PDF and its CSV."""

from functools import cached_property
from typing import Any

from django.http import Http404, HttpRequest, HttpResponseBase
from django.shortcuts import get_object_or_404
from django.utils import timezone
from django.utils.text import slugify
from django.views.generic import TemplateView

from costs.query.known_until import KnownDays
from finops_site.models import Team
from finops_site.ui.downloads import PDF, csv_download, download
from finops_site.ui.figures import month_text
from tagging.chargeback import exports, statement_pdf
from tagging.chargeback.disputes import leads_team
from tagging.chargeback.periods import known_of_month
from tagging.chargeback.statement_details import statement_details, statements_of
from tagging.chargeback.web.period_pages import BREADCRUMBS, PeriodPage
from tagging.models import Dispute, Statement
from tagging.statement_openings import record_opening


class StatementPage(PeriodPage, TemplateView):
    template_name = "tagging/statement.html"

    @cached_property
    def team(self) -> Team:
        return get_object_or_404(Team.objects.visible_to(self.person), pk=self.kwargs["pk"])

    @cached_property
    def known(self) -> KnownDays:
        return known_of_month(self.person, self.period, timezone.now().date(), team=self.team)

    @cached_property
    def statements(self) -> list[Statement]:
        return statements_of(self.person, self.period, self.team)

    def get(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        record_opening(self.period, self.team, self.person, timezone.now())
        return super().get(request, *args, **kwargs)

    def get_title(self) -> str:
        name = self.statements[0].team_name if self.statements else self.team.name
        return f"{name}, {month_text(self.period.billing_month, 'long')}"

    def get_subtitle(self) -> str:
        figures = self.statements[0].figures if self.statements else None
        return figures["summary"] if figures else self.period_summary

    def get_breadcrumbs(self) -> list[tuple[str, str]]:
        return [*BREADCRUMBS, (month_text(self.period.billing_month), self.period.get_absolute_url())]

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        user, period = self.person, self.period
        raised = Dispute.objects.visible_to(user).filter(line__statement__in=self.statements)
        disputes = list(raised.order_by("raised_at", "pk").select_related("line", "raised_by", "resolved_by"))
        dispute_urls = {dispute.line_id: dispute.get_absolute_url() for dispute in disputes}
        context = {
            "period": period,
            "known": self.known,
            "team": self.team,
            "shown": statement_details(self.statements, user, timezone.now().date(), dispute_urls),
            "may_dispute": user.has_perm("tagging.add_dispute") and leads_team(user, self.team),
            "disputes": disputes,
        }
        return super().get_context_data(**{**context, **kwargs})


class StatementPdf(StatementPage):
    """One team's statement as the PDF that its lead gets by email."""

    def get(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        if not self.statements:
            raise Http404("the team has no statement in this month")
        record_opening(self.period, self.team, self.person, timezone.now())
        name = f"statement-{self.period.month}-{slugify(self.statements[0].team_name) or self.team.pk}"
        if self.period.is_closed:
            content = statement_pdf.closed_document(self.period, self.team.pk)
        else:
            content = statement_pdf.render_statements(self.statements, self.person, timezone.now().date())
        return download(content, name, "pdf", PDF)


class StatementCsv(StatementPage):
    """One team's statement, line by line."""

    def get(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        record_opening(self.period, self.team, self.person, timezone.now())
        rows = exports.statement_rows(self.statements)
        name = self.statements[0].team_name if self.statements else self.team.name
        return csv_download(rows, f"statement {self.period.month} {name}", self.known.notes)

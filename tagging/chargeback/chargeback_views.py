"""Pages of chargeback: the months, one month and its close, one team's statement."""

from collections.abc import Iterator
from functools import cached_property
from itertools import chain
from typing import Any

import django_tables2
from django.contrib import messages
from django.db.models import Sum
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.text import slugify
from django.views.generic import TemplateView, View

from costs import reconciliation
from costs.query.spend import POOLED
from finops_site.lib.money import EXACT, exact_sum
from finops_site.lib.periods import Month, moment_text
from finops_site.lib.person import Person
from finops_site.models import Team
from finops_site.registry import registry
from finops_site.ui.downloads import PDF, csv_download, download, xlsx_download
from finops_site.ui.figures import month_text
from finops_site.ui.pages import Action, Empty, FormPage, Page
from finops_site.ui.spreadsheets import TooManyRows
from finops_site.ui.table_export import export_rows
from finops_site.ui.tables import (
    BaseTable,
    ChangeColumn,
    MoneyColumn,
    MonthColumn,
    StatusColumn,
    total_rows,
)
from tagging.chargeback import (
    allocation,
    closing,
    disputes,
    journal_export,
    queues,
    statement_figures,
    statement_pdf,
    statements,
)
from tagging.chargeback.forms import AccountsForm, PeriodForm
from tagging.models import ChargebackPeriod, Dispute, JournalAccount, Statement

SPLITS = Action("Splits of pools", "tagging:splits", "switch-horizontal", "tagging.view_split")
DISPUTES = Action("Disputes", "tagging:disputes", "flag", "tagging.view_dispute")
ACCOUNTS = Action("Journal accounts", "tagging:journal_accounts", "book", "tagging.change_journalaccount")
STATES = {
    ChargebackPeriod.State.DRAFT: ("Draft", "busy", "pencil"),
    ChargebackPeriod.State.CLOSED: ("Closed", "good", "lock"),
}
CRUMBS = (("Chargeback", "tagging:chargeback"),)


class MonthTable(BaseTable):
    """Months of the whole company."""

    billing_month = MonthColumn("Billing month")
    state = StatusColumn(states=STATES)
    bill = MoneyColumn("Bill")
    direct = MoneyColumn("Direct")
    shared = MoneyColumn("Shared")
    nobodys = MoneyColumn("Charged to nobody")
    corrections = MoneyColumn("Corrections")

    class Meta(BaseTable.Meta):
        orderable = False
        caption = "Months of chargeback"

    def render_billing_month(self, value: Any) -> SafeString:
        return format_html('<a href="{}">{}</a>', month_url(Month.of(value)), month_text(value))


class TeamMonthTable(MonthTable):
    """Months of somebody's own teams."""

    bill = None
    nobodys = None
    corrections = None
    booked = MoneyColumn("Corrections and adjustments")
    total = MoneyColumn("Total")

    class Meta(MonthTable.Meta):
        caption = "Your teams' months"


def month_url(month: Month) -> str:
    return reverse("tagging:chargeback_month", args=[str(month)])


class ChargebackPage(Page, TemplateView):
    permission_required = "tagging.view_statement"
    title = "Chargeback"
    subtitle = "By billing month, so that a month's statements sum to its invoices."
    template_name = "tagging/chargeback.html"
    actions = (DISPUTES, SPLITS, ACCOUNTS)
    empty = Empty(
        "No month to charge back yet",
        "Every billing month that has a bill gets a draft here, a few minutes after the bill was loaded.",
        "receipt-2",
        Action("Upload a bill", "costs:delivery_upload", "upload", "costs.add_delivery"),
    )

    def get_table(self) -> BaseTable:
        user = self.request.user
        if user.sees_whole_company:
            return MonthTable(_company_months(), request=None)
        return TeamMonthTable(_months_of_teams(user), request=None)

    def get(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        if request.GET.get("_export") == "csv":
            return csv_download(export_rows(self.get_table()), "chargeback")
        return super().get(request, *args, **kwargs)

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        table = self.get_table()
        context = {"table": table, "is_empty": not len(table.rows), "empty": self.empty.for_user(self.request.user)}
        return super().get_context_data(**{**context, **kwargs})


def _company_months() -> list[dict[str, Any]]:
    periods = ChargebackPeriod.objects.prefetch_related("totals")
    return [_company_row(period, total) for period in periods for total in period.totals.all()]


def _company_row(period: ChargebackPeriod, total: Any) -> dict[str, Any]:
    names = ("currency", "bill", "direct", "shared", "corrections")
    return {
        "billing_month": period.billing_month,
        "state": period.state,
        "nobodys": EXACT.add(total.unallocated, total.unowned),
        **{name: getattr(total, name) for name in names},
    }


def _months_of_teams(user: Person) -> list[dict[str, Any]]:
    rows = Statement.objects.visible_to(user).order_by("-period__billing_month", "currency")
    names = ("direct", "shared", "spread", "corrections", "adjustments", "total")
    found = rows.values("period__billing_month", "period__state", "currency").annotate(
        **{f"sum_{name}": Sum(name) for name in names}
    )
    return [_team_month(row, names) for row in found]


def _team_month(row: dict[str, Any], names: tuple[str, ...]) -> dict[str, Any]:
    sums = {name: row[f"sum_{name}"] for name in names}
    booked = exact_sum([sums.pop("corrections"), sums.pop("adjustments")])
    sums["shared"] = EXACT.add(sums["shared"], sums.pop("spread"))
    said = {"billing_month": row["period__billing_month"], "state": row["period__state"], "currency": row["currency"]}
    return {**said, **sums, "booked": booked}


class TeamsOfMonthTable(BaseTable):
    team = django_tables2.Column()
    direct = MoneyColumn("Direct")
    shared = MoneyColumn("Shared")
    booked = MoneyColumn("Corrections, adjustments")
    total = MoneyColumn("Total")
    change = ChangeColumn("Against last month", before="before")
    with_below = MoneyColumn("With teams below")
    number = django_tables2.Column("Statement", attrs={"td": {"class": "nowrap"}})

    class Meta(BaseTable.Meta):
        orderable = False
        caption = "Teams"
        phone = "cards"

    def render_team(self, record: dict[str, Any]) -> SafeString | str:
        name = format_html('<span class="tree-{}">{}</span>', min(record["depth"], 4), record["team"])
        return format_html('<a href="{}">{}</a>', record["url"], name) if record["url"] else name


class OneMonth(Page):
    """A door to one billing month of chargeback; a month without one is 404."""

    permission_required = "tagging.view_statement"
    breadcrumbs = CRUMBS

    @cached_property
    def period(self) -> ChargebackPeriod:
        return period_of(self.kwargs["month"])


def period_of(text: str) -> ChargebackPeriod:
    try:
        start = Month.parse(text).start
    except ValueError:
        raise Http404("no such month") from None
    return get_object_or_404(ChargebackPeriod.objects.select_related("closed_by"), billing_month=start)


def said_of(period: ChargebackPeriod) -> str:
    """The state, basis and way of discounts in words, for the line under a title."""
    basis = period.get_basis_display().lower()
    said = "Draft: it changes until finance closes the month" if not period.is_closed else _closed_words(period)
    if period.basis == ChargebackPeriod.Basis.EFFECTIVE:
        basis += f"; discounts of commitments {period.get_discounts_display()}"
    return f"{said}. By {basis}."


def _closed_words(period: ChargebackPeriod) -> str:
    return f"Closed on {moment_text(period.closed_at)} by {period.closed_by}"


class MonthPage(OneMonth, TemplateView):
    template_name = "tagging/chargeback_month.html"

    def get_title(self) -> str:
        return f"Chargeback of {month_text(self.period.billing_month, 'long')}"

    def get_subtitle(self) -> str:
        return said_of(self.period)

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        user, period = self.request.user, self.period
        rows = statement_figures.team_rows(user, period)
        may_close = user.has_perm("tagging.close_chargebackperiod") and not period.is_closed
        items = closing.closing_checklist(period, timezone.now()) if may_close else []
        context = {
            "period": period,
            "table": self._table(rows),
            "equations": _equations(period) if user.sees_whole_company else [],
            "is_stale": not period.is_closed and bool(self._stale()),
            "items": items,
            "is_ready": may_close and not any(item.state == "bad" for item in items),
            "may_close": may_close,
            "form": PeriodForm(instance=period) if may_close else None,
            "has_company": user.sees_whole_company,
        }
        return super().get_context_data(**{**context, **kwargs})

    def _table(self, rows: list[statement_figures.TeamRow]) -> TeamsOfMonthTable:
        # Where no team has teams below, the column would say every total twice.
        flat = all(row.with_below == row.total for row in rows)
        hidden = ("with_below",) if flat else ()
        return TeamsOfMonthTable(team_table_rows(rows, self.period), totals=_sums(rows), request=None, exclude=hidden)

    def _stale(self) -> bool:
        marks = allocation.month_fingerprints()
        return self.period.books != statements.wanted_mark(self.period, marks)


def team_table_rows(rows: list[statement_figures.TeamRow], period: ChargebackPeriod) -> list[dict[str, Any]]:
    return [
        {
            "team": row.team.name,
            "depth": row.depth,
            "url": reverse("tagging:statement", args=[str(period.month), row.team.pk]) if row.statement else "",
            "currency": row.currency,
            "direct": row.direct,
            "shared": row.shared,
            "booked": row.booked,
            "total": row.total,
            "before": row.before,
            "change": None if row.before is None else EXACT.subtract(row.total, row.before),
            "with_below": row.with_below,
            "number": (row.statement and row.statement.number) or ("draft" if row.statement else "—"),
        }
        for row in rows
    ]


def _sums(rows: list[statement_figures.TeamRow]) -> list[dict[str, Any]]:
    names = ("direct", "shared", "booked", "total")
    sums = {
        code: {name: exact_sum(getattr(row, name) for row in rows if row.currency == code) for name in names}
        for code in {row.currency for row in rows}
    }
    return total_rows(sums)


def _equations(period: ChargebackPeriod) -> list[dict[str, Any]]:
    """bill = direct + shared + unallocated + unowned, each side with its address."""
    month, span = period.month, allocation.charge_days_of(period.month)
    found = []
    for total in period.totals.all():
        code = total.currency
        lines = {"currency": code}
        parts = [
            ("Direct", total.direct, ""),
            ("Shared", total.shared, _shared_url(period, total)),
            ("In pools nobody can take", total.unallocated, ""),
            ("Unowned", total.unowned, statement_figures.billing_month_lines_url(month, span, team="none", **lines)),
        ]
        found.append(
            {
                "currency": code,
                "total": total,
                "parts": [{"label": label, "amount": amount, "url": url} for label, amount, url in parts],
                "url": statement_figures.billing_month_lines_url(month, span, **lines),
                "charged": exact_sum([total.direct, total.shared, total.corrections, -total.given_back]),
            }
        )
    return found


def _shared_url(period: ChargebackPeriod, total: Any) -> str:
    """The lines of all pools, where they are what was shared: nothing stayed in a pool."""
    if total.unallocated:
        return ""
    span = allocation.charge_days_of(period.month)
    return statement_figures.billing_month_lines_url(period.month, span, team=POOLED, currency=total.currency)


class CloseMonth(OneMonth, View):
    """Closes the month that finance has looked at."""

    permission_required = "tagging.close_chargebackperiod"
    http_method_names = ["post"]

    def post(self, request: HttpRequest, month: str) -> HttpResponse:
        try:
            found = closing.close_month(
                self.period, request.user, seen=request.POST.get("seen", ""), now=timezone.now()
            )
        except closing.CannotClose as problem:
            messages.warning(request, str(problem))
            if isinstance(problem, closing.DraftOutdated):
                queues.refresh_chargeback()
        else:
            messages.success(
                request, f"{month} is closed: {len(found)} statements are numbered, and the leads are told."
            )
        return redirect(self.period)


class PeriodSettings(OneMonth, FormPage):
    """Basis and discounts of a month that is a draft."""

    permission_required = "tagging.close_chargebackperiod"
    form_class = PeriodForm
    title = "Basis of the month"

    def get_form_kwargs(self) -> dict[str, Any]:
        return {**super().get_form_kwargs(), "instance": self.period}

    def form_valid(self, form: PeriodForm) -> HttpResponse:
        if self.period.is_closed:
            messages.warning(self.request, f"{self.period.month} is closed: its basis stays what it was.")
            return redirect(self.period)
        form.save()
        statements.refresh_draft(ChargebackPeriod.objects.get(pk=self.period.pk), timezone.now())
        messages.success(self.request, "Saved: the draft is made anew on this basis.")
        return redirect(self.period)


class RefreshMonth(OneMonth, View):
    """Makes a stale draft anew at once."""

    permission_required = "tagging.close_chargebackperiod"
    http_method_names = ["post"]

    def post(self, request: HttpRequest, month: str) -> HttpResponse:
        if statements.refresh_draft(self.period, timezone.now()):
            messages.success(request, "The draft is made anew from today's books.")
        return redirect(self.period)


class BooksOfMonth(OneMonth, View):
    """Whether every layer of the month's books sums to the same: asked for by the checklist after the page is there."""

    permission_required = "tagging.close_chargebackperiod"

    def get(self, request: HttpRequest, month: str) -> HttpResponse:
        checks = reconciliation.reconcile(self.period.month)
        broken = [check for check in checks if not check.holds]
        return render(request, "tagging/books_checked.html", {"checks": checks, "broken": broken})


class StatementPage(OneMonth, TemplateView):
    template_name = "tagging/statement.html"

    @cached_property
    def team(self) -> Team:
        return get_object_or_404(Team.objects.visible_to(self.request.user), pk=self.kwargs["pk"])

    def get_title(self) -> str:
        return f"{self.team}, {month_text(self.period.billing_month, 'long')}"

    def get_subtitle(self) -> str:
        return said_of(self.period)

    def get_breadcrumbs(self) -> list[tuple[str, str]]:
        return [*CRUMBS, (month_text(self.period.billing_month), month_url(self.period.month))]

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        user, period = self.request.user, self.period
        found = statement_figures.statements_of(user, period, self.team)
        raised = Dispute.objects.visible_to(user).filter(line__statement__in=found).order_by("raised_at", "pk")
        listed = list(raised.select_related("line", "raised_by", "resolved_by"))
        disputed = {dispute.line_id: dispute.get_absolute_url() for dispute in listed}
        context = {
            "period": period,
            "team": self.team,
            "shown": [statement_figures.statement_details(each, user, disputed) for each in found],
            "may_dispute": user.has_perm("tagging.add_dispute") and disputes.leads_team(user, self.team),
            "disputes": listed,
            "budgets": registry.budgets_of(user, self.team.pk, period.month),
        }
        return super().get_context_data(**{**context, **kwargs})


class StatementsCsv(OneMonth, View):
    """Every statement of a month that the person may see, line by line; for the company with what nobody is charged."""

    def get(self, request: HttpRequest, month: str) -> HttpResponseBase:
        found = Statement.objects.visible_to(request.user).filter(period=self.period)
        return csv_download(rows_of_month(request.user, self.period, found), f"chargeback {month}")


def rows_of_month(user: Person, period: ChargebackPeriod, found: Any) -> Iterator[Any]:
    rest = statement_figures.unallocated_rows(period) if user.sees_whole_company else ()
    return chain(statement_figures.statement_table(found), rest)


class StatementsXlsx(OneMonth, View):
    """The same as a workbook."""

    def get(self, request: HttpRequest, month: str) -> HttpResponseBase:
        found = Statement.objects.visible_to(request.user).filter(period=self.period)
        try:
            return xlsx_download(rows_of_month(request.user, self.period, found), f"Chargeback {month}")
        except TooManyRows as problem:
            messages.error(request, str(problem))
            return redirect(self.period)


class StatementPdf(StatementPage):
    """One team's statement as the PDF that its lead is mailed."""

    def get(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        found = statement_figures.statements_of(request.user, self.period, self.team)
        if not found:
            raise Http404("the team has no statement in this month")
        name = f"statement-{self.period.month}-{slugify(self.team.name) or self.team.pk}"
        return download(statement_pdf.render_statements(found, request.user), name, "pdf", PDF)


class StatementCsv(StatementPage):
    """One team's statement, line by line."""

    def get(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        found = statement_figures.statements_of(request.user, self.period, self.team)
        return csv_download(statement_figures.statement_table(found), f"statement {self.period.month} {self.team}")


class JournalCsv(OneMonth, View):
    """The journal of a closed month."""

    permission_required = "tagging.close_chargebackperiod"

    def get(self, request: HttpRequest, month: str) -> HttpResponseBase:
        try:
            rows = journal_export.journal_of_month(self.period)
        except journal_export.CannotBook as problem:
            messages.error(request, f"No journal was written. {problem}")
            return redirect(self.period)
        return csv_download(rows, f"journal {month}")


class JournalAccounts(FormPage):
    permission_required = "tagging.change_journalaccount"
    form_class = AccountsForm
    title = "Journal accounts"
    subtitle = "What the journal books to. Cost centres are the teams' own."
    breadcrumbs = CRUMBS
    cancel_url_name = "tagging:chargeback"
    success_message = "Saved."

    def get_form_kwargs(self) -> dict[str, Any]:
        return {**super().get_form_kwargs(), "instance": JournalAccount.objects.first() or JournalAccount()}

    def get_success_url(self) -> str:
        return reverse("tagging:chargeback")

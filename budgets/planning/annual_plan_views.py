"""Finance's pages: the year by team and month, the grid, and tables in and out."""

import csv
import io
import json
from functools import cached_property
from typing import Any

from django.contrib import messages
from django.core.exceptions import ValidationError
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import redirect
from django.urls import reverse
from django.utils import timezone
from django.views.generic import TemplateView

from budgets.calc import variance
from budgets.evaluation import status
from budgets.models import Budget
from budgets.planning import annual_plan, budget_changes
from budgets.planning.budget_changes import Row, Stale
from budgets.planning.forms import ImportForm
from costs.query.spend import add
from costs.web.views.teams import lines_url
from finops_site.lib import charts
from finops_site.lib.money import exact_text
from finops_site.lib.periods import Month
from finops_site.ui.downloads import csv_download, xlsx_download
from finops_site.ui.figures import month_text
from finops_site.ui.pages import Action, Empty, FormPage, Page

IMPORT = Action("Import CSV", "budgets:import", "upload", "budgets.change_budget")
EMPTY = Empty("No amounts in this year", "Make a budget of each month, or copy last year's.", "report-money")


def _year(request: HttpRequest) -> int:
    text = request.GET.get("year", "")
    now = timezone.now().date().year
    return int(text) if text.isdecimal() and 1990 < int(text) < 2200 else now


class FinancePage(Page, TemplateView):
    permission_required = "budgets.view_budget"
    title = "Budget, actual, forecast"
    template_name = "budgets/finance.html"
    breadcrumbs = (("Budgets", "budgets:budgets"),)

    @cached_property
    def year(self) -> int:
        return _year(self.request)

    @cached_property
    def lines(self) -> list[annual_plan.Line]:
        return annual_plan.year(self.request.user, self.year, timezone.now().date())

    def get_subtitle(self) -> str:
        return f"{self.year}, month by month, by charge day: what was meant, what was spent, where it lands."

    def get(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        export = {"csv": csv_download, "xlsx": xlsx_download}.get(request.GET.get("_export", ""))
        return export(self._rows(), f"budgets-{self.year}") if export else super().get(request, *args, **kwargs)

    def _rows(self) -> Any:
        yield ["Budget", "Team", "Month", "Amount", "Actual", "Forecast", "Variance", "Currency"]
        for line in self.lines:
            for month, cell in line.cells.items():
                team = line.budget.team.name if line.budget.team else "Company"
                amounts = [cell.amount, cell.actual, cell.forecast, cell.variance]
                yield [line.budget.name, team, str(month), *amounts, line.budget.currency]

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        months = list(self.lines[0].cells) if self.lines else []
        context = {
            "year": self.year,
            "years": range(self.year - 1, self.year + 2),
            "months": months,
            "rows": [self._row(line) for line in self.lines],
            "sums": annual_plan.by_currency(self.lines),
            "kpi": annual_plan.kpi(self.lines),
            "target": annual_plan.TARGET,
            "charts": self._charts(months),
            "why": self._why(),
            "empty": EMPTY.for_user(self.request.user),
        }
        return super().get_context_data(**{**context, **kwargs})

    def _row(self, line: annual_plan.Line) -> dict[str, Any]:
        return {
            "budget": line.budget,
            "cells": [(month, cell, self._link(line.budget, month)) for month, cell in line.cells.items()],
            "amount": line.total("amount"),
            "actual": line.total("actual"),
            "landing": line.landing,
        }

    def _link(self, budget: Budget, month: Month) -> str:
        return lines_url(month.period, {**budget.filters, "currency": budget.currency})

    def _charts(self, months: list[Month]) -> list[dict[str, Any]]:
        inside = {line.budget.pk for line in self.lines}
        tops = [line for line in self.lines if line.budget.parent_id not in inside]
        return [
            _chart(code, [line for line in tops if line.budget.currency == code], months)
            for code in sorted({line.budget.currency for line in tops})
        ]

    def _why(self) -> dict[str, Any] | None:
        """The reasons of one month's variance, of the budget and month asked for."""
        try:
            month = Month.parse(self.request.GET.get("month", ""))
        except ValueError:
            return None
        pk = self.request.GET.get("budget", "")
        line = next((line for line in self.lines if str(line.budget.pk) == pk), None)
        cell = line.cells.get(month) if line else None
        if line is None or cell is None or cell.amount is None or cell.actual is None:
            return None
        parts = annual_plan.reasons(self.request.user, line.budget, month, cell.amount)
        return {
            "budget": line.budget,
            "month": month,
            "cell": cell,
            "total": cell.actual - cell.amount,
            "reasons": variance.by_reason(parts),
            "parts": parts[:8],
            "share": status.variance_share(cell.actual, cell.amount),
        }


def _chart(code: str, lines: list[annual_plan.Line], months: list[Month]) -> dict[str, Any]:
    def sums(name: str) -> list[Any]:
        return [add(getattr(line.cells[month], name) for line in lines) for month in months]

    many = [
        charts.series("Amount", sums("amount")),
        charts.series("Actual", sums("actual")),
        charts.series("Forecast", sums("forecast")),
    ]
    return {
        "id": f"year-{code.lower()}",
        "kind": "bar",
        "title": f"Amount, actual and forecast by month, {code}",
        "categories": [month_text(month) for month in months],
        "series": many,
        "currency": code,
    }


class GridPage(Page, TemplateView):
    """Teams x months in one form: every cell an amount; saved together or not at all."""

    permission_required = "budgets.change_budget"
    title = "Amounts"
    template_name = "budgets/grid.html"
    breadcrumbs = (("Budgets", "budgets:budgets"),)
    actions = (IMPORT,)

    @cached_property
    def months(self) -> list[Month]:
        return [Month(_year(self.request), number) for number in range(1, 13)]

    @cached_property
    def budgets(self) -> list[Budget]:
        found = Budget.objects.visible_to(self.request.user).filter(kind="month").exclude(state="archived")
        return list(found.select_related("team").prefetch_related("periods"))

    def get(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        if request.GET.get("_export") == "csv":
            rows = ([b.name, b.currency, *(self._text(b, m) for m in self.months)] for b in self.budgets)
            head = ["budget", "currency", *map(str, self.months)]
            return csv_download(iter([head, *rows]), f"budgets-{self.months[0].year}")
        return super().get(request, *args, **kwargs)

    def _text(self, budget: Budget, month: Month) -> str:
        found = next((each.amount for each in budget.periods.all() if each.start == month.start), None)
        return exact_text(found) or ""

    def post(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        rows = budget_changes.read_table(self._posted(), request.user)
        problems = [row.problem for row in rows if row.problem]
        if problems:
            return self.render_to_response(self.get_context_data(problems=problems), status=400)
        versions = {b.pk: int(v) for b in self.budgets if (v := request.POST.get(f"version-{b.pk}", "")).isdecimal()}
        try:
            count = budget_changes.write_table(rows, versions, by=request.user, why=request.POST.get("why", "")[:500])
        except Stale as error:
            return self.render_to_response(self.get_context_data(problems=[str(error)]), status=409)
        messages.success(request, f"{count} amount{'' if count == 1 else 's'} changed.")
        return redirect(f"{reverse('budgets:grid')}?year={self.months[0].year}")

    def _posted(self) -> list[dict[str, str]]:
        post = self.request.POST
        return [
            {"budget": budget.name, **{str(m): post.get(f"cell-{budget.pk}-{m}", "") for m in self.months}}
            for budget in self.budgets
        ]

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        post = self.request.POST
        rows = [
            {
                "budget": budget,
                "cells": [
                    (month, post.get(f"cell-{budget.pk}-{month}", self._text(budget, month))) for month in self.months
                ],
            }
            for budget in self.budgets
        ]
        context = {"rows": rows, "months": self.months, "year": self.months[0].year, "problems": []}
        return super().get_context_data(**{**context, **kwargs})


class ImportPage(FormPage):
    """A CSV of amounts: first shown against what there is, then written."""

    permission_required = "budgets.change_budget"
    form_class = ImportForm
    title = "Import amounts"
    subtitle = "Nothing is written before you have seen what would change."
    template_name = "budgets/import.html"
    breadcrumbs = (("Budgets", "budgets:budgets"), ("Amounts", "budgets:grid"))
    submit_label = "Look at it"
    cancel_url_name = "budgets:grid"

    def form_valid(self, form: Any) -> HttpResponse:
        said = form.cleaned_data
        text = said["file"] or said["table"]
        try:
            rows = budget_changes.read_table(_table(text), self.request.user)
        except ValidationError as error:
            form.add_error("file", error)
            return self.form_invalid(form)
        if said["file"] or any(row.problem for row in rows):
            return self._preview(form, text, rows)
        try:
            count = budget_changes.write_table(rows, said["versions"], by=self.request.user, why=said["why"])
        except Stale as error:
            form.add_error(None, str(error))
            return self._preview(form, text, rows)
        messages.success(self.request, f"{count} amounts changed.")
        return redirect("budgets:grid")

    def _preview(self, form: Any, text: str, rows: list[Row]) -> HttpResponse:
        changed = [row for row in rows if row.changes]
        versions = {row.budget.pk: row.budget.version for row in changed if row.budget}
        context = {
            "preview": changed,
            "problems": [row.problem for row in rows if row.problem],
            "count": sum(len(row.changes) for row in changed),
            "table": text,
            "versions": json.dumps(versions),
            "is_preview": True,
        }
        return self.render_to_response(self.get_context_data(form=form, **context))


def _table(text: str) -> list[dict[str, str]]:
    """The rows of a CSV by its head; raises ValidationError where there is no column of budgets."""
    sample = text.splitlines()[0] if text.strip() else ""
    reader = csv.DictReader(io.StringIO(text), delimiter=";" if sample.count(";") > sample.count(",") else ",")
    heads = [(head or "").strip().lower() for head in reader.fieldnames or []]
    if "budget" not in heads:
        raise ValidationError("The first line must name the columns: budget, 2026-01, 2026-02 and so on.")
    return [
        {head: (value or "") for head, value in zip(heads, row.values(), strict=False) if isinstance(value, str)}
        for row in reader
    ]

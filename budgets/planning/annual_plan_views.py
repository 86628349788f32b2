"""The page of the annual plan: by team and month, with the reasons of a month's variance."""

from collections.abc import Iterator, Sequence
from datetime import date
from decimal import Decimal
from functools import cached_property
from typing import Any

from django.http import HttpRequest, HttpResponseBase
from django.utils import timezone

from budgets.calc.variance import sum_by_reason
from budgets.forecast.status import variance_share
from budgets.planning import annual_plan
from budgets.planning.annual_plan import PlanLine
from budgets.planning.year_page import YearPage
from costs.query.known_until import KnownDays, known_in
from costs.query.spend import add
from costs.web.links import lines_url
from finops_site.lib import charts
from finops_site.lib.periods import Month, Period
from finops_site.ui.downloads import csv_download, xlsx_download
from finops_site.ui.figures import month_text
from finops_site.ui.pages import Empty


class AnnualPlanPage(YearPage):
    permission_required = "budgets.view_budget"
    title = "Annual plan"
    template_name = "budgets/annual_plan.html"
    breadcrumbs = (("Budgets", "budgets:budgets"),)
    empty = Empty("No amounts in this year", "Make a monthly budget, or copy last year's.", "report-money")

    @cached_property
    def lines(self) -> list[PlanLine]:
        return annual_plan.load_annual_plan(self.person, self.year, timezone.now().date())

    @cached_property
    def known(self) -> KnownDays:
        year = Period(date(self.year, 1, 1), date(self.year + 1, 1, 1))
        return known_in(self.person, year, timezone.now().date())

    def get_subtitle(self) -> str:
        return f"{self.year}, month by month, by charge day: the budgeted amount, the actual cost and the forecast."

    def get(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        export = {"csv": csv_download, "xlsx": xlsx_download}.get(request.GET.get("_export", ""))
        if export:
            return export(self.export_rows(), f"budgets-{self.year}", self.known.notes)
        return super().get(request, *args, **kwargs)

    def export_rows(self) -> Iterator[list[str | Decimal | None]]:
        yield ["Budget", "Team", "Month", "Amount", "Actual", "Forecast", "Variance", "Currency"]
        for line in self.lines:
            for month, cell in line.months.items():
                team = line.budget.team.name if line.budget.team else "Company"
                amounts = [cell.amount, cell.actual, cell.forecast, cell.variance]
                yield [line.budget.name, team, str(month), *amounts, line.budget.currency]

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        months = list(self.lines[0].months) if self.lines else []
        tops = annual_plan.without_children(self.lines)
        codes = sorted({line.budget.currency for line in tops})
        rows = []
        for line in self.lines:
            filters = {**line.budget.filters, "currency": line.budget.currency}
            rows.append(
                {
                    "budget": line.budget,
                    "cells": [(month, cell, lines_url(month.period, filters)) for month, cell in line.months.items()],
                    "amount": line.total("amount"),
                    "actual": line.total("actual"),
                    "at_year_end": line.at_year_end,
                }
            )
        context = {
            "year": self.year,
            "years": range(self.year - 1, self.year + 2),
            "months": months,
            "rows": rows,
            "sums": annual_plan.totals_by_currency(self.lines),
            "kpi": annual_plan.variance_kpi(self.lines),
            "target": annual_plan.VARIANCE_TARGET,
            "charts": [plan_chart(code, [x for x in tops if x.budget.currency == code], months) for code in codes],
            "why": self.get_reasons(),
            "known": self.known,
            "empty": self.empty.for_user(self.person),
        }
        return super().get_context_data(**{**context, **kwargs})

    def get_reasons(self) -> dict[str, Any] | None:
        """The reasons of one month's variance, of the budget and month in the address."""
        try:
            month = Month.parse(self.request.GET.get("month", ""))
        except ValueError:
            return None
        pk = self.request.GET.get("budget", "")
        line = next((line for line in self.lines if str(line.budget.pk) == pk), None)
        cell = line.months.get(month) if line else None
        if line is None or cell is None or cell.amount is None or cell.actual is None:
            return None
        parts = annual_plan.variance_reasons(self.person, line.budget, month, cell.amount)
        return {
            "budget": line.budget,
            "month": month,
            "cell": cell,
            "total": cell.actual - cell.amount,
            "reasons": sum_by_reason(parts),
            "parts": parts[:8],
            "share": variance_share(cell.actual, cell.amount),
        }


def plan_chart(code: str, lines: Sequence[PlanLine], months: Sequence[Month]) -> dict[str, Any]:
    """The amounts, actual costs and forecasts of all budgets by month, in one currency."""
    series = [
        charts.series(label, [add(getattr(line.months[month], name) for line in lines) for month in months])
        for label, name in (("Amount", "amount"), ("Actual", "actual"), ("Forecast", "forecast"))
    ]
    return {
        "id": f"year-{code.lower()}",
        "kind": "bar",
        "title": f"Amount, actual and forecast by month, {code}",
        "categories": [month_text(month) for month in months],
        "series": series,
        "currency": code,
    }

"""The page of the annual plan: by team and month, with the reasons of a month's variance."""

from collections.abc import Iterator, Sequence
from decimal import Decimal
from functools import cached_property
from typing import Any

from django.http import HttpRequest, HttpResponseBase
from django.utils import timezone
from django.utils.translation import gettext as _

from budgets.calc.variance import sum_by_reason
from budgets.forecast.status import variance_share
from budgets.planning import annual_plan
from budgets.planning.annual_plan import PlanLine, PlanSum
from budgets.planning.year_page import YearPage
from costs.query.known_until import KnownDays, known_in
from costs.query.spend import add
from costs.web.links import lines_url
from finops_site.lib import charts
from finops_site.lib.addresses import BadFilter
from finops_site.lib.periods import Month, Period, day_text
from finops_site.translation import gettext_lazy as _lazy
from finops_site.ui.downloads import csv_download, xlsx_download
from finops_site.ui.figures import month_text
from finops_site.ui.pages import Action, Empty


class AnnualPlanPage(YearPage):
    parameters = ("year", "month", "budget")
    exports = ("csv", "xlsx")
    permission_required = "budgets.view_budget"
    title = _lazy("Annual plan")
    template_name = "budgets/annual_plan.html"
    breadcrumbs = ((_lazy("Budgets"), "budgets:budgets"),)
    actions = (Action(_lazy("Company year"), "budgets:company_year", "calendar", "budgets.change_companyyear"),)
    empty = Empty(_lazy("No amounts in this year"), _lazy("Make a budget, or copy last year's."), "report-money")

    def check_address(self) -> None:
        super().check_address()
        month, budget = (self.request.GET.get(name, "") for name in ("month", "budget"))
        if bool(month) != bool(budget):
            raise BadFilter(_("A month and a budget are asked for together: whose variance of which month."))
        if budget and budget not in {str(line.budget.pk) for line in self.lines}:
            raise BadFilter(
                _("There is no budget {budget!r} in the plan of {year}.").format(budget=budget[:80], year=self.year)
            )
        if month and Month.parse(month) not in self.columns:
            raise BadFilter(_("{month} is no month of the year {year}.").format(month=month, year=self.year))

    def this_year(self) -> int:
        return annual_plan.plan_year_of(timezone.now().date())

    @cached_property
    def columns(self) -> dict[Month, Period]:
        """The months of the company's year, by the name that they go by."""
        return annual_plan.plan_columns(self.year)

    @cached_property
    def days(self) -> Period:
        columns = list(self.columns.values())
        return Period(columns[0].start, columns[-1].end)

    @cached_property
    def lines(self) -> list[PlanLine]:
        return annual_plan.load_annual_plan(self.person, self.year, timezone.now().date())

    @cached_property
    def known(self) -> KnownDays:
        return known_in(self.person, self.days, timezone.now().date())

    def get_subtitle(self) -> str:
        days = self.days
        is_calendar_year = (days.start.month, days.start.day) == (1, 1)
        year = (
            str(self.year)
            if is_calendar_year
            else _("{first} to {last}").format(first=day_text(days.start), last=day_text(days.last_day))
        )
        return _(
            "{year}, month by month, by charge day: the budgeted amount, the actual cost and the forecast."
        ).format(year=year)

    def get(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        export = {"csv": csv_download, "xlsx": xlsx_download}.get(request.GET.get("_export", ""))
        if export:
            return export(self.export_rows(), f"budgets-{self.year}", self.known.notes)
        return super().get(request, *args, **kwargs)

    def export_rows(self) -> Iterator[list[str | Decimal | None]]:
        yield [
            "Budget",
            "Team",
            "Month",
            "First day",
            "Last day",
            "Amount",
            "Actual",
            "Forecast",
            "Variance",
            "Currency",
        ]
        for line in self.lines:
            for month, cell in line.shown:
                team = line.budget.team.name if line.budget.team else "Company"
                amounts = [cell.amount, cell.actual, cell.forecast, cell.variance]
                days = [str(cell.period.start), str(cell.period.last_day)] if cell.period else ["", ""]
                yield [line.budget.name, team, str(month), *days, *amounts, line.budget.currency]

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        months, today = list(self.columns), timezone.now().date()
        sums = annual_plan.sums_without_overlap(self.person, self.lines, self.year, today) if self.lines else []
        variance = annual_plan.variance_figures(self.lines)
        rows = []
        for line in self.lines:
            filters = line.budget.filters
            rows.append(
                {
                    "budget": line.budget,
                    "cells": [
                        (month, cell, lines_url(cell.period, filters) if cell.period else "")
                        for month, cell in line.shown
                    ],
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
            "sums": sums,
            "kpi": variance.value,
            "variance": variance,
            "target": annual_plan.VARIANCE_TARGET,
            "charts": [plan_chart(of_currency, months, len(sums) > 1) for of_currency in sums],
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
        if line is None or cell is None or cell.period is None or cell.amount is None or cell.actual is None:
            return None
        days = Period(max(cell.period.start, self.days.start), min(cell.period.end, self.days.end))
        parts = annual_plan.variance_reasons(self.person, line.budget, days, cell.amount)
        return {
            "budget": line.budget,
            "month": month,
            "words": line.budget.words_of(days),
            "cell": cell,
            "total": cell.actual - cell.amount,
            "reasons": sum_by_reason(parts),
            "parts": parts[:8],
            "share": variance_share(cell.actual, cell.amount),
        }


def plan_chart(of_currency: PlanSum, months: Sequence[Month], says_basis: bool) -> dict[str, Any]:
    """The amounts, actual costs and forecasts of the budgets that add no cost twice, by month, in one currency."""
    columns = [[line.by_column.get(month, {}) for line in of_currency.lines] for month in months]
    series = [
        charts.series(label, [add(sums.get(name) for sums in column) for column in columns])
        for label, name in ((_("Amount"), "amount"), (_("Actual"), "actual"), (_("Forecast"), "forecast"))
    ]
    code, basis = of_currency.currency, f", {of_currency.basis_words}" if says_basis else ""
    return {
        "id": f"year-{code.lower()}-{of_currency.basis.partition('_')[0]}",
        "kind": "bar",
        "title": _("Amount, actual and forecast by month, {code}{basis}").format(code=code, basis=basis),
        "categories": [month_text(month) for month in months],
        "series": series,
        "currency": code,
    }

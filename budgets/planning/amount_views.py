"""The grid of amounts, and the import of a table of them."""

import json
import re
from functools import cached_property
from typing import Any

from django.contrib import messages
from django.core.exceptions import ValidationError
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import redirect
from django.urls import reverse

from budgets.models import Budget
from budgets.planning import amount_tables
from budgets.planning.amount_tables import AmountRow
from budgets.planning.budget_changes import StaleBudget
from budgets.planning.budget_forms import ImportForm
from budgets.planning.year_page import YearPage
from finops_site.lib.money import typed_text
from finops_site.lib.periods import Month
from finops_site.lib.words import counted
from finops_site.ui.downloads import csv_download
from finops_site.ui.pages import Action, FormPage

VERSION = re.compile(r"[0-9]{1,9}")


class GridPage(YearPage):
    """Budgets x months in one form: every cell an amount; saved together or not at all."""

    exports = ("csv",)
    permission_required = "budgets.change_budget"
    title = "Amounts"
    template_name = "budgets/grid.html"
    breadcrumbs = (("Budgets", "budgets:budgets"),)
    actions = (Action("Import CSV", "budgets:import", "upload", "budgets.change_budget"),)

    @cached_property
    def months(self) -> list[Month]:
        return [Month(self.year, number) for number in range(1, 13)]

    @cached_property
    def budgets(self) -> list[Budget]:
        monthly = Budget.objects.visible_to(self.person).filter(kind="month").exclude(state="archived")
        return list(monthly.select_related("team").prefetch_related("periods"))

    def get(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        if request.GET.get("_export") == "csv":
            rows = ([b.name, b.currency, *(amount_text(b, m) for m in self.months)] for b in self.budgets)
            head = ["budget", "currency", *map(str, self.months)]
            return csv_download(iter([head, *rows]), f"budgets-{self.year}")
        return super().get(request, *args, **kwargs)

    def post(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        post = request.POST
        table = [
            {"budget": budget.name, **{str(m): post.get(f"cell-{budget.pk}-{m}", "") for m in self.months}}
            for budget in self.budgets
        ]
        rows = amount_tables.compare_amount_table(table, self.person)
        problems = [row.problem for row in rows if row.problem]
        if problems:
            return self.render_to_response(self.get_context_data(problems=problems), status=400)
        if "preview" in post:
            return self.render_to_response(self.get_context_data(preview=[row for row in rows if row.changes]))
        sent = {budget.pk: post.get(f"version-{budget.pk}", "") for budget in self.budgets}
        versions = {pk: int(text) for pk, text in sent.items() if VERSION.fullmatch(text)}
        try:
            count = amount_tables.write_amount_table(rows, versions, by=self.person, why=post.get("why", "")[:500])
        except StaleBudget as error:
            return self.render_to_response(self.get_context_data(problems=[str(error)]), status=409)
        messages.success(request, f"{counted(count, 'amount')} changed.")
        return redirect(f"{reverse('budgets:grid')}?year={self.year}")

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        post = self.request.POST
        rows = [
            {
                "budget": budget,
                # Without a text where the budget has no such month.
                "cells": [
                    (
                        month,
                        post.get(f"cell-{budget.pk}-{month}", amount_text(budget, month))
                        if budget.cut.named(month)
                        else None,
                    )
                    for month in self.months
                ],
            }
            for budget in self.budgets
        ]
        context = {
            "rows": rows,
            "months": self.months,
            "year": self.year,
            "problems": [],
            "preview": None,
            "why": post.get("why", ""),
        }
        return super().get_context_data(**{**context, **kwargs})


def amount_text(budget: Budget, month: Month) -> str:
    """The amount as the grid shows it; empty where the month has none."""
    own = budget.cut.named(month)
    amounts = (period.amount for period in budget.periods.all() if own and period.start == own.start)
    return typed_text(next(amounts, None)) or ""


class ImportPage(FormPage):
    """A CSV of amounts: first shown against the amounts there are, then written."""

    permission_required = "budgets.change_budget"
    form_class = ImportForm
    title = "Import amounts"
    subtitle = "Nothing is written before you have seen what would change."
    template_name = "budgets/import.html"
    breadcrumbs = (("Budgets", "budgets:budgets"), ("Amounts", "budgets:grid"))
    submit_label = "Preview"
    cancel_url_name = "budgets:grid"

    def form_valid(self, form: ImportForm) -> HttpResponse:
        values = form.cleaned_data
        text = values["file"] or values["table"]
        try:
            table = amount_tables.parse_amount_csv(text)
            mark = values["decimal_mark"] or amount_tables.mark_of_table(table)
            rows = amount_tables.compare_amount_table(table, self.person, decimal_mark=mark)
        except ValidationError as error:
            form.add_error("file", error)
            return self.form_invalid(form)
        if values["file"] or any(row.problem for row in rows):
            return self.render_preview(form, text, rows)
        try:
            by, why = self.person, values["why"]
            count = amount_tables.write_amount_table(rows, values["versions"], by=by, why=why)
        except StaleBudget as error:
            form.add_error(None, str(error))
            return self.render_preview(form, text, rows)
        messages.success(self.request, f"{counted(count, 'amount')} changed.")
        return redirect("budgets:grid")

    def render_preview(self, form: ImportForm, text: str, rows: list[AmountRow]) -> HttpResponse:
        changed = [row for row in rows if row.changes]
        versions = {row.budget.pk: row.budget.version for row in changed if row.budget}
        context = {
            "preview": changed,
            "problems": [row.problem for row in rows if row.problem],
            "count": sum(len(row.changes) for row in changed),
            "table": text,
            "decimal_mark": form.cleaned_data["decimal_mark"],
            "versions": json.dumps(versions),
            "is_preview": True,
        }
        return self.render_to_response(self.get_context_data(form=form, **context))

"""The grid of amounts, and the import of a table of them."""

import json
import re
from collections.abc import Collection, Mapping, Sequence
from decimal import Decimal
from functools import cached_property
from typing import Any

from django.contrib import messages
from django.core.exceptions import ValidationError
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _

from budgets.models import Budget
from budgets.planning import amount_tables
from budgets.planning.amount_tables import AmountRow
from budgets.planning.budget_changes import StaleBudget
from budgets.planning.budget_forms import ImportForm
from budgets.planning.year_page import YearPage
from finops_site.lib.money import exact_sum, typed_text
from finops_site.lib.periods import Month
from finops_site.lib.words import counted
from finops_site.translation import gettext_lazy as _lazy
from finops_site.ui.downloads import csv_download
from finops_site.ui.pages import Action, FormPage

VERSION = re.compile(r"[0-9]{1,9}")


class GridPage(YearPage):
    """Budgets x months in one form: every cell an amount; saved together or not at all."""

    exports = ("csv",)
    permission_required = "budgets.change_budget"
    title = _lazy("Amounts")
    template_name = "budgets/grid.html"
    breadcrumbs = ((_lazy("Budgets"), "budgets:budgets"),)
    actions = (Action(_lazy("Import CSV"), "budgets:import", "upload", "budgets.change_budget"),)

    @cached_property
    def months(self) -> list[Month]:
        return [Month(self.year, number) for number in range(1, 13)]

    @cached_property
    def budgets(self) -> list[Budget]:
        monthly = Budget.objects.visible_to(self.person).filter(kind="month").exclude(state="archived")
        return list(monthly.select_related("team").prefetch_related("periods"))

    @cached_property
    def stored(self) -> dict[int, dict[Month, Decimal | None]]:
        """{budget id: its amounts by month}."""
        return {budget.pk: amount_tables.stored_amounts(budget, self.months) for budget in self.budgets}

    def get(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        if request.GET.get("_export") == "csv":
            rows = ([b.name, b.currency, *amount_texts(self.stored[b.pk])] for b in self.budgets)
            head = ["budget", "currency", *map(str, self.months)]
            return csv_download(iter([head, *rows]), f"budgets-{self.year}")
        return super().get(request, *args, **kwargs)

    def post(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        """What would change is shown first, and written once that is confirmed (``save``); ``back`` is the grid."""
        post = request.POST
        if "back" in post:
            return self.render_to_response(self.get_context_data())
        table = [{"budget": budget.name, **self._cells(budget)} for budget in self.budgets]
        rows = amount_tables.compare_amount_table(table, self.person)
        problems = [row.problem for row in rows if row.problem]
        if problems:
            return self.render_to_response(self.get_context_data(problems=problems), status=400)
        versions = {budget.pk: int(text) for budget in self.budgets if VERSION.fullmatch(text := self._version(budget))}
        if stale := amount_tables.stale_rows(rows, versions):
            self.stale = set(stale)
            return self.render_to_response(self.get_context_data(problems=list(stale.values())), status=409)
        if "save" not in post:
            return self.confirm(rows)
        try:
            count = amount_tables.write_amount_table(rows, versions, by=self.person, why=post.get("why", "")[:500])
        except StaleBudget as error:
            return self.render_to_response(self.get_context_data(problems=[str(error)]), status=409)
        messages.success(request, _("{amounts} changed.").format(amounts=counted(count, "amount")))
        return redirect(f"{reverse('budgets:grid')}?year={self.year}")

    def confirm(self, rows: list[AmountRow]) -> HttpResponse:
        """The differences and their sums, before anything is written."""
        changed = [row for row in rows if row.changes]
        if not changed:
            messages.info(self.request, _("Nothing would change: every amount is as it was."))
            return self.render_to_response(self.get_context_data())
        sums = amount_tables.amount_sums(self.budgets, self.months, rows)
        touched = {(one.currency, one.month) for one in sums if one.difference}
        names = {f"cell-{budget.pk}-{month}" for budget in self.budgets for month in self.months}
        context = {
            "changed": changed,
            "count": sum(len(row.changes) for row in changed),
            "budget_count": len(changed),
            "sums": [one for one in sums if (one.currency, one.month) in touched],
            # All that was typed, for the way back too.
            "typed": [(name, text) for name, text in self.request.POST.items() if name in names],
            "versions": [(f"version-{row.budget.pk}", self._version(row.budget)) for row in changed if row.budget],
        }
        template = "budgets/grid_confirm.html"
        return render(self.request, template, self.get_context_data(**context))

    # Rows that somebody else changed since they were opened.
    stale: Collection[int] = ()

    def _version(self, budget: Budget) -> str:
        return self.request.POST.get(f"version-{budget.pk}", "")

    def _cells(self, budget: Budget) -> dict[str, str]:
        """{month: what was typed}; empty where nothing was sent, and where a cell is as it was when it was opened."""
        post, seen = self.request.POST, self._seen(budget)
        cells = {str(month): post.get(f"cell-{budget.pk}-{month}", "") for month in self.months}
        return {month: "" if seen.get(month) == text else text for month, text in cells.items()}

    def _seen(self, budget: Budget) -> dict[str, str]:
        """{month: the text of the cell when the grid was opened}; empty where that was not sent."""
        texts = self.request.POST.get(f"was-{budget.pk}", "").split(";")
        return dict(zip(map(str, self.months), texts, strict=True)) if len(texts) == len(self.months) else {}

    def _shown(self, budget: Budget, stored: Sequence[str]) -> list[str | None]:
        """What its cells show: what was typed, else the amount; None where the budget has no such month."""
        cut, seen, post = budget.cut, self._seen(budget), self.request.POST
        shown = list[str | None]()
        for month, text in zip(self.months, stored, strict=True):
            typed = post.get(f"cell-{budget.pk}-{month}", text)
            shown.append((text if typed == seen.get(str(month)) else typed) if cut.named(month) else None)
        return shown

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        rows, shown = [], {budget.pk for budget in self.budgets}
        for budget in self.budgets:
            amounts = self.stored[budget.pk]
            stored = amount_texts(amounts)
            cells = list(zip(self.months, self._shown(budget, stored), strict=True))
            pairs = zip(cells, stored, strict=True)
            rows.append(
                {
                    "budget": budget,
                    # Without a text where the budget has no such month.
                    "cells": cells,
                    "was": ";".join(stored),
                    "with_stored": [(month, text, was) for (month, text), was in pairs],
                    "is_stale": budget.pk in self.stale,
                    "sum": exact_sum(filter(None, amounts.values())),
                    "is_part": budget.parent_id in shown,
                }
            )
        sums = amount_tables.amount_sums(self.budgets, self.months)
        codes = [one.currency for one in sums]
        context = {
            "rows": rows,
            "months": self.months,
            "sums": [(code, [one for one in sums if one.currency == code]) for code in dict.fromkeys(codes)],
            "has_parts": any(row["is_part"] for row in rows),
            "year": self.year,
            "problems": [],
            "why": self.request.POST.get("why", ""),
        }
        return super().get_context_data(**{**context, **kwargs})


def amount_texts(amounts: Mapping[Month, Decimal | None]) -> list[str]:
    """Amounts as the grid shows them, month by month; empty where a month has none."""
    return [typed_text(amount) or "" for amount in amounts.values()]


class ImportPage(FormPage):
    """A CSV of amounts: first shown against the amounts there are, then written."""

    permission_required = "budgets.change_budget"
    form_class = ImportForm
    title = _lazy("Import amounts")
    subtitle = _lazy("Nothing is written before you have seen what would change.")
    template_name = "budgets/import.html"
    breadcrumbs = ((_lazy("Budgets"), "budgets:budgets"), (_lazy("Amounts"), "budgets:grid"))
    submit_label = _lazy("Preview")
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
        messages.success(self.request, _("{amounts} changed.").format(amounts=counted(count, "amount")))
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
            # Where every line is wrong nobody knows what would change.
            "is_preview": not rows or not all(row.problem for row in rows),
        }
        return self.render_to_response(self.get_context_data(form=form, **context))

"""The pages of the savings model: the three cases, an assumption and its history, and what is proved."""

from collections.abc import Iterator
from decimal import Decimal
from functools import cached_property
from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import redirect
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import pgettext
from django.views.generic import TemplateView

from finops_site.lib import charts
from finops_site.lib.addresses import BadFilter
from finops_site.lib.periods import Month
from finops_site.people.company import reporting_currency
from finops_site.translation import gettext_lazy as _lazy
from finops_site.ui.downloads import csv_download, xlsx_download
from finops_site.ui.figures import month_text
from finops_site.ui.pages import Action, DetailPage, Empty, FormPage, ListPage, Page
from programme.calc.savings_model import CASES, LEVERS, PILLARS, STATED, AssumptionUnit
from programme.models import Assumption, AssumptionChange
from programme.savings_model import assumptions, evidence_rows
from programme.savings_model.assumptions import CannotChange, savings_model, unit_words
from programme.savings_model.figures import SavingsFigures, load_figures
from programme.savings_model.forms import AssumptionForm, StartForm
from programme.savings_model.tables import ChangeTable, EvidenceTable
from programme.savings_model.template import CURRENCY
from programme.savings_model.words import (
    ASSUMPTION_LABELS,
    CASE_LABELS,
    COMPARISON_LABELS,
    LEVER_LABELS,
    comparison_sentences,
    money_text,
    percent_text,
    range_text,
    value_text,
)
from programme.savings_model.workbook import csv_rows, model_rows

VIEW, CHANGE = "programme.view_assumption", "programme.change_assumption"
CRUMBS = ((_lazy("Savings model"), "programme:savings"),)
START = Action(_lazy("Start the model"), "programme:savings_start", "flag", CHANGE, primary=True)
NOT_STARTED = Empty(
    _lazy("There is no savings model yet"),
    _lazy("Finance starts it from the plan: three pillars in three cases, each assumption with its source."),
    "report-money",
    START,
)


class SavingsPage(Page, TemplateView):
    """The model beside what the books say."""

    permission_required = VIEW
    template_name = "programme/savings.html"
    title = _lazy("Savings model")
    subtitle = _lazy("What the programme is expected to save, what follows from its own figures, and what is proved.")
    exports = ("csv", "xlsx")
    actions = (
        Action(_lazy("History"), "programme:savings_changes", "history"),
        Action(_lazy("What is proved"), "programme:savings_evidence", "report-money"),
    )

    @cached_property
    def figures(self) -> SavingsFigures | None:
        return load_figures(self.person, timezone.now().date())

    def check_address(self) -> None:
        super().check_address()
        if self.request.GET.get("_export") and self.figures is None:
            raise BadFilter(_("There is no savings model yet, and so no file of it."))

    def get_actions(self) -> list[Action]:
        return super().get_actions() if self.figures else []

    def get(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        export = request.GET.get("_export")
        if export and self.figures:
            if export == "xlsx":
                return xlsx_download(model_rows(self.figures), "savings-model")
            return csv_download(csv_rows(self.figures), "savings-model")
        return super().get(request, *args, **kwargs)

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        if self.figures is None:
            return super().get_context_data(empty=NOT_STARTED.for_user(self.person), **kwargs)
        return super().get_context_data(**{**savings_context(self.figures), **kwargs})


def savings_context(figures: SavingsFigures) -> dict[str, Any]:
    """What templates/programme/savings.html draws."""
    return {
        "figures": figures,
        "currency": figures.model.currency,
        "start": figures.model.month,
        "stats": list(_stats(figures)),
        "case_labels": [CASE_LABELS[case] for case in CASES],
        "case_rows": list(_case_rows(figures)),
        "assumptions": list(_assumption_rows(figures)),
        "comparisons": list(_comparison_rows(figures)),
        "chart": _month_chart(figures) if figures.realised_total is not None and figures.realised.months else None,
        "apart": [f"{money_text(amount, code)} {code}" for code, amount in sorted(figures.realised.apart.items())],
    }


def _stats(figures: SavingsFigures) -> Iterator[dict[str, Any]]:
    currency, cases = figures.model.currency, figures.cases
    together = range_text((cases[0].total, cases[-1].total), AssumptionUnit.YEARLY, currency)
    total = value_text(figures.expected.total, AssumptionUnit.YEARLY, currency)
    yield {
        "label": _("Expected a year"),
        "value": total,
        "note": _("{low_to_high} in the three cases").format(low_to_high=together),
        "icon": "target",
    }
    realised = figures.realised_total
    yield {
        "label": _("Proved since {month}").format(month=month_text(figures.model.month)),
        "value": _("unknown") if realised is None else value_text(realised, AssumptionUnit.YEARLY, currency),
        "note": _proved_note(figures),
        "icon": "report-money",
    }
    share = figures.realised_return
    yield {
        "label": _("Return so far"),
        "value": _("unknown") if share is None else percent_text(share),
        "note": _return_note(figures),
        "icon": "percentage",
    }
    took = None if figures.payback is None else Decimal(figures.payback)
    yield {
        "label": _("Payback"),
        "value": _("not yet") if took is None else value_text(took, AssumptionUnit.MONTHS, ""),
        "note": _("{expected} in the expected case").format(
            expected=value_text(figures.expected.payback, AssumptionUnit.MONTHS, "")
        ),
        "icon": "calendar-stats",
    }


def _proved_note(figures: SavingsFigures) -> str:
    if figures.realised_total is None:
        return _("nothing is proved yet")
    if not figures.realised.months:
        return _("nothing was bought, stopped or mended")
    return _("by bills and alerts, each row once")


def _return_note(figures: SavingsFigures) -> str:
    expected = _("{expected} in the expected case").format(expected=percent_text(figures.expected.roi))
    if figures.paid is None:
        return _("nobody has entered what was paid; {expected}").format(expected=expected)
    return _("on {paid} paid; {expected}").format(
        paid=value_text(figures.paid, AssumptionUnit.ONCE, figures.model.currency), expected=expected
    )


def _case_rows(figures: SavingsFigures) -> Iterator[dict[str, Any]]:
    """Label, a text for each case, what is realised, and whether it is a sum."""
    currency, cases, unit = figures.model.currency, figures.cases, AssumptionUnit.YEARLY
    for pillar in PILLARS:
        yield {
            "label": LEVER_LABELS[pillar],
            "cells": [value_text(case.savings[pillar], unit, currency) for case in cases],
            "realised": value_text(figures.realised_of(pillar), unit, currency),
        }
    if figures.realised_of("usage") is not None:
        realised = value_text(figures.realised_of("usage"), unit, currency)
        yield {"label": LEVER_LABELS["usage"], "cells": ["—"] * len(cases), "realised": realised}
    yield {
        "label": _("Savings a year"),
        "cells": [value_text(case.total, unit, currency) for case in cases],
        "realised": value_text(figures.realised_total, unit, currency),
        "is_total": True,
    }
    yield {
        "label": _("Investment"),
        "cells": [value_text(case.investment, AssumptionUnit.ONCE, currency) for case in cases],
        "realised": value_text(figures.paid, AssumptionUnit.ONCE, currency),
    }
    yield {
        "label": _("Return on investment"),
        "cells": [percent_text(case.roi) for case in cases],
        "realised": percent_text(figures.realised_return),
    }
    payback = None if figures.payback is None else Decimal(figures.payback)
    yield {
        "label": _("Payback"),
        "cells": [value_text(case.payback, AssumptionUnit.MONTHS, "") for case in cases],
        "realised": value_text(payback, AssumptionUnit.MONTHS, ""),
    }


def _assumption_rows(figures: SavingsFigures) -> Iterator[dict[str, Any]]:
    for row in figures.assumptions:
        if row.kind.group == STATED:
            continue
        measured = figures.measured.get(row.key)
        yield {
            "row": row,
            "label": ASSUMPTION_LABELS[row.key],
            "unit": unit_words(row.kind.unit, row.currency),
            "values": assumed_text(row),
            "measured": measured.text if measured else "",
        }


def assumed_text(row: Assumption) -> str:
    """Its values in short: ``12% to 18%, expected 15%``."""
    unit, currency = row.kind.unit, row.currency
    ends = (row.conservative, row.optimistic)
    expected = value_text(row.expected, unit, currency)
    if row.kind.single or ends == (row.expected, row.expected):
        return expected
    together = range_text(ends, unit, currency)
    return (
        together
        if row.expected is None
        else _("{range}, expected {expected}").format(range=together, expected=expected)
    )


def _comparison_rows(figures: SavingsFigures) -> Iterator[dict[str, Any]]:
    currency, claims = figures.model.currency, {row.key: row for row in figures.assumptions}
    for row in figures.comparisons:
        yield {
            "row": claims[row.claim_key],
            "label": COMPARISON_LABELS[row.name],
            "stated": range_text(row.stated, row.unit, currency),
            "follows": range_text(row.follows, row.unit, currency),
            "sentences": comparison_sentences(row, currency),
        }


def _month_chart(figures: SavingsFigures) -> dict[str, Any]:
    """Realised by month and pillar against a twelfth of the expected case; a month without proof has no bar."""
    months = figures.months
    many = [
        charts.series(str(LEVER_LABELS[lever]), [figures.realised.of_month(month, lever) for month in months])
        for lever in LEVERS
        if figures.realised_of(lever) is not None
    ]
    if figures.planned_a_month is not None:
        many.append(charts.threshold(_("Planned"), figures.planned_a_month, len(months), tone="calm"))
    return {
        "id": "realised-by-month",
        "kind": "bar",
        "title": _("Realised by month against the plan, {currency}").format(currency=figures.model.currency),
        "currency": figures.model.currency,
        "categories": [month_text(month) for month in months],
        "series": many,
    }


class StartPage(FormPage):
    """Starts the model from the plan; once it is started, moves the month from which savings count."""

    permission_required = CHANGE
    form_class = StartForm
    breadcrumbs = CRUMBS
    cancel_url_name = "programme:savings"

    @cached_property
    def object(self) -> Any:
        return savings_model()

    def get_title(self) -> str:
        return _("Start of the savings model") if self.object else _("Start the savings model")

    def get_subtitle(self) -> str:
        return _("Its assumptions are those of the plan; each can be changed afterwards, with a reason.")

    def get_form_kwargs(self) -> dict[str, Any]:
        kwargs = super().get_form_kwargs()
        kwargs.pop("instance", None)
        return kwargs

    def get_initial(self) -> dict[str, Any]:
        if self.object:
            return {"start": self.object.month, "currency": self.object.currency}
        today = timezone.now().date()
        return {"start": Month.of(today), "currency": reporting_currency(self.person) or CURRENCY}

    def form_valid(self, form: StartForm) -> HttpResponse:
        try:
            assumptions.set_start(user=self.person, now=timezone.now(), **form.cleaned_data)
        except CannotChange as problem:
            form.add_error(None, str(problem))
            return self.form_invalid(form)
        messages.success(self.request, _("The savings model is saved."))
        return redirect("programme:savings")


class AssumptionPage(DetailPage):
    """An assumption: its values, what the books say, and every change of it."""

    permission_required = VIEW
    model = Assumption
    template_name = "programme/assumption.html"
    breadcrumbs = CRUMBS

    def get_title(self) -> str:
        return str(ASSUMPTION_LABELS[self.object.key])

    def get_subtitle(self) -> str:
        return unit_words(self.object.kind.unit, self.object.currency)

    def get_actions(self) -> list[Action]:
        edit = Action(pgettext("verb", "Change"), "programme:assumption_edit", "edit", CHANGE, args=(self.object.pk,))
        return [edit] if self.person.has_perm(CHANGE) else []

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        figures = load_figures(self.person, timezone.now().date())
        row = self.object
        changes = AssumptionChange.objects.visible_to(self.person).filter(assumption=row).select_related("assumption")
        values = [
            (CASE_LABELS[case], value_text(value, row.kind.unit, row.currency)) for case, value in row.values.items()
        ]
        context = {
            "values": values[1:2] if row.kind.single else values,
            "measured": figures.measured.get(row.key) if figures else None,
            "changes": ChangeTable(changes, request=None, exclude=("assumption",)) if changes else None,
        }
        return super().get_context_data(**{**context, **kwargs})


class AssumptionEditPage(FormPage):
    """Another value for an assumption, with its source and the reason."""

    permission_required = CHANGE
    model = Assumption
    form_class = AssumptionForm

    def get_title(self) -> str:
        return _("Change: {assumption}").format(assumption=ASSUMPTION_LABELS[self.object.key])

    def get_subtitle(self) -> str:
        return unit_words(self.object.kind.unit, self.object.currency)

    def get_breadcrumbs(self) -> list[tuple[str, str]]:
        return [*CRUMBS, (str(ASSUMPTION_LABELS[self.object.key]), self.object.get_absolute_url())]

    def get_form_kwargs(self) -> dict[str, Any]:
        kwargs = super().get_form_kwargs()
        kwargs.pop("instance", None)
        return {**kwargs, "assumption": self.object}

    def get_initial(self) -> dict[str, Any]:
        row = self.object
        return {**row.values, "currency": row.currency, "source": row.source, "version": row.version}

    def form_valid(self, form: AssumptionForm) -> HttpResponse:
        sent = form.cleaned_data
        try:
            row = assumptions.change_assumption(
                self.object.pk,
                user=self.person,
                values={case: sent.get(case) for case in CASES},
                currency=sent.get("currency", ""),
                source=sent["source"],
                reason=sent["reason"],
                version=sent["version"],
                now=timezone.now(),
            )
        except CannotChange as problem:
            form.add_error(None, str(problem))
            return self.form_invalid(form)
        messages.success(self.request, _("The assumption is changed; its history has what it was."))
        return redirect(row)

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        return super().get_context_data(**{"cancel_url": self.object.get_absolute_url(), **kwargs})


class ChangesPage(ListPage):
    """Every change of every assumption."""

    permission_required = VIEW
    model = AssumptionChange
    title = _lazy("History of assumptions")
    subtitle = _lazy("Every change with its reason, the latest first. The values of the plan itself are no change.")
    breadcrumbs = CRUMBS
    table_class = ChangeTable
    export_name = "changes-of-assumptions"
    empty = Empty(_lazy("Nothing was changed yet"), _lazy("The assumptions are those of the plan."), "history")

    def get_queryset(self) -> Any:
        return super().get_queryset().select_related("assumption")


class EvidencePage(ListPage):
    """What pillars prove, row by row, and how much of each counts."""

    permission_required = VIEW
    title = _lazy("What is proved")
    subtitle = _lazy(
        "Realised savings, row by row. What two rows may show at once counts for the stronger proof alone: bills "
        "before forecasts. A loss counts in full."
    )
    breadcrumbs = CRUMBS
    table_class = EvidenceTable
    can_be_saved = False
    export_name = "realised-savings"
    empty = Empty(
        _lazy("Nothing is proved yet"),
        _lazy("The first purchase whose month is billed, or an alert that somebody acted on, makes the first row."),
        "report-money",
    )

    def get_subtitle(self) -> str:
        model = savings_model()
        if model is None:
            return str(self.subtitle)
        return _("{how} The model sums them from {month} on.").format(how=self.subtitle, month=month_text(model.month))

    def get_queryset(self) -> list[dict[str, Any]]:
        return evidence_rows.evidence_rows(self.person, timezone.now().date())

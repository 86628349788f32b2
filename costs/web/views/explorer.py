"""The cost explorer: what was spent, by one or two things, over time."""

from collections.abc import Iterable
from itertools import chain
from typing import Any

from django.http import HttpRequest, HttpResponseBase, QueryDict
from django.utils import timezone
from django.utils.functional import cached_property
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.generic import TemplateView

from costs.calc.dimensions import FILTERABLE
from costs.calc.filters import is_filter_name, takes_filter
from costs.query import currency_conversion
from costs.query.group_labels import group_labels
from costs.query.known_until import KnownDays, known_of
from costs.query.pivots import Pivot, build_pivots
from costs.query.question import METRIC_LABELS, BadQuestion, Question
from costs.query.spend import find_spend
from costs.query.stored_values import unmatched_values, unmatched_words
from costs.query.usage import MOST_UNITS, find_usage, lines_without_unit, usage_pivots
from costs.web.explorer_forecast import NoForecast, forecast_months, with_forecast
from costs.web.explorer_form import UNIT_PRICE, ExplorerForm
from costs.web.explorer_tables import ExplorerTables, Ranks
from costs.web.filters import FilterBar
from costs.web.links import compare_url, exclusions
from finops_site.lib.words import in_sentence, number_text
from finops_site.registry import SpanForecast
from finops_site.translation import gettext_lazy as _lazy
from finops_site.ui.downloads import csv_download, refused_file, xlsx_download
from finops_site.ui.filters import form_problems
from finops_site.ui.pages import Empty, Page
from finops_site.ui.spreadsheets import TooManyRows
from finops_site.ui.view_figures import FigureRow, Figures, ViewFigures, known_figures, largest

MOST_ROWS = 1_000_000
NOTHING_SPENT = Empty(
    _lazy("No cost here"), _lazy("Nothing was spent in this period by what you may see."), "chart-bar"
)
NOTHING_MATCHES = Empty(
    _lazy("Nothing matches these filters"), _lazy("No cost of these days has all of them. Take one away."), "filter-off"
)


class QuestionPage(Page, TemplateView):
    """A page about one question, which is kept in the address; a change of it replaces ``#list``."""

    permission_required = "costs.view_costline"
    template_name = "costs/question.html"
    form_class: type[ExplorerForm] = ExplorerForm
    fragment_template_name: str
    export_name: str
    exports = ("csv", "xlsx")
    can_be_saved = True

    def known_names(self) -> list[str]:
        own = [name for name in self.form.fields if not is_filter_name(name)]
        return [*FILTERABLE, *own, *super().known_names()]

    def takes_name(self, name: str) -> bool:
        return takes_filter(name)

    def takes_many(self, name: str) -> bool:
        return name == "group_by" or takes_filter(name) or super().takes_many(name)

    def get(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        export = {"csv": csv_download, "xlsx": xlsx_download}.get(request.GET.get("_export", ""))
        if export and self.question:
            try:
                return export(self.export_rows(self.question), self.export_name, self.get_notes())
            except (BadQuestion, TooManyRows) as refused:
                return refused_file([str(refused)])
        if export:
            return refused_file(form_problems(self.form))
        return super().get(request, *args, **kwargs)

    def export_rows(self, question: Question) -> Iterable[Iterable[Any]]:
        """The answer for a file, the header first: every group, none put together, with all digits."""
        raise NotImplementedError

    def get_notes(self) -> list[str]:
        """What stands about the answer in files, in sentences."""
        return self.answer_notes()

    def answer_notes(self) -> list[str]:
        """What the answer lacks, in sentences."""
        return [*self.unmatched, *(self.known.notes if self.known else ())]

    @cached_property
    def unmatched(self) -> list[str]:
        """Sentences about values of the filters that nothing has."""
        return unmatched_words(unmatched_values(self.person, self.question)) if self.question else []

    def answer(self, question: Question) -> dict[str, Any]:
        """What the page shows of the answer."""
        raise NotImplementedError

    def get_template_names(self) -> list[str]:
        return ["includes/list_part.html" if self.wants_fragment("list") else str(self.template_name)]

    @cached_property
    def form(self) -> Any:
        return self.form_class(self.request.GET, user=self.person, today=timezone.now().date())

    def state(self) -> QueryDict:
        """The address with what it leaves out: an answer is the same however its question was written."""
        return self.form.data

    def get_figures(self) -> ViewFigures:
        question = self.question
        figures = self.figures_of(question) if question else []
        if question is None or self.form.errors:
            return ViewFigures(problems=form_problems(self.form))
        return known_figures(figures, self.answer_notes(), self.known)

    def figures_of(self, question: Question) -> list[Figures]:
        """The answer in short, for each currency or unit."""
        raise NotImplementedError

    @cached_property
    def question(self) -> Question | None:
        """The question of the address; None, with the reason in the form, when it cannot be asked."""
        if not self.form.is_valid():
            return None
        try:
            return self.read_question()
        except ValueError as error:
            self.form.add_error(None, str(error))
            return None

    def read_question(self) -> Question:
        """Raises ValueError, with the reason, for what cannot be asked."""
        return self.form.build_question()

    @cached_property
    def known(self) -> KnownDays | None:
        """What the bills know of the question's days."""
        return known_of(self.person, self.question, timezone.now().date()) if self.question else None

    def title_of(self, question: Question) -> str:
        """``Billed cost by service and team``."""
        names = dict(self.form.groupings)
        by = f" {_('and')} ".join(in_sentence(names.get(name, name)) for name in question.group_by)
        metric = self.metric_text(question)
        return _("{metric} by {group}").format(metric=metric, group=by) if by else metric

    def metric_text(self, question: Question) -> str:
        """Which cost is shown, in words."""
        return str(METRIC_LABELS[question.metric])

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        question = self.question
        nothing = NOTHING_MATCHES if question and question.filters else NOTHING_SPENT
        context = {
            # A new question ranks anew: what was skipped is no field of the bar.
            "bar": FilterBar([bound for bound in self.form if bound.name != "skip"]),
            "fragment_template": self.fragment_template_name,
            "filters": self.form.filter_bar,
            "unmatched": self.unmatched,
            "question": question,
            "empty": nothing.for_user(self.person),
            "errors": form_problems(self.form),
            "known": self.known,
            "exclusions": exclusions(self.request.GET),
            **({"metric": self.metric_text(question), **self.answer(question)} if question else {}),
        }
        return super().get_context_data(**{**context, **kwargs})


class Explorer(QuestionPage):
    title = _lazy("Cost explorer")
    subtitle = _lazy("Amounts by charge day: when it was used, in UTC. Open any figure to see its cost lines.")
    fragment_template_name = "costs/explorer_answer.html"
    export_name = "spend"
    forecast_note = ""

    @property
    def target(self) -> str:
        """The currency to show costs in; empty for each as it was billed."""
        return self.form.cleaned_data["show_in"] if self.form.is_valid() else ""

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        return super().get_context_data(target=self.target, **kwargs)

    def answer(self, question: Question) -> dict[str, Any]:
        """A table and a chart for each currency, and the rates by which costs were converted; or for each unit."""
        if self.form.is_about_usage:
            return {"compare_url": compare_url(self.request.GET, question), **self.usage(question)}
        pivots, rates = self.pivots(question)
        tables, forecasts = self.tables(question), self.forecasts(question)
        answers = [
            with_forecast(tables.of_currency(pivot), pivot, forecasts.get(pivot.currency, [])) for pivot in pivots
        ]
        return {
            "compare_url": compare_url(self.request.GET, question),
            "answers": answers,
            "forecast_note": self.forecast_note,
            **rates,
        }

    def pivots(self, question: Question) -> tuple[list[Pivot], dict[str, Any]]:
        """A table for each currency, and the rates by which costs were converted."""
        listed = self.ranking.skip + self.ranking.top
        if not self.target:
            return build_pivots(self.person, question, top=listed), {}
        build_converted_pivots = currency_conversion.build_converted_pivots
        pivots, exchange = build_converted_pivots(self.person, question, self.target, top=listed)
        return pivots, {"rates": exchange.list_applied(), "apart": exchange.missing}

    def figures_of(self, question: Question) -> list[Figures]:
        """The groups of the page, as they are ranked there; nobody forecasts for a panel."""
        if self.form.is_about_usage:
            answers = self.usage(question).get("answers", [])
        else:
            tables = self.tables(question)
            answers = [tables.of_currency(pivot) for pivot in self.pivots(question)[0]]
        return [self._in_short(answer) for answer in answers]

    def _in_short(self, answer: dict[str, Any]) -> Figures:
        groups = answer["rows"] if answer["chart"]["series"] and self.question and self.question.group_by else []
        rows, more = largest([FigureRow(row["label"], row["total"], row["url"]) for row in groups])
        title, currency, unit = answer["chart"]["title"], answer["currency"], answer["unit"]
        return Figures(title, currency, answer["total"], rows, more, unit)

    @property
    def ranking(self) -> Ranks:
        chosen = self.form.cleaned_data
        return Ranks(chosen["top"], chosen["skip"] or 0)

    def tables(self, question: Question) -> ExplorerTables:
        until = self.known.until if self.known else None
        return ExplorerTables(question, self.title_of(question), self.target, self.request.GET, self.ranking, until)

    @cached_property
    def left_out(self) -> str:
        """What quantities and prices leave out, in a sentence; empty for nothing."""
        if not (self.question and self.form.is_about_usage):
            return ""
        count = lines_without_unit(self.person, self.question)
        words = ngettext(
            "{count} cost line has a quantity without a unit, which no table has.",
            "{count} cost lines have a quantity without a unit, which no table has.",
            count,
        )
        return words.format(count=number_text(count)) if count else ""

    def answer_notes(self) -> list[str]:
        return [*super().answer_notes(), *filter(None, [self.left_out])]

    def usage(self, question: Question) -> dict[str, Any]:
        """The tables of the units that cost most, and how many others there are."""
        ranking, per_unit = self.ranking, self.form.cleaned_data["metric"] == UNIT_PRICE
        try:
            rows = find_usage(self.person, question)
        except BadQuestion as refused:
            self.form.add_error(None, str(refused))
            return {"errors": form_problems(self.form), "question": None}
        pivots = usage_pivots(rows, question, per_unit=per_unit, top=ranking.skip + ranking.top)
        tables = self.tables(question)
        return {
            "answers": [tables.of_usage(usage, number) for number, usage in enumerate(pivots[:MOST_UNITS])],
            "left_out": self.left_out,
            "more_units": max(len(pivots) - MOST_UNITS, 0),
        }

    def forecasts(self, question: Question) -> dict[str, list[SpanForecast]]:
        """The months to come of each currency; where there are none, `forecast_note` says why."""
        months = int(self.form.cleaned_data["forecast"] or 0)
        until = self.known.until if self.known else None
        if not months:
            return {}
        try:
            return forecast_months(self.person, question, self.target, until, timezone.now().date(), months)
        except NoForecast as reason:
            self.forecast_note = str(reason)
            return {}

    def metric_text(self, question: Question) -> str:
        """What is shown, in words: ``Effective cost``, ``Unit price by billed cost``."""
        if not self.form.is_about_usage:
            return str(METRIC_LABELS[question.metric])
        if self.form.cleaned_data["metric"] == UNIT_PRICE:
            return _("Unit price of {metric}").format(metric=in_sentence(METRIC_LABELS[question.metric]))
        return _("Quantity")

    def export_rows(self, question: Question) -> Iterable[Iterable[Any]]:
        user = self.person
        if self.form.is_about_usage:
            return self.usage_rows(question)
        if self.target:
            rows, _ignored = currency_conversion.find_converted_spend(user, question, self.target, limit=MOST_ROWS)
        else:
            rows = find_spend(user, question)
        labels = group_labels(question.group_by, rows)
        head = [*question.group_by, "label", question.grain, "currency", question.metric]
        lines = ((*row.group, labels[row.group], row.bucket, row.currency, row.amount) for row in rows)
        return chain([head], lines)

    def usage_rows(self, question: Question) -> Iterable[Iterable[Any]]:
        """Every quantity with its cost, by unit and currency; `priced_quantity`, of what has a cost, is what a unit
        price divides by.
        """
        rows = find_usage(self.person, question)
        head = [*question.group_by, question.grain, "unit", "currency", "quantity", question.metric]
        head += ["priced_quantity", "unit_price"]
        lines = (
            (
                *row.group,
                row.bucket,
                row.unit,
                row.currency,
                row.quantity,
                row.cost,
                row.priced,
                row.unit_price,
            )
            for row in rows
        )
        return chain([head], lines)

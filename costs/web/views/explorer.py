"""The cost explorer: what was spent, by one or two things, over time."""

from itertools import chain
from typing import Any

from django.http import HttpRequest, HttpResponseBase
from django.utils import timezone
from django.utils.functional import cached_property
from django.views.generic import TemplateView

from costs.query import currency_conversion
from costs.query.group_labels import group_labels
from costs.query.known_until import KnownDays, known_of
from costs.query.pivots import build_pivots
from costs.query.question import Question
from costs.query.spend import find_spend
from costs.web.explorer_form import METRIC_LABELS, ExplorerForm
from costs.web.explorer_tables import ExplorerTables
from costs.web.filters import FilterBar
from finops_site.ui.downloads import csv_download
from finops_site.ui.pages import Empty, Page

MOST_ROWS = 1_000_000


class Explorer(Page, TemplateView):
    permission_required = "costs.view_costline"
    title = "Cost explorer"
    subtitle = "Amounts by charge day: when it was used, in UTC. Open any figure to see its cost lines."
    template_name = "costs/explorer.html"
    empty = Empty("No cost here", "Nothing was spent in this period by what you may see.", "chart-bar")

    def get(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        if request.GET.get("_export") == "csv" and self.question:
            return self.csv(self.question)
        return super().get(request, *args, **kwargs)

    def get_template_names(self) -> list[str]:
        return ["costs/explorer_answer.html" if self.wants_fragment("list") else self.template_name]

    @cached_property
    def form(self) -> ExplorerForm:
        return ExplorerForm(self.request.GET, user=self.person, today=timezone.now().date())

    @cached_property
    def question(self) -> Question | None:
        """The question of the address; None, with the reason in the form, when it cannot be asked."""
        if not self.form.is_valid():
            return None
        try:
            return self.form.build_question()
        except ValueError as error:
            self.form.add_error(None, str(error))
            return None

    @cached_property
    def known(self) -> KnownDays | None:
        """What the bills know of the question's days."""
        return known_of(self.person, self.question, timezone.now().date()) if self.question else None

    @property
    def target(self) -> str:
        """The currency to show costs in; empty for each as it was billed."""
        return self.form.cleaned_data["show_in"] if self.form.is_valid() else ""

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        context = {
            "bar": FilterBar(self.form),
            "question": self.question,
            "empty": self.empty.for_user(self.person),
            "errors": self.form.non_field_errors(),
            "target": self.target,
            "known": self.known,
            **(self.answer(self.question) if self.question else {}),
        }
        return super().get_context_data(**{**context, **kwargs})

    def answer(self, question: Question) -> dict[str, Any]:
        """A table and a chart for each currency, and the rates by which costs were converted."""
        pivots = build_pivots(self.person, question, to_merge=bool(self.target))
        rates: dict[str, Any] = {}
        if self.target:
            codes = [pivot.currency for pivot in pivots]
            exchange = currency_conversion.Exchange(self.target, question.grain, question.period, codes)
            pivots = currency_conversion.convert_pivots(pivots, exchange)
            rates = {"rates": exchange.list_applied(), "apart": exchange.missing}
        tables = ExplorerTables(question, self._title(question), self.target)
        return {
            "answers": [tables.of_currency(pivot) for pivot in pivots],
            "metric": METRIC_LABELS[question.metric],
            **rates,
        }

    def _title(self, question: Question) -> str:
        names = dict(self.form.groupings)
        by = " and ".join(names.get(name, name) for name in question.group_by)
        return f"{METRIC_LABELS[question.metric]}{' by ' + by.lower() if by else ''}"

    def csv(self, question: Question) -> HttpResponseBase:
        """Every group, none put together, with all digits."""
        user = self.person
        if self.target:
            rows, _ = currency_conversion.find_converted_spend(user, question, self.target, limit=MOST_ROWS)
        else:
            rows = find_spend(user, question)
        labels = group_labels(question.group_by, rows)
        head = [*question.group_by, "label", question.grain, "currency", question.metric]
        lines = ((*row.group, labels[row.group], row.bucket, row.currency, row.amount) for row in rows)
        return csv_download(chain([head], lines), "spend", self.known.notes if self.known else ())

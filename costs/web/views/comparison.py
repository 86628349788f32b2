"""Two periods side by side: what differs, by any dimension, and why."""

from collections.abc import Iterable
from functools import cached_property
from itertools import chain
from typing import Any

from django.utils import timezone
from django.utils.translation import gettext as _

from costs.calc.change_parts import KIND_LABELS
from costs.query.known_until import KnownDays, known_of, known_together
from costs.query.period_comparison import compare_periods
from costs.query.question import Question
from costs.query.stored_values import unmatched_in_all
from costs.web.comparison_tables import ComparisonTables
from costs.web.explorer_form import CompareForm
from costs.web.views.explorer import QuestionPage
from finops_site.lib.money import ratio
from finops_site.lib.periods import Period
from finops_site.translation import gettext_lazy as _lazy
from finops_site.ui.view_figures import FigureRow, Figures, largest


class ComparePage(QuestionPage):
    title = _lazy("Compare")
    subtitle = _lazy(
        "Two periods by charge day, each currency as it was billed. The reasons sum to the difference exactly."
    )
    breadcrumbs = ((_lazy("Cost explorer"), "costs:explorer"),)
    form_class = CompareForm
    fragment_template_name = "costs/compare_answer.html"
    export_name = "comparison"
    # The days that the question's period is compared with.
    before: Period

    def read_question(self) -> Question:
        question = self.form.build_question()
        now, self.before = self.form.compared(question)
        return question.in_period(now)

    @cached_property
    def known(self) -> KnownDays | None:
        """What the bills know of both periods."""
        if not self.question:
            return None
        today = timezone.now().date()
        questions = (self.question, self.question.in_period(self.before))
        return known_together([known_of(self.person, question, today) for question in questions])

    @cached_property
    def unmatched(self) -> list[str]:
        """Sentences about values of the filters that neither period has."""
        if not self.question:
            return []
        return unmatched_in_all(self.person, [self.question, self.question.in_period(self.before)])

    def answer(self, question: Question) -> dict[str, Any]:
        compared = compare_periods(self.person, question, self.before, top=self.form.cleaned_data["top"])
        tables = ComparisonTables(question, self.before, self.title_of(question), self.request.GET)
        return {"answers": [tables.of_currency(one) for one in compared], "before": self.before}

    def figures_of(self, question: Question) -> list[Figures]:
        """The difference of each currency, and the groups that differ most."""
        return [self._in_short(answer) for answer in self.answer(question)["answers"]]

    def _in_short(self, answer: dict[str, Any]) -> Figures:
        rows, more = largest([FigureRow(row["label"], row["difference"], row["after_url"]) for row in answer["rows"]])
        before, after = answer["heads"]
        title = _("{title}: {after} against {before}").format(title=answer["title"], after=after, before=before)
        return Figures(title, answer["currency"], answer["whole"]["difference"], rows, more, is_change=True)

    def get_notes(self) -> list[str]:
        days = ((self.before, _("Before")), (self.question.period, _("After"))) if self.question else ()
        return [
            *(
                _("{name}: {start} to {last_day}.").format(name=name, start=period.start, last_day=period.last_day)
                for period, name in days
            ),
            *super().get_notes(),
        ]

    def export_rows(self, question: Question) -> Iterable[Iterable[Any]]:
        head = [*question.group_by, "label", "currency", "before", "after", "difference", "ratio", *KIND_LABELS]
        rows = (
            (
                *group.keys,
                group.label,
                of_currency.currency,
                group.before,
                group.after,
                group.difference,
                ratio(group.difference, abs(group.before)) if group.before else None,
                *(group.parts.get(kind) for kind in KIND_LABELS),
            )
            for of_currency in compare_periods(self.person, question, self.before, top=None)
            for group in of_currency.groups or [of_currency.total]
        )
        return chain([head], rows)

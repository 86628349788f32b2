"""Two periods of a question as a page draws them: the reasons, a chart and a table for each currency."""

from collections.abc import Sequence
from decimal import Decimal
from typing import Any
from urllib.parse import urlencode

from django.http import QueryDict
from django.utils.translation import gettext as _

from costs.calc.change_parts import GIVEN, KIND_LABELS, TAKEN
from costs.query.period_comparison import ComparedGroup, ComparedPeriods
from costs.query.pivots import OTHER
from costs.query.question import Question
from costs.web.links import OF_ONE_LOOK, group_filters, lines_url
from finops_site.lib import charts
from finops_site.lib.money import ratio
from finops_site.lib.periods import Period, day_text
from finops_site.translation import gettext_lazy as _lazy

IN_CHART = 10
# What a statement calls by its owners stands here in any group.
LABELS = {
    **{kind: _lazy(label) for kind, label in KIND_LABELS.items()},
    TAKEN: _lazy("Resources of other groups before"),
    GIVEN: _lazy("Resources of other groups now"),
}


class ComparisonTables:
    """Of a question and the days `before` that it is compared with; `address` is the page's."""

    def __init__(self, question: Question, before: Period, title: str, address: QueryDict) -> None:
        self.question, self.before, self.title, self.address = question, before, title, address

    def of_currency(self, compared: ComparedPeriods) -> dict[str, Any]:
        """One currency: its reasons, and a row for each group with the reasons of its own."""
        parts = [group.parts for group in (*compared.groups, compared.total)]
        kinds = [kind for kind in LABELS if any(kind in one for one in parts)]
        reasons = compared.total.parts
        code = compared.currency
        return {
            "currency": code,
            "title": _("{title} in {code}").format(title=self.title, code=code),
            "heads": [_days_text(self.before), _days_text(self.question.period)],
            "kinds": [LABELS[kind] for kind in kinds],
            "reasons": [{"label": LABELS[kind], "amount": reasons[kind]} for kind in kinds if kind in reasons],
            "rows": [self._row(group, kinds, code) for group in compared.groups],
            "whole": self._row(compared.total, kinds, code),
            "chart": self._chart(compared) if compared.groups else None,
        }

    def _row(self, group: ComparedGroup, kinds: Sequence[str], code: str) -> dict[str, Any]:
        is_linked = bool(group.keys) or group.label != OTHER
        chosen = group_filters(self.question.group_by, group.keys) if group.keys else {}
        filters = {**self.question.filters, **chosen, "currency": code}
        return {
            "label": group.label,
            "narrow": self._address(chosen) if group.keys else "",
            "before": group.before,
            "after": group.after,
            "difference": group.difference,
            "share": ratio(group.difference, abs(group.before)) if group.before else None,
            "parts": [group.parts.get(kind, Decimal(0)) for kind in kinds],
            "before_url": lines_url(self.before, filters) if is_linked else "",
            "after_url": lines_url(self.question.period, filters) if is_linked else "",
        }

    def _chart(self, compared: ComparedPeriods) -> dict[str, Any]:
        """The groups that differ most; a bar opens the comparison of its group alone."""
        groups = [group for group in compared.groups if group.keys][:IN_CHART]
        names = group_filters(self.question.group_by, [""] * len(self.question.group_by))
        queries = [urlencode(group_filters(self.question.group_by, group.keys), doseq=True) for group in groups]
        return {
            "id": f"difference-{compared.currency.lower()}",
            "kind": "bar",
            "across": True,
            "title": _("Differences: {title} in {currency}").format(title=self.title, currency=compared.currency),
            "categories": [group.label for group in groups],
            "series": [charts.series(_("Difference"), [group.difference for group in groups])],
            "currency": compared.currency,
            "table_id": f"table-{compared.currency.lower()}",
            "narrow": {"base": self._address({name: [] for name in names}), "categories": queries},
        }

    def _address(self, changes: dict[str, list[str]]) -> str:
        query = self.address.copy()
        for name in OF_ONE_LOOK:
            query.pop(name, None)
        for name, values in changes.items():
            query.setlist(name, values)
        return f"?{query.urlencode()}"


def _days_text(days: Period) -> str:
    return _("{start} to {end}").format(start=day_text(days.start), end=day_text(days.last_day))

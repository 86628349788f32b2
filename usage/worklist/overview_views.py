"""The overview of usage: the share of waste, what it is, whose it is, and what is not known."""

from functools import cached_property
from typing import Any
from urllib.parse import urlencode

from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.generic import TemplateView

from costs.query.scope import NOBODY, UNOWNED
from finops_site.lib.periods import Month, days_text
from finops_site.translation import gettext_lazy as _lazy
from finops_site.ui.pages import Page
from usage.carbon.figures import Carbon, CarbonSum
from usage.models import Evaluation, Finding
from usage.worklist import worklist_figures
from usage.worklist.finding_texts import CONFIDENCES
from usage.worklist.rule_names import title_of

MOST_ROWS = 50


class OverviewPage(Page, TemplateView):
    permission_required = "usage.view_finding"
    title = _lazy("Usage")
    template_name = "usage/overview.html"

    @cached_property
    def evaluation(self) -> Evaluation | None:
        return worklist_figures.newest_evaluation()

    def get_subtitle(self) -> str:
        evaluation = self.evaluation
        if evaluation is None or evaluation.first_day is None or evaluation.last_day is None:
            return _("What runs for nothing, what could run for less, and proof that it was mended.")
        return _("What could cost less, by the bills of {days}. Savings are for an average month.").format(
            days=days_text(evaluation.first_day, evaluation.last_day)
        )

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        rows = Finding.objects.visible_to(self.person).open()
        by_confidence = worklist_figures.group_by(rows, "confidence")
        sums = worklist_figures.sums_by_currency(rows)
        evaluation = self.evaluation
        context = {
            "evaluation": evaluation,
            "notes": note_texts(evaluation.notes) if evaluation else [],
            "shares": worklist_figures.waste_shares(self.person, evaluation),
            "sums": sums,
            "count": sum(one.count for one in sums.values()),
            "unknown": sum(one.unknown for one in sums.values()),
            "new": rows.filter(state=Finding.State.NEW).count(),
            "mended": worklist_figures.group_by(
                Finding.objects.visible_to(self.person).filter(state=Finding.State.MENDED)
            ),
            "by_rule": self._groups(rows, "rule", "", title_of),
            "by_team": self._groups(rows, "owner", "owner__name", lambda name: name or str(UNOWNED), "team"),
            "confidences": [
                (group, CONFIDENCES.get(group.label, (group.label, "calm", "point")), _url(confidence=group.label))
                for group in by_confidence
            ],
            "url_unknown": _url(saving="unknown"),
            "url_unowned": _url(team=NOBODY),
            "carbon": self._carbon(),
            "unowned": rows.filter(owner=None).count() if self.person.sees_whole_company else 0,
        }
        return super().get_context_data(**{**context, **kwargs})

    def _carbon(self) -> tuple[Month, CarbonSum] | None:
        """The newest month of carbon and its sum; None where nothing is delivered that she may see."""
        if not self.person.has_perm("usage.view_carbonmonth"):
            return None
        carbon = Carbon(self.person)
        month = carbon.newest if carbon.rows else None
        return next(((one.month, one) for one in carbon.by_month() if one.month and one.month == month), None)

    def _groups(self, rows: Any, field: str, label: str, name: Any, parameter: str = "") -> list[dict[str, Any]]:
        """What saves most first, each with its name and the list behind it."""
        groups = worklist_figures.group_by(rows, field, label)[:MOST_ROWS]
        return [
            {
                "group": group,
                "name": name(group.label),
                "url": _url(
                    **{parameter or field: NOBODY if group.value is None else group.value, "currency": group.currency}
                ),
            }
            for group in groups
        ]


def _url(**filters: Any) -> str:
    return f"{reverse('usage:findings')}?{urlencode(filters)}"


def note_texts(notes: Any) -> list[str]:
    """What the evaluation could not judge, in sentences."""
    return [str(note) for note in notes] if isinstance(notes, list) else []

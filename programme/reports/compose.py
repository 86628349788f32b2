"""What each kind of report is made of: what the pillars registered, of what its reader may see."""

from collections.abc import Sequence
from datetime import date
from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from finops_site.lib.money import formatted
from finops_site.lib.periods import Month, Period, day_text
from finops_site.models import SavedView, User
from finops_site.registry import ReportSection, registry
from finops_site.reports import monthly_report
from finops_site.reports.monthly_report import Part, make_gates, make_part
from finops_site.saved_views.opened_pages import figures_of, page_label
from finops_site.ui.figures import month_text
from programme.calc.due_moments import quarter_name
from programme.models import ReportKind
from programme.reports.composed import ComposedReport
from programme.reports.readers import Scope

# As many as stand on a first page beside its figures and its chart.
MOST_SENTENCES = 8


class NothingToReport(Exception):
    """There is nothing to say of these days; the message says why, in the language of whoever reads it."""


class NothingOfDays(NothingToReport):
    """No bill of these days has cost of this scope."""

    def __init__(self, scope: Scope, period: Period) -> None:
        super().__init__(scope, period)
        self.scope, self.period = scope, period

    def __str__(self) -> str:
        return _("There is nothing of {scope} to report of {days}: no bill of these days is loaded.").format(
            scope=self.scope.label, days=days_text(self.period)
        )


def compose(
    kind: str, scope: Scope, period: Period, today: date, *, view: SavedView | None = None, user: User | None = None
) -> ComposedReport:
    """The report of a kind about `period` as it stands today. Raises NothingToReport.

    With a `view` its figures are those that `user` sees.
    """
    parts, gates = (
        ([], []) if _is_before_all_bills(scope, period, today) else _PARTS[ReportKind(kind)](scope, period, today)
    )
    if not parts:
        raise NothingOfDays(scope, period)
    if view is not None and user is not None:
        parts = [*parts, _view_part(view, user)]
    lead = [sentence for part in parts if part.brief for sentence in part.brief.text][:MOST_SENTENCES]
    known = registry.known_texts(scope.person, period, today)
    return ComposedReport(
        kind=str(kind),
        title=title_of(kind, period),
        scope=scope.label,
        known=" ".join(known) or _("Until when cost is known is not known."),
        period=period,
        as_of=today,
        lead=lead,
        gates=gates,
        parts=parts,
    )


def _is_before_all_bills(scope: Scope, period: Period, today: date) -> bool:
    """Whether the period is over before the first month with cost: what is known today is no figure of it."""
    months = registry.report_months(scope.person, today)
    return not months or period.last_day < months[-1].month.start


def title_of(kind: str, period: Period) -> str:
    """``Quarterly business review, 2025-Q3``."""
    if kind == ReportKind.MONTHLY:
        return _("{month} report").format(month=month_text(period.start, "long"))
    if kind == ReportKind.QUARTERLY:
        return _("Quarterly business review, {quarter}").format(quarter=quarter_name(period))
    if kind == ReportKind.STATEMENTS:
        return _("Statements of {month}").format(month=month_text(period.start, "long"))
    return _("Update, {days}").format(days=days_text(period))


def days_text(period: Period) -> str:
    return _("{first} to {last}").format(first=day_text(period.start), last=day_text(period.last_day))


Made = tuple[list[Part], Sequence[monthly_report.Gate]]


def _monthly(scope: Scope, period: Period, today: date) -> Made:
    report = monthly_report.make_report(scope.person, Month.of(period.start), today)
    return report.parts, report.gates


def _quarterly(scope: Scope, period: Period, today: date) -> Made:
    sections = registry.period_sections(scope.person, period, today)
    parts = [make_part(ReportSection(one.name, str(one.title), "", _none), context) for one, context in sections]
    return parts, make_gates(scope.person, min(today, period.last_day))


def _update(scope: Scope, period: Period, today: date) -> Made:
    """One screen: the briefs alone."""
    sections = registry.period_sections(scope.person, period, today, of_update=True)
    parts = []
    for one, context in sections:
        if brief := context.get("brief"):
            short = {**brief, "brief": brief}
            parts.append(make_part(ReportSection(one.name, str(one.title), "", _none), short))
    return parts, make_gates(scope.person, min(today, period.last_day))


def _none(user: Any, month: Month) -> None:
    return None


_PARTS = {ReportKind.MONTHLY: _monthly, ReportKind.QUARTERLY: _quarterly, ReportKind.UPDATE: _update}


def _view_part(view: SavedView, user: User) -> Part:
    """The figures of a saved view as this person sees them; why not, where it is not hers to see."""
    visible = SavedView.objects.visible_to(user).filter(pk=view.pk).first()
    title = _("Saved view {name}").format(name=view.name if visible else "")
    if visible is None:
        context: dict[str, Any] = {"text": [_("The saved view of this report is not shared with you.")]}
    else:
        shown = figures_of(user, visible)
        tables = [
            {
                "title": one.title,
                "head": [page_label(visible.path), _("Amount")],
                "rows": [[row.label, _view_amount(row.amount, one)] for row in one.rows],
                "totals": [[_("Total"), _view_amount(one.total, one)]],
            }
            for one in shown.figures
        ]
        counted = (
            [ngettext("{count} row.", "{count} rows.", shown.count).format(count=shown.count)]
            if shown.count is not None
            else []
        )
        context = {"text": [*shown.problems, *shown.notes, *counted], "tables": tables}
    return make_part(ReportSection(f"view-{view.pk}", title, "", _none), context)


def _view_amount(amount: Any, one: Any) -> Any:
    if amount is None:
        return _("not known")
    if one.unit:
        return f"{amount:f} {one.unit}"
    return {"amount": amount, "currency": one.currency} if one.currency else formatted(amount, "USD")

"""What the programme itself says in its reports: what was promised and achieved, its risks, and decisions asked."""

from datetime import date, timedelta
from typing import Any

from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from finops_site.lib.periods import Period, day_text
from finops_site.lib.person import Person
from finops_site.people.roles import EXECUTIVE, FINANCE, role_permissions
from finops_site.registry import Kpi, Measure, PendingDecisionSource, Unit, registry
from finops_site.reports.monthly_report import figure_cell, make_gate
from finops_site.ui.pending_decisions import count_rows
from programme.models import DecisionPoint, Programme, Risk
from programme.roadmap.live_figures import figure_labels, why_unknown_text
from programme.roadmap.programmes import current_programme
from programme.roadmap.timeline import criterion_text, now_text

MOST_ITEMS = 10


def promises_section(user: Person, period: Period, today: date) -> dict[str, Any] | None:
    """Every figure with a target: what it was before the period, what it is at its end, and whether that is enough."""
    day, before = min(today, period.last_day), period.start - timedelta(days=1)
    measured = _measures(user, day)
    now = [(kpi, make_gate(kpi, measure)) for kpi, measure in measured]
    figures = {kpi.name: _figure(kpi, measure) for kpi, measure in measured}
    if not now:
        return None
    earlier = {kpi.name: _figure(kpi, measure) for kpi, measure in _measures(user, before)}
    with_target = [gate for _kpi, gate in now if gate.target]
    met = [gate for gate in with_target if gate.state == "met"]
    unknown = [gate for gate in with_target if not gate.state]
    sentences = [
        ngettext(
            "{met} of {all} target is met on {day}.", "{met} of {all} targets are met on {day}.", len(with_target)
        ).format(met=len(met), all=len(with_target), day=day_text(day))
    ]
    if unknown:
        sentences.append(
            ngettext("{count} is not known.", "{count} are not known.", len(unknown)).format(count=len(unknown))
        )
    return {
        "text": sentences,
        "tables": [
            {
                "title": _("Promised and achieved"),
                "head": [_("Figure"), _("Target"), day_text(before), day_text(day), _("Met")],
                "rows": [
                    [
                        {"text": str(gate.label), "url": gate.url},
                        gate.target or "—",
                        earlier.get(kpi.name, "—"),
                        figures[kpi.name],
                        _verdict(gate.state, bool(gate.target)),
                    ]
                    for kpi, gate in now
                ],
            }
        ],
        "brief": {"text": sentences},
    }


def _figure(kpi: Kpi, measure: Measure) -> str | dict[str, Any]:
    unit = measure.currency if measure.unit == Unit.MONEY else str(measure.unit)
    return figure_cell(make_gate(kpi, measure).value, measure.value, unit)


def _measures(user: Person, day: date) -> list[tuple[Kpi, Measure]]:
    """The figures as the night of that day stored them, whatever bills say since; measured where no night did."""
    stored = registry.stored_measures(user, day)
    return stored[1] if stored and stored[0] == day else registry.measures(user, day)


def _verdict(state: str, has_target: bool) -> str:
    if not has_target:
        return "—"
    return {"met": _("met"), "not met": _("not met")}.get(state, _("not known"))


def risks_section(user: Person, period: Period, today: date) -> dict[str, Any] | None:
    """The risks of the programme at the end of the period, and its decision points; None without a programme then."""
    day, programme = min(today, period.last_day), current_programme()
    if programme is None or programme.status == Programme.Status.PLANNED or not _overlaps(programme, period):
        return None
    risks = sorted(programme.risks.select_related("owner"), key=lambda row: (not _has_happened(row, day), row.pk))
    happened = [row for row in risks if _has_happened(row, day)]
    sentence = ngettext("{count} of {all} risks has happened.", "{count} of {all} risks have happened.", len(happened))
    sentences = [sentence.format(count=len(happened), all=len(risks))]
    if happened:
        sentences.append(_("What is done now: {what}").format(what=happened[0].contingency))
    labels = figure_labels()
    return {
        "text": sentences,
        "tables": [
            {
                "title": _("Risks"),
                "head": [_("Risk"), _("Trigger"), _("State"), _("What is done against it")],
                "rows": [_risk_row(row, day, user, labels) for row in risks],
            },
            {
                "title": _("Decisions of the programme"),
                "head": [_("Decision"), _("Due"), _("Question"), _("What was decided")],
                "rows": [_decision_row(row, day) for row in programme.decisions.all()],
            },
        ],
        "brief": {"text": sentences},
        "links": [(_("The programme"), programme.get_absolute_url())],
    }


def _overlaps(programme: Programme, period: Period) -> bool:
    last = programme.ended_on or programme.last_day
    # One that goes on after its last day, until somebody ends it, still has its risks.
    return programme.start <= period.last_day and (programme.is_running or last >= period.start)


def _has_happened(row: Risk, day: date) -> bool:
    """Whether it had happened, and was not over, on a day."""
    return bool(row.happened_on and row.happened_on <= day and (row.over_on is None or row.over_on > day))


def _risk_row(row: Risk, day: date, user: Person, labels: dict[str, str]) -> list[Any]:
    trigger = f"{row.trigger} ({criterion_text(row, user, labels)})" if row.is_live else row.trigger
    done = row.contingency if _has_happened(row, day) else row.mitigation
    return [{"text": row.name, "url": row.get_absolute_url()}, trigger, _risk_state(row, day, user), done]


def _risk_state(row: Risk, day: date, user: Person) -> str:
    """What had become of it by a day, and where its figure stands."""
    if _has_happened(row, day):
        return _("has happened, since {day}").format(day=day_text(row.happened_on))
    if row.over_on and row.over_on <= day:
        return _("was over on {day}").format(day=day_text(row.over_on))
    if row.watched_from and row.watched_from > day:
        return _("is watched from {day} on").format(day=day_text(row.watched_from))
    if row.is_live and row.last_value is None:
        return _("not known: {why}").format(why=why_unknown_text(row, user) or _("no night has read its figure yet"))
    return _("has not; its figure is {value}").format(value=now_text(row, user)) if row.is_live else _("has not")


def _decision_row(row: DecisionPoint, day: date) -> list[Any]:
    was = row.decided_at is not None and row.decided_at.date() <= day
    decided = f"{row.get_verdict_display()}, {row.decided_by_name}, {day_text(row.decided_at)}" if was else _("not yet")
    answer = _("asked for now") if not was and row.due <= day else decided
    return [{"text": row.name, "url": row.get_absolute_url()}, day_text(row.due), row.question or "—", answer]


def decisions_section(user: Person, period: Period, today: date) -> dict[str, Any] | None:
    """What goes no further until finance or an executive decides, with its money: what the meeting is asked for.

    Whoever reads it sees the whole company; who decides is said by the page that each leads to.
    """
    deciding = role_permissions()[FINANCE] | role_permissions()[EXECUTIVE]
    sources = [one for one in registry.of(PendingDecisionSource) if one.permission in deciding]
    rows = [source.rows(user) for source in sources]
    counts = count_rows(user, rows)
    waiting = [pair for *pair, count in zip(sources, rows, counts, strict=True) if count]
    items = [item for source, of_source in waiting for item in source.items(user, of_source)]
    if not items:
        return {"text": [_("No decision waits.")]}
    sentence = ngettext("{count} decision is asked for.", "{count} decisions are asked for.", len(items))
    return {
        "text": [sentence.format(count=len(items))],
        "tables": [
            {
                "title": _("Decisions"),
                "head": [_("What"), _("Amount"), _("What it counts")],
                "rows": [
                    [
                        {"text": item.text, "url": item.url},
                        "—" if item.amount is None else {"amount": item.amount, "currency": item.currency},
                        item.note or "—",
                    ]
                    for item in items[:MOST_ITEMS]
                ],
            }
        ],
        "brief": {"text": [sentence.format(count=len(items))]},
        "links": [(_("What to do"), reverse("to_do"))],
    }

"""What the programme itself says in its reports: what was promised and achieved, and which decisions are asked."""

from datetime import date, timedelta
from typing import Any

from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from finops_site.lib.money import formatted
from finops_site.lib.periods import Period, day_text
from finops_site.lib.person import Person
from finops_site.people.roles import EXECUTIVE, FINANCE, role_permissions
from finops_site.registry import Kpi, Measure, PendingDecisionSource, registry
from finops_site.reports.monthly_report import make_gate
from finops_site.ui.pending_decisions import count_rows

MOST_ITEMS = 10


def promises_section(user: Person, period: Period, today: date) -> dict[str, Any] | None:
    """Every figure with a target: what it was before the period, what it is at its end, and whether that is enough."""
    day, before = min(today, period.last_day), period.start - timedelta(days=1)
    now = [(kpi, make_gate(kpi, measure)) for kpi, measure in _measures(user, day)]
    if not now:
        return None
    earlier = {kpi.name: make_gate(kpi, measure).value for kpi, measure in _measures(user, before)}
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
                        gate.value,
                        _verdict(gate.state, bool(gate.target)),
                    ]
                    for kpi, gate in now
                ],
            }
        ],
        "brief": {"text": sentences},
    }


def _measures(user: Person, day: date) -> list[tuple[Kpi, Measure]]:
    """The figures as the night of that day stored them, whatever bills say since; measured where no night did."""
    stored = registry.stored_measures(user, day)
    return stored[1] if stored and stored[0] == day else registry.measures(user, day)


def _verdict(state: str, has_target: bool) -> str:
    if not has_target:
        return "—"
    return {"met": _("met"), "not met": _("not met")}.get(state, _("not known"))


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
                        "—" if item.amount is None else f"{formatted(item.amount, item.currency)} {item.currency}",
                        item.note or "—",
                    ]
                    for item in items[:MOST_ITEMS]
                ],
            }
        ],
        "brief": {"text": [sentence.format(count=len(items))]},
        "links": [(_("What to do"), reverse("to_do"))],
    }

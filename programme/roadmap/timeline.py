"""A programme as it is drawn: phases with today, what is due and late, the next decision, weeks."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import pgettext

from finops_site.lib.person import Person
from programme.calc.criteria import Comparison, is_reached
from programme.calc.programme_dates import week_of
from programme.models import DecisionPoint, Milestone, Phase, Programme, ProgrammeWeek, Risk
from programme.roadmap.live_figures import figure_labels, is_hidden_money, limit_in_words, not_shown, value_text

# The drawing is so many units wide, whatever the screen is.
WIDTH = 1000
DUE_SOON = timedelta(days=14)
MET, LATE, DUE, LATER, UNKNOWN = "met", "late", "due soon", "planned", "not known"
LOOKS = {
    MET: ("good", "circle-check"),
    LATE: ("bad", "alert-triangle"),
    DUE: ("warn", "hourglass"),
    LATER: ("calm", "circle-dashed"),
    UNKNOWN: ("bad", "help"),
}


@dataclass(frozen=True, slots=True)
class MilestoneRow:
    """A milestone in words: its state, what it waits for, where its figure stands."""

    milestone: Milestone
    state: str
    badge: tuple[str, str, str]
    criterion: str
    now: str
    x: int = 0


@dataclass(frozen=True, slots=True)
class PhaseRow:
    """A phase with its milestones and weeks; `x` and `width` are in units of the drawing."""

    phase: Phase
    state: str
    rows: Sequence[MilestoneRow]
    weeks: Sequence[ProgrammeWeek]
    x: int
    width: int

    @property
    def met(self) -> int:
        return sum(row.state == MET for row in self.rows)


@dataclass(frozen=True, slots=True)
class Timeline:
    programme: Programme
    phases: Sequence[PhaseRow]
    decisions: Sequence[tuple[DecisionPoint, int]]
    today: int | None
    week: int
    rows: Sequence[MilestoneRow] = field(default_factory=list)

    def of_state(self, *states: str) -> list[MilestoneRow]:
        return [row for row in self.rows if row.state in states]

    @property
    def late(self) -> list[MilestoneRow]:
        return self.of_state(LATE, UNKNOWN)

    @property
    def due(self) -> list[MilestoneRow]:
        return self.of_state(DUE)

    @property
    def met(self) -> int:
        return len(self.of_state(MET))

    @property
    def next_decision(self) -> DecisionPoint | None:
        return next((row for row, _x in self.decisions if not row.is_decided), None)

    def asked_for(self, day: date) -> list[DecisionPoint]:
        """Decisions that are due by a day, and that nobody has recorded yet."""
        return [row for row, _x in self.decisions if not row.is_decided and row.due <= day]

    @property
    def focus(self) -> str:
        """What this week is about."""
        return next((week.focus for phase in self.phases for week in phase.weeks if week.number == self.week), "")


def make_timeline(programme: Programme, today: date, reader: Person) -> Timeline:
    """All of a programme as `reader` may see it, in four queries."""
    labels = figure_labels()
    milestones = list(programme.milestones.select_related("owner", "team", "programme"))
    rows = [milestone_row(row, today, reader, labels, _x(programme, row.due)) for row in milestones]
    weeks = list(programme.weeks.all())
    phases = list(programme.phases.all())
    decisions = [(row, _x(programme, row.due)) for row in programme.decisions.all()]
    return Timeline(
        programme,
        [
            PhaseRow(
                phase,
                _phase_state(phase, today),
                [row for row in rows if _is_in(row.milestone.due, phase, number, phases)],
                [week for week in weeks if _is_in(_first_day(programme, week), phase, number, phases)],
                _x(programme, phase.start),
                max(1, _x(programme, phase.end + timedelta(days=1)) - _x(programme, phase.start) - 4),
            )
            for number, phase in enumerate(phases)
        ],
        decisions,
        _x(programme, today) if programme.is_running and programme.start <= today <= programme.last_day else None,
        week_of(programme.start, today),
        rows,
    )


def _is_in(day: date, phase: Phase, number: int, phases: Sequence[Phase]) -> bool:
    """A day between two phases belongs to the earlier, one before all of them to the first."""
    next_start = phases[number + 1].start if number + 1 < len(phases) else date.max
    return (number == 0 or phase.start <= day) and day < next_start


def _first_day(programme: Programme, week: ProgrammeWeek) -> date:
    return programme.start + timedelta(days=7 * (week.number - 1))


def _x(programme: Programme, day: date) -> int:
    return max(0, min(WIDTH, WIDTH * (day - programme.start).days // programme.days))


def _phase_state(phase: Phase, today: date) -> str:
    return pgettext("a phase", "over") if phase.end < today else _("now") if phase.start <= today else _("to come")


def milestone_row(
    row: Milestone, today: date, reader: Person, labels: dict[str, str] | None = None, x: int = 0
) -> MilestoneRow:
    state = state_of(row, today)
    words = {MET: _("Met"), LATE: _("Late"), DUE: _("Due soon"), LATER: _("Planned"), UNKNOWN: _("Not known")}[state]
    criterion, now = criterion_text(row, reader, labels), now_text(row, reader)
    return MilestoneRow(row, state, (words, *LOOKS[state]), criterion, now, x)


def state_of(row: Milestone, today: date) -> str:
    """Met, late, due soon or planned; one that is late and whose figure is not known is not known."""
    if row.met_on is not None:
        return MET
    if row.due < today:
        return UNKNOWN if row.is_live and row.last_value is None else LATE
    return DUE if row.due <= today + DUE_SOON else LATER


def criterion_text(row: Milestone | Risk, reader: Person | None, labels: dict[str, str] | None = None) -> str:
    """``Commitment coverage at least 40%``, as `reader` may see it; empty where people say it."""
    if not row.figure:
        return ""
    label = (labels if labels is not None else figure_labels()).get(row.figure, row.figure.partition(":")[2])
    hidden = is_hidden_money(row, reader)
    limit = not_shown() if hidden else limit_in_words(row.limit, row.last_unit, row.last_currency)
    text = _("{figure} at most {limit}") if row.comparison == Comparison.AT_MOST else _("{figure} at least {limit}")
    return text.format(figure=label, limit=limit)


def now_text(row: Milestone | Risk, reader: Person | None) -> str:
    """What the last night read, as `reader` may see it; a dash where it is not known, empty without a figure."""
    if not row.figure:
        return ""
    if row.last_value is not None and is_hidden_money(row, reader):
        return not_shown()
    unit, currency = row.last_unit, row.last_currency
    text = value_text(row.last_value, unit, currency)
    looks_reached = text == limit_in_words(row.limit, unit, currency)
    if looks_reached and not is_reached(row.last_value, row.comparison, row.limit):
        # Nothing that only rounds to its limit looks as if it had reached it.
        return value_text(row.last_value, unit, currency, places=4)
    return text


def programme_stats(timeline: Timeline, today: date) -> list[dict[str, Any]]:
    """The cards on top of the page."""
    programme, late, decision = timeline.programme, timeline.late, timeline.next_decision
    number = max(0, programme.day_number(today))
    happened = [row for row in programme.risks.all() if row.has_happened]
    day = programme.get_status_display().capitalize()
    if programme.is_running and number:
        is_over = today > programme.last_day
        day = pgettext("a phase", "over") if is_over else _("{day} of {days}").format(day=number, days=programme.days)
    return [
        {"label": _("Day"), "value": day, "note": timeline.focus, "icon": "calendar"},
        {
            "label": _("Milestones met"),
            "value": _("{met} of {count}").format(met=timeline.met, count=len(timeline.rows)),
            "note": _("{count} late").format(count=len(late)) if late else _("none late"),
            "icon": "flag",
        },
        {
            "label": _("Risks that have happened"),
            "value": _("{count} of {all}").format(count=len(happened), all=len(programme.risks.all())),
            "note": happened[0].name if happened else "",
            "icon": "alert-triangle",
        },
        {
            "label": _("Next decision"),
            "value": decision.name if decision else _("none"),
            "url": decision.get_absolute_url() if decision else "",
            "note": "",
            "icon": "scale",
        },
    ]

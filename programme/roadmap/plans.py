"""Plans: what a programme consists of without its dates, so that it can be started, kept as a template and restarted.

A plan is a dict that JSON can hold; days are numbers, the first is 1:
{"name", "days", "phases": [{"name", "goal", "first", "last"}], "weeks": [{"number", "focus"}],
 "milestones": [{"name", "deliverable", "day", "role", "is_required", "figure", "comparison", "limit"}],
 "risks": [{"name", "trigger", "mitigation", "contingency", "role", "from_day", "figure", "comparison", "limit"}],
 "decisions": [{"name", "question", "day", "by_targets"}],
 "communications": [{"audience", "what", "when", "channel", "schedule_name"}]}
"""

from collections.abc import Mapping
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any

from django.db import IntegrityError, transaction
from django.utils.translation import gettext as _

from finops_site.lib.money import exact_text
from finops_site.lib.periods import day_text
from finops_site.models import User
from programme.calc.programme_dates import BadDates, Item, date_problems
from programme.models import (
    Communication,
    DecisionPoint,
    Milestone,
    Phase,
    Programme,
    ProgrammeTemplate,
    ProgrammeWeek,
    Risk,
)

# Earlier than so many days ago nobody begins: what was due then would be late at once.
EARLIEST_START = timedelta(days=400)


class CannotDo(ValueError):
    """Something about a programme that may not be done now; the message is the reason."""


def items_of(programme: Programme) -> list[Item]:
    """Phases, milestones and decisions of a programme with their days; those that are over are fixed."""
    return [
        *(Item(("phase", row.pk), row.name, row.start, row.end) for row in programme.phases.all()),
        *(
            Item(("milestone", row.pk), row.name, row.due, row.due, row.met_on is not None)
            for row in programme.milestones.all()
        ),
        *(Item(("decision", row.pk), row.name, row.due, row.due, row.is_decided) for row in programme.decisions.all()),
    ]


def check_dates(programme: Programme) -> None:
    """Raises BadDates where something of a programme lies on days that cannot be."""
    items = items_of(programme)
    phases = [item for item in items if item.key[0] == "phase"]
    others = [item for item in items if item.key[0] != "phase" and not item.is_fixed]
    if problems := date_problems(programme.start, programme.days, phases, others):
        raise BadDates(problems)


@transaction.atomic
def make_programme(
    plan: Mapping[str, Any],
    start: date,
    *,
    by: User | None,
    now: datetime,
    name: str = "",
    days: int | None = None,
    template_name: str = "",
) -> Programme:
    """A planned programme that begins on `start`. Raises BadDates, or CannotDo for a start that is long past."""
    if start < now.date() - EARLIEST_START:
        raise CannotDo(_("It cannot begin on {day}: that is too long ago.").format(day=day_text(start)))
    length = plan["days"] if days is None else days
    if problems := date_problems(start, length, [], []):
        raise BadDates(problems)
    programme = Programme.objects.create(
        name=(name or plan["name"])[:200],
        start=start,
        days=length,
        template_name=template_name[:200],
        created_by=by,
        created_at=now,
    )

    def day_of(number: int) -> date:
        return start + timedelta(days=number - 1)

    Phase.objects.bulk_create(
        Phase(
            programme=programme,
            name=row["name"],
            goal=row.get("goal", ""),
            start=day_of(row["first"]),
            end=day_of(row["last"]),
        )
        for row in plan.get("phases", ())
    )
    ProgrammeWeek.objects.bulk_create(
        ProgrammeWeek(programme=programme, number=row["number"], focus=row["focus"]) for row in plan.get("weeks", ())
    )
    Milestone.objects.bulk_create(
        Milestone(
            programme=programme,
            name=row["name"],
            deliverable=row.get("deliverable", ""),
            due=day_of(row["day"]),
            is_required=row.get("is_required", True),
            owner_role=row.get("role", ""),
            **_criterion(row),
        )
        for row in plan.get("milestones", ())
    )
    Risk.objects.bulk_create(
        Risk(
            programme=programme,
            **{name: row[name] for name in ("name", "trigger", "mitigation", "contingency")},
            owner_role=row.get("role", ""),
            watched_from=day_of(row["from_day"]) if row.get("from_day") else None,
            **_criterion(row),
        )
        for row in plan.get("risks", ())
    )
    DecisionPoint.objects.bulk_create(
        DecisionPoint(
            programme=programme,
            name=row["name"],
            question=row.get("question", ""),
            due=day_of(row["day"]),
            by_targets=row.get("by_targets", False),
        )
        for row in plan.get("decisions", ())
    )
    Communication.objects.bulk_create(
        Communication(programme=programme, **row) for row in plan.get("communications", ())
    )
    check_dates(programme)
    return programme


@transaction.atomic
def start(
    plan: Mapping[str, Any],
    first: date,
    *,
    by: User | None,
    now: datetime,
    name: str = "",
    days: int | None = None,
    template_name: str = "",
    begins_now: bool = True,
) -> Programme:
    """A programme from a plan, which runs from now on unless another does. Raises BadDates and CannotDo."""
    programme = make_programme(plan, first, by=by, now=now, name=name, days=days, template_name=template_name)
    if begins_now:
        begin(programme, now.date())
    return programme


def _criterion(row: Mapping[str, Any]) -> dict[str, Any]:
    if not row.get("figure"):
        return {}
    return {"figure": row["figure"], "comparison": row["comparison"], "limit": Decimal(row["limit"])}


def begin(programme: Programme, today: date) -> None:
    """From now on it runs. Raises CannotDo where another does, as two at once would tick by the same figures, and for
    one that is over.
    """
    if programme.status != Programme.Status.PLANNED:
        raise CannotDo(_("{name} has begun already.").format(name=programme))
    if programme.last_day < today:
        raise CannotDo(
            _("{name} cannot run: its last day was {day}. Begin later, or give it more days.").format(
                name=programme, day=day_text(programme.last_day)
            )
        )
    check_dates(programme)
    running = Programme.objects.filter(status=Programme.Status.RUNNING).first()
    try:
        if running is None:
            with transaction.atomic():
                programme.status = Programme.Status.RUNNING
                programme.save(update_fields=["status"])
            return
    except IntegrityError:
        running = Programme.objects.filter(status=Programme.Status.RUNNING).first()
    programme.status = Programme.Status.PLANNED
    raise CannotDo(
        _("{name} runs until {day}: end it first. Two programmes at once would be ticked by the same figures.").format(
            name=running or _("Another programme"), day=day_text(running.last_day) if running else "—"
        )
    )


def end(programme: Programme, day: date) -> None:
    """It is over: nothing of it is looked at any more, and everything stays as it was. Raises CannotDo."""
    if not programme.is_running:
        raise CannotDo(_("{name} is not running.").format(name=programme))
    programme.status, programme.ended_on = Programme.Status.ENDED, day
    programme.save(update_fields=["status", "ended_on"])


def plan_of(programme: Programme) -> dict[str, Any]:
    """The plan of a programme as it is now, without owners, dates and what became of it."""

    def number(day: date) -> int:
        # What was over when the end moved earlier has kept its day: of another start it is the last.
        return max(1, min((day - programme.start).days + 1, programme.days))

    def criterion(row: Milestone | Risk) -> dict[str, Any]:
        return {"figure": row.figure, "comparison": row.comparison, "limit": exact_text(row.limit)}

    return {
        "name": programme.name,
        "days": programme.days,
        "phases": [
            {"name": row.name, "goal": row.goal, "first": number(row.start), "last": number(row.end)}
            for row in programme.phases.all()
        ],
        "weeks": [{"number": row.number, "focus": row.focus} for row in programme.weeks.all()],
        "milestones": [
            {
                "name": row.name,
                "deliverable": row.deliverable,
                "day": number(row.due),
                "role": row.owner_role,
                "is_required": row.is_required,
                **criterion(row),
            }
            for row in programme.milestones.all()
        ],
        "risks": [
            {
                "name": row.name,
                "trigger": row.trigger,
                "mitigation": row.mitigation,
                "contingency": row.contingency,
                "role": row.owner_role,
                "from_day": number(row.watched_from) if row.watched_from else None,
                **criterion(row),
            }
            for row in programme.risks.all()
        ],
        "decisions": [
            {"name": row.name, "question": row.question, "day": number(row.due), "by_targets": row.by_targets}
            for row in programme.decisions.all()
        ],
        "communications": [
            {name: getattr(row, name) for name in ("audience", "what", "when", "channel", "schedule_name")}
            for row in programme.communications.all()
        ],
    }


def save_template(programme: Programme, name: str, *, by: User) -> ProgrammeTemplate:
    """The plan of a programme under a name; a template of that name is replaced by it."""
    row, _is_new = ProgrammeTemplate.objects.update_or_create(
        name=name.strip()[:200], defaults={"plan": plan_of(programme), "created_by": by}
    )
    return row

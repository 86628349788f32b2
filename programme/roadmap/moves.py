"""Other dates for a part of a plan, alone or with the rest of it: first what would move, then moving it."""

from dataclasses import dataclass
from datetime import date

from django.db import transaction
from django.utils.translation import gettext as _

from programme.calc.programme_dates import Move, date_problems, moves_with
from programme.models import DecisionPoint, Milestone, Phase, Programme
from programme.roadmap.plans import CannotDo, check_dates, items_of

KINDS = {"milestone": Milestone, "phase": Phase, "decision": DecisionPoint}


@dataclass(frozen=True, slots=True)
class MovePlan:
    """What moves when something is given another day, how long the programme is then, and why it cannot be."""

    moves: list[Move]
    days: int
    problems: list[str]


def plan_moves(programme: Programme, kind: str, pk: int, to: date, *, rest: bool) -> MovePlan:
    """What would move; nothing does yet. With the rest, the end of the programme moves too. Raises BadDates."""
    items = items_of(programme)
    moves = moves_with(items, (kind, pk), to, rest=rest)
    days = programme.days
    if rest and (own := next((move for move in moves if move.before.key == (kind, pk)), None)):
        days += (own.after.first - own.before.first).days
    after = {move.before.key: move.after for move in moves}
    moved = [after.get(item.key, item) for item in items]
    phases = [item for item in moved if item.key[0] == "phase"]
    others = [item for item in moved if item.key[0] != "phase" and not item.is_fixed]
    return MovePlan(moves, days, date_problems(programme.start, days, phases, others))


@transaction.atomic
def move(programme: Programme, kind: str, pk: int, to: date, *, rest: bool) -> MovePlan:
    """Moves it. Raises BadDates where dates would cross or leave the programme, CannotDo where it has ended."""
    if programme.status == Programme.Status.ENDED:
        raise CannotDo(_("{name} has ended: its plan stays as it was.").format(name=programme))
    programme = Programme.objects.select_for_update().get(pk=programme.pk)
    plan = plan_moves(programme, kind, pk, to, rest=rest)
    programme.days = plan.days
    programme.save(update_fields=["days"])
    for one in plan.moves:
        (name, row), after = one.before.key, one.after
        changes = (
            {"start": after.first, "end": after.last} if name == "phase" else {"due": after.first, "reminded_on": None}
        )
        KINDS[name]._default_manager.filter(pk=row).update(**changes)
    check_dates(programme)
    return plan

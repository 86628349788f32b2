"""What a programme shows elsewhere: what its owners should do, decisions that wait, a line on home."""

from datetime import timedelta
from typing import Any

from django.db.models import QuerySet
from django.http import HttpRequest
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _

from finops_site.lib.periods import day_text
from finops_site.lib.person import Person
from finops_site.registry import PendingDecision, ToDo, Urgency
from finops_site.ui.pending_decisions import decision_items
from programme.models import DecisionPoint, Milestone, Programme
from programme.roadmap.timeline import make_timeline

# So long before its day a milestone is something to do, and a decision waits.
SOON = timedelta(days=7)


def own_milestones(user: Person) -> QuerySet[Milestone]:
    """Hers that people tick, late or due within a week; what a figure ticks is among them too: it is hers to reach."""
    return Milestone.objects.open().owned_by(user).filter(due__lte=timezone.now().date() + SOON)


def list_milestones(user: Person, rows: QuerySet[Milestone], most: int) -> list[ToDo]:
    today = timezone.now().date()
    return [
        ToDo(
            row.name,
            row.get_absolute_url(),
            note=(_("late since {day}") if row.is_late(today) else _("due {day}")).format(day=day_text(row.due)),
            urgency=Urgency.NOW if row.is_late(today) else Urgency.SOON,
        )
        for row in rows.order_by("due", "pk")[:most]
    ]


def decisions_to_take(user: Person) -> QuerySet[DecisionPoint]:
    return DecisionPoint.objects.visible_to(user).undecided().filter(due__lte=timezone.now().date() + SOON)


def list_decisions(user: Person, rows: QuerySet[DecisionPoint]) -> list[PendingDecision]:
    one, many = _("A decision of the programme"), _("decisions of the programme")
    return decision_items(rows.order_by("due", "pk"), one, many, reverse("programme:roadmap"))


def home_panel(request: HttpRequest) -> dict[str, Any] | None:
    """The day, what is met and late, the next decision of the programme that runs."""
    programme = Programme.objects.filter(status=Programme.Status.RUNNING).first()
    if programme is None:
        return None
    today = timezone.now().date()
    timeline = make_timeline(programme, today, request.user)  # type: ignore[arg-type]
    return {"programme": programme, "timeline": timeline, "day": max(0, programme.day_number(today))}

"""What people do with milestones, risks and the rest of a plan: save, tick, untick, remove."""

from datetime import date

from django.db import transaction
from django.utils.translation import gettext as _

from finops_site.models import User
from programme.models import Communication, Milestone, Phase, Programme, Risk
from programme.roadmap.plans import CannotDo, check_dates

# What a milestone was met by.
KEPT_ONCE_MET = ("name", "due", "figure", "comparison", "limit")
MAY_TICK, MAY_CHANGE = "programme.tick_milestone", "programme.change_programme"


def may_tick(user: User, milestone: Milestone) -> bool:
    """Its owner, or finance; a figure ticks its own."""
    if milestone.is_live or not milestone.programme.is_running or not user.has_perm(MAY_TICK):
        return False
    return milestone.owner_id == user.pk or user.has_perm(MAY_CHANGE)


@transaction.atomic
def save_milestone(milestone: Milestone) -> Milestone:
    """Saves one; raises BadDates where it lies outside of its programme, CannotDo where that has ended.

    CannotDo too where it was met and would now say that something else was: its name, day and criterion stay.
    """
    _still_open(milestone.programme)
    if milestone.owner:
        milestone.owner_name = str(milestone.owner)
    if milestone.team:
        milestone.team_name = str(milestone.team)
    before = Milestone.objects.filter(pk=milestone.pk).first()
    if before and before.met_on and any(getattr(before, name) != getattr(milestone, name) for name in KEPT_ONCE_MET):
        raise CannotDo(
            _("{name} was met: its name, its day and its criterion stay as they were.").format(name=before.name)
        )
    if before is None or (before.figure, before.comparison, before.limit) != (
        milestone.figure,
        milestone.comparison,
        milestone.limit,
    ):
        forget_reading(milestone)
    if before is None or before.due != milestone.due or before.owner_id != milestone.owner_id:
        milestone.reminded_on = None
    milestone.save()
    check_dates(milestone.programme)
    return milestone


@transaction.atomic
def save_risk(risk: Risk) -> Risk:
    """Saves one; what was read of another figure is forgotten. Raises CannotDo where its programme has ended."""
    _still_open(risk.programme)
    if risk.owner:
        risk.owner_name = str(risk.owner)
    before = Risk.objects.filter(pk=risk.pk).first()
    if before is None or before.figure != risk.figure:
        forget_reading(risk)
    risk.save()
    return risk


@transaction.atomic
def save_phase(phase: Phase) -> Phase:
    """Saves one; raises BadDates where its days cross another's or leave the programme."""
    _still_open(phase.programme)
    phase.save()
    check_dates(phase.programme)
    return phase


def save_communication(row: Communication) -> Communication:
    _still_open(row.programme)
    row.save()
    return row


def tick(milestone: Milestone, *, by: User, note: str, day: date) -> None:
    """Its owner says that it is met, with a note. Raises CannotDo."""
    if milestone.is_live:
        raise CannotDo(_("{name} is ticked by its figure.").format(name=milestone))
    if not may_tick(by, milestone):
        raise CannotDo(_("Its owner ticks it, or finance, while the programme runs."))
    if not note.strip():
        raise CannotDo(_("Say in a few words what was reached."))
    ticked = Milestone.objects.filter(pk=milestone.pk, met_on=None).update(
        met_on=day, met_by=by, note=note.strip()[:500]
    )
    if not ticked:
        raise CannotDo(_("{name} is met already.").format(name=milestone))
    milestone.refresh_from_db()


def untick(milestone: Milestone, *, by: User) -> None:
    """Takes back what a person ticked; what a figure ticked stays. Raises CannotDo."""
    if milestone.met_on is None or not may_tick(by, milestone):
        raise CannotDo(_("What a figure ticked stays; the rest is its owner's or finance's."))
    Milestone.objects.filter(pk=milestone.pk).update(met_on=None, met_by=None, note="")
    milestone.refresh_from_db()


def note_risk(risk: Risk, *, happened: bool, note: str, day: date) -> None:
    """Says by hand that a risk without a figure has happened, or is over. Raises CannotDo."""
    _still_open(risk.programme)
    if risk.is_live:
        raise CannotDo(_("Its figure says whether it has happened."))
    if happened == risk.has_happened:
        raise CannotDo(_("That is noted already."))
    if happened:
        risk.happened_on, risk.over_on = day, None
    else:
        risk.over_on = day
    risk.note = note.strip()[:500]
    risk.save(update_fields=["happened_on", "over_on", "note"])


def remove(row: Milestone | Risk | Phase | Communication) -> None:
    """Takes a part out of the plan; a milestone that was met stays. Raises CannotDo."""
    _still_open(row.programme)
    if isinstance(row, Milestone) and row.met_on:
        raise CannotDo(_("{name} was met: it stays in the plan.").format(name=row))
    row.delete()


def forget_reading(row: Milestone | Risk) -> None:
    """What was read of another figure is not this one's; that it was met stays."""
    row.last_value, row.last_unit, row.last_currency, row.read_on, row.why_unknown = None, "", "", None, ""


def _still_open(programme: Programme) -> None:
    if programme.status == Programme.Status.ENDED:
        raise CannotDo(_("{name} has ended: its plan stays as it was.").format(name=programme))

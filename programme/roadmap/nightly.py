"""Every night a running programme looks at its figures: milestones tick themselves, risks note that they happened."""

from collections.abc import Mapping
from datetime import date, timedelta

from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from programme.calc.criteria import is_reached
from programme.calc.programme_dates import DAYS_A_WEEK
from programme.models import Milestone, Programme, Risk
from programme.roadmap import reminders
from programme.roadmap.live_figures import Figure, read_figures

# So many missed nights are made up for, one by one.
MOST_MISSED = 31
# Somebody who starts a programme waits for so many at the most.
MOST_NIGHTS_AT_ONCE = 13
READ = ["last_value", "last_unit", "last_currency", "read_on", "why_unknown"]


def check_roadmap(as_of: date) -> str:
    """The nightly check: ticks, triggers and reminders of the programme that runs."""
    programme = Programme.objects.filter(status=Programme.Status.RUNNING, start__lte=as_of).first()
    if programme is None:
        return _("no programme is running")
    met = play_nights(programme, as_of)
    mails = reminders.remind(programme, as_of, timezone.now())
    text = ngettext("{count} milestone met", "{count} milestones met", met).format(count=met)
    sent = ngettext("{count} reminder", "{count} reminders", mails).format(count=mails)
    return _("{programme}: {milestones}, {reminders}").format(programme=programme, milestones=text, reminders=sent)


def play_nights(programme: Programme, as_of: date) -> int:
    """Looks at the figures of each night since the last that was looked at; returns how many milestones were met.

    A programme that began in the past looks at one night of each week up to today, of a long one at fewer.
    """
    return sum(check_night(programme, night) for night in missing_nights(programme, as_of))


def missing_nights(programme: Programme, as_of: date) -> list[date]:
    """The nights to look at, up to its last day: what is reached after it is nothing that the programme reached."""
    as_of = min(as_of, programme.last_day)
    if as_of < programme.start:
        return []
    last = programme.checked_on
    if last is None:
        days = (as_of - programme.start).days
        step = max(DAYS_A_WEEK, days // MOST_NIGHTS_AT_ONCE)
        past = range(step - 1, days, step)
        return [*(programme.start + timedelta(days=number) for number in past), as_of]
    if last >= as_of:
        # Once more for tonight, for figures that failed; earlier nights are over.
        return [as_of] if last == as_of else []
    return [as_of - timedelta(days=back) for back in reversed(range(min((as_of - last).days, MOST_MISSED)))]


def check_night(programme: Programme, as_of: date) -> int:
    """Reads the figures as of one night; returns how many milestones they tick."""
    milestones = list(programme.milestones.exclude(figure=""))
    risks = list(programme.risks.exclude(figure=""))
    figures = read_figures([row.figure for row in [*milestones, *risks]], programme.start, as_of)
    met = 0
    rows: list[Milestone | Risk] = [*milestones, *risks]
    for row in rows:
        _keep(row, figures, as_of)
    for milestone in milestones:
        if milestone.met_on is None and is_reached(milestone.last_value, milestone.comparison, milestone.limit):
            milestone.met_on, milestone.met_value = as_of, milestone.last_value
            met += 1
    for risk in risks:
        _watch(risk, as_of)
    with transaction.atomic():
        # An owner may have removed or moved one meanwhile: only what the night knows is written.
        Milestone.objects.bulk_update(milestones, [*READ, "met_on", "met_value"])
        Risk.objects.bulk_update(risks, [*READ, "happened_on", "happened_value", "over_on"])
        programme.checked_on = as_of
        programme.save(update_fields=["checked_on"])
    return met


def _keep(row: Milestone | Risk, figures: Mapping[str, Figure], as_of: date) -> None:
    figure = figures[row.figure]
    row.last_value = figure.value
    if figure.value is not None or not row.last_unit:
        # With the value that ticked it goes its unit, also on a night that reads none.
        row.last_unit, row.last_currency = figure.unit, figure.currency
    row.read_on, row.why_unknown = as_of, figure.reason


def _watch(risk: Risk, as_of: date) -> None:
    """Notes the day on which a trigger happened, and the one on which it was over; unknown changes nothing."""
    is_watched = risk.watched_from is None or as_of >= risk.watched_from
    reached = is_reached(risk.last_value, risk.comparison, risk.limit) if is_watched else None
    if reached and not risk.has_happened:
        risk.happened_on, risk.happened_value, risk.over_on = as_of, risk.last_value, None
    elif reached is False and risk.has_happened:
        risk.over_on = as_of

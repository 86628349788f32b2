"""Who hears what and when, with the schedule of reports that sends it: its next date, and when it was sent last."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from django.conf import settings
from django.db.models import Max
from django.utils import translation
from django.utils.functional import Promise

from programme.models import Communication, Programme, ReportKind, ReportSchedule

SEE_SCHEDULES = "programme.view_reportschedule"


@dataclass(frozen=True, slots=True)
class CommunicationRow:
    """A row of the plan; `schedule` is None where nothing sends it by itself, or what did is not there any more."""

    row: Communication
    schedule: ReportSchedule | None
    last_sent: datetime | None

    @property
    def is_gone(self) -> bool:
        """Whether it names a schedule that was deleted."""
        return bool(self.row.schedule_name) and self.schedule is None


def communication_rows(programme: Programme) -> list[CommunicationRow]:
    """Every row of the plan with its schedule, in two queries."""
    rows = list(programme.communications.all())
    names = {row.schedule_name for row in rows if row.schedule_name}
    sent = Max("runs__deliveries__sent_at")
    schedules = {one.name: one for one in ReportSchedule.objects.filter(name__in=names).annotate(last_sent=sent)}
    pairs = [(row, schedules.get(row.schedule_name)) for row in rows]
    return [CommunicationRow(row, one, one.last_sent if one else None) for row, one in pairs]


def proposed_schedule(row: Communication) -> dict[str, object]:
    """What the form of a new schedule begins with, as far as the words of the row say it."""
    kind, every = _kind_of(row), _rhythm_of(row)
    if every is None:
        every = ReportSchedule.Rhythms.QUARTER if kind == ReportKind.QUARTERLY else ReportSchedule.Rhythms.MONTH
    if kind is None:
        kind = ReportKind.MONTHLY if every == ReportSchedule.Rhythms.MONTH else ReportKind.UPDATE
    return {
        "name": f"{row.audience}: {row.what}"[:100],
        "kind": kind.value,
        "every": every.value,
        "channel": _channel_of(row).value,
        "to_leads": any(row.audience == text for text in _in_all_languages("Team leads")),
    }


def _rhythm_of(row: Communication) -> ReportSchedule.Rhythms | None:
    """The rhythm that is called like its "when", in any language of the product: a plan is written in one of them."""
    rhythms = (one for one in ReportSchedule.Rhythms for text in _in_all_languages(one.label) if text == row.when)
    return next(rhythms, None)


def _kind_of(row: Communication) -> ReportKind | None:
    what = row.what.casefold()
    kinds = (kind for kind in ReportKind for text in _in_all_languages(kind.label) if text.casefold() in what)
    return next(kinds, None)


def _channel_of(row: Communication) -> ReportSchedule.Channel:
    channel, channels = row.channel.casefold(), ReportSchedule.Channel
    if "mail" in channel:
        return channels.MAIL
    if "teams" in channel:
        return channels.TEAMS
    chats = [text.casefold() for text in _in_all_languages("chat")]
    return channels.SLACK if "slack" in channel or any(text in channel for text in chats) else channels.MAIL


def _in_all_languages(text: str | Promise) -> Iterator[str]:
    for code, _name in settings.LANGUAGES:
        with translation.override(code):
            yield str(text) if isinstance(text, Promise) else translation.gettext(text)

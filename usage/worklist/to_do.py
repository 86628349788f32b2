"""What people should see to of findings: what was given to them, what is back, and what nobody has answered."""

from django.utils import timezone
from django.utils.translation import gettext as _

from finops_site.lib.periods import day_text
from finops_site.lib.person import Person
from finops_site.registry import ToDo, Urgency
from usage.models import Finding
from usage.models.findings import FindingQuerySet
from usage.worklist.finding_texts import CONFIDENCES, headline


def findings_to_do(user: Person) -> FindingQuerySet:
    """What waits for her: hers, and what nobody has taken of the teams she works in or leads."""
    rows: FindingQuerySet = Finding.objects.open().filter(owner__in=user.visible_team_ids)
    return rows.filter(assignee=None) | Finding.objects.visible_to(user).open().filter(assignee=user.pk)


def list_findings(user: Person, rows: FindingQuerySet, most: int) -> list[ToDo]:
    """Those that save most first."""
    today = timezone.now().date()
    return [
        ToDo(
            headline(row),
            row.get_absolute_url(),
            row.counted_saving,
            row.currency,
            _note(row),
            Urgency.NOW if row.due_day and row.due_day <= today else _urgency(row),
        )
        for row in rows.by_saving()[:most]
    ]


def _urgency(row: Finding) -> Urgency:
    return Urgency.SOON if row.state == Finding.State.BACK or row.assignee_id else Urgency.SOME_DAY


def _note(row: Finding) -> str:
    if row.due_day:
        return _("to be done until {day}").format(day=day_text(row.due_day))
    if row.state == Finding.State.BACK:
        return _("it was mended, and is back")
    if row.counted_saving is None:
        return _("its saving is not known")
    confidence = CONFIDENCES.get(row.confidence, (row.confidence, "", ""))[0]
    return _("saved a month; {confidence}").format(confidence=confidence)

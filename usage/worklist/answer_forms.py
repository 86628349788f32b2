"""What a page sends as an answer, read into `answers.Answer`; the same fields on the page of a finding and in bulk."""

from collections.abc import Mapping
from datetime import date

from django.utils.translation import gettext as _

from finops_site.models import User
from finops_site.ui.bulk_results import BulkRefused
from usage.worklist.answers import Answer, Verb
from usage.worklist.quiet_rules import QuietScope


def read_answer(data: Mapping[str, str]) -> Answer:
    """The answer of a form. Raises BulkRefused for what cannot be read."""
    verb = data.get("verb", "")
    if verb not in list(Verb):
        raise BulkRefused(_("{verb!r} is no answer to a finding.").format(verb=verb[:80]))
    return Answer(
        Verb(verb),
        # In the bar above the list each of the two answers that need a reason has a field of its own.
        reason=(data.get("dismiss_reason" if verb == Verb.DISMISS else "reason") or data.get("reason", "")).strip(),
        assignee=_person(data.get("assignee", "")) if verb == Verb.ACCEPT else None,
        due_day=_day(data.get("due_day", "")) if verb == Verb.ACCEPT else None,
        until=_day(data.get("until", "")) if verb == Verb.SNOOZE else None,
        mended_day=_day(data.get("mended_day", "")) if verb == Verb.MENDED else None,
        quiet=read_quiet(data) if verb == Verb.DISMISS and data.get("learn") else None,
    )


def read_quiet(data: Mapping[str, str]) -> QuietScope:
    """For what a dismissal is to be learnt. Raises BulkRefused for what cannot be read."""
    key, _sign, value = data.get("tag", "").partition("=")
    return QuietScope(
        account=bool(data.get("quiet_account")),
        name_begins=data.get("name_begins", "").strip(),
        tag_key=key.strip(),
        tag_value=value.strip(),
        for_company=bool(data.get("for_company")),
        until=_day(data.get("quiet_until", "")),
    )


def _day(text: str) -> date | None:
    if not text.strip():
        return None
    try:
        return date.fromisoformat(text.strip())
    except ValueError:
        raise BulkRefused(_("{text} is no day: write it like 2026-03-31.").format(text=text[:40])) from None


def _person(text: str) -> User | None:
    if not text:
        return None
    person = User.objects.filter(pk=int(text), is_active=True).first() if text.isdecimal() and len(text) < 19 else None
    if person is None:
        raise BulkRefused(_("There is nobody to give it to by that name."))
    return person

"""What dismissals taught: made with a dismissal, listed, and taken back."""

import re
from dataclasses import dataclass
from datetime import date, datetime

from django.core.exceptions import PermissionDenied
from django.db.models import Q
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from finops_site.lib.words import number_text
from finops_site.models import Team, User
from finops_site.ui.bulk_results import BulkRefused
from usage.models import Finding, QuietRule

TEACH = "usage.add_quietrule"
# Fewer characters begin nearly everything; those that all ids of a provider begin with do not count.
LEAST_CHARACTERS = 4
EVERY_ID = re.compile(r"^(?:arn:(?:[^:]*:){4}|/subscriptions/|//[^/]*(?:/projects/)?)", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class QuietScope:
    """For what a rule of usage stays quiet: all that is named holds together.

    `account` means that of the finding. `for_company`: in every team, which only who sees the company may ask for;
    else in the team that owns the finding, and below it. `until` is the first day on which it speaks again; None: for
    good.
    """

    account: bool = False
    name_begins: str = ""
    tag_key: str = ""
    tag_value: str = ""
    for_company: bool = False
    until: date | None = None


def make_quiet_rule(finding: Finding, scope: QuietScope, *, reason: str, user: User, now: datetime) -> QuietRule:
    """Writes what a dismissal teaches. Raises PermissionDenied and BulkRefused, before anything is written."""
    _check(finding, scope, user, now.date())
    return QuietRule.objects.create(
        rule=finding.rule,
        team_id=None if scope.for_company else finding.owner_id,
        account=finding.account if scope.account else "",
        name_begins=scope.name_begins.strip()[:200],
        tag_key=scope.tag_key.strip()[:128],
        tag_value=scope.tag_value.strip()[:256],
        reason=reason.strip()[:500],
        until=scope.until,
        made_by=user,
        made_at=now,
    )


def silenced_text(finding: Finding, scope: QuietScope, *, user: User, today: date) -> str:
    """How many findings that wait for somebody it would silence, in a sentence. Raises as `make_quiet_rule` does."""
    _check(finding, scope, user, today)
    rows = Finding.objects.filter(rule=finding.rule, state__in=(*Finding.OPEN, Finding.State.SNOOZED))
    if finding.owner and not scope.for_company:
        rows = rows.filter(owner__in=Team.objects.below(finding.owner))
    if scope.account:
        rows = rows.filter(account=finding.account)
    if text := scope.name_begins.strip():
        rows = rows.filter(Q(resource_name__istartswith=text) | Q(resource__istartswith=text))
    count = rows.count()
    if scope.tag_key.strip():
        # Findings have no tags: those are read of the bills at night.
        words = ngettext(
            "It stays quiet about at most {count} finding on the list: if it has the tag.",
            "It stays quiet about at most {count} findings on the list: those that have the tag.",
            count,
        )
    else:
        words = ngettext(
            "It stays quiet about {count} finding on the list.",
            "It stays quiet about {count} findings on the list.",
            count,
        )
    return words.format(count=number_text(count))


def _check(finding: Finding, scope: QuietScope, user: User, today: date) -> None:
    """Raises for what nobody may teach, or what would be quiet about more than somebody means."""
    if not user.has_perm(TEACH):
        raise PermissionDenied
    if scope.for_company and not user.sees_whole_company:
        raise BulkRefused(_("Only who sees the whole company can quiet a rule for every team."))
    if scope.tag_value and not scope.tag_key:
        raise BulkRefused(_("Name the key of the tag as well."))
    if not (scope.account or scope.name_begins.strip() or scope.tag_key.strip()):
        raise BulkRefused(_("Say for what it stays quiet: the account, how names begin, or a tag."))
    if scope.account and not finding.account:
        raise BulkRefused(_("It has no account: say how names begin, or a tag."))
    if (name := scope.name_begins.strip()) and len(_own_characters(name)) < LEAST_CHARACTERS:
        words = _("Write at least {count} characters of how names begin, beside those that all ids begin with.")
        raise BulkRefused(words.format(count=LEAST_CHARACTERS))
    if finding.owner_id is None and not scope.for_company:
        raise BulkRefused(_("Nobody owns it: what is learnt of it holds in every team, and is to be asked for so."))
    if scope.until and scope.until <= today:
        raise BulkRefused(_("It stays quiet until a day after today."))


def _own_characters(name: str) -> str:
    """What a beginning says beyond that of every id of a provider; nothing where it does not get so far."""
    own = EVERY_ID.sub("", name)
    is_of_every_id = own == name and (name.lower().startswith("arn:") or "/subscriptions/".startswith(name.lower()))
    return "" if is_of_every_id else own


def remove_quiet_rule(rule: QuietRule, *, user: User) -> None:
    """The rule speaks again from the next evaluation on. What is of the company, who sees all of it takes back."""
    if not user.has_perm(TEACH) or (rule.team_id is None and not user.sees_whole_company):
        raise PermissionDenied
    rule.delete()


def scope_text(rule: QuietRule) -> str:
    """For what it is quiet, in words."""
    tag = f"{rule.tag_key}={rule.tag_value}" if rule.tag_value else rule.tag_key
    parts = [
        _("account {account}").format(account=rule.account) if rule.account else "",
        _("names that begin with {text}").format(text=rule.name_begins) if rule.name_begins else "",
        _("tag {tag}").format(tag=tag) if rule.tag_key else "",
    ]
    return ", ".join(filter(None, parts)) or _("everything")

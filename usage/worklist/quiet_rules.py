"""What dismissals taught: made with a dismissal, listed, and taken back."""

from dataclasses import dataclass
from datetime import date, datetime

from django.core.exceptions import PermissionDenied
from django.utils.translation import gettext as _

from finops_site.models import User
from finops_site.ui.bulk_results import BulkRefused
from usage.models import Finding, QuietRule

TEACH = "usage.add_quietrule"


@dataclass(frozen=True, slots=True)
class QuietScope:
    """For what a rule of usage stays quiet: all that is named holds together.

    `account` means that of the finding. `for_company`: in every team, which only who sees the company may ask for;
    else in the team that owns the finding. `until` is the first day on which it speaks again; None: for good.
    """

    account: bool = False
    name_begins: str = ""
    tag_key: str = ""
    tag_value: str = ""
    for_company: bool = False
    until: date | None = None


def make_quiet_rule(finding: Finding, scope: QuietScope, *, reason: str, user: User, now: datetime) -> QuietRule:
    """Writes what a dismissal teaches. Raises PermissionDenied and BulkRefused, before anything is written."""
    if not user.has_perm(TEACH):
        raise PermissionDenied
    if scope.for_company and not user.sees_whole_company:
        raise BulkRefused(_("Only who sees the whole company can quiet a rule for every team."))
    if scope.tag_value and not scope.tag_key:
        raise BulkRefused(_("Name the key of the tag as well."))
    if not (scope.account or scope.name_begins.strip() or scope.tag_key.strip()):
        raise BulkRefused(_("Say for what it stays quiet: the account, how names begin, or a tag."))
    if scope.until and scope.until <= now.date():
        raise BulkRefused(_("It stays quiet until a day after today."))
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

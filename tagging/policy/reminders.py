"""Weekly reminders to fix tags: to the team first, then to its lead, then to finance, and never about what is fixed.

TagIssue keeps since when a resource has not changed. A digest is saved in the transaction that decides on it, and the
database refuses a second reminder of one resource to one person in one week. A week is seven days, whichever day it
begins on. The emails themselves are the outbox's: sent after the commit, each once, whatever process dies.
"""

from collections import defaultdict
from collections.abc import Sequence
from datetime import date, datetime, timedelta
from typing import Any

from django.core.mail import EmailMultiAlternatives
from django.db import connection, transaction
from django.urls import reverse
from django.utils.translation import gettext as _

from finops_site.lib.money import formatted
from finops_site.lib.periods import Month
from finops_site.lib.words import counted
from finops_site.mail import outbox
from finops_site.mail.emails import absolute_url, make_message
from finops_site.models import Membership, Team, User
from finops_site.ops.locks import wait_for
from finops_site.people.reader_language import in_language_of
from finops_site.people.roles import FINANCE
from finops_site.ui.bulk_results import BulkResult, LeftOut, check_count
from tagging.models import TagDigest, TaggedResource, TagIssue, TagReminder
from tagging.policy import compliance, compliance_figures
from tagging.policy.bulk_results import distinct_resources, left_out_reason
from tagging.policy.compliance_figures import WRONG
from tagging.policy.explanations import Explainer

WEEK = timedelta(weeks=1)
LEAD_AFTER = timedelta(weeks=2)
FINANCE_AFTER = timedelta(weeks=4)
SHOWN = 25
Level = TagDigest.Level

# A resource is an issue once, with the owner it had last; when its tags change, its time starts again.
UPDATE_ISSUES = """
    INSERT INTO tagging_tagissue (key, team_id, tag_set_id, since, seen_on)
    SELECT DISTINCT ON (key) key, owner_id, tag_set_id, %(today)s, %(today)s FROM tagging_taggedresource r
    WHERE r.id = ANY(%(wrong)s) ORDER BY key, last_day DESC, id DESC
    ON CONFLICT (key) DO UPDATE SET team_id = excluded.team_id, seen_on = excluded.seen_on,
        since = CASE WHEN tagging_tagissue.tag_set_id IS DISTINCT FROM excluded.tag_set_id
            THEN excluded.since ELSE tagging_tagissue.since END,
        tag_set_id = excluded.tag_set_id
"""


def update_issues(today: date) -> int:
    """Stores which resources are wrong today and since when, and deletes fixed ones; returns how many there are."""
    month = compliance_figures.month_for("", today)
    with transaction.atomic(), connection.cursor() as cursor:
        wait_for("tag issues")
        if month:
            wrong = TaggedResource.objects.in_month(month).wrong(today).values_list("pk", flat=True)
            cursor.execute(UPDATE_ISSUES, {"today": today, "wrong": list(wrong)})
        TagIssue.objects.exclude(seen_on=today).delete()
    return TagIssue.objects.count()


def nightly_check(as_of: date) -> str:
    """Recomputes months that changed, then updates the issues; safe to run twice for one day."""
    rebuilt = compliance.refresh_compliance()
    issues = update_issues(as_of)
    return f"{counted(len(rebuilt), 'month')} recomputed, {counted(issues, 'resource does', 'resources do')} not comply"


def level_of(issue: TagIssue, today: date) -> str:
    """Who is reminded: the team, after two weeks without change its lead, after four finance; finance for unowned."""
    if issue.team_id is None or today - issue.since >= FINANCE_AFTER:
        return Level.FINANCE
    return Level.LEAD if today - issue.since >= LEAD_AFTER else Level.TEAM


@transaction.atomic
def post_digests(now: datetime) -> int:
    """Posts this week's digests; again in the same week it posts nothing. Returns how many emails are new."""
    today = now.date()
    update_issues(today)
    groups: dict[tuple[str, int | None], list[str]] = defaultdict(list)
    for issue in TagIssue.objects.order_by("key"):
        level = level_of(issue, today)
        groups[(level, None if level == Level.FINANCE else issue.team_id)].append(issue.key)
    recipients, posted = _Recipients(), 0
    # In one order everywhere, so that two that run at once cannot wait for each other in a circle.
    for (level, team), keys in sorted(groups.items(), key=lambda item: (item[0][0], item[0][1] or 0)):
        for address in recipients.addresses(level, team):
            posted += _post(level, team, address, keys, now)
    return posted


def _post(level: str, team: int | None, address: str, keys: Sequence[str], now: datetime) -> bool:
    """One digest of what this person was not reminded of this week; nothing where nothing is left."""
    today = now.date()
    month = compliance_figures.month_for("", today)
    if month is None:
        return False
    # By the day, so that a run that is some minutes early does not skip a week.
    a_week_ago = datetime.combine(today - WEEK + timedelta(days=1), datetime.min.time(), now.tzinfo)
    sent = TagReminder.objects.filter(recipient=address, digest__made_at__gt=a_week_ago).values("key")
    wrong = TaggedResource.objects.in_month(month).wrong(today).filter(key__in=keys).exclude(key__in=sent)
    # A team's digest counts the team's own cost of them alone.
    wrong = wrong.filter(owner=team) if team else wrong
    rows = list(wrong.select_related("verdict", "tag_set", "owner").order_by("-cost", "-id"))
    if not rows:
        return False
    week = today - timedelta(days=today.weekday())
    digest, is_new = TagDigest.objects.get_or_create(  # type: ignore[misc]  # the stubs take no NULL for a key
        week=week, level=level, team_id=team, recipient=address, defaults={"resources": len(rows), "made_at": now}
    )
    if not is_new:
        return False
    reminders = [
        TagReminder(digest=digest, week=week, recipient=address, key=key) for key in sorted({row.key for row in rows})
    ]
    TagReminder.objects.bulk_create(reminders, ignore_conflicts=True)
    with in_language_of(address):
        message = _message(digest, rows, today)
    return outbox.queue_email(f"tag digest {digest.pk} to {address}", message, now=now)


@transaction.atomic
def ask_owners(rows: Sequence[TaggedResource], *, user: User, now: datetime) -> BulkResult:
    """Asks the teams that own them by mail, in the person's name; each team once a week, and nobody twice of one thing.

    Left out are unowned ones, those that comply, those whose team was asked or reminded of them this week, and those
    of teams without an address.
    """
    today = now.date()
    week = today - timedelta(days=today.weekday())
    resources = distinct_resources(rows)
    check_count(len(resources))
    reminded = set(TagReminder.objects.filter(week=week, key__in=resources).values_list("recipient", "key"))
    this_week = TagDigest.objects.filter(week=week, level=Level.ASKED)
    digests = set(this_week.values_list("team", "recipient"))
    recipients, left_out, mails = _Recipients(), [], defaultdict[tuple[Any, str], list[TaggedResource]](list)
    for row in resources.values():
        addresses = recipients.addresses(Level.TEAM, row.owner_id) if row.owner_id else []
        fresh = [a for a in addresses if (a, row.key) not in reminded and (row.owner_id, a) not in digests]
        reason = _why_not_asked(row, addresses, fresh, recipients)
        if reason:
            left_out.append(LeftOut(str(row), reason))
            continue
        for address in fresh:
            mails[row.owner, address].append(row)
    for (team, address), theirs in mails.items():
        _ask(team, address, sorted(theirs, key=lambda row: (-row.cost, row.pk)), user, now)
    return BulkResult(len(resources) - len(left_out), tuple(left_out))


def _why_not_asked(
    row: TaggedResource, addresses: Sequence[str], fresh: Sequence[str], recipients: "_Recipients"
) -> str:
    if row.verdict is None or row.verdict.is_compliant:
        return left_out_reason(row) or _("it complies")
    if row.owner is None:
        return _("nobody owns it")
    if not addresses or addresses == recipients.finance:
        return _("{owner} has no address").format(owner=row.owner)
    return "" if fresh else _("{owner} was asked this week already").format(owner=row.owner)


def _ask(team: Team, address: str, rows: list[TaggedResource], user: User, now: datetime) -> None:
    """One mail of a person's own to one address; the same person is asked of something once a week."""
    today = now.date()
    week = today - timedelta(days=today.weekday())
    digest = TagDigest.objects.create(
        week=week, level=Level.ASKED, team=team, recipient=address, resources=len(rows), made_at=now
    )
    reminders = [TagReminder(digest=digest, week=week, recipient=address, key=row.key) for row in rows]
    TagReminder.objects.bulk_create(reminders, ignore_conflicts=True)
    with in_language_of(address):
        message = _message(digest, rows, today, user)
    outbox.queue_email(f"tag digest {digest.pk} to {address}", message, now=now)


class _Recipients:
    """Addresses by level and team, read once."""

    def __init__(self) -> None:
        self.team_lists = dict(Team.objects.exclude(email="").values_list("pk", "email"))
        self.finance = list(User.objects.in_role(FINANCE).values_list("email", flat=True))
        self.members: dict[int, list[tuple[str, str]]] = defaultdict(list)
        memberships = Membership.objects.filter(user__is_active=True).order_by("user__email")
        for team, email, role in memberships.values_list("team", "user__email", "role"):
            self.members[team].append((email, role))

    def addresses(self, level: str, team: int | None) -> list[str]:
        """The team's list, or each of its people; its lead; finance. Where one has no address, the next is used."""
        if level == Level.FINANCE or team is None:
            return self.finance
        members = self.members.get(team, [])
        leads = [email for email, role in members if role == Membership.Role.LEAD]
        if level == Level.LEAD:
            return leads or self.finance
        if team in self.team_lists:
            return [self.team_lists[team]]
        return [email for email, _ignored in members] or self.finance


def _message(
    digest: TagDigest, rows: list[TaggedResource], today: date, asks: User | None = None
) -> EmailMultiAlternatives:
    month = Month.of(rows[0].charge_month)
    explainer = Explainer()
    since = dict(TagIssue.objects.filter(key__in=[row.key for row in rows]).values_list("key", "since"))
    resources = [
        {
            "name": str(row),
            "wrong": explainer.wrong(row),
            "cost": row.cost,
            "currency": row.currency,
            "url": absolute_url(row.get_absolute_url()),
            "weeks": (today - since.get(row.key, today)).days // 7,
        }
        for row in rows[:SHOWN]
    ]
    tally = compliance_figures.Tally()
    for row in rows:
        tally.add(WRONG, row.currency, 1, row.cost)
    query = f"?month={month}" + (f"&team={digest.team_id}" if digest.team_id else "")
    context = {
        "digest": digest,
        "level": digest.level,
        "asks": asks,
        "team": digest.team,
        "rows": resources,
        "count": len(rows),
        "more": len(rows) - len(resources),
        "cost": " and ".join(f"{formatted(tally.amount(code, WRONG), code)} {code}" for code in tally.currencies),
        "month": month,
        "url": absolute_url(f"/tagging/resources/{query}"),
    }
    about = absolute_url(reverse("costs:team", args=[digest.team_id])) if digest.team_id else ""
    return make_message("tag-digest", digest.recipient, context, about=about)

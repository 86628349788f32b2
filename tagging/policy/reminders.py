"""Asking people to fix tags: once a week, the team first, then its lead, then finance, and never about what is fixed.

Since when a resource has not changed is kept in TagIssue. What is mailed is written down in the transaction that
decides it, and the database refuses a second reminder of one thing to one person in one week. A week is seven days,
whichever day it is asked on. The letters themselves are the outbox's: after commit, each once, whatever dies.
"""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Any

from django.db import connection, transaction

from finops_site.lib.periods import Month
from finops_site.mail import outbox
from finops_site.mail.emails import absolute_url, make_message
from finops_site.models import Membership, Team, User
from finops_site.ops.locks import wait_for
from finops_site.people.roles import FINANCE
from tagging.models import TagDigest, TaggedResource, TagIssue, TagReminder
from tagging.models.policy import TaggedResourceQuerySet
from tagging.policy import compliance_figures
from tagging.policy.explanations import Explainer

WEEK = timedelta(weeks=1)
LEAD_AFTER = timedelta(weeks=2)
FINANCE_AFTER = timedelta(weeks=4)
SHOWN = 25
Level = TagDigest.Level

# A resource is an issue once, with the owner it had last; other tags than before start its time anew.
WATCH = """
    INSERT INTO tagging_tagissue (key, team_id, tag_set_id, since, seen_on)
    SELECT DISTINCT ON (key) key, owner_id, tag_set_id, %(today)s, %(today)s FROM tagging_taggedresource r
    WHERE r.id = ANY(%(wrong)s) ORDER BY key, last_day DESC, id DESC
    ON CONFLICT (key) DO UPDATE SET team_id = excluded.team_id, seen_on = excluded.seen_on,
        since = CASE WHEN tagging_tagissue.tag_set_id IS DISTINCT FROM excluded.tag_set_id
            THEN excluded.since ELSE tagging_tagissue.since END,
        tag_set_id = excluded.tag_set_id
"""


def watch(today: date) -> int:
    """Notes what is wrong today and since when, and forgets what is fixed; returns how many there are."""
    month = compliance_figures.month_for("", today)
    with transaction.atomic(), connection.cursor() as cursor:
        wait_for("tag issues")
        if month:
            wrong = TaggedResource.objects.in_month(month).wrong(today).values_list("pk", flat=True)
            cursor.execute(WATCH, {"today": today, "wrong": list(wrong)})
        TagIssue.objects.exclude(seen_on=today).delete()
    return TagIssue.objects.count()


def level_of(issue: TagIssue, today: date) -> str:
    """Who is asked: the team, after two weeks without change its lead, after four finance; finance for the unowned."""
    if issue.team_id is None or today - issue.since >= FINANCE_AFTER:
        return Level.FINANCE
    return Level.LEAD if today - issue.since >= LEAD_AFTER else Level.TEAM


def monday(today: date) -> date:
    return today - timedelta(days=today.weekday())


@transaction.atomic
def remind(now: datetime) -> int:
    """Posts this week's digests; again in the same week it posts nothing. Returns how many letters are new."""
    today = now.date()
    watch(today)
    groups: dict[tuple[str, int | None], list[str]] = defaultdict(list)
    for issue in TagIssue.objects.order_by("key"):
        level = level_of(issue, today)
        groups[(level, None if level == Level.FINANCE else issue.team_id)].append(issue.key)
    people, posted = _People(), 0
    # In one order everywhere, so that two that run at once cannot wait for each other in a circle.
    for (level, team), keys in sorted(groups.items(), key=lambda item: (item[0][0], item[0][1] or 0)):
        for address in people.of(level, team):
            posted += _post(level, team, address, keys, now)
    return posted


def _post(level: str, team: int | None, address: str, keys: Sequence[str], now: datetime) -> bool:
    """One digest with what this person was not yet asked about this week; nothing where nothing is left."""
    week = monday(now.date())
    said = TagReminder.objects.filter(recipient=address, digest__made_at__gt=_a_week_ago(now)).values("key")
    rows = _wrong(team, keys, now.date()).exclude(key__in=said)
    fresh = list(rows.select_related("verdict", "tag_set", "owner").order_by("-cost", "-id"))
    if not fresh:
        return False
    digest, is_new = TagDigest.objects.get_or_create(
        week=week, level=level, team_id=team, recipient=address, defaults={"resources": len(fresh), "made_at": now}
    )
    if not is_new:
        return False
    told = sorted({row.key for row in fresh})
    TagReminder.objects.bulk_create(
        [TagReminder(digest=digest, week=week, recipient=address, key=key) for key in told], ignore_conflicts=True
    )
    return outbox.queue_email(f"tag digest {digest.pk} to {address}", _message(digest, fresh, now.date()), now=now)


def _a_week_ago(now: datetime) -> datetime:
    """By the day, so that a run that is some minutes early does not skip a week."""
    return datetime.combine(now.date() - WEEK + timedelta(days=1), datetime.min.time(), now.tzinfo)


def _wrong(team: int | None, keys: Sequence[str], today: date) -> TaggedResourceQuerySet:
    """The resources of these keys that are wrong at this moment, a team's own cost of them alone."""
    month = compliance_figures.month_for("", today)
    if month is None:
        return TaggedResource.objects.none()
    rows = TaggedResource.objects.in_month(month).wrong(today).filter(key__in=keys)
    return rows.filter(owner=team) if team else rows


@dataclass(slots=True)
class _People:
    """Addresses by level and team, asked once."""

    teams: dict[int, Team] = field(default_factory=lambda: Team.objects.in_bulk())
    finance: list[str] = field(
        default_factory=lambda: list(User.objects.in_role(FINANCE).values_list("email", flat=True))
    )
    members: dict[int, list[tuple[str, str]]] = field(default_factory=lambda: _members())

    def of(self, level: str, team: int | None) -> list[str]:
        """The team's list, or each of its people; its lead; finance. Who is missing is stood in for by the next."""
        if level == Level.FINANCE or team is None:
            return self.finance
        leads = [email for email, role in self.members.get(team, []) if role == Membership.Role.LEAD]
        if level == Level.LEAD:
            return leads or self.finance
        own = [self.teams[team].email] if team in self.teams and self.teams[team].email else []
        return own or [email for email, _ in self.members.get(team, [])] or leads or self.finance


def _members() -> dict[int, list[tuple[str, str]]]:
    found: dict[int, list[tuple[str, str]]] = defaultdict(list)
    rows = Membership.objects.filter(user__is_active=True).order_by("user__email")
    for team, email, role in rows.values_list("team", "user__email", "role"):
        found[team].append((email, role))
    return found


def _message(digest: TagDigest, rows: list[TaggedResource], today: date) -> Any:
    month = Month.of(rows[0].charge_month)
    explainer = Explainer()
    since = dict(TagIssue.objects.filter(key__in=[row.key for row in rows]).values_list("key", "since"))
    told = [
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
    query = f"?month={month}" + (f"&team={digest.team_id}" if digest.team_id else "")
    context = {
        "digest": digest,
        "level": digest.level,
        "team": digest.team,
        "rows": told,
        "count": len(rows),
        "more": len(rows) - len(told),
        "costs": _costs(rows),
        "month": month,
        "url": absolute_url(f"/tagging/resources/{query}"),
    }
    return make_message("tag-digest", digest.recipient, context)


def _costs(rows: Sequence[TaggedResource]) -> list[tuple[str, Any]]:
    tally = compliance_figures.Tally()
    for row in rows:
        tally.add("wrong", row.currency, 1, row.cost)
    return [(code, tally.amount(code, "wrong")) for code in tally.currencies]

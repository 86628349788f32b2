"""Asking people to fix tags: once a week, the team first, then its lead, then finance, and never about what is fixed.

Since when a resource has not changed is kept in TagIssue. What is mailed is written down first: a digest is a row, and
the database refuses a second reminder of one thing to one person in one week. Digests are sent after the commit that
made them, each by whoever claims it; what a crash left unsent is sent by the sweep, with the same Message-ID.
"""

import logging
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Any

from django.db import connection, transaction
from django.db.models import Q
from django.utils import timezone

from finops_site.emails import absolute_url, make_message
from finops_site.models import Membership, Team, User
from finops_site.periods import Month
from finops_site.roles import FINANCE
from tagging import figures
from tagging.explain import Explainer
from tagging.models import TagDigest, TaggedResource, TagIssue, TagReminder

logger = logging.getLogger(__name__)

LEAD_AFTER = timedelta(weeks=2)
FINANCE_AFTER = timedelta(weeks=4)
# A claim older than this was made by a process that died.
CLAIM_LASTS = timedelta(minutes=15)
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
    month = figures.month_for("", today)
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(hashtext('tag issues'))")
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


def remind(today: date) -> list[int]:
    """Makes this week's digests and has them sent after the commit; again in the same week it makes nothing new."""
    watch(today)
    with transaction.atomic():
        made = [digest.pk for digest in _make(today)]
        transaction.on_commit(lambda: send_unsent(timezone.now()))
    return made


def _make(today: date) -> Iterable[TagDigest]:
    groups: dict[tuple[str, int | None], list[str]] = defaultdict(list)
    for issue in TagIssue.objects.order_by("key"):
        level = level_of(issue, today)
        groups[(level, None if level == Level.FINANCE else issue.team_id)].append(issue.key)
    people = _People()
    # In one order everywhere, so that two that run at once cannot wait for each other in a circle.
    for (level, team), keys in sorted(groups.items(), key=lambda item: (item[0][0], item[0][1] or 0)):
        for address in people.of(level, team):
            yield from _digest(monday(today), level, team, address, keys)


def _digest(week: date, level: str, team: int | None, address: str, keys: Sequence[str]) -> Iterable[TagDigest]:
    """The digest with those reminders that nobody has claimed this week; none where there is nothing left."""
    said = TagReminder.objects.filter(week=week, recipient=address, key__in=keys).values_list("key", flat=True)
    fresh = sorted(set(keys) - set(said))
    if not fresh:
        return
    digest, is_new = TagDigest.objects.get_or_create(week=week, level=level, team_id=team, recipient=address)
    if not is_new:
        return
    TagReminder.objects.bulk_create(
        [TagReminder(digest=digest, week=week, recipient=address, key=key) for key in fresh], ignore_conflicts=True
    )
    yield digest


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


def send_unsent(now: datetime) -> int:
    """Sends every digest that is not sent and not in somebody's hands; returns how many went out."""
    free = Q(claimed_at=None) | Q(claimed_at__lt=now - CLAIM_LASTS)
    waiting = TagDigest.objects.filter(free, sent_at=None).values_list("pk", flat=True)
    return sum(_send(pk, now) for pk in list(waiting.order_by("pk")))


def _send(pk: int, now: datetime) -> bool:
    free = Q(claimed_at=None) | Q(claimed_at__lt=now - CLAIM_LASTS)
    if not TagDigest.objects.filter(free, pk=pk, sent_at=None).update(claimed_at=now):
        return False
    digest = TagDigest.objects.select_related("team").get(pk=pk)
    rows = still_wrong(digest, now.date())
    if rows:
        try:
            _message(digest, rows, now.date()).send()
        except OSError:
            # The mail server is away: the sweep tries again, and the claim must not keep it waiting.
            logger.warning("the digest %s was not sent: tried again later", pk, exc_info=True)
            TagDigest.objects.filter(pk=pk).update(claimed_at=None)
            return False
    TagDigest.objects.filter(pk=pk).update(sent_at=timezone.now(), resources=len(rows))
    return bool(rows)


def still_wrong(digest: TagDigest, today: date) -> list[TaggedResource]:
    """Its resources that are wrong at this moment, the dearest first: what was fixed meanwhile is not mentioned."""
    month = figures.month_for("", today)
    if month is None:
        return []
    keys = digest.reminders.values("key")
    rows = TaggedResource.objects.in_month(month).wrong(today).filter(key__in=keys)
    if digest.team_id:
        rows = rows.filter(owner=digest.team_id)
    return list(rows.select_related("verdict", "tag_set", "owner").order_by("-cost", "-id"))


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
    message = make_message("tag-digest", digest.recipient, context)
    # The same for every try: a mailbox that got it twice shows it once.
    message.extra_headers["Message-ID"] = f"<tag-digest-{digest.pk}-{digest.week}@finops>"
    return message


def _costs(rows: Sequence[TaggedResource]) -> list[tuple[str, Any]]:
    tally = figures.Tally()
    for row in rows:
        tally.add("wrong", row.currency, 1, row.cost)
    return [(code, tally.amount(code, "wrong")) for code in tally.currencies]

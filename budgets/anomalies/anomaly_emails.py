"""The mail about new anomalies: one a night for each reader, what is most money first."""

import logging
from collections import defaultdict
from collections.abc import Sequence
from datetime import date, datetime
from typing import Any

from django.db import connection
from django.db.models import prefetch_related_objects
from django.urls import reverse
from django.utils.translation import gettext as _

from budgets.anomalies.anomaly_words import SEVERITIES, words_of
from budgets.models import Anomaly
from finops_site.lib.periods import days_text
from finops_site.mail import outbox
from finops_site.mail.emails import absolute_url, make_message
from finops_site.models import Membership, User
from finops_site.people.reader_language import in_language_of
from finops_site.people.roles import FINANCE

logger = logging.getLogger(__name__)

MOST_IN_MAIL = 20


def notify_of_anomalies(anomalies: Sequence[Anomaly], as_of: date, now: datetime) -> None:
    """One mail a night for each lead about her team's, and for finance about all.

    A drop goes to the engineers of the team too: whether a backup was meant to stop, they know. A mail that cannot be
    written is logged, and undoes neither the others nor the anomalies.
    """
    if not anomalies:
        return
    prefetch_related_objects(anomalies, "team")
    teams = [anomaly.team_id for anomaly in anomalies if anomaly.team_id]
    members: dict[tuple[int, str], set[str]] = defaultdict(set)
    rows = Membership.objects.filter(user__is_active=True, team__in=teams)
    for team, role, email in rows.values_list("team", "role", "user__email"):
        members[team, role].add(email.lower())
    finance = {user.email.lower() for user in User.objects.in_role(FINANCE)}
    by_reader: dict[str, list[Anomaly]] = defaultdict(list)
    for anomaly in anomalies:
        roles = [Membership.Role.LEAD, *([Membership.Role.MEMBER] if anomaly.is_drop else [])]
        readers = {email for role in roles for email in members[anomaly.team_id or 0, role]}
        for email in sorted(readers | finance):
            by_reader[email].append(anomaly)
    for email, readers_anomalies in by_reader.items():
        try:
            with in_language_of(email):
                context = _mail_context(readers_anomalies)
                first = context["rows"][0]["url"]
                url = first if len(readers_anomalies) == 1 else ""
                mail = make_message("anomalies", email, context, url=url, about=first)
            # It is stored in a savepoint of its own.
            outbox.queue_email(f"anomalies of {as_of} to {email}", mail, now=now)
        except Exception:
            if not connection.is_usable():
                raise
            logger.exception("the mail about anomalies of %s to %r", as_of, email)


def _mail_context(anomalies: Sequence[Anomaly]) -> dict[str, Any]:
    rows = []
    for anomaly in sorted(anomalies, key=lambda anomaly: -anomaly.difference)[:MOST_IN_MAIL]:
        owner = f" ({anomaly.team or _('unowned')})" if anomaly.kind == Anomaly.Kind.SERVICE else ""
        cause = next((part["label"] for part in anomaly.contributors if part["service"]), "")
        words = words_of(anomaly)
        rows.append(
            {
                "headline": words.headline,
                "scope": anomaly.scope_name,
                "name": f"{anomaly.scope_name}{owner}",
                "pattern": anomaly.get_pattern_display(),
                "severity": SEVERITIES[anomaly.severity][0],
                "days": days_text(anomaly.day, anomaly.last_day),
                "amount": words.amount,
                "summary": words.sentence + (_(", most of it {cause}").format(cause=cause) if cause else ""),
                "advice": words.advice,
                "url": absolute_url(anomaly.get_absolute_url()),
            }
        )
    return {"rows": rows, "count": len(anomalies), "url": absolute_url(reverse("budgets:anomalies"))}

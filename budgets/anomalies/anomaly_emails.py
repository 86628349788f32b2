"""The mail about new anomalies: one a night for each reader."""

from collections import defaultdict
from collections.abc import Sequence
from datetime import date, datetime

from django.urls import reverse

from budgets.models import Anomaly
from finops_site.lib.money import Money
from finops_site.mail import outbox
from finops_site.mail.emails import absolute_url, make_message
from finops_site.models import Membership, User
from finops_site.people.roles import FINANCE

MOST_IN_MAIL = 20


def notify_of_anomalies(anomalies: Sequence[Anomaly], as_of: date, now: datetime) -> None:
    """One mail a night for each lead about her team's, and for finance about all."""
    if not anomalies:
        return
    teams = [anomaly.team_id for anomaly in anomalies if anomaly.team_id]
    leads: dict[int, set[str]] = defaultdict(set)
    rows = Membership.objects.filter(role=Membership.Role.LEAD, user__is_active=True, team__in=teams)
    for team, email in rows.values_list("team", "user__email"):
        leads[team].add(email.lower())
    finance = {user.email.lower() for user in User.objects.in_role(FINANCE)}
    by_reader: dict[str, list[Anomaly]] = defaultdict(list)
    for anomaly in anomalies:
        for email in sorted(leads[anomaly.team_id or 0] | finance):
            by_reader[email].append(anomaly)
    for email, readers_anomalies in by_reader.items():
        context = _mail_context(readers_anomalies)
        outbox.queue_email(f"anomalies of {as_of} to {email}", make_message("anomalies", email, context), now=now)


def _mail_context(anomalies: Sequence[Anomaly]) -> dict[str, object]:
    largest_first = sorted(anomalies, key=lambda anomaly: -anomaly.excess)
    rows = []
    for anomaly in largest_first[:MOST_IN_MAIL]:
        owner = f" ({anomaly.team or 'unowned'})" if anomaly.kind == Anomaly.Kind.SERVICE else ""
        cause = next((part["label"] for part in anomaly.contributors if part["service"]), "")
        excess, expected = (str(Money(amount, anomaly.currency)) for amount in (anomaly.excess, anomaly.expected))
        rows.append(
            {
                "scope": anomaly.scope_name,
                "name": f"{anomaly.scope_name}{owner}",
                "days": f"{anomaly.day} to {anomaly.last_day}" if anomaly.days > 1 else str(anomaly.day),
                "excess": excess,
                "summary": f"{excess} more than the {expected} expected{f', most of it {cause}' if cause else ''}",
                "url": absolute_url(anomaly.get_absolute_url()),
            }
        )
    return {"rows": rows, "count": len(anomalies), "url": absolute_url(reverse("budgets:anomalies"))}

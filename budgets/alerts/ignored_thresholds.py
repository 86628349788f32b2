"""Alerts nobody acts on: thresholds that cry too often, each with a proposal, told finance once a week."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal

from django.db import transaction
from django.db.models import Count, Max, Q
from django.urls import reverse

from budgets.models import Alert, Threshold
from budgets.planning import budget_changes
from finops_site.lib.person import Person
from finops_site.mail import outbox
from finops_site.mail.emails import absolute_url, make_message
from finops_site.models import User
from finops_site.people.roles import FINANCE

LOOKED_BACK = timedelta(days=120)
ENOUGH = 3
LIKELIER = Decimal("0.8")
ACTED_ON = Q(alerts__state=Alert.State.ACKNOWLEDGED) | Q(alerts__acknowledged_at__isnull=False)


@dataclass(frozen=True, slots=True)
class Ignored:
    """A threshold whose alerts nobody answered, and what to do about it."""

    threshold: Threshold
    alerts: int
    last: datetime
    proposal: str

    @property
    def button(self) -> str:
        """What pressing the proposal's button does; empty where only people can know what is right."""
        return {"switch off": "Switch it off", "likelier": "Raise it to 0.8"}.get(_cure(self.threshold), "")

    @property
    def url(self) -> str:
        return reverse("budgets:budget", args=[self.threshold.budget_id]) + "#thresholds"


def ignored(user: Person, now: datetime) -> list[Ignored]:
    """Thresholds in force with three alerts or more in four months and no answer to any; the most frequent first."""
    recent = Q(alerts__opened_at__gte=now - LOOKED_BACK)
    rows = (
        Threshold.objects.filter(is_active=True, budget__state="active")
        .annotate(count=Count("alerts", filter=recent), last=Max("alerts__opened_at", filter=recent))
        .annotate(answered=Count("alerts", filter=recent & ACTED_ON))
        .filter(count__gte=ENOUGH, answered=0)
        .select_related("budget")
    )
    if not user.sees_whole_company:
        rows = rows.filter(budget__team__in=user.visible_team_ids)
    found = [Ignored(row, row.count, row.last, _proposal(row)) for row in rows]
    return sorted(found, key=lambda each: (-each.alerts, str(each.threshold.budget)))


def _cure(threshold: Threshold) -> str:
    if threshold.percent is not None and threshold.kind == Threshold.Kind.ACTUAL and threshold.percent < 80:
        return "switch off"
    if threshold.kind == Threshold.Kind.FORECAST and threshold.probability < LIKELIER:
        return "likelier"
    return ""


def _proposal(threshold: Threshold) -> str:
    words = {
        "switch off": f"remove the threshold of {threshold.level}: it informs and asks for nothing",
        "likelier": f"warn only when an overrun is likelier: raise the probability to {LIKELIER}",
    }
    return words.get(_cure(threshold), "raise the amount to what is spent month after month, or tell somebody else")


def follow(threshold: Threshold, now: datetime) -> str:
    """Does what was proposed for it, and says what was done; raises services.NotNow where that is for people."""
    cure = _cure(threshold)
    if cure == "switch off":
        budget_changes.switch_off(threshold, now)
        return f"{threshold.budget} does not warn at {threshold} any more."
    if cure == "likelier":
        budget_changes.change_threshold(threshold, {"probability": LIKELIER}, now)
        return f"{threshold.budget} warns of an overrun only when it is likelier than {LIKELIER} now."
    raise budget_changes.NotNow("There is no button for that: change the amount or the recipients of the budget.")


@transaction.atomic
def tell_finance(now: datetime) -> int:
    """One mail a week to each in finance, where there is anything to say; returns how many letters are new."""
    people = list(User.objects.in_role(FINANCE))
    found = ignored(people[0], now)[:20] if people else []
    week = "{}-W{:02}".format(*now.isocalendar()[:2])
    return sum(_write(user, found, week, now) for user in people) if found else 0


def _write(user: User, found: Sequence[Ignored], week: str, now: datetime) -> bool:
    rows = [{"ignored": each, "url": absolute_url(each.url)} for each in found]
    message = make_message("alerts-ignored", user.email, {"rows": rows, "url": absolute_url(reverse("budgets:alerts"))})
    return outbox.queue_email(f"ignored alerts {week} to {user.email}", message, now=now)

"""Ignored thresholds: they warn often and nobody acknowledges it. Each has a proposal, mailed to finance weekly."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal

from django.db import transaction
from django.db.models import Count, Max, Q
from django.urls import reverse
from django.utils.translation import gettext as _

from budgets.alerts.threshold_changes import change_threshold, switch_off_threshold
from budgets.models import Alert, Threshold
from finops_site.lib.person import Person
from finops_site.mail import outbox
from finops_site.mail.emails import absolute_url, make_message
from finops_site.models import User
from finops_site.people.roles import FINANCE

LOOKED_BACK = timedelta(days=120)
FEWEST_ALERTS = 3
MOST_IN_MAIL = 20
HIGHER_PROBABILITY = Decimal("0.8")
ACKNOWLEDGED = Q(alerts__state=Alert.State.ACKNOWLEDGED) | Q(alerts__acknowledged_at__isnull=False)


class NoProposal(ValueError):
    """Only people can decide what is right for this threshold; the message explains it."""


@dataclass(frozen=True, slots=True)
class IgnoredThreshold:
    """A threshold whose alerts nobody acknowledged, and what to do about it."""

    threshold: Threshold
    alerts: int
    last: datetime

    @property
    def proposal(self) -> str:
        if _informs_only(self.threshold):
            return _("remove the threshold of {level}: it informs and asks for nothing").format(
                level=self.threshold.level
            )
        if _may_be_likelier(self.threshold):
            return _("warn only when an overrun is likelier: raise the probability to {higher_probability}").format(
                higher_probability=HIGHER_PROBABILITY
            )
        return _("raise the amount to what is spent month after month, or notify somebody else")

    @property
    def button(self) -> str:
        """The button that follows the proposal; empty where only people can decide what is right."""
        if _informs_only(self.threshold):
            return _("Switch it off")
        return (
            _("Raise it to {higher_probability}").format(higher_probability=HIGHER_PROBABILITY)
            if _may_be_likelier(self.threshold)
            else ""
        )

    @property
    def url(self) -> str:
        return self.threshold.budget.part_url("thresholds")


def ignored_thresholds(user: Person, now: datetime) -> list[IgnoredThreshold]:
    """Active thresholds with three alerts or more in four months, none acknowledged; the most frequent first."""
    recent = Q(alerts__opened_at__gte=now - LOOKED_BACK)
    rows = (
        Threshold.objects.filter(is_active=True, budget__state="active")
        .annotate(count=Count("alerts", filter=recent), last=Max("alerts__opened_at", filter=recent))
        .annotate(acknowledged=Count("alerts", filter=recent & ACKNOWLEDGED))
        .filter(count__gte=FEWEST_ALERTS, acknowledged=0)
        .select_related("budget")
    )
    if not user.sees_whole_company:
        rows = rows.filter(budget__team__in=user.visible_team_ids)
    ignored = [IgnoredThreshold(row, row.count, row.last) for row in rows]
    return sorted(ignored, key=lambda row: (-row.alerts, str(row.threshold.budget)))


def follow_proposal(threshold: Threshold, now: datetime) -> str:
    """Does what is proposed for it, and returns what was done in words; raises NoProposal."""
    if _informs_only(threshold):
        switch_off_threshold(threshold, now)
        return _("{budget} does not warn at {threshold} any more.").format(budget=threshold.budget, threshold=threshold)
    if _may_be_likelier(threshold):
        change_threshold(threshold, {"probability": HIGHER_PROBABILITY}, now)
        return _("{budget} warns of an overrun only when it is likelier than {higher_probability} now.").format(
            budget=threshold.budget, higher_probability=HIGHER_PROBABILITY
        )
    raise NoProposal(_("There is no button for that: change the amount or the recipients of the budget."))


@transaction.atomic
def notify_finance(now: datetime) -> int:
    """One e-mail a week to each in finance, where there are any; returns how many e-mails are new."""
    people = list(User.objects.in_role(FINANCE))
    ignored = ignored_thresholds(people[0], now)[:MOST_IN_MAIL] if people else []
    if not ignored:
        return 0
    week = "{}-W{:02}".format(*now.isocalendar()[:2])
    rows = [{"ignored": row, "url": absolute_url(row.url)} for row in ignored]
    context = {"rows": rows, "url": absolute_url(reverse("budgets:alerts"))}
    return sum(
        outbox.queue_email(
            f"ignored alerts {week} to {user.email}", make_message("alerts-ignored", user.email, context), now=now
        )
        for user in people
    )


def _informs_only(threshold: Threshold) -> bool:
    return threshold.percent is not None and threshold.kind == Threshold.Kind.ACTUAL and threshold.percent < 80


def _may_be_likelier(threshold: Threshold) -> bool:
    return threshold.kind == Threshold.Kind.FORECAST and (threshold.probability or 0) < HIGHER_PROBABILITY

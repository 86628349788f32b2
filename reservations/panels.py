"""What commitments show on the pages of others: decisions that wait, and advice."""

from collections.abc import Mapping, Sequence
from datetime import date
from decimal import Decimal
from typing import cast

from django.urls import reverse
from django.utils.translation import gettext as _

from finops_site.lib.person import Person
from finops_site.lib.words import counted
from finops_site.models import User
from finops_site.registry import AdviceItem, PendingDecision
from finops_site.ui.pending_decisions import MOST, decision_items
from reservations.calc import purchase_rules
from reservations.models import Plan, PurchaseRequest
from reservations.purchases import approvals
from reservations.querysets import PurchaseQuerySet


def purchases_to_decide(user: Person) -> PurchaseQuerySet:
    """The purchases that wait for approval, and those that are approved and not bought yet."""
    return PurchaseRequest.objects.visible_to(user).filter(state__in=(purchase_rules.WAITING, purchase_rules.APPROVED))


def purchases_waiting(user: Person, rows: PurchaseQuerySet) -> list[PendingDecision]:
    """Of those that wait for approval, the ones that she may approve."""
    url = reverse("reservations:purchases")
    both = rows.waiting_for(approvals.approver_for(cast(User, user))) | rows.filter(state=purchase_rules.APPROVED)
    listed = list(both[: 2 * MOST])
    waiting, approved = (
        [row for row in listed if row.state == state] for state in (purchase_rules.WAITING, purchase_rules.APPROVED)
    )
    return [
        *decision_items(
            waiting,
            _("A purchase waits for your approval"),
            _("purchases wait for your approval"),
            url,
            amount_of=_value,
        ),
        *decision_items(
            approved,
            _("An approved purchase is not bought yet"),
            _("approved purchases are not bought yet"),
            url,
            amount_of=_value,
        ),
    ]


def _value(row: PurchaseRequest) -> tuple[Decimal | None, str, str]:
    return row.value, row.currency, _("over the whole term")


def commitment_advice(user: Person | None, filters: Mapping[str, Sequence[str]], as_of: date) -> list[AdviceItem]:
    """The newest recommendation for the company, or for the one team that is looked at, where it saves anything.

    Nothing for somebody without a login.
    """
    if user is None or not user.has_perm("reservations.view_plan"):
        return []
    plan = _plan_to_show(user, filters)
    if plan is None or not plan.saving or plan.saving <= 0:
        return []
    what = counted(plan.item_count(), "purchase")
    if plan.is_indicative:
        what = _("{purchases} (indicative prices)").format(purchases=what)
    shown = {name: list(values) for name, values in filters.items() if name != "currency"}
    if shown and shown != {"team": [str(plan.team_id)]}:
        # What the company saves is no figure for a part of it.
        return [
            AdviceItem(
                _("Commit to what runs all the time, for {whose}: {what}").format(whose=plan.whose, what=what),
                plan.get_absolute_url(),
            )
        ]
    text = _("Commit to what runs all the time: {what}").format(what=what)
    if plan.team:
        text = _("Commit to what runs all the time, for {whose}: {what}").format(whose=plan.team, what=what)
    return [AdviceItem(text, plan.get_absolute_url(), plan.saving / 12, plan.currency)]


def _plan_to_show(user: Person, filters: Mapping[str, Sequence[str]]) -> Plan | None:
    """That of the team, where one team alone is looked at and has one; else the newest for who looks."""
    teams = filters.get("team", ())
    if len(teams) == 1 and teams[0].isdigit():
        ready = Plan.objects.visible_to(user).filter(state=Plan.State.READY, team=int(teams[0]))
        if (plan := ready.select_related("team").first()) is not None:
            return plan
    newest: Plan | None = Plan.objects.newest_for(user)
    return newest

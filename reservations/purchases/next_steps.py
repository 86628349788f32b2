"""Which steps of a purchase somebody may take, and why not the others: the words beside the buttons."""

from datetime import datetime

from django.utils.translation import gettext as _

from finops_site.models import User
from finops_site.ui.next_steps import NextStep
from reservations.calc import purchase_rules
from reservations.models import BuyingPolicy, PurchaseRequest
from reservations.purchases import approvals, buying
from reservations.purchases.purchase_summary import describe_commitment

MAY_BUY = "reservations.buy_purchaserequest"


def steps_for(row: PurchaseRequest, user: User, now: datetime, twice: str = "") -> list[NextStep]:
    """Every step that the state of the request allows, for this person, in the order of a purchase.

    `twice` says why it would buy the same demand a second time.
    """
    policy = BuyingPolicy.get()
    not_buyer = "" if user.has_perm(MAY_BUY) else _("Only finance buys what is approved.")
    withdraw = NextStep(
        "withdraw",
        _("Withdraw"),
        "arrow-back-up",
        approvals.withdrawal_objection(row, user),
        "ghost",
        _("It is not bought, and may be requested again."),
    )
    record = NextStep("record", _("It is bought: record its id"), "clipboard-check", not_buyer, "primary")
    if row.state == purchase_rules.WAITING:
        return [
            NextStep(
                "approve",
                _("Approve"),
                "check",
                approvals.approval_objection(row, user, now.date()) or twice,
                "primary",
                describe_commitment(row, now),
            ),
            NextStep("reject", _("Reject"), "x", approvals.rejection_objection(user)),
            withdraw,
        ]
    if row.state == purchase_rules.APPROVED:
        stopped = not_buyer or (_(purchase_rules.STOPPED) if policy.is_stopped else twice)
        export = NextStep("export", _("Export to buy by hand"), "file-export", stopped, "primary")
        return [export, *_api_steps(row, not_buyer or buying.api_objection(policy, row, now), now), withdraw]
    if row.state == purchase_rules.EXPORTED:
        return [record, withdraw]
    if row.state == purchase_rules.DOUBTFUL:
        sure = _("Only when you have seen in AWS's console that it was not bought: it can then be bought again.")
        not_bought = NextStep("give_back", _("It was not bought"), "arrow-back-up", not_buyer, "ghost", sure)
        return [NextStep("look", _("Ask AWS again"), "refresh", not_buyer), record, not_bought]
    return []


def _api_steps(row: PurchaseRequest, why: str, now: datetime) -> list[NextStep]:
    """Buying at AWS, and before it the dry run."""
    if why:
        return [NextStep("buy", _("Buy at AWS"), "credit-card", why)]
    why = _(purchase_rules.DRY_RUN_FIRST) if row.dry_run_at is None else ""
    sure = _("AWS charges it, and nobody takes it back. {commitment}").format(commitment=describe_commitment(row, now))
    return [
        NextStep("dry_run", _("Dry run at AWS"), "eye"),
        NextStep("buy", _("Buy at AWS"), "credit-card", why, confirm=sure),
    ]

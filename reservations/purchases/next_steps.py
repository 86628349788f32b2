"""Which steps of a purchase somebody may take, and why not the others: the words beside the buttons."""

from dataclasses import dataclass
from datetime import datetime

from finops_site.lib.person import Person
from reservations.calc import purchase_rules
from reservations.models import BuyingPolicy, PurchaseRequest
from reservations.purchases import approvals, buying

MAY_BUY = "reservations.buy_purchaserequest"
FINANCE_BUYS = "Only finance buys what is approved."


@dataclass(frozen=True, slots=True)
class NextStep:
    """A verb that is possible in the state of a request. `why` is empty for whoever may do it now."""

    verb: str
    label: str
    icon: str
    why: str = ""
    tone: str = "outline"
    confirm: str = ""

    @property
    def is_allowed(self) -> bool:
        return not self.why


def steps_for(row: PurchaseRequest, user: Person, now: datetime) -> list[NextStep]:
    """Every step that the state of the request knows, for this person, in the order in which they are thought of."""
    policy = BuyingPolicy.get()
    buys = "" if user.has_perm(MAY_BUY) else FINANCE_BUYS
    stopped = buys or (purchase_rules.STOPPED if policy.is_stopped else "")
    steps = {
        purchase_rules.WAITING: lambda: [_approve(row, user), _reject(user), _withdraw(row, user)],
        purchase_rules.APPROVED: lambda: [_export(stopped), *_by_api(row, policy, buys, now), _withdraw(row, user)],
        purchase_rules.EXPORTED: lambda: [_record(buys), _withdraw(row, user)],
        purchase_rules.DOUBTFUL: lambda: [_look(buys), _record(buys), _give_back(buys)],
    }
    return steps.get(row.state, list)()


def _approve(row: PurchaseRequest, user: Person) -> NextStep:
    return NextStep("approve", "Approve", "check", approvals.approval_objection_of(row, user), "primary")


def _reject(user: Person) -> NextStep:
    return NextStep("reject", "Reject", "x", approvals.rejection_objection(user))


def _withdraw(row: PurchaseRequest, user: Person) -> NextStep:
    why = approvals.withdrawal_objection(row, user)
    return NextStep(
        "withdraw", "Take back", "arrow-back-up", why, "ghost", "It is not bought, and may be asked for again."
    )


def _export(why: str) -> NextStep:
    return NextStep("export", "Hand out to be bought", "file-export", why, "primary")


def _by_api(row: PurchaseRequest, policy: BuyingPolicy, buys: str, now: datetime) -> list[NextStep]:
    why = buys or buying.api_objection_of(policy, row, now)
    if why:
        return [NextStep("buy", "Buy at AWS", "credit-card", why)]
    why = purchase_rules.DRY_RUN_FIRST if row.dry_run_at is None else ""
    return [
        NextStep("dry_run", "Dry run at AWS", "eye"),
        NextStep("buy", "Buy at AWS", "credit-card", why, confirm=_sure(row)),
    ]


def _sure(row: PurchaseRequest) -> str:
    return f"AWS charges it, and nobody takes it back: {row.value:,.2f} {row.currency} over {row.term_months} months."


def _record(why: str) -> NextStep:
    return NextStep("record", "It is bought: record its id", "clipboard-check", why, "primary")


def _look(why: str) -> NextStep:
    return NextStep("look", "Ask AWS again", "refresh", why)


def _give_back(why: str) -> NextStep:
    sure = "Only when you have seen in AWS's console that it was not bought: it can then be bought again."
    return NextStep("give_back", "It was not bought", "arrow-back-up", why, "ghost", sure)

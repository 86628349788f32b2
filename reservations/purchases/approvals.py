"""Who may decide about a purchase, and the decision: approved, rejected, withdrawn, or expired."""

from datetime import date, datetime, timedelta

from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from costs.query.currency_conversion import rate_book
from finops_site.lib.periods import Month, Period
from finops_site.lib.person import Person
from finops_site.models import User
from finops_site.ops.locks import wait_for
from finops_site.people.roles import ADMINISTRATOR, FINANCE, names_of_groups
from reservations.calc import purchase_rules
from reservations.calc.purchase_rules import CannotBuy
from reservations.models import ApproverLimit, BuyingPolicy, PurchaseRequest
from reservations.purchases.demand_and_prices import changes_since_decision, take_snapshot
from reservations.purchases.purchase_events import change_state, locked
from reservations.purchases.same_demand import LOCK, check_same_demand

MAY_APPROVE = "reservations.approve_purchaserequest"
OPEN = (purchase_rules.WAITING, purchase_rules.APPROVED)


def approver_for(user: User, day: date | None = None) -> purchase_rules.Approver:
    """The roles and the limit of a person, by which she approves; exchange rates are those of a day (today)."""
    roles = names_of_groups(user)
    own = ApproverLimit.objects.filter(user=user).first()
    policy = BuyingPolicy.get()
    limit, currency = (own.limit, own.currency) if own else (policy.default_limit, policy.currency)
    is_administrator = user.is_superuser or ADMINISTRATOR in roles
    rates = limit_rates(currency, day or timezone.now().date())
    # Of a role that an administrator made of finance that one counts which may approve.
    is_finance = FINANCE in roles and user.has_perm(MAY_APPROVE)
    return purchase_rules.Approver(user.pk, is_finance, is_administrator, limit, currency, rates)


def limit_rates(currency: str, day: date) -> dict[str, purchase_rules.LimitRate]:
    """What the currencies of purchases are worth in that of a limit: the day's rate or the last of a week before, else
    the month's or that of the month before. Without such a rate a currency is missing."""
    others = PurchaseRequest.objects.exclude(currency=currency).order_by()
    codes = set(others.values_list("currency", flat=True).distinct())
    if not codes:
        return {}
    month = Month.of(day)
    book = rate_book(Period(month.previous.start, day + timedelta(days=1)), {*codes, currency})
    known = {
        code: book.for_day(code, currency, day) or book.for_month(code, currency, month.previous) for code in codes
    }
    return {code: purchase_rules.LimitRate(rate.value, rate.day) for code, rate in known.items() if rate}


def approval_objection(row: PurchaseRequest, user: User, day: date | None = None) -> str:
    """Why she may not approve it, in words; empty when she may. Exchange rates are those of the day (today)."""
    return purchase_rules.approver_objection(
        approver_for(user, day),
        requested_by=row.requested_by_id,
        standing_by=row.standing_order.made_by_id if row.standing_order else None,
        value=row.value,
        currency=row.currency,
    )


def rejection_objection(user: User) -> str:
    """Why she may not reject a request; empty when she may."""
    approver = approver_for(user)
    return "" if approver.is_finance and not approver.is_administrator else _("Only finance decides about purchases.")


def withdrawal_objection(row: PurchaseRequest, user: Person) -> str:
    """Why she may not withdraw it; empty when she may."""
    may_withdraw = row.requested_by_id == user.pk or user.has_perm("reservations.buy_purchaserequest")
    return "" if may_withdraw else _("Only who requested it, or finance, withdraws it.")


@transaction.atomic
def approve_purchase(pk: int, *, user: User, comment: str, now: datetime) -> PurchaseRequest:
    """Approves it, or lets it expire where prices or demand moved. Raises CannotBuy for who may not."""
    wait_for(LOCK)
    row = locked(pk)
    purchase_rules.next_state(row.state, "approve")
    if objection := approval_objection(row, user, now.date()):
        raise CannotBuy(objection)
    check_same_demand(row)
    if changes := " ".join(changes_since_decision(row, now)):
        return change_state(row, "expire", user, changes, now)
    row.approved_by, row.approved_at = user, now
    row.baseline = take_snapshot(row, now.date(), row.request_snapshot["pools"])
    return change_state(row, "approve", user, comment, now)


@transaction.atomic
def reject_purchase(pk: int, *, user: User, comment: str, now: datetime) -> PurchaseRequest:
    """Sends it back for good, with the reason. Finance may, whoever asked and whatever it costs."""
    row = locked(pk)
    if objection := rejection_objection(user):
        raise CannotBuy(objection)
    if not comment.strip():
        raise CannotBuy(_("Give the reason, so that whoever requested it can do better."))
    return change_state(row, "reject", user, comment, now)


@transaction.atomic
def withdraw_purchase(pk: int, *, user: User, comment: str, now: datetime) -> PurchaseRequest:
    """Withdrawn by whoever requested it, or by finance."""
    row = locked(pk)
    if objection := withdrawal_objection(row, user):
        raise CannotBuy(objection)
    return change_state(row, "withdraw", user, comment, now)


@transaction.atomic
def expire_purchase(pk: int, *, user: User | None, comment: str, now: datetime) -> PurchaseRequest:
    """Its time is over, or what was approved is not what can be bought now."""
    return change_state(locked(pk), "expire", user, comment, now)


def expire_open_requests(now: datetime) -> int:
    """Lets those expire whose time is over, or whose prices or demand moved; returns how many."""
    expired = 0
    for pk in PurchaseRequest.objects.filter(state__in=OPEN).values_list("pk", flat=True):
        with transaction.atomic():
            row = locked(pk)
            if row.state in OPEN and (changes := " ".join(changes_since_decision(row, now))):
                change_state(row, "expire", None, changes, now)
                expired += 1
    return expired


def approver_addresses(row: PurchaseRequest, day: date) -> list[str]:
    """Addresses of those who may approve it; of all of finance where nobody's limit reaches."""
    people = [user for user in User.objects.in_role(FINANCE) if user.pk != row.requested_by_id]
    able = [user.email for user in people if not approval_objection(row, user, day)]
    return able or [user.email for user in people]

"""What is bought after the approval: exported, started, recorded, of unknown outcome, or not bought after all."""

import uuid
from datetime import datetime
from decimal import Decimal

from django.db import transaction
from django.db.models import Sum
from django.utils.translation import gettext as _

from finops_site.celery import task
from finops_site.models import User
from reservations.calc import purchase_rules
from reservations.calc.purchase_rules import CannotBuy
from reservations.models import BuyingPolicy, PurchaseRequest
from reservations.purchases import purchase_clients
from reservations.purchases.demand_and_prices import changes_since_decision
from reservations.purchases.purchase_events import add_note, change_state, finance_addresses, locked, send_emails
from reservations.purchases.same_demand import blocking_requests, check_same_demand


@transaction.atomic
def export_purchase(pk: int, *, user: User, now: datetime) -> PurchaseRequest:
    """Exports it to be bought by hand; looks once more at prices, demand and the switch."""
    row = locked(pk)
    purchase_rules.next_state(row.state, "export")
    if BuyingPolicy.get().is_stopped:
        raise CannotBuy(_(purchase_rules.STOPPED))
    check_same_demand(row)
    if changes := " ".join(changes_since_decision(row, now)):
        return change_state(row, "expire", user, changes, now)
    row.executed_at = now
    return change_state(row, "export", user, "", now)


@transaction.atomic
def record_purchase(pk: int, *, reference: str, user: User | None, now: datetime, comment: str = "") -> PurchaseRequest:
    """Records that it was bought, under the provider's id, by which its first bill is found."""
    row = locked(pk)
    reference = reference.strip()
    if not reference or len(reference) > 300 or not reference.isprintable():
        raise CannotBuy(_("Write down the provider's id of what was bought: by it the bill is found."))
    other = PurchaseRequest.objects.filter(reference=reference, provider=row.provider).exclude(pk=row.pk).first()
    if other:
        raise CannotBuy(
            _("Request {other} has been recorded under {reference} already.").format(
                other=other.pk, reference=reference
            )
        )
    row.reference = reference
    row.executed_at = row.executed_at or now
    return change_state(row, "record", user, comment or _("Bought as {reference}.").format(reference=reference), now)


@transaction.atomic
def start_purchase(pk: int, *, user: User, now: datetime) -> PurchaseRequest:
    """Lets the API buy it now; a worker does. Whoever holds the policy's lock keeps to the ceiling."""
    policy = BuyingPolicy.get(lock=True)
    row = locked(pk)
    purchase_rules.next_state(row.state, "buy")
    if row.dry_run_at is None:
        raise CannotBuy(_(purchase_rules.DRY_RUN_FIRST))
    if objection := api_objection(policy, row, now):
        raise CannotBuy(objection)
    if changes := " ".join(changes_since_decision(row, now)):
        return change_state(row, "expire", user, changes, now)
    row.through_api, row.heartbeat_at, row.executed_at = True, None, now
    task("reservations.tasks.buy_purchase").delay_on_commit(row.pk)
    return change_state(row, "buy", user, "", now)


def api_objection(policy: BuyingPolicy, row: PurchaseRequest, now: datetime) -> str:
    """Why the API must not buy it; empty when it may."""
    if objection := purchase_clients.api_objection(row.order):
        return objection
    if row.currency != policy.currency:
        return _("The monthly ceiling is in {currency}, and this costs {other}: buy it by hand.").format(
            currency=policy.currency, other=row.currency
        )
    objection = purchase_rules.api_purchase_objection(
        is_on=policy.by_api and policy.credential_id is not None,
        is_stopped=policy.is_stopped,
        ceiling=policy.monthly_ceiling,
        spent=spent_by_api(now, except_pk=row.pk),
        value=row.value,
        currency=row.currency,
    )
    return objection or blocking_requests(row)[0]


def spent_by_api(now: datetime, *, except_pk: int | None = None) -> Decimal:
    """Whole-term value of what the API bought, or may have bought, in the calendar month of `now`."""
    first = now.replace(day=1, hour=0, minute=0, second=0, microsecond=0)
    bought = PurchaseRequest.objects.filter(through_api=True, executed_at__gte=first, state__in=purchase_rules.SPENT)
    if except_pk is not None:
        bought = bought.exclude(pk=except_pk)
    return bought.aggregate(value=Sum("value"))["value"] or Decimal(0)


@transaction.atomic
def mark_not_bought(pk: int, *, user: User | None, comment: str, now: datetime) -> PurchaseRequest:
    """It was not bought after all: approved again, under a new token, for the old one may be known to the provider."""
    row = locked(pk)
    if row.state == purchase_rules.DOUBTFUL and row.executed_at and row.executed_at > now - purchase_rules.DOUBT_LASTS:
        raise CannotBuy(_("AWS may show it late: look again in a quarter of an hour before you decide that."))
    row.known_before, row.executed_at, row.heartbeat_at, row.through_api = [], None, None, False
    row.token, row.dry_run_at = uuid.uuid4(), None
    return change_state(row, "give_back", user, comment, now)


@transaction.atomic
def mark_doubtful(pk: int, *, comment: str, now: datetime) -> PurchaseRequest:
    """Nobody knows whether it was bought: it waits until the provider or a person does."""
    return change_state(locked(pk), "doubt", None, comment, now)


@transaction.atomic
def note_dry_run(pk: int, *, offering: str, user: User, comment: str, now: datetime) -> PurchaseRequest:
    """The dry run found the offer at the approved price."""
    row = locked(pk)
    purchase_rules.next_state(row.state, "buy")
    row.offering, row.dry_run_at = offering, now
    return add_note(row, "dry_run", user, comment, now)


@transaction.atomic
def note_outcome_check(pk: int, *, user: User | None, comment: str, now: datetime) -> PurchaseRequest:
    """What the provider shows of a doubtful purchase; what a sweep saw is no event of its own."""
    row = locked(pk)
    if user is not None:
        return add_note(row, "look", user, comment, now)
    row.message = comment
    row.save()
    return row


@transaction.atomic
def note_late_answer(pk: int, *, comment: str, now: datetime) -> PurchaseRequest:
    """The provider's answer, after somebody had decided otherwise; finance gets an email: it may be bought twice."""
    row = add_note(locked(pk), "late", None, comment, now)
    send_emails(row, "purchase-decided", finance_addresses(), now)
    return row

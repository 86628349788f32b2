"""Celery's doors: ids in, a service called, nothing else."""

from datetime import timedelta

from celery import shared_task
from django.core.cache import cache
from django.utils import timezone

from costs.models import DeliveryMonth
from finops_site.lib.periods import Month
from reservations.inventory import commitment_usage
from reservations.models import Plan
from reservations.purchases import bill_matching, execution, standing_orders
from reservations.recommendations import recommend
from reservations.savings import ledger

FORGOTTEN_AFTER = timedelta(minutes=10)
KNOWN = "reservations:bills-of-{}"


@shared_task
def work_out(plan_id: int) -> None:
    plan = Plan.objects.filter(pk=plan_id, state=Plan.State.WAITING).first()
    if plan:
        recommend.compute_recommendation(plan)


@shared_task
def refresh_commitments() -> None:
    """Utilisation and coverage of the months whose bills changed since this was asked last; forgotten work is done."""
    for plan in Plan.objects.filter(state=Plan.State.WAITING, created_at__lt=timezone.now() - FORGOTTEN_AFTER):
        work_out.delay(plan.pk)
    for month in commitment_usage.months_with_bills():
        bills = DeliveryMonth.objects.current().filter(charge_months__contains=[month.start.isoformat()])
        print_of = ",".join(str(pk) for pk in bills.order_by("pk").values_list("pk", flat=True))
        if cache.get(KNOWN.format(month)) != print_of:
            commitment_usage.refresh_usage(month)
            cache.set(KNOWN.format(month), print_of, None)
    _follow()


@shared_task
def refresh_months(months: list[str]) -> None:
    """The same for these months, whose bill or whose owners have just changed."""
    for month in months:
        commitment_usage.refresh_usage(Month.parse(month))
    _follow()


def _follow() -> None:
    """What was bought and is in a bill now is found, for only now its commitment is known; then what it saved."""
    now = timezone.now()
    bill_matching.find_in_bills(now)
    ledger.refresh_ledger(now.date())


@shared_task
def buy_purchase(purchase_id: int) -> None:
    execution.execute_purchase(purchase_id, clock=timezone.now)


@shared_task
def sweep_purchases() -> None:
    """Purchases that a lost task or a dead worker left behind."""
    for pk in execution.sweep_purchases(timezone.now()):
        buy_purchase.delay(pk)


@shared_task
def run_standing_orders() -> None:
    """Every morning; each asks once a month."""
    standing_orders.run_standing_orders(timezone.now())

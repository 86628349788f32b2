"""The tasks of Celery: ids in, a service called, nothing else."""

from datetime import timedelta

from celery import shared_task
from django.core.cache import cache
from django.utils import timezone

from costs.models import DeliveryMonth
from finops_site.lib.periods import Month
from reservations.inventory import commitment_usage
from reservations.models import Plan
from reservations.purchases import bill_matching, execution, standing_orders
from reservations.recommendations import recommend, stopped_runs
from reservations.savings import ledger

FORGOTTEN_AFTER = timedelta(minutes=10)
FINGERPRINT_KEY = "reservations:bills-of-{}"


@shared_task
def compute_plan(plan_id: int) -> None:
    plan = Plan.objects.filter(pk=plan_id, state=Plan.State.WAITING).first()
    if plan:
        recommend.compute_recommendation(plan)


@shared_task
def refresh_commitments() -> None:
    """Utilisation and coverage of the months whose bills changed since the last run; forgotten plans are queued."""
    for plan in Plan.objects.filter(state=Plan.State.WAITING, created_at__lt=timezone.now() - FORGOTTEN_AFTER):
        compute_plan.delay(plan.pk)
    for month in commitment_usage.months_with_bills():
        bills = DeliveryMonth.objects.current().filter(charge_months__contains=[month.start.isoformat()])
        fingerprint = ",".join(str(pk) for pk in bills.order_by("pk").values_list("pk", flat=True))
        if cache.get(FINGERPRINT_KEY.format(month)) != fingerprint:
            commitment_usage.refresh_usage(month)
            cache.set(FINGERPRINT_KEY.format(month), fingerprint, None)
    _refresh_savings()


@shared_task
def refresh_months(months: list[str]) -> None:
    """The same for these months, whose bill or whose owners have just changed."""
    for month in months:
        commitment_usage.refresh_usage(Month.parse(month))
    _refresh_savings()


def _refresh_savings() -> None:
    """Purchases that the bills now show are matched, for only now their commitments are known; then what they saved."""
    now = timezone.now()
    bill_matching.match_purchases_with_bills(now)
    ledger.refresh_ledger(now.date())


@shared_task
def buy_purchase(purchase_id: int) -> None:
    execution.execute_purchase(purchase_id, clock=timezone.now)


@shared_task
def queue_lost_purchases() -> None:
    """Purchases that a lost task or a dead worker left behind."""
    for pk in execution.sweep_purchases(timezone.now()):
        buy_purchase.delay(pk)


@shared_task
def end_stopped_recommendations() -> None:
    """Runs whose worker was killed."""
    stopped_runs.end_stopped_runs(timezone.now())


@shared_task
def request_for_standing_orders() -> None:
    """Every morning; each order requests something once a month."""
    standing_orders.run_standing_orders(timezone.now())

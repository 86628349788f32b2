"""Celery's doors: ids in, a service called, nothing else."""

from celery import shared_task
from django.core.cache import cache
from django.utils import timezone

from costs.models import DeliveryMonth
from reservations import owning, recommending, watching
from reservations.models import Plan

KNOWN = "reservations:bills-of-{}"


@shared_task
def work_out(plan_id: int) -> None:
    plan = Plan.objects.filter(pk=plan_id, state=Plan.State.WAITING).first()
    if plan:
        recommending.run(plan)


@shared_task
def refresh_commitments() -> None:
    """Utilisation and coverage of the months whose bills changed since this was asked last."""
    for month in owning.months_with_bills():
        bills = DeliveryMonth.objects.current().filter(charge_months__contains=[month.start.isoformat()])
        print_of = ",".join(str(pk) for pk in bills.order_by("pk").values_list("pk", flat=True))
        if cache.get(KNOWN.format(month)) != print_of:
            owning.refresh(month)
            cache.set(KNOWN.format(month), print_of, None)


@shared_task
def watch_commitments() -> None:
    """Every night: what ends soon, what a week used too little of; then mail what is not sent."""
    today = timezone.now().date()
    watching.notice_expiries(today)
    watching.notice_low_weeks(today)
    watching.send(watching.unsent())

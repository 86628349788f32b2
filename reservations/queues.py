"""Work handed to Celery; what a broker never heard of is taken up by a sweep."""

from collections.abc import Sequence

from finops_site.ops.queues import hand_over
from reservations.models import Plan
from reservations.tasks import buy_purchase, refresh_months, work_out


def work(plan: Plan) -> None:
    hand_over(work_out, plan.pk)


def buy(purchase_id: int) -> None:
    hand_over(buy_purchase, purchase_id)


def refresh(months: Sequence[str]) -> None:
    hand_over(refresh_months, list(months))

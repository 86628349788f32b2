"""What Prometheus is told of bills: how far each source is known, how many are held, whether the books hold."""

from collections.abc import Iterator
from datetime import UTC, datetime, time

from django.db.models import Count, Max, Q

from costs.models import Delivery, DeliveryMonth, Source
from finops_site.models import NightlyRun
from finops_site.registry import MetricSource

Values = Iterator[tuple[tuple[str, ...], float]]


def known_until_age(now: datetime) -> Values:
    """Since the end of the last delivered day of each source in use; of one without a bill there is none."""
    rows = DeliveryMonth.objects.filter(is_current=True, stream__source__is_enabled=True)
    for name, last in rows.values_list("stream__source__name").annotate(last=Max("accounts__last_day")).order_by():
        if last:
            yield (name,), max(0.0, (now - datetime.combine(last, time.max, UTC)).total_seconds())


def held_bills(now: datetime) -> Values:
    held = Count("deliveries", filter=Q(deliveries__status=Delivery.Status.HELD))
    for name, count in Source.objects.filter(is_enabled=True).annotate(held=held).values_list("name", "held"):
        yield (name,), count


def books_green(now: datetime) -> Values:
    """As the last night found them."""
    run = NightlyRun.objects.filter(check_name="books").exclude(outcome=NightlyRun.Outcome.RUNNING).first()
    if run:
        yield (), run.outcome == NightlyRun.Outcome.DONE


METRICS = (
    MetricSource("finops_known_until_age_seconds", "Since the last delivered day.", known_until_age, ("source",)),
    MetricSource("finops_held_bills", "Bills that wait for finance.", held_bills, ("source",)),
    MetricSource("finops_books_green", "Whether all checks of the books held last night.", books_green),
)

"""What chargeback reads of the cost data of a billing month: the current rows, and the charge days they may have."""

from datetime import date, timedelta

from django.db.models import QuerySet

from costs.models import CostLine, DayRollup, DeliveryMonth
from finops_site.lib.periods import Month


def current_rows_of_month(model: type[CostLine | DayRollup], month: Month) -> QuerySet:
    """Current rows of a billing month, with the span of charge days that lets the database skip partitions."""
    rows = model.objects.current().filter(billing_month=month.start).order_by()
    if days := _charge_months(month):
        rows = rows.filter(charge_date__gte=min(days), charge_date__lt=Month.of(max(days)).next.start)
    return rows


def charge_days_of(month: Month) -> tuple[date, date]:
    """First and last charge day that the bills of a billing month may have, for links to their lines."""
    days = _charge_months(month) or [month.start]
    return min(days), Month.of(max(days)).next.start - timedelta(days=1)


def _charge_months(month: Month) -> list[date]:
    """The first day of every month of use in the current bills of a billing month."""
    rows = DeliveryMonth.objects.current().filter(billing_month=month.start).values_list("charge_months", flat=True)
    return [date.fromisoformat(day) for days in rows for day in days]

"""The charges of a period as the current deliveries bring them, queried in place."""

from datetime import date, datetime, time
from typing import TYPE_CHECKING, Any

from costs.models import DeliveryMonth
from costs.query.query_backends import charges_in
from finops_site.lib.periods import Month, Period

if TYPE_CHECKING:
    from ibis.expr.types import Table


def midnight(day: date) -> datetime:
    return datetime.combine(day, time())


def query_charges(period: Period, query: "Table", *, without_view: str = "") -> list[dict[str, Any]]:
    """Rows of a query over the charges of the months that the period touches; of none where no bill does."""
    first, last = str(Month.of(period.start).start), str(period.last_day)
    months = DeliveryMonth.objects.current().select_related("delivery")
    if without_view:
        months = months.exclude(view=without_view)
    globs = [month.charges_glob for month in months if any(first <= day <= last for day in month.charge_months)]
    if not globs:
        return []
    with charges_in(*globs, threads=2) as charges:
        return charges.ask(query)

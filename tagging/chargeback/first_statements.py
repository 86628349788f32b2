"""Since when teams have had statements: what the programme measures the effect of seeing one's cost by."""

from datetime import UTC, date

from django.db.models import Min

from tagging.models import ChargebackPeriod, Statement


def first_statements() -> dict[int, date]:
    """{team: the day on which the first month with a statement of it was closed}."""
    closed = Statement.objects.filter(period__state=ChargebackPeriod.State.CLOSED, period__closed_at__isnull=False)
    first = closed.order_by().values("team").annotate(day=Min("period__closed_at"))
    return {row["team"]: row["day"].astimezone(UTC).date() for row in first}

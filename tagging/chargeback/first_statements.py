"""Since when teams see their cost: what the programme measures the effect of statements by."""

from datetime import UTC, date

from django.db.models import Min

from tagging.models import ChargebackPeriod, Statement, StatementOpening


def first_statements() -> dict[int, date]:
    """{team: the day on which somebody who leads it first opened a statement}: what nobody opens changes nothing.

    As long as no opening at all is recorded, the day on which the first month with a statement of it was closed.
    """
    opened = StatementOpening.objects.order_by().values("team").annotate(at=Min("opened_at"))
    closed = Statement.objects.filter(period__state=ChargebackPeriod.State.CLOSED, period__closed_at__isnull=False)
    rows = opened or closed.order_by().values("team").annotate(at=Min("period__closed_at"))
    return {row["team"]: row["at"].astimezone(UTC).date() for row in rows}

"""Which month a page opens with: this one, or the last that has any cost the person may see."""

from datetime import date
from typing import Any

from django.db.models import Max

from costs.models import DayRollup
from finops_site.periods import Month


def month(user: Any, today: date) -> Month:
    """The month of `today` when it has cost, else the latest before it that has; this month where there is none."""
    return Month.of(day(user, today) or today)


def day(user: Any, today: date) -> date | None:
    """The last charge day up to and including `today`; None where nothing was spent."""
    found: date | None = (
        DayRollup.objects.visible_to(user).filter(charge_date__lte=today).aggregate(last=Max("charge_date"))["last"]
    )
    return found

"""Which month a page opens with: this one, or the last that has any cost the person may see."""

from datetime import date

from costs.models import DayRollup
from costs.query.result_cache import cached
from finops_site.lib.periods import Month
from finops_site.lib.person import Person


def month(user: Person, today: date) -> Month:
    """The month of `today` when it has cost, else the latest before it that has; this month where there is none."""
    return Month.of(day(user, today) or today)


def day(user: Person, today: date) -> date | None:
    """The last charge day up to and including `today`; None where nothing was spent."""
    days = DayRollup.objects.visible_to(user).filter(charge_date__lte=today).order_by("-charge_date")
    # Not max(): the first row from the end of the index is found at once, and all of them are not.
    return cached(user, ("latest day", today), lambda: days.values_list("charge_date", flat=True).first())

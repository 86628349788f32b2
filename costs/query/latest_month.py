"""Which month a page opens with, the last that has any cost the person may see, and which of its days are compared."""

from collections.abc import Mapping, Sequence
from datetime import date

from django.utils.translation import gettext as _

from costs.calc.known_until import last_shared_day
from costs.calc.period_changes import billed_part
from costs.models import DayRollup
from costs.query.known_until import bills_of, delivered_bills, rules
from costs.query.question import BadQuestion, Question
from costs.query.result_cache import cached
from costs.query.spend import find_spend
from finops_site.lib.periods import Month, Period, day_text
from finops_site.lib.person import Person, WholeCompany


def month(user: Person, today: date) -> Month:
    """The month of `today` when it has cost, else the latest before it that has.

    Who owns no cost at all gets the company's: a month that is not billed yet could be compared with nothing.
    """
    return Month.of(day(user, today) or day(WholeCompany(), today) or today)


def day(user: Person, today: date) -> date | None:
    """The last charge day up to and including `today`; None where nothing was spent."""
    days = DayRollup.objects.visible_to(user).filter(charge_date__lte=today).order_by("-charge_date")
    # Not max(): the first row from the end of the index is found at once, and all of them are not.
    return cached(user, ("latest day", today), lambda: days.values_list("charge_date", flat=True).first())


def compared_until(
    user: Person, period: Period, today: date, filters: Mapping[str, Sequence[str]] | None = None
) -> date | None:
    """The last day that counts when the days of `period` are compared with others; None where nothing is delivered.

    Every bill that a question touches has delivered until then, whoever asks: cost that stopped before is compared with
    the days it should have had, and cost that a bill has not brought yet is compared with nothing.
    """
    bills = bills_of(user, period, filters or {}, today) or delivered_bills(user, today)
    return last_shared_day(bills, period, today, rules())


def billed_days(
    user: Person, period: Period, today: date, filters: Mapping[str, Sequence[str]] | None = None
) -> Period:
    """The days of a period up to the last that every bill has delivered, to compare them with others.

    Raises BadQuestion for a period of which no day is billed yet: all cost of other days would be gone.
    """
    last = compared_until(user, period, today, filters)
    if last is not None and last < period.start and not find_spend(user, Question(period)):
        days = _("{start} to {last_day}").format(start=day_text(period.start), last_day=day_text(period.last_day))
        raise BadQuestion(
            _("No day of {days} is billed yet: the last that is billed is {last}.").format(
                days=days, last=day_text(last)
            )
        )
    return billed_part(period, last)

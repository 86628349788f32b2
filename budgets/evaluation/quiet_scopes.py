"""Finance hears once of every budget whose scope matches nothing, or nothing any more."""

from datetime import date, datetime
from typing import Any

from django.db import transaction
from django.db.models import Exists, F, OuterRef, Q
from django.urls import reverse

from budgets.forecast.status import scope_doubt
from budgets.models import Budget, Forecast
from finops_site.mail import outbox
from finops_site.mail.emails import absolute_url, make_message
from finops_site.models import User
from finops_site.people.roles import FINANCE

MOST_IN_MAIL = 50
MATCHES_NOTHING = Q(method=Forecast.Method.NONE, complete_until__isnull=False, spent=0)


def newly_quiet(as_of: date) -> list[Forecast]:
    """Forecasts of a night that say of a budget for the first time that its scope matches nothing (any more)."""
    tonight = Forecast.objects.filter(
        as_of=as_of, period__start__lte=as_of, period__end__gt=as_of, period__budget__state=Budget.State.ACTIVE
    )
    earlier = Forecast.objects.filter(period__budget=OuterRef("period__budget"), as_of__lt=as_of)
    told_of = earlier.filter(quiet_since=OuterRef("quiet_since"))
    quiet = Q(quiet_since__isnull=False) & ~Exists(told_of)
    nothing = MATCHES_NOTHING & ~Exists(earlier.filter(MATCHES_NOTHING))
    return list(tonight.filter(quiet | nothing).select_related("period__budget").order_by(F("period__budget__name")))


@transaction.atomic
def tell_finance(as_of: date, now: datetime) -> int:
    """One e-mail to each in finance about what is new of a night; returns how many e-mails are new."""
    forecasts = newly_quiet(as_of)
    if not forecasts:
        return 0

    def context() -> dict[str, Any]:
        rows = [
            {
                "budget": forecast.period.budget,
                "doubt": scope_doubt(forecast),
                "url": absolute_url(forecast.period.budget.get_absolute_url()),
            }
            for forecast in forecasts[:MOST_IN_MAIL]
        ]
        more = len(forecasts) - len(rows)
        return {"rows": rows, "count": len(forecasts), "more": more, "url": absolute_url(reverse("budgets:budgets"))}

    return sum(
        outbox.queue_email(
            f"quiet scopes {as_of} to {user.email}", make_message("budgets-quiet", user.email, context), now=now
        )
        for user in User.objects.in_role(FINANCE)
    )

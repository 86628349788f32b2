"""The demo company owns no commitment; its newest recommendation is worked out, so that pages show one."""

from collections.abc import Callable
from datetime import date

from reservations import owning, recommending
from reservations.models import Plan


def recommend(say: Callable[[str], object], *, as_of: date) -> None:
    """Coverage of every month, and a finished recommendation; one that is there already is left alone."""
    for month in owning.months_with_bills():
        owning.refresh(month)
    if Plan.objects.exists():
        return
    plan = recommending.run(recommending.ask(None, recommending.Parameters(target_coverage=0.7), as_of=as_of))
    say(f"  a recommendation that saves {plan.saving or 0:,.0f} {plan.currency} a year")

"""The demo's savings model: started with the programme, with assumptions that finance has corrected since."""

from collections.abc import Callable
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal

from django.utils.translation import gettext as _

from finops_site.lib.periods import Month
from finops_site.models import User
from finops_site.people.demo import DOMAIN
from finops_site.people.demo_rows import counted_rows, delete_unless_held, demo_rows
from programme.models import Assumption, AssumptionChange, SavingsModel
from programme.savings_model.assumptions import change_assumption, start_model
from programme.savings_model.template import CURRENCY

# The programme is at day 60.
DAYS_AGO = 60
# (how many days ago, key, {case: value}, source, why)
CHANGES = (
    (52, "investment", {"expected": "48000", "conservative": "62000", "optimistic": "42000"},
     "Offer of the consultants, without their option", "The offer is signed: 48,000 in the expected case."),
    (30, "investment-paid", {"expected": "18500"}, "Ledger account 6420", "The first two invoices are paid."),
    (3, "investment-paid", {"expected": "26000"}, "Ledger account 6420", "The third invoice is paid."),
)  # fmt: skip


def make_savings_model(write: Callable[[str], object], *, as_of: date) -> None:
    """Starts the model on day one of the programme; it is left alone where there is one."""
    fay = User.objects.filter(email=f"fay@{DOMAIN}").first()
    if fay is None or SavingsModel.objects.exists():
        return
    begun = as_of - timedelta(days=DAYS_AGO)
    start_model(user=fay, currency=CURRENCY, start=Month.of(begun), now=_morning(begun))
    for days_ago, key, values, source, reason in CHANGES:
        row = Assumption.objects.get(key=key)
        change_assumption(
            row.pk,
            user=fay,
            values={case: Decimal(value) for case, value in values.items()},
            currency=row.currency,
            source=source,
            reason=reason,
            version=None,
            now=_morning(as_of - timedelta(days=days_ago)),
        )
    write(
        f"  a savings model with {Assumption.objects.count()} assumptions, {AssumptionChange.objects.count()} changes"
    )


def _morning(day: date) -> datetime:
    return datetime.combine(day, time(9, 20), UTC)


def counts() -> list[tuple[str, int, int]]:
    return [counted_rows(_("assumptions of the savings model"), demo_rows(Assumption))]


def remove_savings_model() -> None:
    """The model goes with its assumptions, and all that was changed of them."""
    delete_unless_held(demo_rows(Assumption))
    delete_unless_held(demo_rows(SavingsModel))

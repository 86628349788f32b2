"""What finance looks at before a month is closed."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from django.urls import reverse

from costs.invoices.comparison import month_of_invoices
from costs.models import DeliveryMonth
from finops_site.lib.money import EXACT, ratio
from finops_site.lib.person import WholeCompany
from finops_site.lib.words import counted
from tagging.chargeback.closing import CannotClose, check_can_close
from tagging.chargeback.links import CostLineLinks
from tagging.chargeback.periods import known_of_month
from tagging.models import ChargebackPeriod, Dispute

# Above this share of the bill the checklist warns of unowned cost.
MUCH_UNOWNED = Decimal("0.05")


@dataclass(frozen=True, slots=True)
class ChecklistItem:
    """A line of the checklist: `state` is good, warn or bad; only bad ones forbid closing."""

    label: str
    text: str
    state: str
    url: str = ""


def closing_checklist(period: ChargebackPeriod, now: datetime) -> list[ChecklistItem]:
    try:
        check_can_close(period, now.date())
        order = ChecklistItem("In turn", "The month is over, and every month before it is closed.", "good")
    except CannotClose as problem:
        order = ChecklistItem("In turn", str(problem), "bad")
    count = Dispute.objects.open().filter(line__statement__period=period).count()
    disputes = f"{count} open: they can be resolved in the next month, too." if count else "None is open."
    return [
        order,
        _rejected_rows(period),
        _delivered(period, now),
        *_invoices(period),
        *_unowned_shares(period),
        ChecklistItem("Disputes", disputes, "warn" if count else "good", reverse("tagging:disputes")),
    ]


def _rejected_rows(period: ChargebackPeriod) -> ChecklistItem:
    bills = DeliveryMonth.objects.current().filter(billing_month=period.billing_month, delivery__rows_rejected__gt=0)
    rejected = list(bills.values_list("delivery__rows_rejected", flat=True))
    url = reverse("costs:deliveries")
    if not rejected:
        return ChecklistItem("Rows not read", "Every row of the month's bills was read.", "good", url)
    text = f"{counted(sum(rejected), 'row')} of {counted(len(rejected), 'bill')} not read."
    return ChecklistItem("Rows not read", text, "warn", url)


def _delivered(period: ChargebackPeriod, now: datetime) -> ChecklistItem:
    notes = known_of_month(WholeCompany(), period, now.date()).notes
    text = " ".join(notes) or "Every bill is delivered to the end of the month, and final."
    return ChecklistItem("Delivered", text, "warn" if notes else "good", reverse("costs:sources"))


def _invoices(period: ChargebackPeriod) -> Iterator[ChecklistItem]:
    """Nothing where no invoice of the month is recorded: not everybody does."""
    invoices = month_of_invoices(period.month)
    if invoices.total:
        state = "good" if invoices.settled == invoices.total else "warn"
        url = f"{reverse('costs:invoices')}?month={period.month}"
        yield ChecklistItem("Invoices", str(invoices), state, url)


def _unowned_shares(period: ChargebackPeriod) -> Iterator[ChecklistItem]:
    links = CostLineLinks()
    for total in period.totals.all():
        share = ratio(EXACT.add(total.unowned, total.unallocated), total.bill) or 0
        text = f"{share * 100:.1f} % of the bill in {total.currency} is charged to nobody."
        url = links.month(period.month, team="none", currency=total.currency)
        yield ChecklistItem(f"Unowned, {total.currency}", text, "warn" if share > MUCH_UNOWNED else "good", url)

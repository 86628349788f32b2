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
from finops_site.lib.words import counted, some_of
from tagging.chargeback.closing import CannotClose, check_can_close
from tagging.chargeback.disputes import entries_beyond
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
        order = _order(period)
    except CannotClose as problem:
        order = ChecklistItem("In turn", str(problem), "bad")
    count = Dispute.objects.unresolved().filter(line__statement__period=period).count()
    disputes = f"{count} open: they can be resolved in the next month, too." if count else "None is open."
    return [
        order,
        _rejected_rows(period),
        _delivered(period, now),
        *_invoices(period),
        *_unowned_shares(period),
        ChecklistItem("Disputes", disputes, "warn" if count else "good", reverse("tagging:disputes")),
        *_entries_beyond(period),
    ]


def _order(period: ChargebackPeriod) -> ChecklistItem:
    """What became of the months before: closed, set aside, or still drafts that nobody is charged for."""
    before = ChargebackPeriod.objects.filter(billing_month__lt=period.billing_month).order_by("billing_month")
    drafts = [str(month.month) for month in before.draft()]
    if drafts:
        named = some_of(drafts)
        one = "is a draft" if len(drafts) == 1 else "are drafts"
        text = f"The month is over, but {named} before it {one}: close what is to be charged, set the others aside."
        return ChecklistItem("In turn", text, "warn", reverse("tagging:chargeback"))
    aside = before.filter(state=ChargebackPeriod.State.ASIDE).count()
    text = "The month is over, and every month before it is closed"
    if aside and not before.closed().exists():
        text = f"The month is over: it is the first to be charged, {counted(aside, 'month')} before it set aside"
    elif aside:
        text += " or set aside"
    elif not before.exists():
        text = "The month is over, and there is none before it"
    return ChecklistItem("In turn", f"{text}.", "good")


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
        code = total.currency
        share = ratio(EXACT.add(total.unowned, total.unallocated), total.bill) or 0
        state = "warn" if share > MUCH_UNOWNED else "good"
        unowned, in_pools = (ratio(part, total.bill) or 0 for part in (total.unowned, total.unallocated))
        text = f"{unowned * 100:.1f}% of the bill in {code} is unowned."
        yield ChecklistItem(f"Unowned, {code}", text, state, links.month(period.month, team="none", currency=code))
        if total.unallocated:
            text = f"{in_pools * 100:.1f}% of the bill in {code} is in pools nobody can take."
            yield ChecklistItem(f"In pools, {code}", text, state)


def _entries_beyond(period: ChargebackPeriod) -> Iterator[ChecklistItem]:
    """Correcting entries that a bill restated later left too large; those of closed months stay, and are looked at."""
    for entry, text in entries_beyond(period):
        is_draft = entry.period_id == period.pk
        help_text = (
            "Take the entry back and answer the dispute again."
            if is_draft
            else f"It is booked in {entry.period.month}, which is closed: the team that it went to can dispute it."
        )
        url = entry.dispute.get_absolute_url()
        yield ChecklistItem("Correcting entry", f"{text}. {help_text}", "bad" if is_draft else "warn", url)

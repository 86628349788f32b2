"""What finance looks at before a month is closed."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from costs.invoices.comparison import month_of_invoices
from costs.models import DeliveryMonth
from finops_site.lib.money import EXACT, ratio
from finops_site.lib.periods import month_text
from finops_site.lib.person import WholeCompany
from finops_site.lib.words import counted, number_text, some_of
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
        order = ChecklistItem(_("In turn"), str(problem), "bad")
    count = Dispute.objects.unresolved().filter(line__statement__period=period).count()
    disputes = (
        _("{count} open: they can be resolved in the next month, too.").format(count=count)
        if count
        else _("None is open.")
    )
    return [
        order,
        _rejected_rows(period),
        _delivered(period, now),
        *_invoices(period),
        *_unowned_shares(period),
        ChecklistItem(_("Disputes"), disputes, "warn" if count else "good", reverse("tagging:disputes")),
        *_entries_beyond(period),
    ]


def _order(period: ChargebackPeriod) -> ChecklistItem:
    """What became of the months before: closed, set aside, or still drafts that nobody is charged for."""
    before = ChargebackPeriod.objects.filter(billing_month__lt=period.billing_month).order_by("billing_month")
    drafts = [str(month.month) for month in before.draft()]
    if drafts:
        named = some_of(drafts)
        text = ngettext(
            "The month is over, but {named} before it is a draft: close what is to be charged, set the others aside.",
            "The month is over, but {named} before it are drafts: close what is to be charged, set the others aside.",
            len(drafts),
        ).format(named=named)
        return ChecklistItem(_("In turn"), text, "warn", reverse("tagging:chargeback"))
    aside = before.filter(state=ChargebackPeriod.State.ASIDE).count()
    text = _("The month is over, and every month before it is closed.")
    if aside and not before.closed().exists():
        text = _("The month is over: it is the first to be charged, {months} before it set aside.").format(
            months=counted(aside, "month")
        )
    elif aside:
        text = _("The month is over, and every month before it is closed or set aside.")
    elif not before.exists():
        text = _("The month is over, and there is none before it.")
    return ChecklistItem(_("In turn"), text, "good")


def _rejected_rows(period: ChargebackPeriod) -> ChecklistItem:
    bills = DeliveryMonth.objects.current().filter(billing_month=period.billing_month, delivery__rows_rejected__gt=0)
    rejected = list(bills.values_list("delivery__rows_rejected", flat=True))
    url = reverse("costs:deliveries")
    if not rejected:
        return ChecklistItem(_("Rows not read"), _("Every row of the month's bills was read."), "good", url)
    text = _("{rows} of {bills} not read.").format(
        rows=counted(sum(rejected), "row"), bills=counted(len(rejected), "bill")
    )
    return ChecklistItem(_("Rows not read"), text, "warn", url)


def _delivered(period: ChargebackPeriod, now: datetime) -> ChecklistItem:
    notes = known_of_month(WholeCompany(), period, now.date()).notes
    text = " ".join(notes) or _("Every bill is delivered to the end of the month, and final.")
    return ChecklistItem(_("Delivered"), text, "warn" if notes else "good", reverse("costs:sources"))


def _invoices(period: ChargebackPeriod) -> Iterator[ChecklistItem]:
    """Nothing where no invoice of the month is recorded: not everybody does."""
    invoices = month_of_invoices(period.month)
    if invoices.total:
        state = "good" if invoices.settled == invoices.total else "warn"
        url = f"{reverse('costs:invoices')}?month={period.month}"
        yield ChecklistItem(_("Invoices"), str(invoices), state, url)


def _unowned_shares(period: ChargebackPeriod) -> Iterator[ChecklistItem]:
    links = CostLineLinks()
    for total in period.totals.all():
        code = total.currency
        share = ratio(EXACT.add(total.unowned, total.unallocated), total.bill) or 0
        state = "warn" if share > MUCH_UNOWNED else "good"
        unowned, in_pools = (ratio(part, total.bill) or 0 for part in (total.unowned, total.unallocated))
        text = _("{value}% of the bill in {code} is unowned.").format(value=number_text(unowned * 100, 1), code=code)
        yield ChecklistItem(
            _("Unowned, {code}").format(code=code), text, state, links.month(period.month, team="none", currency=code)
        )
        if total.unallocated:
            text = _("{value}% of the bill in {code} is in pools nobody can take.").format(
                value=number_text(in_pools * 100, 1), code=code
            )
            yield ChecklistItem(_("In pools, {code}").format(code=code), text, state)


def _entries_beyond(period: ChargebackPeriod) -> Iterator[ChecklistItem]:
    """Correcting entries that a bill restated later left too large; those of closed months stay, and are looked at."""
    for entry, text in entries_beyond(period):
        is_draft = entry.period_id == period.pk
        help_text = (
            _("Take the entry back and answer the dispute again.")
            if is_draft
            else _("It is booked in {month}, which is closed: the team that it went to can dispute it.").format(
                month=month_text(entry.period.month, "long")
            )
        )
        url = entry.dispute.get_absolute_url()
        yield ChecklistItem(_("Correcting entry"), f"{text}. {help_text}", "bad" if is_draft else "warn", url)

"""Closing a month: statements are frozen, numbered and mailed, once, whoever else closes or restates meanwhile."""

from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal

from django.db import transaction
from django.urls import reverse

from costs.models import DeliveryMonth, Source
from costs.sources.health import is_late, with_last_delivery
from finops_site.lib.money import EXACT, exact_sum, ratio
from finops_site.lib.periods import Month, moment_text
from finops_site.lib.person import Person
from tagging.chargeback import allocation, queues, statements
from tagging.models import ChargebackPeriod, Dispute, MonthTotal, Statement

# Above this share of the bill unowned cost is worth a word before a month is closed.
MUCH_UNOWNED = Decimal("0.05")


class CannotClose(ValueError):
    """The month cannot be closed (now); the message says why and what to do."""


class AlreadyClosed(CannotClose):
    """Somebody else closed it first."""


class DraftOutdated(CannotClose):
    """A bill, a split or a metric changed since the draft was looked at."""


def close_month(period: ChargebackPeriod, user: Person, *, seen: str, now: datetime) -> list[Statement]:
    """Closes a month that `user` looked at as the draft with the mark `seen`; returns its numbered statements.

    All or nothing: bills that become current meanwhile wait, or are noticed. Raises CannotClose.
    """
    with transaction.atomic():
        _hold_the_books(period)
        mine = ChargebackPeriod.objects.select_for_update().get(pk=period.pk)
        check_can_close(mine, now.date())
        marks = allocation.month_fingerprints()
        if seen != statements.wanted_mark(mine, marks):
            raise DraftOutdated(
                f"A bill, a split or a metric of {mine.month} changed since this draft was made. Look at it again."
            )
        statements.write_statements(mine, now)
        _need_equation(mine)
        if allocation.month_fingerprints().get(mine.month) != marks.get(mine.month):
            raise DraftOutdated(
                f"A new bill of {mine.month} came in while the month was being closed. Look at it again."
            )
        found = _number(mine)
        mine.state, mine.closed_at, mine.closed_by = ChargebackPeriod.State.CLOSED, now, user
        mine.books = marks.get(mine.month, statements.NO_BILL)
        mine.save()
        transaction.on_commit(queues.after_closing)
    period.refresh_from_db()
    return found


def _hold_the_books(period: ChargebackPeriod) -> None:
    """Bills become current and are withdrawn under their source's lock, and re-owned under their month's: they wait."""
    list(Source.objects.select_for_update().order_by("pk").values_list("pk"))
    rows = DeliveryMonth.objects.current().filter(billing_month=period.billing_month)
    list(rows.select_for_update().order_by("pk").values_list("pk"))


def check_can_close(period: ChargebackPeriod, today: date) -> None:
    if period.is_closed:
        when = moment_text(period.closed_at)
        raise AlreadyClosed(f"{period.month} was closed by {period.closed_by} on {when}. Nothing was done twice.")
    if today < period.month.next.start:
        raise CannotClose(f"{period.month} is not over: it can be closed from {period.month.next.start} on.")
    last = ChargebackPeriod.objects.closed().first()
    if last and period.month < last.month:
        raise CannotClose(
            f"Chargeback began with a later month: {last.month} is closed. What {period.month} costs stays a draft."
        )
    opened = statements.open_period()
    if opened and opened.pk != period.pk:
        raise CannotClose(f"Close {opened.month} first: months are closed in order, so that corrections have a place.")


def _need_equation(period: ChargebackPeriod) -> None:
    totals = list(period.totals.all())
    if not totals:
        raise CannotClose(f"There is no bill of {period.month}: nothing to close.")
    for total in totals:
        parts = exact_sum([total.direct, total.shared, total.unallocated, total.unowned])
        if parts != total.bill:
            raise CannotClose(f"The parts of {period.month} do not make its bill in {total.currency}: {parts}.")


def _number(period: ChargebackPeriod) -> list[Statement]:
    found = list(period.statements.select_related("period", "team").order_by("team_name", "currency", "pk"))
    for place, statement in enumerate(found, 1):
        statement.number = f"{period.month}-{place:04}"
    Statement.objects.bulk_update(found, ["number"], batch_size=1000)
    return found


@dataclass(frozen=True, slots=True)
class ChecklistItem:
    """A line of the checklist before closing: `state` is good, warn or bad; only bad ones forbid it."""

    label: str
    words: str
    state: str
    url: str = ""


def closing_checklist(period: ChargebackPeriod, now: datetime) -> list[ChecklistItem]:
    """What finance looks at before she closes a month."""
    return [_time(period, now.date()), _rejects(period), _late(now), *_unowned(period), _disputes(period)]


def _time(period: ChargebackPeriod, today: date) -> ChecklistItem:
    try:
        check_can_close(period, today)
    except CannotClose as problem:
        return ChecklistItem("In turn", str(problem), "bad")
    return ChecklistItem("In turn", "The month is over, and every month before it is closed.", "good")


def _rejects(period: ChargebackPeriod) -> ChecklistItem:
    rows = DeliveryMonth.objects.current().filter(billing_month=period.billing_month, delivery__rows_rejected__gt=0)
    found = list(rows.select_related("delivery__source"))
    url = reverse("costs:deliveries")
    if not found:
        return ChecklistItem("Rows not read", "Every row of the month's bills was read.", "good", url)
    count = sum(row.delivery.rows_rejected for row in found)
    return ChecklistItem("Rows not read", f"{count:,} rows of {len(found)} bills were not read.", "warn", url)


def _late(now: datetime) -> ChecklistItem:
    rows = with_last_delivery(Source.objects.all())
    late = [each.name for each in rows if is_late(each, each.last_delivery, now)]
    url = reverse("costs:sources")
    if late:
        return ChecklistItem("Sources", f"A bill is late from {', '.join(sorted(late)[:5])}.", "warn", url)
    return ChecklistItem("Sources", "No source is late.", "good", url)


def _unowned(period: ChargebackPeriod) -> list[ChecklistItem]:
    return [_unowned_in(total) for total in period.totals.all()]


def _unowned_in(total: MonthTotal) -> ChecklistItem:
    nobodys = EXACT.add(total.unowned, total.unallocated)
    share = ratio(nobodys, total.bill)
    words = f"{(share or 0) * 100:.1f} % of the bill in {total.currency} is charged to nobody."
    month = Month.of(total.period.billing_month)
    first, last = allocation.charge_days_of(month)
    url = f"{reverse('costs:lines')}?team=none&billing_month={month}&currency={total.currency}&from={first}&to={last}"
    return ChecklistItem(f"Unowned, {total.currency}", words, "warn" if (share or 0) > MUCH_UNOWNED else "good", url)


def _disputes(period: ChargebackPeriod) -> ChecklistItem:
    count = Dispute.objects.open().filter(line__statement__period=period).count()
    url = reverse("tagging:disputes")
    if count:
        return ChecklistItem("Disputes", f"{count} open: they can be resolved in the next month, too.", "warn", url)
    return ChecklistItem("Disputes", "None is open.", "good", url)

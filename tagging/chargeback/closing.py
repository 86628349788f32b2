"""Closing a month: statements are frozen, numbered and mailed, once, whoever else closes or restates meanwhile."""

from datetime import date, datetime

from django.db import transaction

from costs.models import DeliveryMonth, Source
from finops_site.celery import task
from finops_site.lib.money import exact_sum
from finops_site.lib.periods import moment_text
from finops_site.lib.person import WholeCompany
from finops_site.models import User
from tagging.chargeback.draft_statements import write_statements
from tagging.chargeback.periods import NO_BILL, known_of_month, month_fingerprints, open_period, period_fingerprint
from tagging.models import ChargebackPeriod, Statement


class CannotClose(ValueError):
    """The month cannot be closed (now); the message gives the reason and what to do."""


class AlreadyClosed(CannotClose):
    """Somebody else closed it first."""


class PartMissing(CannotClose):
    """A bill of the month is not delivered to its end, and nobody said that it is to be closed all the same."""


class DraftOutdated(CannotClose):
    """A bill, a split or a metric changed since the draft was looked at."""


def close_month(
    period: ChargebackPeriod, user: User, *, seen: str, now: datetime, without_missing: bool = False
) -> list[Statement]:
    """Closes a month that `user` looked at as the draft with the fingerprint `seen`; returns its numbered statements.

    `without_missing`: she knows that a part is not delivered; what comes later is booked as corrections.

    All or nothing: bills that become current meanwhile wait, or are noticed. Raises CannotClose.
    """
    with transaction.atomic():
        _lock_bills(period)
        locked = ChargebackPeriod.objects.select_for_update().get(pk=period.pk)
        check_can_close(locked, now.date())
        missing = " ".join(part.text for part in known_of_month(WholeCompany(), locked, now.date()).missing)
        if missing and not without_missing:
            raise PartMissing(f"{locked.month} is not whole. {missing} Confirm that you close it all the same.")
        by_month = month_fingerprints()
        if seen != period_fingerprint(locked, by_month):
            raise DraftOutdated(
                f"A bill, a split or a metric of {locked.month} changed since this draft was made. Look at it again."
            )
        write_statements(locked, now)
        _check_equation(locked)
        if month_fingerprints().get(locked.month) != by_month.get(locked.month):
            raise DraftOutdated(
                f"A new bill of {locked.month} came in while the month was being closed. Look at it again."
            )
        statements = list(locked.statements.select_related("period", "team").order_by("team_name", "currency", "pk"))
        for place, statement in enumerate(statements, 1):
            statement.number = f"{locked.month}-{place:04}"
        Statement.objects.bulk_update(statements, ["number"], batch_size=1000)
        locked.state, locked.closed_at, locked.closed_by = ChargebackPeriod.State.CLOSED, now, user
        if missing:
            locked.problems = [*locked.problems, f"Closed by {user} although it was not whole. {missing}"]
        locked.fingerprint = by_month.get(locked.month, NO_BILL)
        locked.save()
        # Leads get their statements, and the next month takes over where corrections are booked.
        task("tagging.tasks.post_statements").delay_on_commit()
        task("tagging.tasks.refresh_chargeback").delay_on_commit()
    period.refresh_from_db()
    return statements


def _lock_bills(period: ChargebackPeriod) -> None:
    """Makes bills wait: they become current and are withdrawn under the lock of their source, and are reallocated under
    that of their month.
    """
    list(Source.objects.select_for_update().order_by("pk").values_list("pk"))
    rows = DeliveryMonth.objects.current().filter(billing_month=period.billing_month)
    list(rows.select_for_update().order_by("pk").values_list("pk"))


def check_can_close(period: ChargebackPeriod, today: date) -> None:
    """Raises CannotClose unless the month is over, open, and next in order."""
    if period.is_closed:
        assert period.closed_at is not None
        when = moment_text(period.closed_at)
        raise AlreadyClosed(f"{period.month} was closed by {period.closed_by} on {when}. Nothing was done twice.")
    if today < period.month.next.start:
        raise CannotClose(f"{period.month} is not over: it can be closed from {period.month.next.start} on.")
    last = ChargebackPeriod.objects.closed().first()
    if last and period.month < last.month:
        raise CannotClose(
            f"Chargeback began with a later month: {last.month} is closed. What {period.month} costs stays a draft."
        )
    opened = open_period()
    if opened and opened.pk != period.pk:
        raise CannotClose(f"Close {opened.month} first: months are closed in order, so that corrections have a place.")


def _check_equation(period: ChargebackPeriod) -> None:
    totals = list(period.totals.all())
    if not totals:
        raise CannotClose(f"There is no bill of {period.month}: nothing to close.")
    for total in totals:
        parts = exact_sum([total.direct, total.shared, total.unallocated, total.unowned])
        if parts != total.bill:
            raise CannotClose(f"The parts of {period.month} do not make its bill in {total.currency}: {parts}.")

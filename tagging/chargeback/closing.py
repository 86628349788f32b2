"""Closing a month: statements are frozen, numbered and mailed, once, whoever else closes or restates meanwhile."""

from datetime import date, datetime

from django.db import transaction
from django.utils.translation import gettext as _

from costs.models import DeliveryMonth, Source
from finops_site.celery import task
from finops_site.lib.money import exact_sum
from finops_site.lib.periods import Month, day_text, moment_text
from finops_site.lib.person import WholeCompany
from finops_site.lib.words import some_of
from finops_site.models import User
from finops_site.ui.figures import month_text
from tagging.chargeback.disputes import entries_beyond
from tagging.chargeback.draft_statements import write_statements
from tagging.chargeback.periods import (
    NO_BILL,
    known_json,
    known_of_month,
    month_fingerprints,
    open_period,
    period_fingerprint,
    period_summary,
)
from tagging.chargeback.statement_figures import freeze_figures
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

    All that their documents show is frozen with them.

    `without_missing`: she knows that a part is not delivered; what comes later is booked as corrections.

    All or nothing: bills that become current meanwhile wait, or are noticed. Raises CannotClose.
    """
    with transaction.atomic():
        _lock_bills(period)
        locked = ChargebackPeriod.objects.select_for_update().get(pk=period.pk)
        check_can_close(locked, now.date())
        known = known_of_month(WholeCompany(), locked, now.date())
        missing = " ".join(part.text for part in known.missing)
        if missing and not without_missing:
            raise PartMissing(
                _("{month} is not whole. {missing} Confirm that you close it all the same.").format(
                    month=month_text(locked.month, "long"), missing=missing
                )
            )
        by_month = month_fingerprints()
        if seen != period_fingerprint(locked, by_month):
            raise DraftOutdated(
                _("A bill, a split or a metric of {month} changed since this draft was made. Look at it again.").format(
                    month=month_text(locked.month, "long")
                )
            )
        write_statements(locked, now)
        _check_equation(locked)
        _check_entries(locked)
        if month_fingerprints().get(locked.month) != by_month.get(locked.month):
            raise DraftOutdated(
                _("A new bill of {month} came in while the month was being closed. Look at it again.").format(
                    month=month_text(locked.month, "long")
                )
            )
        statements = list(locked.statements.select_related("period", "team").order_by("team_name", "currency", "pk"))
        for place, statement in enumerate(statements, 1):
            statement.number = f"{locked.month}-{place:04}"
        Statement.objects.bulk_update(statements, ["number"], batch_size=1000)
        locked.state, locked.closed_at, locked.closed_by = ChargebackPeriod.State.CLOSED, now, user
        if missing:
            locked.problems = [
                *locked.problems,
                _("Closed by {user} although it was not whole. {missing}").format(user=user, missing=missing),
            ]
        locked.fingerprint = by_month.get(locked.month, NO_BILL)
        # With who closed it, as she was called then.
        locked.known = {**known_json(known), "summary": period_summary(locked)}
        locked.save()
        for statement in statements:
            statement.period = locked
        freeze_figures(statements, user)
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
    """Raises CannotClose unless the month is over, a draft, and not after the one that is next in order."""
    name = month_text(period.month)
    if period.is_closed:
        assert period.closed_at is not None
        when = moment_text(period.closed_at)
        raise AlreadyClosed(
            _("{name} was closed by {closed_by} on {when}. Nothing was done twice.").format(
                name=name, closed_by=period.closed_by, when=when
            )
        )
    if today < period.month.next.start:
        raise CannotClose(
            _("{name} is not over: it can be closed from {start} on.").format(
                name=name, start=day_text(period.month.next.start)
            )
        )
    if period.is_set_aside:
        raise CannotClose(_("{name} is set aside: take it back first, then close it.").format(name=name))
    opened = open_period()
    # A month before the last closed one is not in its way: its corrections are booked in the open month, too.
    if opened and period.month > opened.month:
        first = month_text(opened.month)
        raise CannotClose(
            _("Close {first} first: months are closed in order, so that corrections have a place.").format(first=first)
        )


def check_can_set_aside(period: ChargebackPeriod, today: date) -> None:
    """Raises CannotClose unless the month is a draft, over, and not after a closed one."""
    name, last = month_text(period.month), ChargebackPeriod.objects.closed().first()
    if last and period.month > last.month:
        closed = month_text(last.month)
        raise CannotClose(
            _("{closed} is closed: the months after it are closed in order, not set aside.").format(closed=closed)
        )
    if today < period.month.next.start:
        raise CannotClose(
            _("{name} is not over: it can be set aside from {start} on.").format(
                name=name, start=day_text(period.month.next.start)
            )
        )
    if not period.is_draft:
        raise CannotClose(_("{name} is no draft any more: nothing was set aside.").format(name=name))


def set_aside(period: ChargebackPeriod, user: User, now: datetime, *, and_before: bool = False) -> list[Month]:
    """Sets a month aside that is not charged to anybody, `and_before` with every draft before it; returns the months.

    For months before chargeback began; it can be taken back. Raises CannotClose.
    """
    with transaction.atomic():
        locked = ChargebackPeriod.objects.select_for_update(of=("self",)).get(pk=period.pk)
        check_can_set_aside(locked, now.date())
        chosen = {"billing_month__lte": period.billing_month} if and_before else {"pk": period.pk}
        drafts = ChargebackPeriod.objects.draft().filter(**chosen).order_by("billing_month")
        rows = list(drafts.select_for_update(of=("self",)))
        for row in rows:
            row.state, row.set_aside_at, row.set_aside_by = ChargebackPeriod.State.ASIDE, now, user
            row.save(update_fields=["state", "set_aside_at", "set_aside_by"])
    period.refresh_from_db()
    return [row.month for row in rows]


def take_back(period: ChargebackPeriod) -> None:
    """Makes a month that was set aside a draft again. Raises CannotClose."""
    with transaction.atomic():
        locked = ChargebackPeriod.objects.select_for_update(of=("self",)).get(pk=period.pk)
        if not locked.is_set_aside:
            raise CannotClose(_("{month_text} is not set aside.").format(month_text=month_text(locked.month)))
        locked.state, locked.set_aside_at, locked.set_aside_by = ChargebackPeriod.State.DRAFT, None, None
        locked.save(update_fields=["state", "set_aside_at", "set_aside_by"])
        task("tagging.tasks.refresh_chargeback").delay_on_commit()
    period.refresh_from_db()


def _check_equation(period: ChargebackPeriod) -> None:
    totals = list(period.totals.all())
    if not totals:
        raise CannotClose(
            _("There is no bill of {month_text}: nothing to close.").format(month_text=month_text(period.month))
        )
    for total in totals:
        parts = exact_sum([total.direct, total.shared, total.unallocated, total.unowned])
        if parts != total.bill:
            name = month_text(period.month)
            raise CannotClose(
                _("The parts of {name} do not make its bill in {currency}: {parts}.").format(
                    name=name, currency=total.currency, parts=parts
                )
            )


def _check_entries(period: ChargebackPeriod) -> None:
    booked = [text for entry, text in entries_beyond(period) if entry.period_id == period.pk]
    if booked:
        raise CannotClose(
            _(
                "Correcting entries of {month} move more than is left of what was disputed: {booked}. Take "
                "them back on their disputes, and answer those again."
            ).format(month=period.month, booked=some_of(booked))
        )

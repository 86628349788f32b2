"""Recording invoices, explaining and signing them off: what pages, API, admin and commands all call."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from costs.calc.invoice_csv import InvoiceRow
from costs.calc.invoices import InvoiceState
from costs.invoices.comparison import compare
from costs.models import Invoice, InvoiceFile, Source
from finops_site.lib.money import exact_text
from finops_site.lib.words import some_of
from finops_site.models import User

# What an invoice that comes again may bring anew.
UPDATED = ("issuer", "total", "tax", "issued_on", "tolerance_amount", "tolerance_percent", "explanation")


class CannotSign(ValueError):
    """An invoice cannot be signed off or opened again; the message is for the person."""


class SignedAlready(ValueError):
    """An invoice that is signed off would change; the message is for the person."""


@dataclass(frozen=True, slots=True)
class UpsertResult:
    """How many invoices are new, changed, or were there with the same values."""

    new: int
    changed: int
    same: int

    def __str__(self) -> str:
        return _("{new} new, {changed} changed, {same} as before").format(
            new=self.new, changed=self.changed, same=self.same
        )


@transaction.atomic
def upsert_invoices(
    rows: Sequence[InvoiceRow], *, user: User | None, now: datetime, source: Source | None = None
) -> UpsertResult:
    """Writes invoices, each in the place of the one with its account, month, currency and id; all of them or none.

    What a row does not state stays as it is. Raises SignedAlready where a row would change an invoice that is signed.
    """
    months = {row.billing_month for row in rows}
    stored = {_key(row): row for row in Invoice.objects.select_for_update().filter(billing_month__in=months)}
    new, changed = [], []
    for row in rows:
        invoice = stored.get(row.key)
        if invoice is None:
            new.append(_new_invoice(row, user, now, source))
        elif changes := _update(invoice, row):
            changed.append((invoice, changes))
    if signed := [(str(invoice), ", ".join(changes)) for invoice, changes in changed if invoice.is_signed]:
        listed = some_of([f"{name} ({fields})" for name, fields in signed], between="; ")
        raise SignedAlready(
            _("Signed off already, open again before it changes: {listed}. Nothing was saved.").format(listed=listed)
        )
    Invoice.objects.bulk_create(new, batch_size=1000)
    Invoice.objects.bulk_update([invoice for invoice, _ignored in changed], UPDATED, batch_size=1000)
    return UpsertResult(len(new), len(changed), len(rows) - len(new) - len(changed))


def _key(invoice: Invoice) -> tuple[Any, ...]:
    return invoice.billing_account, invoice.billing_month, invoice.currency, invoice.invoice_id


def _new_invoice(row: InvoiceRow, user: User | None, now: datetime, source: Source | None) -> Invoice:
    stated = {name: value for name in UPDATED if (value := getattr(row, name)) is not None}
    return Invoice(
        billing_account=row.billing_account,
        billing_month=row.billing_month,
        currency=row.currency,
        invoice_id=row.invoice_id,
        received_by=user,
        received_at=now,
        source=source,
        **stated,
    )


def _update(invoice: Invoice, row: InvoiceRow) -> dict[str, tuple[str, str]]:
    """Sets what the row states otherwise; {field: (before, after)}."""
    changes = {}
    for name in UPDATED:
        before, after = getattr(invoice, name), getattr(row, name)
        if after is not None and after != before:
            setattr(invoice, name, after)
            changes[name] = (_text(before), _text(after))
    return changes


def _text(value: object) -> str:
    return (exact_text(value) or "") if isinstance(value, Decimal) else "" if value is None else str(value)


def save_invoice(invoice: Invoice, *, user: User, file: Any = None) -> Invoice:
    """Saves an invoice that somebody wrote down or corrected, with the file that she kept of it, if any."""
    with transaction.atomic():
        if invoice._state.adding:
            invoice.received_by = user
        invoice.save()
        if file:
            content = file.read()
            values = {"name": file.name[-200:], "content": content, "sha256": hashlib.sha256(content).hexdigest()}
            InvoiceFile.objects.update_or_create(invoice=invoice, defaults=values)
    return invoice


def sign_off(pk: int, *, user: User, explanation: str | None = None, now: datetime | None = None) -> Invoice:
    """Signs an invoice off as it stands to the books now; raises CannotSign.

    One that differs by more than its tolerance needs an explanation: the one it has, or `explanation`.
    """
    with transaction.atomic():
        invoice = Invoice.objects.select_for_update().get(pk=pk)
        if explanation is not None and explanation.strip():
            invoice.explanation = explanation.strip()
        comparison = compare([invoice])[pk]
        if comparison.state == InvoiceState.UNKNOWN or comparison.books is None:
            raise CannotSign(_("There is nothing to compare it with: {reason}").format(reason=comparison.reason))
        if invoice.is_signed and comparison.state != InvoiceState.CHANGED:
            raise CannotSign(_("{invoice} is signed off already.").format(invoice=invoice))
        if not comparison.is_within and not invoice.explanation.strip():
            raise CannotSign(_("It differs by more than its tolerance: explain the difference first."))
        invoice.signed_by, invoice.signed_at = user, now or timezone.now()
        invoice.signed_invoiced, invoice.signed_books = comparison.invoiced, comparison.books
        invoice.save()
    return invoice


def reopen(pk: int, *, user: User, now: datetime | None = None) -> Invoice:
    """Takes a signature back, so that the invoice is looked at again; raises CannotSign where it has none."""
    with transaction.atomic():
        invoice = Invoice.objects.select_for_update().get(pk=pk)
        if not invoice.is_signed:
            raise CannotSign(_("{invoice} is not signed off.").format(invoice=invoice))
        invoice.signed_by = invoice.signed_at = invoice.signed_invoiced = invoice.signed_books = None
        invoice.reopened_by, invoice.reopened_at = user, now or timezone.now()
        invoice.save()
    return invoice


def remove(pk: int) -> None:
    """Removes an invoice that was recorded by mistake; raises CannotSign where it is signed off."""
    with transaction.atomic():
        invoice = Invoice.objects.select_for_update().get(pk=pk)
        if invoice.is_signed:
            raise CannotSign(_("{invoice} is signed off: open it again before you remove it.").format(invoice=invoice))
        invoice.delete()

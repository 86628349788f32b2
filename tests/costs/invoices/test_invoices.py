"""Invoices beside bills that are loaded: what is compared, signed off, changed, and proven by the books."""

from dataclasses import replace
from datetime import date
from decimal import Decimal

import pytest
from django.core.management import call_command
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from costs.calc.invoice_csv import InvoiceRow
from costs.calc.invoices import InvoiceState
from costs.ingest.load import load_bill
from costs.ingest.receive import receive_bill
from costs.ingest.withdraw import withdraw_delivery
from costs.invoices import records
from costs.invoices.comparison import compare, incomplete_until, month_of_invoices, reconcile_invoices
from costs.invoices.explanation import explain_books
from costs.models import Invoice, InvoiceCost
from costs.reconciliation import reconcile
from finops_site.audit.context import as_person
from finops_site.lib.periods import Month
from finops_site.models import AuditEntry
from tests import bills
from tests.people import person

pytestmark = pytest.mark.django_db
ACCOUNT, MARCH = "111122223333", date(2026, 3, 1)
CHECK = "billed cost by invoice = the bill"


@pytest.fixture
def deliver(tmp_path):
    def bill(*rows, source="northwind", name="march.csv", **defaults):
        path = bills.write(tmp_path, name, bills.focus_csv(rows, **defaults))
        (received,) = receive_bill(source, [path], is_accepted=True)
        delivery = load_bill(received.delivery)
        assert delivery.status == "current", delivery.message
        return delivery

    return bill


def record(total, invoice_id="", **values):
    row = {"billing_account": ACCOUNT, "billing_month": MARCH, "currency": "USD", **values}
    return Invoice.objects.create(total=Decimal(total), invoice_id=invoice_id, **row)


def state_of(invoice):
    return compare([invoice])[invoice.pk].state


def test_sums_by_invoice_are_kept_as_a_bill_is_loaded(deliver):
    deliver(
        {"BilledCost": "1.5", "InvoiceId": "A", "InvoiceIssuerName": "AWS EMEA SARL"},
        {"BilledCost": "0.000000000000000001", "InvoiceId": "A", "ChargeCategory": "Tax"},
        {"BilledCost": "7", "InvoiceId": "", "ChargePeriodStart": "2026-03-30T00:00:00Z"},
        {"BilledCost": "3", "InvoiceId": "A", "BillingCurrency": "EUR"},
    )
    rows = InvoiceCost.objects.order_by("currency", "invoice_id")
    assert list(rows.values_list("currency", "invoice_id", "billed_cost", "tax", "charges", "last_day")) == [
        ("EUR", "A", Decimal(3), None, 1, date(2026, 3, 5)),
        ("USD", "", Decimal(7), None, 1, date(2026, 3, 30)),
        ("USD", "A", Decimal("1.500000000000000001"), Decimal("1E-18"), 2, date(2026, 3, 5)),
    ]
    assert rows.get(currency="USD", invoice_id="A").issuer == "AWS EMEA SARL"


def test_the_books_prove_the_sums_by_invoice_and_notice_one_that_is_wrong(deliver):
    deliver({"BilledCost": "1.5", "InvoiceId": "A"}, {"BilledCost": "2", "InvoiceId": "B"})
    (check,) = [check for check in reconcile() if check.invariant == CHECK]
    assert check.holds
    assert "3.5" in check.left
    InvoiceCost.objects.filter(invoice_id="B").update(billed_cost=3)
    (check,) = [check for check in reconcile() if check.invariant == CHECK]
    assert not check.holds


def test_sums_of_a_bill_that_was_replaced_are_gone(deliver):
    deliver({"BilledCost": "1", "InvoiceId": "A"})
    deliver({"BilledCost": "2", "InvoiceId": "B"})
    assert list(InvoiceCost.objects.values_list("invoice_id", "billed_cost")) == [("B", Decimal(2))]


def test_rebuilding_rollups_reads_the_invoices_of_months_that_were_loaded_before(deliver, capsys):
    deliver({"BilledCost": "1", "InvoiceId": "A"})
    InvoiceCost.objects.update(invoice_id="")
    call_command("rebuild_rollups", "--json")
    assert InvoiceCost.objects.get().invoice_id == "A"


def test_invoices_are_compared_by_id_and_the_rest_has_no_invoice(deliver):
    deliver({"BilledCost": "10", "InvoiceId": "A"}, {"BilledCost": "4", "InvoiceId": "B"})
    invoice = record("10.01", "A")
    result = reconcile_invoices(Invoice.objects.all())
    assert result.comparisons[invoice.pk].difference == Decimal("0.01")
    assert result.count(InvoiceState.AGREES) == 1
    assert [(cost.invoice_id, cost.billed_cost) for cost in result.not_invoiced] == [("B", Decimal(4))]


def test_several_sources_of_an_account_are_one_sum(deliver):
    deliver({"BilledCost": "10"})
    deliver({"BilledCost": "5", "ChargeCategory": "Tax"}, source="northwind tax", name="tax.csv")
    assert compare([invoice := record("15")])[invoice.pk].books == Decimal(15)


def test_a_month_without_a_bill_is_unknown(deliver):
    assert state_of(record("15")) == InvoiceState.UNKNOWN
    deliver({"BilledCost": "15"})
    assert state_of(Invoice.objects.get()) == InvoiceState.AGREES


def test_a_bill_that_ends_before_its_month_is_named(deliver):
    deliver({"BilledCost": "15", "ChargePeriodStart": "2026-03-28T00:00:00Z"})
    comparison = compare([invoice := record("15")])[invoice.pk]
    assert incomplete_until(comparison, MARCH) == date(2026, 3, 28)


def test_fay_signs_off_what_agrees_and_a_later_bill_shows_as_changed(deliver):
    delivery = deliver({"BilledCost": "15"})
    fay, invoice = person("fay"), record("15")
    signed = records.sign_off(invoice.pk, user=fay)
    assert (signed.signed_by, signed.signed_books, signed.signed_invoiced) == (fay, Decimal(15), Decimal(15))
    assert state_of(signed) == InvoiceState.AGREES
    with pytest.raises(records.CannotSign, match="signed off already"):
        records.sign_off(invoice.pk, user=fay)
    newer = deliver({"BilledCost": "15.01"})
    assert delivery.pk != newer.pk
    assert state_of(Invoice.objects.get()) == InvoiceState.CHANGED
    # Within the tolerance, and signed anew with what is there now.
    assert records.sign_off(invoice.pk, user=fay).signed_books == Decimal("15.01")
    assert state_of(Invoice.objects.get()) == InvoiceState.AGREES


def test_a_bill_that_is_withdrawn_after_the_signature_is_a_change_and_cannot_be_signed(deliver):
    delivery, fay, invoice = deliver({"BilledCost": "15"}), person("fay"), record("15")
    records.sign_off(invoice.pk, user=fay)
    withdraw_delivery(delivery)
    assert state_of(Invoice.objects.get()) == InvoiceState.CHANGED
    with pytest.raises(records.CannotSign, match="nothing to compare it with"):
        records.sign_off(invoice.pk, user=fay)
    reopened = records.reopen(invoice.pk, user=fay)
    assert (reopened.signed_at, reopened.reopened_by, state_of(reopened)) == (None, fay, InvoiceState.UNKNOWN)
    with pytest.raises(records.CannotSign, match="is not signed off"):
        records.reopen(invoice.pk, user=fay)


def test_what_differs_is_explained_before_it_is_signed_off(deliver):
    deliver({"BilledCost": "15"})
    fay, invoice = person("fay"), record("16")
    with pytest.raises(records.CannotSign, match="explain the difference first"):
        records.sign_off(invoice.pk, user=fay, explanation="  ")
    signed = records.sign_off(invoice.pk, user=fay, explanation="A credit that comes in April.")
    assert (signed.explanation, state_of(signed)) == ("A credit that comes in April.", InvoiceState.EXPLAINED)
    with pytest.raises(records.CannotSign, match="open it again"):
        records.remove(invoice.pk)


def test_an_invoice_that_comes_again_changes_the_one_that_is_there_and_is_in_the_audit_log():
    fay, now = person("fay"), timezone.now()
    row = InvoiceRow(ACCOUNT, MARCH, "USD", Decimal("15"), "A", issuer="AWS")
    corrected = InvoiceRow(ACCOUNT, MARCH, "USD", Decimal("16"), "A")
    with as_person(fay):
        assert str(records.upsert_invoices([row], user=fay, now=now)) == "1 new, 0 changed, 0 as before"
        assert str(records.upsert_invoices([row], user=fay, now=now)) == "0 new, 0 changed, 1 as before"
        assert str(records.upsert_invoices([corrected], user=fay, now=now)) == "0 new, 1 changed, 0 as before"
    invoice = Invoice.objects.get()
    assert (invoice.total, invoice.issuer, invoice.received_by) == (Decimal(16), "AWS", fay)
    made, changed = AuditEntry.objects.about(invoice).order_by("pk")
    assert (made.actor, made.changes["total"], made.changes["currency"]) == (fay, [None, "15"], [None, "USD"])
    assert (changed.actor, changed.changes) == (fay, {"total": ["15", "16"]})


def test_an_invoice_that_is_signed_is_opened_again_before_new_values_come(deliver):
    deliver({"BilledCost": "15"})
    fay, invoice, now = person("fay"), record("15"), timezone.now()
    records.sign_off(invoice.pk, user=fay)
    same = InvoiceRow(invoice.billing_account, invoice.billing_month, "USD", Decimal("15"), invoice.invoice_id)
    other = replace(same, total=Decimal("16"))
    assert records.upsert_invoices([same], user=fay, now=now).same == 1
    another = replace(same, invoice_id="new")
    with pytest.raises(records.SignedAlready, match=r"open again before it changes: .*total"):
        records.upsert_invoices([another, other], user=fay, now=now)
    assert [(row.total, row.is_signed) for row in Invoice.objects.all()] == [(Decimal(15), True)]
    records.reopen(invoice.pk, user=fay)
    assert records.upsert_invoices([other], user=fay, now=now).changed == 1


def test_the_queries_are_the_same_however_many_invoices_there_are(deliver):
    deliver({"BilledCost": "15"})
    record("15")
    with CaptureQueriesContext(connection) as few:
        reconcile_invoices(Invoice.objects.all())
    for number in range(30):
        record("1", f"I-{number}")
    with CaptureQueriesContext(connection) as many:
        reconcile_invoices(Invoice.objects.all())
    assert len(many) == len(few) == 3


def breakdown_of(invoice):
    books = explain_books(invoice, compare([invoice])[invoice.pk])
    return {
        part.name: [(row.value, row.billed_cost, row.is_the_difference) for row in part.rows]
        for part in books.breakdowns
    }


def test_a_difference_is_broken_down_and_what_equals_it_is_marked(deliver):
    deliver(
        {"BilledCost": "15", "ServiceName": "EC2"},
        {"BilledCost": "2.85", "ServiceName": "Tax", "ChargeCategory": "Tax", "SubAccountId": "000000000043"},
    )
    parts = breakdown_of(record("15"))
    assert parts["service"] == [("EC2", Decimal(15), False), ("Tax", Decimal("2.85"), True)]
    assert parts["charge_category"] == [("Usage", Decimal(15), False), ("Tax", Decimal("2.85"), True)]
    assert [value for value, _, _ in parts["account"]] == ["000000000042", "000000000043"]


def test_the_books_of_one_of_several_invoices_come_from_the_charges_that_name_it(deliver):
    deliver(
        {"BilledCost": "15", "ServiceName": "EC2", "InvoiceId": "A"},
        {"BilledCost": "1", "ServiceName": "S3", "InvoiceId": "A"},
        {"BilledCost": "99", "ServiceName": "Marketplace", "InvoiceId": "B"},
    )
    parts = breakdown_of(record("20", "A"))
    assert parts["service"] == [("EC2", Decimal(15), False), ("S3", Decimal(1), False)]


def test_a_month_is_summed_up_in_a_sentence(deliver):
    month = Month.parse("2026-03")
    assert month_of_invoices(month).total == 0
    deliver({"BilledCost": "15"})
    record("15")
    record("9", billing_account="unknown")
    text = "1 of 2 invoices agree with the bills or are explained; the bill of 1 is not delivered."
    assert str(month_of_invoices(month)) == text

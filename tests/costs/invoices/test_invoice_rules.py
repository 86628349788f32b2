"""What an invoice is compared with, and how it stands to the books."""

from dataclasses import replace
from datetime import date
from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from costs.calc.invoices import (
    AccountMonth,
    Basis,
    InvoicedCost,
    InvoiceFigures,
    InvoiceState,
    SignedFigures,
    Tolerance,
    compare_invoices,
    rounding_tolerance,
)
from finops_site.lib.money import EXACT, exact_sum

MARCH = AccountMonth("111122223333", date(2026, 3, 1), "USD")
CENTS = Tolerance(Decimal("0.05"))


def invoice(total, invoice_id="", key=1, **values):
    base = InvoiceFigures(key, MARCH, invoice_id, Decimal(total), None, CENTS)
    return replace(base, **values)


def cost(billed, invoice_id="", **values):
    amount = None if billed is None else Decimal(billed)
    return replace(InvoicedCost(MARCH, invoice_id, amount, last_day=date(2026, 3, 31)), **values)


def only(invoices, costs):
    comparisons, rest = compare_invoices(invoices, costs)
    (comparison,) = comparisons.values()
    return comparison, rest


def test_an_invoice_without_an_id_is_compared_with_all_of_its_account_to_the_last_digit():
    comparison, rest = only([invoice("100")], [cost("99.000000000000000001", "A"), cost("0.97", "")])
    assert comparison.books == Decimal("99.970000000000000001")
    assert comparison.difference == Decimal("0.029999999999999999")
    assert (comparison.state, comparison.basis, rest) == (InvoiceState.AGREES, Basis.ACCOUNT, [])


def test_an_invoice_whose_id_charges_name_is_compared_with_those_alone():
    comparison, rest = only([invoice("100", "A")], [cost("99", "A"), cost("7", "B"), cost("0", "C")])
    assert (comparison.books, comparison.difference) == (Decimal(99), Decimal(1))
    assert (comparison.state, comparison.basis) == (InvoiceState.DIFFERS, Basis.INVOICE_ID)
    # What is left and costs something has no invoice; what costs nothing needs none.
    assert [(row.invoice_id, row.billed_cost) for row in rest] == [("B", Decimal(7))]


def test_where_the_bill_names_no_invoice_those_of_an_account_are_compared_together():
    invoices = [invoice("60", "A", key=1), invoice("40", "B", key=2)]
    comparisons, rest = compare_invoices(invoices, [cost("100")])
    assert {key: (c.invoiced, c.books, c.state) for key, c in comparisons.items()} == {
        1: (Decimal(100), Decimal(100), InvoiceState.AGREES),
        2: (Decimal(100), Decimal(100), InvoiceState.AGREES),
    }
    assert comparisons[1].together == (1, 2)
    assert rest == []


def test_what_other_invoices_name_is_left_out_of_one_without_an_id():
    invoices = [invoice("60", "A", key=1), invoice("41", key=2)]
    comparisons, _ = compare_invoices(invoices, [cost("60", "A"), cost("40", "B")])
    assert comparisons[2].books == Decimal(40)
    assert not comparisons[2].is_all_of_account


def test_a_bill_that_is_not_delivered_is_unknown_and_never_zero():
    comparison, _ = only([invoice("100")], [])
    assert (comparison.state, comparison.books, comparison.difference) == (InvoiceState.UNKNOWN, None, None)
    assert "is delivered" in comparison.reason


def test_an_id_that_no_charge_names_is_unknown_where_the_bill_names_others():
    comparison, rest = only([invoice("100", "Z")], [cost("100", "A")])
    assert comparison.state == InvoiceState.UNKNOWN
    assert "no charge names this invoice: it names A" in comparison.reason
    assert [row.invoice_id for row in rest] == ["A"]


def test_an_amortised_view_alone_says_nothing_of_an_invoice():
    comparison, _ = only([invoice("100")], [cost(None)])
    assert comparison.state == InvoiceState.UNKNOWN
    assert "amortised view" in comparison.reason


def test_an_invoices_tax_is_left_out_where_the_bill_has_none():
    without, _ = only([invoice("119", tax=Decimal(19))], [cost("100")])
    assert (without.invoiced, without.untaxed, without.state) == (Decimal(100), Decimal(19), InvoiceState.AGREES)
    with_tax, _ = only([invoice("119", tax=Decimal(19))], [cost("119", tax=Decimal(19))])
    assert (with_tax.invoiced, with_tax.untaxed) == (Decimal(119), None)


def test_the_larger_of_both_tolerances_counts():
    wide = Tolerance(Decimal("0.05"), Decimal(1))
    assert only([invoice("100", tolerance=wide)], [cost("99")])[0].state == InvoiceState.AGREES
    assert only([invoice("100", tolerance=wide)], [cost("98.99")])[0].state == InvoiceState.DIFFERS
    assert only([invoice("-100", tolerance=wide)], [cost("-99")])[0].state == InvoiceState.AGREES
    assert only([invoice("1", tolerance=wide)], [cost("1.05")])[0].state == InvoiceState.AGREES


def test_a_tolerance_of_roundings_follows_the_currency():
    amounts = [rounding_tolerance(5, currency) for currency in ("USD", "JPY", "KWD")]
    assert amounts == [Decimal("0.05"), Decimal(5), Decimal("0.005")]


def test_a_difference_that_is_explained_is_told_apart():
    assert only([invoice("100", is_explained=True)], [cost("90")])[0].state == InvoiceState.EXPLAINED


def test_books_that_changed_since_the_signature_are_shown_even_where_they_agree_now():
    signed = SignedFigures(Decimal(100), Decimal(90))
    assert only([invoice("100", signed=signed)], [cost("100")])[0].state == InvoiceState.CHANGED
    assert only([invoice("100", signed=signed)], [])[0].state == InvoiceState.CHANGED
    assert only([invoice("101", signed=signed)], [cost("90")])[0].state == InvoiceState.CHANGED
    assert only([invoice("100", signed=signed, is_explained=True)], [cost("90")])[0].state == InvoiceState.EXPLAINED


def test_accounts_months_and_currencies_are_never_mixed():
    euros = MARCH._replace(currency="EUR")
    april = MARCH._replace(billing_month=date(2026, 4, 1))
    costs = [cost("1", account=euros), cost("2", account=april), cost("3", account=MARCH._replace(billing_account="9"))]
    comparison, rest = only([invoice("6")], costs)
    assert comparison.state == InvoiceState.UNKNOWN
    assert len(rest) == 3


amounts = st.decimals(-1000, 1000, places=6)
ids = st.sampled_from(["", "A", "B", "C"])


@given(st.dictionaries(ids, amounts), st.dictionaries(ids, amounts))
def test_every_cost_is_in_the_books_of_one_comparison_or_named_by_no_invoice(totals, billed):
    invoices = [invoice(total, name, key=key) for key, (name, total) in enumerate(totals.items())]
    comparisons, rest = compare_invoices(invoices, [cost(amount, name) for name, amount in billed.items()])
    # Invoices that are compared together have the same books: they count once.
    compared = {comparison.together: comparison.books for comparison in comparisons.values() if comparison.books}
    split_up = exact_sum([*compared.values(), *(row.billed_cost for row in rest)])
    assert split_up == exact_sum(billed.values())
    for comparison in comparisons.values():
        if comparison.books is not None:
            assert EXACT.add(comparison.books, comparison.difference) == comparison.invoiced

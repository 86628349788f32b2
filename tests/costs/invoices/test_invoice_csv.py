"""Invoices out of a CSV: read to the last digit, or refused with line, column and reason."""

from datetime import date
from decimal import Decimal

import pytest

from costs.calc.invoice_csv import COLUMNS, decimal_marks, decode_csv, read_invoices, template_rows
from finops_site.ui.table_export import csv_text

HEAD = "billing_account,billing_month,currency,total"


def problems(text, **options):
    return [(p.line, p.column, p.reason) for p in read_invoices(text, **options).problems]


def totals(text, **options):
    read = read_invoices(text, **options)
    assert not read.problems, read.problems
    return [row.total for row in read.rows]


def test_the_template_can_be_uploaded_as_it_is():
    read = read_invoices("".join(csv_text(template_rows())))
    (row,) = read.rows
    assert (row.billing_account, row.billing_month, row.total) == ("111122223333", date(2026, 3, 1), Decimal("1234.56"))
    assert (row.tax, row.issued_on, read.ignored) == (None, date(2026, 4, 2), [])
    assert len(COLUMNS) == 8


def test_every_digit_and_sign_is_read():
    rows = "a,2026-03,usd,174.025\nb,2026-03-01,USD,-0.000000000000000001\nc,2026-03,USD,(12.50)\n"
    assert totals(f"{HEAD}\n{rows}") == [Decimal("174.025"), Decimal("-1E-18"), Decimal("-12.50")]


def test_decimal_commas_are_seen_by_the_column():
    head = HEAD.replace(",", ";")
    assert totals(f"{head}\na;2026-03;EUR;174,025\nb;2026-03;EUR;1.234,5\n") == [Decimal("174.025"), Decimal("1234.5")]
    assert totals(f"{head}\na;2026-03;EUR;1.234\nb;2026-03;EUR;0,5\n") == [Decimal("1234"), Decimal("0.5")]


def test_a_number_that_may_be_two_is_refused_unless_the_mark_is_given():
    text = f"{HEAD.replace(',', ';')}\na;2026-03;EUR;174.025\n"
    assert problems(text) == [(2, "total", "'174.025' may have three decimals or thousands: choose the decimal mark.")]
    assert totals(text, decimal_mark=".") == [Decimal("174.025")]
    assert totals(text, decimal_mark=",") == [Decimal("174025")]
    quoted = f'{HEAD}\na,2026-03,USD,"174,025"\n'
    assert "choose the decimal mark" in problems(quoted)[0][2]


def test_a_column_that_contradicts_itself_is_refused():
    ((line, column, reason),) = problems(f'{HEAD}\na,2026-03,USD,1.5\nb,2026-03,USD,"1,5"\n')
    assert (line, column) == (3, "total")
    assert "another decimal mark" in reason
    assert "the decimal mark is ','" in problems(f"{HEAD}\na,2026-03,USD,1.5\n", decimal_mark=",")[0][2]


@pytest.mark.parametrize(
    ("text", "marks"),
    [("1234.567", "."), ("0.125", "."), ("1,234,567", "."), ("1.234.567", ","), ("12,5", ","), ("1'234.50", ".")],
)
def test_what_shows_the_decimal_mark(text, marks):
    assert decimal_marks(text) == set(marks)


@pytest.mark.parametrize(
    ("row", "column", "reason"),
    [
        ("a,March,USD,1", "billing_month", "'March' is no month"),
        ("a,2026-13,USD,1", "billing_month", "is no month"),
        ("a,2026-03-15,USD,1", "billing_month", "is no month"),
        ("a,2026-03,$,1", "currency", "is no currency"),
        ("a,2026-03,USD,", "total", "There is nothing here."),
        ("a,2026-03,USD,12 USD", "total", "is not an amount"),
        ("a,2026-03,USD,0.0000000000000000001", "total", "more than 18 decimals"),
        ("a,2026-03,USD,99999999999999999999", "total", "more than all the money there is"),
        ("1.11122E+11,2026-03,USD,1", "billing_account", "A spreadsheet has rounded this number"),
        (f"{'a' * 201},2026-03,USD,1", "billing_account", "200 at most"),
    ],
)
def test_a_cell_that_cannot_be_read_is_named(row, column, reason):
    ((line, named, text),) = problems(f"{HEAD}\nb,2026-03,USD,5\n{row}\n")
    assert (line, named) == (3, column)
    assert reason in text


def test_a_header_without_a_needed_column_and_an_empty_file_are_refused():
    assert problems("billing_account,currency,total\na,USD,1\n")[0][:2] == (1, "billing_month")
    assert len(problems("")) == 4
    assert problems(f"{HEAD}\n") == [(2, "", "The file has a header and no invoices.")]
    assert problems("total," + HEAD + "\n1,a,2026-03,USD,1\n")[0][2] == "The header names this column twice."


def test_the_same_invoice_twice_is_refused():
    ((line, column, reason),) = problems(f"{HEAD}\na,2026-03,USD,5\nb,2026-03,USD,5\na,2026-03,USD,6\n")
    assert (line, column) == (4, "invoice_id")
    assert "line 2" in reason


def test_columns_that_nobody_knows_are_named():
    assert read_invoices(f"{HEAD},Paid by\na,2026-03,USD,5,card\n").ignored == ["Paid by"]


def test_the_numbers_of_lines_are_those_of_the_file():
    assert problems(f'{HEAD}\n\n"a\nb",2026-03,USD,5\na,x,USD,1\n')[0][:2] == (5, "billing_month")


def test_a_file_of_excel_in_utf_16_is_text_and_a_picture_is_not():
    assert decode_csv("total\n1\n".encode("utf-16")) == "total\n1\n"
    with pytest.raises(ValueError, match="not UTF-8"):
        decode_csv(b"\x89PNG\r\n")

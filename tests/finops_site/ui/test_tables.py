"""Columns of money, sums under a table, and its CSV."""

import csv
import io
from datetime import date
from decimal import Decimal

import django_tables2
import pytest
from django.test import RequestFactory
from django.urls import get_resolver
from django.utils.html import format_html

from finops_site.ui.downloads import csv_download
from finops_site.ui.table_export import export_rows, safe_cell
from finops_site.ui.tables import (
    BaseTable,
    ChangeColumn,
    DayColumn,
    MoneyColumn,
    MonthColumn,
    NumberColumn,
    PercentColumn,
    StatusColumn,
    TagColumn,
    total_rows,
)


class Costs(BaseTable):
    service = django_tables2.Column()
    month = MonthColumn()
    day = DayColumn()
    tags = TagColumn(limit=1)
    status = StatusColumn(states={"current": ("Current", "good", "circle-check")})
    share = PercentColumn()
    change = ChangeColumn(before="before")
    cost = MoneyColumn()
    charges = NumberColumn()


def row(**changes: object) -> dict[str, object]:
    return {
        "service": "EC2",
        "month": date(2025, 11, 1),
        "day": date(2025, 11, 30),
        "tags": {"Owner": "payments", "Environment": "<script>"},
        "status": "current",
        "share": Decimal("0.5"),
        "change": Decimal("-2.5"),
        "before": Decimal("10"),
        "cost": Decimal("1234.567890123456789"),
        "currency": "USD",
        "charges": 84000,
        **changes,
    }


def html(*rows: dict[str, object], **options: object) -> str:
    return Costs(rows, **options).as_html(RequestFactory().get("/"))


def exported(*rows: dict[str, object], table: type[BaseTable] = Costs) -> list[list[str]]:
    response = csv_download(export_rows(table(rows)), "Cost lines: November")
    text = b"".join(response.streaming_content).decode("utf-8-sig")
    return list(csv.reader(io.StringIO(text)))


def test_a_row_reads_as_people_say_it():
    page = html(row())
    for text in ("1,234.57 ", "Nov 2025", "30 Nov 2025", "50.0%", "-2.50 ", "(-25.0%)", "Current", "84,000"):
        assert text in page
    assert "+1 more" in page


def test_tags_cannot_bring_markup():
    page = html(row(service="<img src=x>"))
    assert "<script>" not in page
    assert "<img" not in page


def test_an_amount_that_is_not_in_the_bill_is_a_dash():
    assert 'title="not in the bill"' in html(row(cost=None))


def test_an_amount_of_a_row_without_currency_raises():
    with pytest.raises(ValueError, match="without its currency"):
        html(row(currency=""))


def test_every_cell_carries_its_column_for_the_cards_of_a_phone():
    assert 'data-label="Cost"' in html(row())


def test_sums_stand_under_their_columns_one_row_for_each_currency():
    sums = {"USD": {"cost": Decimal("10")}, "EUR": {"cost": Decimal("7.5")}}
    page = html(row(), totals=total_rows(sums))
    foot = page[page.index("<tfoot>") :]
    assert foot.index("Total EUR") < foot.index("7.50 ") < foot.index("Total USD") < foot.index("10.00 ")


def test_one_currency_needs_no_name_in_the_total():
    assert total_rows({"USD": {"cost": Decimal(1)}}) == [{"label": "Total", "currency": "USD", "cost": Decimal(1)}]


def test_the_csv_has_every_digit_and_the_currency():
    head, line = exported(row())
    cells = dict(zip(head, line, strict=True))
    assert cells["Cost"] == "1234.567890123456789"
    assert cells["Currency"] == "USD"
    assert cells["Month"] == "2025-11"
    assert cells["Share"] == "0.5"
    assert cells["Change"] == "-2.5"
    assert cells["Charges"] == "84000"
    assert cells["Tags"] == '{"Environment": "<script>", "Owner": "payments"}'


def test_the_currency_is_exported_once_when_the_table_has_its_column():
    class WithCurrency(Costs):
        currency = django_tables2.Column(visible=False)

    head, _line = exported(row(), table=WithCurrency)
    assert head.count("Currency") == 1


def test_absent_amounts_are_empty_cells():
    head, line = exported(row(cost=None))
    assert dict(zip(head, line, strict=True))["Cost"] == ""


def test_a_formula_in_a_bill_is_no_formula_in_the_csv():
    _head, line = exported(row(service='=cmd()|" /C calc"!A0', change=Decimal("-7")))
    assert line[0].startswith("'=cmd()")
    assert "-7" in line


@pytest.mark.parametrize(
    "text", ["=1+1", "+1-2", "-1+1", "@SUM(A1)", "\t=1", "\r=1", "\n=1", "-", "+", "＝1", "-1\n=2", "-1 USD"]
)
def test_cells_that_a_spreadsheet_would_run_are_defused(text):
    assert safe_cell(text) == "'" + text


@pytest.mark.parametrize("text", ["-12.5", "+3", "-0", "12", "a=b", "", " =1"])
def test_plain_numbers_and_words_stay_as_they_are(text):
    assert safe_cell(text) == text


def test_numbers_stay_numbers():
    assert safe_cell(Decimal("-1E-18")) == "-0.000000000000000001"
    assert safe_cell(-5) == "-5"
    assert safe_cell(None) == ""


def test_a_header_is_defused_too():
    class TagTable(BaseTable):
        tag = django_tables2.Column(verbose_name="=HYPERLINK()")

    assert exported({"tag": "x"}, table=TagTable)[0] == ["'=HYPERLINK()"]


def test_a_nul_does_not_reach_the_csv():
    assert safe_cell("a\0b") == "ab"


def test_the_file_name_is_plain():
    response = csv_download(export_rows(Costs([])), 'x"; evil\r\nSet-Cookie: a=b')
    assert response["Content-Disposition"] == 'attachment; filename="x-evil-set-cookie-ab.csv"'


def test_a_file_has_the_value_of_a_cell_and_no_markup():
    class LinkTable(BaseTable):
        name = django_tables2.Column()
        month = MonthColumn()
        answers = django_tables2.Column(accessor="pk")

        def render_name(self, value):
            return format_html('<a href="/{}/"><span>{}</span></a><span>more</span>', value, value[:3])

        def render_month(self, value):
            return format_html('<a href="/">{}</a>', value)

        def render_answers(self, value):
            return format_html("<b>{}</b><b>{}</b>", "R&D", "none")

    _head, line = exported({"name": "<i>Support</i>", "month": date(2026, 3, 1), "pk": 7}, table=LinkTable)
    assert line == ["<i>Support</i>", "2026-03", "R&D none"]


def every_table(base=BaseTable):
    for table in base.__subclasses__():
        yield table
        yield from every_table(table)


def test_what_a_table_writes_into_files_is_never_meant_for_pages():
    assert get_resolver().url_patterns  # With the pages, their tables are imported.
    tables = [table for table in every_table() if not table.__module__.startswith("tests.")]
    assert len(tables) > 50
    writers = [getattr(table, name) for table in tables for name in dir(table) if name.startswith("value_")]
    assert [writer.__qualname__ for writer in writers if "Safe" in str(writer.__annotations__["return"])] == []

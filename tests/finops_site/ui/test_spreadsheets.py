"""Workbooks: numbers that are numbers, digits that are not lost, and text that does not run."""

import gc
import io
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path

import pytest
from django_tables2 import Column
from openpyxl import load_workbook

from finops_site.lib.periods import Month
from finops_site.ui import spreadsheets
from finops_site.ui.downloads import xlsx_download
from finops_site.ui.table_export import export_rows
from finops_site.ui.tables import BaseTable, MoneyColumn


def opened(*rows, **more):
    return load_workbook(io.BytesIO(spreadsheets.xlsx(rows, **more))).active


def test_amounts_are_numbers_with_all_their_digits_shown_and_the_head_stays_in_sight():
    sheet = opened(["Team", "Spend", "Currency"], ["Payments", Decimal("-1234.5678"), "USD"])
    assert [cell.value for cell in sheet[2]] == ["Payments", -1234.5678, "USD"]
    assert sheet["B2"].number_format == "#,##0.0000"
    assert sheet.freeze_panes == "A2"


def test_an_amount_that_a_spreadsheet_would_round_is_text():
    sheet = opened(["Spend"], [Decimal("1234567890.1234567891")], [Decimal("123456789012345")])
    assert sheet["A2"].value == "1234567890.1234567891"
    assert sheet["A3"].value == 123456789012345


@pytest.mark.parametrize("text", ["=1+1", "+cmd|x", "@SUM(A1)", '=HYPERLINK("http://evil")'])
def test_nothing_in_a_cell_runs(text):
    sheet = opened([text], [text])
    assert [(row[0].data_type, row[0].value) for row in sheet.rows] == [("s", f"'{text}")] * 2


def test_what_no_sheet_may_hold_is_left_out():
    sheet = opened(["a"], ["b\x00\x0bc"], [None], [date(2026, 3, 1)], [Month(2026, 3)], title="a/b:[c]*" * 9)
    assert [row[0].value for row in sheet.rows][1] == "bc"
    assert len(sheet.title) <= 31


def memory(name):
    """A line of /proc/self/status in bytes: VmRSS is what is in use, VmHWM its peak."""
    (line,) = [line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith(f"{name}:")]
    return int(line.split()[1]) * 1024


@pytest.fixture
def garbage_is_looked_for_as_on_a_server():
    """The run of tests looks for it less often (tests/conftest.py)."""
    usual = gc.get_threshold()
    gc.set_threshold(700, 10, 10)
    # What thousands of tests left is a reason to put the last generation off: a server has less.
    gc.collect()
    gc.freeze()
    yield
    gc.unfreeze()
    gc.set_threshold(*usual)


@pytest.mark.slow
def test_the_memory_for_many_rows_is_that_for_few(garbage_is_looked_for_as_on_a_server):
    rows = ([f"resource {number}", Decimal(number) / 8, "USD"] for number in range(200_000))
    Path("/proc/self/clear_refs").write_text("5")
    before = memory("VmRSS")
    content = spreadsheets.xlsx(rows)
    more = memory("VmHWM") - before - 2 * len(content)
    assert more < 16_000_000, f"{more:,} bytes beside the file itself, which is the answer"


def test_days_moments_and_whole_numbers_are_what_they_are():
    sheet = opened(["Day", "At", "Rows", "Yes"], [date(2026, 3, 1), datetime(2026, 3, 1, 4, 5, tzinfo=UTC), 7, True])
    assert [cell.value for cell in sheet[2]] == [datetime(2026, 3, 1), datetime(2026, 3, 1, 4, 5), 7, True]
    assert sheet["A2"].number_format == "yyyy-mm-dd"
    assert sheet["A1"].font.bold
    assert not sheet["A2"].font.bold
    assert opened(["id"], [1234567890123456])["A2"].value == "1234567890123456"


def test_more_rows_than_a_sheet_holds_are_refused_in_words(monkeypatch):
    monkeypatch.setattr(spreadsheets, "MOST_ROWS", 2)
    with pytest.raises(spreadsheets.TooManyRows, match="export it as CSV"):
        opened(["a"], ["b"], ["c"])


class Accounts(BaseTable):
    account = Column()
    spend = MoneyColumn()


def test_money_of_a_table_is_a_number_and_an_account_number_stays_text():
    table = Accounts([{"account": "012345678901", "spend": Decimal("12.50"), "currency": "USD"}])
    answer = xlsx_download(export_rows(table), "accounts")
    row = load_workbook(io.BytesIO(answer.content)).active[2]
    assert [cell.value for cell in row] == ["012345678901", 12.5, "USD"]


def test_a_list_is_a_workbook_too(client_of, fay):
    answer = client_of(fay).get("/deliveries/?_export=xlsx")
    assert answer["Content-Type"] == spreadsheets.CONTENT_TYPE
    assert load_workbook(io.BytesIO(answer.content)).active.max_row >= 1

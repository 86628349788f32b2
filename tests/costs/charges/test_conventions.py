"""How cells are written: no day in a wrong month, no amount wrong by a thousand; what cannot be told is refused."""

import random
import shutil
from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path

import pytest

from costs.charges.duckdb_session import duckdb_session
from costs.charges.read_bill import read_bill
from costs.formats.base import BadBill, Options
from tests import bills

AZURE_ROW = {
    "BillingAccountId": "8611537",
    "BillingPeriodStartDate": "03/01/2026",
    "BillingPeriodEndDate": "03/31/2026",
    "SubscriptionId": "9ec51cfd-5ca7-4d76-8101-dd0a4abc5674",
    "Date": "03/05/2026",
    "MeterCategory": "Virtual Machines",
    "ConsumedService": "Microsoft.Compute",
    "Quantity": "2",
    "UnitOfMeasure": "1 Hour",
    "CostInBillingCurrency": "1",
    "BillingCurrencyCode": "EUR",
    "ResourceId": "/subscriptions/9ec5/resourceGroups/RG/providers/Microsoft.Compute/virtualMachines/web-1",
    "ChargeType": "Usage",
    "PricingModel": "OnDemand",
}
WITHOUT_PERIOD = [name for name in AZURE_ROW if not name.startswith("BillingPeriod")]
SHARED_CASES = Path(__file__).resolve().parents[4] / "shared/cases/bills"


def azure(rows, *, columns=None, delimiter=","):
    """An Azure export whose rows say what differs from AZURE_ROW."""
    names = columns or list(AZURE_ROW)
    text = bills.csv_text(names, [{name: {**AZURE_ROW, **row}[name] for name in names} for row in rows])
    if delimiter != ",":
        text = "\n".join(
            delimiter.join([*({**AZURE_ROW, **row}[name] for name in names)])
            for row in [{name: name for name in names}, *rows]
        )
    return text.encode()


class Reader:
    """Reads files as one bill, and what came of it."""

    def __init__(self, folder, column="ChargePeriodStart"):
        self.folder, self.column = folder, column

    def __call__(self, *contents, name="bill.csv", **options):
        work = self.folder / "work"
        work.mkdir()
        paths = [work / f"{number}-{name}" for number, _ in enumerate(contents)]
        for path, content in zip(paths, contents, strict=True):
            path.write_bytes(content)
        try:
            with duckdb_session(threads=1) as db:
                self.contents = read_bill(
                    db,
                    [(path.name, path) for path in paths],
                    target=work / "out",
                    scratch=work,
                    options=Options(**options),
                    limit=1 << 28,
                )
                rows = db.execute(
                    f"SELECT ChargePeriodStart, BilledCost, {self.column} FROM read_parquet('{work}/out/*/*.parquet') "
                    "ORDER BY 1, 2, 3"
                ).fetchall()
        finally:
            shutil.rmtree(work)
        self.moments = [moment for moment, _, _ in rows]
        self.values = [value for _, _, value in rows]
        self.days = [moment.date() for moment in self.moments]
        self.costs = [cost for _, cost, _ in rows]
        self.months = [f"{month.billing_month:%Y-%m}" for month in self.contents.months]
        self.notes = " ".join(self.contents.notes)
        return self

    def refusal(self, *contents, **options):
        """Why the files were refused; empty when they were read."""
        try:
            self(*contents, **options)
        except BadBill as refusal:
            return str(refusal)
        return ""


@pytest.fixture
def read(tmp_path):
    return Reader(tmp_path)


def march(first, last):
    return [date(2026, 3, day) for day in range(first, last + 1)]


class TestDates:
    def test_a_column_with_a_day_over_twelve_has_the_day_first(self, read):
        rows = [{"Date": f"{day:%d/%m/%Y}"} for day in march(1, 31)]
        bill = read(azure(rows, columns=WITHOUT_PERIOD))
        assert (bill.days, bill.months, bill.contents.rows_rejected) == (march(1, 31), ["2026-03"], 0)
        assert "were read with the day first (Date)" in bill.notes

    def test_the_billing_period_decides_for_the_first_days_of_a_month(self, read):
        period = {"BillingPeriodStartDate": "01/03/2026", "BillingPeriodEndDate": "31/03/2026"}
        bill = read(azure([{**period, "Date": f"{day:%d/%m/%Y}"} for day in march(1, 10)]))
        assert (bill.days, bill.months) == (march(1, 10), ["2026-03"])

    def test_a_billing_period_starts_on_the_first_of_a_month(self, read):
        period = {"BillingPeriodStartDate": "01/03/2026", "BillingPeriodEndDate": "01/04/2026"}
        bill = read(azure([{**period, "Date": "02/03/2026"}]))
        assert (bill.days, bill.months) == ([date(2026, 3, 2)], ["2026-03"])

    def test_charges_lie_in_a_billing_period_that_is_written_plainly(self, read):
        bill = read(azure([{"BillingPeriodStartDate": "2026-03-01", "Date": "02/03/2026"}]))
        assert (bill.days, bill.months) == ([date(2026, 3, 2)], ["2026-03"])

    def test_days_that_follow_one_another_decide(self, read):
        bill = read(azure([{"Date": f"{day:%d-%m-%Y}"} for day in march(2, 9)], columns=WITHOUT_PERIOD))
        assert bill.days == march(2, 9)

    def test_an_export_documented_as_month_first_is_read_so_and_says_it(self, read):
        bill = read(azure([{"Date": "03/04/2026"}], columns=WITHOUT_PERIOD))
        assert bill.days == [date(2026, 3, 4)]
        assert "nothing in the bill shows it (Date)" in bill.notes

    def test_what_nothing_decides_is_refused_naming_column_value_and_option(self, read):
        row = {"BillingPeriodStart": "01/01/2026", "BillingPeriodEnd": "", "ChargePeriodStart": "03/04/2026"}
        refused = r"0-bill.csv: 0[13]/0[14]/2026 in (Billing|Charge)PeriodStart may be .*--date-order day-first"
        with pytest.raises(BadBill, match=refused):
            read(bills.focus_csv([row]))
        undecided = {"BillingPeriodStart": "2026-05-01", "ChargePeriodStart": "03/04/2026", "ChargePeriodEnd": ""}
        with pytest.raises(BadBill, match=r"03/04/2026 in ChargePeriodStart may be 3 April or 4 March"):
            read(bills.focus_csv([undecided]))
        assert read(bills.focus_csv([undecided]), date_order="day-first").days == [date(2026, 4, 3)]
        assert read(bills.focus_csv([undecided]), date_order="month-first").days == [date(2026, 3, 4)]

    def test_a_part_with_only_low_days_takes_the_order_of_the_other_parts(self, read):
        parts = [[{"Date": f"{day:%d/%m/%Y}"} for day in days] for days in (march(1, 2), march(20, 31))]
        bill = read(*(azure(rows, columns=WITHOUT_PERIOD) for rows in parts))
        assert bill.days == [*march(1, 2), *march(20, 31)]

    def test_a_column_with_the_day_first_and_last_is_refused(self, read):
        rows = [{"Date": "13/03/2026"}, {"Date": "03/14/2026"}]
        with pytest.raises(BadBill, match=r"some dates in Date have the day first and some the month, like 13/03/2026"):
            read(azure(rows, columns=WITHOUT_PERIOD))

    def test_one_date_that_cannot_be_costs_its_row_only(self, read):
        rows = [{"Date": f"{day:%d/%m/%Y}"} for day in march(1, 31)] * 2 + [{"Date": "03/14/2026"}]
        bill = read(azure(rows, columns=WITHOUT_PERIOD))
        assert (len(bill.days), bill.contents.rows_rejected) == (62, 1)
        assert bill.contents.rejects[0].value == "03/14/2026"

    def test_evidence_far_below_the_first_rows_counts(self, read):
        rows = [{"Date": "03/04/2026"}] * 2_500 + [{"Date": "13/04/2026"}]
        bill = read(azure(rows, columns=WITHOUT_PERIOD))
        assert bill.months == ["2026-04"]
        assert set(bill.days) == {date(2026, 4, 3), date(2026, 4, 13)}

    def test_a_table_that_turns_from_iso_to_slashes_is_read_to_its_end(self, read):
        rows = [{"Date": "2026-03-05"}] * 2_500 + [{"Date": "06/03/2026"}, {"Date": "16/03/2026"}]
        bill = read(azure(rows, columns=WITHOUT_PERIOD))
        assert set(bill.days) == {date(2026, 3, 5), date(2026, 3, 6), date(2026, 3, 16)}

    @pytest.mark.parametrize("seed", range(12))
    def test_random_days_are_all_right_or_refused(self, read, seed):
        chance = random.Random(seed)
        order = chance.choice(["%d{0}%m{0}%Y", "%m{0}%d{0}%Y"]).format(chance.choice("/-"))
        time = chance.choice(["", " %H:%M", " %H:%M:%S", " %I:%M:%S %p"])
        start = date(2026, chance.randint(1, 12), 1)
        days = sorted(start + timedelta(days=chance.randrange(28)) for _ in range(chance.randint(1, 9)))
        rows = [{"ChargePeriodStart": f"{day:{order}{time}}", "ChargePeriodEnd": ""} for day in days]
        period = f"{start:{order}}" if chance.random() < 0.6 else "2027-01-01"
        refusal = read.refusal(bills.focus_csv(rows, BillingPeriodStart=period, BillingPeriodEnd=""))
        if refusal:
            assert "--date-order" in refusal
        else:
            assert (read.days, read.contents.rows_rejected) == (days, 0)


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2026-03-05 10:00:00 +0000 UTC", "2026-03-05 10:00"),
        ("2026-03-05 10:00:00.123456789 +0000 UTC", "2026-03-05 10:00"),
        ("2026-03-05 10:00:00 UTC", "2026-03-05 10:00"),
        ("2026-03-05T10:00Z", "2026-03-05 10:00"),
        ("2026-03-05T10:00:00.0000000Z", "2026-03-05 10:00"),
        ("3/5/2026 10:00:00 AM", "2026-03-05 10:00"),
        ("3/15/2026 12:30 PM", "2026-03-15 12:30"),
        ("20260305", "2026-03-05 00:00"),
        ("20260305T100000Z", "2026-03-05 10:00"),
        ("1772704800", "2026-03-05 10:00"),
        ("1772704800000", "2026-03-05 10:00"),
        ("1772704800000000", "2026-03-05 10:00"),
        ("2026/03/05", "2026-03-05 00:00"),
        ("05-Mar-2026", "2026-03-05 00:00"),
        ("Mar 5, 2026", "2026-03-05 00:00"),
        ("05.03.2026 10:00", "2026-03-05 10:00"),
        ("2026-03-05T23:00:00-08:00", "2026-03-05 23:00"),
        ("3/25/2026 11:30:00 PM +00:00", "2026-03-25 23:30"),
        ("3/25/2026 12:00:00 AM UTC", "2026-03-25 00:00"),
        ("25/3/2026 11:30 p.m.", "2026-03-25 23:30"),
        ("2026-03-25 11:30:00 pm", "2026-03-25 23:30"),
        ("2026/03/25 12:15 a.m.", "2026-03-25 00:15"),
        ("2026-03-25T11:30:00PM +00:00", "2026-03-25 23:30"),
    ],
)
def test_moments_as_engines_write_them(read, text, moment):
    bill = read(bills.focus_csv([{"ChargePeriodStart": text, "ChargePeriodEnd": ""}]))
    assert [f"{at:%Y-%m-%d %H:%M}" for at in bill.moments] == [moment]


def test_day_numbers_of_a_spreadsheet_are_dates_where_the_period_shows_it(read):
    row = {"BillingPeriodStart": "46082", "BillingPeriodEnd": "46113", "ChargePeriodStart": "46086.5"}
    bill = read(bills.focus_csv([{**row, "ChargePeriodEnd": ""}]))
    assert (bill.months, f"{bill.moments[0]:%d %H}") == (["2026-03"], "05 12")
    with pytest.raises(BadBill, match="its only row could not be read"):
        read(bills.focus_csv([{**row, "BillingPeriodStart": "46080"}]))


class TestBillingMonth:
    @pytest.mark.parametrize(
        ("start", "end"),
        [
            ("2026-02-28T16:00:00Z", "2026-03-31T15:59:59Z"),
            ("2026-02-28T16:00:00Z", ""),
            ("2026-03-01T00:00:00+08:00", "2026-04-01T00:00:00+08:00"),
            ("2026-03-01T08:00:00Z", "2026-04-01T07:00:00Z"),
            ("2026-02-28T10:00:00Z", "2026-03-31T10:00:00Z"),
            ("2026-03-01", "2026-03-31"),
        ],
    )
    def test_a_month_that_starts_at_midnight_elsewhere_is_its_own(self, read, start, end):
        assert read(bills.focus_csv([{"BillingPeriodStart": start, "BillingPeriodEnd": end}])).months == ["2026-03"]

    def test_the_day_of_a_charge_with_an_offset_is_the_day_there(self, read):
        start = "2026-03-01T00:00:00+08:00"
        bill = read(bills.focus_csv([{"BillingPeriodStart": start, "ChargePeriodStart": start}]))
        assert bill.days == [date(2026, 3, 1)]
        assert "days are those of that place" in bill.notes

    def test_the_day_of_a_charge_in_utc_stays_and_the_delivery_says_so(self, read):
        period = {"BillingPeriodStart": "2026-02-28T16:00:00Z", "BillingPeriodEnd": "2026-03-31T15:59:59Z"}
        bill = read(bills.focus_csv([{**period, "ChargePeriodStart": "2026-02-28T16:00:00Z"}]))
        assert bill.days == [date(2026, 2, 28)]
        assert "starts 28 Feb 2026, 16:00 UTC is March 2026" in bill.notes


class TestAmounts:
    @pytest.mark.parametrize(
        ("amounts", "total"),
        [
            (["173,900", "0,125"], "174.025"),
            (["173,9001", "2,125", "7"], "183.0251"),
            (["1.234,56", "2,125"], "1236.685"),
            (["1.234.567", "0,5"], "1234567.5"),
            (["1 234,56", "1\u00a0000,5"], "2235.06"),
            (["12,50-", "(2,50)", "-1,00 €"], "-16"),
            (["1.234", "0,5"], "1234.5"),
        ],
    )
    def test_decimal_commas(self, read, amounts, total):
        bill = read(azure([{"CostInBillingCurrency": amount} for amount in amounts], delimiter=";"))
        assert sum(bill.costs) == Decimal(total)
        assert "decimal comma (CostInBillingCurrency)" in bill.notes

    @pytest.mark.parametrize(
        ("amounts", "total"),
        [
            (["(12.50)", "20"], "7.5"),
            (["12.50-", "20"], "7.5"),
            (["-$5.00", "$1,234.50", "US$ 3"], "1232.5"),
            (["1,234.56", "2,125"], "3359.56"),
            (["1'234.50", "1,234,567"], "1235801.5"),
            (["USD 5.5", "USD7.25", "\u22123.5"], "9.25"),
            (["1,23,456.78", "1E-3"], "123456.781"),
            (["1.234", "2.125"], "3.359"),
            (["($1,234.50)", "$(12.50)", "(5.00) USD", "-$3.00", "\u20135.00"], "-1260"),
        ],
    )
    def test_decimal_points_with_what_people_dress_amounts_in(self, read, amounts, total):
        bill = read(bills.focus_csv([{"BilledCost": amount} for amount in amounts]))
        assert (sum(bill.costs), bill.contents.rows_rejected) == (Decimal(total), 0)

    def test_one_column_alone_may_have_decimal_commas(self, read):
        rows = [{"BilledCost": amount, "EffectiveCost": "1.5"} for amount in ("1,50", "2,250", "1234,5")]
        bill = read(bills.focus_csv(rows))
        assert sum(bill.costs) == Decimal("1238.25")
        assert "decimal comma (BilledCost)" in bill.notes

    @pytest.mark.parametrize("quantity", ["1,5 GB", "many", "NaN"])
    def test_a_quantity_that_is_no_number_is_left_out_and_counted(self, tmp_path, quantity):
        read = Reader(tmp_path, column="ConsumedQuantity")
        bill = read(bills.focus_csv([{"ConsumedQuantity": quantity}, {"ConsumedQuantity": "2"}, {}]))
        assert sorted(bill.values, key=str) == [2, 24, None]
        assert "1 row has ConsumedQuantity that is no number and was left out." in bill.notes

    def test_a_list_cost_that_is_no_number_is_left_out_of_an_aws_report_and_counted(self, tmp_path):
        read = Reader(tmp_path, column="ListCost")
        bill = read(bills.cur_csv([{"pricing/publicOnDemandCost": "n/a"}, {}]))
        assert sorted(bill.values, key=str) == [Decimal("0.096"), None]
        assert "1 row has pricing/publicOnDemandCost that is no number and was left out." in bill.notes

    def test_what_nothing_decides_is_refused_naming_column_values_and_option(self, read):
        content = azure([{"CostInBillingCurrency": amount} for amount in ("173,900", "2,125")], delimiter=";")
        with pytest.raises(
            BadBill, match=r"in CostInBillingCurrency \(like .*,.*\) may be a decimal mark.*--decimal-com"
        ):
            read(content)
        assert sum(read(content, decimal_mark="comma").costs) == Decimal("176.025")
        assert sum(read(content, decimal_mark="point").costs) == 176025

    def test_another_column_of_the_file_decides(self, read):
        rows = [{"CostInBillingCurrency": "173,900", "Quantity": "0,5"}, {"CostInBillingCurrency": "2,125"}]
        assert sum(read(azure(rows, delimiter=";")).costs) == Decimal("176.025")

    def test_a_point_that_may_stand_between_thousands_is_refused_beside_decimal_commas(self, read):
        with pytest.raises(BadBill, match=r"like 1\.234"):
            read(azure([{"CostInBillingCurrency": "1.234", "Quantity": "0,5"}], delimiter=";"))

    @pytest.mark.parametrize("delimiter", [";", "\t"])
    @pytest.mark.parametrize(("elsewhere", "is_refused"), [("0,5", True), ("0.5", False), ("5", False), ("a,b", False)])
    def test_a_column_that_no_charge_is_made_of_proves_decimal_commas_too(self, read, delimiter, elsewhere, is_refused):
        rows = [{"CostInBillingCurrency": amount} for amount in ("1.234", "2.125")]
        text = azure(rows, delimiter=delimiter).decode().splitlines()
        lines = [f"{line}{delimiter}{cell}" for line, cell in zip(text, ["Rate", elsewhere, elsewhere], strict=True)]
        content = "\n".join([*lines, ""]).encode()
        refusal = read.refusal(content)
        assert ("--decimal-comma" in refusal and "CostInBillingCurrency (like 1.234)" in refusal) == is_refused
        assert bool(refusal) == is_refused
        assert sum(read(content, decimal_mark="comma").costs) == 3359
        assert sum(read(content, decimal_mark="point").costs) == Decimal("3.359")

    def test_a_quantity_far_below_the_first_rows_proves_decimal_commas_too(self, read):
        rows = [{"CostInBillingCurrency": "1.234"}] * 2_500 + [{"CostInBillingCurrency": "1.234", "Quantity": "0,5"}]
        assert "--decimal-comma" in read.refusal(azure(rows, delimiter=";"))

    def test_both_ways_in_one_column_are_refused(self, read):
        rows = [{"BilledCost": amount} for amount in ("1,5", "2.5", "1,234")]
        with pytest.raises(BadBill, match="--decimal-point"):
            read(bills.focus_csv(rows))

    def test_a_quantity_in_doubt_costs_no_charge_and_is_left_out_in_words(self, read):
        bill = read(bills.focus_csv([{**dict.fromkeys(OTHERS, "5"), "ConsumedQuantity": "1,234", "BilledCost": "5"}]))
        assert bill.costs == [5]
        assert "Cells of ConsumedQuantity can be read in two ways" in bill.notes

    def test_evidence_far_below_the_first_rows_counts(self, read):
        rows = [{"CostInBillingCurrency": "2,125"}] * 2_500 + [{"CostInBillingCurrency": "0,5"}]
        assert sum(read(azure(rows, delimiter=";")).costs) == Decimal("5313")
        rows = [{"CostInBillingCurrency": "2"}] * 2_500 + [{"CostInBillingCurrency": "0,5"}]
        assert sum(read(azure(rows, delimiter=";")).costs) == Decimal("5000.5")

    @pytest.mark.parametrize("seed", range(12))
    def test_random_amounts_sum_exactly_or_are_refused(self, read, seed):
        chance = random.Random(seed)
        mark, between = chance.choice([(".", ","), (".", ""), (",", "."), (",", " "), (",", ""), (".", "'")])
        # Whole amounts like 1.234 cannot be distinguished from plain numbers: they are read as those.
        places = chance.choice([2, 3, 3, 4] if between == "." else [0, 2, 3, 3, 4])
        amounts = [Decimal(chance.randint(-5_000_000, 5_000_000)).scaleb(-places) for _ in range(chance.randint(1, 6))]
        texts = [f"{amount:,f}".replace(",", "b").replace(".", mark).replace("b", between) for amount in amounts]
        refusal = read.refusal(bills.focus_csv([{"BilledCost": text} for text in texts], **dict.fromkeys(OTHERS, "1")))
        if refusal:
            assert "--decimal-comma" in refusal
        else:
            assert (sum(read.costs), read.contents.rows_rejected) == (sum(amounts), 0)


OTHERS = ("EffectiveCost", "ListCost", "ContractedCost", "ConsumedQuantity")


@pytest.mark.parametrize(
    ("file", "total", "days"),
    [
        ("07-focus-billing-period-in-utc-of-beijing/focus.csv", "88", 1),
        ("07-focus-billing-period-in-utc-of-beijing/offset.csv", "5", 1),
        ("16-decimal-comma/three-decimals.csv", "174.025", 1),
        ("16-decimal-comma/four-decimals.csv", "174.0255", 1),
        ("16-decimal-comma/mixed.csv", "183.0251", 1),
        ("17-day-first-dates/dmy.csv", "31", 31),
        ("17-day-first-dates/dmy-first-ten-days.csv", "10", 10),
        ("17-day-first-dates/dmy-dots.csv", "1", 1),
        *((f"24-focus-moments-as-engines-write-them/m{number}.csv", str(number + 1), 1) for number in range(8)),
        ("25-excel-sep-line-and-utf16/sep.csv", "1", 1),
        ("25-excel-sep-line-and-utf16/utf16.csv", "1", 1),
        ("25-excel-sep-line-and-utf16/negative-parens.csv", "7.5", 1),
        ("26-cur-zip/cur-1.csv.zip", "0.096", 1),
        *(
            (f"38-mixed-line-endings/{name}.csv", "6", 1)
            for name in ("cr-only", "crlf-in-cell-of-lf-file", "header-crlf-rows-lf", "header-lf-rows-crlf")
        ),
        *((f"38-mixed-line-endings/{name}.csv", "6", 1) for name in ("last-line-lf", "middle", "no-final-newline")),
    ],
)
def test_the_cases_that_were_read_wrong(read, file, total, days):
    path = SHARED_CASES / file
    if not path.exists():
        pytest.skip("the shared cases are not beside this clone")
    bill = read(path.read_bytes(), name=path.name)
    assert (sum(bill.costs), bill.months, len(set(bill.days))) == (Decimal(total), ["2026-03"], days)
    assert bill.contents.rows_rejected == 0

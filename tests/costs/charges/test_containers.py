"""Texts as they come: in a ZIP, in UTF-16, with lines that end in several ways, below a title; and what is refused."""

import gzip
import io
import json
import random
import struct
import zipfile
from decimal import Decimal

import pytest

from costs.charges import json_lines, text_files, zips
from costs.charges.bill_files import LINES
from costs.charges.duckdb_session import duckdb_session
from costs.formats.base import BadBill, Options
from tests import bills
from tests.costs.charges.test_conventions import AZURE_ROW, Reader, azure
from tests.costs.charges.test_providers import GCP_ROW

SIX = bills.focus_csv([{"ResourceId": f"i-{number}", "ResourceName": "two\nlines"} for number in range(6)])


@pytest.fixture
def read(tmp_path):
    return Reader(tmp_path)


def zipped(members, **options):
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED, **options) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return out.getvalue()


class TestLines:
    @pytest.mark.parametrize("seed", range(8))
    @pytest.mark.parametrize("name", ["bill.csv", "bill.csv.gz"])
    def test_lines_that_end_in_several_ways_are_all_read(self, read, seed, name):
        chance = random.Random(seed)
        lines = bills.focus_csv([{"ResourceName": "plain"}, {"ResourceName": "a\r\nb"}, {}, {}, {}]).split(b"\n")
        text = b"".join(line + chance.choice([b"\n", b"\r\n", b"\r"]) for line in lines if line)
        bill = read(gzip.compress(text) if name.endswith(".gz") else text, name=name)
        assert (sum(bill.costs), bill.contents.rows_rejected) == (5, 0), bill.contents.rejects

    def test_one_line_that_ends_otherwise_after_quoted_cells(self, read):
        lines = SIX.replace(b"\n2", b"\r\n2").replace(b"\n1111", b"\r\n1111")
        bill = read(lines[:-1] + b"\r\n")
        assert (sum(bill.costs), bill.contents.rows_rejected) == (6, 0)

    def test_what_stands_within_quotes_keeps_its_ends_of_lines(self, tmp_path):
        (tmp_path / "a.csv").write_bytes(b'a,b\r\n"1\r\n2",3\n"say ""hi""\r",4\r5" disk,6\r\n')
        text_files.rewrite(tmp_path / "a.csv", tmp_path / "b.csv", "a.csv", limit=1000, one_ending=True)
        assert (tmp_path / "b.csv").read_bytes() == b'a,b\n"1\r\n2",3\n"say ""hi""\r",4\n5" disk,6\n'

    def test_a_reject_is_on_its_line_however_lines_end(self, read):
        text = bills.focus_csv([{}, {}, {"BilledCost": "much"}]).replace(b"\n", b"\r\n", 2)
        assert read(text).contents.rejects[0].line == 4


class TestText:
    @pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be", "utf-8-sig"])
    @pytest.mark.parametrize("name", ["bill.csv", "bill.csv.gz"])
    def test_utf_16_and_byte_order_marks(self, read, encoding, name):
        mark = {"utf-16-le": b"\xff\xfe", "utf-16-be": b"\xfe\xff"}.get(encoding, b"")
        text = mark + SIX.decode().replace("two", "zwölf").encode(encoding)
        bill = read(gzip.compress(text) if name.endswith(".gz") else text, name=name)
        assert (sum(bill.costs), bill.contents.rows_rejected) == (6, 0)

    def test_utf_16_that_is_cut_off_is_refused(self, read):
        with pytest.raises(BadBill, match="damaged UTF-16"):
            read(SIX.decode().encode("utf-16")[:-1])

    @pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be"])
    @pytest.mark.parametrize("name", ["bill.csv", "bill.csv.gz", "bill.json"])
    def test_utf_16_without_its_mark_shows_by_its_zeros(self, read, encoding, name):
        row = {**bills.FOCUS_ROW, "ResourceName": "Zwölf 東京"}
        plain = json.dumps([row], ensure_ascii=False) if name == "bill.json" else bills.focus_csv([row]).decode()
        text = plain.encode(encoding)
        assert read(gzip.compress(text) if name.endswith(".gz") else text, name=name).costs == [1]

    @pytest.mark.parametrize("content", [b"\x00\x01" * 40, b"\x01\x00\x00\x00" * 20, b"a\x00" * 3, b"\x00" * 80])
    def test_other_zeros_are_a_binary_file(self, read, content):
        with pytest.raises(BadBill):
            read(content)

    @pytest.mark.parametrize("line", ["sep=;", '"sep=;"', "SEP=;"])
    def test_a_line_that_names_the_delimiter_is_no_header(self, read, line):
        text = (
            line.encode() + b"\r\n" + azure([{"CostInBillingCurrency": "0,5"}], delimiter=";").replace(b"\n", b"\r\n")
        )
        assert read(text).costs == [Decimal("0.5")]

    @pytest.mark.parametrize("above", ["Cost report\n", "\n\n", "Cost report, March 2026\n\nAccount,111\n,,,\n"])
    def test_what_stands_above_the_header_is_skipped(self, read, above):
        bill = read(above.encode() + bills.focus_csv([{}, {"BilledCost": "much"}]))
        assert bill.costs == [1]
        assert bill.contents.rejects[0].line == above.count("\n") + 3


class TestWindows1252:
    """What Excel saves as CSV where nobody chose UTF-8: read where all of it is likely, and the delivery names it."""

    NAMES = ("Bücherei", "Größe – “neu” 5 €", "L’été à Nîmes", "España, año", "Malmö®", "web-1")

    @pytest.fixture
    def names(self, tmp_path):
        """The names of the resources that a file has once it is read, and its contents."""

        def names(content, name="bill.csv"):
            reader = Reader(tmp_path, column="ResourceName")
            bill = reader(content, name=name)
            return bill.values, bill

        return names

    @pytest.mark.parametrize("name", ["bill.csv", "bill.csv.gz", "bill.jsonl", "bill.json"])
    def test_western_names_are_read_as_they_were_typed(self, names, name):
        rows = [{**bills.FOCUS_ROW, "ResourceName": text} for text in self.NAMES]
        texts = {
            "bill.jsonl": "\n".join(json.dumps(row, ensure_ascii=False) for row in rows),
            "bill.json": json.dumps(rows, ensure_ascii=False, indent=1),
        }
        text = texts.get(name, bills.focus_csv(rows).decode()).encode("cp1252")
        read, bill = names(gzip.compress(text) if name.endswith(".gz") else text, name)
        assert (sorted(read), bill.contents.rows_rejected) == (sorted(self.NAMES), 0)
        assert f'0-{name}: the text is not UTF-8 and was read as Windows-1252, like "Bücherei" on line' in bill.notes

    def test_one_name_behind_many_rows_is_enough(self, names):
        rows = [{}] * 5000 + [{"ResourceName": "Bücherei"}]
        read, bill = names(bills.focus_csv(rows).decode().encode("cp1252"))
        assert (len(read), "Bücherei" in read, bill.contents.rows_rejected) == (5001, True, 0)
        assert '"Bücherei" on line 5002' in bill.notes

    def test_a_header_may_show_it(self, names):
        text = azure([{}]).decode().replace("UnitOfMeasure", "Maßeinheit (UnitOfMeasure)")
        _, bill = names(text.encode("cp1252"))
        assert bill.costs == [1]
        assert "(UnitOfMeasure)" not in bill.notes
        assert '"Maßeinheit" on line 1' in bill.notes

    @pytest.mark.parametrize(
        ("text", "encoding"),
        [
            ("Сервер бухгалтерии", "cp1251"),
            ("請求書サーバー", "shift_jis"),
            ("服务器", "gbk"),
            ("Żółw", "cp1250"),
            ("Größe", "mac_roman"),
            ("Müllabfuhr", "cp437"),
            ("Διακομιστής", "cp1253"),
        ],
    )
    def test_where_another_code_page_is_as_likely_nothing_is_guessed(self, names, text, encoding):
        rows = bills.focus_csv([{"ResourceName": text}, {}]).decode().encode(encoding)
        read, bill = names(rows)
        (reject,) = bill.contents.rejects
        assert read == ["web-1"]
        assert (reject.line, reject.reason) == (2, "is not UTF-8 text; save the file as UTF-8 and deliver it again")

    def test_a_file_that_mixes_both_keeps_its_utf_8_and_names_the_other_lines(self, names):
        other = bills.focus_csv([{"ResourceName": "Müll"}]).decode().splitlines()[1].encode("cp1252")
        read, bill = names(bills.focus_csv([{"ResourceName": "Bücherei"}]) + other + b"\n")
        assert (read, [reject.line for reject in bill.contents.rejects]) == (["Bücherei"], [3])

    def test_a_line_of_json_that_is_not_utf_8_is_a_reject_and_not_lost(self, names):
        lines = [json.dumps({**bills.FOCUS_ROW, "ResourceName": text}, ensure_ascii=False) for text in ("Zoë", "Żółw")]
        read, bill = names(lines[0].encode() + b"\n" + lines[1].encode("cp1250") + b"\n", "bill.jsonl")
        assert (read, bill.contents.rows_read, bill.contents.rows_rejected) == (["Zoë"], 2, 1)

    def test_a_header_in_another_code_page_is_refused_with_its_line(self, read):
        text = azure([{}]).decode().replace("UnitOfMeasure", "Единица (UnitOfMeasure)")
        with pytest.raises(BadBill, match="line 1, the header, is not UTF-8 text; save the bill as UTF-8"):
            read(text.encode("cp1251"))


class TestHeaders:
    def test_a_name_over_two_lines_is_one_name(self, read):
        text = bills.focus_csv([{}, {"BilledCost": "much"}]).decode()
        for name, quoted in (("BilledCost", '"Billed\nCost"'), ("ChargeDescription", '"Charge\nDescription"')):
            text = text.replace(name, quoted, 1)
        bill = read(text.encode())
        assert (bill.costs, [reject.line for reject in bill.contents.rejects]) == ([1], [5])

    @pytest.mark.parametrize(("inside", "outside"), [("\n", "\r\n"), ("\r\n", "\n"), ("\r\n", "\r\n")])
    @pytest.mark.parametrize("above", ["", "Cost report\n\n"])
    def test_its_lines_may_end_otherwise_than_the_rows(self, read, inside, outside, above):
        text = (above + bills.focus_csv([{}, {}]).decode()).replace("\n", outside)
        assert sum(read(text.replace("BilledCost", f'"Billed{inside}Cost"', 1).encode()).costs) == 2

    def test_it_may_end_in_columns_that_no_row_has(self, read):
        lines = bills.focus_csv([{}, {}]).decode().replace("BilledCost", '"Billed\nCost"', 1)
        bill = read(lines.replace("Tags\n", "Tags,Team,Owner\n", 1).encode())
        assert sum(bill.costs) == 2
        assert "(Team, Owner); they were left out" in bill.notes

    @pytest.mark.parametrize("mark", [b"\xef\xbb\xbf", b""])
    def test_a_mark_of_utf_8_may_stand_in_any_of_the_files(self, read, mark):
        assert sum(read(bills.focus_csv([{}]), mark + bills.focus_csv([{}])).costs) == 2


class TestZips:
    def test_a_text_beside_the_bill_is_none(self, read):
        content = zipped({"a.csv": SIX, "notes.txt": b"as agreed by phone", "README": b"x"})
        bill = read(content, name="x.zip")
        assert sum(bill.costs) == 6
        assert "notes.txt, README in it are no bill" in bill.notes

    def test_a_text_alone_may_be_the_bill(self, read):
        assert sum(read(zipped({"a.txt": SIX}), name="x.zip").costs) == 6

    def test_the_files_in_a_zip_are_one_bill(self, read):
        content = zipped(
            {"a/one.csv": SIX, "two.csv.gz": gzip.compress(SIX), "__MACOSX/x.csv": b"x", "info.pdf": b"%PDF"}
        )
        bill = read(content, name="cur.csv.zip")
        assert sum(bill.costs) == 12
        assert "info.pdf in it is no bill" in bill.notes

    def test_a_reject_names_the_file_in_the_zip(self, read):
        bill = read(zipped({"one.csv": bills.focus_csv([{}, {"BilledCost": "much"}])}), name="x.zip")
        (reject,) = bill.contents.rejects
        assert (reject.file, reject.line) == ("0-x.zip: one.csv", 3)

    def test_a_zip_in_a_zip_is_refused(self, read):
        with pytest.raises(BadBill, match="there is a ZIP in the ZIP"):
            read(zipped({"inner.zip": zipped({"a.csv": SIX})}), name="x.zip")

    def test_an_encrypted_zip_is_refused(self, read):
        content = bytearray(zipped({"a.csv": SIX}))
        for signature, offset in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
            at = content.index(signature) + offset
            content[at : at + 2] = struct.pack("<H", 1)
        with pytest.raises(BadBill, match="encrypted"):
            read(bytes(content), name="x.zip")

    def test_an_office_document_is_named_as_such(self, read):
        with pytest.raises(BadBill, match="save the sheet as CSV"):
            read(zipped({"[Content_Types].xml": "x", "xl/workbook.xml": "x"}), name="bill.xlsx")

    def test_a_zip_without_a_bill_and_one_cut_off_are_refused(self, read):
        with pytest.raises(BadBill, match="no bill is in the ZIP"):
            read(zipped({"picture.png": b"x"}), name="x.zip")
        with pytest.raises(BadBill, match="damaged or cut off"):
            read(zipped({"a.csv": SIX})[:-30], name="x.zip")

    def test_a_zip_that_unfolds_without_end_stops_at_the_limit(self, tmp_path):
        (tmp_path / "bomb.zip").write_bytes(zipped({"a.csv": SIX, "b.csv": b"," * 5_000_000}))
        with pytest.raises(BadBill, match="unfolds to more than 1,000,000 bytes"):
            zips.unpacked([("bomb.zip", tmp_path / "bomb.zip")], tmp_path, limit=1_000_000)


# Rows of three formats, their costs as the text they are: a double would keep sixteen digits of them.
COSTS = ("0.12345678901234567890123", "1e-7", "-2.5", "1000000000.000000001")
SUM = Decimal("999999997.62345689001234567890123")
BIGQUERY_ROW = {
    **GCP_ROW,
    "cost": "COST",
    "credits": [{"name": "c", "amount": -1}],
    "labels": [{"key": "a", "value": "b"}],
}
JSON_ROWS = {
    "focus": ({**bills.FOCUS_ROW, "BilledCost": "COST", "Tags": {"Team": "Pay, [ments] {\\"}}, "USD", SUM),
    "gcp": (BIGQUERY_ROW, "EUR", Decimal("999999993.62345689001234567890123")),
    "azure-actual": ({**AZURE_ROW, "CostInBillingCurrency": "COST"}, "EUR", SUM),
}
JSON_FILES = {
    "array in one line": lambda rows: "[" + ",".join(rows(None)) + "]",
    "array with an object a line": lambda rows: "[" + "\n,".join(rows(None)) + "]\n",
    "array over many lines": lambda rows: "\ufeff [\r\n" + ",\r\n".join(rows(2)) + "\r\n]\r\n\r\n",
    "objects over many lines": lambda rows: "\n".join(rows(4)) + "\n",
    "objects one behind the other": lambda rows: " ".join(rows(None)),
}


def json_text(name, layout, costs=COSTS):
    row, _, _ = JSON_ROWS[name]

    def rows(indent):
        return [json.dumps(row, indent=indent).replace('"COST"', cost) for cost in costs]

    return JSON_FILES[layout](rows).encode()


class TestJson:
    @pytest.mark.parametrize("layout", JSON_FILES)
    @pytest.mark.parametrize("name", JSON_ROWS)
    def test_arrays_and_objects_over_many_lines_sum_to_the_last_digit(self, read, name, layout):
        _, currency, expected = JSON_ROWS[name]
        contents = read(json_text(name, layout), name="bill.json").contents
        assert contents.format.lower().startswith(name)
        assert contents.totals[currency]["BilledCost"] == expected
        assert (contents.rows_read, contents.rows_rejected) == (len(COSTS), 0)

    @pytest.mark.parametrize("container", ["gzip", "zip", "zipped gzip", "utf-16"])
    @pytest.mark.parametrize("layout", ["array over many lines", "objects over many lines"])
    def test_they_come_in_containers_too(self, read, layout, container):
        text = json_text("focus", layout)
        packed = {
            "gzip": gzip.compress(text),
            "zip": zipped({"in/bill.json": text}),
            "zipped gzip": zipped({"in/bill.json.gz": gzip.compress(text)}),
            "utf-16": text.decode("utf-8-sig").encode("utf-16"),
        }[container]
        assert read(packed, name="bill.json").contents.totals["USD"]["BilledCost"] == SUM

    def test_the_files_of_one_bill_may_be_of_several_layouts(self, read):
        texts = [json_text("focus", layout, ["1.5"]) for layout in JSON_FILES]
        assert sum(read(*texts, bills.focus_csv([{"BilledCost": "0.25"}])).costs) == Decimal("7.75")

    @pytest.mark.parametrize("pack", [bytes, gzip.compress])
    @pytest.mark.parametrize("layout", [layout for layout in JSON_FILES if layout.startswith("array")])
    def test_an_array_that_is_cut_off_is_refused_wherever_it_was_cut(self, read, layout, pack):
        text = json_text("focus", layout, ["1", "2", "3"]).rstrip()
        last, *_ = (at for at in range(len(text) - 1, 0, -1) if text[at : at + 1] == b"}")
        between = text.rindex(b",", 0, text.rindex(b'"BillingAccountId"'))
        for end in (len(text) - 1, last + 1, last, last - 40, between + 1, between):
            assert "cut off" in read.refusal(pack(text[:end]), name="bill.json"), text[:end][-30:]

    @pytest.mark.parametrize("kind", ["jsonl", "json-array"])
    def test_columns_are_looked_for_in_all_objects_and_in_little_memory(self, tmp_path, kind):
        rows = [json.dumps(bills.FOCUS_ROW)] * 50_000 + [json.dumps({**bills.FOCUS_ROW, "x_Late": 1})]
        text = "[" + ",\n".join(rows) + "]" if kind == "json-array" else "\n".join(rows)
        (tmp_path / "b.json").write_text(text)
        with duckdb_session(threads=1, memory_limit="200MB") as db:
            lines = json_lines.lines_of(str(tmp_path / "b.json"), kind, LINES)
            assert "x_Late" in json_lines.sheet(db, lines, "b.json", Options(), [])

    def test_damage_is_told_by_file_and_row(self, read):
        array = json_text("focus", "array over many lines").replace(b'"BilledCost": -2.5', b'"BilledCost" -2.5')
        assert read.refusal(array, name="b.json") == (
            "0-b.json: the JSON is damaged or cut off at row 3 (unexpected character). Fetch it again."
        )
        objects = json_text("focus", "objects over many lines")[:-20]
        assert "0-b.json: the JSON is damaged or cut off at row 4" in read.refusal(objects, name="b.json")

    def test_what_is_no_charge_in_an_array_is_a_reject_by_its_number(self, read):
        rows = [bills.FOCUS_ROW, 5, {**bills.FOCUS_ROW, "BilledCost": "much"}, None]
        rejects = read(json.dumps(rows).encode(), name="b.json").contents.rejects
        assert [(reject.line, reject.value) for reject in rejects] == [(2, "5"), (3, "much"), (4, "null")]

    def test_an_object_of_more_than_a_block_is_refused_in_words(self, read):
        text = b'[{"BilledCost": 1, "ChargeDescription": "' + b"x" * (33 << 20) + b'"}]'
        assert "an object in it is larger than 32 MB" in read.refusal(text, name="b.json")

    @pytest.mark.parametrize(
        ("text", "reason"),
        [
            (b"[]", "no charges"),
            (b"[1, 2]", "it holds no JSON objects"),
            (b'[{"name": "x"}]', "this is no bill we know"),
            (b'[{"name": 1}]\n[{"name": 2}]', "damaged or cut off"),
        ],
    )
    def test_an_array_of_no_bill_is_refused(self, read, text, reason):
        assert reason in read.refusal(text, name="b.json")


@pytest.mark.parametrize(
    "header",
    [
        "usage_date,product,sku,quantity,unit_type,gross_sum,net_sum,team",
        "ORGANIZATION_NAME,ACCOUNT_NAME,REGION,DATE,USAGE_KIND,CURRENCY,USAGE,AMOUNT,SERVICE",
    ],
)
def test_a_header_that_shares_only_common_names_is_near_no_format(read, header):
    with pytest.raises(BadBill) as refusal:
        read(f"{header}\n{','.join('1' for _ in header.split(','))}\n".encode())
    assert "nearest is" not in str(refusal.value)
    assert "We read FOCUS" in str(refusal.value)

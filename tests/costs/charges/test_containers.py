"""Texts as they come: in a ZIP, in UTF-16, with lines that end in several ways, below a title; and what is refused."""

import gzip
import io
import random
import struct
import zipfile
from decimal import Decimal

import pytest

from costs.charges import text_files, zips
from costs.formats.base import BadBill
from tests import bills
from tests.costs.charges.test_conventions import Reader, azure

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


class TestZips:
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


@pytest.mark.parametrize(
    "header",
    [
        "usage_at,product,sku,quantity,unit_type,gross_sum,net_sum,username,organization,repository",
        "ORGANIZATION_NAME,ACCOUNT_NAME,REGION,DATE,USAGE_KIND,CURRENCY,USAGE,AMOUNT,SERVICE",
    ],
)
def test_a_header_that_shares_only_common_names_is_near_no_format(read, header):
    with pytest.raises(BadBill) as refusal:
        read(f"{header}\n{','.join('1' for _ in header.split(','))}\n".encode())
    assert "nearest is" not in str(refusal.value)
    assert "We read FOCUS" in str(refusal.value)

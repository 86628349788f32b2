"""What may come in has limits, each refused with a word and before it is unfolded: header, columns, archives."""

import io
import zipfile

import pytest

from costs.charges import files, zips
from costs.formats.base import BadBill
from costs.ingest.load import load_bill
from costs.ingest.receive import receive_bill

MEGABYTE = 1 << 20


def write(folder, name, content):
    (folder / name).write_bytes(content)
    return folder / name


def archive(folder, members, **options):
    path = folder / "bill.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, **options) as target:
        for name, content in members.items():
            target.writestr(name, content)
    return path


def test_a_header_of_a_megabyte_is_none(tmp_path):
    path = write(tmp_path, "long.csv", b"a," * MEGABYTE + b"\n1,2\n")
    with pytest.raises(BadBill, match="first line is longer than a megabyte"):
        files.csv_layout(path, "long.csv")


def test_columns_are_counted(tmp_path):
    names = [f"c{number}" for number in range(files.MAX_COLUMNS + 1)]
    path = write(tmp_path, "wide.csv", ",".join(names).encode() + b"\n")
    with pytest.raises(BadBill, match="columns"):
        files.csv_layout(path, "wide.csv")
    path = write(tmp_path, "wide.csv", ",".join(names[:-1]).encode() + b"\n")
    assert len(files.csv_layout(path, "wide.csv").columns) == files.MAX_COLUMNS


def test_members_of_an_archive_are_counted(tmp_path, monkeypatch):
    monkeypatch.setattr(zips, "MAX_MEMBERS", 3)
    with pytest.raises(BadBill, match="4 files in one ZIP are more than the 3"):
        zips.bills_of(archive(tmp_path, {f"{number}.csv": "a,b" for number in range(4)}), "bill.zip")


def test_an_archive_unfolds_as_far_as_all_of_it_may(tmp_path):
    members = {f"{number}.csv": b"a,b\n" + b"," * MEGABYTE for number in range(3)}
    path = archive(tmp_path, members)
    assert path.stat().st_size < 20_000, "a thousand times smaller"
    with pytest.raises(BadBill, match="unfolds to more than"):
        zips.unpacked([("bill.zip", path)], tmp_path, limit=2 * MEGABYTE)
    assert sum(file.stat().st_size for file in tmp_path.glob("member-*")) <= 2 * MEGABYTE


def test_an_archive_that_lies_about_its_size_is_stopped_where_it_unfolds(tmp_path):
    path = archive(tmp_path, {"a.csv": b"," * MEGABYTE})
    lying = path.read_bytes().replace(MEGABYTE.to_bytes(4, "little"), (9).to_bytes(4, "little"))
    path.write_bytes(lying)
    with pytest.raises(BadBill):
        zips.unpacked([("bill.zip", path)], tmp_path, limit=MEGABYTE // 2)


@pytest.mark.parametrize("name", ["../../etc/cron.d/x.csv", "/etc/x.csv", "a/../../x.csv"])
def test_no_member_of_an_archive_is_written_where_it_says(tmp_path, name):
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    plain, _notes = zips.unpacked([("bill.zip", archive(tmp_path, {name: "a,b\n1,2\n"}))], scratch, limit=MEGABYTE)
    assert [path.parent for _name, path in plain] == [scratch]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["bill.zip", "scratch"]


def test_a_link_in_an_archive_is_a_text_and_no_link(tmp_path):
    path = tmp_path / "bill.zip"
    with zipfile.ZipFile(path, "w") as target:
        link = zipfile.ZipInfo("a.csv")
        link.external_attr = 0o120777 << 16
        target.writestr(link, "/etc/passwd")
    plain, _notes = zips.unpacked([("bill.zip", path)], tmp_path, limit=MEGABYTE)
    assert [(file.is_symlink(), file.read_text()) for _name, file in plain] == [(False, "/etc/passwd")]


def test_an_archive_in_an_archive_is_refused(tmp_path):
    inner = io.BytesIO()
    with zipfile.ZipFile(inner, "w") as target:
        target.writestr("a.csv", "a,b")
    with pytest.raises(BadBill, match="a ZIP in the ZIP"):
        zips.bills_of(archive(tmp_path, {"inner.zip": inner.getvalue()}), "bill.zip")


@pytest.mark.django_db
@pytest.mark.parametrize("name", ["cur-Manifest.json", "bill.json", "bill.jsonl"])
@pytest.mark.parametrize("opens", ['{"a":', "["])
def test_what_is_nested_without_end_is_a_bad_bill_and_no_fault_of_ours(tmp_path, name, opens):
    try:
        (receipt,) = receive_bill("northwind", [write(tmp_path, name, opens.encode() * 200_000)])
        reason = load_bill(receipt.delivery).message
    except BadBill as error:
        reason = str(error)
    assert reason.startswith(name)

"""A folder and a bucket keep files alike: whole, readable at once, and never taken for empty when they are away.

The bucket is S3 of moto, and the memory store of obstore, the package through which gs:// and az:// are reached too.
"""

import os
import time

import duckdb
import pytest

from finops_site.files.direct import StoredFiles
from finops_site.files.move import move_files
from finops_site.files.places import FilesUnreachable, place_of
from tests.finops_site.files import buckets

LIMIT = 1 << 20
ODD = "bills/7/delivered/000-März 50% (1)#?.csv"


@pytest.fixture(scope="module")
def url():
    with buckets.s3_server() as address:
        yield address


@pytest.fixture
def s3(url, monkeypatch):
    with buckets.environment(monkeypatch, url), buckets.bucket(url) as client:
        yield client


@pytest.fixture(params=["folder", "memory", "s3"])
def place(request, tmp_path):
    if request.param == "s3":
        request.getfixturevalue("s3")
    address = {"folder": str(tmp_path / "shared"), "memory": "memory://", "s3": "s3://finops/site one"}[request.param]
    return place_of(address, var=tmp_path / "var", copies_limit=LIMIT)


def host(tmp_path, name, limit=LIMIT):
    """The bucket as another host sees it."""
    return place_of("s3://finops/site", var=tmp_path / name, copies_limit=limit)


def write(folder, **contents):
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in contents.items():
        (folder / f"{name}.csv").write_bytes(content)
    return folder


def read(place, name):
    stream, size = place.open(name)
    with stream:
        content = stream.read()
    assert len(content) == size
    return content


def test_what_is_stored_is_read_listed_replaced_and_removed(place, tmp_path):
    file = tmp_path / "file"
    for content in (b"a bill", b"its successor"):
        file.write_bytes(content)
        place.put(file, ODD)
        assert read(place, ODD) == place.file_here(ODD).read_bytes() == content
    assert [(row.name, row.size) for row in place.list("bills").values()] == [(ODD, 13)]
    assert place.folders("bills") == {"7"}
    place.remove("bills/7")
    place.remove("bills/7")
    assert place.list() == {}
    with pytest.raises(FileNotFoundError):
        place.open(ODD)


def test_a_folder_takes_the_place_of_what_was_there_and_can_go_aside(place, tmp_path):
    place.put_folder(write(tmp_path / "first", a=b"1", b=b"2"), "bills/7/charges")
    place.put_folder(write(tmp_path / "second", a=b"3"), "bills/7/charges")
    assert list(place.list("bills/7")) == ["bills/7/charges/a.csv"]
    assert not (tmp_path / "second").exists()
    place.set_aside("bills/7", "bills/7.left")
    assert list(place.list("bills")) == ["bills/7.left/charges/a.csv"]
    assert read(place, "bills/7.left/charges/a.csv") == b"3"


def test_duckdb_reads_the_half_of_a_month_that_is_asked_for(place, tmp_path):
    for inside in ("", "actual"):
        folder = tmp_path / "made" / inside
        folder.mkdir(exist_ok=True, parents=True)
        duckdb.sql(f"COPY (SELECT '{inside}' AS half) TO '{folder}/charges.parquet'")
    place.put_folder(tmp_path / "made", "bills/7/charges/2026-03")
    for view, half in (("", ""), ("actual", "actual"), ("amortized", "")):
        glob = f"{place.folder_here('bills/7/charges/2026-03', view)}/*.parquet"
        assert duckdb.execute("SELECT half FROM read_parquet($1)", [glob]).fetchall() == [(half,)]


def test_what_is_larger_than_the_copies_duckdb_reads_in_the_bucket_itself(s3, tmp_path):
    folder = tmp_path / "made"
    folder.mkdir()
    numbers = "SELECT range::DECIMAL(38, 18) AS cost, hash(range) AS text FROM range(300000)"
    duckdb.sql(f"COPY ({numbers}) TO '{folder}/charges.parquet' (COMPRESSION zstd, ROW_GROUP_SIZE 30720)")
    content = (folder / "charges.parquet").read_bytes()
    assert len(content) > 2 << 20, "more than one reading brings"
    place = host(tmp_path, "host", limit=0)
    place.put_folder(folder, "bills/7/charges/2026-03")
    glob = f"{place.folder_here('bills/7/charges/2026-03')}/*.parquet"
    assert glob.startswith("stored://")
    with duckdb.connect() as db:
        db.register_filesystem(StoredFiles(place))
        question = "SELECT sum(cost), count(DISTINCT text) FROM read_parquet($1)"
        assert db.execute(question, [glob]).fetchone() == (44999850000, 300000)
    stream, size = place.open("bills/7/charges/2026-03/charges.parquet")
    with stream:
        assert b"".join(iter(lambda: stream.read(size // 3), b"")) == content
    assert not (tmp_path / "host" / "copies").exists()


def test_a_second_host_reads_a_copy_again_without_a_transfer_and_never_a_stale_one(s3, tmp_path, monkeypatch):
    one, other = host(tmp_path, "one"), host(tmp_path, "other")
    one.put_folder(write(tmp_path / "made", a=b"first"), "bills/7")
    copy = other.file_here("bills/7/a.csv")
    assert copy.read_bytes() == b"first"
    downloads = []
    monkeypatch.setattr(other, "_download", lambda file, target: downloads.append(target.write_bytes(b"second")))
    assert other.file_here("bills/7/a.csv") == copy
    assert downloads == []
    one.put_folder(write(tmp_path / "made", a=b"second"), "bills/7")
    assert other.file_here("bills/7/a.csv").read_bytes() == b"second"
    assert len(downloads) == 1


def test_copies_that_nobody_used_for_long_make_room(s3, tmp_path):
    one, other = host(tmp_path, "one"), host(tmp_path, "other", limit=250)
    one.put_folder(write(tmp_path / "made", a=b"a" * 100, b=b"b" * 100, c=b"c" * 100), "bills/7")
    copies = [other.file_here(f"bills/7/{name}.csv") for name in "ab"]
    day_ago = time.time() - 86400
    os.utime(copies[0].parent, (day_ago, day_ago))
    copies.append(other.file_here("bills/7/c.csv"))
    assert [copy.exists() for copy in copies] == [False, True, True]


def test_a_download_that_dies_leaves_no_half_copy(s3, tmp_path, monkeypatch):
    one, other = host(tmp_path, "one"), host(tmp_path, "other")
    one.put_folder(write(tmp_path / "made", a=b"whole"), "bills/7")

    def die(file, target):
        target.write_bytes(b"wh")
        raise FilesUnreachable("gone")

    with monkeypatch.context() as broken:
        broken.setattr(other, "_download", die)
        with pytest.raises(FilesUnreachable):
            other.file_here("bills/7/a.csv")
    assert other.file_here("bills/7/a.csv").read_bytes() == b"whole"


@pytest.mark.parametrize("problem", ["away", "denied", "deleted"])
def test_a_bucket_that_is_away_denied_or_deleted_is_not_taken_for_an_empty_one(problem, url, s3, tmp_path, monkeypatch):
    host(tmp_path, "one").put_folder(write(tmp_path / "made", a=b"1"), "bills/7")
    words = {"away": "does not answer", "denied": "refuses access", "deleted": "is not there"}[problem]
    with buckets.refusing_server() as refusing:
        address = {"away": buckets.NOWHERE, "denied": refusing, "deleted": url}[problem]
        if problem == "deleted":
            buckets.delete_bucket(s3)
        with buckets.environment(monkeypatch, address):
            place = host(tmp_path, "other")
            (tmp_path / "new").write_bytes(b"2")
            for ask in (
                lambda: place.list("bills"),
                lambda: place.folders("bills"),
                lambda: place.file_here("bills/7/a.csv"),
                lambda: place.folder_here("bills/7"),
                lambda: place.open("bills/7/a.csv"),
                lambda: place.put(tmp_path / "new", "bills/8/b.csv"),
                lambda: place.remove("bills/7"),
            ):
                with pytest.raises(FilesUnreachable, match=words):
                    ask()


def test_files_are_moved_compared_and_sent_only_once(s3, tmp_path):
    source, target = place_of(str(tmp_path / "var"), var=tmp_path, copies_limit=0), host(tmp_path, "host")
    write(tmp_path / "var/bills/1/delivered", a=b"1", b=b"22")
    write(tmp_path / "var/usage-facts", c=b"333")
    write(tmp_path / "var/postgres", d=b"stays")
    write(tmp_path / "var/bills/1/scratch-1", e=b"half a bill")
    names = []

    def stop(number, count, name):
        names.append(name)
        if number == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        move_files(source, target, stop)
    assert len(target.list()) == 1
    compared = move_files(source, target, lambda *_ignored: None, only_compare=True)
    assert (compared.is_done, len(compared.differ)) == (False, 2)
    move = move_files(source, target, lambda *_ignored: None)
    assert (move.is_done, move.files, move.bytes, move.sent) == (True, 3, 6, 2)
    s3.put_object(Bucket=buckets.BUCKET, Key="site/bills/1/delivered/b.csv", Body=b"23")
    assert move_files(source, target, lambda *_ignored: None).sent == 1
    assert read(target, "bills/1/delivered/b.csv") == b"22"


def test_an_address_that_can_be_no_place_is_refused(tmp_path):
    for address in ("https://example.com/files", "s3://", "ftp://host/folder"):
        with pytest.raises(ValueError, match=r"bucket|folder"):
            place_of(address, var=tmp_path, copies_limit=0)

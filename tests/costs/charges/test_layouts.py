"""Which objects of a bucket are one bill, and which of several is the newest."""

from datetime import UTC, datetime, timedelta

import pytest

from costs.charges.layouts import Entry, packages

START = datetime(2026, 3, 1, tzinfo=UTC)


def bucket(*keys):
    """Objects written one after the other."""
    return [Entry(key, f"etag-{key}", 10, START + timedelta(hours=n)) for n, key in enumerate(keys)]


def find_packages(entries, **manifests):
    return packages(entries, lambda key: manifests[key.rpartition("/")[2].removesuffix("-Manifest.json")])


def names(result):
    return {package.name: package.keys for package in result[0]}


def test_a_legacy_report_is_what_the_manifest_of_its_period_names():
    entries = bucket(
        "pre/cur/20260301-20260401/aaa/cur-1.csv.gz",
        "pre/cur/20260301-20260401/aaa/cur-Manifest.json",
        "pre/cur/20260301-20260401/bbb/cur-1.csv.gz",
        "pre/cur/20260301-20260401/cur-Manifest.json",
    )
    keys = ["pre/cur/20260301-20260401/bbb/cur-1.csv.gz"]
    assert names(find_packages(entries, cur={"reportKeys": keys})) == {"pre/cur/20260301-20260401": tuple(keys)}


@pytest.mark.parametrize("address", ["s3://bucket/", ""])
def test_data_exports_have_their_manifests_apart(address):
    entries = bucket(
        "pre/e/data/BILLING_PERIOD=2026-03/run-1/e-00001.snappy.parquet",
        "pre/e/data/BILLING_PERIOD=2026-03/run-2/e-00001.snappy.parquet",
        "pre/e/metadata/BILLING_PERIOD=2026-03/run-1/e-Manifest.json",
        "pre/e/metadata/BILLING_PERIOD=2026-03/run-2/e-Manifest.json",
    )
    key = "pre/e/data/BILLING_PERIOD=2026-03/run-2/e-00001.snappy.parquet"
    packages = find_packages(entries, e={"dataFiles": [address + key]})
    assert names(packages) == {"pre/e/data/BILLING_PERIOD=2026-03": (key,)}


def test_azure_runs_are_whole_copies_of_which_the_last_counts():
    entries = bucket(
        "dir/export/20260301-20260331/202603050100/guid/part_0.csv",
        "dir/export/20260301-20260331/202603060100/guid/part_0.csv",
        "dir/export/20260301-20260331/202603060100/guid/part_1.csv",
    )
    (package,) = find_packages(entries)[0]
    assert package.keys == tuple(entry.key for entry in entries[1:])


def test_an_azure_manifest_lists_blobs():
    entries = bucket("x/20260301-20260331/r/part_0.csv", "x/20260301-20260331/r/manifest.json")
    result = find_packages(entries, **{"manifest.json": {"blobs": [{"blobName": "x/20260301-20260331/r/part_0.csv"}]}})
    assert names(result) == {"x/20260301-20260331": ("x/20260301-20260331/r/part_0.csv",)}


def test_what_lies_anywhere_else_is_a_bill_by_itself():
    entries = bucket("march.csv", "more/april.csv.gz", "notes.txt", ".hidden.csv")
    assert names(find_packages(entries)) == {"march.csv": ("march.csv",), "more/april.csv.gz": ("more/april.csv.gz",)}


def test_a_mark_changes_with_the_content_and_with_nothing_else():
    before = bucket("march.csv")
    later = [Entry(entry.key, entry.mark, entry.size, entry.modified + timedelta(days=1)) for entry in before]
    other = [Entry(entry.key, "another etag", entry.size, entry.modified) for entry in before]
    marks = [find_packages(entries)[0][0].mark for entries in (before, later, other)]
    assert marks[0] == marks[1] != marks[2]


@pytest.mark.parametrize(
    ("manifest", "message"),
    [
        ({"reportKeys": ["gone.csv"]}, "'gone.csv' that the manifest names is not there yet"),
        ({}, "names no files"),
        ([], "names no"),
    ],
)
def test_a_manifest_that_cannot_be_followed_is_said_and_the_others_go_on(manifest, message):
    entries = bucket("a/20260301-20260401/cur-Manifest.json", "b.csv")
    bills, problems = find_packages(entries, cur=manifest)
    assert [bill.name for bill in bills] == ["b.csv"]
    assert message in problems[0]


RUN, OTHER = "8b3bc0a1-3f0c-4b8e-9c55-0a7c1f1d2e3f", "11112222-3333-4444-5555-666677778888"


@pytest.mark.parametrize(
    "keys",
    [
        (f"o/part-00000-{RUN}-c000.snappy.parquet", f"o/part-00003-{RUN}-c000.snappy.parquet"),
        (f"part-00000-tid-4466-{RUN}-1041-1-c000.csv", f"part-00001-tid-4466-{RUN}-1042-1-c000.csv"),
        (f"part-r-00000-{RUN}.parquet", f"part-r-00001-{RUN}.parquet"),
        (f"o/region=eu/part-00000-{RUN}.c000.parquet", f"o/region=us/part-00000-{RUN}.c000.parquet"),
        ("o/region=eu/data.csv", "o/region=us/data.csv"),
        ("usage0000_part_00.gz", "usage0000_part_01.gz", "usage0003_part_00.gz"),
        ("usage_0_0_0.csv.gz", "usage_0_4_0.csv.gz", "usage_1_2_1.csv.gz"),
        (f"data_{RUN}_0_0_0.csv", f"data_{RUN}_0_1_0.csv"),
        (f"20260305_101112_00012_abcde_{OTHER}.gz", f"20260305_101112_00012_abcde_{RUN}.gz"),
        ("t_20260304-000000000000.csv", "t_20260304-000000000001.csv"),
        ("t_20260304-0000.csv", "t_20260304-0001.csv"),
        ("000000_0.csv", "000001_0.csv"),
        ("data_0.parquet", "data_1.parquet"),
        ("bill-aa.csv", "bill-ab.csv"),
        ("xaa.csv", "xab.csv", "xac.csv"),
        ("bill.1.csv", "bill.2.csv"),
        ("bill (1 of 2).csv", "bill (2 of 2).csv"),
        ("costs-1.json", "costs-2.json"),
    ],
)
def test_parts_of_one_run_are_one_delivery(keys):
    assert [package.keys for package in find_packages(bucket(*keys))[0]] == [keys]


@pytest.mark.parametrize(
    "keys",
    [
        ("usage (5).csv", "usage (6).csv"),
        ("usage_v005.csv", "usage_v006.csv"),
        ("usage-2026-03-05.csv", "usage-2026-03-06.csv"),
        ("usage-05-03-2026.csv", "usage-06-03-2026.csv"),
        ("usage.2026-03-05.csv.gz", "usage.2026-03-06.csv.gz"),
        ("2026/03/05/usage.csv", "2026/03/06/usage.csv"),
        ("date=2026-03-05/usage.csv", "date=2026-03-06/usage.csv"),
        ("bill_4_3_26.csv", "bill_5_3_26.csv"),
        ("bill-1.csv", "bill-2.csv"),
        ("invoice-0001.csv", "invoice-0002.csv", "invoice-0004.csv"),
        (f"part-00000-{RUN}-c000.csv", f"part-00000-{OTHER}-c000.csv"),
        ("lab.csv", "crab.csv"),
        ("team-aa.csv", "team-ac.csv"),
    ],
)
def test_files_of_other_names_are_deliveries_of_their_own(keys):
    assert [package.keys for package in find_packages(bucket(*keys))[0]] == [(key,) for key in keys]


@pytest.mark.parametrize(
    ("keys", "words"),
    [
        (["bill-1of2.csv"], "part 2 of 2 is not there yet"),
        (["x/part-00000.csv", "x/part-00002.csv"], "part 1 is not there yet, and part 2 is"),
    ],
)
def test_a_part_that_is_missing_is_waited_for_and_said(keys, words):
    bills, problems = find_packages(bucket(*keys, "b.csv"))
    assert [bill.name for bill in bills] == ["b.csv"]
    assert words in problems[0]


@pytest.mark.parametrize(
    "keys",
    [
        ("usage_2026-03-05.csv", "usage_2026-03.csv", "usage_2026-03_final.csv"),
        ("u_draft.csv", "u.csv", "u_v2.csv", "u_v10.csv", "u_corrected.csv"),
        ("2026/03/05/usage.csv", "2026/03/06/usage.csv"),
        ("u_202603050100.csv", "u_202603051200.csv"),
        ("u-05-03-2026.csv", "u-06-03-2026.csv", "u-01-04-2026.csv"),
    ],
)
def test_of_files_written_at_once_the_names_say_the_order_and_else_the_time(keys):
    at_once = [Entry(key, "", 1, START) for key in reversed(keys)]
    assert [package.name for package in find_packages(at_once)[0]] == list(keys)
    backwards = bucket(*reversed(keys))
    assert [package.name for package in find_packages(backwards)[0]] == list(reversed(keys))


@pytest.mark.parametrize(
    ("usage", "prices"),
    [
        ("usage.csv", "list_prices.csv"),
        (f"db/usage/part-00000-{RUN}.c000.parquet", f"db/list_prices/part-00000-{OTHER}.c000.parquet"),
    ],
)
def test_usage_comes_with_the_price_list_beside_it(usage, prices):
    (package,), problems = find_packages(bucket(usage, prices))
    assert (package.name, package.keys, problems) == (usage, (usage, prices), [])
    assert [alone.name for alone in find_packages(bucket(prices))[0]] == [prices]


@pytest.mark.parametrize("table", ["", "x/usage/"])
def test_the_files_of_a_delta_table_are_not_taken_for_a_bill(table):
    keys = [f"{table}_delta_log/00000000000000000000.json", f"{table}part-00000-{RUN}.c000.snappy.parquet"]
    bills, problems = find_packages(bucket(*keys))
    assert bills == []
    assert "is a Delta table: which of its files count stands in _delta_log" in problems[0]

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

"""A source ends with the same books whether it looks after each file or once at the end, and so does load_bill."""

import gzip
import os
from decimal import Decimal

import pytest

from costs.ingest.load import load_bill
from costs.ingest.receive import receive_bill
from costs.models import Delivery, Source
from costs.versions.decisions import accept_delivery, stand_beside
from tests import bills
from tests.costs.charges.test_vendors import TestDatabricks as Databricks
from tests.costs.versions.test_streams import (
    assert_green,
    azure_csv,
    azure_manifest,
    billed,
    fetch,
    focus_day,
    inbox,  # noqa: F401
    load,
    put,
)

pytestmark = pytest.mark.django_db


def days(*rows, **more):
    """A FOCUS file: rows of (day of March, cost)."""
    return bills.focus_csv([focus_day(f"2026-03-{day:02}", str(cost), **more) for day, cost in rows])


def month_to_date(name):
    """What was billed until the 5th, and a day later until the 6th."""
    return [{name("05"): days((4, 10), (5, 10))}, {name("06"): days((4, 10), (5, 10), (6, 7))}], 27


def of_one_day(name):
    return [{name("04"): days((4, 10))}, {name("05"): days((5, 7))}], 17


def parts(*names):
    """Parts of one run, all of the same day and resource: 1, 2, 4, 8, ..."""
    return [{name: days((4, 2**n))} for n, name in enumerate(names)], 2 ** len(names) - 1


def corrected(first, second):
    return [{first: days((5, 10))}, {second: days((5, 11))}], 11


UUID, OTHER = "8b3bc0a1-3f0c-4b8e-9c55-0a7c1f1d2e3f", "11112222-3333-4444-5555-666677778888"
DATED = {
    "a date at the end": "usage-2026-03-{}.csv",
    "a date in front": "2026-03-{}-usage.csv",
    "eight digits": "202603{}_usage.csv",
    "a moment": "usage_202603{}T120000Z.csv",
    "day, month and year": "usage-{}-03-2026.csv",
    "a date behind a point": "usage.2026-03-{}.csv.gz",
    "a folder for each day": "2026-03-{}/usage.csv",
    "a partition for each day": "date=2026-03-{}/usage.csv",
    "folders of year, month and day": "2026/03/{}/usage.csv",
    "a date and an id": "usage-2026-03-{}-3f2a9c1e.csv",
    "a counter in brackets": "usage ({}).csv",
    "a version": "usage_v{}.csv",
}
SHAPES = (
    {f"month to date, {words}": month_to_date(name.format) for words, name in DATED.items()}
    | {f"days, {words}": of_one_day(name.format) for words, name in DATED.items()}
    | {
        "Spark": parts(f"o/part-00000-{UUID}-c000.csv", f"o/part-00001-{UUID}-c000.csv"),
        "Spark, some tasks without rows": parts(f"part-00000-{UUID}.c000.csv", f"part-00007-{UUID}.c000.csv"),
        "Databricks": parts(*(f"part-0000{n}-tid-11-{UUID}-{40 + n}-1-c000.csv" for n in range(3))),
        "Spark in partitions": parts(*(f"o/region={n}/part-0000{n}-{UUID}.c000.csv" for n in range(2))),
        "one file in each partition": parts("o/region=eu/data.csv", "o/region=us/data.csv"),
        "Redshift": parts("usage0000_part_00.csv", "usage0001_part_00.csv", "usage0001_part_01.csv"),
        "Redshift, one after the other": parts("usage000.csv", "usage001.csv"),
        "Snowflake": parts("usage_0_0_0.csv", "usage_0_1_0.csv", "usage_0_4_0.csv"),
        "Snowflake with the id of the query": parts(f"data_{UUID}_0_0_0.csv", f"data_{UUID}_1_0_0.csv"),
        "Athena": parts(*(f"20260305_101112_00012_abcde_{n}.csv" for n in (OTHER, UUID))),
        "BigQuery": parts("t-000000000000.csv", "t-000000000001.csv"),
        "BigQuery, a table of a month": parts("t_202603-000000000000.csv", "t_202603-000000000001.csv"),
        "BigQuery, a table of a day": parts("t_20260304-000000000000.csv", "t_20260304-000000000001.csv"),
        "four digits behind a date": parts("t_20260304-0000.csv", "t_20260304-0001.csv"),
        "split": parts("bill-aa.csv", "bill-ab.csv", "bill-ac.csv"),
        "split without a name": parts("xaa.csv", "xab.csv"),
        "numbers behind a point": parts("bill.1.csv", "bill.2.csv"),
        "three digits": parts("bill_001.csv", "bill_002.csv"),
        "the word part": parts("bill_part1.csv", "bill_part2.csv"),
        "Hive": parts("000000_0.csv", "000001_0.csv"),
        "DuckDB": parts("data_0.csv", "data_1.csv"),
        "month to date, numbers like those of parts": month_to_date(lambda day: f"bill_0{int(day) - 4:02}.csv"),
        "month to date, partitions of year, month and day": month_to_date(
            lambda day: f"b/year=2026/month=03/day={day}/u.csv"
        ),
        "days, partitions of year, month and day": of_one_day(lambda day: f"b/year=2026/month=03/day={day}/u.csv"),
        "a corrected file": corrected("march.csv", "march-corrected.csv"),
        "a final file": corrected("usage_2026-03.csv", "usage_2026-03_final.csv"),
        "a second version": corrected("usage_2026-03.csv", "usage_2026-03_v2.csv"),
        "a second download": corrected("bill.csv", "bill (1).csv"),
        "another name that comes later": corrected("a.csv", "b.csv"),
        "another name that comes before": corrected("b.csv", "a.csv"),
        "a dated file and then one without a date": corrected("usage_20260331.csv", "usage.csv"),
        "a later date and then an earlier one": corrected("a-2026-03-31.csv", "b-2026-03-01.csv"),
        "the same again": ([{"a.csv": days((5, 5))}, {"copy of a.csv": days((5, 5))}], 5),
        "the same again under any name": ([{"a.csv": days((5, 5))}, {"b.csv": days((5, 5))}], 5),
        "the first content again": (
            [{"a.csv": days((5, 10))}, {"b.csv": days((5, 11))}, {"c.csv": days((5, 10))}],
            10,
        ),
        "two days in shards": (
            [{f"t_2026030{day}-00000000000{n}.csv": days((day, 1 + n))} for day in (4, 5) for n in (0, 1)],
            6,
        ),
        "two runs of Spark": (
            [
                {f"part-0000{n}-{run}-c000.csv": days((4, cost))}
                for run, costs in ((UUID, (5, 7)), (OTHER, (5, 8)))
                for n, cost in enumerate(costs)
            ],
            13,
        ),
        "periods of one export that overlap": (
            [
                {"d/wk/20260301-20260307/r1/part_0_0001.csv": azure_csv((2, "10"), (3, "10"))},
                {"d/wk/20260302-20260308/r2/part_0_0001.csv": azure_csv((2, "10"), (3, "10"), (8, "20"))},
            ],
            40,
        ),
        "periods of one export that do not": (
            [
                {"d/wk/20260301-20260307/r1/part_0_0001.csv": azure_csv((2, "10"))},
                {"d/wk/20260308-20260314/r2/part_0_0001.csv": azure_csv((9, "20"))},
            ],
            30,
        ),
    }
)


@pytest.mark.parametrize("shape", SHAPES)
def test_the_time_of_a_look_does_not_change_the_books(shape, inbox):  # noqa: F811
    steps, expected = SHAPES[shape]
    problems = []
    for files in steps:
        put(
            inbox, {name: gzip.compress(text, mtime=0) if name.endswith("gz") else text for name, text in files.items()}
        )
        problems = fetch("after each")[1]
    problems += fetch("once")[1]
    for receipt in receive_bill("by hand", [inbox]):
        load_bill(receipt.delivery) if receipt.is_new else None
    held = list(Delivery.objects.filter(status="held").values_list("source__name", "held_because"))
    books = {name: set(billed(name).values()) for name in ("after each", "once", "by hand")}
    assert (problems, held) == ([], [])
    assert books == {name: {expected} for name in books}
    # What was read is not read again.
    assert fetch("after each") == fetch("once") == ([], [])
    assert not any(receipt.is_new for receipt in receive_bill("by hand", [inbox]))
    assert_green()


def test_of_files_copied_at_once_the_names_say_which_is_newer(inbox):  # noqa: F811
    """A fresh clone gives all files one time: eli's archive holds the month so far, and then its final version."""
    files = {
        "usage_2026-03_final.csv": days((4, 10), (5, 12)),
        "usage_2026-03-04.csv": days((4, 10)),
        "usage_2026-03.csv": days((4, 10), (5, 11)),
    }
    put(inbox, files)
    for path in inbox.iterdir():
        os.utime(path, (1_772_000_000, 1_772_000_000))
    assert fetch()[1] == []
    load(inbox)
    assert billed("fetched") == billed("by hand") == {"USD": 22}
    assert_green()


def test_a_part_of_how_many_waits_for_the_others(inbox):  # noqa: F811
    put(inbox, {"bill-1of2.csv": days((4, 5))})
    assert fetch() == ([], ["bill-1of2.csv: part 2 of 2 is not there yet. They are read once all are there."])
    put(inbox, {"bill-2of2.csv": days((4, 7))})
    assert fetch()[1] == []
    load(inbox)
    assert billed("fetched") == billed("by hand") == {"USD": 12}


@pytest.mark.parametrize("names", [("bill-1.csv", "bill-2.csv"), ("eu/usage.csv", "us/usage.csv")])
def test_files_that_share_no_row_are_never_taken_for_versions_without_a_question(names, inbox):  # noqa: F811
    """Their names do not say whether they are parts or versions, and what they bill says that they are no versions."""
    for name, machine, cost in zip(names, ("vm-1", "vm-2"), (5, 7), strict=True):
        put(inbox, {name: days((4, cost), ResourceId=machine)})
        assert fetch("after each")[1] == []
    deliveries, problems = fetch("once")
    assert (problems, [delivery.status for delivery in deliveries]) == ([], ["current", "held"])
    assert billed("after each") == billed("once") == {"USD": 5}
    (reason,) = deliveries[1].held_because
    assert f"It bills other resources than delivery {deliveries[0].pk} on the same days" in reason
    # Fay counts it beside the first; a newer version of the first replaces the first alone.
    assert stand_beside(deliveries[1], None, None)
    load_bill(deliveries[1])
    assert billed("once") == {"USD": 12}
    put(inbox, {names[0]: days((4, 6), ResourceId="vm-1")})
    (newer,), _ = fetch("once")
    assert (newer.status, newer.held_because, billed("once")) == ("current", [], {"USD": 13})
    assert_green()


def test_two_files_of_one_upload_with_the_same_bytes_count_once(tmp_path):
    paths = [bills.write(tmp_path, name, days((5, 5))) for name in ("a.csv", "copy of a.csv")]
    (delivery,) = load(*paths)
    assert (billed("by hand"), delivery.message) == (
        {"USD": 5},
        "copy of a.csv holds the same bytes as a.csv: they count once.",
    )


def test_in_a_source_that_adds_files_of_two_names_both_count_whatever_they_hold(tmp_path, inbox):  # noqa: F811
    for name, cost in (("x1.csv", 5), ("x2.csv", 5), ("x1.csv", 6)):
        load(bills.write(tmp_path, name, days((7, cost))), mode="append")
        put(inbox, {name: days((7, cost))})
    Source.objects.create(name="fetched", kind="folder", bucket="bills", delivery_mode="append")
    fetch()
    assert billed("by hand") == billed("fetched") == {"USD": 11}


def test_an_azure_export_without_commitments_is_of_the_view_that_its_folder_names(inbox):  # noqa: F811
    rows = azure_csv((5, 100))
    put(inbox, {f"d/{kind}-cost/20260301-20260331/1/part_0_0001.csv": rows for kind in ("actual", "amortized")})
    assert fetch()[1] == []
    load(inbox)
    for source in ("fetched", "by hand"):
        assert (billed(source), billed(source, metric="effective_cost")) == ({"EUR": 100}, {"EUR": 100})
    load(inbox / "d" / "amortized-cost", source="one export")
    assert (billed("one export"), billed("one export", metric="effective_cost")) == ({"EUR": None}, {"EUR": 100})
    assert_green()


def test_a_second_export_of_the_same_bill_is_held_and_says_which_to_keep(inbox):  # noqa: F811
    run = "{}/20260301-20260331/202603051200/x"
    focus = days((5, 100), account="9ec5", ProviderName="Microsoft", BillingCurrency="EUR", BillingAccountId="861")
    files = {"actual": azure_csv((5, 100)), "amortized": azure_csv((5, 100)), "focus": focus}
    kinds = {"actual": "ActualCost", "amortized": "AmortizedCost", "focus": "FocusCost"}
    for name, text in files.items():
        put(inbox, {f"{run.format(name)}/part_0_0001.csv": text})
        put(
            inbox,
            {
                f"{run.format(name)}/manifest.json": azure_manifest(
                    name, run.format(name), "part_0_0001.csv", kind=kinds[name]
                )
            },
        )
    deliveries, problems = fetch()
    assert (problems, [delivery.status for delivery in deliveries]) == ([], ["current", "current", "held"])
    assert (billed("fetched"), billed("fetched", metric="effective_cost")) == ({"EUR": 100}, {"EUR": 100})
    (reason,) = deliveries[2].held_because
    assert reason.startswith(
        "Mar 2026: actual, amortized of this source already bills the same days of 9ec5: with focus"
    )
    assert f"withdraw delivery {deliveries[0].pk}, {deliveries[1].pk} and accept this one" in reason
    # Accepted once, the two stand beside each other, and nobody asks again.
    accept_delivery(deliveries[2], None)
    load_bill(deliveries[2])
    assert billed("fetched") == {"EUR": 200}
    put(inbox, {f"{run.format('focus')}/part_0_0001.csv": focus + b"\n"})
    (again,), _ = fetch()
    assert again.status == "current"
    assert_green()


def test_a_source_joins_usage_and_its_price_list(inbox):  # noqa: F811
    put(inbox, {"usage.csv": Databricks.USAGE.encode(), "list_prices.csv": Databricks.PRICES.encode()})
    (delivery,), problems = fetch()
    load(inbox)
    assert (problems, delivery.format.split()[0]) == ([], "databricks")
    assert billed("fetched") == billed("by hand") == {"USD": Decimal("39.64437")}

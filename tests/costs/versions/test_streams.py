"""A delivery replaces what its stream brought before and nothing else, through load_bill and through a source alike."""

import itertools
import json
import os
import shutil
from pathlib import Path

import pytest
from django.urls import reverse

from costs import reconciliation
from costs.ingest.load import load_bill
from costs.ingest.receive import receive_bill
from costs.models import MonthRollup, Source, Stream
from costs.sources import sync
from finops_site.lib.periods import Month
from tests import bills

pytestmark = pytest.mark.django_db

SHARED = Path(__file__).resolve().parents[4] / "shared" / "cases" / "bills"
AZURE = (
    "BillingAccountId,BillingPeriodStartDate,BillingPeriodEndDate,SubscriptionId,Date,MeterCategory,ConsumedService,"
    "CostInBillingCurrency,BillingCurrencyCode,ChargeType,PricingModel,ResourceId"
)


def azure_csv(*rows, subscription="9ec5"):
    """Rows (day of March, cost) of an EA export."""
    lines = [
        f"861,03/01/2026,03/31/2026,{subscription},03/{day:02}/2026,Virtual Machines,Microsoft.Compute,{cost},EUR,"
        f"Usage,OnDemand,/subscriptions/{subscription}/vm-1"
        for day, cost in rows
    ]
    return "\n".join([AZURE, *lines, ""]).encode()


def focus_day(day, cost, account="42", **more):
    moment = f"{day}T00:00:00Z"
    return {"BilledCost": cost, "ChargePeriodStart": moment, "SubAccountId": account, **more}


MINUTES = itertools.count(1_772_000_000, 60)


def put(folder, files):
    """Writes the files one after the other, as a bucket would have them."""
    for name, content in files.items():
        written, path = next(MINUTES), folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else json.dumps(content).encode())
        os.utime(path, (written, written))


@pytest.fixture
def inbox(tmp_path, settings):
    settings.FINOPS_FOLDERS = [str(tmp_path / "inbox")]
    (tmp_path / "inbox" / "bills").mkdir(parents=True)
    return tmp_path / "inbox" / "bills"


def fetch(name="fetched"):
    source, _ = Source.objects.get_or_create(name=name, defaults={"kind": "folder", "bucket": "bills"})
    done = sync.synchronise(source)
    return [load_bill(receipt.delivery) for receipt in done.received if receipt.is_new], done.problems


def load(*paths, source="by hand", **options):
    deliveries = [load_bill(receipt.delivery) for receipt in receive_bill(source, paths, **options) if receipt.is_new]
    assert {delivery.status for delivery in deliveries} <= {"current", "superseded"}, [d.message for d in deliveries]
    return deliveries


def billed(source, month=None, metric="billed_cost"):
    rows = MonthRollup.objects.current().filter(delivery_month__delivery__source__name=source)
    rows = rows.filter(billing_month=Month.parse(month).start) if month else rows
    return {currency: sums[metric] for currency, sums in rows.totals([metric]).items()}


def assert_green():
    assert [check for check in reconciliation.reconcile() if not check.holds] == []


def azure_manifest(export, path, *names, kind="ActualCost"):
    return {
        "exportConfig": {"exportName": export, "type": kind, "resourceId": "/subscriptions/9EC5"},
        "runInfo": {"runId": path.rpartition("/")[2], "startDate": "2026-03-01T00:00:00"},
        "blobs": [{"blobName": f"{path}/{name}", "byteCount": 1} for name in names],
    }


RUN = "exp/20260301-20260331/202603051200/8f1c"
LAYOUTS = {
    "a month-to-date export writes one more file into the folder of its period": (
        {
            "daily/20260301-20260331/daily_1b1f.csv": azure_csv((1, 10)),
            "daily/20260301-20260331/daily_9c22.csv": azure_csv((1, 10), (2, 20)),
        },
        {"EUR": 30},
    ),
    "runs have folders whose names are the time they began": (
        {
            "exp/20260301-20260331/202603061200/b/part_0_0001.csv": azure_csv((1, 12)),
            "exp/20260301-20260331/202603051200/a/part_0_0001.csv": azure_csv((1, 10)),
        },
        {"EUR": 12},
    ),
    "a run in parts with its manifest": (
        {
            f"{RUN}/part_0_0001.csv": azure_csv((1, 5)),
            f"{RUN}/part_1_0001.csv": azure_csv((2, 6)),
            f"{RUN}/manifest.json": azure_manifest("exp", RUN, "part_0_0001.csv", "part_1_0001.csv"),
        },
        {"EUR": 11},
    ),
    "an export for each subscription in one container": (
        {
            "one/daily/20260301-20260331/daily_a1.csv": azure_csv((1, 70), subscription="aaaa"),
            "two/daily/20260301-20260331/daily_b2.csv": azure_csv((1, 30), subscription="bbbb"),
        },
        {"EUR": 100},
    ),
    "loose files of two subscriptions": (
        {
            "sub-1.csv": azure_csv((1, 70), subscription="aaaa"),
            "sub-2.csv": azure_csv((1, 30), subscription="bbbb"),
        },
        {"EUR": 100},
    ),
    "a price sheet beside the costs is no bill": (
        {
            f"{RUN}/part_0_0001.csv": azure_csv((1, 5)),
            f"{RUN}/manifest.json": azure_manifest("exp", RUN, "part_0_0001.csv"),
            "prices/20260301-20260331/1/part_0.csv": b"MeterId,UnitPrice\n1,2\n",
            "prices/20260301-20260331/1/manifest.json": azure_manifest("p", "prices", "part_0.csv", kind="PriceSheet"),
        },
        {"EUR": 5},
    ),
    "an Athena report has its Parquet and a status file elsewhere": (
        {
            "cur/rep/rep/year=2026/month=3/rep-00001.csv": bills.focus_csv([focus_day("2026-03-01", "60")]),
            "cur/rep/rep/year=2026/month=3/rep-00002.csv": bills.focus_csv([focus_day("2026-03-02", "40")]),
            "cur/rep/rep/year=2026/month=3/rep-00003.csv": bills.focus_csv([focus_day("2026-03-03", "9")]),
            "cur/rep/cost_and_usage_data_status/cost_and_usage_data_status.parquet": b"PAR1",
            "cur/rep/20260301-20260401/rep-Manifest.json": {
                "reportKeys": [f"cur/rep/rep/year=2026/month=3/rep-0000{number}.csv" for number in (1, 2)]
            },
        },
        {"USD": 100},
    ),
    "data exports have their manifests apart": (
        {
            "e/data/BILLING_PERIOD=2026-03/cur2-00001.csv": bills.focus_csv([focus_day("2026-03-01", "7")]),
            "e/metadata/BILLING_PERIOD=2026-03/cur2-Manifest.json": {
                "dataFiles": ["s3://bucket/pre/e/data/BILLING_PERIOD=2026-03/cur2-00001.csv"]
            },
        },
        {"USD": 7},
    ),
    "data exports that create new runs": (
        {
            "data/BILLING_PERIOD=2026-03/20260306T000000Z-bbbb/c-00001.csv": bills.focus_csv(
                [focus_day("2026-03-01", "10")]
            ),
            "data/BILLING_PERIOD=2026-03/20260305T000000Z-aaaa/c-00001.csv": bills.focus_csv(
                [focus_day("2026-03-01", "7")]
            ),
        },
        {"USD": 10},
    ),
    "partitions inside a period are one run": (
        {
            "data/BILLING_PERIOD=2026-03/account=1/d.csv": bills.focus_csv([focus_day("2026-03-01", "4", "1")]),
            "data/BILLING_PERIOD=2026-03/account=2/d.csv": bills.focus_csv([focus_day("2026-03-01", "5", "2")]),
        },
        {"USD": 9},
    ),
    "Oracle writes several reports a day that add up": (
        {
            "reports/cost-csv/0001000000611546.csv": bills.focus_csv([focus_day("2026-03-01", "15")]),
            "reports/cost-csv/0001000000611547.csv": bills.focus_csv([focus_day("2026-03-01", "-2")]),
            "reports/usage-csv/0001000000611547.csv": b"lineItem/referenceNo,usage\n1,2\n",
        },
        {"USD": 13},
    ),
    "a table in numbered shards": (
        {
            "bq/costs-000000000000.csv": bills.focus_csv([focus_day("2026-03-01", "15")]),
            "bq/costs-000000000001.csv": bills.focus_csv([focus_day("2026-03-01", "-2")]),
        },
        {"USD": 13},
    ),
    "a month in a file of its own, each day the whole month so far": (
        {
            "bill-2026-03-01.csv": bills.focus_csv([focus_day("2026-03-01", "10")]),
            "bill-2026-03-02.csv": bills.focus_csv([focus_day("2026-03-01", "10"), focus_day("2026-03-02", "20")]),
        },
        {"USD": 30},
    ),
    "a day in a file of its own": (
        {
            "bill-2026-03-01.csv": bills.focus_csv([focus_day("2026-03-01", "10")]),
            "bill-2026-03-02.csv": bills.focus_csv([focus_day("2026-03-02", "20")]),
        },
        {"USD": 30},
    ),
}


@pytest.mark.parametrize("layout", LAYOUTS)
def test_a_folder_is_the_same_bill_through_load_bill_and_through_a_source(layout, inbox):
    files, expected = LAYOUTS[layout]
    put(inbox, files)
    _deliveries, problems = fetch()
    assert (problems, billed("fetched")) == ([], expected)
    load(inbox)
    assert billed("by hand") == expected
    assert_green()
    # A second look changes nothing, and neither does the folder one level further down.
    assert fetch() == ([], [])
    folders = {path.parent for path in inbox.rglob("*") if path.is_file() and path.parent != inbox}
    inner = inbox / os.path.commonpath([path.relative_to(inbox) for path in folders]) if folders else inbox
    receipts = receive_bill("by hand", [inner])
    assert all(load_bill(receipt.delivery).status == "current" for receipt in receipts if receipt.is_new)
    assert billed("by hand") == expected
    assert_green()


CASES = {
    "01-azure-mtd-runs-same-folder": {"EUR": 30},
    "02-aws-cur-athena-parquet-layout": {"USD": 100},
    "03-aws-data-exports-folder": {"USD": 7},
    "04-azure-partitioned-folder": {"EUR": 11},
    "42-data-exports-create-new-runs-local": {"USD": 10},
}


@pytest.mark.skipif(not SHARED.exists(), reason="the shared cases are not here; the hand-written ones still run")
@pytest.mark.parametrize("case", CASES)
def test_real_cases_of_layouts(case, inbox):
    shutil.copytree(SHARED / case / "in", inbox, dirs_exist_ok=True)
    assert fetch()[1] == []
    load(SHARED / case / "in")
    assert billed("fetched") == billed("by hand") == CASES[case]
    assert_green()


def test_exports_of_one_container_replace_each_their_own(inbox):
    files = {
        "one/daily/20260301-20260331/a.csv": azure_csv((1, 70), subscription="aaaa"),
        "two/daily/20260301-20260331/b.csv": azure_csv((1, 30), subscription="bbbb"),
    }
    put(inbox, files)
    fetch()
    put(inbox, {"two/daily/20260301-20260331/b.csv": azure_csv((1, 30), (2, 31), subscription="bbbb")})
    fetch()
    assert billed("fetched") == {"EUR": 131}
    assert list(Stream.objects.values_list("export", flat=True)) == ["one/daily", "two/daily"]


def test_the_actual_and_the_amortized_export_are_two_views_of_one_month(inbox):
    for kind, view, cost in (("ActualCost", "actual", 100), ("AmortizedCost", "amortized", 72)):
        run = f"{view}/20260301-20260331/202603051200/x"
        put(inbox, {f"{run}/part_0_0001.csv": azure_csv((1, cost))})
        manifest = azure_manifest(view, run, "part_0_0001.csv", kind=kind)
        put(inbox, {f"{run}/manifest.json": manifest})
    fetch()
    assert (billed("fetched"), billed("fetched", metric="effective_cost")) == ({"EUR": 100}, {"EUR": 72})
    # The manifest's word counts: neither file has a row that only one view has.
    assert set(Stream.objects.values_list("export", "view", "partition")) == {
        ("actual", "actual", "9ec5"),
        ("amortized", "amortized", "9ec5"),
    }
    load(inbox)
    assert (billed("by hand"), billed("by hand", metric="effective_cost")) == ({"EUR": 100}, {"EUR": 72})
    assert_green()


def test_an_amortized_run_in_parts_is_amortized_in_all_of_them(inbox):
    """Neither part has a row that only one view has: 100 of usage in the one, 72 in the other, all of it effective."""
    run = "amortized/20260301-20260331/202603051200/x"
    names = ("part_0_0001.csv", "part_1_0001.csv")
    put(
        inbox,
        {f"{run}/{name}": azure_csv((day, cost)) for name, day, cost in zip(names, (1, 2), (100, 72), strict=True)},
    )
    put(inbox, {f"{run}/manifest.json": azure_manifest("amortized", run, *names, kind="AmortizedCost")})
    (delivery,), problems = fetch()
    assert (delivery.status, delivery.format.split()[0], problems) == ("current", "azure-amortized", [])
    by_folder = load(inbox, source="folder")
    by_manifest = load(inbox / run / "manifest.json", source="manifest")
    assert len(by_folder) == len(by_manifest) == 1
    for source in ("fetched", "folder", "manifest"):
        assert (billed(source), billed(source, metric="effective_cost")) == ({"EUR": None}, {"EUR": 172})
    assert_green()


@pytest.mark.parametrize("kind", ["ActualCost", "AmortizedCost"])
def test_a_manifest_does_not_make_a_bill_of_a_file_that_is_none(inbox, kind):
    put(inbox, {f"{RUN}/part_0_0001.csv": b"Date,Cost,Department\n03/01/2026,10,Sales\n"})
    put(inbox, {f"{RUN}/manifest.json": azure_manifest("exp", RUN, "part_0_0001.csv", kind=kind)})
    (delivery,), _ = fetch()
    assert delivery.status == "failed"
    assert delivery.message.startswith("part_0_0001.csv: none of the formats we read has this header")
    assert billed("fetched") == {}


@pytest.mark.parametrize("order", [("july", "august"), ("august", "july")])
def test_the_last_hours_of_a_month_may_lie_in_the_file_of_the_next(tmp_path, order):
    july, august = ({"BillingPeriodStart": f"2026-0{number}-01T00:00:00Z"} for number in (7, 8))
    texts = {
        "july": [focus_day("2026-07-15", "100", **july)],
        "august": [focus_day("2026-08-01", "2", **july), focus_day("2026-08-02", "80", **august)],
    }
    for name in order:
        load(bills.write(tmp_path, f"{name}.csv", bills.focus_csv(texts[name])))
    assert (billed("by hand", "2026-07"), billed("by hand", "2026-08")) == ({"USD": 102}, {"USD": 80})
    # A newer file of August without the two hours takes them back, and July's own file stays.
    load(bills.write(tmp_path, "august-2.csv", bills.focus_csv([focus_day("2026-08-02", "81", **august)])))
    assert (billed("by hand", "2026-07"), billed("by hand", "2026-08")) == ({"USD": 100}, {"USD": 81})
    assert_green()


@pytest.mark.skipif(not SHARED.exists(), reason="the shared cases are not here; the hand-written ones still run")
@pytest.mark.parametrize("order", [("july", "august"), ("august", "july")])
def test_the_real_case_of_crossover_rows(order):
    for name in order:
        load(SHARED / "49-gcp-crossover-rows-of-the-month-before" / f"{name}.jsonl")
    assert (billed("by hand", "2026-07"), billed("by hand", "2026-08")) == ({"USD": 102}, {"USD": 80})


def test_an_object_that_adds_up_supersedes_itself(inbox):
    source = Source.objects.create(name="fetched", kind="folder", bucket="bills", delivery_mode=Source.Mode.APPEND)
    put(inbox, {"one.csv": bills.focus_csv([focus_day("2026-03-01", "10")])})
    fetch()
    put(inbox, {"two.csv": bills.focus_csv([focus_day("2026-03-01", "5")])})
    fetch()
    put(inbox, {"one.csv": bills.focus_csv([focus_day("2026-03-01", "10"), focus_day("2026-03-02", "1")])})
    fetch()
    assert (source.name, billed("fetched")) == ("fetched", {"USD": 16})


def test_a_file_that_fay_uploads_replaces_what_was_fetched_of_the_same_days(inbox, tmp_path):
    put(inbox, {"exp/20260301-20260331/a.csv": azure_csv((1, 70))})
    fetch()
    load(bills.write(tmp_path, "corrected.csv", azure_csv((1, 71))), source="fetched")
    assert billed("fetched") == {"EUR": 71}
    put(inbox, {"exp/20260301-20260331/a.csv": azure_csv((1, 72))})
    fetch()
    assert billed("fetched") == {"EUR": 72}
    assert_green()


def test_a_part_that_a_manifest_names_and_that_is_not_there_leaves_the_good_month(inbox):
    names = ("part_0_0001.csv", "part_1_0001.csv")
    put(inbox, {f"{RUN}/{name}": azure_csv((1, 5)) for name in names})
    put(inbox, {f"{RUN}/manifest.json": azure_manifest("exp", RUN, *names)})
    fetch()
    newer = RUN.replace("202603051200", "202603061200")
    put(inbox, {f"{newer}/part_0_0001.csv": azure_csv((1, 9))})
    manifest = azure_manifest("exp", newer, *names)
    put(inbox, {f"{newer}/manifest.json": manifest})
    deliveries, problems = fetch()
    assert deliveries == []
    assert "part_1_0001.csv" in problems[0]
    assert "not there yet" in problems[0]
    assert billed("fetched") == {"EUR": 10}


def test_a_shard_that_is_missing_is_waited_for(inbox):
    put(inbox, {f"t-00000000000{n}.csv": bills.focus_csv([focus_day("2026-03-01", "1")]) for n in (0, 1, 3)})
    deliveries, problems = fetch()
    assert deliveries == []
    assert "part 2 is not there yet" in problems[0]


def test_fay_sees_the_streams_of_a_source_and_how_far_each_is_delivered(inbox, fay, client_of):
    put(inbox, {"exp/20260301-20260331/a.csv": azure_csv((1, 70), (7, 1))})
    (delivery,) = fetch()[0]
    page = client_of(fay).get(reverse("costs:source", args=[delivery.source_id])).content.decode()
    for words in ("Streams", "exp", "actual", "7 Mar 2026", f"#{delivery.pk}"):
        assert words in page
    assert "fetched, exp, actual view" in client_of(fay).get(delivery.get_absolute_url()).content.decode()


def test_two_payers_without_accounts_stand_beside_each_other(tmp_path):
    for payer, cost in (("X1", "100"), ("X2", "102")):
        rows = [focus_day("2026-03-01", cost, "", BillingAccountId=payer)]
        load(bills.write(tmp_path, f"{payer}.csv", bills.focus_csv(rows)))
    assert billed("by hand") == {"USD": 202}


def test_ids_are_alike_whatever_their_case(tmp_path):
    for account, cost in (("ABCD-1", "100"), ("abcd-1", "101")):
        load(bills.write(tmp_path, f"{cost}.csv", bills.focus_csv([focus_day("2026-03-01", cost, account)])))
    assert billed("by hand") == {"USD": 101}


def test_a_report_that_adds_up_is_the_same_one_by_hand_packed_and_fetched(inbox, tmp_path):
    reports = {f"r/cost-csv/000100000000000{n}.csv": cost for n, cost in ((1, "5"), (2, "8"), (3, "-2"))}
    put(inbox, {name: bills.focus_csv([focus_day("2026-03-01", cost)]) for name, cost in reports.items()})
    fetch()
    assert billed("fetched") == {"USD": 11}
    load(inbox, source="fetched")
    load(inbox / "r/cost-csv/0001000000000002.csv", source="fetched")
    newer = bills.focus_csv([focus_day("2026-03-01", "9")])
    load(bills.write(tmp_path, "0001000000000002.csv.gz", newer), source="fetched")
    assert billed("fetched") == {"USD": 12}
    assert_green()


def test_load_bill_at_two_depths_counts_once(inbox):
    files = {"x/a": ("aaaa", 10), "x/b": ("bbbb", 20), "y/c": ("cccc", 5)}
    for path, (subscription, cost) in files.items():
        put(inbox, {f"{path}/20260301-20260331/e.csv": azure_csv((1, cost), subscription=subscription)})
    load(inbox / "x")
    load(inbox)
    assert billed("by hand") == {"EUR": 35}
    assert_green()


@pytest.mark.parametrize(
    "names",
    [
        ("20260301_costs.csv", "20260302_costs.csv"),
        ("costs_20260301_8f1c.csv", "costs_20260302_1b2d.csv"),
        ("costs-2026-03-01T06-00-00.csv", "costs-2026-03-02T06-00-00.csv"),
    ],
)
def test_a_date_anywhere_in_the_name_dates_a_snapshot(names, inbox):
    first, second = (focus_day("2026-03-01", "10"), focus_day("2026-03-02", "10"))
    put(inbox, {names[0]: bills.focus_csv([first]), names[1]: bills.focus_csv([first, second])})
    fetch()
    load(inbox)
    assert billed("fetched") == billed("by hand") == {"USD": 20}


def test_the_same_file_downloaded_twice_counts_once(tmp_path):
    text = bills.focus_csv([focus_day("2026-03-01", "50")])
    load(bills.write(tmp_path, "bill.csv", text), bills.write(tmp_path, "bill (1).csv", text))
    assert billed("by hand") == {"USD": 50}


def test_an_export_stays_the_view_it_was_in_a_month_without_commitments(inbox):
    used = azure_csv((1, 100)).replace(b"OnDemand", b"Reservation")
    put(inbox, {"amortized/20260301-20260331/e.csv": used})
    fetch()
    april = azure_csv((1, 100)).replace(b"03/01/2026", b"04/01/2026").replace(b"03/31/2026", b"04/30/2026")
    put(inbox, {"amortized/20260401-20260430/e.csv": april, "actual/20260401-20260430/e.csv": april})
    fetch()
    assert billed("fetched", "2026-04") == {"EUR": 100}
    assert billed("fetched", "2026-04", "effective_cost") == {"EUR": 100}


def test_of_runs_that_were_copied_together_the_one_submitted_last_counts(inbox):
    for run, day, cost in (("ffff", "05", 10), ("aaaa", "06", 30)):
        path = f"exp/20260301-20260331/{run}"
        manifest = azure_manifest("exp", path, "part_0_0001.csv")
        manifest["runInfo"]["submittedTime"] = f"2026-03-{day}T02:00:00Z"
        put(inbox, {f"{path}/part_0_0001.csv": azure_csv((1, cost)), f"{path}/manifest.json": manifest})
    fetch()
    load(inbox)
    assert billed("fetched") == billed("by hand") == {"EUR": 30}


def test_objects_that_add_up_have_their_folder_and_their_month(inbox, tmp_path):
    Source.objects.create(name="fetched", kind="folder", bucket="bills", delivery_mode=Source.Mode.APPEND)
    put(inbox, {f"03/0{day}/data.csv": bills.focus_csv([focus_day(f"2026-03-0{day}", "10")]) for day in (1, 2)})
    fetch()
    assert billed("fetched") == {"USD": 20}
    april = {"BillingPeriodStart": "2026-04-01T00:00:00Z"}
    load(bills.write(tmp_path, "bill.csv", bills.focus_csv([focus_day("2026-03-01", "1")])), mode="append")
    load(bills.write(tmp_path, "bill.csv", bills.focus_csv([focus_day("2026-04-01", "2", **april)])), mode="append")
    assert billed("by hand") == {"USD": 3}


def test_bills_that_are_numbered_are_no_parts(inbox):
    for number, account in ((1, "a"), (2, "b"), (4, "c")):
        put(inbox, {f"invoice-000{number}.csv": bills.focus_csv([focus_day("2026-03-01", "1", account)])})
    assert fetch()[1] == []
    assert billed("fetched") == {"USD": 3}


def test_a_manifest_of_a_month_in_which_nothing_has_happened_is_no_problem(inbox):
    put(inbox, {"cur/20260401-20260501/cur-Manifest.json": {"reportKeys": []}, "b.csv": azure_csv((1, 1))})
    assert fetch()[1] == []
    assert billed("fetched") == {"EUR": 1}

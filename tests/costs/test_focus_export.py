"""Any month out again as FOCUS 1.2: the books' totals, FOCUS's rules, and the Foundation's own validator."""

import json
import os
import shutil
import subprocess
from decimal import Decimal
from pathlib import Path
from xml.etree import ElementTree

import duckdb
import pytest
from django.core.management import call_command
from django.urls import reverse

from costs import focus_export
from costs.formats import focus_out
from costs.ingest.load import load_bill
from costs.ingest.receive import receive_bill
from costs.models import FocusExport
from finops_site.lib.periods import Month
from finops_site.ops.commands import BadInput
from tests import bills
from tests.costs.charges.test_providers import ACTUAL, AMORTIZED, azure_csv, gcp_csv

pytestmark = pytest.mark.django_db

MARCH = Month(2026, 3)
VALIDATOR = os.environ.get("FOCUS_VALIDATOR") or shutil.which("focus-validator")
# Rules whose condition the validator leaves out, so that rows they are not about fail them.
FALSE_ALARMS = {
    "InvoiceId-C-004-C",
    "InvoiceId-C-005-C",
    "EffectiveCost-C-005-C",
    "CapacityReservationStatus-C-004-C",
    "CommitmentDiscountStatus-C-004-C",
}


@pytest.fixture
def load(tmp_path):
    def load(source, *texts):
        paths = [bills.write(tmp_path, f"{source}-{number}.csv", text) for number, text in enumerate(texts)]
        (received,) = receive_bill(source, paths)
        delivery = load_bill(received.delivery)
        assert delivery.status == "current", delivery.message
        return delivery

    return load


@pytest.fixture
def three_clouds(load):
    load("aws", bills.cur_csv([{}, {"lineItem/LineItemType": "Tax", "lineItem/UnblendedCost": "0.01"}]))
    load("azure", azure_csv(ACTUAL), azure_csv(AMORTIZED))
    load("gcp", gcp_csv([{}, {"cost": 0.1234567890123}]))
    load("focus", bills.focus_csv([{"x_Note": "kept", "InvoiceId": "INV-1"}, {"BilledCost": "2.5", "ListCost": ""}]))


def rows(path, *columns):
    return duckdb.execute(f"SELECT {', '.join(columns)} FROM read_parquet('{path}') ORDER BY ALL").fetchall()


def test_the_totals_are_those_of_the_books_in_every_currency(three_clouds, tmp_path):
    written = focus_export.write_month(MARCH, tmp_path / "march.parquet")
    assert written.totals["USD"]["billed_cost"] == "3.606", "0.096 + 0.01 + 1 + 2.5"
    assert written.totals["EUR"]["billed_cost"] == "92.1134567890123", "81.99 of Azure and 10.1234567890123 of Google"
    assert written.totals["EUR"]["effective_cost"] == "92.1134567890123"
    assert {"billed_cost", "effective_cost"}.isdisjoint(written.filled)

    sums = dict(
        duckdb.execute(
            f"SELECT BillingCurrency, sum(BilledCost) FROM read_parquet('{tmp_path / 'march.parquet'}') GROUP BY 1"
        ).fetchall()
    )
    assert sums == {"USD": Decimal("3.606"), "EUR": Decimal("92.1134567890123")}


def test_it_has_the_57_columns_of_focus_1_2_and_loads_again_to_the_same_totals(three_clouds, tmp_path):
    written = focus_export.write_month(MARCH, tmp_path / "march.csv")
    header = (tmp_path / "march.csv").read_text().splitlines()[0].split(",")
    assert (len(header), header) == (57, list(focus_out.COLUMNS))
    (received,) = receive_bill("again", [tmp_path / "march.csv"])
    again = load_bill(received.delivery)
    assert (again.format, again.rows_rejected) == ("focus 1.2", 0)
    assert again.totals == written.totals


def test_what_a_bill_leaves_open_is_filled_and_said(load, tmp_path):
    load("aws", bills.cur_csv([{}]))
    written = focus_export.write_month(MARCH, tmp_path / "x.parquet")
    assert written.filled == ["contracted_cost"], "AWS reports state no negotiated price"


def test_tags_that_others_could_not_read_are_written_as_json(load, tmp_path):
    texts = [r'{"path": "C:\dir"}', '{"Team": "Data", "Team": "Retail"}', '{"Team":  "Data"}']
    load("focus", bills.focus_csv([{"Tags": text} for text in texts]))
    focus_export.write_month(MARCH, tmp_path / "x.parquet")
    assert rows(tmp_path / "x.parquet", "Tags") == [
        ('{"Team":  "Data"}',),
        ('{"Team":"Retail"}',),
        (r'{"path":"C:\\dir"}',),
    ]


def test_a_fee_of_aws_is_a_purchase_and_what_nobody_used_of_it_is_usage(load, tmp_path):
    fee = {
        "lineItem/LineItemType": "RIFee",
        "lineItem/UnblendedCost": "3",
        "reservation/ReservationARN": "arn:r",
        "reservation/UnusedRecurringFee": "0.7",
    }
    load("aws", bills.cur_csv([fee]))
    focus_export.write_month(MARCH, tmp_path / "x.parquet")
    names = ("ChargeCategory", "CommitmentDiscountStatus", "BilledCost", "EffectiveCost", "ConsumedQuantity")
    assert rows(tmp_path / "x.parquet", *names) == [
        ("Purchase", None, 3, 0, None),
        ("Usage", "Unused", 0, Decimal("0.7"), None),
    ]


def test_a_corrected_row_stays_a_correction(load, tmp_path):
    load("aws", bills.cur_csv([{"lineItem/UsageStartDate": "2026-02-27T00:00:00Z"}]))
    focus_export.write_month(MARCH, tmp_path / "x.parquet")
    assert rows(tmp_path / "x.parquet", "ChargeClass", "BillingPeriodStart::VARCHAR", "ChargePeriodStart::VARCHAR") == [
        ("Correction", "2026-03-01 00:00:00", "2026-02-27 00:00:00")
    ]


@pytest.mark.parametrize(
    ("unit", "expected"),
    [("Hrs", "Hrs"), ("GB-Mo", "GB-Months"), ("10K", "K"), ("gibibyte month", "gibibyte month"), ("1/Month", "Month")],
)
def test_units_are_written_as_focus_writes_them(load, tmp_path, unit, expected):
    load("aws", bills.cur_csv([{"pricing/unit": unit}]))
    focus_export.write_month(MARCH, tmp_path / "x.parquet")
    assert rows(tmp_path / "x.parquet", "PricingUnit") == [(expected,)]


def test_the_command_writes_the_file_and_prints_exact_totals(three_clouds, tmp_path, capsys):
    call_command("export_focus", month="2026-03", out=str(tmp_path / "march.csv.gz"), json=True)
    printed = json.loads(capsys.readouterr().out)
    assert printed["totals"]["USD"]["billed_cost"] == "3.606"
    assert (tmp_path / "march.csv.gz").stat().st_size > 0


@pytest.mark.parametrize(
    ("month", "name", "message"),
    [
        ("2031-01", "x.csv", "No bill of 2031-01 counts"),
        ("2026-03", "x.xlsx", "must end in"),
        ("march", "x.csv", "march"),
        ("2026-03", "nowhere/x.csv", "nowhere"),
    ],
)
def test_bad_input_is_one_line_and_leaves_no_file(three_clouds, tmp_path, month, name, message):
    with pytest.raises(BadInput, match=message):
        call_command("export_focus", month=month, out=str(tmp_path / name))
    assert list(tmp_path.glob("*.part")) == []
    assert not (tmp_path / name).exists()


def test_fay_asks_for_a_month_on_the_page_and_fetches_it(
    three_clouds, fay, client_of, django_capture_on_commit_callbacks
):
    browser = client_of(fay)
    with django_capture_on_commit_callbacks():
        browser.post(reverse("costs:exports"), {"month": "2026-03", "kind": "csv.gz"})
    export = focus_export.write_export(FocusExport.objects.get())
    assert (export.status, export.requested_by) == ("ready", fay)
    assert "focus-1.2-2026-03.csv.gz" in browser.get(reverse("costs:exports")).content.decode()
    assert browser.get(reverse("costs:export_file", args=[export.pk])).getvalue()[:2] == b"\x1f\x8b"


def test_the_api_takes_the_question_and_gives_the_file(
    three_clouds, fay, client_of, django_capture_on_commit_callbacks
):
    browser = client_of(fay)
    with django_capture_on_commit_callbacks():
        response = browser.post("/api/v1/focus-exports/", {"month": "2026-03", "kind": "parquet"})
    assert (response.status_code, response.json()["status"]) == (202, "waiting")
    export = focus_export.write_export(FocusExport.objects.get())
    assert browser.get(f"/api/v1/focus-exports/{export.pk}/").json()["totals"]["USD"]["billed_cost"] == "3.606"
    assert browser.get(f"/api/v1/focus-exports/{export.pk}/file/").getvalue()[:4] == b"PAR1"
    assert browser.post("/api/v1/focus-exports/", {"month": "2031-01"}).status_code == 400


def test_an_export_whose_worker_died_is_written_by_the_sweep(three_clouds, fay):
    FocusExport.objects.create(billing_month=MARCH.start, status="writing", created_at="2026-01-01T00:00:00Z")
    from django.utils import timezone

    (export,) = focus_export.stalled_exports(timezone.now())
    assert focus_export.write_export(export).status == "ready"


@pytest.mark.slow
@pytest.mark.skipif(
    not VALIDATOR, reason="the FOCUS Foundation's validator needs a Python 3.12 of its own; none is here"
)
def test_the_foundations_validator_finds_nothing_but_its_known_false_alarms(three_clouds, tmp_path):
    focus_export.write_month(MARCH, tmp_path / "march.parquet")
    failed, passed = validated(tmp_path / "march.parquet", tmp_path)
    assert passed > 300
    assert failed - FALSE_ALARMS == set()


def validated(path, folder):
    """(names of rules that failed by themselves, how many passed); composite rules fail only with their parts."""
    program = Path(VALIDATOR).resolve()
    (package,) = program.parents[1].glob("lib/python*/site-packages/focus_validator")
    # It looks for one of its own files below the folder it runs in.
    (folder / "focus_validator").symlink_to(package)
    command = [program, "--data-file", path, "--validate-version", "1.2", "--block-download"]
    command += ["--applicability-criteria", "ALL", "--output-type", "unittest", "--output-destination", "report.xml"]
    subprocess.run(list(map(str, command)), cwd=folder, check=True, capture_output=True, timeout=300)
    cases = list(ElementTree.parse(folder / "report.xml").iter("testcase"))
    failed = {case.get("name").split(" ")[0] for case in cases if case.find("failure") is not None and alone(case)}
    return failed, sum(case.find("failure") is None and case.find("skipped") is None for case in cases)


def alone(case):
    return "Composite" not in case.get("name")


@pytest.mark.parametrize("who", ["lea", "eli"])
def test_who_may_not_export_the_whole_company_on_the_page_may_not_by_the_api(load, who, people, client_of):
    load("focus", bills.focus_csv([{}]))
    browser = client_of(people[who])
    refused = browser.post("/api/v1/focus-exports/", {"month": "2026-03"})
    assert (refused.status_code, FocusExport.objects.count()) == (403, 0)

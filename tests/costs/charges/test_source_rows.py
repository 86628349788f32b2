"""A charge leads back to the row of the file it was read from, cell for cell, whatever the file is."""

import io
import zipfile
from datetime import datetime
from decimal import Decimal

import duckdb
import pytest
from django.urls import reverse

from costs.charges.duckdb_session import duckdb_session
from costs.charges.read_bill import read_bill
from costs.charges.source_rows import find_source_rows
from costs.formats.base import BadBill, Options
from costs.ingest.load import load_bill
from costs.ingest.receive import receive_bill
from costs.models import CostLine
from costs.query import drilldown
from costs.query.line_addresses import keys_of
from finops_site.models import Team
from tagging.models import OwnershipRule
from tests import bills

ROWS = [
    {"ResourceId": "i-1", "BilledCost": "1.50", "x_Note": "first"},
    {"ResourceId": "i-2", "BilledCost": "2.5", "x_Note": "NULL", "ChargeDescription": "over\ntwo lines"},
    {"ResourceId": "i-3", "BilledCost": "3", "x_Note": ""},
]


def zipped(name, content):
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        archive.writestr(name, content)
    return out.getvalue()


def parquet(content, folder):
    source, target = folder / "source.csv", folder / "source.parquet"
    source.write_bytes(content)
    with duckdb.connect() as connection:
        connection.execute(f"COPY (FROM read_csv('{source}', all_varchar = true)) TO '{target}' (FORMAT parquet)")
    return target.read_bytes()


FILES = {
    "plain.csv": lambda content, folder: content,
    "packed.csv.gz": lambda content, folder: content,
    "excel.csv": lambda content, folder: b"sep=,\n" + content,
    "wide.csv": lambda content, folder: content.decode().encode("utf-16"),
    "windows.csv": lambda content, folder: content.replace(b"web-1", b"caf\xe9"),
    "bill.zip": lambda content, folder: zipped("inside.csv", content),
    "bill.parquet": parquet,
}


def charges_and_rows(folder, *files, options=None):
    """Every charge that the files are read as, with the rows of the files that it leads back to."""
    options = options or Options()
    scratch = folder / "scratch"
    scratch.mkdir()
    common = {"scratch": scratch, "options": options, "format_name": "auto", "limit": 1 << 30}
    with duckdb_session(scratch=scratch) as db:
        read_bill(db, files, target=folder / "charges", **{**common, "limit": 1 << 30})
        answer = db.sql(f"SELECT * FROM '{folder}/charges/*/*.parquet' WHERE x_Problem IS NULL ORDER BY BilledCost")
        charges = [dict(zip(answer.columns, row, strict=True)) for row in answer.fetchall()]
    pairs = []
    for charge in charges:
        with duckdb_session(scratch=scratch) as db:
            pairs.append((charge, find_source_rows(db, files, charge, **common)))
    return pairs


@pytest.mark.parametrize("name", FILES)
def test_every_column_of_the_row_is_there_as_it_was_written(tmp_path, name):
    content = FILES[name](bills.focus_csv(ROWS), tmp_path)
    path = bills.write(tmp_path, name, content)
    pairs = charges_and_rows(tmp_path, (name, path))
    assert [len(rows) for _, rows in pairs] == [1, 1, 1]
    cells = [rows[0].cells for _, rows in pairs]
    assert [row["BilledCost"] for row in cells] == ["1.50", "2.5", "3"]
    assert [row["ChargeDescription"] for row in cells][1] == "over\ntwo lines"
    assert cells[0]["x_Note"] == "first"
    assert [row["ResourceId"] for row in cells] == [charge["ResourceId"] for charge, _ in pairs]
    # Behind the header, and behind a row of two lines.
    above = 1 if name == "excel.csv" else 0
    numbers = [1, 2, 3] if name.endswith("parquet") else [2 + above, 3 + above, 5 + above]
    assert [rows[0].number for _, rows in pairs] == numbers
    assert {rows[0].is_line for _, rows in pairs} == {not name.endswith("parquet")}
    if not name.endswith("parquet"):
        assert cells[1]["x_Note"] == "NULL"


def test_a_charge_of_one_file_of_many_leads_to_that_file(tmp_path):
    files = [(f"part-{n}.csv", bills.write(tmp_path, f"part-{n}.csv", bills.focus_csv([ROWS[n]]))) for n in range(3)]
    assert [rows[0].file for _, rows in charges_and_rows(tmp_path, *files)] == [
        "part-0.csv",
        "part-1.csv",
        "part-2.csv",
    ]


def test_rows_that_read_alike_are_all_shown(tmp_path):
    path = bills.write(tmp_path, "bill.csv", bills.focus_csv([ROWS[0], {**ROWS[0], "x_Note": "again"}]))
    pairs = charges_and_rows(tmp_path, ("bill.csv", path))
    assert [[row.cells["x_Note"] for row in rows] for _, rows in pairs] == [["first", "again"]] * 2


def test_a_report_of_aws_says_from_which_of_its_columns_each_was_read(tmp_path):
    rows = [{"identity/LineItemId": "line-1"}, {"identity/LineItemId": "line-2", "lineItem/UnblendedCost": "0.2"}]
    path = bills.write(tmp_path, "cur.csv.gz", bills.cur_csv(rows))
    (_, (first,)), (_, (second,)) = charges_and_rows(tmp_path, ("cur.csv.gz", path))
    assert (first.number, first.cells["identity/LineItemId"]) == (2, "line-1")
    assert (second.number, second.cells["identity/LineItemId"]) == (3, "line-2")
    assert "lineItem/UnblendedCost" in second.columns["BilledCost"]
    assert second.columns["x_UsageType"] == ["lineItem/UsageType"]
    assert second.columns["Tags"] == ["resourceTags/user:Team", "resourceTags/aws:createdBy"]


def test_amounts_and_dates_that_are_written_in_other_ways_are_found_as_they_stand(tmp_path):
    written = {"BilledCost": "1.234,50", "EffectiveCost": "1,00", "ListCost": "1,00", "ContractedCost": "1,00"}
    path = bills.write(tmp_path, "comma.csv", bills.focus_csv([written, {**written, "BilledCost": "2,25"}]))
    options = Options(decimal_mark="comma")
    (_, (less,)), (charge, (more,)) = charges_and_rows(tmp_path, ("comma.csv", path), options=options)
    assert charge["BilledCost"] == Decimal("1234.5")
    assert (less.cells["BilledCost"], more.cells["BilledCost"]) == ("2,25", "1.234,50")


def test_a_row_that_is_no_charge_does_not_shift_the_numbers(tmp_path):
    rows = [{"BilledCost": "no number"}, {"ResourceId": "i-2", "BilledCost": "2"}]
    content = bills.focus_csv(rows).replace(b"\n", b"\n\n", 1)
    path = bills.write(tmp_path, "bill.csv", content)
    ((_, (row,)),) = charges_and_rows(tmp_path, ("bill.csv", path))
    assert row.number == 4
    assert row.cells["ResourceId"] == "i-2"


def test_a_file_that_is_no_bill_any_more_is_refused(tmp_path):
    path = bills.write(tmp_path, "bill.csv", b"Dear finance,\n")
    common = {"options": Options(), "format_name": "auto", "limit": 1 << 30}
    with duckdb_session(scratch=tmp_path) as db, pytest.raises(BadBill):
        find_source_rows(db, [("bill.csv", path)], {}, scratch=tmp_path, **common)


@pytest.fixture
def line(people, tmp_path):
    """A line of two charges that Payments owns, of which one names its invoice."""
    team = Team.objects.get(name="Payments")
    OwnershipRule.objects.create(name="By the tag", team=team, tag_key="Team", tag_value="Payments")
    rows = [{"x_Note": "one", "InvoiceId": "INV-7"}, {"x_Note": "two", "BilledCost": "2"}]
    (received,) = receive_bill("northwind", [bills.write(tmp_path, "march.csv", bills.focus_csv(rows))])
    load_bill(received.delivery)
    return CostLine.objects.get()


def charge_url(line, number):
    charge = drilldown.charges_of(line).rows[number]
    return reverse("costs:charge", args=[keys_of([line])[line.pk], charge["key"]])


@pytest.mark.django_db
def test_lea_opens_a_charge_and_reads_the_row_its_invoice_and_the_rule_that_made_it_hers(line, lea, client_of):
    browser = client_of(lea)
    assert charge_url(line, 0) in browser.get(reverse("costs:line", args=[keys_of([line])[line.pk]])).content.decode()
    page = browser.get(charge_url(line, 0), {"row": "1"}).content.decode()
    for text in ("As AWS wrote it", "march.csv, line 2", "x_Note", "INV-7", "By the tag", "tag Team is Payments"):
        assert text in page
    assert "two" not in re_cells(page)
    part = browser.get(charge_url(line, 1), headers={"HX-Request": "true", "HX-Target": "provider-row"})
    assert "march.csv, line 3" in part.content.decode()
    assert "<html" not in part.content.decode()


def re_cells(page):
    return page[page.index("As AWS wrote it") : page.index("As we read it")]


@pytest.mark.django_db
def test_a_charge_survives_a_new_bill_and_one_that_does_not_leads_to_its_line(line, fay, client_of, tmp_path):
    urls = [charge_url(line, number) for number in (0, 1)]
    rows = [{"x_Note": "one", "InvoiceId": "INV-7"}, {"BilledCost": "3"}]
    (received,) = receive_bill("northwind", [bills.write(tmp_path, "new.csv", bills.focus_csv(rows))], is_accepted=True)
    load_bill(received.delivery)
    browser = client_of(fay)
    assert "new.csv, line 2" in browser.get(urls[0], {"row": "1"}).content.decode()
    page = browser.get(urls[1], follow=True)
    assert page.context["object"] == CostLine.objects.get()
    assert "has no such charge" in page.content.decode()


@pytest.mark.django_db
def test_a_charge_whose_file_was_given_up_says_so(line, fay, client_of):
    line.delivery_month.delivery.files.get().full_path.unlink()
    page = client_of(fay).get(charge_url(line, 0), {"row": "1"}).content.decode()
    assert "not on this machine any more" in page
    assert "As we read it" in page


@pytest.mark.django_db
def test_the_api_lists_the_charges_of_a_line_and_shows_one_as_the_provider_wrote_it(line, lea, ola, client_of):
    key, browser = keys_of([line])[line.pk], client_of(lea)
    page = browser.get("/api/v1/charges/", {"line": key, "page_size": 1}).json()
    assert (page["count"], len(page["results"])) == (2, 1)
    assert page["totals"] == {"currency": "USD", "billed_cost": "3", "effective_cost": "2"}
    (second,) = browser.get(page["next"]).json()["results"]
    assert second["columns"]["BilledCost"] == "2"
    assert second["columns"]["ChargePeriodStart"] == datetime(2026, 3, 5).isoformat() + "Z"
    charge = browser.get(f"/api/v1/charges/{page['results'][0]['id']}/").json()
    assert (charge["invoice"], charge["owner"], charge["owner_rule"]) == ("INV-7", "Payments", "By the tag")
    (row,) = charge["provider_rows"]
    assert (row["file"], row["number"], row["cells"]["x_Note"]) == ("march.csv", 2, "one")
    assert row["columns"]["BilledCost"] == ["BilledCost"]
    assert client_of(ola).get("/api/v1/charges/", {"line": key}).status_code == 404
    assert browser.get("/api/v1/charges/", {"line": key, "lines": "1"}).status_code == 400
    assert browser.get(f"/api/v1/charges/{key}_5-0000000000000000/").status_code == 404

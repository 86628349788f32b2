"""The monthly report of costs: the company for finance, her own teams for a lead."""

import io
from decimal import Decimal

import pytest
from pypdf import PdfReader

from costs.ingest.load import load_bill
from costs.ingest.receive import receive_bill
from costs.web import report_section
from finops_site.lib.periods import Month
from finops_site.models import Team
from tagging.models import OwnershipRule
from tests import bills
from tests.shared_fixtures import shared

pytestmark = pytest.mark.django_db
URL = "/reports/2026-03/"
# Month, team, service and cost of each charge.
CHARGES = [
    ("02", "Payments", "Amazon EC2", "100.00"),
    ("02", "Data", "Amazon S3", "50.00"),
    ("02", "Data", "AWS Lambda", "7.00"),
    ("03", "Payments", "Amazon EC2", "130.00"),
    ("03", "Data", "Amazon S3", "40.00"),
    ("03", "", "Tax", "5.25"),
]


@shared
def two_months(people, tmp_path):
    for order, name in enumerate(["Payments", "Data"]):
        team = Team.objects.get(name=name)
        OwnershipRule.objects.create(name=f"Tag {name}", team=team, tag_key="Team", tag_value=name, order=order)
    path = bills.write(tmp_path, "bill.csv", bills.focus_csv([charge(*row) for row in CHARGES]))
    (received,) = receive_bill("northwind", [path])
    assert load_bill(received.delivery).status == "current"


def charge(month, team, service, cost):
    return {
        "BillingPeriodStart": f"2026-{month}-01T00:00:00Z",
        "BillingPeriodEnd": f"2026-0{int(month) + 1}-01T00:00:00Z",
        "ChargePeriodStart": f"2026-{month}-05T00:00:00Z",
        "ChargePeriodEnd": f"2026-{month}-06T00:00:00Z",
        "ServiceName": service,
        "ResourceId": f"{team}-{service}",
        "BilledCost": cost,
        "EffectiveCost": cost,
        "Tags": f'{{"Team": "{team}"}}',
    }


def text_of(answer):
    return " ".join(page.extract_text() for page in PdfReader(io.BytesIO(answer.content)).pages)


def amounts(table, column):
    return [row[column].get("amount") for row in table["rows"]]


def test_finance_reads_the_company_on_the_page_and_in_the_pdf(two_months, fay, client_of):
    html = client_of(fay).get(URL).content.decode()
    text = text_of(client_of(fay).get(f"{URL}pdf/"))
    for words in ("March 2026 report", "175.25", "18.25", "Payments", "Data", "Unowned", "AWS Lambda", "gone"):
        assert words in html, words
        assert words in text, words


def test_a_lead_reads_her_own_teams_and_no_others_money(two_months, lea, client_of):
    html = client_of(lea).get(URL).content.decode()
    text = text_of(client_of(lea).get(f"{URL}pdf/"))
    for page in (html, text):
        assert "130.00" in page
        assert "30.0%" in page
        assert not [words for words in ("175.25", "Amazon S3", "40.00", "Unowned", "Tax") if words in page]


def test_the_rows_of_each_table_sum_to_its_total_and_to_the_change(two_months, fay):
    (table,) = report_section.team_section(fay, Month(2026, 3))["tables"]
    assert sum(filter(None, amounts(table, 1))) == Decimal("175.25") == table["totals"][0][1]["amount"]
    assert sum(filter(None, amounts(table, 2))) == Decimal("18.25") == table["totals"][0][2]["amount"]
    (table,) = report_section.service_section(fay, Month(2026, 3))["tables"]
    sums = [sum(filter(None, amounts(table, column))) for column in (2, 3, 4)]
    assert sums == [Decimal("157"), Decimal("175.25"), Decimal("18.25")]
    assert sums == [table["totals"][0][column]["amount"] for column in (2, 3, 4)]
    kinds = {row[0]["text"]: row[1] for row in table["rows"]}
    assert kinds == {"Amazon EC2": "more", "Amazon S3": "less", "AWS Lambda": "gone", "Tax": "new"}


def test_what_is_not_among_the_dearest_is_one_row_that_keeps_the_sums(two_months, fay, monkeypatch):
    monkeypatch.setattr(report_section, "SHOWN", 1)
    (table,) = report_section.service_section(fay, Month(2026, 3))["tables"]
    assert amounts(table, 3) == [Decimal("130"), Decimal("45.25")]
    assert amounts(table, 4) == [Decimal("30"), Decimal("-11.75")]
    assert [row[0].get("text") if isinstance(row[0], dict) else row[0] for row in table["rows"]] == [
        "Amazon EC2",
        "3 more",
    ]


def test_the_first_side_of_the_pdf_is_the_whole_story_and_the_rest_is_its_appendix(two_months, fay, client_of):
    pages = PdfReader(io.BytesIO(client_of(fay).get(f"{URL}pdf/").content)).pages
    first, second = (page.extract_text() for page in pages[:2])
    for words in ("175.25", "The programme", "Thirteen months by team", "Largest changes", "+30.00 USD", "Payments"):
        assert words in first, words
    assert "Appendix" not in first
    assert "Appendix" in second


def test_the_months_of_a_person_are_those_with_cost_of_hers(two_months, fay, ola, client_of):
    html = client_of(fay).get("/reports/").content.decode()
    assert html.index("March 2026") < html.index("February 2026")
    assert "175.25 USD" in html
    assert "57.00 USD" in client_of(ola).get("/reports/").content.decode()


@pytest.mark.parametrize("month", ["2026-01", "2026-13", "2026-00", "0000-01", "1999-12"])
def test_a_month_without_a_bill_has_no_report(month, two_months, fay, client_of):
    assert client_of(fay).get(f"/reports/{month}/").status_code == 404
    assert client_of(fay).get(f"/reports/{month}/pdf/").status_code == 404


def test_the_first_month_says_that_there_is_nothing_to_compare_with(two_months, fay, client_of):
    assert "there is no bill of the days before" in client_of(fay).get("/reports/2026-02/").content.decode()


def test_nobody_with_a_bill_is_told_what_comes(people, lea, client_of):
    assert "No report yet" in client_of(lea).get("/reports/").content.decode()


def test_the_share_of_cost_with_an_owner_is_a_gate_of_the_company(two_months, fay, lea, client_of):
    page = client_of(fay).get(URL).content.decode()
    assert ">97%<" in page
    assert "Target at least 90%: met" in page
    assert "Cost with an owner" not in client_of(lea).get(URL).content.decode()


def test_the_home_of_the_company_ends_in_one_page_and_a_leads_does_not(two_months, max_, lea, client_of):
    assert 'href="/reports/2026-03/"' in client_of(max_).get("/").content.decode()
    assert 'href="/reports/2026-03/"' not in client_of(lea).get("/").content.decode()


def test_home_asks_fewer_than_thirty_questions_of_each_of_the_six(
    two_months, people, client_of, django_assert_max_num_queries
):
    for name in ("ada", "fay", "eli", "lea", "ola", "max"):
        browser = client_of(people[name])
        browser.get("/")
        with django_assert_max_num_queries(29):
            assert browser.get("/").status_code == 200


def test_the_same_report_is_the_same_bytes(two_months, fay, client_of):
    first, second = (client_of(fay).get(f"{URL}pdf/") for _ in range(2))
    assert first.content == second.content
    assert first["Content-Type"] == "application/pdf"

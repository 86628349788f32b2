"""A month of which a bill is missing is closed only by who confirms it, and its files and pages say what it lacks."""

import io

import pytest
import time_machine
from django.urls import reverse
from pypdf import PdfReader

from finops_site.models import Team
from tagging.chargeback import closing
from tagging.chargeback.statement_pdf import statement_attachment
from tagging.models import Statement
from tests.tagging.chargeback.helpers import MARCH, NOW, bill, charge, company, drafts, split_support, usual

pytestmark = pytest.mark.django_db
MISSING = "Without Azure, delivered until 28 Feb."
AZURE = {"ProviderName": "Azure", "BillingAccountId": "ea-1", "SubAccountId": "sub-1"}


@pytest.fixture
def march(tmp_path, people):
    """February has both bills; of March that of Azure is missing."""
    split_support(company())
    bill(tmp_path, usual("2026-02"))
    bill(tmp_path, usual())
    azure = [{**charge("5", "Data", month="2026-02", day=day), **AZURE} for day in ("01", "28")]
    bill(tmp_path, azure, source="azure")
    periods = drafts()
    with time_machine.travel(NOW, tick=False):
        closing.close_month(periods["2026-02"], people["fay"], seen=periods["2026-02"].fingerprint, now=NOW)
        yield drafts()[MARCH]


def test_a_month_without_azure_is_closed_only_by_who_confirms_it(march, fay, lea, ola, client_of):
    client = client_of(fay)
    page = client.get(march.get_absolute_url()).content.decode()
    assert MISSING in page
    assert 'name="without_missing"' in page
    assert MISSING.encode() in b"".join(client.get(f"/chargeback/{MARCH}/statements.csv").streaming_content)
    known = client.get(f"/api/v1/chargeback/{MARCH}/").json()["known"]
    assert (known["is_complete"], known["missing"][0]["provider"]) == (False, "Azure")
    assert "Azure" not in client_of(lea).get(march.get_absolute_url()).content.decode()
    assert "Without Azure" in client_of(ola).get(march.get_absolute_url()).content.decode()

    refused = client.post(f"/chargeback/{MARCH}/close/", {"seen": march.fingerprint}, follow=True)
    assert "March 2026 is not whole." in refused.content.decode()
    march.refresh_from_db()
    assert not march.is_closed
    client.post(f"/chargeback/{MARCH}/close/", {"seen": march.fingerprint, "without_missing": "on"})
    march.refresh_from_db()
    assert march.is_closed
    assert MISSING in march.problems[-1]


def test_the_pdf_of_a_statement_names_what_it_lacks_to_whom_it_concerns(march, fay, lea, ola, client_of):
    """Ola's team has cost at Azure, lea's has none: on the page of her statement and in her mail she reads no word."""

    def text(content):
        pages = PdfReader(io.BytesIO(content)).pages
        return " ".join(" ".join(page.extract_text().split()) for page in pages)

    def pdf(person, team):
        address = reverse("tagging:statement_pdf", args=[MARCH, Team.objects.get(name=team).pk])
        return text(client_of(person).get(address).content)

    for words in (pdf(ola, "Data"), pdf(fay, "Data")):
        assert "What is not known yet" in words
        assert "Without Azure, delivered until 28 Feb." in words
    assert "Azure" not in pdf(lea, "Payments")

    closing.close_month(march, fay, seen=march.fingerprint, without_missing=True, now=NOW)
    mailed = {
        lead: text(statement_attachment(Statement.objects.get(period=march, team__name=team))[1])
        for lead, team in ((ola, "Data"), (lea, "Payments"))
    }
    assert "Without Azure, delivered until 28 Feb." in mailed[ola]
    assert "Azure" not in mailed[lea]

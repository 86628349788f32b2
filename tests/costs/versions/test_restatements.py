"""A newer bill says what it changed and who has to know; the same account twice is said; a bill can be withdrawn."""

from decimal import Decimal

import pytest
from django.urls import reverse

from costs import reconciliation
from costs.ingest.load import load_bill
from costs.ingest.receive import receive_bill
from costs.models import CostLine, Delivery, RestatedCost, Source
from costs.versions import overlaps, restatements
from finops_site.models import Team
from tagging.models import OwnershipRule
from tests import bills

pytestmark = pytest.mark.django_db

DAYS = {"5": "2026-03-05T00:00:00Z", "6": "2026-03-06T00:00:00Z", "7": "2026-03-07T00:00:00Z"}


@pytest.fixture
def load(tmp_path, people):
    OwnershipRule.objects.create(
        name="Tag Team", team=Team.objects.get(name="Payments"), tag_key="Team", tag_value="Payments"
    )

    def load(*rows, source="northwind"):
        text = bills.focus_csv(
            [{"BilledCost": cost, "ChargePeriodStart": DAYS[day], **more} for day, cost, more in rows]
        )
        (received,) = receive_bill(source, [bills.write(tmp_path, "bill.csv", text)])
        delivery = load_bill(received.delivery)
        assert [check for check in reconciliation.reconcile() if not check.holds] == []
        return delivery

    return load


DATA = {"Tags": '{"Team": "Data"}', "ServiceName": "S3"}


def test_a_restated_month_tells_before_after_and_difference_by_service_account_and_team(load):
    load(("5", "10", {}), ("6", "4", DATA))
    newer = load(("5", "12.5", {}), ("6", "4", DATA))
    (change,) = restatements.restated_costs(newer)
    assert (change.service, change.sub_account, change.owner.name) == (
        "Amazon Elastic Compute Cloud",
        "000000000042",
        "Payments",
    )
    assert (change.billed_before, change.billed_after, change.difference) == (10, Decimal("12.5"), Decimal("2.5"))


def test_days_that_are_new_are_no_restatement_of_the_old_ones(load):
    load(("5", "10", {}))
    newer = load(("5", "10", {}), ("6", "3", {}))
    (summary,) = restatements.restatement_summary(newer)
    assert (summary["restated"], summary["new"]) == (0, 3)
    assert restatements.people_to_notify(newer) == []


def test_a_bill_that_says_the_same_restates_nothing(load):
    load(("5", "10", {}))
    newer = load(("5", "10.0", {}))
    assert not newer.restatements.exists()


def test_finance_and_the_leads_of_changed_teams_have_to_know(load):
    load(("5", "10", {}), ("6", "4", DATA))
    newer = load(("5", "11", {}), ("6", "4", DATA))
    assert [(person.name.split()[0].lower(), person.why) for person in restatements.people_to_notify(newer)] == [
        ("fay", "finance"),
        ("lea", "leads Payments"),
    ]


def test_a_service_that_went_away_is_a_difference_too(load):
    load(("5", "10", {}), ("5", "4", DATA))
    newer = load(("5", "10", {}))
    (change,) = restatements.restated_costs(newer)
    assert (change.service, change.owner, change.billed_after, change.difference) == ("S3", None, None, -4)


def test_a_restated_month_with_thousands_of_lines_is_compared_whole(load):
    rows = [("5", "1", {"ResourceId": f"i-{n}"}) for n in range(2000)]
    load(*rows)
    newer = load(*rows[:-1], ("5", "2", {"ResourceId": "i-1999"}))
    assert RestatedCost.objects.get(restatement__delivery=newer).billed_after == 2001


def test_the_page_of_the_delivery_shows_what_it_changed(load, fay, client_of):
    load(("5", "10", {}))
    newer = load(("5", "12.5", {}))
    page = client_of(fay).get(reverse("costs:delivery", args=[newer.pk])).content.decode()
    assert "What this bill changed" in page
    assert "leads Payments" in page
    csv = client_of(fay).get(reverse("costs:delivery_changes", args=[newer.pk]) + "?_export=csv")
    assert "12.5" in b"".join(csv.streaming_content).decode("utf-8-sig")
    api = client_of(fay).get(f"/api/v1/deliveries/{newer.pk}/changes/").json()["results"]
    assert [(row["billed_before"], row["billed_after"]) for row in api] == [("10", "12.5")]


def test_a_correction_of_an_invoiced_month_is_a_visible_adjustment(load, fay, client_of):
    late = {"ChargePeriodStart": "2026-02-10T00:00:00Z", "ChargeClass": "Correction", "BilledCost": "-3"}
    load(("5", "10", {}), ("5", "0", late))
    page = client_of(fay).get(reverse("costs:corrections")).content.decode()
    assert "Feb 2026" in page
    csv = b"".join(client_of(fay).get(reverse("costs:corrections") + "?_export=csv").streaming_content).decode(
        "utf-8-sig"
    )
    assert csv.splitlines()[1].startswith("2026-03,2026-02,Amazon Elastic Compute Cloud,000000000042,Payments,-3,")


class TestOverlaps:
    def test_an_account_that_arrives_through_two_sources_is_said_and_not_only_added(self, load, fay, client_of):
        load(("5", "10", {}))
        second = load(("5", "10", {}), source="focus export")
        assert "Account 000000000042 also arrives through northwind" in second.message
        assert [str(overlap) for overlap in overlaps.find_overlaps()] == [
            "000000000042 in 2026-03: focus export, northwind"
        ]
        page = client_of(fay).get(reverse("costs:deliveries")).content.decode()
        assert "The same account arrives through several sources" in page

    def test_other_accounts_and_other_months_do_not_overlap(self, load):
        load(("5", "10", {}))
        load(("5", "10", {"SubAccountId": "43"}), source="second")
        load(("5", "10", {"BillingPeriodStart": "2026-04-01T00:00:00Z"}), source="third")
        assert overlaps.find_overlaps() == []

    def test_sources_that_complement_each_other_do_not_overlap(self, load):
        load(("5", "10", {}))
        load(("5", "10", {}), source="marketplace")
        Source.objects.get(name="northwind").complements.add(Source.objects.get(name="marketplace"))
        assert overlaps.find_overlaps() == []
        load(("5", "10", {}), source="third")
        assert {overlap.sources for overlap in overlaps.find_overlaps()} == {("marketplace", "northwind", "third")}

    def test_a_withdrawn_bill_counts_no_more_and_may_come_again(self, load, fay, client_of):
        load(("5", "10", {}))
        second = load(("5", "7", {}), source="focus export")
        client_of(fay).post(reverse("costs:delivery_withdraw", args=[second.pk]))
        second.refresh_from_db()
        assert second.status == Delivery.Status.WITHDRAWN
        assert CostLine.objects.current().totals()["USD"]["billed_cost"] == 10
        assert overlaps.find_overlaps() == []
        assert load(("5", "7", {}), source="focus export").status == Delivery.Status.CURRENT

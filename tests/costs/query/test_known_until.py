"""A total that misses a part says so beside it, to whom it concerns, wherever it is shown."""

import io
from datetime import date, timedelta
from decimal import Decimal

import openpyxl
import pytest
import time_machine

from budgets.models import Budget
from budgets.planning.budget_changes import create_budget
from costs.ingest.load import load_bill
from costs.ingest.receive import receive_bill
from costs.models import Source
from costs.query.known_until import known_in
from finops_site.lib.periods import Month, Period
from finops_site.models import Team
from tagging.models import Metric, MetricValue, OwnershipRule
from tagging.policy import compliance
from tests import bills
from tests.shared_fixtures import shared

pytestmark = pytest.mark.django_db
TODAY = date(2026, 11, 29)
NOVEMBER = Month(2026, 11).period
LATE = "Without Azure (daily), delivered until 20 Nov."
AZURE = {
    "ProviderName": "Azure",
    "ServiceName": "Virtual Machines",
    "BillingAccountId": "ea-1",
    "SubAccountId": "sub-1",
}


@pytest.fixture(autouse=True)
def today():
    with time_machine.travel("2026-11-29T12:00:00Z", tick=False):
        yield


@shared
def deliver(tmp_path, people):
    """Delivers a month of one source, a row a day until a day."""
    for name in ("Payments", "Data"):
        team = Team.objects.get(name=name)
        OwnershipRule.objects.get_or_create(name=f"Tag {name}", team=team, tag_key="Team", tag_value=name)

    def deliver(source, until, *, months=1, **cells):
        rows = []
        for month in [Month.of(until).plus(-number) for number in range(months)]:
            last = min(until, month.period.last_day)
            for day in Period(month.start, last + timedelta(days=1)).each_day():
                rows.append(
                    {
                        "BillingPeriodStart": f"{month.start}T00:00:00Z",
                        "BillingPeriodEnd": f"{month.next.start}T00:00:00Z",
                        "ChargePeriodStart": f"{day}T00:00:00Z",
                        "ChargePeriodEnd": f"{day + timedelta(days=1)}T00:00:00Z",
                        **cells,
                    }
                )
        path = bills.write(tmp_path, f"{source}-{until}.csv", bills.focus_csv(rows))
        (received,) = receive_bill(source, [path])
        return load_bill(received.delivery)

    return deliver


@shared
def azure_is_late(deliver):
    """AWS whole, Azure until 20 November; lea's team has AWS only, ola's has Azure only."""
    deliver("aws", date(2026, 11, 27), months=2)
    deliver("daily", date(2026, 11, 20), months=2, **AZURE, Tags='{"Team": "Data"}')


def words(response):
    return response.content.decode()


PAGES = (
    "/",
    "/costs/",
    "/costs/?group_by=team&period=this-month",
    "/costs/lines/",
    "/costs/teams/",
    "/reports/2026-11/",
)


def test_fay_reads_beside_every_total_that_azure_is_late_and_lea_who_has_aws_only_no_word_of_it(
    azure_is_late, fay, lea, client_of
):
    of_fay, of_lea = ([words(client_of(user).get(address)) for address in PAGES] for user in (fay, lea))
    for address, page, hers in zip(PAGES, of_fay, of_lea, strict=True):
        assert LATE in page, address
        assert "Azure" not in hers, address
        assert "delivered until 20 Nov" not in hers, address


def test_ola_whose_team_has_only_azure_reads_that_it_is_late_and_of_no_source(azure_is_late, ola):
    known = known_in(ola, NOVEMBER, TODAY)
    assert list(known.notes) == ["Without Azure, delivered until 20 Nov."]
    assert (known.until, known.is_complete, known.missing[0].source) == (date(2026, 11, 20), False, "")


def test_a_filter_by_aws_is_complete_and_one_by_azure_is_not(azure_is_late, fay, client_of):
    client = client_of(fay)
    assert "Without Azure" not in words(client.get("/costs/?provider=AWS&period=this-month"))
    assert LATE in words(client.get("/costs/?provider=Azure&period=this-month"))
    assert LATE not in words(client.get("/costs/?from=2026-10&to=2026-10"))


def test_files_say_it_too(azure_is_late, fay, client_of):
    client = client_of(fay)
    for address in ("/costs/?_export=csv", "/costs/lines/?_export=csv"):
        rows = b"".join(client.get(address).streaming_content).decode("utf-8-sig").splitlines()
        assert rows[-1] == f'"Note: {LATE}"'
    book = openpyxl.load_workbook(io.BytesIO(client.get("/costs/lines/?_export=xlsx").content))
    assert [cell.value for cell in book["Notes"]["A"]] == [LATE]


def test_the_api_says_what_its_sums_lack(azure_is_late, fay, lea, client_of):
    for address in ("/api/v1/spend/?from=2026-11&to=2026-11", "/api/v1/cost-lines/?from=2026-11&to=2026-11"):
        known = client_of(fay).get(address).json()["known"]
        assert known == {
            "until": "2026-11-20",
            "is_complete": False,
            "is_final": False,
            "missing": [
                {
                    "provider": "Azure",
                    "source": "daily",
                    "export": "",
                    "from": "2026-11-21",
                    "to": "2026-11-30",
                    "known_until": "2026-11-20",
                    "metric": "",
                }
            ],
            "notes": [LATE],
        }
        of_lea = client_of(lea).get(address).json()["known"]
        assert (of_lea["is_complete"], of_lea["until"], of_lea["missing"]) == (True, "2026-11-27", [])


def test_the_usual_days_behind_are_shown_without_alarm(deliver, fay, client_of):
    deliver("aws", date(2026, 11, 27), months=3)
    page = words(client_of(fay).get("/costs/?period=this-month"))
    assert "Delivered until 27 Nov." in page
    assert "Without" not in page


def test_a_month_that_nobody_delivered_is_a_gap_and_no_zero(deliver, fay, client_of):
    deliver("aws", date(2026, 9, 30), months=2)
    deliver("aws", date(2026, 11, 27))
    client = client_of(fay)
    page = words(client.get("/costs/?group_by=&period=6-months"))
    assert "Without AWS in Oct 2026: nothing is delivered." in page
    answer = client.get("/costs/?group_by=service&period=6-months").context["answers"][0]
    assert [head["text"] for head in answer["heads"]] == ["Aug 2026", "Sep 2026", "Oct 2026", "Nov 2026"]
    assert answer["sums"][2]["amount"] is None
    history = client.get("/costs/teams/").context["known"]
    assert not history.is_complete


def test_a_cost_that_a_bill_does_not_state_is_named(deliver, fay, client_of):
    deliver("aws", date(2026, 11, 27), months=2)
    deliver("daily", date(2026, 11, 27), months=2, **AZURE, EffectiveCost="")
    client = client_of(fay)
    page = words(client.get("/costs/?metric=effective_cost&period=this-month"))
    assert "Effective cost is not delivered for Azure (daily) in Nov 2026." in page
    assert "Without" not in page
    assert "not delivered" not in words(client.get("/costs/?metric=billed_cost&period=this-month"))


def test_a_late_bill_that_does_not_state_a_cost_is_named_for_both(deliver, fay, client_of):
    deliver("aws", date(2026, 11, 27), months=2)
    deliver("daily", date(2026, 11, 20), months=2, **AZURE, EffectiveCost="")
    client = client_of(fay)
    lacks = "Effective cost is not delivered for Azure (daily) in Nov 2026."
    page = words(client.get("/costs/?metric=effective_cost&from=2026-11-01&to=2026-11-29"))
    assert lacks in page
    assert LATE in page
    known = client.get("/api/v1/spend/?metric=effective_cost&from=2026-11-01&to=2026-11-29").json()["known"]
    assert sorted(known["notes"]) == [lacks, LATE]
    assert [(part["metric"], part["from"], part["to"]) for part in known["missing"]] == [
        ("", "2026-11-21", "2026-11-29"),
        ("effective_cost", "2026-11-01", "2026-11-20"),
    ]


@shared
def everything(azure_is_late, fay):
    """A budget of each team and one of the company, counts of orders, and the tags of the month judged."""
    for name, team, metric in (("All", None, "billed_cost"), ("Data", "Data", "effective_cost")):
        budget = Budget(name=name, team=team and Team.objects.get(name=team), start=date(2026, 11, 1), basis=metric)
        create_budget(budget, {NOVEMBER: Decimal(100)}, by=fay, why="for the test")
    orders = Metric.objects.create(name="orders", grain="month")
    for name in ("Payments", "Data"):
        team = Team.objects.get(name=name)
        MetricValue.objects.create(metric=orders, team=team, day=NOVEMBER.start, value=Decimal(4))
    compliance.refresh_compliance(force=True)


LISTS = ("/budgets/", "/anomalies/", "/tagging/resources/?state=all&month=2026-11")
OTHERS = ("/unit-costs/?from=2026-11&to=2026-11", "/unit-costs/?cost=shared", "/tagging/?month=2026-11")


@pytest.mark.parametrize("address", [*LISTS, *OTHERS, "/kubernetes/?month=2026-11&by=namespace&metric=billed_cost"])
def test_lists_and_ratios_say_it_like_every_total(everything, address, fay, max_, ola, lea, client_of):
    assert words(client_of(fay).get(address)).count(LATE) == 1
    assert words(client_of(max_).get(address)).count(LATE) == 1
    of_ola = words(client_of(ola).get(address))
    assert "Without Azure, delivered until 20 Nov." in of_ola
    assert "daily" not in of_ola
    of_lea = words(client_of(lea).get(address))
    assert "Azure" not in of_lea
    assert "delivered until 20 Nov" not in of_lea


@pytest.mark.parametrize("address", [*LISTS, OTHERS[0], f"{OTHERS[2]}&by=team"])
def test_their_files_say_it_too(everything, address, fay, client_of):
    client, sign = client_of(fay), "&" if "?" in address else "?"
    kind = "csv" if "/tagging/?" not in address else "group"
    rows = b"".join(client.get(f"{address}{sign}_export={kind}").streaming_content).decode("utf-8-sig").splitlines()
    assert rows[-1] == f'"Note: {LATE}"'
    if address in LISTS:
        book = openpyxl.load_workbook(io.BytesIO(client.get(f"{address}{sign}_export=xlsx").content))
        assert [cell.value for cell in book["Notes"]["A"]] == [LATE]


@pytest.mark.parametrize(
    "address",
    [
        "budgets/",
        "budgets/?state=active",
        "anomalies/",
        "tag-compliance/?month=2026-11",
        "tag-resources/?month=2026-11",
    ],
)
def test_the_api_of_budgets_anomalies_and_tags_says_it(everything, address, fay, lea, client_of):
    of_fay, of_lea = (client_of(user).get(f"/api/v1/{address}").json()["known"] for user in (fay, lea))
    assert of_fay["notes"] == [LATE]
    assert "Azure" not in str(of_lea)


def test_a_list_of_budgets_that_count_no_azure_has_nothing_to_say_of_it(everything, fay, client_of):
    Budget.objects.update(scope={"provider": ["AWS"]}, team=None)
    client = client_of(fay)
    assert "Azure" not in words(client.get("/budgets/"))
    budget = Budget.objects.get(name="All")
    assert client.get(f"/api/v1/budgets/{budget.pk}/").json()["known"]["notes"] == []
    Budget.objects.filter(pk=budget.pk).update(scope={})
    assert LATE in words(client.get("/budgets/"))
    assert client.get(f"/api/v1/budgets/{budget.pk}/").json()["known"]["notes"] == [LATE]


def test_unit_costs_by_effective_cost_name_a_bill_that_does_not_state_it(deliver, fay, client_of):
    deliver("daily", date(2026, 11, 27), months=2, **AZURE, EffectiveCost="", Tags='{"Team": "Data"}')
    orders = Metric.objects.create(name="orders", grain="month")
    MetricValue.objects.create(metric=orders, team=Team.objects.get(name="Data"), day=NOVEMBER.start, value=Decimal(4))
    client = client_of(fay)
    assert "Effective cost is not delivered for Azure (daily)" in words(client.get("/unit-costs/?basis=effective_cost"))
    assert "not delivered" not in words(client.get("/unit-costs/"))


def test_a_bill_that_ended_or_was_switched_off_is_quiet(deliver, fay, client_of):
    deliver("aws", date(2026, 11, 27), months=6)
    deliver("old", date(2026, 7, 20), months=2, **AZURE)
    assert known_in(fay, Period(date(2026, 6, 1), date(2026, 12, 1)), TODAY).is_complete
    deliver("daily", date(2026, 11, 10), months=2, **{**AZURE, "SubAccountId": "sub-2"})
    fay = type(fay).objects.get(pk=fay.pk)
    assert not known_in(fay, NOVEMBER, TODAY).is_complete
    Source.objects.filter(name="daily").update(is_enabled=False)
    fay = type(fay).objects.get(pk=fay.pk)
    known = known_in(fay, NOVEMBER, TODAY)
    assert (known.is_complete, list(known.notes)) == (True, [])


def test_after_the_last_bill_of_all_nothing_is_known(deliver, fay):
    deliver("aws", date(2026, 3, 31), months=2)
    known = known_in(fay, NOVEMBER, TODAY)
    assert list(known.notes) == ["Nothing is delivered after 31 Mar: what it cost is not known."]
    assert not known.is_complete
    assert known_in(fay, Month(2026, 3).period, TODAY).is_complete

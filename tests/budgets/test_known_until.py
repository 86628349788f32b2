"""A bill that is late is unknown: no budget falls, no month is zero, no KPI is met because of it."""

from datetime import date, timedelta
from decimal import Decimal

import pytest
import time_machine

from budgets.anomalies.cost_scopes import load_scope_costs
from budgets.models import Alert, Forecast
from budgets.planning import annual_plan
from costs.ingest.load import load_bill
from costs.ingest.receive import receive_bill
from finops_site.lib.periods import Month, Period
from tests import bills

pytestmark = pytest.mark.django_db
AZURE = {"ProviderName": "Azure", "BillingAccountId": "ea-1", "SubAccountId": "sub-az"}


@pytest.fixture
def load(tmp_path, people):
    """Loads the days of a source, one row each."""

    def load(source, first, last, cost, **cells):
        rows = []
        for day in Period(first, last + timedelta(days=1)).each_day():
            month = Month.of(day)
            rows.append(
                {
                    "BillingPeriodStart": f"{month.start}T00:00:00Z",
                    "BillingPeriodEnd": f"{month.next.start}T00:00:00Z",
                    "ChargePeriodStart": f"{day}T00:00:00Z",
                    "ChargePeriodEnd": f"{day + timedelta(days=1)}T00:00:00Z",
                    **dict.fromkeys(("BilledCost", "EffectiveCost", "ListCost", "ContractedCost"), cost),
                    **cells,
                }
            )
        path = bills.write(tmp_path, f"{source}-{first}.csv", bills.focus_csv(rows))
        (received,) = receive_bill(source, [path])
        return load_bill(received.delivery)

    return load


@pytest.fixture
def azure_is_late(load):
    """AWS costs 10 a day and is fresh, Azure 100 a day and delivers nothing since the end of February."""
    load("azure", date(2026, 1, 1), date(2026, 2, 28), "100.00", **AZURE)
    load("aws", date(2026, 1, 1), date(2026, 3, 31), "10.00")


def forecast_of(budget, day):
    return Forecast.objects.get(period__budget=budget, period__start=date(2026, 3, 1), as_of=day)


def test_no_budget_falls_because_one_of_two_bills_is_late(azure_is_late, budget_of, night):
    azure = budget_of("Azure", "2000", scope={"provider": ["Azure"]})
    company = budget_of("Company", "2000")
    aws = budget_of("AWS", "2000", scope={"provider": ["AWS"]})
    for day in (6, 12, 20, 30):
        night(date(2026, 3, day))
        of_azure, of_company, of_aws = (forecast_of(b, date(2026, 3, day)) for b in (azure, company, aws))
        assert of_azure.p50 == pytest.approx(Decimal(3100), rel=Decimal("0.05"))
        assert of_company.p50 == pytest.approx(Decimal(3410), rel=Decimal("0.05"))
        assert of_aws.p50 == pytest.approx(Decimal(310), rel=Decimal("0.05"))
        assert of_aws.complete_until >= date(2026, 3, day - 2)
        assert (of_azure.known_spent, of_azure.is_unknown) == (None, True)
        assert set(Alert.objects.filter(budget=azure).values_list("kind", "state")) == {("forecast", "open")}


def test_the_page_of_a_budget_says_what_it_waits_for(azure_is_late, budget_of, night, fay, client_of):
    azure = budget_of("Azure", "4000", scope={"provider": ["Azure"]})
    aws = budget_of("AWS", "2000", scope={"provider": ["AWS"]})
    with time_machine.travel("2026-03-20T12:00:00Z", tick=False):
        night(date(2026, 3, 20))
        client = client_of(fay)
        page = client.get(azure.get_absolute_url())
        assert "Without Azure, delivered until 28 Feb." in page.content.decode()
        actual = next(stat for stat in page.context["stats"] if stat["label"] == "Actual")
        assert (actual["amount"], actual["note"]) == (None, "not delivered yet")
        assert page.context["badge"][0] == "waits for the bill"
        assert "Without" not in client.get(aws.get_absolute_url()).content.decode()
        listed = {row["name"]: row for row in client.get("/api/v1/budgets/").json()["results"]}
        assert (listed["Azure"]["spent"], listed["AWS"]["spent"]) == (None, "200")


def test_a_month_without_a_bill_is_unknown_on_the_annual_plan_and_in_its_kpi(load, budget_of, fay):
    load("aws", date(2026, 1, 1), date(2026, 3, 31), "10.00")
    budget_of("Company", "300", start=date(2026, 1, 1))
    lines = annual_plan.load_annual_plan(fay, 2026, date(2026, 11, 29))
    actual = [month.actual for month in lines[0].months.values()]
    assert actual[:4] == [310, 280, 310, None]
    assert set(actual[3:]) == {None}
    assert lines[0].at_year_end == 900 + 9 * 300
    assert annual_plan.variance_kpi(lines) == Decimal("4.4"), "40 of 900: the months without a bill count in nothing"
    next_year = annual_plan.load_annual_plan(fay, 2027, date(2027, 5, 1))
    assert annual_plan.variance_kpi(next_year) is None


def test_a_month_of_which_a_part_is_late_counts_in_no_kpi(azure_is_late, budget_of, fay):
    budget_of("Company", "3410", start=date(2026, 1, 1))
    lines = annual_plan.load_annual_plan(fay, 2026, date(2026, 4, 10))
    known = [month.is_known for month in lines[0].months.values()][:3]
    assert known == [True, True, False]


def test_the_bill_of_a_month_that_comes_on_the_15th_still_warns(payments, deliver, budget_of, night):
    deliver("2026-01", "100.00", months=2)
    budget_of("Payments", "4000", team=payments)
    for day in (date(2026, 3, 1), date(2026, 3, 20), date(2026, 3, 31), date(2026, 4, 9)):
        night(day)
    deliver("2026-03", "200.00")
    report = night(date(2026, 4, 15), months=[Month(2026, 3)])
    assert ("actual", "100") in [(breach["kind"], breach["threshold"]) for breach in report.crossings]
    assert Alert.objects.filter(period__start=date(2026, 3, 1), kind="actual", state="open").exists()
    assert report.mails_queued > 0
    again = night(date(2026, 4, 16), months=[Month(2026, 3)])
    assert (again.alerts_made, again.mails_queued) == (0, 0)


def test_an_account_without_cost_is_known_as_far_as_its_bill(load):
    load("aws", date(2026, 1, 1), date(2026, 3, 31), "10.00")
    load("azure", date(2026, 1, 1), date(2026, 3, 10), "10.00", **AZURE)
    complete = load_scope_costs(date(2026, 4, 1)).complete_until
    assert complete["000000000042"] == date(2026, 3, 29)
    assert complete["sub-az"] == date(2026, 3, 10)

"""A bill that is late is unknown: no budget falls, no month is zero, no KPI is met because of it."""

from datetime import date, timedelta
from decimal import Decimal

import numpy as np
import pytest
import time_machine
from django.db import connection
from django.test.utils import CaptureQueriesContext

from budgets.alerts.emails import alert_facts
from budgets.alerts.letter_parts import LetterParts
from budgets.anomalies.cost_scopes import load_scope_costs
from budgets.calc.forecast import MIDDLE, NORMAL, STEPS, Distribution
from budgets.forecast.period_forecasts import add_independent
from budgets.models import Alert, Forecast
from budgets.planning import annual_plan
from costs.ingest.load import load_bill
from costs.ingest.receive import receive_bill
from finops_site.lib.periods import Month, Period, day_text
from tests import bills
from tests.shared_fixtures import shared

pytestmark = pytest.mark.django_db
AZURE = {"ProviderName": "Azure", "BillingAccountId": "ea-1", "SubAccountId": "sub-az"}


@shared
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


@shared
def azure_is_late(load):
    """AWS costs 10 a day and is fresh, Azure 100 a day and delivers nothing since the end of February."""
    load("azure", date(2026, 1, 1), date(2026, 2, 28), "100.00", **AZURE)
    load("aws", date(2026, 1, 1), date(2026, 3, 31), "10.00")


def forecast_of(budget, day):
    return Forecast.objects.get(period__budget=budget, period__start=date(2026, 3, 1), as_of=day)


def test_a_mail_says_which_bill_its_period_waits_for_and_since_when(azure_is_late, budget_of, night, client, fay):
    company = budget_of("Company", "400")
    night(date(2026, 3, 31))
    alert = Alert.objects.filter(budget=company).first()
    late = LetterParts([alert], date(2026, 3, 31)).late_bills(alert)
    assert late == ["Azure since 1 Mar 2026"]
    assert ("Waits for the bill of", "Azure since 1 Mar 2026") in alert_facts(alert, None, late)
    facts = dict(alert_facts(alert, None, late))
    assert facts["Bills complete until"] == day_text(alert.figures["complete_until"])
    aws = budget_of("AWS", "200", scope={"provider": ["AWS"]})
    night(date(2026, 3, 31))
    alert = Alert.objects.filter(budget=aws).first()
    assert LetterParts([alert], date(2026, 3, 31)).late_bills(alert) == []


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


class TestForecastInParts:
    """What one bill has not brought is forecast from where it ends, and what the others brought is not forgotten."""

    def test_a_late_bill_does_not_hide_that_another_jumped(self, load, budget_of, night):
        # Azure costs 10 a day and is known until 28 Feb; AWS 10 a day until then, and 300 a day since.
        load("azure", date(2025, 11, 1), date(2026, 2, 28), "10.00", **AZURE)
        load("aws", date(2025, 11, 1), date(2026, 2, 28), "10.00")
        both = budget_of("Both", "8000")
        aws = budget_of("AWS", "8000", scope={"provider": ["AWS"]})
        for day, spent in ((12, 3600), (16, 4800), (20, 6000)):
            load("aws", date(2026, 3, 1), date(2026, 3, day), "300.00")
            night(date(2026, 3, day))
            of_both, of_aws = (forecast_of(budget, date(2026, 3, day)) for budget in (both, aws))
            assert (of_both.spent, of_both.complete_until) == (spent, date(2026, 2, 28))
            # 31 days of 300, and 31 of Azure's 10.
            assert of_both.p50 == pytest.approx(Decimal(9300 + 310), rel=Decimal("0.05"))
            assert of_both.p50 == pytest.approx(of_aws.p50 + 310, rel=Decimal("0.01"))
            assert spent < of_both.p10 <= of_both.p50 <= of_both.p90
            assert of_both.p90 - of_both.p10 >= of_aws.p90 - of_aws.p10
            assert of_both.chance_of_overrun >= Decimal("0.9")
        assert ("forecast", "open") in Alert.objects.filter(budget=both).values_list("kind", "state")

    def test_a_late_bill_does_not_hide_a_third_that_is_new(self, azure_is_late, load, budget_of, night):
        company, untaxed = budget_of("Company", "4000"), budget_of("Untaxed", "4000", with_tax=False)
        load("gcp", date(2026, 3, 10), date(2026, 3, 31), "50.00", ProviderName="GCP", SubAccountId="gcp-1")
        night(date(2026, 3, 20))
        forecast = forecast_of(company, date(2026, 3, 20))
        # 31 days of 110, and 22 of 50 from the 10th on.
        assert forecast.p50 == pytest.approx(Decimal(3410 + 1100), rel=Decimal("0.05"))
        assert forecast.complete_until == date(2026, 2, 28)
        assert forecast.chance_of_overrun > Decimal("0.5")
        assert forecast_of(untaxed, date(2026, 3, 20)).p50 == forecast.p50, "there is no tax to leave out"
        assert ("forecast", "open") in Alert.objects.filter(budget=company).values_list("kind", "state")

    def test_a_late_bill_of_next_to_nothing_changes_nothing(self, load, budget_of, night):
        load("azure", date(2026, 1, 1), date(2026, 2, 28), "0.01", **AZURE)
        load("aws", date(2026, 1, 1), date(2026, 3, 20), "100.00")
        both, aws = budget_of("Both", "3200"), budget_of("AWS", "3200", scope={"provider": ["AWS"]})
        night(date(2026, 3, 20))
        of_both, of_aws = (forecast_of(budget, date(2026, 3, 20)) for budget in (both, aws))
        for name in ("p10", "p50", "p90"):
            assert getattr(of_both, name) == pytest.approx(getattr(of_aws, name), abs=Decimal("1")), name
        assert of_both.chance_of_overrun == of_aws.chance_of_overrun
        of_each = [sorted(budget.alerts.values_list("kind", "state")) for budget in (both, aws)]
        assert of_each[0] == of_each[1]

    def test_bills_that_are_equally_fresh_are_forecast_as_one_and_asked_for_once(self, load, budget_of, night):
        load("azure", date(2026, 1, 1), date(2026, 3, 20), "100.00", **AZURE)
        load("aws", date(2026, 1, 1), date(2026, 3, 20), "10.00")
        company = budget_of("Company", "4000")
        with CaptureQueriesContext(
            connection,
        ) as queries:
            night(date(2026, 3, 20))
        by_day = [query["sql"] for query in queries if "costs_dayrollup" in query["sql"] and "SUM(" in query["sql"]]
        assert len(by_day) == 1
        assert "WHEN" not in by_day[0]
        assert forecast_of(company, date(2026, 3, 20)).p50 == pytest.approx(Decimal(3410), rel=Decimal("0.02"))

    def test_all_budgets_that_a_late_bill_touches_are_asked_for_together(self, azure_is_late, budget_of, night):
        def queries_of_a_night(day):
            with CaptureQueriesContext(connection) as queries:
                night(date(2026, 3, day))
            return sum("costs_dayrollup" in query["sql"] and "SUM(" in query["sql"] for query in queries)

        budget_of("Company 0", "4000")
        one = queries_of_a_night(12)
        for number in range(1, 4):
            budget_of(f"Company {number}", "4000")
        assert queries_of_a_night(14) == one == 1


def test_a_sum_of_independent_costs_is_as_wide_as_its_parts_make_it():
    def normal(middle, deviation):
        return Distribution(middle + deviation * NORMAL, "model")

    both = add_independent([normal(1000.0, 30.0), normal(200.0, 40.0)])
    # The deviations of independent costs add by their squares: 30 and 40 make 50.
    assert both.likeliest == pytest.approx(1200)
    assert both.likely == pytest.approx(normal(1200.0, 50.0).likely)
    certain = add_independent([normal(1000.0, 30.0), Distribution(np.zeros(STEPS), "none")])
    assert certain.method == "model"
    wide = normal(1000.0, 30.0).likely
    assert (np.abs(certain.likely - certain.likely[MIDDLE]) >= np.abs(wide - wide[MIDDLE]) - 1e-6).all()

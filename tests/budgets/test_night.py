"""The night: what is crossed, what opens, who is told, and that nothing comes twice."""

import json
import threading
from datetime import date, timedelta
from decimal import Decimal
from io import StringIO

import pytest
from django.core.management import CommandError, call_command
from django.db import connection

from budgets.evaluation import evaluate
from budgets.forecast import spending
from budgets.models import Alert, AlertDelivery, Budget, BudgetPeriod, Forecast, Night, Recipient, Threshold
from budgets.planning import budget_changes
from costs.ingest.load import load_bill
from costs.ingest.receive import receive_bill
from finops_site.lib.periods import Month, Period
from finops_site.models import Team
from tests import bills
from tests.budgets.conftest import at
from tests.shared_fixtures import shared

pytestmark = pytest.mark.django_db
MARCH = Month.parse("2026-03").period


def kinds(report):
    return [(breach["kind"], breach["threshold"]) for breach in report.crossings]


def test_a_budget_crosses_its_thresholds_in_order_as_the_days_go_by(a_quarter, payments, budget_of, night):
    budget_of("Payments", "3000", team=payments)
    opened = {}
    for day in (1, 2, 14, 15, 23, 24, 29, 30):
        for breach in night(date(2026, 3, day)).crossings:
            if breach["period"]["from"] == "2026-03-01":
                opened.setdefault((breach["kind"], breach["threshold"]), day)
    assert opened == {("forecast", "100"): 1, ("actual", "50"): 15, ("actual", "80"): 24, ("actual", "100"): 30}
    assert Alert.objects.filter(period__start=date(2026, 3, 1)).count() == 4


def test_the_landing_of_a_steady_month_is_what_it_will_be(a_quarter, payments, budget_of, night):
    budget_of("Payments", "4000", team=payments)
    night(date(2026, 3, 12))
    forecast = Forecast.objects.get()
    assert (forecast.spent, round(forecast.p50), forecast.method) == (Decimal(1200), 3100, "model")
    assert forecast.complete_until == date(2026, 3, 10)
    assert forecast.chance_of_overrun < Decimal("0.1")
    assert max(forecast.backtest["wape"]["forecast"].values()) < 0.05, "February, after a month of history"


def test_running_a_night_twice_makes_nothing_twice(a_quarter, payments, budget_of, night):
    budget_of("Payments", "3000", team=payments)
    first, second = night(date(2026, 3, 20)), night(date(2026, 3, 20))
    assert (first.alerts_made, first.mails_queued) == (2, 2)
    assert (second.alerts_made, second.mails_queued) == (0, 0)
    assert first.crossings == second.crossings
    assert Alert.objects.count() == AlertDelivery.objects.count() == 2


def test_an_earlier_night_run_again_changes_no_alert(a_quarter, payments, budget_of, night):
    budget_of("Payments", "3000", team=payments)
    night(date(2026, 3, 20))
    night(date(2026, 3, 2))
    assert set(Alert.objects.values_list("state", "evaluated_as_of")) == {("open", date(2026, 3, 20))}


def test_missed_nights_are_caught_up_in_order(a_quarter, payments, budget_of):
    budget_of("Payments", "3000", team=payments)
    evaluate.evaluate_nights(date(2026, 3, 10), now=at(date(2026, 3, 10)))
    reports = evaluate.evaluate_nights(date(2026, 3, 16), now=at(date(2026, 3, 16)))
    assert [report.as_of.day for report in reports] == [11, 12, 13, 14, 15, 16]
    assert Alert.objects.get(kind="actual").as_of == date(2026, 3, 15), (
        "the day it happened, not the day of catching up"
    )
    assert Night.objects.count() == 7


def test_a_dry_run_shows_the_night_and_writes_nothing(a_quarter, payments, budget_of, night):
    budget_of("Payments", "3000", team=payments)
    report = night(date(2026, 3, 20), dry_run=True)
    assert (report.alerts_made, report.mails_queued) == (2, 2)
    assert not Alert.objects.exists()
    assert not Forecast.objects.exists()


def test_leads_are_told_and_finance_for_the_company(a_quarter, payments, budget_of, night):
    budget_of("Payments", "2000", team=payments)
    budget_of("Company", "2000")
    night(date(2026, 3, 11))
    notified = set(AlertDelivery.objects.values_list("alert__budget__name", "address"))
    assert notified == {("Payments", "lea@demo.example"), ("Company", "fay@demo.example")}


def test_a_team_without_a_lead_is_told_at_its_own_address(a_quarter, payments, budget_of, night):
    payments.memberships.all().delete()
    budget_of("Payments", "2000", team=payments)
    night(date(2026, 3, 11))
    assert AlertDelivery.objects.filter(address="payments@demo.example").exists()


def test_somebody_named_twice_is_told_once(a_quarter, payments, budget_of, lea, night):
    budget = budget_of("Payments", "2000", team=payments)
    Recipient.objects.create(budget=budget, kind="user", user=lea)
    Recipient.objects.create(budget=budget, kind="address", address="Lea@demo.example")
    Recipient.objects.create(budget=budget, kind="slack", url="https://hooks.slack.com/services/T/B/x")
    night(date(2026, 3, 11))
    channels = AlertDelivery.objects.filter(alert__kind="actual").values_list("channel", flat=True)
    assert sorted(channels) == ["mail", "slack"]


def test_a_newer_bill_takes_a_crossing_back_and_says_so(a_quarter, payments, budget_of, deliver, night):
    budget_of("Payments", "3000", team=payments)
    night(date(2026, 3, 15))
    alert = Alert.objects.get(kind="actual")
    deliver("2026-03", "90.00")
    report = night(date(2026, 3, 15))
    alert.refresh_from_db()
    assert alert.state == "resolved"
    assert alert.note == "taken back: a newer bill shows 1,350.00 USD; it was 1,500.00 USD when this alert opened"
    assert report.mails_queued == 0, "nobody had been told yet"
    assert alert.deliveries.get().outcome == "cancelled"


def test_who_was_told_of_a_crossing_is_told_that_it_was_taken_back(a_quarter, payments, budget_of, deliver, night):
    budget_of("Payments", "3000", team=payments)
    night(date(2026, 3, 15))
    AlertDelivery.objects.update(outcome="sent", sent_at=at(date(2026, 3, 15)))
    deliver("2026-03", "90.00")
    assert night(date(2026, 3, 15)).mails_queued == 1
    assert night(date(2026, 3, 15)).mails_queued == 0
    assert set(Alert.objects.get(kind="actual").deliveries.values_list("occasion", flat=True)) == {
        "opened",
        "taken back:0",
    }


def test_a_forecast_that_falls_back_resolves_without_a_mail(payments, deliver, budget_of, night):
    deliver("2026-01", "100.00", months=2)
    deliver("2026-03", lambda day: "130.00" if day.day <= 8 else "60.00")
    budget_of("Payments", "3000", team=payments)
    night(date(2026, 3, 9))
    assert Alert.objects.get().kind == "forecast"
    AlertDelivery.objects.update(outcome="sent")
    assert night(date(2026, 3, 20)).mails_queued == 1, "half of it is spent; that the forecast fell back tells nobody"
    alert = Alert.objects.get(kind="forecast")
    assert alert.state == "resolved"
    assert alert.note.startswith("resolved: the forecast fell back to")


def test_late_cost_of_a_month_that_is_over_still_warns(a_quarter, payments, budget_of, night):
    budget_of("Payments", "3090", team=payments)
    night(date(2026, 3, 29))
    late = night(date(2026, 4, 3))
    assert ("actual", "100") in kinds(late)
    assert Alert.objects.get(kind="actual", threshold__percent=100).period.start == date(2026, 3, 1)


def test_a_scope_that_matches_nothing_is_judged_in_peace(a_quarter, budget_of, night):
    budget_of("Nothing", "100", scope={"service": ["No such service"]})
    report = night(date(2026, 3, 15))
    assert (report.budgets, report.crossings) == (1, [])
    assert Forecast.objects.get().method == "none"


def test_a_budget_that_is_deleted_before_its_turn_stops_no_other(a_quarter, payments, budget_of, night):
    gone, remaining = budget_of("Gone", "100", team=payments), budget_of("Kept", "3000", team=payments)
    night(date(2026, 3, 19))
    pks = [gone.pk, remaining.pk]
    gone.delete()
    report = night(date(2026, 3, 20), budgets=pks)
    assert (report.budgets, {breach["budget"] for breach in report.crossings}) == (1, {"Kept"})
    assert set(Alert.objects.values_list("budget__name", flat=True)) == {"Kept"}


def test_a_budget_of_zero_warns_at_the_first_cent_once(a_quarter, payments, budget_of, night):
    budget_of("Nothing may be spent", "0", team=payments)
    assert kinds(night(date(2026, 3, 1))) == [("actual", "100"), ("forecast", "100")]
    assert Alert.objects.get().kind == "actual", "what is spent already is no news as a forecast"


def test_a_threshold_of_1000_percent_is_one_and_0_percent_is_refused(a_quarter, payments, budget_of, night):
    budget = budget_of("Payments", "100", team=payments)
    Threshold(budget=budget, kind="actual", percent=Decimal(1000)).save()
    assert ("actual", "1000") in kinds(night(date(2026, 3, 10)))
    with pytest.raises(Exception, match="always breached"):
        Threshold(budget=budget, kind="actual", percent=Decimal(0)).clean()


def test_a_rate_a_day_and_an_unusual_day_warn(payments, deliver, budget_of, night):
    deliver("2026-01", "100.00", months=2)
    deliver("2026-03", lambda day: "900.00" if day.day == 10 else "100.00")
    budget = budget_of("Payments", "4000", team=payments)
    for kind, percent, amount in (("rate", "150", None), ("day", None, "500"), ("anomaly", None, "500")):
        Threshold.objects.create(budget=budget, kind=kind, percent=percent, amount=amount)
    values = {breach["kind"]: Decimal(breach["value"]) for breach in night(date(2026, 3, 12)).crossings}
    assert values["day"] == 900
    assert round(values["anomaly"]) == 800
    assert round(values["rate"]) == round(Decimal(1100) / 3 * 31)


def test_scopes_count_what_the_explorer_counts(payments, deliver, budget_of, fay):
    from costs.query import spend

    deliver("2026-03", "10.123456789", until=date(2026, 3, 10))
    scopes = [
        {},
        {"service": ["Amazon Elastic Compute Cloud"]},
        {"provider": ["AWS"], "account": ["000000000042", "x"]},
        {"region": ["us-east-1"]},
        {"tag:Team": ["Payments"]},
        {"team": [str(payments.pk)]},
        {"team": ["none"]},
        {"charge_category": ["Usage"]},
    ]
    for number, scope in enumerate(scopes):
        budget = budget_of(f"budget {number}", "100", scope=scope)
        cost = spending.total_cost(budget, MARCH)
        assert cost == (spend.total_spend(fay, budget.question(MARCH)).get("USD") or 0), scope


def test_a_team_counts_the_teams_below_it(a_quarter, payments, budget_of):
    data = Team.objects.get(name="Data")
    Team.objects.filter(pk=payments.pk).update(parent=data)
    assert spending.total_cost(budget_of("Data", "100", team=data), MARCH) == 3100


def test_credits_and_taxes_can_be_left_out(payments, deliver, budget_of):
    deliver("2026-03", "100.00", until=date(2026, 3, 2))
    deliver("2026-02", "-50.00", ChargeCategory="Credit")
    both = Period(date(2026, 2, 1), date(2026, 4, 1))
    assert spending.total_cost(budget_of("with", "1"), both) == 200 - 28 * 50
    assert spending.total_cost(budget_of("without", "1", with_credits=False), both) == 200


def test_many_budgets_cost_no_more_questions_than_one(a_quarter, payments, budget_of, night, django_assert_num_queries):
    from django.test.utils import CaptureQueriesContext

    def questions(day):
        with CaptureQueriesContext(
            connection,
        ) as queries:
            night(day)
        return len(queries)

    budget_of("first", "10", team=payments)
    night(date(2026, 3, 4))
    alone = questions(date(2026, 3, 5))
    for number in range(20):
        budget_of(f"more {number}", "1000000", team=payments)
    assert questions(date(2026, 3, 6)) <= alone + 2


def test_what_is_left_goes_to_the_next_month_where_the_budget_says_so(a_quarter, payments, budget_of, night):
    budget = budget_of("Payments", "3500", team=payments, rollover=True, start=date(2026, 1, 1))
    night(date(2026, 3, 3))
    assert budget.periods.get(start=date(2026, 3, 1)).rolled_over == 700, "February cost 2,800"
    night(date(2026, 3, 3))
    assert budget.periods.get(start=date(2026, 3, 1)).budgeted == 4200


def test_an_automatic_budget_follows_the_last_months(a_quarter, payments, fay, night):
    budget = Budget(name="Auto", team=payments, start=date(2026, 1, 1), auto_months=2, auto_factor=Decimal("1.1"))
    budget_changes.create_budget(budget, {}, by=fay)
    night(date(2026, 3, 1))
    assert budget.periods.get().amount == Decimal("3245.00"), "(3,100 + 2,800) / 2 x 1.1"


def test_two_evaluators_judge_a_budget_one_after_the_other(transactional_db, people, payments, deliver, budget_of):
    deliver("2026-03", "100.00", until=date(2026, 3, 20))
    budget_of("Payments", "1000", team=payments)
    day, reports = date(2026, 3, 20), []

    def judge():
        try:
            reports.append(evaluate.evaluate_nights(day, now=at(day), catch_up=False)[0])
        finally:
            connection.close()

    threads = [threading.Thread(target=judge) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(report.alerts_made for report in reports) == [0, 0, 0, 3]
    assert AlertDelivery.objects.count() == 3


def test_a_budget_deleted_between_reading_and_judging_is_left_out(a_quarter, payments, budget_of, night, monkeypatch):
    gone, remaining = budget_of("gone", "1000", team=payments), budget_of("kept", "1000", team=payments)
    groups = list(evaluate.groups_of_one_shape(date(2026, 3, 20), None))
    Budget.objects.filter(pk=gone.pk).delete()
    report = evaluate.NightReport(date(2026, 3, 20))
    for group in groups:
        evaluate.evaluate_group(group, report, at(date(2026, 3, 20)), ())
    assert {breach["budget_id"] for breach in report.crossings} == {remaining.pk}


def test_a_month_closing_during_the_run_keeps_its_own_alerts(a_quarter, payments, budget_of, night):
    budget_of("Payments", "3050", team=payments)
    for day in (date(2026, 3, 31), date(2026, 4, 1), date(2026, 4, 4)):
        night(day)
    assert set(Alert.objects.values_list("period__start", flat=True)) == {date(2026, 3, 1)}
    assert Forecast.objects.filter(period__start=date(2026, 3, 1)).first().method == "done"


def test_a_bill_that_becomes_current_has_its_months_judged(a_quarter, payments, budget_of, monkeypatch):
    from budgets import tasks

    budget = budget_of("Payments", "3000", team=payments)
    assert evaluate.budgets_in([Month.parse("2026-03")]) == [budget.pk]
    assert evaluate.budgets_in([Month.parse("2025-03")]) == []
    day = date(2026, 5, 20)
    evaluate.evaluate_nights(day, now=at(day), budgets=[budget.pk], months=[Month.parse("2026-03")])
    assert Forecast.objects.filter(period__start=date(2026, 3, 1)).exists()
    assert not Alert.objects.filter(period__start=date(2026, 3, 1)).exists(), "March is long over: it warns nobody"
    assert not Night.objects.exists(), "a bill is no night"
    assert tasks.evaluate_months.name == "budgets.tasks.evaluate_months"


def test_the_command_prints_the_night_as_json(a_quarter, payments, budget_of):
    budget_of("Payments", "3000", team=payments)
    out = StringIO()
    call_command("evaluate_budgets", as_of="2026-03-20", json=True, stdout=out)
    figures = json.loads(out.getvalue())
    assert (figures["alerts_made"], figures["mails_queued"], len(figures["crossings"])) == (2, 2, 2)
    assert figures["crossings"][0]["value"] == "2000"


def test_a_day_that_is_none_is_said_in_a_line(db):
    with pytest.raises(CommandError, match="'tomorrow' is not a day") as error:
        call_command("evaluate_budgets", as_of="tomorrow")
    assert error.value.returncode == 2


def test_a_snoozed_alert_comes_back_when_its_day_has_come(a_quarter, payments, budget_of, night):
    budget_of("Payments", "3000", team=payments)
    night(date(2026, 3, 15))
    Alert.objects.filter(kind="actual").update(state="snoozed", snoozed_until=date(2026, 3, 18))
    assert night(date(2026, 3, 17)).mails_queued == 0
    assert night(date(2026, 3, 18)).mails_queued == 1
    assert Alert.objects.get(kind="actual").state == "reopened"


def test_a_raised_amount_resolves_and_says_why(a_quarter, payments, budget_of, night, fay):
    budget = budget_of("Payments", "3000", team=payments)
    night(date(2026, 3, 15))
    budget_changes.change_budget(budget, {MARCH: Decimal(9000)}, version=1, by=fay, why="a launch")
    night(date(2026, 3, 16))
    assert Alert.objects.get(kind="actual").note == "resolved: the amount was raised to 9,000.00 USD"


def test_periods_begin_and_end_where_they_say(budget_of, payments):
    budget_of("Payments", "3000", team=payments)
    assert BudgetPeriod.objects.holding(date(2026, 3, 31)).get().period == MARCH
    assert BudgetPeriod.objects.first().period.last_day + timedelta(days=1) == date(2026, 4, 1)


def test_a_refund_and_support_of_an_aws_report_stand_in_their_own_boxes(budget_of, tmp_path, fay):
    """Usage 100, a refund of 40, support 1,000, a product of the Marketplace 7, the upfront fee of a plan 500."""
    fee = {"lineItem/LineItemType": "Fee", "lineItem/ResourceId": ""}
    rows = [
        {"lineItem/UnblendedCost": "100"},
        {"lineItem/LineItemType": "Refund", "lineItem/UnblendedCost": "-40"},
        {**fee, "lineItem/ProductCode": "AWSSupportEnterprise", "lineItem/UnblendedCost": "1000"},
        {**fee, "lineItem/ProductCode": "5hnnev", "lineItem/UnblendedCost": "7"},
        {
            "lineItem/LineItemType": "SavingsPlanUpfrontFee",
            "lineItem/ProductCode": "ComputeSavingsPlans",
            "lineItem/UnblendedCost": "500",
            "savingsPlan/SavingsPlanARN": "arn:sp/1",
        },
    ]
    (received,) = receive_bill("aws", [bills.write(tmp_path, "cur.csv", bills.cur_csv(rows))])
    assert load_bill(received.delivery).status == "current"
    every, no_refunds, no_purchases = (
        budget_of(name, "1500", **boxes)
        for name, boxes in (("all", {}), ("refunds", {"with_refunds": False}), ("purchases", {"with_purchases": False}))
    )
    spent = spending.daily_costs([every, no_refunds, no_purchases], MARCH)
    assert spent[every.pk].total(MARCH) == 1567
    assert spent[no_refunds.pk].total(MARCH) == 1607
    assert spent[no_purchases.pk].total(MARCH) == 1067, "support and the product are bought without a commitment"


@shared
def nobody_chose(payments, budget_of):
    """A budget whose forecast threshold has no probability of its own."""
    budget = budget_of("Payments", "3000", team=payments)
    budget.thresholds.filter(kind="forecast").update(probability=None)
    return budget


def test_a_forecast_warns_after_two_nights_in_a_row(a_quarter, nobody_chose, night):
    night(date(2026, 3, 10))
    assert not Alert.objects.filter(kind="forecast").exists(), "once may be chance"
    night(date(2026, 3, 12))
    assert not Alert.objects.filter(kind="forecast").exists(), "the night between was not evaluated"
    night(date(2026, 3, 13))
    assert Alert.objects.get(kind="forecast").as_of == date(2026, 3, 13)


def test_a_night_that_is_caught_up_counts_as_one_of_the_two(a_quarter, nobody_chose):
    evaluate.evaluate_nights(date(2026, 3, 10), now=at(date(2026, 3, 10)))
    evaluate.evaluate_nights(date(2026, 3, 12), now=at(date(2026, 3, 12)))
    assert Alert.objects.get(kind="forecast").as_of == date(2026, 3, 11)


def test_a_probability_that_finance_set_warns_on_the_first_night(a_quarter, payments, budget_of, night):
    budget = budget_of("Payments", "3000", team=payments)
    assert budget.thresholds.get(kind="forecast").probability == Decimal("0.5")
    night(date(2026, 3, 10))
    assert Alert.objects.get(kind="forecast").as_of == date(2026, 3, 10)

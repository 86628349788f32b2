"""Every KPI of the demo equals what plain SQL makes of the tables below it."""

from datetime import date
from decimal import Decimal
from pathlib import Path

import pytest
import time_machine
from django.db import connection
from django.urls import reverse
from django.utils import timezone

from budgets import demo as budgets_demo
from budgets.models import Alert
from finops_site.lib.periods import Month
from finops_site.models import Team, User
from finops_site.registry import Kpi, registry
from programme.kpis import demo, nights
from programme.models import Kpi as KpiSettings
from programme.models import KpiComment, KpiDay
from programme.savings_model.assumptions import start_model
from reservations import demo as commitments_demo
from reservations.models import Coverage
from tagging.models import ChargebackPeriod, Metric, MetricValue, Statement, TagRequirement
from tagging.ownership.demo import make_ownership_rules
from tagging.policy import compliance
from tests.people import signed_in
from tests.programme.savings_model import test_savings_model
from tests.programme.savings_model.test_savings_model import NOW, change
from tests.shared_fixtures import shared
from usage.findings.evaluate import evaluate
from usage.models import Finding
from usage.proof import saving_months

pytestmark = pytest.mark.django_db
AS_OF = date(2026, 11, 29)
QUIET = [].append


@shared
def company(people):
    """The demo's second organisation with its commitments, budgets, compliance and counts of orders."""
    make_ownership_rules(QUIET, as_of=AS_OF)
    commitments_demo.own_commitments(QUIET, as_of=AS_OF)
    commitments_demo.prove_savings(QUIET, as_of=AS_OF)
    # Of the tags of the policy one is asked for, and what one team writes is right.
    TagRequirement.objects.exclude(key="Team").update(is_required=False)
    TagRequirement.objects.filter(key="Team").update(allowed_values=["Data"])
    compliance.refresh_compliance()
    budgets_demo.make_budgets(QUIET, as_of=AS_OF)
    orders = Metric.objects.create(name="orders", grain="month", counted_for="company")
    MetricValue.objects.create(metric=orders, day=date(2026, 10, 1), value=Decimal(4000))
    closed_at = timezone.now().replace(year=2026, month=11, day=20)
    period = ChargebackPeriod.objects.create(billing_month=date(2026, 10, 1), state="closed", closed_at=closed_at)
    for name in ("Payments", "Data"):
        team = Team.objects.get(name=name)
        Statement.objects.create(period=period, team=team, currency="USD", team_name=name, number=f"2026-{name}")


def ask(sql, *values):
    with connection.cursor() as cursor:
        cursor.execute(sql, values)
        return cursor.fetchone()


def measures(person):
    return {kpi.name: measure for kpi, measure in registry.measures(person, AS_OF)}


def percent(part, total, places=1):
    return round(Decimal(part) * 100 / Decimal(total), places)


def test_cost_with_an_owner_is_that_of_the_cost_lines(company, fay):
    owned, total = ask(
        "select sum(billed_cost) filter (where owner_id is not null or pool_id is not null), sum(billed_cost)"
        " from costs_costline where charge_date between '2026-11-01' and %s",
        AS_OF,
    )
    by_name = measures(fay)
    assert total > 0
    assert by_name["owned-cost"].value == percent(owned, total)
    assert by_name["unallocated-share"].value == 100 - percent(owned, total)


def test_coverage_utilisation_and_savings_rate_are_those_of_the_days(company, fay):
    newest = Coverage.objects.latest("day").day
    covered, eligible, paid = ask(
        "select sum(covered_cost), sum(eligible_cost), sum(paid) from reservations_coverage where day > %s - 30", newest
    )
    committed, unused = ask(
        "select sum(paid), sum(unused_cost) from reservations_utilisation where day > %s - 30", newest
    )
    by_name = measures(fay)
    assert covered > 0
    assert by_name["commitment-coverage"].value == percent(covered, eligible, 2)
    assert by_name["commitment-utilisation"].value == percent(committed - unused, committed, 2)
    assert by_name["effective-savings-rate"].value == percent(eligible - paid, eligible, 2)


def test_savings_are_those_of_the_ledger(company, fay):
    year, month = ask(
        "select sum(realised), sum(realised) filter (where month = '2026-10-01') from reservations_ledgermonth"
        " where month >= '2025-12-01'"
    )
    by_name = measures(fay)
    assert by_name["savings-realised"].value == year
    assert by_name["monthly-savings"].value == month


def test_compliance_is_that_of_the_last_tags_of_each_resource_in_the_cost_lines(company, fay):
    right, resources = ask(
        "select count(*) filter (where tags->>'Team' = 'Data'), count(*) from ("
        " select distinct on (sub_account, resource) tags from costs_costline line"
        " join costs_tagset on costs_tagset.id = line.tag_set_id"
        " where charge_date between '2026-11-01' and '2026-11-30' and resource > ''"
        " order by sub_account, resource, charge_date desc) newest"
    )
    measure = measures(fay)["tag-compliance"]
    assert 0 < right < resources
    assert measure.value == percent(right, resources)
    assert [one.value for one in measure.inputs] == [resources, right, resources - right]


def test_budget_variance_is_that_of_the_cost_lines_of_each_team_and_month(company, fay):
    """Of months that are over; the company's budget is that of its teams once more."""
    missed, budgeted, periods = ask(
        "select sum(abs(spent - budgeted)), sum(budgeted), count(*) from ("
        " select p.amount + p.rolled_over budgeted, coalesce((select sum(billed_cost) from costs_costline line"
        "  where line.owner_id = b.team_id and line.charge_date >= p.start and line.charge_date < p.end), 0) spent"
        " from budgets_budgetperiod p join budgets_budget b on b.id = p.budget_id"
        " where b.state = 'active' and b.team_id is not null and p.start >= '2026-01-01' and p.end <= %s) months",
        AS_OF,
    )
    assert periods == 40, "four teams, January to October"
    assert measures(fay)["budget-variance"].value == percent(missed, budgeted)


def test_alert_response_is_that_of_the_alerts_and_one_without_an_answer_counts_with_its_age(company, fay):
    with time_machine.travel("2026-12-01T00:00:00Z", tick=False):
        (alert,) = Alert.objects.all()
        alert.pk, alert.kind, alert.state, alert.acknowledged_at = None, "day", "open", None
        alert.save()
        (hours,) = ask(
            "select avg(extract(epoch from coalesce(acknowledged_at, '2026-11-30T00:00:00Z') - opened_at)) / 3600"
            " from budgets_alert where opened_at >= '2026-09-01' and opened_at < '2026-11-30T00:00:00Z'"
        )
        assert hours > 4
        assert measures(fay)["alert-response"].value == round(hours, 1)


def test_return_and_payback_are_those_of_the_ledger_and_of_what_was_paid(company, fay):
    start_model(user=fay, currency="USD", start=Month(2026, 1), now=NOW)
    change("investment-paid", source="Ledger", reason="paid", expected=400)
    months, saved = ask(
        "select count(*) filter (where so_far < 400) + 1, sum(realised) from ("
        " select realised, sum(realised) over (order by month) so_far from ("
        "  select month.day::date as month, coalesce(sum(realised), 0) as realised"
        "  from generate_series('2026-01-01'::date, '2026-11-01', '1 month') month(day)"
        "  left join reservations_ledgermonth ledger on ledger.month = month.day::date group by 1) by_month) sums"
    )
    by_name = measures(User.objects.get(pk=fay.pk))
    assert saved > 400
    assert by_name["roi"].value == round((saved - 400) * 100 / 400, 2)
    assert by_name["payback"].value == months


def test_no_kpi_is_without_a_recomputation(company):
    """Cost avoidance has its own beside the savings model."""
    text = Path(__file__).read_text() + Path(test_savings_model.__file__).read_text()
    assert [kpi.name for kpi in registry.of(Kpi) if f'"{kpi.name}"' not in text] == []


def test_budgets_forecasts_and_alerts_are_those_of_their_tables(company, fay):
    by_name = measures(fay)
    assert by_name["active-budgets"].value == ask("select count(*) from budgets_budget where state = 'active'")[0]
    rows = ask(
        "select sum(p50 * (1 - (backtest->'wape'->'forecast'->>'14')::numeric)) / sum(p50) * 100, count(*) from ("
        " select distinct on (p.budget_id) f.p50, f.backtest from budgets_forecast f"
        " join budgets_budgetperiod p on p.id = f.period_id join budgets_budget b on b.id = p.budget_id"
        " where b.state = 'active' and p.start <= %s and p.end > %s and f.as_of <= %s"
        " order by p.budget_id, f.as_of desc, f.id desc) newest where backtest->'wape'->'forecast' is not null"
        " and p50 > 0",
        *[AS_OF] * 3,
    )
    accuracy = by_name.get("forecast-accuracy")
    assert (accuracy and accuracy.value) == (rows[0] and round(rows[0], 1))


def test_waste_is_what_findings_would_save_of_the_cost_of_their_window(company, fay):
    """Without a whole month that came "estimate-accuracy" is unknown; tests/usage/estimates has the rest."""
    assert measures(fay)["waste-share"].value is None
    run = evaluate(AS_OF)
    assert run.findings > 0
    saving, cost = ask(
        "select (select sum(counted_saving) from usage_finding where currency = 'USD' and state = 'new'"
        "  and confidence <> 'needs a look'), sum(effective_cost) from costs_costline"
        " where currency = 'USD' and charge_category = 'Usage' and charge_date between %s and %s",
        run.first_day,
        run.last_day,
    )
    days = (run.last_day - run.first_day).days + 1
    by_name = measures(User.objects.get(pk=fay.pk))
    assert by_name["waste-share"].value == percent(saving or 0, cost * 365 / 12 / days, 2)
    assert by_name["waste-found"].value == (saving or 0)
    Finding.objects.filter(pk=Finding.objects.first().pk).update(state="mended", mended_day="2026-09-20")
    saving_months.prove(AS_OF)
    (saved,) = ask("select sum(cost_before * 31 / 31 - cost_after) from usage_savingmonth where month = '2026-10-01'")
    removed = measures(User.objects.get(pk=fay.pk))["waste-removed"].value
    assert removed == saved
    assert by_name["estimate-accuracy"].value is None


def test_a_unit_costs_the_bill_by_what_was_counted(company, fay):
    (cost,) = ask("select sum(billed_cost) from costs_costline where charge_date between '2026-10-01' and '2026-10-31'")
    assert round(measures(fay)["unit-cost"].value, 12) == round(cost / 4000, 12)


def test_a_lead_who_opens_her_statement_is_counted_once_and_a_deleted_team_not_at_all(company, fay, lea, eli):
    assert measures(fay)["team-adoption"].value == 0
    payments = Team.objects.get(name="Payments")
    for person in (eli, fay, lea, lea):
        assert signed_in(person).get(reverse("tagging:statement", args=["2026-10", payments.pk])).status_code == 200
    later = date(2999, 1, 1)
    adoption = {kpi.name: kpi for kpi in registry.of(Kpi)}["team-adoption"].measure
    assert adoption(fay, later).value == 50
    # Her team alone, for lea; before any month was closed there is no denominator, and so no figure.
    assert adoption(lea, later).value == 100
    assert adoption(fay, date(2026, 11, 1)) is None
    Statement.objects.filter(team__name="Data").delete()
    assert adoption(fay, later).value == 100


def test_the_demo_has_a_past_owners_and_every_input_opens(company, fay, monkeypatch):
    demo.make_kpis(QUIET, as_of=AS_OF)
    stored = KpiDay.objects.filter(name="commitment-coverage").order_by("day")
    assert [stored.first().day, stored.last().day, stored.count()] == [date(2026, 9, 30), AS_OF, 61]
    assert KpiSettings.objects.get(name="tag-compliance").owner.email.startswith("lea@")
    browser = signed_in(fay)
    for kpi, measure in registry.measures(fay, AS_OF):
        assert browser.get(f"/programme/kpis/{kpi.name}/").status_code == 200
        for one in measure.inputs:
            assert browser.get(one.url).status_code == 200, (kpi.name, one.url)
    # Made up for or not, a night says what the books of its day said: of a running month no later day.
    october = dict(KpiDay.objects.filter(day=date(2026, 10, 15)).values_list("name", "value"))
    covered, eligible = ask(
        "select sum(covered_cost), sum(eligible_cost) from reservations_coverage where day > '2026-10-14'::date - 30"
        " and day <= '2026-10-14'"
    )
    assert october["commitment-coverage"] == percent(covered, eligible, 2)
    assert (
        october["savings-realised"]
        == ask(
            "select sum(realised) from reservations_ledgermonth where month < '2026-10-01' and month >= '2025-11-01'"
        )[0]
    )
    assert october["tag-compliance"] == KpiDay.objects.get(day=date(2026, 9, 30), name="tag-compliance").value
    unasked = KpiDay.objects.get(day=date(2026, 10, 15), name="waste-found")
    assert (unasked.value, unasked.descriptions["en"][:29]) == (None, "Findings are those of now: wh")
    assert "cannot be asked any more" in browser.get("/programme/kpis/waste-found/").content.decode()
    nights.count_again(AS_OF)
    monkeypatch.setattr(demo, "demo_people", User.objects.all)
    demo.remove_kpis()
    assert not KpiDay.objects.exists()
    assert not KpiSettings.objects.exists()
    assert not KpiComment.objects.exists()

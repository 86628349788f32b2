"""The annual plan: every kind of budget in its place, nothing added twice, and what is not known not taken for zero."""

import re
from datetime import date
from decimal import Decimal

import pytest
import time_machine
from django.urls import reverse
from hypothesis import given
from hypothesis import strategies as st

from budgets import panels
from budgets.calc.scope_overlap import are_apart
from budgets.models import Budget, CompanyYear
from budgets.planning import annual_plan, budget_changes
from costs.calc.exchange_rates import CurrencyRate
from costs.calc.filters import read_filters
from costs.query.currency_conversion import load_rates
from finops_site.lib.periods import Month
from finops_site.registry import registry

pytestmark = pytest.mark.django_db
NOVEMBER = date(2026, 11, 29)
APRIL = date(2026, 4, 20)


@pytest.fixture
def plan(fay):
    """A budget of any kind with the same amount for each of its periods."""

    def plan(name, amount, *, team=None, kind="month", start=date(2026, 1, 1), end=None, **fields):
        budget = Budget(name=name, team=team, kind=kind, start=start, end=end, **fields)
        return budget_changes.create_budget(budget, dict.fromkeys(budget.cut.periods(), Decimal(amount)), by=fay)

    return plan


def lines_of(user, year=2026, today=NOVEMBER):
    return {line.budget.name: line for line in annual_plan.load_annual_plan(user, year, today)}


def page_of(client, day=NOVEMBER, **query):
    with time_machine.travel(f"{day}T12:00:00Z", tick=False):
        answer = client.get(reverse("budgets:annual_plan"), {"year": "2026", **query})
    assert answer.status_code == 200
    return answer.context, re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", answer.content.decode()))


def test_quarters_and_years_stand_over_their_months(payments, deliver, plan, fay, client_of):
    deliver("2026-01", "10.00", months=3)
    plan("Quarters", "900", kind="quarter")
    plan("Year", "3650", kind="year")
    plan("Fiscal", "3650", kind="year", start=date(2025, 4, 1), calendar="04")
    plan("Range", "70", kind="custom", start=date(2026, 2, 10), end=date(2026, 2, 17))
    lines = lines_of(fay)
    assert [(str(month), cell.columns) for month, cell in lines["Quarters"].shown] == [
        *(("2026-01", 3), ("2026-04", 3), ("2026-07", 3), ("2026-10", 3))
    ]
    assert [cell.columns for _, cell in lines["Year"].shown] == [12]
    assert lines["Quarters"].months[Month(2026, 1)].actual == 900
    first, second = [cell for _, cell in lines["Fiscal"].shown]
    assert (first.columns, first.amount, first.whole_amount, first.actual) == (3, 900, 3650, 900)
    assert (second.columns, round(second.amount, 2)) == (9, 2750)
    ranged = [(month, cell) for month, cell in lines["Range"].shown if cell.amount is not None]
    assert [(str(month), cell.amount, cell.actual) for month, cell in ranged] == [("2026-02", 70, 70)]
    _, text = page_of(client_of(fay))
    assert "of 3,650.00 from 1 Apr 2025 to 31 Mar 2026, by days" in text


def test_a_company_year_from_april_is_the_year_of_the_page(payments, deliver, plan, fay, client_of):
    CompanyYear.objects.create(pk=1, first_month=4)
    deliver("2026-01", "10.00", months=6)
    plan("Months", "300")
    plan("Fiscal", "900", kind="quarter", start=date(2026, 4, 1), calendar="04")
    lines = lines_of(fay, 2026, date(2026, 7, 5))
    assert [str(month) for month in lines["Months"].months][::11] == ["2026-04", "2027-03"]
    month, cell = lines["Fiscal"].shown[0]
    assert (str(month), cell.columns) == ("2026-04", 3)
    assert lines["Fiscal"].months[Month(2026, 4)].actual == 910
    context, text = page_of(client_of(fay), date(2026, 7, 5))
    assert "1 Apr 2026 to 31 Mar 2027" in text
    assert context["year"] == 2026
    with time_machine.travel("2027-02-01T12:00:00Z", tick=False):
        assert client_of(fay).get(reverse("budgets:annual_plan")).context["year"] == 2026, "February is still in it"


def test_a_year_of_weeks_has_its_own_columns(deliver, payments, plan, fay):
    CompanyYear.objects.create(pk=1, first_month=2, weeks="4-5-4", first_weekday=6)
    deliver("2026-02", "10.00", months=3)
    plan("Retail", "100", start=date(2026, 2, 1), calendar="02 4-5-4 6 nearest")
    plan("Months", "100", start=date(2026, 2, 1))
    lines = lines_of(fay, 2026, date(2026, 5, 10))
    actual = [cell.actual for cell in lines["Retail"].months.values()]
    assert actual[:3] == [280, 350, 260], "4 weeks, 5 weeks, and until 30 April"
    months = [round(cell.amount, 2) for cell in lines["Months"].months.values()]
    assert months == [100] * 11 + [Decimal("96.77")], "30 of January's 31 days are in the year"


def test_budgets_that_overlap_are_never_added(payments, deliver, plan, fay, client_of):
    deliver("2026-01", "100.00", months=3)
    company = plan("Company", "9000")
    plan("Payments", "3000", team=payments, parent=company)
    plan("Payments again", "2900", team=payments)
    plan("Machines", "500", scope={"service": ["Amazon Elastic Compute Cloud"]})
    plan("Buckets", "400", scope={"service": ["Amazon S3"]}, basis="effective_cost")
    context, text = page_of(client_of(fay), APRIL)
    billed, effective = sorted(context["sums"], key=lambda one: one.basis)
    assert ([line.budget.name for line in billed.lines], billed.actual, billed.bill) == (["Company"], 9000, 9000)
    assert {line.budget.name for line, _ in billed.overlapping} == {"Payments", "Payments again", "Machines"}
    assert [line.budget.name for line in effective.lines] == ["Buckets"]
    assert "In no sum of USD" in text
    chart = next(one for one in context["charts"] if "billed" in one["title"])
    assert chart["series"][1]["data"][:3] == [3100, 2800, 3100]
    # Without the company's, teams are added, and what lies across them is not.
    company.state = "archived"
    company.save()
    context, _ = page_of(client_of(fay), APRIL)
    billed = next(one for one in context["sums"] if one.basis == "billed_cost")
    assert [line.budget.name for line in billed.lines] == ["Payments"]
    assert billed.actual == billed.bill == 9000


@pytest.mark.parametrize(
    ("one", "other", "apart"),
    [
        ({"service": ["A"]}, {"service": ["B", "C"]}, True),
        ({"service": ["A"]}, {"service": ["A", "C"]}, False),
        ({"service": ["A"]}, {"region": ["x"]}, False),
        ({}, {"service": ["A"]}, False),
        ({"service": ["A"]}, {"service__not": ["A", "B"]}, True),
        ({"service": ["A", "D"]}, {"service__not": ["A"]}, False),
        ({"service__not": ["A"]}, {"service__not": ["B"]}, False),
        ({"service__prefix": ["Amazon"]}, {"service": ["Azure VM"]}, True),
        ({"service__prefix": ["Amazon"]}, {"service__prefix": ["Amazon S3"]}, False),
        ({"service__prefix": ["Amazon"]}, {"service__prefix": ["Azure"]}, True),
        ({"service__contains": ["S3"]}, {"service": ["Amazon EC2"]}, True),
        ({"tag:Env": ["prod"], "region": ["x"]}, {"tag:Env": ["dev"], "region": ["x"]}, True),
    ],
)
def test_scopes_are_apart_only_where_the_filters_say_so(one, other, apart):
    assert are_apart(read_filters(one), read_filters(other)) is apart
    assert are_apart(read_filters(other), read_filters(one)) is apart


values = st.lists(st.sampled_from("abc"), min_size=1, max_size=3, unique=True)
scopes = st.dictionaries(
    st.sampled_from(["service", "service__not", "region", "region__prefix", "region__contains"]), values
)


@given(scopes, scopes, st.sampled_from("abcd"), st.sampled_from("abcd"))
def test_scopes_that_are_apart_have_no_line_in_common(one, other, service, region):
    def counts(scope):
        line = {"service": service, "region": region}
        return all(filtered.accepts(line[filtered.dimension]) for filtered in read_filters(scope))

    if are_apart(read_filters(one), read_filters(other)):
        assert not (counts(one) and counts(other))


def test_months_without_a_bill_are_unknown_and_listed(payments, deliver, plan, fay, client_of):
    deliver("2025-04", "10.00", months=12)
    plan("FYbudget", "5000", team=payments, kind="year", start=date(2025, 4, 1))
    plan("MonBudget", "300", team=payments)
    context, text = page_of(client_of(fay))
    assert context["kpi"] == Decimal("4.4"), "40 of 900"
    assert ", reached" in text
    assert "MonBudget: Apr 2026 to Oct 2026 not delivered, so not known." in text
    assert "no bill: not known" in text
    lines = lines_of(fay)
    assert lines["MonBudget"].at_year_end == 900 + 9 * 300
    assert lines["FYbudget"].months[Month(2026, 1)].columns == 12
    measure = {kpi.name: one for kpi, one in registry.measures(fay, NOVEMBER)}["budget-variance"]
    assert measure.value == Decimal("4.4")
    assert "not known" in measure.description


def test_one_budget_in_francs_does_not_hide_the_variance(payments, deliver, plan, fay, settings):
    deliver("2026-01", "10.00", months=3)
    deliver("2026-01", "20.00", months=3, BillingCurrency="CHF", SubAccountId="chf", BillingAccountId="chf")
    plan("Dollars", "300")
    plan("Francs", "620", currency="CHF")
    figures = annual_plan.variance_figures(list(lines_of(fay, today=date(2026, 4, 20)).values()))
    assert figures.without_rate
    assert figures.value is not None
    rates = [CurrencyRate("CHF", "USD", date(2026, month, 1), Decimal(2), monthly=True) for month in (1, 2, 3)]
    load_rates(rates, "test")
    settings.FINOPS_REPORTING_CURRENCY = "USD"
    figures = annual_plan.variance_figures(list(lines_of(fay, today=date(2026, 4, 20)).values()))
    dollars, francs = figures.by_currency["USD"], figures.by_currency["CHF"]
    assert (dollars, francs) == (Decimal("4.4"), Decimal("3.2")), "40 of 900; 60 of 1,860"
    assert (figures.value, figures.currency, figures.without_rate) == (Decimal("3.5"), "USD", []), "160 of 4,620"


def test_a_part_of_a_month_stands_in_its_column_and_on_every_page(payments, deliver, plan, night, fay, client_of):
    deliver("2026-02", "10.00", months=2)
    budget = plan("Payments", "160", team=payments, start=date(2026, 3, 16), end=date(2026, 4, 11))
    with time_machine.travel("2026-03-31T12:00:00Z", tick=False):
        night(date(2026, 3, 31))
        assert client_of(fay).get(budget.get_absolute_url()).status_code == 200
        assert client_of(fay).get("/").status_code == 200
        (row,) = panels.budgets_report(fay, Month(2026, 3))["rows"]
        assert row["forecast"].spent == 160
        (shown,) = panels.team_budgets(fay, payments.pk, Month(2026, 3))
        assert (shown.amount, shown.spent) == (160, 160)
    lines = lines_of(fay, today=date(2026, 4, 20))
    cells = {str(month): cell for month, cell in lines["Payments"].shown if cell.amount is not None}
    assert (sorted(cells), cells["2026-03"].actual) == (["2026-03", "2026-04"], 160)
    context, _ = page_of(client_of(fay), APRIL, budget=budget.pk, month="2026-03")
    assert sum(context["why"]["reasons"].values()) == context["why"]["total"] == 0
    assert client_of(fay).get(f"{reverse('budgets:annual_plan')}?year=2026&_export=csv").status_code == 200


def test_a_budget_in_a_currency_that_no_bill_has_is_not_known_and_named(payments, deliver, plan, fay, client_of):
    deliver("2026-01", "10.00", months=3)
    plan("Euros", "1000", currency="EUR", end=date(2026, 4, 1))
    plan("Dollars", "310", team=payments, end=date(2026, 2, 1))
    lines = list(lines_of(fay, today=APRIL).values())
    figures = annual_plan.variance_figures(lines)
    assert figures.by_currency == {"USD": 0}, "310 of 310 in January; nothing is known in EUR, and not 100% of it"
    assert figures.not_billed == {"Euros": "EUR"}
    assert "Euros: no bill is in EUR, so not known." in figures.notes
    assert "no bill is in EUR" in page_of(client_of(fay), APRIL)[1]

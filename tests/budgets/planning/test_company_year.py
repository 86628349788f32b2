"""A company whose year begins in April or counts weeks: its budgets are cut so, and stay so when the year changes."""

from datetime import date
from decimal import Decimal

import pytest
import time_machine
from django.urls import reverse

from budgets.alerts.alert_summary import alert_headline
from budgets.models import Alert, Budget, CompanyYear, Forecast
from finops_site.lib.periods import Month
from finops_site.models import AuditEntry

pytestmark = pytest.mark.django_db
FORM = {
    "basis": "billed_cost",
    "currency": "USD",
    "way": "flat",
    "auto_factor": "1",
    **dict.fromkeys(("with_credits", "with_refunds", "with_tax", "with_purchases"), "on"),
}
WEEKS = {"first_month": 2, "weeks": "4-5-4", "first_weekday": 6, "rule": "nearest"}
APRIL = {"first_month": 4, "weeks": "", "first_weekday": 0, "rule": "nearest"}


@pytest.fixture
def set_year(fay, client_of):
    """Fay sets the company's year on its page."""

    def set_year(values):
        assert client_of(fay).post(reverse("budgets:company_year"), values).status_code == 302

    return set_year


@pytest.fixture
def add(fay, payments, client_of):
    def add(name, **values):
        form = {**FORM, "name": name, "team": payments.pk, **values}
        answer = client_of(fay).post(reverse("budgets:add"), form)
        assert answer.status_code == 302, answer.context["form"].errors
        return Budget.objects.get(name=name)

    return add


def starts(budget):
    return [row.start.isoformat() for row in budget.periods.all()]


def test_fay_sets_the_year_and_new_budgets_are_offered_it(set_year, add, fay, ada, client_of):
    set_year(APRIL)
    year = CompanyYear.objects.get()
    assert (year.calendar.code, str(year)) == ("04", "a year from April")
    assert AuditEntry.objects.about(year).filter(actor=fay).exists()
    assert client_of(ada).get(reverse("budgets:company_year")).status_code == 403
    assert client_of(fay).get(reverse("budgets:add")).context["form"]["calendar"].value() == "04"
    fiscal = add("Fiscal", kind="quarter", calendar="04", start="2026-05-10", end="2027-04-01", amount="900")
    assert starts(fiscal) == ["2026-05-10", "2026-07-01", "2026-10-01", "2027-01-01"]
    plain = add("Plain", kind="year", start="2026-05-10", end="2028-01-01", amount="900")
    assert starts(plain) == ["2026-05-10", "2027-01-01"]
    page = client_of(fay).post(reverse("budgets:add"), {**FORM, "name": "x", "kind": "year", "calendar": "07"})
    assert "calendar" in page.context["form"].errors


def test_a_change_of_the_year_moves_no_period_of_a_budget(set_year, add, fay, client_of):
    set_year(WEEKS)
    code = "02 4-5-4 6 nearest"
    retail = add("Retail", kind="month", calendar=code, start="2026-02-01", end="2027-01-31", amount="100")
    before = starts(retail)
    assert before[:3] == ["2026-02-01", "2026-03-01", "2026-04-05"]
    assert len(before) == 12
    set_year(APRIL)
    form = client_of(fay).get(reverse("budgets:edit", args=[retail.pk])).context["form"]
    values = {**FORM, "name": "Retail", "team": retail.team_id, "kind": "month", "calendar": form["calendar"].value()}
    values |= {"start": "2026-02-01", "end": "2027-01-31", "way": "keep", "version": 1}
    assert client_of(fay).post(reverse("budgets:edit", args=[retail.pk]), values).status_code == 302
    assert starts(retail) == before
    assert {code for code, _ in form.fields["calendar"].choices} == {"", "04", code}


def test_columns_of_months_are_the_months_of_the_year_of_weeks(set_year, add, fay, client_of):
    set_year(WEEKS)
    code = CompanyYear.load().calendar.code
    retail = add("Retail", kind="month", calendar=code, start="2026-02-01", amount="100")
    grid = f"{reverse('budgets:grid')}?year=2026"
    cells = dict(client_of(fay).get(grid).context["rows"][0]["cells"])
    assert (cells[Month(2026, 1)], cells[Month(2026, 2)]) == (None, "100")
    client_of(fay).post(grid, {f"cell-{retail.pk}-2026-03": "150", f"version-{retail.pk}": 1, "save": 1})
    assert retail.periods.get(amount=150).start == date(2026, 3, 1)
    assert retail.periods.get(amount=150).end == date(2026, 4, 5)


def test_a_fiscal_quarter_is_judged_by_its_own_days(set_year, add, deliver, night, lea, client_of):
    deliver("2026-01", "10.00", months=4)
    set_year(APRIL)
    add("Fiscal", kind="quarter", calendar="04", start="2026-04-01", amount="300")
    with time_machine.travel("2026-04-20T06:00:00Z", tick=False):
        night(date(2026, 4, 20))
        forecast = Forecast.objects.get()
        assert forecast.spent == 200
        assert forecast.period.end == date(2026, 7, 1)
        (row,) = client_of(lea).get("/api/v1/budgets/").json()["results"]
        assert (row["amount"], row["spent"], row["calendar"]) == ("300", "200", "04")
        assert client_of(lea).get(forecast.period.budget.get_absolute_url()).status_code == 200
    assert Decimal(row["forecast"]) > 800
    assert forecast.period.words == "Q1 2026/27"
    alert_budget = Budget.objects.get()
    assert alert_budget.words_of(alert_budget.cut.calendar.year(2026)) == "2026/27"
    alert = Alert.objects.first()
    assert "Q1 2026/27" in alert_headline(alert)

"""The pages of budgets: who sees what, two editors, proposals, tables in and out."""

from datetime import date
from decimal import Decimal

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from budgets.forecast.spending import daily_costs
from budgets.models import Alert, Budget, BudgetPeriod
from budgets.planning import budget_changes
from finops_site.lib.periods import Month
from finops_site.models import AuditEntry, Company
from finops_site.registry import registry
from tests.people import waiting_for
from tests.shared_fixtures import shared

pytestmark = pytest.mark.django_db
MARCH_2026 = Month.parse("2026-03")
MARCH = MARCH_2026.period


@shared
def budget(a_quarter, payments, budget_of, night):
    budget = budget_of("Payments", "3000", team=payments)
    night(date(2026, 3, 20))
    return budget


def form_of(client, budget, **changes):
    form = client.get(reverse("budgets:edit", args=[budget.pk])).context["form"]
    values = {name: form[name].value() for name in form.fields}
    return {name: value for name, value in {**values, **changes}.items() if value not in (None, False)}


def test_every_page_opens_and_says_where_it_lands(budget, fay, client_of):
    client = client_of(fay)
    page = client.get(f"{reverse('budgets:budget', args=[budget.pk])}?period=2026-03-01").content.decode()
    assert "forecast between" in page
    assert "chance of overrun" in page
    why = client.get(f"{reverse('budgets:annual_plan')}?year=2026&budget={budget.pk}&month=2026-03")
    assert sum(why.context["why"]["reasons"].values()) == why.context["why"]["total"] == 100
    assert client.get(f"{reverse('budgets:annual_plan')}?year=2026&_export=xlsx").content[:2] == b"PK"
    assert client.get(f"{reverse('budgets:budgets')}?_export=xlsx").content[:2] == b"PK"
    assert client.get(reverse("budgets:alert", args=[Alert.objects.first().pk])).status_code == 200
    assert client.get("/").status_code == 200


def test_the_second_of_two_editors_is_told_and_overwrites_nothing(budget, fay, client_of):
    client, url = client_of(fay), reverse("budgets:edit", args=[budget.pk])
    hers, his = form_of(client, budget, name="hers"), form_of(client, budget, name="his")
    assert client.post(url, hers).status_code == 302
    second = client.post(url, his)
    assert second.status_code == 409
    assert "Fay Lindqvist changed this budget" in second.content.decode()
    assert 'value="his"' in second.content.decode(), "what was entered is still there"
    budget.refresh_from_db()
    assert (budget.name, budget.version, budget.versions.count()) == ("hers", 2, 2)


def test_a_lead_proposes_and_finance_approves(payments, lea, ola, fay, client_of):
    values = {
        "name": "Mine",
        "team": payments.pk,
        "basis": "billed_cost",
        "currency": "USD",
        "kind": "month",
        "start": "2026-03-01",
        "auto_factor": "1",
        "way": "growing",
        "amount": "1,000",
        "percent": "10",
        "why": "a launch",
    }
    assert client_of(ola).post(reverse("budgets:propose"), values).status_code == 200, "not a team of hers"
    assert not Budget.objects.exists()
    client_of(lea).post(reverse("budgets:propose"), values)
    budget = Budget.objects.get()
    assert (budget.state, list(budget.periods.values_list("amount", flat=True)[:3])) == ("proposed", [1000, 1100, 1210])
    assert waiting_for(fay) == [f"A budget is proposed: {budget}"]
    assert waiting_for(lea) == []
    approve = reverse("budgets:state", args=[budget.pk, "approve"])
    assert client_of(lea).post(approve, {"version": 1}).status_code == 403
    client_of(fay).post(approve, {"version": 1, "why": "fine"})
    budget.refresh_from_db()
    assert (budget.state, budget.approved_by, budget.version) == ("active", fay, 2)
    assert waiting_for(fay) == []


def test_an_amount_is_suggested_before_anything_is_saved(payments, deliver, fay, lea, ola, client_of):
    this = Month.of(timezone.now().date())
    deliver(str(this.plus(-3)), lambda day: "3100.00" if day.day == 1 else "0", months=3)
    values = {"name": "New", "team": payments.pk, "currency": "USD", "basis": "billed_cost", "kind": "month"}
    values |= {"start": this.start, "auto_factor": "1", "way": "flat", "suggest": "1"}
    page = client_of(fay).post(reverse("budgets:add"), values)
    assert page.context["suggestion"].amount == 3100
    assert (page.context["form"]["amount"].value(), page.context["form"]["name"].value()) == ("3100", "New")
    assert client_of(lea).post(reverse("budgets:propose"), values).context["suggestion"].amount == 3100
    assert client_of(ola).post(reverse("budgets:propose"), values).context["suggestion"] is None, "not a team of hers"
    assert client_of(ola).post(reverse("budgets:propose"), {**values, "team": ""}).context["suggestion"] is None
    assert not Budget.objects.exists()


def test_teams_outside_of_the_budgets_own_are_refused_in_words(payments, fay, client_of):
    data = type(payments).objects.get(name="Data")
    values = {"name": "x", "team": payments.pk, "kind": "month", "start": "2026-03-01", "currency": "USD"}
    values |= {"basis": "billed_cost", "auto_factor": 1, "way": "flat", "amount": "5", "teams": [data.pk]}
    page = client_of(fay).post(reverse("budgets:add"), values)
    assert page.context["form"].errors["teams"] == ["A budget of Payments counts Payments and the teams below it only."]


def test_an_amount_that_is_none_is_said_beside_its_field(payments, fay, client_of):
    values = {"name": "x", "kind": "month", "start": "2026-03-01", "currency": "USD", "basis": "billed_cost"}
    page = client_of(fay).post(reverse("budgets:add"), {**values, "auto_factor": 1, "way": "flat", "amount": "-5"})
    assert "cannot be less than zero" in page.context["form"].errors["amount"][0]


def test_the_grid_is_saved_together_or_not_at_all(budget, fay, client_of):
    client, url = client_of(fay), f"{reverse('budgets:grid')}?year=2026"
    cells = {f"cell-{budget.pk}-2026-03": "3,500", f"version-{budget.pk}": 1}
    assert client.post(url, {**cells, f"cell-{budget.pk}-2026-04": "much"}).status_code == 400
    shown = client.post(url, {**cells, "why": "plan"})
    (march, year) = shown.context["sums"]
    assert (march.before, march.after, year.difference) == (3000, 3500, 500)
    assert "1 amount of 1" in " ".join(shown.content.decode().split())
    assert budget.periods.get(start=MARCH.start).amount == 3000, "shown, and not written"
    back = client.post(url, {**cells, "back": "1"})
    assert dict(back.context["rows"][0]["cells"])[MARCH_2026] == "3,500", "what was typed is still there"
    assert client.post(url, {**cells, "why": "plan", "save": "1"}).status_code == 302
    assert budget.periods.get(start=MARCH.start).amount == 3500
    entry = AuditEntry.objects.about(budget.periods.get(start=MARCH.start)).first()
    assert entry.changes["amount"][1].startswith("3500")


def test_a_row_that_somebody_else_changed_is_refused_by_name_and_keeps_what_was_typed(budget, fay, client_of):
    client, url = client_of(fay), f"{reverse('budgets:grid')}?year=2026"
    (seen,) = client.get(url).context["rows"]
    sent = {f"cell-{budget.pk}-{month}": text or "" for month, text in seen["cells"]}
    sent |= {f"version-{budget.pk}": 1, f"was-{budget.pk}": seen["was"]}
    april, may = (Month.parse(text).period for text in ("2026-04", "2026-05"))
    budget_changes.change_budget(budget, {april: Decimal(4000)}, version=1, by=fay)
    for last_step in ({}, {"save": "1"}):
        page = client.post(url, {**sent, f"cell-{budget.pk}-2026-05": "5,000", **last_step})
        assert page.status_code == 409
        assert page.context["problems"][0].startswith("Payments: Fay Lindqvist changed it on ")
        (row,) = page.context["rows"]
        assert row["is_stale"]
        cells = {str(month): text for month, text in row["cells"]}
        assert (cells["2026-04"], cells["2026-05"]) == ("4000", "5,000"), "hers as typed, the other as it is now"
    again = {f"cell-{budget.pk}-{month}": text or "" for month, text in row["cells"]}
    again |= {f"version-{budget.pk}": 2, f"was-{budget.pk}": row["was"], "save": "1"}
    assert client.post(url, again).status_code == 302
    amounts = dict(budget.periods.values_list("start", "amount"))
    assert (amounts[april.start], amounts[may.start]) == (4000, 5000)


def test_sums_of_the_grid_add_nothing_twice_and_no_two_currencies(payments, budget_of, fay, client_of):
    company = budget_of("Company", "9000")
    budget_of("Payments", "3000", team=payments, parent=company)
    budget_of("Europe", "500", currency="EUR")
    sums = dict(client_of(fay).get(f"{reverse('budgets:grid')}?year=2026").context["sums"])
    assert {code: of_months[2].before for code, of_months in sums.items()} == {"EUR": 500, "USD": 9000}


def test_name_team_and_amount_are_enough_for_page_and_api(payments, fay, lea, client_of):
    first_of_this_month = timezone.now().date().replace(day=1)
    values = {"name": "Mine", "team": payments.pk, "amount": "1,000"}
    page = client_of(lea).post(reverse("budgets:propose"), values)
    assert page.status_code == 302, page.context["form"].errors
    assert client_of(fay).post("/api/v1/budgets/", {**values, "name": "Hers"}).status_code == 201
    for name, state in (("Mine", "proposed"), ("Hers", "active")):
        made = Budget.objects.get(name=name)
        assert (made.state, made.kind, made.start, made.currency) == (state, "month", first_of_this_month, "USD")
        assert set(made.periods.values_list("amount", flat=True)) == {1000}
        assert made.thresholds.count() == 4


def test_a_new_budget_is_in_the_companys_currency_else_in_that_of_most_of_the_cost(payments, deliver, fay, client_of):
    this = Month.of(timezone.now().date())
    deliver(str(this.plus(-1)), lambda day: "3100.00" if day.day == 1 else "0", BillingCurrency="EUR")
    client, url = client_of(fay), reverse("budgets:add")
    assert client.get(url).context["form"]["currency"].value() == "EUR"
    assert client.post(url, {"name": "Mine", "team": payments.pk, "amount": "1,000"}).status_code == 302
    assert Budget.objects.get(name="Mine").currency == "EUR"
    Company.objects.create(currency="NOK")
    assert client.get(url).context["form"]["currency"].value() == "NOK"


def test_a_group_of_fields_is_closed_but_where_something_is_wrong(payments, fay, client_of):
    client, url = client_of(fay), reverse("budgets:add")
    groups = client.get(url).context["form"].field_groups()
    assert [group.fields[0].name for group in groups if not group.title] == ["name", "team", "amount"]
    assert [group.title for group in groups if group.title and group.is_open] == []
    wrong = client.post(url, {"name": "x", "amount": "5", "start": "someday"}).context["form"]
    assert [group.title for group in wrong.field_groups() if group.title and group.is_open] == [
        "Period, start and currency"
    ]


def test_an_amount_on_the_form_of_a_budget_holds_from_this_period_on(payments, fay, budget_of, client_of):
    this = Month.of(timezone.now().date())
    budget = budget_of("Payments", "1000", team=payments, start=this.plus(-2).start)
    form = form_of(client_of(fay), budget, amount="1,200")
    assert client_of(fay).post(reverse("budgets:edit", args=[budget.pk]), form).status_code == 302
    amounts = dict(budget.periods.values_list("start", "amount"))
    assert [amounts[this.plus(step).start] for step in (-2, -1, 0, 1)] == [1000, 1000, 1200, 1200]


def test_what_the_scope_of_a_form_has_cost_is_shown_beside_it(payments, deliver, fay, ola, client_of):
    this = Month.of(timezone.now().date())
    deliver(str(this.plus(-3)), lambda day: "3100.00" if day.day == 1 else "0", months=3)
    values, url = {"name": "x", "team": payments.pk, "kind": "quarter"}, reverse("budgets:preview")
    page = client_of(fay).post(url, values).content.decode()
    assert 'data-value="9300"' in page, "three months of 3,100"
    assert page.count("<progress") == 3
    assert "Nothing to suggest" in client_of(ola).post(url, values).content.decode(), "not a team of hers"
    assert not Budget.objects.exists()


def test_a_table_is_looked_at_before_it_is_written(budget, fay, client_of):
    client, url = client_of(fay), reverse("budgets:import")
    table = "budget,2026-03,2026-04\nPayments,3100,\n"
    look = client.post(url, {"file": SimpleUploadedFile("b.csv", table.encode())})
    assert (look.context["count"], budget.periods.get(start=MARCH.start).amount) == (1, 3000)
    written = {"table": table, "versions": look.context["versions"], "why": "import"}
    assert client.post(url, written).status_code == 302
    assert budget.periods.get(start=MARCH.start).amount == 3100
    wrong = client.post(url, {"file": SimpleUploadedFile("b.csv", b"budget,2026-03\nNobody,1\n")})
    assert wrong.context["problems"] == ["line 2: there is no budget named 'Nobody'."]


def test_copying_to_next_year_keeps_the_shape(a_quarter, payments, budget_of, fay):
    budget = budget_of("Payments", "1000", team=payments, start=date(2026, 1, 1))
    budget_changes.copy_to_next_year(budget, percent=Decimal(5), version=1, by=fay)
    assert BudgetPeriod.objects.get(start=date(2027, 3, 1)).amount == 1050
    with pytest.raises(budget_changes.StaleBudget):
        budget_changes.copy_to_next_year(budget, percent=Decimal(0), version=1, by=fay)


def test_a_lead_never_counts_another_teams_money(payments, ola):
    from django.core.exceptions import ValidationError

    data = ola.memberships.get().team
    budget = Budget(name="spy", team=data, scope={"team": [str(payments.pk)]}, start=date(2026, 1, 1))
    with pytest.raises(ValidationError, match="counts Data and the teams below it only"):
        budget.clean()


def test_an_alert_is_taken_once_by_page_and_by_api(budget, lea, eli, fay, max_, client_of):
    alert = Alert.objects.get(kind="actual")
    url = f"/api/v1/alerts/{alert.pk}/acknowledge/"
    assert client_of(max_).post(url).status_code == 403
    assert client_of(lea).post(url).json()["state"] == "acknowledged"
    assert client_of(eli).post(url).status_code == 400
    client_of(lea).post(reverse("budgets:act", args=[alert.pk, "snooze"]), {"until": "yesterday"})
    alert.refresh_from_db()
    assert (alert.state, alert.acknowledged_by) == ("acknowledged", lea)
    measures = {kpi.name: measure for kpi, measure in registry.measures(fay, date(2026, 4, 5))}
    assert measures["budget-variance"].value == Decimal("3.3"), "3,100 of 3,000 in March"


def test_what_has_one_cause_is_taken_together(budget, lea, night, client_of):
    night(date(2026, 3, 25))
    first = Alert.objects.get(kind="actual", threshold__percent=50)
    assert Alert.objects.filter(state="open").count() == 3
    client_of(lea).post(reverse("budgets:act", args=[first.pk, "acknowledge"]))
    assert set(Alert.objects.values_list("state", "acknowledged_by__email")) == {("acknowledged", lea.email)}
    other = Alert.objects.get(kind="actual", threshold__percent=80)
    assert other.history[-1]["what"] == "acknowledged with spent 50%"


def test_the_api_shows_the_same_in_exact_text(budget, lea, ola, client_of):
    (shown,) = client_of(lea).get("/api/v1/budgets/").json()["results"]
    assert shown["name"] == "Payments"
    assert client_of(ola).get("/api/v1/budgets/").json()["results"] == []
    detail = client_of(lea).get(f"/api/v1/budgets/{budget.pk}/").json()
    assert detail["periods"][0] == {
        "start": "2026-03-01",
        "end": "2026-04-01",
        "amount": "3000",
        "rolled_over": "0",
        "is_automatic": False,
    }


def test_many_alerts_are_asked_for_as_few_are(a_quarter, payments, budget_of, night, fay, client_of):
    def count_queries():
        with CaptureQueriesContext(connection) as queries:
            assert client_of(fay).get("/alerts/").status_code == 200
        return len(queries)

    budget_of("Payments", "100", team=payments)
    night(date(2026, 3, 20))
    few, count = count_queries(), Alert.objects.count()
    for name in ("Another", "A third"):
        budget_of(name, "100", team=payments)
    night(date(2026, 3, 20))
    assert Alert.objects.count() == 3 * count > 0
    assert count_queries() <= few


def test_the_cost_of_a_teams_budget_is_not_looked_for_among_all_of_the_company(a_quarter, payments, budget_of):
    budget = budget_of("Payments", "100", team=payments)
    with CaptureQueriesContext(connection) as queries:
        daily_costs([budget], MARCH)
    (query,) = [one["sql"] for one in queries if "costs_dayrollup" in one["sql"]]
    assert f'"owner_id" IN ({payments.pk})' in query

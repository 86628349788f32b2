"""A scope means what it says: what is unknown is not zero, silence is said, what is left out is left out everywhere."""

from datetime import date, timedelta
from decimal import Decimal

import pytest
import time_machine
from django.core.exceptions import ValidationError

from budgets import nightly_checks
from budgets.calc.quiet_scopes import quiet_since
from budgets.forecast import spending, status
from budgets.models import Alert, Budget, Forecast
from budgets.planning import budget_changes
from costs.ingest.load import load_bill
from costs.ingest.receive import receive_bill
from finops_site.lib.periods import Month, Period
from finops_site.models import OutgoingEmail, Team
from tests import bills
from tests.shared_fixtures import shared

pytestmark = pytest.mark.django_db
FEBRUARY, MARCH = Month(2026, 2), Month(2026, 3)
AZURE = {"ProviderName": "Azure", "BillingAccountId": "ea-1", "SubAccountId": "sub-az"}
EC2 = "Amazon Elastic Compute Cloud"


def forecast_of(budget, day):
    return Forecast.objects.get(period__budget=budget, period__start=MARCH.start, as_of=day)


@pytest.fixture
def load(tmp_path, people):
    """Loads the days of a source: each with the charges that are given as their cost and further cells."""

    def load(source, first, last, *charges):
        rows = []
        for day in Period(first, last + timedelta(days=1)).each_day():
            month = Month.of(day)
            rows += [
                {
                    "BillingPeriodStart": f"{month.start}T00:00:00Z",
                    "BillingPeriodEnd": f"{month.next.start}T00:00:00Z",
                    "ChargePeriodStart": f"{day}T00:00:00Z",
                    "ChargePeriodEnd": f"{day + timedelta(days=1)}T00:00:00Z",
                    **dict.fromkeys(("BilledCost", "EffectiveCost", "ListCost", "ContractedCost"), cost),
                    **cells,
                }
                for cost, cells in charges
            ]
        path = bills.write(tmp_path, f"{source}-{first}.csv", bills.focus_csv(rows))
        (received,) = receive_bill(source, [path], is_accepted=True)
        return load_bill(received.delivery)

    return load


@shared
def renamed(payments, deliver):
    """100 a day; from March on the provider calls the service otherwise."""
    deliver("2026-01", "100.00", months=2, ServiceName=EC2)
    deliver("2026-03", "100.00", until=date(2026, 3, 20), ServiceName="Amazon EC2 (new name)")


def test_a_service_that_was_renamed_is_never_on_track_and_its_new_name_is_offered(
    renamed, budget_of, night, fay, client_of
):
    budget = budget_of("EC2", "2000", scope={"service": [EC2]})
    for day in (date(2026, 3, 12), date(2026, 3, 20)):
        night(day)
        forecast = forecast_of(budget, day)
        assert forecast.quiet_since == date(2026, 2, 28)
        badge = status.status_badge(forecast, Decimal(2000))
        assert (badge[0], badge[1]) == ("no cost since 28 Feb 2026", "warn")
    with time_machine.travel("2026-03-20T12:00:00Z", tick=False):
        client = client_of(fay)
        page = client.get(budget.get_absolute_url())
        text = page.content.decode()
        assert "No cost since 28 Feb 2026: is the name still right?" in text
        (name,) = page.context["likely_names"]
        assert (name["text"], name["daily"]) == ("Service Amazon EC2 (new name)", "100.00 USD")
        (total,) = client.get(name["url"]).context["sums"]
        assert total["billed_cost"] == 1800, "18 complete days"
        assert "no cost since 28 Feb 2026" in client.get("/budgets/").content.decode()
        assert "no cost since 28 Feb 2026" in client.get("/").content.decode()
        (row,) = client.get("/api/v1/budgets/").json()["results"]
        assert (row["quiet_since"], row["status"]) == ("2026-02-28", "no cost since 28 Feb 2026")
        assert row["doubt"] == "No cost since 28 Feb 2026: is the name still right?"


def test_a_tag_whose_key_was_renamed_is_found_under_its_new_key(payments, deliver, budget_of, night, fay, client_of):
    deliver("2026-01", "100.00", months=2, Tags='{"Team": "Payments", "squad-name": "shop"}')
    deliver("2026-03", "100.00", until=date(2026, 3, 20), Tags='{"Team": "Payments", "guild": "shop"}')
    budget = budget_of("Shop", "2000", scope={"tag:squad-name": ["shop"]})
    night(date(2026, 3, 20))
    with time_machine.travel("2026-03-20T12:00:00Z", tick=False):
        page = client_of(fay).get(budget.get_absolute_url())
    assert [name["text"] for name in page.context["likely_names"]] == ["Tag guild shop"]


def test_an_account_that_moved_is_said_and_its_open_alert_stays_open(payments, load, budget_of, night):
    old, other, new = ({"SubAccountId": name} for name in ("old", "other", "new"))
    load("aws", date(2026, 1, 1), date(2026, 2, 28), ("100.00", old), ("7.00", other))
    load("aws", date(2026, 3, 1), date(2026, 3, 6), ("100.00", old), ("7.00", other))
    budget = budget_of("Account", "500", scope={"account": ["old"]})
    night(date(2026, 3, 8))
    alerts = Alert.objects.filter(budget=budget)
    states = set(alerts.values_list("kind", "state"))
    assert ("actual", "open") in states
    # The month comes again with all of it under another account.
    load("aws", date(2026, 3, 1), date(2026, 3, 25), ("100.00", new), ("7.00", other))
    for day in (15, 20, 25):
        night(date(2026, 3, day))
    assert forecast_of(budget, date(2026, 3, 25)).quiet_since == date(2026, 2, 28)
    assert set(alerts.values_list("kind", "state")) == states, "silence closes nothing"


def test_finance_is_told_once_of_a_scope_that_fell_silent_and_of_one_that_matches_nothing(
    renamed, budget_of, mailoutbox
):
    budget_of("EC2", "2000", scope={"service": [EC2]})
    budget_of("Typo", "2000", scope={"service": ["Amazon Elastik"]})
    budget_of("Company", "9000")
    for day in (date(2026, 3, 12), date(2026, 3, 13), date(2026, 3, 13)):
        nightly_checks.evaluate_budgets(day)
    mails = OutgoingEmail.objects.filter(key__startswith="quiet scopes")
    assert sorted(mails.values_list("key", flat=True)) == ["quiet scopes 2026-03-12 to fay@demo.example"]
    body = bytes(mails.get().content).decode()
    assert "EC2: No cost since 28 Feb 2026: is the name still right?" in body
    assert "Typo: Its scope matches no cost in any bill: is the name right?" in body
    assert "Company" not in body


def test_a_scope_that_matches_nothing_is_never_on_track(renamed, budget_of, night, fay, client_of):
    typo = budget_of("Typo", "2000", scope={"service": ["Amazon Elastik"]})
    euros = budget_of("Euros", "2000", currency="EUR")
    night(date(2026, 3, 20))
    with time_machine.travel("2026-03-20T12:00:00Z", tick=False):
        client = client_of(fay)
        page = client.get(typo.get_absolute_url())
        assert page.context["badge"][:2] == ("matches no cost", "warn")
        assert page.context["other_currencies"] == []
        assert "It has cost in USD, and none in EUR." in client.get(euros.get_absolute_url()).content.decode()
        rows = {row["name"]: row["status"] for row in client.get("/api/v1/budgets/").json()["results"]}
        assert rows == {"Typo": "matches no cost", "Euros": "matches no cost"}


def test_a_yearly_fee_is_not_nagged():
    fee = {date(2025, 3, 1): Decimal(500), date(2026, 3, 1): Decimal(500)}
    assert quiet_since(fee, date(2026, 3, 29)) is None
    weekly = {date(2026, 1, 5) + timedelta(days=7 * week): Decimal(5) for week in range(9)}
    assert quiet_since(weekly, date(2026, 3, 29)) is None


def test_a_pause_like_those_before_is_no_silence():
    workdays = {day: Decimal(5) for day in Period(date(2026, 1, 5), date(2026, 3, 21)).each_day() if day.weekday() < 5}
    assert quiet_since(workdays, date(2026, 3, 22)) is None, "a weekend"
    assert quiet_since(workdays, date(2026, 3, 24)) is None
    assert quiet_since(workdays, date(2026, 3, 27)) == date(2026, 3, 20)
    daily = {day: Decimal(5) for day in Period(date(2026, 3, 1), date(2026, 3, 21)).each_day()}
    assert quiet_since(daily, date(2026, 3, 22)) is None
    assert quiet_since(daily, date(2026, 3, 23)) == date(2026, 3, 20)
    assert quiet_since(daily, None) is None
    assert quiet_since({}, date(2026, 3, 23)) is None


class TestLateBills:
    """One of two accounts, or clouds, is late for weeks; a source ends on purpose."""

    def test_one_of_two_accounts_is_late_and_no_light_is_green(self, load, budget_of, night, fay, client_of):
        late = {"SubAccountId": "late", "BillingAccountId": "payer-2"}
        load("two", date(2026, 1, 1), date(2026, 2, 28), ("100.00", late))
        load("one", date(2026, 1, 1), date(2026, 3, 31), ("10.00", {"SubAccountId": "fresh"}))
        both = budget_of("Both", "9000", scope={"account": ["late", "fresh"]})
        for day in (12, 20, 30):
            night(date(2026, 3, day))
            forecast = forecast_of(both, date(2026, 3, day))
            assert forecast.p50 == pytest.approx(Decimal(3410), rel=Decimal("0.05"))
            assert forecast.quiet_since is None
        assert status.status_badge(forecast, Decimal(9000)) == status.WAITING
        with time_machine.travel("2026-03-30T12:00:00Z", tick=False):
            client = client_of(fay)
            assert "delivered until 28 Feb." in client.get(both.get_absolute_url()).content.decode()
            assert "waits for the bill" in client.get("/budgets/").content.decode()
            (row,) = client.get("/api/v1/budgets/").json()["results"]
            assert (row["status"], row["known_until"]) == ("waits for the bill", "2026-02-28")

    def test_a_late_cloud_closes_no_open_alert_for_weeks(self, load, budget_of, night):
        load("azure", date(2026, 1, 1), date(2026, 3, 4), ("100.00", AZURE))
        load("aws", date(2026, 1, 1), date(2026, 3, 31), ("10.00", {}))
        budget = budget_of("Azure", "2000", scope={"provider": ["Azure"]})
        for day in (6, 10, 20, 30):
            night(date(2026, 3, day))
            assert set(Alert.objects.filter(budget=budget).values_list("kind", "state")) == {("forecast", "open")}
        assert forecast_of(budget, date(2026, 3, 30)).quiet_since is None, "late is not silent"

    def test_a_source_that_ended_on_purpose_is_no_name_to_ask_about(self, load, budget_of, night):
        from costs.models import Source

        load("azure", date(2026, 1, 1), date(2026, 2, 28), ("100.00", AZURE))
        load("aws", date(2026, 1, 1), date(2026, 3, 31), ("10.00", {}))
        Source.objects.filter(name="azure").update(is_enabled=False)
        budget = budget_of("Azure", "2000", scope={"provider": ["Azure"]})
        night(date(2026, 3, 20))
        assert forecast_of(budget, date(2026, 3, 20)).quiet_since is None


@shared
def taxed(payments, deliver):
    """50 a day and, in March, a tax of 900, a credit, a refund, support, a product of the Marketplace, a plan's fee."""
    deliver("2026-02", "50.00")
    day = {"ChargePeriodStart": "2026-03-02T00:00:00Z", "ChargePeriodEnd": "2026-03-03T00:00:00Z", "ResourceId": ""}
    march = {"BillingPeriodStart": "2026-03-01T00:00:00Z", "BillingPeriodEnd": "2026-04-01T00:00:00Z", **day}

    def row(cost, **more):
        costs = dict.fromkeys(("BilledCost", "EffectiveCost", "ListCost", "ContractedCost"), cost)
        return {**march, **costs, **more}

    return [
        row("100", ResourceId="i-1"),
        row("900", ChargeCategory="Tax", ServiceName="Tax service"),
        row("-30", ChargeCategory="Credit"),
        row("-40", ChargeCategory="Adjustment"),
        row("-5", ChargeClass="Correction"),
        row("1000", ServiceName="AWS Support (Enterprise)", ChargeCategory="Purchase"),
        row("70", ServiceName="AWS Marketplace: Datadog", ChargeCategory="Purchase"),
        row("500", ChargeCategory="Purchase", CommitmentDiscountId="arn:sp/1", CommitmentDiscountType="Savings Plan"),
    ]


EVERYTHING = Decimal(2495)
LEFT_OUT = {
    "with_tax": Decimal(900),
    "with_credits": Decimal(-30),
    "with_refunds": Decimal(-45),
    "with_support": Decimal(1000),
    "with_marketplace": Decimal(70),
    "with_purchases": Decimal(500),
}


def test_what_is_left_out_is_left_out_of_amount_link_drivers_and_year_alike(
    taxed, tmp_path, payments, budget_of, night, fay, client_of
):
    (received,) = receive_bill("northwind", [bills.write(tmp_path, "m.csv", bills.focus_csv(taxed))], is_accepted=True)
    assert load_bill(received.delivery).status == "current"
    boxes = [{}, *({flag: False} for flag in LEFT_OUT), dict.fromkeys(LEFT_OUT, False)]
    budgets = [
        budget_of(", ".join(box) or "everything", "9000", team=payments, start=date(2026, 1, 1), **box) for box in boxes
    ]
    spent = spending.daily_costs(budgets, MARCH.period)
    night(date(2026, 3, 20))
    with time_machine.travel("2026-03-20T12:00:00Z", tick=False):
        client = client_of(fay)
        for budget, box in zip(budgets, boxes, strict=True):
            right = EVERYTHING - sum(LEFT_OUT[flag] for flag in box)
            assert spent[budget.pk].total(MARCH.period) == right, box
            assert forecast_of(budget, date(2026, 3, 20)).spent == right, box
            page = client.get(budget.get_absolute_url())
            actual = next(stat for stat in page.context["stats"] if stat["label"] == "Actual")
            assert actual["amount"] == right
            lines = client.get(actual["url"])
            assert [total["billed_cost"] for total in lines.context["sums"]] == [right], box
            if right == 100:
                # As much as in the same days of February: nothing to explain.
                assert page.context["drivers"] is None
                continue
            changed = {row["label"]: row for row in page.context["drivers"]["rows"]}
            after = sum((row["after"] or Decimal(0)) for row in changed.values())
            assert after == right, box
            if "with_tax" in box:
                assert "Tax service" not in changed
            for row in changed.values():
                sums = [total["billed_cost"] for total in client.get(row["url"]).context["sums"]]
                assert sums == ([row["after"]] if row["after"] is not None else []), (box, row["label"])


def test_every_charge_category_can_be_chosen_before_a_bill_has_it(renamed, fay, client_of):
    page = client_of(fay).get("/budgets/add/")
    choices = {value for value, _ in page.context["form"].fields["charge_category"].choices}
    assert {"Usage", "Purchase", "Tax", "Credit", "Adjustment"} <= choices


def test_a_negative_spend_has_no_percentage(payments, deliver, budget_of, night, fay, client_of):
    deliver("2026-03", "-10.00", until=date(2026, 3, 20))
    budget = budget_of("Credits", "1000", team=payments)
    night(date(2026, 3, 20))
    with time_machine.travel("2026-03-20T12:00:00Z", tick=False):
        client = client_of(fay)
        page = client.get(budget.get_absolute_url())
        assert page.context["share"] is None
        assert "of the amount is spent" not in page.content.decode()
        assert "of the amount is spent" not in client.get("/budgets/").content.decode()
        rows = client.get("/").context
    assert rows is not None
    assert status.share_spent(Decimal(-1), Decimal(100)) is None
    assert status.share_spent(Decimal(5), Decimal(0)) is None
    assert status.share_spent(Decimal(5), Decimal(10)) == Decimal("0.5")
    assert status.variance_share(Decimal(-5), Decimal(10)) is None


def test_a_currency_that_is_none_is_refused(payments):
    with pytest.raises(ValidationError, match="is no currency"):
        Budget(name="odd", currency="DOLLAR", start=MARCH.start).full_clean(exclude=["created_by", "approved_by"])
    small = Budget(name="small", currency="usd", start=MARCH.start)
    small.full_clean(exclude=["created_by", "approved_by"])
    assert small.currency == "USD"
    with pytest.raises(ValidationError, match="counts no other currency"):
        Budget(name="two", scope={"currency": ["EUR"]}, start=MARCH.start).full_clean(
            exclude=["created_by", "approved_by"]
        )


def test_an_archived_budget_says_so_and_fay_brings_it_back(payments, budget_of, fay, lea, client_of):
    budget = budget_of("Payments", "1000", team=payments)
    client, of_lea = client_of(fay), client_of(lea)
    client.post(f"/budgets/{budget.pk}/state/archive/", {"version": 1})
    page = client.get(budget.get_absolute_url()).content.decode()
    assert "Archived: it is not evaluated" in page
    assert "Bring it back" in page
    assert "Bring it back" not in of_lea.get(budget.get_absolute_url()).content.decode()
    assert client.get(f"/budgets/{budget.pk}/edit/").status_code == 403
    assert of_lea.get(f"/budgets/{budget.pk}/recipients/add/").status_code == 403
    budget.refresh_from_db()
    with pytest.raises(budget_changes.WrongState, match="bring it back"):
        budget_changes.change_budget(budget, {MARCH.period: Decimal(1)}, version=2, by=fay)
    again = budget_of("Payments", "5", team=payments)
    client.post(f"/budgets/{budget.pk}/state/restore/", {"version": 2})
    assert Budget.objects.get(pk=budget.pk).state == "archived", "another budget has its name"
    budget_changes.archive_budget(again, version=1, by=fay)
    assert of_lea.post(f"/budgets/{budget.pk}/state/restore/", {"version": 2}).status_code == 403
    client.post(f"/budgets/{budget.pk}/state/restore/", {"version": 2})
    budget.refresh_from_db()
    assert (budget.state, budget.versions.first().what) == ("active", "brought back")
    assert Team.objects.filter(budgets=budget).exists()


def test_fay_chooses_how_each_dimension_is_compared_and_finds_it_again(renamed, payments, fay, client_of):
    client = client_of(fay)
    form = {
        "name": "Odd",
        "basis": "billed_cost",
        "currency": "USD",
        "kind": "month",
        "start": "2026-03-01",
        "end": "2027-03-01",
        "auto_factor": "1",
        "way": "flat",
        "amount": "1000",
        "calendar": "",
        **dict.fromkeys(LEFT_OUT, "on"),
        "charge_category": ["Usage", "Adjustment"],
        "tag": "Team!=Data\nteam^=pay\nCost__of=a",
        "condition1_of": "service",
        "condition1_operator": "prefix",
        "condition1_values": "Amazon\nAzure",
        "condition2_of": "team",
        "condition2_operator": "not",
        "condition2_values": "Data",
    }
    response = client.post("/budgets/add/", form)
    assert response.status_code == 302, response.context["form"].errors
    budget = Budget.objects.get(name="Odd")
    data = str(Team.objects.get(name="Data").pk)
    scope = {
        "tag:Team__not": ["Data"],
        "tag:team__prefix": ["pay"],
        "tag:Cost__of": ["a"],
        "charge_category": ["Usage", "Adjustment"],
        "service__prefix": ["Amazon", "Azure"],
        "team__not": [data],
    }
    assert budget.scope == scope
    page = client.get(f"/budgets/{budget.pk}/edit/")
    again = {name: page.context["form"].get_initial_for_field(field, name) for name, field in _fields(page)}
    assert "Data" in {again["condition1_values"], again["condition2_values"]}, "a team is written by its name"
    again = {name: value for name, value in again.items() if value not in (None, "", [], False)}
    response = client.post(f"/budgets/{budget.pk}/edit/", {**again, "start": "2026-03-01", "end": "2027-03-01"})
    assert response.status_code == 302, response.context["form"].errors
    budget.refresh_from_db()
    assert budget.scope == scope, "what is saved untouched stays as it was"
    for field, value, problem in (
        ("condition1_values", "", "at least one value"),
        ("condition2_values", "Nobody", "There is no team Nobody"),
        ("condition1_of", "", "What is compared"),
    ):
        refused = client.post("/budgets/add/", {**form, "name": "Other", field: value})
        assert problem in str(refused.context["form"].errors), field


def _fields(page):
    return page.context["form"].fields.items()

"""Every dimension of the one table works wherever cost is asked by it, and the table agrees with the models."""

import csv
import json
from dataclasses import fields
from datetime import UTC, date, datetime
from decimal import Decimal
from io import BytesIO, StringIO

import pytest
from openpyxl import load_workbook

from budgets.alerts import emails
from budgets.alerts.alert_summary import alert_chart
from budgets.evaluation import evaluate
from budgets.forecast.spending import total_cost
from budgets.models import Alert, AlertDelivery, Budget, Recipient
from budgets.planning import budget_changes
from costs.account_groups import save_group
from costs.api.serializers import CostLineSerializer
from costs.calc.allocation_rules import RULE_COLUMNS, OwnerRule
from costs.calc.dimensions import (
    ANY_TAG,
    DIMENSIONS,
    FILTERABLE,
    GROUPABLE,
    READ_FROM_CHARGES,
    Rollup,
    named,
    rollup_columns,
)
from costs.ingest.load import load_bill
from costs.ingest.receive import receive_bill
from costs.models import AccountGroup, CostLine, DayRollup, GroupedAccount, MonthRollup, Pool, ResourceRollup
from costs.query.frame import spend_frame
from costs.query.question import Question
from costs.query.spend import find_spend
from finops_site.lib.periods import Month, parse_range
from finops_site.models import Team
from tagging.models import CONDITIONS, OwnershipRule
from tagging.ownership import rule_application
from tests import bills
from tests.shared_fixtures import shared

pytestmark = pytest.mark.django_db

MARCH = Month(2026, 3)
DAY = date(2026, 3, 20)
# What a line keeps beside its dimensions: amounts, ids, and what only describes the line.
DESCRIBING = {
    *(
        "id",
        "delivery_month",
        "own_table",
        "charge_date",
        "resource_name",
        "resource_type",
        "sku",
        "charge_description",
    ),
    *("billed_cost", "effective_cost", "list_cost", "contracted_cost", "charges", "quantity"),
}
TAG_OF_TEAM = "tag:Team"
FILTERS, GROUPS = [*FILTERABLE, TAG_OF_TEAM], [*GROUPABLE, TAG_OF_TEAM]


@shared
def bill(people, tmp_path):
    """Three charges of different cost. The first has a value of every dimension but a pool; the second has the pool."""
    OwnershipRule.objects.create(
        name="Payments", team=Team.objects.get(name="Payments"), tag_key="Team", tag_value="Payments", order=1
    )
    OwnershipRule.objects.create(
        name="Support", pool=Pool.objects.create(name="Support"), tag_key="Team", tag_value="Shared", order=2
    )
    first = {
        "BilledCost": "10.25",
        "ChargePeriodStart": "2026-03-05T00:00:00Z",
        "ResourceId": "i-first",
        "ChargeClass": "Correction",
        "CommitmentDiscountId": "ri-1",
        "CommitmentDiscountStatus": "Used",
        "PricingCategory": "Committed",
        "InvoiceIssuerName": "AWS EMEA SARL",
        "SkuPriceDetails": json.dumps({"InstanceType": "m5.large"}),
    }
    other = {
        "BillingAccountId": "999",
        "SubAccountId": "888",
        "BillingPeriodStart": "2026-04-01T00:00:00Z",
        "BillingPeriodEnd": "2026-05-01T00:00:00Z",
        "ChargeCategory": "Tax",
        "ProviderName": "Microsoft",
        "InvoiceIssuerName": "Microsoft Ireland",
        "ServiceCategory": "Other",
        "ServiceName": "Support",
        "RegionId": "westeurope",
        "BillingCurrency": "EUR",
    }
    rows = [
        first,
        {"BilledCost": "3.50", "ResourceId": "i-pool", "Tags": '{"Team": "Shared"}', **other},
        {"BilledCost": "0.75", "ResourceId": "i-nobody", "Tags": "{}", **other, "BillingCurrency": "USD"},
    ]
    for row in rows[1:]:
        row |= {"ChargePeriodStart": "2026-03-10T00:00:00Z", "ChargePeriodEnd": "2026-03-11T00:00:00Z"}
    (received,) = receive_bill("northwind", [bills.write(tmp_path, "march.csv", bills.focus_csv(rows))])
    delivery = load_bill(received.delivery)
    assert delivery.status == "current", delivery.message
    first_account = CostLine.objects.get(resource="i-first").sub_account
    save_group(AccountGroup(name="Customer A"), [first_account])


def sheet(response):
    """The rows of a CSV, without the notes at its end."""
    assert response.status_code == 200
    rows = csv.DictReader(StringIO(response.getvalue().decode("utf-8-sig")))
    return [row for row in rows if None not in row.values()]


def sample(name):
    """(value of a dimension as filters have it, the currency, the cost of all lines that have it)."""
    dimension = named(name)

    def value_of(line):
        if name == "cost_center":
            return line.owner.cost_center if line.owner else ""
        if name == "source":
            return str(line.delivery_month.delivery.source_id)
        if name == "account_group":
            group = GroupedAccount.objects.filter(account=line.sub_account).first()
            return str(group.group_id) if group else ""
        if name == "charge_kind":
            return "Adjustment" if line.charge_class else line.charge_category
        return line.tag_set.tags.get(dimension.tag_key) if dimension.is_tag else str(getattr(line, dimension.column))

    line = CostLine.objects.get(resource="i-pool" if name == "pool" else "i-first")
    value = value_of(line)
    assert value not in ("", "None", None), f"the bill has nothing of {name}"
    others = CostLine.objects.filter(currency=line.currency)
    return value, line.currency, sum(other.billed_cost for other in others if value_of(other) == value)


def test_every_field_of_a_cost_line_is_a_dimension_or_describes_one():
    known = {dimension.field for dimension in (*DIMENSIONS.values(), ANY_TAG) if dimension.is_stored}
    assert {field.name for field in CostLine._meta.concrete_fields} == known | DESCRIBING
    assert set(READ_FROM_CHARGES) <= known


@pytest.mark.parametrize(
    ("model", "rollup"), [(MonthRollup, Rollup.MONTH), (ResourceRollup, Rollup.RESOURCE), (DayRollup, Rollup.DAY)]
)
def test_a_rollup_has_the_columns_of_the_table(model, rollup):
    columns = {field.column for field in model._meta.concrete_fields}
    possible = {dimension.column for dimension in (*DIMENSIONS.values(), ANY_TAG)}
    assert columns & possible == set(rollup_columns(rollup))


def test_widths_are_those_of_the_model():
    for column, (_, width) in READ_FROM_CHARGES.items():
        assert CostLine._meta.get_field(column).max_length == width, column


def test_rules_compare_what_the_table_says():
    columns = {dimension.field for dimension in DIMENSIONS.values() if dimension.in_rules}
    assert set(RULE_COLUMNS) == columns <= {field.name for field in fields(OwnerRule)}
    assert columns <= set(CONDITIONS)
    assert columns <= {field.name for field in OwnershipRule._meta.concrete_fields}


def test_the_api_shows_every_column_of_a_line():
    shown = set(CostLineSerializer.Meta.fields) | {"tag_set", "delivery_month", "own_table"}
    assert {field.name for field in CostLine._meta.concrete_fields} <= shown


@pytest.mark.parametrize("grain", ["", "month", "week", "day"])
def test_spend_is_grouped_and_filtered_by_every_dimension(bill, fay, grain):
    for name in GROUPS:
        rows = find_spend(fay, Question(MARCH.period, (name,), grain))
        assert sum(row.amount for row in rows) == Decimal("14.50"), name
        value, currency, cost = sample(name)
        assert sum(row.amount for row in rows if row.group == (value,) and row.currency == currency) == cost, name
    without = {"rule", "resource", "region", "commitment", "commitment_status", "instance_type", "charge_class"}
    for name in without:
        grouped = find_spend(fay, Question(MARCH.period, (name,), grain))
        rows = find_spend(fay, Question(MARCH.period, (), grain, filters={name: ["none"]}))
        assert sum(row.amount for row in rows) == sum(row.amount for row in grouped if row.group == ("",)), name
    for name in FILTERS:
        value, currency, cost = sample(name)
        rows = find_spend(fay, Question(MARCH.period, (), grain, filters={name: [value]}))
        assert sum(row.amount for row in rows if row.currency == currency) == cost, name


def test_the_explorer_groups_and_filters_by_every_dimension(bill, fay, client_of):
    client = client_of(fay)
    for name in GROUPS:
        page = client.get("/costs/", {"group_by": name, "from": "2026-03", "to": "2026-03"})
        assert page.context["errors"] == [], name
        totals = {answer["currency"]: answer["total"] for answer in page.context["answers"]}
        assert totals == {"USD": Decimal("11.00"), "EUR": Decimal("3.50")}, name
        _, currency, cost = sample(name)
        (answer,) = [answer for answer in page.context["answers"] if answer["currency"] == currency]
        assert cost in [row["total"] for row in answer["rows"]], name
        for row in answer["rows"]:
            lines = client.get(row["url"])
            assert [total["billed_cost"] for total in lines.context["sums"]] == [row["total"]], (name, row)
    for name in FILTERS:
        value, currency, cost = sample(name)
        page = client.get("/costs/", {name: value, "from": "2026-03", "to": "2026-03"})
        totals = {answer["currency"]: answer["total"] for answer in page.context["answers"]}
        assert totals[currency] == cost, name


def test_cost_lines_are_filtered_by_every_dimension(bill, fay, client_of):
    for name in FILTERS:
        value, currency, cost = sample(name)
        page = client_of(fay).get("/costs/lines/", {name: value, "from": "2026-03", "to": "2026-03"})
        totals = {row["currency"]: row["billed_cost"] for row in page.context["sums"]}
        assert totals[currency] == cost, name
        assert sum(line.billed_cost for line in page.context["table"].data if line.currency == currency) == cost, name


def test_files_are_grouped_and_filtered_by_every_dimension(bill, fay, client_of):
    """A file of a filter that was left out would be the whole company's, and nobody would see it."""
    client, march = client_of(fay), {"from": "2026-03", "to": "2026-03"}
    for name in FILTERS:
        value, currency, cost = sample(name)
        explored = sheet(client.get("/costs/", {name: value, "group_by": name, "_export": "csv", **march}))
        assert sum(Decimal(row["billed_cost"]) for row in explored if row["currency"] == currency) == cost, name
        lines = sheet(client.get("/costs/lines/", {name: value, "_export": "csv", **march}))
        assert sum(Decimal(row["Billed cost"]) for row in lines if row["Currency"] == currency) == cost, name
    for name in ("instance_type", "source", TAG_OF_TEAM):
        value, currency, cost = sample(name)
        book = client.get("/costs/lines/", {name: value, "_export": "xlsx", **march}).content
        head, *rows = load_workbook(BytesIO(book)).active.iter_rows(values_only=True)
        rows = [dict(zip(head, row, strict=True)) for row in rows]
        assert sum(Decimal(str(row["Billed cost"])) for row in rows if row["Currency"] == currency) == cost, name


def test_no_door_answers_a_filter_that_is_none(bill, fay, client_of):
    client, march = client_of(fay), {"from": "2026-03", "to": "2026-03"}
    doors = ("/costs/", "/costs/lines/", "/api/v1/spend/", "/api/v1/cost-lines/")
    for name in ("servce", "instance_typ", "Service", "tag", "team__like", "commitment__"):
        for door in doors:
            if (door, name) == ("/costs/lines/", "tag"):
                continue  # A field of its own.
            for export in ({}, {"_export": "csv"}, {"_export": "xlsx"}):
                if "/api/" in door and export:
                    continue
                answer = client.get(door, {name: "x", **export, **march})
                assert answer.status_code == 400, (door, name)
                assert repr(name) in answer.content.decode().replace("&#x27;", "'"), (door, name)
    assert "did you mean &#x27;instance_type&#x27;" in client.get("/costs/?instance_typ=x").content.decode()


def test_the_api_groups_and_filters_by_every_dimension(bill, fay, client_of):
    client, march = client_of(fay), {"from": "2026-03", "to": "2026-03"}
    for name in GROUPS:
        answer = client.get("/api/v1/spend/", {"group_by": name, **march}).json()
        assert sum(Decimal(row["billed_cost"]) for row in answer["results"]) == Decimal("14.50"), name
        _, currency, cost = sample(name)
        amounts = [Decimal(row["billed_cost"]) for row in answer["results"] if row["currency"] == currency]
        assert cost in amounts, name
    for name in FILTERS:
        value, currency, cost = sample(name)
        query = {name: value[:7] if name == "billing_month" else value, **march}
        assert Decimal(client.get("/api/v1/spend/", query).json()["totals"][currency]) == cost, name
        lines = client.get("/api/v1/cost-lines/", query).json()["results"]
        assert sum(Decimal(line["billed_cost"]) for line in lines if line["currency"] == currency) == cost, name


def test_a_budget_of_every_dimension_counts_and_is_mailed(bill, fay):
    """The chart of its mail is of the smallest table that knows its scope, and a bill's last days have no cost yet."""
    for name in FILTERS:
        value, currency, cost = sample(name)
        budget = Budget(name=name, scope={name: [value]}, currency=currency, start=MARCH.start)
        budget.full_clean(exclude=["created_by", "approved_by"])
        budget = budget_changes.create_budget(budget, {MARCH.period: Decimal("1")}, by=fay, why="for the test")
        Recipient.objects.get_or_create(budget=budget, user=fay)
        assert total_cost(budget, MARCH.period) == cost, name
    evaluate.evaluate_nights(DAY, now=datetime(2026, 3, 20, 4, tzinfo=UTC), catch_up=False)
    for budget in Budget.objects.all():
        alert = Alert.objects.filter(budget=budget, kind="actual").first()
        assert alert, f"{budget} is over its amount, and nobody hears of it"
        spent, *_ = alert_chart(alert)["series"]
        assert max(Decimal(value) for value in spent["data"] if value) == sample(budget.name)[2], budget
        queued = list(AlertDelivery.objects.filter(alert=alert, user=fay, channel="mail"))
        mail = emails.build_alert_email(queued, digest=False, as_of=DAY)
        assert budget.name in mail.body


def test_a_rule_of_every_dimension_that_rules_compare_is_applied(bill):
    data = Team.objects.get(name="Data")
    for name in RULE_COLUMNS:
        value = getattr(CostLine.objects.get(resource="i-first"), name)
        rule = OwnershipRule.objects.create(name=name, team=data, order=0, **{name: value})
        rule.full_clean()
        list(rule_application.reallocate_open_months())
        assert CostLine.objects.get(resource="i-first").owner == data, name
        rule.delete()
        list(rule_application.reallocate_open_months())
        assert CostLine.objects.get(resource="i-first").owner.name == "Payments", name


def test_a_frame_of_a_question_has_its_exact_sums(bill, fay):
    question = Question(parse_range("2026-02", "2026-03"), ("team", "service"), "month")
    frame = spend_frame(fay, question)
    assert list(frame.columns) == ["team", "service", "month", "currency", "billed_cost"]
    assert frame["billed_cost"].sum() == Decimal("14.50")
    by_team = frame.groupby("team")["billed_cost"].sum()
    assert by_team.to_dict() == {"Payments": Decimal("10.25"), "Shared": Decimal("3.50"), "Unowned": Decimal("0.75")}
    table = frame.pivot_table(index="team", columns="month", values="billed_cost", aggfunc="sum")
    assert table[date(2026, 3, 1)]["Payments"] == Decimal("10.25")
    assert all(isinstance(amount, Decimal) for amount in frame["billed_cost"])
    assert spend_frame(fay, Question(parse_range("2020-01", "2020-01"), ("team",))).empty

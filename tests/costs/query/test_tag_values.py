"""One tag value is one group, one filter, one owner and one budget, however people write it."""

from datetime import date
from decimal import Decimal

import pytest

from budgets.forecast.spending import daily_costs
from budgets.models import Budget
from costs.calc.tag_values import meaning_of, normalised, odd_spellings
from costs.ingest.load import load_bill
from costs.ingest.receive import receive_bill
from costs.models import CostLine
from costs.query.question import Question
from costs.query.spend import find_spend, total_spend
from finops_site.lib.periods import Month
from finops_site.models import Team
from tagging.models import OwnershipRule, TagRequirement
from tagging.ownership import rule_application
from tagging.policy import policy_changes
from tests import bills
from tests.shared_fixtures import shared

MARCH = Month(2026, 3)
DAYS = {"from": "2026-03", "to": "2026-03"}
SPELLINGS = ["Payments", "payments", "PAYMENTS ", "Payments\\u00a0", " payments", "Payments\\u200d"]


def row(cost, tags):
    day = {"ChargePeriodStart": "2026-03-05T00:00:00Z", "ChargePeriodEnd": "2026-03-06T00:00:00Z"}
    return {"BilledCost": cost, "ResourceId": f"r-{cost}", "Tags": tags, **day}


@shared
def load(people, tmp_path):
    def load(rows):
        (received,) = receive_bill("northwind", [bills.write(tmp_path, "march.csv", bills.focus_csv(rows))])
        delivery = load_bill(received.delivery)
        assert delivery.status == "current", delivery.message

    return load


@shared
def environments(load):
    """28 in Production, 6 in prod, 1 in PRD of another key, 5 in Test; the policy says which are one."""
    TagRequirement.objects.filter(key__iexact="Environment").delete()
    TagRequirement.objects.create(
        key="Environment",
        allowed_values=["Production", "Test"],
        key_aliases=["env"],
        value_aliases={"prod": "Production", "prd": "Production"},
    )
    load(
        [
            row("28", '{"Environment": "Production"}'),
            row("6", '{"Environment": "prod"}'),
            row("1", '{"env": "PRD "}'),
            row("5", '{"environment": "TEST"}'),
        ]
    )


@pytest.mark.django_db
def test_six_spellings_of_a_team_are_one_group_and_one_owner(load, fay, client_of):
    payments = Team.objects.get(name="Payments")
    OwnershipRule.objects.create(name="Payments", team=payments, tag_key="Team", tag_value="Payments")
    load([row(f"1{number}", f'{{"team": "{value}"}}') for number, value in enumerate(SPELLINGS)])
    assert set(CostLine.objects.current().values_list("owner__name", flat=True)) == {"Payments"}
    total = Decimal(sum(range(10, 16)))
    for grain in ("", "month", "day"):
        rows = find_spend(fay, Question(MARCH.period, ("tag:Team",), grain))
        assert [(entry.group, entry.amount) for entry in rows] == [(("Payments",), total)]
    for value in ("payments", "PAYMENTS", " Payments "):
        assert total_spend(fay, Question(MARCH.period, filters={"tag:team": [value]})) == {"USD": total}
    page = client_of(fay).get("/costs/", {"group_by": "tag:team", **DAYS})
    (group,) = page.context["answers"][0]["rows"]
    (lines,) = client_of(fay).get(group["url"]).context["sums"]
    assert lines["billed_cost"] == group["total"] == total
    by_text = client_of(fay).get("/costs/lines/", {"tag": "Team=payments", **DAYS})
    assert sum(line.billed_cost for line in by_text.context["table"].data) == total


@pytest.mark.django_db
def test_the_policys_aliases_hold_in_explorer_csv_api_budget_and_rules(environments, fay, client_of):
    client = client_of(fay)
    page = client.get("/costs/", {"group_by": "tag:Environment", **DAYS})
    (answer,) = page.context["answers"]
    assert {entry["label"]: entry["total"] for entry in answer["rows"]} == {"Production": 35, "Test": 5}
    for entry in answer["rows"]:
        (lines,) = client.get(entry["url"]).context["sums"]
        assert lines["billed_cost"] == entry["total"], "a figure opens to lines of the same sum"
    csv = client.get("/costs/", {"group_by": "tag:Environment", "_export": "csv", **DAYS})
    text = b"".join(csv.streaming_content if csv.streaming else [csv.content]).decode()
    assert "Production,Production,2026-03-01,USD,35" in text
    assert "prod," not in text
    answer = client.get("/api/v1/spend/", {"group_by": "tag:env", **DAYS}).json()
    assert {entry["tag:env"]: Decimal(entry["billed_cost"]) for entry in answer["results"]} == {
        "Production": 35,
        "Test": 5,
    }
    scopes = [
        ({"tag:Environment": ["prod"]}, 35),
        ({"tag:Environment": ["production"]}, 35),
        ({"tag:Environment__not": ["Production"]}, 5),
        ({"tag:Environment__prefix": ["pro"]}, 35),
        ({"tag:ENV": ["test"]}, 5),
    ]
    budgets = []
    for scope, cost in scopes:
        total = client.get("/api/v1/spend/", {**scope, **DAYS}).json()["totals"]["USD"]
        assert Decimal(total) == cost, scope
        budgets.append(Budget.objects.create(name=str(scope), scope=scope, start=MARCH.start))
    spent = daily_costs(budgets, MARCH.period)
    assert [spent[budget.pk].total(MARCH.period) for budget in budgets] == [cost for _, cost in scopes]
    data = Team.objects.get(name="Data")
    OwnershipRule.objects.create(name="Live", team=data, tag_key="environment", tag_value="Production")
    list(rule_application.reallocate_open_months())
    owned = CostLine.objects.current().filter(owner=data)
    assert sorted(owned.values_list("billed_cost", flat=True)) == [1, 6, 28]


@pytest.mark.django_db
def test_an_alias_as_aws_writes_it_or_with_a_blank_is_the_tag_with_one_sum_everywhere(load, fay, client_of):
    data = Team.objects.get(name="Data")
    OwnershipRule.objects.create(name="Live", team=data, tag_key="Environment", tag_value="Production")
    OwnershipRule.objects.create(name="Zoo", team=data, tag_key="user:Zoo")
    load(
        [
            row("300", '{"Environment": "Production"}'),
            row("412", '{"user:env": "Production"}'),
            row("2", '{"ENV ": "Production"}'),
            row("5", '{"zoo": "lions"}'),
        ]
    )
    owned = CostLine.objects.current().filter(owner=data)
    assert sorted(owned.values_list("billed_cost", flat=True)) == [2, 5, 300, 412]
    for key in ("Environment", "env", "user:env", "USER:Environment", "ENV "):
        total = total_spend(fay, Question(MARCH.period, filters={f"tag:{key}": ["Production"]}))
        assert total == {"USD": 714}, key
        answer = client_of(fay).get("/api/v1/spend/", {f"tag:{key}": "Production", **DAYS}).json()
        assert Decimal(answer["totals"]["USD"]) == 714, key
    scopes = [{f"tag:{key}": ["production"]} for key in ("Environment", "env", "user:env")]
    budgets = [Budget.objects.create(name=str(scope), scope=scope, start=MARCH.start) for scope in scopes]
    spent = daily_costs(budgets, MARCH.period)
    assert [spent[budget.pk].total(MARCH.period) for budget in budgets] == [714, 714, 714]


@pytest.mark.django_db
def test_a_changed_policy_moves_groups_at_once_and_owners_by_the_usual_job(
    environments, fay, django_capture_on_commit_callbacks
):
    data = Team.objects.get(name="Data")
    OwnershipRule.objects.create(name="Test", team=data, tag_key="Environment", tag_value="Test")
    requirement = TagRequirement.objects.get(key="Environment")
    requirement.value_aliases = {"prod": "Test"}
    with django_capture_on_commit_callbacks() as queued:
        policy_changes.save_requirement(requirement, keep_past=False, today=date(2026, 3, 20))
    assert queued
    assert rule_application.Application.objects.filter(state="queued").count() == 1
    groups = {entry.group[0]: entry.amount for entry in find_spend(fay, Question(MARCH.period, ("tag:Environment",)))}
    assert groups == {"Production": 28, "PRD": 1, "Test": 11}
    rule_application.run_application(rule_application.Application.objects.get().pk)
    owned = CostLine.objects.current().filter(owner=data)
    assert sorted(owned.values_list("billed_cost", flat=True)) == [5, 6]


def test_values_are_compared_without_capitals_and_blanks():
    for value in ("PAYMENTS ", " payments", "Payments\u00a0", "\u200bPayments\u2060", "\u3000payments"):
        assert normalised(value) == "payments"
    assert meaning_of(" PROD", {"prod": "Production"}) == "production"
    assert meaning_of("stage", {"prod": "Production"}) == "stage"


def test_a_kind_is_shown_as_the_policy_or_as_most_people_write_it():
    values = [("payments", 5), ("Payments", 2), ("Data", 1)]
    assert odd_spellings(values, {}) == {"Payments": "payments"}
    assert odd_spellings(values, {"payments": "Payments"}) == {"payments": "Payments"}
    assert odd_spellings([("a", 1), ("A", 1)], {}) == {"a": "A"}, "of equals the first"

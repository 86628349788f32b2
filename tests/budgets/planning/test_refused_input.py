"""What budgets are given in tables, scopes and forms is read as it was meant, or refused with the reason."""

import json
from datetime import date
from decimal import Decimal

import pytest
from django.core.exceptions import ValidationError
from django.core.files.uploadedfile import SimpleUploadedFile
from django.urls import reverse

from budgets.calc.amounts import growing_amounts
from budgets.models import Budget
from budgets.planning.amount_tables import parse_amount_csv
from costs.models import Dimension
from finops_site.lib.money import BadAmount
from tests.budgets.planning.test_moved_periods import edit, make  # noqa: F401
from tests.budgets.planning.test_period_changes import spans

pytestmark = pytest.mark.django_db
TABLE = "budget,2026-03\nPayments,5000\n"


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("budget,2026-03,2026-03,2026-04\nB,100,200,300\n", "Two columns are 2026-03"),
        ("budget,2026-3,2026-03\nB,100,200\n", "Two columns are 2026-03"),
        ("budget,Budget,2026-03\nB,B,200\n", "Two columns are budget"),
        ("budget,2026-03\nB,1,000\n", "Line 2 has more cells"),
    ],
)
def test_a_table_whose_columns_are_not_clear_is_refused(text, reason):
    with pytest.raises(ValidationError, match=reason):
        parse_amount_csv(text)


def test_columns_without_a_head_shift_no_amount_and_any_line_end_is_one():
    expected = [{"budget": "B", "2026-03": "100", "2026-04": "300"}]
    for end in ("\r", "\n", "\r\n"):
        assert parse_amount_csv(end.join(["budget,,2026-3,,2026-04,", "B,,100,,300,", ""])) == expected


def test_a_table_out_of_a_spreadsheet_has_tabs():
    assert parse_amount_csv("budget\t2026-03\t2026-04\nB, all\t1,5\t2\n") == [
        {"budget": "B, all", "2026-03": "1,5", "2026-04": "2"}
    ]


def test_where_every_line_is_wrong_nothing_is_said_of_what_would_change(people, make, fay, client_of):  # noqa: F811
    make()
    for line, says in (("Nobody,1", False), ("Payments,1000", True)):
        upload = SimpleUploadedFile("x.csv", f"budget,2026-03\n{line}\n".encode())
        page = client_of(fay).post(reverse("budgets:import"), {"file": upload})
        assert bool(page.context["problems"]) != says
        assert ("would change" in page.content.decode().replace("seen what would change", "")) == says


def test_years_that_no_budget_has_are_no_such_month(people, make, fay, client_of):  # noqa: F811
    make()
    upload = SimpleUploadedFile("x.csv", b"budget,2150-03\nPayments,1\n")
    page = client_of(fay).post(reverse("budgets:import"), {"file": upload})
    assert "the budget has no such month" in page.context["problems"][0]


@pytest.mark.parametrize(
    "versions", ['{"1":1e400}', '{"1":null}', '{"1":[1]}', '{"1":{}}', "[" * 100_000, "1" * 6000, "", "{}"]
)
def test_an_import_without_the_versions_that_were_looked_at_writes_nothing(people, make, fay, client_of, versions):  # noqa: F811
    budget = make()
    page = client_of(fay).post(reverse("budgets:import"), {"table": TABLE, "versions": versions})
    assert page.status_code == 200
    errors = str(page.context["form"].errors)
    assert "Preview the table again" in errors or "which version was looked at is missing" in errors
    assert {amount for _, _, amount in spans(budget)} == {1000}
    seen = {"table": TABLE, "versions": json.dumps({budget.pk: 1})}
    assert client_of(fay).post(reverse("budgets:import"), seen).status_code == 302


@pytest.mark.parametrize("version", [None, "9" * 5000, "²"])
def test_a_grid_without_the_version_that_was_looked_at_writes_nothing(people, make, fay, client_of, version):  # noqa: F811
    budget = make()
    cells = {f"cell-{budget.pk}-2026-03": "5"} | ({f"version-{budget.pk}": version} if version else {})
    page = client_of(fay).post(f"{reverse('budgets:grid')}?year=2026", cells)
    assert page.status_code == 409
    assert {amount for _, _, amount in spans(budget)} == {1000}


def test_amounts_that_grow_beyond_all_money_are_refused_with_the_reason(people, make, edit):  # noqa: F811
    with pytest.raises(BadAmount, match="more than all the money"):
        growing_amounts(Decimal(99_999_999_999_999_999), Decimal(999), 12, "USD")
    assert growing_amounts(Decimal(1000), Decimal(10), 3, "USD") == [1000, 1100, 1210]
    errors = edit(make(), way="growing", amount="99999999999999999", percent="999")
    assert "more than all the money" in errors["amount"][0]


def test_an_unedited_save_leaves_the_scope_as_it_was(a_quarter, payments, make, fay, client_of):  # noqa: F811
    scope = {"tag:we ird=k": ["v=1"], "tag:a!": ["b"], "tag:Team": ["a=b"], "tag:Env__not": ["dev", "test"]}
    budget = make(scope=scope)
    client, url = client_of(fay), reverse("budgets:edit", args=[budget.pk])
    form = client.get(url).context["form"]
    assert form["tag"].value().splitlines() == ["Team=a=b", "Env!=dev", "Env!=test"]
    values = {name: form[name].value() for name in form.fields}
    sent = {name: value for name, value in values.items() if value not in (None, False, "")}
    assert client.post(url, sent).status_code == 302
    budget.refresh_from_db()
    assert budget.scope == scope


def test_capitals_of_a_value_are_those_of_the_bills_in_every_door(a_quarter, payments, make, edit, fay, client_of):  # noqa: F811
    assert Dimension.objects.filter(name="service", value="Amazon Elastic Compute Cloud").exists()
    row = {
        "condition1_of": "service",
        "condition1_operator": "not",
        "condition1_values": "amazon elastic compute cloud",
    }
    budget = make(team=payments)
    assert edit(budget, **row) == {}
    assert budget.scope == {"service__not": ["Amazon Elastic Compute Cloud"]}
    row = {"condition1_of": "charge_kind", "condition1_operator": "not", "condition1_values": "tax"}
    assert edit(budget, **row) == {}
    assert budget.scope == {"charge_kind__not": ["Tax"]}
    row |= {"condition1_of": "charge_category", "condition1_values": "Taxx"}
    assert "Taxx is none. Use Usage, Purchase, Tax" in edit(budget, **row)["condition1_values"][0]
    for scope in ({"charge_category": ["Taxx"]}, {"charge_kind__not": ["Taxx"]}):
        with pytest.raises(ValidationError, match="Taxx is none"):
            Budget(name="Other", start=date(2026, 1, 1), scope=scope).full_clean()
    other = Budget(name="Other", start=date(2026, 1, 1), scope={"charge_kind": ["TAX", "commitment purchase"]})
    other.full_clean()
    assert other.scope == {"charge_kind": ["Tax", "Commitment purchase"]}
    budget.scope = {"service__not": ["Amazon Elastic Compute Cloud", "AmazonEC3"]}
    budget.save()
    page = client_of(fay).get(budget.get_absolute_url()).content.decode()
    assert "No bill has it: Service is not AmazonEC3." in page

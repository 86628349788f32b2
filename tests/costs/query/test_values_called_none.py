"""What a bill calls "none" is a value like any other, and stands apart from what has none, wherever cost is asked."""

import csv
import io
import json
from decimal import Decimal as D

import pytest

from budgets.models import Budget
from costs.calc.filters import filter_value, value_of_filter
from costs.ingest.load import load_bill
from costs.ingest.receive import receive_bill
from costs.query.question import Question
from costs.query.spend import find_spend, total_spend
from costs.query.stored_values import read_filters, unmatched_values, values_in_no_bill
from finops_site.lib.periods import Month
from tests import bills
from tests.shared_fixtures import shared

MARCH = Month(2026, 3)
DAYS = {"from": "2026-03", "to": "2026-03"}
PLAIN = {
    "region": "RegionId",
    "service": "ServiceName",
    "resource": "ResourceId",
    "commitment": "CommitmentDiscountId",
}
# {dimension, or tag: {its value: what has it costs}}; empty for what has none.
WRITTEN = ("none", "NONE", '"none"', "(none)", "empty", "")
COSTS = {value: D(2**number) for number, value in enumerate(WRITTEN)}


@shared
def bill(people, tmp_path):
    rows = []
    for value, cost in COSTS.items():
        # Capitals are no difference in the values of tags.
        tags = json.dumps({"Env": value.replace("NONE", "other")} if value else {})
        rows.append({**dict.fromkeys(PLAIN.values(), value), "RegionName": "", "BilledCost": cost, "Tags": tags})
    (received,) = receive_bill("northwind", [bills.write(tmp_path, "march.csv", bills.focus_csv(rows))])
    delivery = load_bill(received.delivery)
    assert delivery.status == "current", delivery.message


@pytest.mark.parametrize("value", [*WRITTEN, "None", '""none""', "eu-west-1"])
def test_a_value_and_its_filter_lead_to_each_other(value):
    for dimension in ("region", "tag:Env"):
        assert value_of_filter(dimension, filter_value(dimension, value)) == value
    assert filter_value("region", value) != "none" or not value
    # Teams are asked for by their ids, and none is nobody's.
    assert filter_value("team", "none") == filter_value("team", "") == "none"


@pytest.mark.django_db
def test_the_value_none_is_no_missing_value(bill, fay):
    for dimension in (*PLAIN, "tag:Env"):
        rows = find_spend(fay, Question(MARCH.period, (dimension,)))
        groups = {row.group[0]: row.amount for row in rows}
        if dimension != "tag:Env":
            assert groups == COSTS, dimension
        for value, cost in groups.items():
            filters = read_filters({dimension: [filter_value(dimension, value)]}, fay)
            question = Question(MARCH.period, filters=filters)
            assert total_spend(fay, question) == {"USD": cost}, (dimension, value)
            assert unmatched_values(fay, question) == {}, (dimension, value)
            assert values_in_no_bill(filters) == {}, (dimension, value)
            others = Question(MARCH.period, filters={f"{dimension}__not": filters[dimension]})
            assert total_spend(fay, others) == {"USD": sum(groups.values()) - cost}, (dimension, value)
        empty = total_spend(fay, Question(MARCH.period, filters={f"{dimension}__empty": ["yes"]}))
        assert empty == {"USD": COSTS[""]}, dimension


@pytest.mark.django_db
def test_a_row_of_none_opens_and_narrows_to_itself_on_pages_in_files_and_in_the_api(bill, fay, client_of):
    client = client_of(fay)
    for dimension in ("region", "tag:Env"):
        page = client.get("/costs/", {"group_by": dimension, **DAYS})
        (answer,) = page.context["answers"]
        rows = {row["label"]: row for row in answer["rows"]}
        nothing = "no region" if dimension == "region" else "no Env tag"
        for label, cost in (("none", COSTS["none"]), (nothing, COSTS[""])):
            (narrowed,) = client.get(f"/costs/{rows[label]['narrow']}").context["answers"]
            assert narrowed["total"] == cost, (dimension, label)
            lines = client.get(rows[label]["url"])
            assert [row["billed_cost"] for row in lines.context["sums"]] == [cost], (dimension, label)
        text = client.get("/costs/", {"group_by": dimension, "_export": "csv", **DAYS}).getvalue().decode("utf-8-sig")
        in_file = {row["label"]: D(row["billed_cost"]) for row in csv.DictReader(io.StringIO(text)) if row["label"]}
        assert (in_file["none"], in_file[nothing]) == (COSTS["none"], COSTS[""])
        for value in ("none", ""):
            query = {dimension: filter_value(dimension, value), "group_by": dimension, **DAYS}
            for row in client.get("/api/v1/spend/", query).json()["results"]:
                assert (row[dimension], D(row["billed_cost"])) == (value, COSTS[value]), (dimension, value)
    # The drop-down offers it, and a budget counts it.
    (region,) = (bound for bound in client.get("/costs/", DAYS).context["bar"].form if bound.name == "region")
    assert dict(region.field.choices)['"none"'] == "none"
    budget = Budget(name="Called none", scope={"region": ['"none"']}, start=MARCH.start)
    assert total_spend(fay, Question(MARCH.period, filters=budget.filters)) == {"USD": COSTS["none"]}

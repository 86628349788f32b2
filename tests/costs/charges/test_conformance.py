"""How well a bill keeps the rules of FOCUS: judged on what it maps to, with rows to look at, and loaded in any case."""

import csv
import io
import json
from decimal import Decimal as D

import pytest
from django.core.management import call_command

from costs.charges.conformance import REPEATED, RULES
from costs.ingest.load import load_bill
from costs.ingest.receive import receive_bill
from costs.web.conformance_tables import score_text
from tests import bills

pytestmark = pytest.mark.django_db

LATER = "2026-03-04T00:00:00Z"


def deliver(tmp_path, content, name="march.csv", source="northwind", **options):
    (received,) = receive_bill(source, [bills.write(tmp_path, name, content)], **options)
    delivery = load_bill(received.delivery)
    assert delivery.status == "current", delivery.message
    return delivery


def verdicts(delivery):
    return {row.rule: (row.verdict, row.rows) for row in delivery.conformance_results.all()}


def focus(tmp_path, *rows, **defaults):
    # A number for each, so that no row stands twice.
    numbered = [{"ResourceId": f"i-{number}", **row} for number, row in enumerate(rows)]
    return deliver(tmp_path, bills.focus_csv(numbered, **defaults))


def test_a_bill_that_keeps_every_rule_scores_all(tmp_path):
    delivery = focus(tmp_path, {}, {"ChargeCategory": "Tax"}, {"ChargeClass": "Correction", "BilledCost": "-1"})
    assert delivery.conforming_share == 1
    assert {verdict for verdict, _ in verdicts(delivery).values()} == {"kept", "not stated"}
    assert delivery.conformance["cost"] == {"USD": "3"} == delivery.conformance["conforming_cost"]


def test_an_unknown_category_and_an_end_before_its_start_are_loaded_and_shown(tmp_path):
    """Both in one row: it counts once in the score, and for each of the rules."""
    wrong = {"ChargeCategory": "Banana", "ChargePeriodEnd": LATER, "BilledCost": "8", "EffectiveCost": "8"}
    delivery = focus(tmp_path, {}, {"BilledCost": "2"}, {}, wrong)
    assert delivery.rows_loaded == 4
    assert delivery.conforming_share == D("0.75")
    assert delivery.conformance["conforming_cost"] == {"USD": "4"}
    assert delivery.conformance["cost"] == {"USD": "12"}
    assert delivery.conformance["families"]["Categories"] == 3
    assert delivery.conformance["families"]["Identity"] == 4
    broken = delivery.conformance_results.get(rule="charge-category-is-known")
    assert (broken.rows, broken.judged, broken.cost) == (1, 4, {"USD": "8"})
    (row,) = broken.examples["rows"]
    example = dict(zip(broken.examples["columns"], row, strict=True))
    assert example["File"] == "march.csv"
    assert example["ChargeCategory"] == "Banana"
    assert example["ServiceName"] == "Amazon Elastic Compute Cloud"
    assert (example["ResourceId"], example["BilledCost"]) == ("i-3", "8")
    late = delivery.conformance_results.get(rule="charge-period-ends-after-it-starts")
    assert late.examples["rows"][0][1] == "2026-03-04 00:00:00"


@pytest.mark.parametrize(
    ("rule", "row"),
    [
        ("ProviderName-is-given", {"ProviderName": ""}),
        ("BillingAccountId-is-given", {"BillingAccountId": ""}),
        ("ServiceName-is-given", {"ServiceName": ""}),
        ("resource-of-a-type-has-an-id", {"ResourceId": ""}),
        ("charge-category-is-known", {"ChargeCategory": ""}),
        ("charge-class-is-known", {"ChargeClass": "Refund"}),
        ("charge-frequency-is-known", {"ChargeFrequency": "Monthly"}),
        ("pricing-category-is-known", {"PricingCategory": "Haggled"}),
        ("service-category-is-known", {"ServiceCategory": "Fruit"}),
        ("charge-period-ends-after-it-starts", {"ChargePeriodEnd": "2026-03-05T00:00:00Z"}),
        ("charge-period-has-an-end", {"ChargePeriodEnd": ""}),
        ("billing-period-ends-after-it-starts", {"BillingPeriodEnd": "2026-02-01T00:00:00Z"}),
        (
            "charge-is-near-its-billing-period",
            {"ChargePeriodStart": "2024-03-05T00:00:00Z", "ChargePeriodEnd": "2024-03-06T00:00:00Z"},
        ),
        (
            "charge-is-near-its-billing-period",
            {"ChargePeriodStart": "2026-05-05T00:00:00Z", "ChargePeriodEnd": "2026-05-06T00:00:00Z"},
        ),
        ("EffectiveCost-is-given", {"EffectiveCost": ""}),
        ("currency-is-in-use", {"BillingCurrency": "USX"}),
        ("list-and-contracted-cost-have-one-sign", {"ListCost": "-1", "ListUnitPrice": "-0.1"}),
        ("list-price-times-quantity-is-list-cost", {"ListUnitPrice": "3"}),
        ("contracted-price-times-quantity-is-contracted-cost", {"ContractedUnitPrice": "3"}),
        ("negative-usage-is-a-credit-or-correction", {"BilledCost": "-1"}),
        ("commitment-has-a-category", {"CommitmentDiscountId": "sp-1", "CommitmentDiscountCategory": "Saving"}),
        ("commitment-has-a-type", {"CommitmentDiscountId": "sp-1", "CommitmentDiscountType": ""}),
        ("commitment-usage-has-a-status", {"CommitmentDiscountId": "sp-1", "CommitmentDiscountStatus": "Maybe"}),
        ("commitment-is-named", {"CommitmentDiscountId": "", "CommitmentDiscountStatus": "Used"}),
        (
            "purchase-of-a-commitment-is-not-amortised-on-itself",
            {"ChargeCategory": "Purchase", "CommitmentDiscountId": "sp-1", "EffectiveCost": "5"},
        ),
        ("purchase-is-not-usage-based", {"ChargeCategory": "Purchase", "ChargeFrequency": "Usage-Based"}),
        ("tags-are-an-object", {"Tags": "Team=Payments"}),
    ],
)
def test_each_rule_finds_the_row_that_breaks_it_and_no_other(tmp_path, rule, row):
    complete = {
        "ChargeFrequency": "Recurring",
        "PricingQuantity": "10",
        "ListUnitPrice": "0.1",
        "ContractedUnitPrice": "0.1",
        "CommitmentDiscountId": "",
        "CommitmentDiscountCategory": "",
        "CommitmentDiscountType": "",
        "CommitmentDiscountStatus": "",
    }
    committed = {
        "CommitmentDiscountCategory": "Spend",
        "CommitmentDiscountType": "SP",
        "CommitmentDiscountStatus": "Used",
    }
    wrong = {**(committed if row.get("CommitmentDiscountId") else {}), **row}
    delivery = focus(tmp_path, {}, wrong, **complete)
    by_rule = verdicts(delivery)
    assert by_rule.pop(rule) == ("broken", 1)
    assert {verdict for verdict, _ in by_rule.values()} == {"kept"}


def test_every_rule_that_can_be_broken_has_its_test():
    tested = {rule for rule, _ in test_each_rule_finds_the_row_that_breaks_it_and_no_other.pytestmark[0].args[1]}
    # A row without a billed cost is rejected before it is judged.
    assert {rule.id for rule in RULES} - tested == {"BilledCost-is-given"}


def test_equal_rows_are_counted_and_none_is_left_out(tmp_path):
    content = bills.focus_csv([{}, {}, {}, {"BilledCost": "2"}, {"x_Line": "7"}], x_Line="1")
    delivery = deliver(tmp_path, content)
    repeated = delivery.conformance_results.get(rule=REPEATED.id)
    assert (repeated.verdict, repeated.rows, repeated.cost) == ("broken", 2, {"USD": "2"})
    assert delivery.exact_totals()["USD"]["billed_cost"] == 6
    # Worth a look, and no mistake: it does not lower the score.
    assert delivery.conforming_share == 1


def test_what_a_bill_does_not_state_is_neither_kept_nor_broken(tmp_path):
    row = {
        name: value for name, value in bills.FOCUS_ROW.items() if name not in ("ProviderName", "Tags", "ServiceName")
    }
    delivery = deliver(tmp_path, bills.csv_text(list(row), [row]).encode())
    by_rule = verdicts(delivery)
    assert by_rule["ServiceName-is-given"] == ("not stated", 0)
    assert by_rule["tags-are-an-object"] == ("not stated", 0)
    assert by_rule["commitment-has-a-type"] == ("not stated", 0)
    assert "Tags" not in delivery.conformance["families"]
    assert "Commitments" not in delivery.conformance["families"]


def test_a_bill_without_a_currency_is_not_judged_by_its_currency(tmp_path):
    row = {name: value for name, value in bills.FOCUS_ROW.items() if name != "BillingCurrency"}
    content = bills.csv_text(list(row), [row]).encode()
    assert verdicts(deliver(tmp_path, content))["currency-is-in-use"] == ("not stated", 0)
    named = deliver(tmp_path, content, source="euros", currency="EUR")
    assert verdicts(named)["currency-is-in-use"] == ("kept", 0)


def test_an_aws_report_is_judged_by_what_it_maps_to(tmp_path):
    rows = [{}, {"lineItem/UsageEndDate": "2026-03-05T00:00:00Z"}, {"lineItem/LineItemType": "Tax"}]
    delivery = deliver(tmp_path, bills.cur_csv(rows))
    by_rule = verdicts(delivery)
    assert by_rule["charge-period-ends-after-it-starts"] == ("broken", 1)
    assert by_rule["charge-category-is-known"] == ("kept", 0)
    # Its charges do not keep every column of the report, so that nobody can say which rows are equal.
    assert by_rule[REPEATED.id] == ("not stated", 0)
    assert delivery.conformance["conforming"] == 2


def test_of_many_rows_the_twenty_that_cost_most_are_examples(tmp_path):
    rows = [{"ChargeCategory": "Banana", "BilledCost": str(cost)} for cost in range(1, 41)]
    delivery = focus(tmp_path, *rows)
    broken = delivery.conformance_results.get(rule="charge-category-is-known")
    costs = [row[broken.examples["columns"].index("BilledCost")] for row in broken.examples["rows"]]
    assert costs == [str(cost) for cost in range(40, 20, -1)]


def test_several_months_and_files_are_one_score(tmp_path):
    april = {
        "BillingPeriodStart": "2026-04-01T00:00:00Z",
        "BillingPeriodEnd": "2026-05-01T00:00:00Z",
        "ChargePeriodStart": "2026-04-05T00:00:00Z",
        "ChargePeriodEnd": "2026-04-06T00:00:00Z",
    }
    delivery = focus(tmp_path, {}, {**april, "ChargeCategory": "Banana"}, {**april, "BillingCurrency": "EUR"})
    assert (delivery.conformance["rows"], delivery.conformance["conforming"]) == (3, 2)
    assert delivery.conformance["conforming_cost"] == {"EUR": "1", "USD": "1"}


def test_a_score_is_never_rounded_up_to_all():
    assert score_text(999_999, 1_000_000) == "99.9%"
    assert score_text(3, 3) == "100.0%"
    assert score_text(0, 0) == "—"


class TestPages:
    @pytest.fixture
    def delivery(self, people, tmp_path):
        return focus(tmp_path, {}, {}, {"ChargeCategory": "Banana", "BilledCost": "8"})

    def test_fay_sees_the_score_and_opens_the_rows_behind_it(self, delivery, fay, client_of):
        client = client_of(fay)
        text = client.get(f"/deliveries/{delivery.pk}/").content.decode()
        assert "66.6%" in text
        assert "20.0% of the cost in USD" in text
        address = f"/deliveries/{delivery.pk}/conformance/charge-category-is-known/"
        assert address in text
        rows = client.get(address).content.decode()
        assert "1 of 3 rows breaks this rule" in rows
        assert "Banana" in rows
        assert "i-2" in rows
        (row,) = csv.DictReader(io.StringIO(client.get(f"{address}?_export=csv").getvalue().decode("utf-8-sig")))
        assert (row["ChargeCategory"], row["BilledCost"], row["File"]) == ("Banana", "8", "march.csv")

    def test_all_rules_stand_in_the_csv_with_what_was_not_stated(self, delivery, fay, client_of):
        answer = client_of(fay).get(f"/deliveries/{delivery.pk}/conformance/?_export=csv")
        rows = {row["Id"]: row for row in csv.DictReader(io.StringIO(answer.getvalue().decode("utf-8-sig")))}
        assert len(rows) == len(RULES) + 1
        assert rows["charge-category-is-known"]["Verdict"] == "broken"
        assert rows["charge-category-is-known"]["Rows"] == "1"
        assert rows["charge-category-is-known"]["Their cost"] == "8 USD"
        assert rows["commitment-has-a-type"]["Verdict"] == "not stated"

    def test_the_list_of_deliveries_has_the_score(self, delivery, fay, client_of):
        client = client_of(fay)
        assert "66.6%" in client.get("/deliveries/").content.decode()
        (row,) = csv.DictReader(io.StringIO(client.get("/deliveries/?_export=csv").getvalue().decode("utf-8-sig")))
        assert row["Keeps FOCUS"].startswith("0.6666")

    def test_a_delivery_from_before_there_were_rules_says_so(self, delivery, fay, client_of):
        type(delivery).objects.update(conformance={})
        delivery.conformance_results.all().delete()
        client = client_of(fay)
        assert "conformance-title" not in client.get(f"/deliveries/{delivery.pk}/").content.decode()
        text = client.get(f"/deliveries/{delivery.pk}/conformance/").content.decode()
        assert "loaded before deliveries were judged" in text

    def test_max_reads_the_same_by_the_api_and_lea_does_not(self, delivery, max_, lea, client_of):
        client = client_of(max_)
        score = client.get(f"/api/v1/deliveries/{delivery.pk}/").json()["conformance"]
        assert (score["rows"], score["conforming"]) == (3, 2)
        rules = client.get(f"/api/v1/deliveries/{delivery.pk}/conformance/").json()["results"]
        broken = next(rule for rule in rules if rule["verdict"] == "broken")
        assert (broken["rule"], broken["rows"], broken["cost"]) == ("charge-category-is-known", 1, {"USD": "8"})
        assert client_of(lea).get(f"/api/v1/deliveries/{delivery.pk}/conformance/").status_code == 403

    def test_load_bill_prints_the_score(self, tmp_path, capsys):
        path = bills.write(tmp_path, "april.csv", bills.focus_csv([{"ChargeCategory": "Banana"}]))
        call_command("load_bill", str(path), "--source", "other", "--json")
        (figures,) = json.loads(capsys.readouterr().out)
        assert figures["conformance"]["conforming"] == 0
        assert [rule["rule"] for rule in figures["conformance"]["broken"]] == ["charge-category-is-known"]

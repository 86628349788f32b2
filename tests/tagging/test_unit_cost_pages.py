"""Unit costs of the company, of products and tags; their targets and margins; by page and by API."""

import html
from datetime import date
from decimal import Decimal

import pytest
import time_machine

from costs.ingest.load import load_bill
from costs.ingest.receive import receive_bill
from costs.models import AccountGroup, ExchangeRate, GroupedAccount, Source
from finops_site.models import Team
from tagging.calc import unit_costs
from tagging.calc.unit_costs import read_metric_csv
from tagging.models import Metric, MetricValue, OwnershipRule
from tagging.unit_costs.tables import price_text
from tests import bills
from tests.tagging.chargeback.helpers import bill, charge

pytestmark = pytest.mark.django_db
PAGE, API = "/unit-costs/", "/api/v1/unit-costs/"


@pytest.fixture
def shop(people, tmp_path):
    """In March the shop costs Payments 300 USD and Data 90 EUR; maps cost Data 100 USD; 10 USD are nobody's."""
    for name in ("Payments", "Data"):
        team = Team.objects.get(name=name)
        OwnershipRule.objects.create(name=name, team=team, tag_key="Team", tag_value=name)
    rows = [
        {"EffectiveCost": "300", "Tags": '{"Team": "Payments", "Product": "Shop"}'},
        {"EffectiveCost": "100", "Tags": '{"Team": "Data", "Product": "Maps"}', "ResourceId": "i-2"},
        {"EffectiveCost": "90", "Tags": '{"Team": "Data", "Product": "shop "}', "BillingCurrency": "EUR"},
        {"EffectiveCost": "10", "Tags": "", "ResourceId": "i-3"},
    ]
    rows = [{**row, "BilledCost": row["EffectiveCost"]} for row in rows]
    (received,) = receive_bill("northwind", [bills.write(tmp_path, "march.csv", bills.focus_csv(rows))])
    assert load_bill(received.delivery).status == "current"
    return people


def metric(name, counted, **fields):
    row = Metric.objects.create(name=name, grain="month", **fields)
    teams = dict(Team.objects.values_list("name", "pk"))
    for group, value in counted.items():
        team = teams.get(group) if row.counted_for == "team" else None
        of = "" if team or row.counted_for == "company" else group
        MetricValue.objects.create(metric=row, team_id=team, of=of, day=date(2026, 3, 1), value=Decimal(value))
    return row


def per_unit(browser, name, **query):
    answer = browser.get(API, {"metric": name, **query})
    assert answer.status_code == 200, answer.json()
    return {(row["name"], row["currency"]): row["per_unit"] for row in answer.json()["results"]}


def test_a_unit_costs_the_company_its_whole_bill(shop, client_of):
    metric("orders", {"company": "1000"}, counted_for="company")
    costs = per_unit(client_of(shop["fay"]), "orders")
    assert costs == {("Whole company", "EUR"): "0.09", ("Whole company", "USD"): "0.41"}
    assert per_unit(client_of(shop["lea"]), "orders") == {}, "the whole bill is not hers to divide"
    page = client_of(shop["fay"]).get(PAGE).content.decode()
    assert "0.4100 USD" in page
    assert "1,000" in page, "thousands are separated"


def test_products_are_matched_however_their_tags_are_written(shop, client_of):
    metric("orders", {"SHOP": "100", "Maps": "50"}, counted_for="tag:Product")
    costs = per_unit(client_of(shop["fay"]), "orders")
    assert costs == {("Maps", "USD"): "2", ("SHOP", "EUR"): "0.9", ("SHOP", "USD"): "3"}
    page = client_of(shop["fay"]).get(PAGE)
    assert "tag%3AProduct=SHOP" in page.content.decode(), "a cost opens in its lines"


def test_what_teams_count_has_its_company_for_those_who_see_all(shop, client_of):
    metric("orders", {"Payments": "100", "Data": "100"})
    fay = per_unit(client_of(shop["fay"]), "orders")
    assert (fay["Whole company", "USD"], fay["Payments", "USD"], fay["Data", "USD"]) == ("2.05", "3", "1")
    assert per_unit(client_of(shop["lea"]), "orders") == {("Payments", "USD"): "3"}
    MetricValue.objects.filter(team__name="Data").update(day=date(2026, 2, 1))
    later = per_unit(client_of(shop["fay"]), "orders", **{"from": "2026-02", "to": "2026-03"})
    assert later["Whole company", "USD"] is None, "no month has the count of both"


def test_a_target_and_a_margin_stand_beside_the_figure(shop, client_of):
    metric("orders", {"Shop": "100"}, counted_for="tag:Product", target=Decimal("2.5"), target_currency="USD")
    page = client_of(shop["fay"]).get(PAGE)
    assert "target 2.5000 USD: not judged, no rate from EUR to USD" in page.content.decode()
    (chart,) = page.context["charts"]
    assert "Target" not in {line["name"] for line in chart["series"]}, "a part of the cost is below any target"
    ExchangeRate.objects.create(base="EUR", quote="USD", day=date(2026, 3, 1), monthly=True, rate=Decimal("1.1"))
    page = client_of(shop["fay"]).get(PAGE)
    assert "target 2.5000 USD: 59.6% above with all currencies, 3.9900 USD" in page.content.decode()
    (chart,) = page.context["charts"]
    assert "Target" in {line["name"] for line in chart["series"]}
    revenue = metric("revenue", {"Maps": "400"}, counted_for="tag:Product", revenue_currency="USD")
    page = client_of(shop["fay"]).get(PAGE, {"metric": revenue.pk})
    assert "margin 75.0%" in page.content.decode()
    assert "300.00" in page.content.decode()
    (row,) = client_of(shop["fay"]).get(API, {"metric": "revenue"}).json()["results"]
    assert row["points"][-1]["margin"] == "300"


def figures(browser, **query):
    """(per unit, margin, why) of every month or day of every currency."""
    results = browser.get(API, query).json()["results"]
    return {(row["currency"], point["day"]): point for row in results for point in row["points"]}


def test_a_margin_is_what_the_cost_in_every_currency_leaves_of_the_revenue(shop, client_of):
    fay = client_of(shop["fay"])
    revenue = metric("revenue", {"Shop": "200"}, counted_for="tag:Product", revenue_currency="EUR")
    points = figures(fay, metric="revenue")
    assert [(point["margin"], point["why"]) for point in points.values()] == [
        (None, "no rate from USD to EUR"),
        (None, ""),
    ]
    assert "margin not known: no rate from USD to EUR" in fay.get(PAGE).content.decode()
    ExchangeRate.objects.create(base="USD", quote="EUR", day=date(2026, 3, 1), monthly=True, rate=Decimal("0.9"))
    margins = {code: point["margin"] for (code, _), point in figures(fay, metric="revenue").items()}
    assert margins == {"EUR": "-160", "USD": None}, "200 - 90 - 300 x 0.9, once"
    assert "margin -80.0%" in fay.get(PAGE).content.decode()
    MetricValue.objects.filter(metric=revenue).update(of="Maps")
    margins = {code: point["margin"] for (code, _), point in figures(fay, metric="revenue").items()}
    assert margins == {"USD": "110"}, "200 - 100 x 0.9, in the currency of the revenue"
    (row,) = fay.get(PAGE).context["table"].rows
    assert "110.00" in row.get_cell("margin")
    assert "EUR" in row.get_cell("margin")


def test_cost_of_which_a_part_is_not_known_is_divided_by_nothing(shop, client_of, tmp_path):
    rows = [
        {
            "EffectiveCost": "",
            "BilledCost": "400",
            "ProviderName": "Azure",
            "ResourceId": "vm",
            "Tags": '{"Team": "Payments"}',
        }
    ]
    (received,) = receive_bill("azure", [bills.write(tmp_path, "azure.csv", bills.focus_csv(rows))])
    assert load_bill(received.delivery).status == "current"
    metric("orders", {"Payments": "100", "Data": "100"}, target=Decimal("3"), target_currency="USD")
    fay = client_of(shop["fay"])
    costs = per_unit(fay, "orders", basis="effective_cost")
    assert (costs["Payments", "USD"], costs["Data", "USD"], costs["Whole company", "USD"]) == (None, "1", None)
    points = figures(client_of(shop["lea"]), metric="orders", basis="effective_cost")
    assert [(point["cost"], point["why"]) for point in points.values()] == [(None, "effective cost not delivered")]
    page = fay.get(PAGE, {"basis": "effective_cost"}).content.decode()
    assert "target 3.0000 USD: not judged, effective cost not delivered" in page
    assert per_unit(fay, "orders", basis="billed_cost")["Payments", "USD"] == "7"
    assert per_unit(fay, "orders")["Payments", "USD"] == "7", "the company's cost is the billed one"


@time_machine.travel("2026-03-28T12:00:00Z", tick=False)
def test_a_month_is_divided_when_all_of_it_is_delivered(people, client_of, tmp_path):
    team = Team.objects.get(name="Payments")
    OwnershipRule.objects.create(name="Payments", team=team, tag_key="Team", tag_value="Payments")
    for source, month, last in (("aws", "2026-02", 28), ("aws", "2026-03", 10)):
        rows = [charge("10", month=month, day=f"{day:02}") for day in range(1, last + 1)]
        bill(tmp_path, rows, source=source, name=f"{month}.csv")
    row = metric("orders", {"Payments": "310"}, target=Decimal("0.9"), target_currency="USD")
    MetricValue.objects.create(metric=row, team=team, day=date(2026, 2, 1), value=Decimal(280))
    fay = client_of(people["fay"])
    (answer,) = fay.get(API).json()["results"]
    assert [(point["per_unit"], point["why"]) for point in answer["points"]] == [
        ("1", ""),
        (None, "delivered until 10 Mar"),
    ]
    assert answer["per_unit"] == "1", "February alone"
    page = fay.get(PAGE)
    assert "target 0.9000 USD: 11.1% above; 1 of 2 months without all of the cost" in page.content.decode()
    assert page.context["charts"][0]["unfinished"] == ["", "delivered until 10 Mar"]
    # By day: the days that are delivered, and none of those that are not.
    row.values.all().delete()
    Metric.objects.update(grain="day")
    days = [MetricValue(metric=row, team=team, day=date(2026, 3, day), value=Decimal(5)) for day in (9, 10, 11)]
    MetricValue.objects.bulk_create(days)
    per_day = {day: point["per_unit"] for (_, day), point in figures(fay).items() if point["units"]}
    assert per_day == {"2026-03-09": "2", "2026-03-10": "2", "2026-03-11": None}
    (answer,) = fay.get(API, {"by": "month"}).json()["results"]
    assert answer["points"][0]["per_unit"] == "2"


def test_every_team_that_counted_is_listed_and_the_chart_says_how_many_it_leaves_out(shop, client_of, tmp_path):
    teams = [Team.objects.create(name=f"A{number:02}") for number in range(12)]
    OwnershipRule.objects.bulk_create(
        OwnershipRule(name=team.name, team=team, tag_key="Team", tag_value=team.name) for team in teams
    )
    bill(tmp_path, [charge("10", team.name) for team in teams], source="aws")
    metric("orders", {"Payments": "100", **{team.name: "1" for team in teams}})
    page = client_of(shop["fay"]).get(PAGE)
    names = {row["team"] for row in page.context["table"].data.data}
    assert names == {"Whole company", "Payments", *(team.name for team in teams)}
    (chart,) = page.context["charts"]
    assert len(chart["series"]) == 12
    assert "The 12 of 14 that cost most; the table has all." in chart["note"]


@pytest.mark.parametrize(
    ("amount", "words"),
    [
        ("1234.05", "1,234.0500 USD"),
        ("0.01", "0.0100 USD"),
        ("0.005", "0.0050 USD"),
        ("0.0000056", "0.0000056 USD"),
        ("0.00000123456", "0.000001235 USD"),
        ("-0.0000056", "-0.0000056 USD"),
        ("0", "0.0000 USD"),
    ],
)
def test_a_price_of_millionths_is_not_zero(amount, words):
    assert price_text(Decimal(amount), "USD") == words


def test_what_is_counted_and_has_no_cost_is_named(shop, client_of):
    fay = client_of(shop["fay"])
    metric("orders", {"Chekout": "100"}, counted_for="tag:Product")
    Team.objects.create(name="Idle")
    metric("visits", {"Payments": "1", "Idle": "1"})
    for name, words in (("orders", "tag:Product 'Chekout'"), ("visits", "team 'Idle'")):
        sentence = f"No cost in these months has {words}."
        assert fay.get(API, {"metric": name}).json()["unmatched"] == [sentence]
        page = fay.get(PAGE, {"metric": Metric.objects.get(name=name).pk})
        assert sentence in html.unescape(page.content.decode())


def test_a_metric_has_one_chart_in_one_currency(shop, client_of, settings):
    settings.FINOPS_REPORTING_CURRENCY = "USD"
    metric("orders", {"Shop": "100"}, counted_for="tag:Product")
    metric("customers", {"company": "10"}, counted_for="company")
    charts = client_of(shop["fay"]).get(PAGE).context["charts"]
    assert len(charts) == 2
    assert all("Without EUR, for which rates are missing" in chart["note"] for chart in charts)
    ExchangeRate.objects.create(base="EUR", quote="USD", day=date(2026, 3, 1), monthly=True, rate=Decimal("1.1"))
    metric_id = Metric.objects.get(name="orders").pk
    chart = client_of(shop["fay"]).get(PAGE, {"metric": metric_id}).context["charts"][0]
    assert [line["data"] for line in chart["series"]] == [[Decimal("3.9900")]], "300 + 90 x 1.1 for 100 orders"
    assert "All currencies, converted to USD" in chart["note"]


def test_counts_for_products_and_the_company_are_fed_whole_or_not_at_all(shop, client_of):
    fay, path = client_of(shop["fay"]), "/api/v1/business-metrics/"
    feed = {"metric": "orders", "grain": "month", "counted_for": "tag:Product"}
    rows = [{"of": "Shop", "day": "2026-03", "value": "5"}, {"team": "Data", "day": "2026-03", "value": "5"}]
    answer = fay.post(path, {**feed, "values": rows}, content_type="application/json")
    assert (answer.status_code, "values[1].team" in str(answer.json())) == (400, True)
    answer = fay.post(path, {**feed, "values": rows[:1]}, content_type="application/json")
    assert answer.json()["new"] == 1
    again = fay.post(path, {**feed, "values": [{**rows[0], "value": "6"}]}, content_type="application/json").json()
    assert (again["new"], again["changed"]) == (0, 1)
    company = {"metric": "visits", "grain": "month", "counted_for": "company"}
    for expected in (1, 0):
        values = [{"day": "2026-03", "value": "7"}]
        answer = fay.post(path, {**company, "values": values}, content_type="application/json").json()
        assert (answer["new"], answer["same"]) == (expected, 1 - expected), "one value a month for the company too"
    bad = fay.post(path, {**feed, "metric": "x", "counted_for": "fruit", "values": []}, content_type="application/json")
    assert (bad.status_code, "counted_for" in bad.json()) == (400, True)


def test_what_has_an_id_and_a_name_is_counted_by_either(shop, client_of):
    fay, path = client_of(shop["fay"]), "/api/v1/business-metrics/"
    group = AccountGroup.objects.create(name="Web shop")
    GroupedAccount.objects.create(group=group, account=bills.FOCUS_ROW["SubAccountId"])
    source = Source.objects.get(name="northwind")
    for dimension, row in (("account_group", group), ("source", source)):
        feed = {"metric": f"orders by {dimension}", "grain": "month", "counted_for": dimension}
        for number, written in enumerate((row.name, str(row.pk), row.name.upper())):
            values = [{"of": written, "day": "2026-03", "value": "100"}]
            answer = fay.post(path, {**feed, "values": values}, content_type="application/json").json()
            assert (answer["new"], answer["same"]) == ((1, 0) if number == 0 else (0, 1)), "one value, however written"
        unknown = [{"of": "Nowhere", "day": "2026-03", "value": "1"}]
        refused = fay.post(path, {**feed, "values": unknown}, content_type="application/json")
        assert refused.status_code == 400, dimension
        assert f"There is no {dimension} 'Nowhere'." in str(refused.json())
        assert per_unit(fay, feed["metric"]) == {(row.name, "EUR"): "0.9", (row.name, "USD"): "4.1"}
        page = fay.get(PAGE, {"metric": Metric.objects.get(name=feed["metric"]).pk}).content.decode()
        assert f"{dimension}={row.pk}" in page, "a cost opens in its lines"
        by_name = fay.get(
            "/api/v1/spend/",
            {dimension: row.name.upper(), "from": "2026-03", "to": "2026-03", "metric": "effective_cost"},
        )
        assert by_name.json()["totals"] == {"EUR": "90", "USD": "410"}
    # Counts from before names were stored by their ids.
    metric("visits", {"Web shop": "10"}, counted_for="account_group")
    assert per_unit(fay, "visits") == {("Web shop", "EUR"): "9", ("Web shop", "USD"): "41"}


@pytest.mark.parametrize(
    ("query", "words"),
    [
        ({"metric": "nothing"}, "There is no metric"),
        ({"metric": "orders", "fruit": "x"}, "fruit"),
        ({"metric": "orders", "basis": "x"}, "billed_cost"),
        ({"metric": "orders", "from": "march"}, "is not a month"),
        ({"metric": "orders", "from": "2026-03", "to": "2020-01"}, "At most"),
    ],
)
def test_the_api_refuses_what_it_does_not_know(shop, client_of, query, words):
    metric("orders", {"Payments": "1"})
    answer = client_of(shop["fay"]).get(API, query)
    assert (answer.status_code, words in str(answer.json())) == (400, True)


def test_finance_sets_a_target_with_its_currency(shop, client_of):
    row = metric("orders", {"Payments": "1"})
    fay = client_of(shop["fay"])
    page = fay.post(f"/unit-costs/{row.pk}/edit/", {"target": "2", "target_currency": ""}).content.decode()
    assert "A target needs its currency" in page
    fay.post(f"/unit-costs/{row.pk}/edit/", {"target": "2", "target_currency": "usd", "revenue_currency": ""})
    row.refresh_from_db()
    assert (row.target, row.target_currency) == (2, "USD")
    assert client_of(shop["lea"]).get(f"/unit-costs/{row.pk}/edit/").status_code == 403


@pytest.mark.parametrize(
    ("counted_for", "text", "groups"),
    [
        ("company", "month,value\n2026-03,5\n", [(None, "")]),
        ("tag:Product", "Product,month,value\nShop,2026-03,5\nMaps,2026-03,6\n", [(None, "Shop"), (None, "Maps")]),
        ("tag:Product", "tag:Product,month,value\nShop,2026-03,5\n", [(None, "Shop")]),
        ("team", "team,month,value\nData,2026-03,5\n", [(2, "")]),
    ],
)
def test_a_file_names_what_its_metric_is_counted_for(counted_for, text, groups):
    parsed = read_metric_csv(text, teams={"data": 2}, grain="month", counted_for=counted_for)
    assert parsed.problems == []
    assert [(entry.team, entry.of) for entry in parsed.values] == groups


def test_a_file_without_the_column_of_its_metric_says_which(shop):
    parsed = read_metric_csv("team,day,value\nx,2026-03-01,1\n", teams={}, grain="day", counted_for="tag:Product")
    assert "columns Product, day and value; product is not there" in parsed.problems[0].reason


def test_a_sum_counts_where_everybody_counted():
    first, second = {date(2026, 3, 1): Decimal(2), date(2026, 3, 2): Decimal(3)}, {date(2026, 3, 2): Decimal(4)}
    assert unit_costs.sum_of_units([first, second]) == {date(2026, 3, 2): 7}

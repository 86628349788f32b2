"""The pages of cost: what lea, ola and fay read there, and that every figure opens to its lines."""

import csv
import io
import re
from datetime import date
from decimal import Decimal as D
from urllib.parse import parse_qs, urlparse

import pytest
from django.core.cache import cache
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from costs.calc.exchange_rates import CurrencyRate
from costs.ingest.load import load_bill
from costs.ingest.receive import receive_bill
from costs.models import CostLine
from costs.query import spend, trends
from costs.query.currency_conversion import build_converted_pivots, load_rates
from costs.query.line_addresses import keys_of
from costs.query.pivots import build_pivots
from costs.query.question import BadQuestion, Question
from finops_site.lib.periods import Month, parse_range
from finops_site.models import Team
from tagging.models import OwnershipRule
from tests import bills

pytestmark = pytest.mark.django_db

NOW = timezone.datetime(2026, 3, 20, 12, tzinfo=timezone.get_default_timezone())


def charge(day, cost, team=None, service="Amazon EC2", resource="i-1", category="Usage", **more):
    month = f"{day[:7]}-01T00:00:00Z"
    tags = f'{{"Team": "{team}"}}' if team else "{}"
    return {
        "BillingPeriodStart": month,
        "BillingPeriodEnd": f"{Month.parse(day[:7]).next}-01T00:00:00Z",
        "ChargePeriodStart": f"{day}T00:00:00Z",
        "ChargePeriodEnd": f"{day}T23:00:00Z",
        "BilledCost": cost,
        "EffectiveCost": cost,
        "ServiceName": service,
        "ResourceId": resource,
        "ResourceName": resource,
        "ChargeCategory": category,
        "Tags": tags,
    } | more


ROWS = [
    charge("2026-02-03", "10.10", "Payments"),
    charge("2026-02-04", "5", "Payments", "Amazon RDS", "db-old"),
    charge("2026-02-03", "7", "Data", resource="i-data"),
    charge("2026-03-03", "12.30", "Payments"),
    charge("2026-03-04", "0.000000000000000001", "Payments", "AWS Lambda", "fn-new"),
    charge("2026-03-05", "3", "Data", resource="i-data"),
    charge("2026-03-19", "-1.5", None, "AWS Support", "", "Credit"),
]


@pytest.fixture
def bill(people, tmp_path, monkeypatch):
    """February and March up to the 19th; today is the 20th."""
    return deliver_to_teams(tmp_path, monkeypatch, ROWS)


def deliver_to_teams(tmp_path, monkeypatch, rows):
    """A bill of two teams, who own what is tagged with their names; today is the 20th of March."""
    monkeypatch.setattr(timezone, "now", lambda: NOW)
    for number, name in enumerate(["Payments", "Data"]):
        team = Team.objects.get(name=name)
        OwnershipRule.objects.create(name=f"Tag Team {name}", team=team, tag_key="Team", tag_value=name, order=number)
    return deliver(tmp_path, rows)


def deliver(tmp_path, rows, source="northwind"):
    (received,) = receive_bill(source, [bills.write(tmp_path, f"{source}.csv", bills.focus_csv(rows))])
    delivery = load_bill(received.delivery)
    assert delivery.status == "current", delivery.message
    return delivery


def page(client, path, **parameters):
    answer = client.get(path, parameters)
    assert answer.status_code == 200, answer.content
    return answer


def sheet(client, path, **parameters):
    text = b"".join(client.get(path, {**parameters, "_export": "csv"}).streaming_content).decode("utf-8-sig")
    return list(csv.DictReader(io.StringIO(text)))


def amounts_of(user, text="2026-02", to="2026-03", group_by=(), **more):
    return {row.group: row.amount for row in spend.find_spend(user, Question(parse_range(text, to), group_by, **more))}


def test_lea_sees_payments_ola_data_and_fay_the_bill(bill, lea, ola, fay):
    assert [amounts_of(user)[()] for user in (lea, ola, fay)] == [
        D("27.400000000000000001"),
        D("10"),
        D("35.900000000000000001"),
    ]


@pytest.mark.parametrize("group_by", [("service",), ("team",), ("tag:Team",), ("resource",), ("team", "service")])
@pytest.mark.parametrize("grain", ["", "month", "week", "day"])
def test_every_way_to_group_sums_to_the_bill(bill, fay, group_by, grain):
    rows = spend.find_spend(fay, Question(parse_range("2026-02", "2026-03"), group_by, grain))
    assert spend.add(row.amount for row in rows) == D("35.900000000000000001")


@pytest.mark.parametrize("top", [1, 2, 10])
def test_the_largest_groups_and_the_rest_are_the_whole(bill, fay, top):
    (pivot,) = build_pivots(fay, Question(parse_range("2026-02", "2026-03"), ("service",), "month"), top=top)
    assert len([group for group in pivot.groups if group.keys]) == min(top, 4)
    for number, total in enumerate(pivot.sums):
        assert spend.add(group.amounts[number] for group in pivot.groups) == total


def services(costs, **more):
    """A charge for each cost, each of a service of its own: Service 00, Service 01 and so on."""
    return [charge("2026-03-03", cost, None, f"Service {n:02}", f"r-{n}", **more) for n, cost in enumerate(costs)]


def listed(pivot):
    return {group.label: group.total for group in pivot.groups}


def test_every_currency_has_its_own_largest_groups(people, fay, client_of, tmp_path):
    """A thousand yen is less than a hundred dollars: currencies are never ranked against one another."""
    deliver(tmp_path, services(range(100, 112)), source="dollars")
    deliver(tmp_path, services(range(90_000, 90_012), BillingCurrency="JPY"), source="yen")
    yen, dollars = build_pivots(fay, Question(parse_range("2026-03", "2026-03"), ("service",), "month"))
    for pivot, smallest in ((yen, 90_000), (dollars, 100)):
        rows = listed(pivot)
        assert len(rows) == 11
        assert rows["Service 11"] == smallest + 11
        assert rows["Other"] == 2 * smallest + 1
    text = page(
        client_of(fay), "/costs/", **{"from": "2026-03", "to": "2026-03", "group_by": "service"}
    ).content.decode()
    assert "Service 11" in text
    assert "201.00" in text


def test_a_large_credit_is_a_large_group(people, fay, tmp_path):
    credit = charge("2026-03-03", "-5000", None, "Promotional credit", "", "Credit")
    deliver(tmp_path, [*services(range(100, 111)), credit])
    (pivot,) = build_pivots(fay, Question(parse_range("2026-03", "2026-03"), ("service",), "month"))
    rows = listed(pivot)
    assert next(iter(rows.items())) == ("Promotional credit", D(-5000))
    # The two smallest services, and nothing negative among them.
    assert rows["Other"] == 100 + 101
    assert pivot.total == sum(range(100, 111)) - 5000


def test_a_group_that_leads_in_one_currency_is_shown_with_all_its_cost_when_converted(people, fay, tmp_path):
    deliver(tmp_path, services(range(100, 112)), source="dollars")
    euros = [charge("2026-03-03", "1", None, "Service 11", "r-eu", BillingCurrency="EUR")]
    deliver(tmp_path, [*services(range(500, 511), BillingCurrency="EUR"), *euros], source="euros")
    march = parse_range("2026-03", "2026-03")
    load_rates([CurrencyRate("USD", "EUR", date(2026, 3, 1), D("0.5"), True, "by hand")])
    (pivot,), _ = build_converted_pivots(fay, Question(march, ("service",), "month"), "EUR")
    rows = listed(pivot)
    assert rows["Service 10"] == D(510) + D(110) / 2
    assert len(rows) == 11
    assert rows["Other"] == (D(500) + D(100) / 2) + (D(1) + D(111) / 2)
    assert sum(rows.values()) == pivot.total


@pytest.mark.parametrize(
    ("grain", "first"), [("month", "2026-03"), ("month", "2026-03-02"), ("week", "2026-03"), ("day", "2026-03")]
)
def test_the_largest_of_two_currencies_together_leads_though_it_leads_in_neither(people, fay, tmp_path, grain, first):
    split, dollars, euros, credit = "Split", "Dollars alone", "Euros alone", "Credit of both"
    of_dollars = {dollars: "100", split: "90", credit: "-40"}
    of_euros = {euros: "60", split: "55", credit: "-90"}
    for source, amounts in (("USD", of_dollars), ("EUR", of_euros)):
        rows = [charge("2026-03-03", cost, None, name, name, BillingCurrency=source) for name, cost in amounts.items()]
        deliver(tmp_path, rows, source=source)
    load_rates([CurrencyRate("USD", "EUR", date(2026, 3, 1), D("0.5"), True, "by hand")])
    days = parse_range(first, "2026-03")
    (pivot,), _ = build_converted_pivots(fay, Question(days, ("service",), grain), "EUR", top=2)
    assert listed(pivot) == {credit: D(-110), split: D(100), "Other": D(110)}
    assert [group.label for group in pivot.groups] == [credit, split, "Other"]


def test_a_filter_by_a_team_includes_the_teams_below(bill, fay):
    data, payments = Team.objects.get(name="Data"), Team.objects.get(name="Payments")
    Team.objects.filter(pk=data.pk).update(parent=payments)
    assert amounts_of(fay, filters={"team": [str(payments.pk)]})[()] == D("37.400000000000000001")


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        ({"group_by": ("colour",)}, "'colour' is nothing to group"),
        ({"metric": "profit"}, "'profit' is no metric"),
        ({"grain": "hour"}, "'hour' is no step of time"),
        ({"group_by": ("team", "team")}, "two different things"),
        ({"filters": {"tag:": ["x"]}}, "nothing to group or filter by"),
    ],
)
def test_a_question_nobody_can_answer_is_said(words, reason):
    with pytest.raises(BadQuestion, match=reason):
        Question(parse_range("2026-02", "2026-03"), **words)


def test_the_explorer_shows_months_by_service_with_their_total(bill, fay, client_of):
    text = page(client_of(fay), "/costs/", group_by="service", period="3-months").content.decode()
    for shown in ("Amazon EC2", "Amazon RDS", "AWS Support", "22.10", "13.80", "35.90"):
        assert shown in text


def test_every_figure_of_the_explorer_opens_to_lines_that_sum_to_it(bill, fay, client_of):
    browser = client_of(fay)
    text = page(browser, "/costs/", group_by="service", and_by="team", period="3-months").content.decode()
    links = {link.replace("&amp;", "&") for link in re.findall(r'href="(/costs/lines/\?[^"]+)"', text)}
    assert len(links) > 8
    for link in links:
        query = parse_qs(urlparse(link).query, keep_blank_values=True)
        lines = sheet(browser, "/costs/lines/", **query)
        period = parse_range(query["from"][0], query["to"][0])
        filters = {name: values for name, values in query.items() if name not in ("from", "to", "currency")}
        assert sum((D(line["Billed cost"]) for line in lines), D(0)) == (
            spend.total_spend(fay, Question(period, filters=filters))["USD"] if lines else None
        ), link


def test_the_csv_of_the_explorer_has_every_group_and_digit(bill, fay, client_of):
    rows = sheet(client_of(fay), "/costs/", group_by="service", period="3-months")
    amounts = {(row["label"], row["month"]): row["billed_cost"] for row in rows}
    assert amounts["AWS Lambda", "2026-03-01"] == "0.000000000000000001"
    assert sum(D(amount) for amount in amounts.values()) == D("35.900000000000000001")


def test_the_explorer_keeps_its_question_in_the_address(bill, lea, client_of):
    text = page(client_of(lea), "/costs/", **{"from": "2026-02", "to": "2026-02", "group_by": "resource"})
    content = text.content.decode()
    assert "db-old" in content
    assert "fn-new" not in content
    assert "i-data" not in content


@pytest.mark.parametrize(
    ("asked_for", "reason"),
    [
        ({"from": "yesterday"}, "is neither a month"),
        ({"from": "2026-03", "to": "2026-01"}, "before it starts"),
        ({"from": "2020-01", "to": "2026-01", "grain": "day"}, "too many to show by day"),
        ({"group_by": "service", "and_by": "service"}, "two different things"),
        ({"group_by": "colour"}, "Select a valid choice"),
        ({"metric": "profit"}, "Select a valid choice"),
    ],
)
def test_an_address_that_asks_nonsense_is_answered_in_words(bill, fay, client_of, asked_for, reason):
    assert reason in page(client_of(fay), "/costs/", **asked_for).content.decode()


def test_the_lines_of_lea_are_those_of_payments(bill, lea, client_of):
    browser = client_of(lea)
    text = page(browser, "/costs/lines/", **{"from": "2026-03", "to": "2026-03"}).content.decode()
    assert "12.30" in text
    assert "i-data" not in text
    lines = sheet(browser, "/costs/lines/", **{"from": "2026-02", "to": "2026-03"})
    assert sum(D(line["Billed cost"]) for line in lines) == D("27.400000000000000001")
    assert {line["Team"] for line in lines} == {"Payments"}


def test_unowned_lines_say_so_in_the_csv(bill, fay, client_of):
    lines = sheet(client_of(fay), "/costs/lines/", **{"from": "2026-03", "to": "2026-03", "team": "none"})
    assert [(line["Team"], line["Billed cost"], line["Currency"]) for line in lines] == [("Unowned", "-1.5", "USD")]


def test_a_line_opens_to_its_charges_as_delivered(bill, lea, client_of):
    line = CostLine.objects.get(resource="fn-new")
    text = page(client_of(lea), f"/costs/lines/{keys_of([line])[line.pk]}/").content.decode()
    assert "0.000000000000000001" in text
    assert "northwind" in text


def test_what_changed_is_split_into_new_gone_more_and_less(bill, lea, client_of):
    team = Team.objects.get(name="Payments")
    text = page(client_of(lea), f"/costs/teams/{team.pk}/", month="2026-03").content.decode()
    for word in ("New", "Gone", "More", "AWS Lambda", "Amazon RDS", "Amazon EC2"):
        assert word in text


def test_an_open_month_is_compared_with_the_same_days_before(bill, fay):
    comparison = trends.compare(fay, Month(2026, 3), date(2026, 3, 20))
    assert (comparison.now.last_day, comparison.before.last_day) == (date(2026, 3, 19), date(2026, 2, 19))
    february = trends.compare(fay, Month(2026, 2), date(2026, 3, 20))
    assert february.has_full_month


def test_the_changes_by_service_sum_to_the_change_of_the_total(bill, fay):
    comparison = trends.compare(fay, Month(2026, 3), date(2026, 3, 20))
    (changes,) = trends.cost_drivers(fay, comparison, "service", {}, "billed_cost").values()
    before, after = (
        trends.totals_shown_in(fay, period, {}, "billed_cost")["USD"] for period in (comparison.before, comparison.now)
    )
    assert spend.add(labelled.change.difference for labelled in changes) == after - before


@pytest.mark.parametrize(("who", "total"), [("lea", "12.30"), ("fay", "13.80"), ("max", "13.80")])
def test_home_says_what_was_spent_this_month(bill, people, client_of, who, total):
    assert total in page(client_of(people[who]), "/").content.decode()


def test_home_of_somebody_without_cost_says_what_will_come(people, lea, fay, client_of):
    assert "Your teams own no cost yet" in page(client_of(lea), "/").content.decode()
    assert "Upload a bill" in page(client_of(fay), "/").content.decode()


def test_two_currencies_are_two_tables_and_never_one_sum(bill, fay, client_of, tmp_path):
    deliver(tmp_path, [charge("2026-03-03", "100", "Data", BillingCurrency="EUR")], source="emea")
    text = page(client_of(fay), "/costs/", period="this-month").content.decode()
    assert "100.00" in text
    assert "13.80" in text
    assert "113.80" not in text


PAGES = {
    "home": "/",
    "explorer": "/costs/?period=12-months&group_by=service",
    "explorer by tag": "/costs/?period=12-months&group_by=tag:Team&and_by=service",
    "lines": "/costs/lines/?from=2026-03&to=2026-03",
    "teams": "/costs/teams/",
    "deliveries": "/deliveries/",
    "api lines": "/api/v1/cost-lines/?from=2026-03&to=2026-03",
    "api spend": "/api/v1/spend/?group_by=service,month&from=2026-02&to=2026-03",
}


def queries(client, path):
    """How many questions a page asks that nobody has asked before."""
    cache.clear()
    with CaptureQueriesContext(connection) as captured:
        assert client.get(path).status_code == 200
    return len(captured)


@pytest.mark.parametrize("name", sorted(PAGES))
def test_a_page_asks_as_many_questions_of_much_data_as_of_little(bill, fay, client_of, tmp_path, name):
    browser = client_of(fay)
    browser.get(PAGES[name])
    few = queries(browser, PAGES[name])
    many = [
        charge(f"2026-03-{day:02}", "1", ("Payments", "Data")[day % 2], f"Service {n}", f"i-{n}")
        for day in range(1, 20)
        for n in range(8)
    ]
    deliver(tmp_path, many, source="much")
    assert queries(browser, PAGES[name]) <= few + (1 if name == "deliveries" else 0)
    assert few < 30


def test_an_answer_is_kept_until_the_books_change(bill, fay, client_of, tmp_path):
    browser = client_of(fay)
    asked_first = queries(browser, PAGES["explorer"])
    with CaptureQueriesContext(connection) as again:
        browser.get(PAGES["explorer"])
    assert len(again) < asked_first
    deliver(tmp_path, [charge("2026-03-06", "1000", "Data")], source="late")
    assert "1,013.80" in page(browser, "/costs/", period="this-month").content.decode()


def test_an_answer_kept_for_fay_is_not_shown_to_lea(bill, fay, lea, client_of):
    address = {"period": "this-month", "group_by": "service"}
    assert "13.80" in page(client_of(fay), "/costs/", **address).content.decode()
    text = page(client_of(lea), "/costs/", **address).content.decode()
    assert "13.80" not in text
    assert "12.30" in text


def test_a_team_that_moves_changes_what_its_new_lead_is_answered(bill, ola, client_of):
    assert "12.30" not in page(client_of(ola), "/").content.decode()
    Team.objects.filter(name="Payments").update(parent=Team.objects.get(name="Data"))
    assert "15.30" in page(client_of(ola), "/").content.decode()


def test_a_cache_that_is_down_costs_no_page(bill, fay, client_of, settings):
    browser = client_of(fay)
    settings.CACHES = {
        "default": {"BACKEND": "django.core.cache.backends.redis.RedisCache", "LOCATION": "redis://127.0.0.1:1/0"}
    }
    assert "13.80" in page(browser, "/").content.decode()

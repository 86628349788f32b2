"""The explorer beyond its first table: ranks, narrowing, comparison, quantities, forecast, the cost it shows."""

import csv
import html
import io
import json
import re
from datetime import date
from decimal import Decimal as D
from urllib.parse import parse_qs, urlparse

import pytest
from django.utils import timezone
from openpyxl import load_workbook

from costs.calc.change_parts import KIND_LABELS
from costs.calc.period_changes import days_just_before
from costs.models import AccountGroup, CostLine, DayRollup
from costs.query import spend
from costs.query.period_comparison import compare_periods
from costs.query.pivots import build_pivots
from costs.query.question import Question
from costs.query.rows import table_for
from costs.web.report_section import spending_section
from finops_site.lib.money import EXACT, exact_sum
from finops_site.lib.periods import Month, parse_range
from finops_site.models import Team
from tests.costs.web.test_pages import NOW, charge, deliver, deliver_to_teams, page, services, sheet

pytestmark = pytest.mark.django_db


def usage(day, cost, quantity, resource="i-1", **more):
    """A charge of so many hours."""
    return charge(day, cost, more.pop("team", "Payments"), resource=resource, ConsumedQuantity=quantity, **more)


ROWS = [
    usage("2026-02-03", "100", "100", ListCost="100", ContractedCost="100"),
    usage("2026-03-03", "90", "120", CommitmentDiscountStatus="Used", ContractedCost="132", ListCost="132"),
    usage("2026-02-20", "1000", "10", "i-late"),
    usage("2026-02-05", "5", "5", "i-old", service="Amazon RDS"),
    usage("2026-03-05", "7.000000000000000001", "7", "i-new", service="AWS Lambda"),
    usage("2026-03-06", "3", "", "", service="Tax", category="Tax", ConsumedUnit=""),
    usage("2026-03-07", "-4", "", "", service="Promotion", category="Credit", ConsumedUnit=""),
    usage("2026-03-08", "8", "", "", service="AWS Support (Business)", team="Data", ConsumedUnit=""),
]


@pytest.fixture
def bill(people, tmp_path, monkeypatch):
    """February and March up to the 8th; today is the 20th of March."""
    return deliver_to_teams(tmp_path, monkeypatch, ROWS)


def answers(client, path, **parameters):
    return page(client, path, **parameters).context["answers"]


def billed(lines):
    """The sum of a sheet of lines, whose last rows are notes."""
    return sum(D(line["Billed cost"]) for line in lines if line["Billed cost"])


def follow(client, path, link):
    return client.get(path + html.unescape(link))


# Ranks


def test_other_opens_to_the_groups_that_come_next_and_all_sums_stay(people, fay, client_of, tmp_path):
    deliver(tmp_path, services(range(100, 125)))
    browser, march = client_of(fay), {"from": "2026-03", "to": "2026-03"}
    (first,) = answers(browser, "/costs/", group_by="service", **march)
    assert [row["label"] for row in first["rows"]][-1] == "Other"
    opened = follow(browser, "/costs/", first["rows"][-1]["narrow"])
    (second,) = opened.context["answers"]
    labels = [row["label"] for row in second["rows"]]
    assert labels == ["The 10 largest", *(f"Service {n:02}" for n in range(14, 4, -1)), "Other"]
    assert second["total"] == first["total"] == exact_sum(row["total"] for row in second["rows"])
    assert second["rows"][-1]["cumulative"] == 1
    (back,) = follow(browser, "/costs/", second["rows"][0]["narrow"]).context["answers"]
    assert [row["label"] for row in back["rows"]] == [row["label"] for row in first["rows"]]
    (last,) = follow(browser, "/costs/", second["rows"][-1]["narrow"]).context["answers"]
    assert [row["label"] for row in last["rows"]] == ["The 20 largest", *(f"Service {n:02}" for n in range(4, -1, -1))]


@pytest.mark.parametrize("top", [5, 20, 100])
def test_as_many_rows_as_somebody_chooses_each_with_its_share(people, fay, client_of, tmp_path, top):
    deliver(tmp_path, services(range(100, 125)))
    asked_for = {"group_by": "service", "top": str(top), "from": "2026-03", "to": "2026-03"}
    (answer,) = answers(client_of(fay), "/costs/", **asked_for)
    rows = answer["rows"]
    assert len(rows) == (25 if top == 100 else top + 1)
    assert rows[0]["share"] == D(124) / D(2800)
    assert rows[1]["cumulative"] == D(124 + 123) / D(2800)
    assert exact_sum(row["total"] for row in rows) == answer["total"] == 2800


def test_a_rank_that_nobody_offers_is_refused(bill, fay, client_of):
    text = page(client_of(fay), "/costs/", top="7").content.decode()
    assert "Select a valid choice" in text
    assert "Nothing was spent" not in text


# Narrowing


def test_a_bar_a_row_and_a_column_narrow_to_what_they_stand_for(bill, fay, client_of):
    browser = client_of(fay)
    (answer,) = answers(browser, "/costs/", group_by="service", period="3-months")
    chart, amazon = answer["chart"], next(row for row in answer["rows"] if row["label"] == "Amazon EC2")
    series = next(one for one in chart["series"] if one["name"] == "Amazon EC2")
    bar = "&".join([chart["narrow"]["base"], series["narrow"], chart["narrow"]["categories"][1]])
    (narrowed,) = follow(browser, "/costs/", bar).context["answers"]
    assert (narrowed["total"], [head["text"] for head in narrowed["heads"]]) == (D(90), ["3 Mar"])
    (row,) = follow(browser, "/costs/", amazon["narrow"]).context["answers"]
    assert row["total"] == amazon["total"] == D(1190)
    (column,) = follow(browser, "/costs/", answer["heads"][0]["narrow"]).context["answers"]
    assert column["total"] == answer["sums"][0]["amount"] == D(1105)


def test_a_team_is_narrowed_to_without_the_teams_below_it(bill, fay, client_of):
    """Its row is its own cost alone, so that what the row opens is that too."""
    Team.objects.filter(name="Data").update(parent=Team.objects.get(name="Payments"))
    browser = client_of(fay)
    (answer,) = answers(browser, "/costs/", group_by="team", **{"from": "2026-03", "to": "2026-03"})
    payments = next(row for row in answer["rows"] if row["label"] == "Payments")
    (narrowed,) = follow(browser, "/costs/", payments["narrow"]).context["answers"]
    query = parse_qs(urlparse(payments["url"]).query)
    lines = sheet(browser, "/costs/lines/", **query)
    assert payments["total"] == narrowed["total"] == billed(lines) == D("96.000000000000000001")


def test_a_resource_is_narrowed_to_without_those_whose_name_is_longer(people, fay, client_of, tmp_path):
    deliver(tmp_path, [usage("2026-03-03", "1", "1", "i-1"), usage("2026-03-03", "10", "1", "i-10")])
    browser = client_of(fay)
    (answer,) = answers(browser, "/costs/", group_by="resource", **{"from": "2026-03", "to": "2026-03"})
    row = next(row for row in answer["rows"] if row["label"] == "i-1")
    lines = sheet(browser, "/costs/lines/", **parse_qs(urlparse(row["url"]).query))
    assert billed(lines) == row["total"] == 1


# Tax, support, credits


@pytest.mark.parametrize(("label", "left"), [("tax", "101"), ("support", "96"), ("credits", "108")])
def test_tax_support_and_credits_are_left_out_by_one_click_and_come_back_by_another(bill, fay, client_of, label, left):
    browser = client_of(fay)
    answer = page(browser, "/costs/", group_by="service", **{"from": "2026-03", "to": "2026-03"})
    click = next(link for link in answer.context["exclusions"] if link["label"] == label)
    without = follow(browser, "/costs/", click["url"])
    assert without.context["answers"][0]["total"] == D(left) + D("0.000000000000000001")
    assert "Kind of charge is not" in without.content.decode()
    back = next(link for link in without.context["exclusions"] if link["label"] == label)
    assert back["is_out"]
    assert follow(browser, "/costs/", back["url"]).context["answers"][0]["total"] == D("104.000000000000000001")


@pytest.mark.parametrize(
    "address",
    [
        {"charge_kind__not": "tax"},
        {"further": "charge_kind", "further_how": "not", "further_values": "Tax"},
        {"further": "charge_kind", "further_how": "not", "further_values": "tax", "charge_kind__not": "TAX"},
    ],
)
def test_tax_that_the_address_leaves_out_is_taken_in_again_by_the_click(bill, fay, client_of, address):
    browser = client_of(fay)
    without = page(browser, "/costs/", **{"from": "2026-03", "to": "2026-03"}, **address)
    assert without.context["answers"][0]["total"] == D("101.000000000000000001")
    tax, support, _ = without.context["exclusions"]
    assert (tax["is_out"], support["is_out"]) == (True, False)
    assert follow(browser, "/costs/", tax["url"]).context["answers"][0]["total"] == D("104.000000000000000001")
    assert follow(browser, "/costs/", support["url"]).context["answers"][0]["total"] == D("93.000000000000000001")


def test_tax_and_credits_are_left_out_by_the_small_tables(fay):
    question = Question(parse_range("2026-03-02", "2026-03-05"), filters={"charge_kind__not": ["Tax", "Credit"]})
    assert table_for(question) is DayRollup
    assert table_for(Question(question.period, filters={"charge_kind__not": ["Support"]})) is CostLine


# Steps that are not complete


def test_a_month_that_is_not_over_is_hatched_and_says_so(bill, fay, client_of):
    answer = page(client_of(fay), "/costs/", group_by="service", period="3-months")
    (only,) = answer.context["answers"]
    assert [head["note"] for head in only["heads"]] == ["", "so far"]
    chart = json.loads(re.search(r'id="spend-usd-data"[^>]*>(.*?)</script>', answer.content.decode())[1])
    assert chart["unfinished"] == ["", "so far"]


def test_a_week_that_is_cut_says_how_much_of_it_is_shown(bill, fay, client_of):
    (answer,) = answers(client_of(fay), "/costs/", grain="week", **{"from": "2026-02-04", "to": "2026-02-28"})
    assert [(head["text"], head["note"]) for head in answer["heads"]] == [
        ("week of 2 Feb", "5 of 7 days"),
        ("week of 16 Feb", ""),
    ]


# Days


def test_days_are_chosen_from_a_calendar_which_shows_a_month_of_the_address_as_its_days(bill, fay, client_of):
    text = page(client_of(fay), "/costs/", **{"from": "2026-02", "to": "2026-02"}).content.decode()
    assert re.search(r'<input type="date" name="from" value="2026-02-01"', text)
    assert re.search(r'<input type="date" name="to" value="2026-02-28"', text)


def test_a_period_and_days_together_are_refused_and_the_last_day_alone_is_that_day(bill, fay, client_of):
    browser = client_of(fay)
    text = page(browser, "/costs/", period="last-month", **{"from": "2026-03", "to": "2026-03"}).content.decode()
    assert "both together are no question" in text
    assert "Nothing was spent" not in text
    (answer,) = answers(browser, "/costs/", to="2026-03-03")
    assert answer["total"] == 90


def test_other_stands_for_groups_that_sum_to_nothing_too(people, fay, tmp_path):
    costs = {"A": "9", "B": "5", "C": "-5"}
    deliver(tmp_path, [usage("2026-03-03", cost, "1", service=name) for name, cost in costs.items()])
    question = Question(parse_range("2026-03", "2026-03"), ("service",))
    (pivot,) = build_pivots(fay, question, top=1)
    assert [(group.label, group.total) for group in pivot.groups] == [("A", 9), ("Other", 0)]
    (pivot,) = build_pivots(fay, question, top=3)
    assert [group.label for group in pivot.groups] == ["A", "B", "C"]


# Comparison


def test_march_so_far_is_compared_with_the_same_days_of_february(bill, fay, client_of):
    answer = page(client_of(fay), "/costs/compare/", group_by="service")
    assert (answer.context["question"].period, answer.context["before"]) == (
        parse_range("2026-03-01", "2026-03-08"),
        parse_range("2026-02-01", "2026-02-08"),
    )
    (only,) = answer.context["answers"]
    assert (only["whole"]["before"], only["whole"]["after"]) == (D(105), D("104.000000000000000001"))
    # 20 hours more at 1.00 and 0.10 dearer for each of 120 hours, of which a commitment took 42 off.
    assert {reason["label"]: reason["amount"] for reason in only["reasons"]} == {
        KIND_LABELS["new"]: D("18.000000000000000001"),
        KIND_LABELS["gone"]: D(-5),
        KIND_LABELS["more"]: D(20),
        KIND_LABELS["price"]: D(12),
        KIND_LABELS["commitment"]: D(-42),
        KIND_LABELS["credits"]: D(-4),
    }
    text = answer.content.decode()
    assert "1 Mar 2026 to 8 Mar 2026 against 1 Feb 2026 to 8 Feb 2026" in text


@pytest.mark.parametrize(
    "group_by", [(), ("service",), ("team",), ("resource",), ("tag:Team", "service"), ("charge_category",)]
)
def test_the_parts_of_every_group_sum_to_its_difference_and_the_groups_to_the_whole(bill, fay, group_by):
    march = parse_range("2026-03", "2026-03")
    (compared,) = compare_periods(fay, Question(march, group_by), days_just_before(march, march), top=1)
    for group in (*compared.groups, compared.total):
        assert exact_sum(group.parts.values()) == group.difference
    if group_by:
        assert exact_sum(group.difference for group in compared.groups) == compared.total.difference
    before, after = (
        spend.total_spend(fay, Question(days))["USD"] for days in (parse_range("2026-02", "2026-02"), march)
    )
    assert (compared.total.before, compared.total.after) == (before, after)
    assert compared.total.difference == EXACT.subtract(after, before)


def test_every_figure_of_a_comparison_opens_to_lines_that_sum_to_it(bill, fay, client_of):
    browser = client_of(fay)
    (answer,) = answers(browser, "/costs/compare/", group_by="service", **{"from": "2026-03", "to": "2026-03"})
    opened = 0
    for row in (*answer["rows"], answer["whole"]):
        for side in ("before", "after"):
            if row[side] is not None and row[f"{side}_url"]:
                lines = sheet(browser, "/costs/lines/", **parse_qs(urlparse(row[f"{side}_url"]).query))
                assert billed(lines) == row[side]
                opened += 1
    assert opened == 9


def test_the_days_to_compare_with_are_a_year_earlier_or_chosen(bill, fay, client_of):
    browser = client_of(fay)
    year = page(browser, "/costs/compare/", against="year", period="last-month")
    assert year.context["before"] == parse_range("2025-02", "2025-02")
    chosen = page(browser, "/costs/compare/", against_from="2025-11", against_to="2025-11")
    assert chosen.context["before"] == parse_range("2025-11-01", "2025-11-08")
    both = page(browser, "/costs/compare/", against="year", against_from="2025-11").content.decode()
    assert "both together are no question" in both


def test_the_csv_of_a_comparison_has_every_group_and_every_part(bill, fay, client_of):
    text = b"".join(client_of(fay).get("/costs/compare/?group_by=service&top=5&_export=csv").streaming_content).decode(
        "utf-8-sig"
    )
    rows = [row for row in csv.DictReader(io.StringIO(text)) if row["currency"]]
    assert {row["label"] for row in rows} == {
        "Amazon EC2", "Amazon RDS", "AWS Lambda", "Tax", "Promotion", "AWS Support (Business)",
    }  # fmt: skip
    for row in rows:
        assert exact_sum(D(row[kind]) for kind in KIND_LABELS if row[kind]) == D(row["difference"])
    assert "Before: 2026-02-01 to 2026-02-08." in text


@pytest.mark.parametrize("path", ["/costs/?metric=unit_price&", "/costs/?", "/costs/compare/?"])
def test_a_workbook_has_the_rows_of_the_csv(bill, fay, client_of, path):
    browser = client_of(fay)
    text = b"".join(browser.get(f"{path}_export=csv").streaming_content).decode("utf-8-sig")
    answer = browser.get(f"{path}_export=xlsx")
    content = answer.content if not answer.streaming else b"".join(answer.streaming_content)
    sheet_of = load_workbook(io.BytesIO(content)).worksheets[0]
    head, *rows = csv.reader(io.StringIO(text))
    labels = [row[0] for row in sheet_of.iter_rows(values_only=True)]
    assert labels[0] == head[0]
    assert [label for label in labels[1:] if label] == [row[0] for row in rows if len(row) == len(head)]


def test_lea_compares_what_her_team_owns(bill, lea, client_of):
    (answer,) = answers(client_of(lea), "/costs/compare/", group_by="service")
    assert "AWS Support (Business)" not in {row["label"] for row in answer["rows"]}
    assert answer["whole"]["after"] == D("96.000000000000000001")


def test_the_explorer_leads_to_the_comparison_of_its_days_and_filters(bill, fay, client_of):
    browser = client_of(fay)
    explorer = page(browser, "/costs/", group_by="resource", service="Amazon EC2", period="last-month", grain="week")
    compared = browser.get(explorer.context["compare_url"])
    assert compared.context["question"].period == parse_range("2026-02", "2026-02")
    assert compared.context["question"].filters == {"service": ["Amazon EC2"]}
    assert compared.context["answers"][0]["whole"]["after"] == D(1100)


def test_the_reasons_of_the_total_are_the_same_whatever_it_is_grouped_by(people, fay, client_of, tmp_path, monkeypatch):
    monkeypatch.setattr(timezone, "now", lambda: NOW)
    moved = [
        usage(f"2026-{month}-03", cost, "10", team=team) for month, cost, team in (("02", "10", "A"), ("03", "12", "B"))
    ]
    deliver(tmp_path, [*moved, usage("2026-03-03", "5", "1", "i-new", team="B")])
    browser, march = client_of(fay), {"from": "2026-03", "to": "2026-03"}
    for group_by in ("", "service", "tag:Team", "resource", "billing_month"):
        (answer,) = answers(browser, "/costs/compare/", group_by=group_by, **march)
        reasons = {reason["label"]: reason["amount"] for reason in answer["reasons"]}
        assert reasons == {KIND_LABELS["new"]: D(5), KIND_LABELS["price"]: D(2)}, group_by
        for row in (*answer["rows"], answer["whole"]):
            assert exact_sum(row["parts"]) == row["difference"]
    (by_tag,) = answers(browser, "/costs/compare/", group_by="tag:Team", **march)
    parts = {row["label"]: dict(zip(by_tag["kinds"], row["parts"], strict=True)) for row in by_tag["rows"]}
    assert parts["A"]["Resources of other groups now"] == -10
    assert (parts["B"]["Resources of other groups before"], parts["B"]["New resources"]) == (12, 5)


def test_a_comparison_knows_no_value_as_missing_that_one_of_its_periods_has(bill, fay, client_of):
    days = {"from": "2026-03", "to": "2026-03", "resource__is": ["i-old", "i-nowhere"]}
    answer = page(client_of(fay), "/costs/compare/", **days)
    assert answer.context["answers"][0]["whole"]["before"] == 5
    assert answer.context["unmatched"] == ["Nothing here has Resource i-nowhere."]
    of_api = client_of(fay).get("/api/v1/changes/", days).json()
    assert of_api["unmatched"] == ["Nothing here has Resource i-nowhere."]


def test_a_group_of_accounts_is_called_by_its_new_name_in_a_comparison_at_once(bill, fay, client_of):
    group = AccountGroup.objects.create(name="Old name")
    group.accounts.create(account=CostLine.objects.first().sub_account)
    for name in ("Old name", "New name"):
        AccountGroup.objects.update(name=name)
        (answer,) = answers(client_of(fay), "/costs/compare/", group_by="account_group")
        assert name in {row["label"] for row in answer["rows"]}


@pytest.mark.parametrize("path", ["/costs/compare/", "/api/v1/changes/"])
def test_a_month_of_which_no_day_is_billed_is_not_compared_with_a_month(bill, fay, client_of, path):
    refused = client_of(fay).get(path, {"from": "2026-04", "to": "2026-04"})
    assert (
        "of 1 Apr 2026 to 30 Apr 2026 is billed yet: the last that is billed is 8 Mar 2026" in refused.content.decode()
    )


def test_the_api_compares_the_latest_month_with_cost_as_the_page_does(bill, fay, client_of, monkeypatch):
    monkeypatch.setattr(timezone, "now", lambda: NOW.replace(month=4, day=2))
    answer = client_of(fay).get("/api/v1/changes/").json()
    assert [answer[name] for name in ("from", "to", "against_from")] == ["2026-03-01", "2026-03-08", "2026-02-01"]


@pytest.mark.parametrize(
    "more", [{"forecast": "3"}, {"forecast": ""}, {"metric": "quantity"}, {"metric": "unit_price"}]
)
def test_the_explorer_leads_to_a_comparison_from_quantities_and_forecasts_too(bill, fay, client_of, more):
    browser = client_of(fay)
    explorer = page(browser, "/costs/", group_by="service", period="this-month", **more)
    compared = browser.get(explorer.context["compare_url"])
    assert (compared.status_code, compared.context["errors"]) == (200, [])
    assert compared.context["answers"][0]["whole"]["after"] == D("104.000000000000000001")


@pytest.mark.parametrize(
    "groups",
    [
        "group_by=service,region,account",
        "group_by=service,region&and_by=account",
        "group_by=service&group_by=region&and_by=team",
    ],
)
def test_a_third_thing_to_group_by_is_refused_and_not_dropped(bill, fay, client_of, groups):
    for path in ("/costs/", "/costs/compare/"):
        refused = client_of(fay).get(f"{path}?{groups}")
        assert not refused.context.get("answers"), path
        assert any("two things at most" in error for error in refused.context["errors"]), path


# Quantities


def test_quantities_are_a_table_for_each_unit_and_prices_are_cost_for_one(people, fay, client_of, tmp_path):
    deliver(
        tmp_path,
        [
            usage("2026-03-03", "10", "4"),
            usage("2026-03-04", "5", "1", "i-2", service="Amazon RDS"),
            usage("2026-03-04", "2", "8", "s-1", service="Amazon S3", ConsumedUnit="GB-Mo"),
        ],
    )
    browser, march = client_of(fay), {"from": "2026-03", "to": "2026-03", "group_by": "service"}
    hours, stored = answers(browser, "/costs/", metric="quantity", **march)
    assert [(one["unit"], one["total"]) for one in (hours, stored)] == [("Hours", 5), ("GB-Mo", 8)]
    prices, _ = answers(browser, "/costs/", metric="unit_price", **march)
    assert prices["unit"] == "USD per Hours"
    assert {row["label"]: row["total"] for row in prices["rows"]} == {"Amazon EC2": D("2.5"), "Amazon RDS": D(5)}
    # Of all hours, and not the sum of prices.
    assert (prices["total"], prices["has_shares"], prices["chart"]["kind"]) == (D(3), False, "line")
    rows = sheet(browser, "/costs/", metric="unit_price", **march)
    assert {(row["service"], row["unit"], D(row["unit_price"])) for row in rows} == {
        ("Amazon EC2", "Hours", D("2.5")),
        ("Amazon RDS", "Hours", D(5)),
        ("Amazon S3", "GB-Mo", D("0.25")),
    }


def test_a_price_divides_by_what_has_a_cost_alone(people, fay, client_of, tmp_path, settings):
    settings.FINOPS_COST_METRIC = "effective_cost"
    deliver(tmp_path, [usage("2026-03-04", "10", "10")])
    deliver(tmp_path, [usage("2026-03-04", "50", "1000", EffectiveCost="", SubAccountId="77")], source="gone")
    browser, march = client_of(fay), {"from": "2026-03", "to": "2026-03", "group_by": "service"}
    (prices,) = answers(browser, "/costs/", metric="unit_price", **march)
    assert [prices["total"], prices["rows"][0]["total"], prices["sums"][0]["amount"]] == [1, 1, 1]
    (row,) = (row for row in sheet(browser, "/costs/", metric="unit_price", **march) if row["unit"])
    assert [D(row[name]) for name in ("quantity", "priced_quantity", "unit_price")] == [1010, 10, 1]
    (used,) = answers(browser, "/costs/", metric="quantity", **march)
    assert used["total"] == 1010


def test_quantities_without_a_unit_are_left_out_and_counted(people, fay, client_of, tmp_path):
    deliver(tmp_path, [usage("2026-03-04", "10", "10"), usage("2026-03-04", "1", "9", "i-2", ConsumedUnit="")])
    browser = client_of(fay)
    words = "1 cost line has a quantity without a unit, which no table has."
    assert words in page(browser, "/costs/", metric="quantity").content.decode()
    assert words in b"".join(browser.get("/costs/?metric=quantity&_export=csv").streaming_content).decode("utf-8-sig")
    assert words not in page(browser, "/costs/").content.decode()


# Forecast


def test_the_months_to_come_are_a_band_and_figures(people, fay, client_of, tmp_path, monkeypatch):
    monkeypatch.setattr(timezone, "now", lambda: NOW)
    days = [date(2026, month, day) for month, last in ((1, 31), (2, 28), (3, 16)) for day in range(1, last + 1)]
    deliver(tmp_path, [charge(day.isoformat(), "10", "Payments") for day in days])
    browser = client_of(fay)
    (answer,) = answers(browser, "/costs/", period="3-months", forecast="3")
    march, april, may = answer["forecasts"]
    assert [Month.of(one.days.start).number for one in (march, april, may)] == [3, 4, 5]
    assert march.low <= march.likely <= march.high
    assert D(290) < march.likely < D(330)
    chart = answer["chart"]
    assert chart["categories"] == ["Jan 2026", "Feb 2026", "Mar 2026", "Apr 2026", "May 2026"]
    band = next(one for one in chart["series"] if one.get("kind") == "band")
    assert band["low"][:2] == [None, D(280)]
    assert band["high"][2:] == [march.high, april.high, may.high]
    (plain,) = answers(browser, "/costs/", period="3-months")
    assert "forecasts" not in plain


@pytest.mark.parametrize(
    ("asked_for", "reason"),
    [
        ({"grain": "week"}, "A forecast is one of cost by month"),
        ({"metric": "quantity"}, "A forecast is one of cost by month"),
        ({"resource__is": "i-1"}, "is not summed by day"),
        ({"from": "2026-01", "to": "2026-02"}, "it begins with Mar 2026"),
    ],
)
def test_where_nothing_can_be_forecast_the_page_says_why(bill, fay, client_of, asked_for, reason):
    assert reason in page(client_of(fay), "/costs/", forecast="1", **asked_for).content.decode()


# The cost that a company shows


@pytest.fixture
def prepaid(people, tmp_path, monkeypatch, settings):
    """Three dollars on the invoice, of which two are of March: the company shows effective cost."""
    monkeypatch.setattr(timezone, "now", lambda: NOW)
    settings.FINOPS_COST_METRIC = "effective_cost"
    deliver(tmp_path, [charge("2026-03-03", "3.33", "Payments", EffectiveCost="2.22")])


@pytest.mark.parametrize("path", ["/", "/costs/", "/costs/compare/", "/costs/teams/"])
def test_every_page_shows_the_companys_cost_and_says_which(prepaid, fay, client_of, path):
    text = page(client_of(fay), path).content.decode()
    assert "2.22" in text
    assert "3.33" not in text
    assert "effective cost" in text.lower()


def test_the_api_and_the_report_show_it_too_and_another_cost_is_there_to_choose(prepaid, fay, client_of):
    browser = client_of(fay)
    answer = browser.get("/api/v1/spend/", {"from": "2026-03", "to": "2026-03"}).json()
    assert (answer["metric"], answer["totals"]) == ("effective_cost", {"USD": "2.22"})
    section = spending_section(fay, Month(2026, 3))
    assert section["stats"][0]["amount"] == D("2.22")
    assert "All figures are effective cost, by charge day." in section["text"]
    assert answers(browser, "/costs/", metric="billed_cost")[0]["total"] == D("3.33")


def test_filters_that_leave_nothing_are_told_from_days_without_cost(bill, fay, client_of):
    browser = client_of(fay)
    assert "Nothing matches" in page(browser, "/costs/", service__prefix="Amazon Z").content.decode()
    assert "Nothing was spent" in page(browser, "/costs/", **{"from": "2020-01", "to": "2020-01"}).content.decode()

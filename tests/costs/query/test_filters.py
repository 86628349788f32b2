"""Filters with operators mean the same in SQL, in budgets, on pages and in the API; what cannot be read is refused."""

import re
from datetime import date
from decimal import Decimal
from html import unescape

import pytest

from budgets.forecast.spending import daily_costs
from budgets.models import Budget
from costs.calc.filters import BadFilter, Operator, describe_filter, filter_name, read_filter, split_name
from costs.ingest.load import load_bill
from costs.ingest.receive import receive_bill
from costs.query import filter_choices
from costs.query.filter_values import FilterValues
from costs.query.question import BadQuestion, Question
from costs.query.spend import find_spend, total_spend
from finops_site.lib.periods import Month
from finops_site.models import Team
from tagging.models import OwnershipRule
from tests import bills
from tests.shared_fixtures import shared

MARCH = Month(2026, 3)
DAYS = {"from": "2026-03", "to": "2026-03"}
APIS = ("spend", "cost-lines", "changes")


def usage(cost, **more):
    day = {"ChargePeriodStart": "2026-03-05T00:00:00Z", "ChargePeriodEnd": "2026-03-06T00:00:00Z"}
    return {"BilledCost": cost, "ResourceId": f"r-{cost}", **day, **more}


@shared
def bill(people, tmp_path):
    """Five charges: three services, two teams and nobody, two cost centres, tags, a tax, a refund, support."""
    Team.objects.filter(name="Payments").update(cost_center="CC-1")
    Team.objects.filter(name="Data").update(cost_center="CC-2")
    for name in ("Payments", "Data"):
        OwnershipRule.objects.create(
            name=name, team=Team.objects.get(name=name), tag_key="Team", tag_value=name, order=1
        )
    rows = [
        usage("1", ServiceName="Amazon Elastic Compute Cloud", Tags='{"Team": "Payments", "Part__of": "shop"}'),
        usage("2", ServiceName="Amazon S3", Tags='{"Team": "Data"}', RegionId="eu-west-1"),
        usage("4", ServiceName="Tax service", ChargeCategory="Tax", Tags="{}", RegionId=""),
        usage("8", ServiceName="amazon Redshift", Tags='{"Team": "Payments"}', ChargeClass="Correction"),
        usage("16", ServiceName="AWS Support (Business)", Tags="{}"),
    ]
    (received,) = receive_bill("northwind", [bills.write(tmp_path, "march.csv", bills.focus_csv(rows))])
    delivery = load_bill(received.delivery)
    assert delivery.status == "current", delivery.message


def team(name):
    return str(Team.objects.get(name=name).pk)


# {filters: the sum of what they leave}; a team is written by its name.
CASES = [
    ({"service__not": ["Amazon S3", "Tax service"]}, 25),
    ({"service__prefix": ["amazon"]}, 11),
    ({"service__prefix": ["Amazon", "Tax"]}, 15),
    ({"service__contains": ["support", "S3"]}, 18),
    ({"service__prefix": ["Amazon"], "service__not": ["Amazon S3"]}, 9),
    ({"region__empty": ["yes"]}, 4),
    ({"region__empty": ["no"]}, 27),
    ({"region__not": ["none"]}, 27),
    ({"region__not": ["eu-west-1"]}, 29),
    ({"tag:Team__not": ["Payments"]}, 22),
    ({"tag:Team__empty": ["yes"]}, 20),
    ({"tag:Team__empty": ["no"]}, 11),
    ({"tag:Team__prefix": ["pay"]}, 9),
    ({"tag:Team__contains": ["at", "ay"]}, 11),
    ({"tag:Part__of": ["shop"]}, 1),
    ({"tag:Part__of__not": ["shop"]}, 30),
    ({"tag:Team__is": ["Data"]}, 2),
    ({"team__not": ["Payments"]}, 22),
    ({"team__prefix": ["pay"]}, 9),
    ({"team__empty": ["yes"]}, 20),
    ({"team__not": ["none"]}, 11),
    ({"pool__empty": ["yes"]}, 31),
    ({"cost_center": ["CC-1"]}, 9),
    ({"cost_center__not": ["CC-1"]}, 22),
    ({"cost_center__prefix": ["cc-"]}, 11),
    ({"cost_center__empty": ["yes"]}, 20),
    ({"charge_category__not": ["Tax"]}, 27),
    ({"charge_kind": ["Support"]}, 16),
    ({"charge_kind__not": ["Support", "Adjustment"]}, 7),
    ({"charge_kind": ["Usage", "Tax"]}, 7),
    ({"charge_class__not": ["Correction"]}, 23),
    ({"resource__prefix": ["r-1"]}, 17),
    ({"resource__not": ["r-1"]}, 30),
    ({"billing_month__prefix": ["2026"]}, 31),
    ({"billing_month__not": ["2026-03"]}, 0),
]


def with_ids(filters):
    return {
        name: [team(value) if name in ("team", "team__not") and value != "none" else value for value in values]
        for name, values in filters.items()
    }


@pytest.mark.django_db
def test_an_operator_means_the_same_to_the_explorer_the_api_and_a_budget(bill, fay, client_of):
    client, budgets = client_of(fay), []
    for filters, cost in CASES:
        wanted_filters = with_ids(filters)
        assert total_spend(fay, Question(MARCH.period, filters=wanted_filters)).get("USD", 0) == cost, filters
        page = client.get("/costs/", {**wanted_filters, **DAYS})
        assert [answer["total"] for answer in page.context["answers"]] == ([cost] if cost else []), filters
        lines = client.get("/costs/lines/", {**wanted_filters, **DAYS})
        assert sum(line.billed_cost for line in lines.context["table"].data) == cost, filters
        answer = client.get("/api/v1/spend/", {**wanted_filters, **DAYS}).json()
        assert sum(Decimal(total) for total in answer["totals"].values()) == cost, filters
        budget = Budget(name=str(filters), scope=wanted_filters, start=MARCH.start)
        budget.full_clean(exclude=["created_by", "approved_by"])
        budget.save()
        budgets.append(budget)
    spent = daily_costs(budgets, MARCH.period)
    assert {budget.name: spent[budget.pk].total(MARCH.period) for budget in budgets} == {
        str(filters): cost for filters, cost in CASES
    }


@pytest.mark.django_db
def test_what_a_filter_accepts_is_what_the_groups_have(bill, fay):
    values = FilterValues()
    for filters, cost in CASES:
        (name, values_of_filter), *more = with_ids(filters).items()
        if more:
            continue
        chosen = values.resolve(name, values_of_filter)
        groups = find_spend(fay, Question(MARCH.period, (chosen.dimension,)))
        assert sum(row.amount for row in groups if chosen.accepts(row.group[0])) == cost, filters


@pytest.mark.django_db
def test_figures_of_a_filter_open_to_lines_of_the_same_sum(bill, fay, client_of):
    client = client_of(fay)
    page = client.get("/costs/", {"service__prefix": "Amazon", "tag:Team__not": "Data", "group_by": "service", **DAYS})
    (answer,) = page.context["answers"]
    assert answer["total"] == 9
    assert "Service begins with" in page.content.decode(), "what is filtered by stands on the page"
    assert "Tag Team is not" in client.get(answer["total_url"]).content.decode()
    for row in (*answer["rows"], {"url": answer["total_url"], "total": answer["total"]}):
        (total,) = client.get(row["url"]).context["sums"]
        assert total["billed_cost"] == row["total"]


@pytest.mark.django_db
def test_fay_adds_a_filter_of_any_dimension_and_operator_to_explorer_and_lines(bill, fay, client_of):
    client = client_of(fay)
    for dimension, how, text, cost in (
        ("service", "prefix", "amazon s; amazon r", 10),
        ("tag:Team", "not", "Data", 29),
        ("region", "empty", "", 4),
        ("region", "empty", "no", 27),
    ):
        chosen = {"further": dimension, "further_how": how, "further_values": text}
        page = client.get("/costs/", {**chosen, **DAYS})
        assert [answer["total"] for answer in page.context["answers"]] == [cost], chosen
        (sums,) = client.get(page.context["answers"][0]["total_url"]).context["sums"]
        assert sums["billed_cost"] == cost, "the link has the filter by its name"
        (sums,) = client.get("/costs/lines/", {**chosen, **DAYS}).context["sums"]
        assert sums["billed_cost"] == cost, chosen


def lines_sum(page):
    """The billed cost of a page of lines; nothing of a page without lines."""
    return sum(row["billed_cost"] for row in page.context["sums"])


@pytest.mark.django_db
def test_a_further_filter_of_resources_compares_on_the_page_of_lines_and_in_its_file(bill, fay, client_of):
    client = client_of(fay)
    further = {"further": "resource", "further_how": "is", "further_values": "r-1", **DAYS}
    assert lines_sum(client.get("/costs/lines/", further)) == 1, "and not r-16"
    assert lines_sum(client.get("/costs/lines/", {**further, "further_how": "not"})) == 30
    assert lines_sum(client.get("/costs/lines/", {**further, "resource": "r-16"})) == 0, "both hold"
    file = b"".join(client.get("/costs/lines/", {**further, "_export": "csv"}).streaming_content).decode("utf-8-sig")
    assert "r-1," in file
    assert "r-16" not in file


@pytest.mark.django_db
@pytest.mark.parametrize(
    "part",
    [
        {"further_values": "prod"},
        {"further": "service"},
        {"further": "service", "further_how": "is"},
        {"further": "service", "further_how": "is", "further_values": " ; "},
        {"further_how": "not", "further_values": "prod"},
        {"further": "region", "further_how": "empty", "further_values": "prod"},
    ],
)
def test_half_a_further_filter_is_refused_and_not_left_out(bill, fay, client_of, part):
    client = client_of(fay)
    for address in ("/costs/", "/costs/lines/", "/costs/compare/"):
        page = client.get(address, {**part, **DAYS})
        text = page.content.decode()
        assert "The further filter is not complete" in text or "region__empty is yes or no" in text, address
        assert not page.context.get("answers"), address
        assert not page.context.get("sums"), address


@pytest.mark.django_db
def test_a_further_filter_without_a_comparison_is_about_what_it_names(bill, fay, client_of):
    chosen = {"further": "service", "further_values": "Amazon S3", **DAYS}
    (answer,) = client_of(fay).get("/costs/", chosen).context["answers"]
    assert answer["total"] == lines_sum(client_of(fay).get("/costs/lines/", chosen)) == 2


@pytest.mark.django_db
@pytest.mark.parametrize("operator", list(Operator))
def test_any_dimension_is_asked_by_any_operator_at_every_door(bill, fay, client_of, operator):
    client = client_of(fay)
    values = {"billing_month": "2026-03", "charge_kind": "Tax", "team": "Data", "own_team": "Data"}
    for dimension in ("billing_month", "charge_kind", "charge_category", "team", "own_team", "cost_center", "resource"):
        value = "yes" if operator is Operator.EMPTY else values.get(dimension, "Tax")
        for address in ("/costs/", "/costs/lines/", "/costs/compare/", *map("/api/v1/{}/".format, APIS)):
            answer = client.get(address, {f"{dimension}__{operator}": value, **DAYS})
            assert answer.status_code == 200, (address, dimension, answer.content[:200])


@pytest.mark.django_db
def test_nothing_has_no_billing_month_and_a_kind_of_charge_is_found_by_a_part_of_its_name(bill, fay):
    for filters, cost in (
        ({"billing_month__empty": ["yes"]}, 0),
        ({"billing_month__empty": ["no"]}, 31),
        ({"charge_kind__contains": ["Tax"]}, 4),
        ({"charge_kind__prefix": ["Tax", "Supp"]}, 20),
    ):
        assert sum(total_spend(fay, Question(MARCH.period, filters=filters)).values()) == cost, filters


@pytest.mark.django_db
@pytest.mark.parametrize(
    "address",
    [
        "/costs/lines/?tag=Team=nope&tag=Team=Payments",
        "/costs/lines/?min=5000&min=1",
        "/costs/lines/?from=2026-03&to=2026-03&from=2026-02",
        "/costs/lines/?min=5000&min=&_export=csv",
        "/costs/?metric=billed_cost&metric=effective_cost",
        "/costs/?and_by=service&and_by=team",
        "/costs/compare/?against=year&against=before",
        "/costs/?further=service&further=team&further_values=x",
        "/deliveries/?month=2026-02&month=2026-03",
        "/api/v1/deliveries/?month=2026-02&month=2026-03",
        "/api/v1/spend/?metric=billed_cost&metric=effective_cost",
        "/api/v1/spend/?from=2026-02&from=2026-03",
        "/api/v1/cost-lines/?to=2026-02&to=2026-03",
        "/api/v1/changes/?against_from=2026-02&against_from=2026-01",
    ],
)
def test_a_name_given_twice_is_refused_where_the_last_alone_would_be_read(bill, fay, client_of, address):
    refused = client_of(fay).get(address)
    content = refused.content if not refused.streaming else b"".join(refused.streaming_content)
    assert refused.status_code == 400
    assert "takes one value and has several" in content.decode()


@pytest.mark.django_db
def test_what_takes_several_values_applies_them_all(bill, fay, client_of):
    client = client_of(fay)
    spend = client.get("/api/v1/spend/?group_by=service&group_by=region,month&from=2026-03&to=2026-03").json()
    assert spend["group_by"] == ["service", "region", "month"]
    assert client.get("/api/v1/changes/?group_by=service&group_by=region").json()["group_by"] == ["service", "region"]
    explorer = client.get("/costs/?group_by=service&group_by=region&from=2026-03&to=2026-03")
    assert explorer.context["question"].group_by == ("service", "region")
    for resources, cost in ((["r-1", ""], 17), (["", "r-1"], 17), (["r-1", "r-2"], 3)):
        page = client.get("/costs/lines/", {"resource": resources, **DAYS})
        assert lines_sum(page) == cost, resources
    statuses = {"status": ["current", "failed"], "month": "2026-03"}
    assert len(client.get("/api/v1/deliveries/", statuses).json()["results"]) == 1
    assert client.get("/deliveries/", statuses).status_code == 200


@pytest.mark.django_db
def test_a_filter_by_resource_opens_to_lines_of_that_resource_alone(bill, fay, client_of):
    client = client_of(fay)
    for more in ({}, {"group_by": "resource"}, {"group_by": "service"}):
        (answer,) = client.get("/costs/", {"resource": "r-1", **more, **DAYS}).context["answers"]
        for figure in (answer["total_url"], *(row["url"] for row in answer["rows"])):
            assert lines_sum(client.get(figure)) == answer["total"] == 1, (more, figure)
    (compared,) = client.get("/costs/compare/", {"resource": "r-1", "group_by": "", **DAYS}).context["answers"]
    assert lines_sum(client.get(compared["whole"]["after_url"])) == compared["whole"]["after"] == 1


@pytest.mark.django_db
def test_a_tag_whose_key_ends_like_an_operator_opens_to_its_own_lines(people, fay, client_of, tmp_path):
    rows = [usage("1", Tags='{"deploy__not": "a"}'), usage("2", Tags='{"deploy__not": "b"}'), usage("4", Tags="{}")]
    (received,) = receive_bill("northwind", [bills.write(tmp_path, "march.csv", bills.focus_csv(rows))])
    load_bill(received.delivery)
    client = client_of(fay)
    (answer,) = client.get("/costs/", {"group_by": "tag:deploy__not", **DAYS}).context["answers"]
    assert sorted(row["total"] for row in answer["rows"]) == [1, 2, 4]
    for row in answer["rows"]:
        assert lines_sum(client.get(row["url"])) == row["total"], row["label"]
        (narrowed,) = client.get("/costs/" + row["narrow"]).context["answers"]
        assert narrowed["total"] == row["total"], row["label"]


@pytest.mark.django_db
def test_a_value_in_other_capitals_means_every_spelling_that_bills_have(people, fay, client_of, tmp_path):
    rows = [usage("1", ServiceName="Amazon S3"), usage("2", ServiceName="amazon s3"), usage("4")]
    (received,) = receive_bill("northwind", [bills.write(tmp_path, "march.csv", bills.focus_csv(rows))])
    load_bill(received.delivery)
    client = client_of(fay)
    for service, cost in (("AMAZON s3", 3), ("Amazon S3", 1), ("amazon s3", 2)):
        assert lines_sum(client.get("/costs/lines/", {"service": service, **DAYS})) == cost, service
    assert lines_sum(client.get("/costs/lines/", {"service__not": "AMAZON S3", **DAYS})) == 4


@pytest.mark.django_db
def test_fay_hears_of_a_filter_that_is_none_and_sees_no_total_of_everything(bill, fay, client_of):
    client = client_of(fay)
    for name in ("servce", "service__like", "tagg:Team", "cost__center"):
        for address in ("/costs/", "/costs/lines/"):
            page = client.get(address, {name: "x", **DAYS})
            assert page.status_code == 400
            assert "filter by" in page.content.decode() or "no operator" in page.content.decode(), (address, name)
            assert not page.context.get("answers"), (address, name)
            assert not page.context.get("sums"), (address, name)
        for address in ("/api/v1/spend/", "/api/v1/cost-lines/"):
            answer = client.get(address, {name: "x", **DAYS})
            assert answer.status_code == 400, (address, name)
    assert client.get("/api/v1/spend/", {"service__prefix": "", **DAYS}).status_code == 200, "an empty filter is none"
    assert client.get("/api/v1/spend/", {"region__empty": "maybe", **DAYS}).status_code == 400


def chips(page):
    """{label and text of a chip: the address without it}."""
    matches = re.findall(
        r'class="chip" href="([^"]*)"><span class="chip-label">([^<]*)</span> <span\s+class="chip-text">([^<]*)</span>',
        page.content.decode(),
    )
    return {f"{unescape(label)} {unescape(text)}": unescape(url) for url, label, text in matches}


@pytest.mark.django_db
def test_every_filter_in_force_is_a_chip_that_removes_it_alone(bill, fay, client_of):
    client, data = client_of(fay), team("Data")
    query = {
        "tag:Team": ["Payments"],
        "tag:Part__of": [""],
        "service__prefix": ["Amazon", "amazon R"],
        "instance_type__empty": ["yes"],
        "team__not": [data],
        "further": ["region"],
        "further_how": ["not"],
        "further_values": ["nowhere"],
    }
    shown = {
        *("Tag Team Payments", "Tag Part__of nothing", "Service begins with Amazon", "Service begins with amazon R"),
        *("Instance type is empty yes", "Team is not Data", "Region is not nowhere"),
    }
    for address in ("/costs/", "/costs/lines/"):
        page = client.get(address, {**query, **DAYS})
        in_force = chips(page)
        assert shown <= set(in_force), address
        for name in shown:
            left = set(chips(client.get(address + in_force[name])))
            assert left == set(in_force) - {name}, (address, name)
        clear = unescape(re.search(r'class="chip-clear" href="([^"]*)"', page.content.decode()).group(1))
        after = client.get(clear if clear.startswith("/") else address + clear)
        assert chips(after) == {}, address
    (answer,) = client.get("/costs/", {**query, **DAYS}).context["answers"]
    assert answer["total"] == 8


@pytest.mark.django_db
def test_a_filter_of_the_address_stays_when_another_is_chosen(bill, fay, client_of):
    page = client_of(fay).get("/costs/", {"tag:Team": "Payments", "service__prefix": "amazon", **DAYS})
    fields = page.content.decode()
    assert re.search('<input type="hidden" name="service__prefix" value="amazon"', fields)
    (drop_down,) = re.findall(r'<select name="tag:Team".*?</select>', fields, re.DOTALL)
    assert re.findall(r'value="(\w+)"( selected)?', drop_down) == [("Payments", " selected"), ("Data", "")]


@pytest.mark.django_db
def test_fay_hears_which_value_nothing_has(bill, fay, client_of):
    client = client_of(fay)
    for name, value, words in (
        ("commitment", "xyz", "Nothing here has Commitment xyz."),
        ("service", "Amazn S3", "Nothing here has Service Amazn S3."),
        ("tag:Team", "Pyments", "Nothing here has Tag Team Pyments."),
        ("instance_type__not", "m9.huge", "Nothing here has Instance type m9.huge."),
        ("cost_center", "CC-404", "Nothing here has Cost centre CC-404."),
    ):
        for address in ("/costs/", "/costs/lines/"):
            page = client.get(address, {name: value, **DAYS}).content.decode()
            assert words in page, (address, name)
            assert "Nothing was spent" not in page, (address, name)
            assert words in client.get(address, {name: value, "_export": "csv", **DAYS}).getvalue().decode("utf-8-sig")
        for path in ("/api/v1/spend/", "/api/v1/cost-lines/"):
            assert client.get(path, {name: value, **DAYS}).json()["unmatched"] == [words], (path, name)
            assert words in client.get(path, {name: value, "format": "csv", **DAYS}).content.decode(), (path, name)
    searched = client.get("/costs/lines/", {"tag": "Team=Pyments", **DAYS}).content.decode()
    assert "Nothing here has Tag Team Pyments." in searched
    both = client.get("/costs/", {"service": ["Amazon S3", "Amazn S3"], **DAYS})
    assert [answer["total"] for answer in both.context["answers"]] == [2]
    assert both.context["unmatched"] == ["Nothing here has Service Amazn S3."]
    for known in ({"service": "amazon s3"}, {"tag:Team": "PAYMENTS"}, {"team": "Data"}, {"region__empty": "yes"}):
        page = client.get("/costs/", {**known, **DAYS})
        assert page.context["unmatched"] == [], known
        assert page.context["answers"], known


@pytest.mark.django_db
def test_a_question_that_cannot_be_read_has_no_answer_beside_it(bill, fay, client_of):
    client = client_of(fay)
    for query in ({"group_by": "colour"}, {"team": "Nobody's"}, {"charge_kind": "Fine"}, {"from": "March"}):
        for part in ({}, {"headers": {"HX-Request": "true", "HX-Target": "list"}}):
            page = client.get("/costs/", {"period": "", **query}, **part).content.decode()
            assert "These filters cannot be read" in page, query
            assert "Nothing was spent" not in page, query
            assert "Nothing matches" not in page, query
        refused = client.get("/costs/", {"period": "", **query, "_export": "csv"})
        assert refused.status_code == 400, query
        assert "," not in refused.content.decode().split(":")[0], "a sentence, not an empty sheet"


@pytest.mark.django_db
def test_lea_is_offered_the_tags_of_her_own_lines(bill, fay, lea, ola, client_of):
    assert filter_choices.tag_keys(fay) == ["Part__of", "Team"]
    assert filter_choices.tag_keys(lea) == ["Part__of", "Team"]
    assert filter_choices.tag_keys(ola) == ["Team"], "Part__of is on a line of Payments alone"
    assert filter_choices.tag_values(lea, "team") == ["Payments"]
    assert filter_choices.tag_values(fay, "Team") == ["Data", "Payments"]
    assert "tag:Part__of" not in client_of(ola).get("/costs/").content.decode()
    assert "tag:Part__of" in client_of(lea).get("/costs/").content.decode()


@pytest.mark.django_db
def test_a_budgets_page_names_the_teams_of_its_scope(bill, fay, client_of):
    budget = Budget.objects.create(name="Not Data", scope={"team__not": [team("Data"), "none"]}, start=MARCH.start)
    page = client_of(fay).get(budget.get_absolute_url()).content.decode()
    assert "Team is not Data, Unowned" in page


@pytest.mark.django_db
def test_pools_and_sources_are_asked_by_those_who_see_the_company(bill, fay, lea, client_of):
    for name in ("pool", "source"):
        assert client_of(fay).get("/api/v1/spend/", {"group_by": name, **DAYS}).status_code == 200
        assert client_of(lea).get("/api/v1/spend/", {"group_by": name, **DAYS}).status_code == 400
        assert client_of(lea).get("/api/v1/spend/", {name: "northwind", **DAYS}).status_code == 400
        page = client_of(lea).get("/costs/", {name: "none", **DAYS})
        assert not page.context.get("answers"), name
    by_name = client_of(fay).get("/costs/", {"source": "northwind", **DAYS})
    assert [answer["total"] for answer in by_name.context["answers"]] == [31]
    rows = client_of(fay).get("/api/v1/spend/", {"group_by": "source", **DAYS}).json()["results"]
    assert [row["source"] for row in rows] == ["northwind"]


@pytest.mark.django_db
def test_a_budget_of_a_filter_that_is_none_is_refused(fay):
    for scope in ({"service__like": ["x"]}, {"service__empty": ["perhaps"]}, {"service__prefix": [""]}):
        with pytest.raises(Exception, match="scope"):
            Budget(name="odd", scope=scope, start=date(2026, 3, 1)).full_clean(exclude=["created_by", "approved_by"])
    with pytest.raises(BadQuestion, match="no operator 'like'"):
        Question(MARCH.period, filters={"service__like": ["x"]})


def test_names_of_filters_are_read_and_written_in_one_way():
    assert split_name("service__not") == ("service", Operator.NOT)
    assert split_name("tag:app__part") == ("tag:app__part", Operator.IS)
    assert split_name("tag:app__not__is") == ("tag:app__not", Operator.IS)
    for dimension in ("service", "tag:Team", "tag:app__part", "tag:app__not"):
        for operator in Operator:
            assert split_name(filter_name(dimension, operator)) == (dimension, operator)
    with pytest.raises(BadFilter, match="__prefix"):
        split_name("service__starts")
    with pytest.raises(BadFilter, match="nothing to group or filter by"):
        read_filter("colour__not", ["red"])


def test_a_filter_is_told_in_words():
    assert describe_filter("service", ["Amazon S3"]) == "Service Amazon S3"
    assert describe_filter("tag:Team__not", ["a", "b"]) == "Tag Team is not a, b"
    assert describe_filter("region__empty", ["yes"]) == "Region is empty"
    assert describe_filter("region__empty", ["no"]) == "Region is not empty"

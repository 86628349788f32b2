"""A role that shows its people the cost of accounts, with a tag or from sources, beside that of their teams."""

import csv
import io
from datetime import date
from decimal import Decimal as D

import pytest
from django.db.models import Sum
from django.urls import reverse

from budgets.models import Budget
from budgets.planning import budget_changes
from costs.account_groups import save_group
from costs.ingest.load import load_bill
from costs.ingest.receive import receive_bill
from costs.models import AccountGroup, CostLine, DayRollup, MonthRollup, ResourceRollup, Source
from costs.query import filter_choices
from costs.query.line_addresses import keys_of
from costs.querysets import CostQuerySet
from finops_site.lib.periods import Period
from finops_site.mail import invitations
from finops_site.mail.notifications import teams_seen_by
from finops_site.models import OwnRole, Team, User
from finops_site.own_roles.changes import CannotChangeRole, RoleWish, save_role
from finops_site.people.backends import RoleBackend
from programme.reports import readers
from reservations.models import Commitment
from tagging.chargeback import draft_statements
from tagging.models import OwnershipRule, TagRequirement
from tests import bills
from tests.people import person, signed_in
from tests.shared_fixtures import shared

pytestmark = pytest.mark.django_db
SEES = ("see-costs", "see-budgets", "see-tags", "see-commitments", "see-programme")
MARCH = {"from": "2026-03", "to": "2026-03"}


def row(account, amount, resource, tags, day="2026-03-10"):
    return {
        "SubAccountId": account,
        "BilledCost": amount,
        "EffectiveCost": amount,
        "ResourceId": resource,
        "Tags": tags,
        "ChargePeriodStart": f"{day}T00:00:00Z",
    }


@shared
def two_sources(people, tmp_path):
    """Northwind: Payments, Data, and two lines of nobody; Southwind: one of nobody. Each amount tells itself."""
    for name in ("Payments", "Data"):
        team = Team.objects.get(name=name)
        OwnershipRule.objects.create(name=name, team=team, tag_key="Team", tag_value=name, order=team.pk)
    north = [
        row("111", "1", "i-pay", '{"Team": "Payments"}'),
        row("222", "20", "i-data", '{"Team": "Data", "env": "prod"}'),
        row("333", "300", "i-prod", '{"Env": "Prod "}', "2026-03-20"),
        row("333", "4000", "i-test", '{"Env": "test", "Secret": "x"}'),
    ]
    for source, rows in (("northwind", north), ("southwind", [row("444", "50000", "i-south", '{"Env": "prod"}')])):
        (received,) = receive_bill(source, [bills.write(tmp_path, f"{source}.csv", bills.focus_csv(rows))])
        load_bill(received.delivery)


def with_scope(name, base="executive", **scope):
    """Somebody of the demo, as a request knows her, whose role names a part of the cost."""
    wish = RoleWish(
        "Partner", base, SEES, cost_scope={key.replace("tag_", "tag:"): rows for key, rows in scope.items()}
    )
    save_role(wish, by=person("ada"), role=OwnRole.objects.filter(group__name="Partner").first())
    invitations.set_role(person(name), "Partner")
    return RoleBackend().get_user(person(name).pk)


def file_of(client, path, **parameters):
    text = b"".join(client.get(path, {**parameters, "_export": "csv"}).streaming_content).decode("utf-8-sig")
    return list(csv.DictReader(line for line in io.StringIO(text) if not line.startswith("#")))


def sums_of(user):
    """What every door that sums cost says of March: they are one number."""
    browser = signed_in(user)
    spend = browser.get("/api/v1/spend/", {**MARCH, "group_by": "account"}).json()
    lines = browser.get("/api/v1/cost-lines/", {**MARCH, "page_size": 100}).json()["results"]
    explorer = browser.get("/costs/", {**MARCH, "group_by": "account", "metric": "billed_cost"})
    by_day = browser.get("/costs/", {**MARCH, "grain": "day", "metric": "billed_cost"})
    period = Period(date(2026, 3, 1), date(2026, 4, 1))
    tables = {
        table.__name__: table.objects.visible_to(user).charged_in(period).aggregate(sum=Sum("billed_cost"))["sum"]
        for table in (CostLine, DayRollup, MonthRollup, ResourceRollup)
    }
    return {
        "API": sum(D(one["billed_cost"] if "billed_cost" in one else one["amount"]) for one in spend["results"]),
        "lines of the API": sum(D(one["billed_cost"]) for one in lines),
        "page": sum(answer["total"] for answer in explorer.context["answers"]),
        "page by day": sum(answer["total"] for answer in by_day.context["answers"]),
        "file of lines": sum(D(one["Billed cost"] or 0) for one in file_of(browser, "/costs/lines/", **MARCH)),
        **tables,
    }


@pytest.mark.parametrize(
    ("scope", "total"),
    [
        ({"account": ["333"]}, 4300),
        ({"account": ["333", "111"]}, 4301),
        ({"tag_Env": ["prod"]}, 50320),
        ({"tag_env": ["PROD", "test"]}, 54320),
        ({"account": ["333"], "tag_Env": ["prod"]}, 300),
        ({"source": ["southwind"]}, 50000),
        ({"account_group": ["Landing"]}, 20),
        ({"account": ["999"]}, 0),
    ],
)
def test_every_door_shows_the_sum_of_the_lines_that_her_role_names(scope, total, two_sources):
    group = AccountGroup(name="Landing")
    save_group(group, ["222"])
    ids = {one.name: str(one.pk) for one in (*Source.objects.all(), group)}
    max_ = with_scope("max", **{key: [ids.get(value, value) for value in values] for key, values in scope.items()})
    sums = sums_of(max_)
    assert {value or D(0) for value in sums.values()} == {D(total)}, sums


def test_a_scope_stands_beside_what_a_team_owns(two_sources):
    eli = with_scope("eli", "engineering", account=["333"])
    assert set(sums_of(eli).values()) == {D(4301)}
    assert "Payments" in signed_in(eli).get("/costs/teams/").content.decode()


@pytest.mark.parametrize("key", ["Env__empty", "Env__not", "Env__contains"])
def test_a_tag_whose_key_ends_like_an_operator_is_a_tag_and_opens_nothing_else(key, two_sources):
    max_ = with_scope("max", **{f"tag_{key}": ["yes"]})
    assert {value or D(0) for value in sums_of(max_).values()} == {D(0)}
    assert signed_in(max_).get("/").status_code == 200


def test_a_change_of_the_tag_policy_moves_what_she_sees_with_her_next_click(two_sources):
    max_ = with_scope("max", tag_Env=["prod"])
    assert set(sums_of(max_).values()) == {D(50320)}
    rule = TagRequirement.objects.filter(key="Environment")
    assert rule.update(allowed_values=["prod"], value_aliases={"test": "prod"})
    assert set(sums_of(RoleBackend().get_user(max_.pk)).values()) == {D(54320)}


def test_what_is_not_named_is_nowhere(two_sources):
    max_ = with_scope("max", tag_Env=["prod"])
    browser = signed_in(max_)
    lines = {line.resource: line for line in CostLine.objects.all()}
    keys = keys_of(list(lines.values()))
    statuses = {
        name: (
            browser.get(reverse("costs:line", args=[keys[line.pk]])).status_code,
            browser.get(f"/api/v1/cost-lines/{line.pk}/").status_code,
            browser.get("/api/v1/charges/", {"line": line.pk}).status_code,
        )
        for name, line in lines.items()
    }
    seen, hidden = (200, 200, 200), (404, 404, 404)
    prod = {"i-data", "i-prod", "i-south"}
    assert statuses == {name: seen if name in prod else hidden for name in lines}
    assert filter_choices.tag_keys(max_) == ["Env", "Team", "env"]
    assert [value.lower() for value in filter_choices.tag_values(max_, "Env")] == ["prod"]
    assert {value for value, _label in filter_choices.values(max_, "account")} == {"222", "333", "444"}
    assert filter_choices.values(max_, "source") == []
    assert "4,000" not in browser.get("/").content.decode()


def test_what_is_of_other_teams_or_of_the_company_stays_theirs(two_sources):
    data = Team.objects.get(name="Data")
    plan = Budget(name="Data", team=data, start=date(2026, 3, 1))
    budget = budget_changes.create_budget(plan, {Period(date(2026, 3, 1), date(2026, 4, 1)): D(1)}, by=None)
    commitment = Commitment.objects.create(provider="AWS", commitment_id="arn:1", owner=data)
    draft_statements.refresh_stale_drafts()
    browser = signed_in(with_scope("max", account=["111", "222", "333", "444"]))
    hidden = [
        reverse("budgets:budget", args=[budget.pk]),
        reverse("reservations:commitment", args=[commitment.pk]),
        reverse("tagging:statement", args=["2026-03", data.pk]),
        reverse("costs:team", args=[data.pk]),
        f"/api/v1/budgets/{budget.pk}/",
    ]
    assert {url: browser.get(url).status_code for url in hidden} == dict.fromkeys(hidden, 404)
    of_company = [
        "/deliveries/",
        reverse("costs:invoices"),
        "/programme/",
        "/programme/savings/",
        "/budgets/add/",
        "/audit/",
        "/people/",
    ]
    assert {url: browser.get(url).status_code for url in of_company} == dict.fromkeys(of_company, 403)
    assert browser.get("/api/v1/me/").json()["sees_whole_company"] is False


def test_a_report_is_of_her_teams_for_others_with_the_same_teams_read_it_too(two_sources):
    with_scope("eli", "engineering", account=["333"])
    own, of_lea = readers.scope_of(person("eli")), readers.scope_of(person("lea"))
    assert own.teams == of_lea.teams
    assert CostLine.objects.visible_to(own.person).aggregate(sum=Sum("billed_cost"))["sum"] == 1
    with_scope("max", account=["333"])
    with pytest.raises(readers.NoAccess):
        readers.scope_of(person("max"))


def test_a_letter_that_was_written_with_another_scope_is_not_hers_any_more(two_sources):
    before = teams_seen_by(with_scope("eli", "engineering", account=["333"]))
    after = teams_seen_by(with_scope("eli", "engineering", account=["444"]))
    assert len(before) == len(after) == 2
    assert not set(before) <= set(after)


def test_without_what_reads_scopes_she_sees_her_teams_alone(two_sources, monkeypatch):
    monkeypatch.setattr("costs.querysets._of_scopes", [])
    eli = with_scope("eli", "engineering", account=["333"])
    assert CostLine.objects.visible_to(eli).aggregate(sum=Sum("billed_cost"))["sum"] == 1


def test_rows_that_were_filtered_before_cannot_lose_their_filter(two_sources):
    max_ = with_scope("max", tag_Env=["prod"])
    rows = DayRollup.objects.filter(service="x")
    assert isinstance(rows, CostQuerySet)
    with pytest.raises(ValueError, match="visible_to comes first"):
        rows.visible_to(max_)


def test_the_page_the_api_and_the_admin_name_a_scope(two_sources, ada):
    browser = signed_in(ada)
    south = Source.objects.get(name="southwind").pk
    data = {
        "name": "Partner",
        "base": "executive",
        "abilities": list(SEES),
        "accounts": "333\n 444 \n",
        "sources": [south],
    }
    assert browser.post("/people/roles/add/", data).status_code == 302
    role = OwnRole.objects.get()
    assert role.cost_scope == {"account": ["333", "444"], "source": [str(south)]}
    assert "of 333, 444; from southwind" in browser.get("/people/roles/").content.decode()
    tag = {"sources": [], "tag_key": "Env", "tag_values": ["prod", "test"]}
    changed = browser.patch(f"/api/v1/roles/{role.pk}/", tag, "application/json")
    assert changed.json()["cost_scope"] == {"account": ["333", "444"], "tag:Env": ["prod", "test"]}
    form = browser.get("/people/roles/add/?like=Partner").context["form"]
    assert (form["accounts"].value(), form["tag_key"].value()) == ("333\n444", "Env")
    half = browser.patch(f"/api/v1/roles/{role.pk}/", {"tag_values": []}, "application/json")
    assert half.json() == {"detail": "A tag has a key, and the values that are seen."}


def test_a_save_drops_no_part_of_a_scope_unseen(two_sources, ada):
    with_scope("max", account=["333"])
    gone = {"account": ["333"], "source": ["999999"]}
    OwnRole.objects.update(cost_scope=gone)
    url = f"/people/roles/{OwnRole.objects.get().pk}/"
    form = signed_in(ada).get(url).context["form"]
    answer = signed_in(ada).post(url, {one.html_name: one.value() for one in form if one.value()})
    assert answer.context["form"].errors == {"__all__": ["There is no '999999' to choose."]}
    assert OwnRole.objects.get().cost_scope == gone


@pytest.mark.parametrize(
    ("abilities", "scope", "words"),
    [
        (("see-costs", "company"), {"account": ["333"]}, "choose one of them"),
        (("see-costs", "comment-kpis"), {"account": ["333"]}, "Only who sees the whole company"),
        (("see-costs",), {"team": ["1"]}, "nothing to see cost by"),
        (("see-costs",), {"source": ["999999"]}, "There is no"),
        (("see-costs",), {"account": ["1"] * 201}, "at most 200"),
    ],
)
def test_a_scope_that_cannot_be_is_refused(abilities, scope, words, ada):
    with pytest.raises(CannotChangeRole, match=words):
        save_role(RoleWish("Partner", "executive", abilities, cost_scope=scope), by=ada)
    assert not User.objects.filter(groups__name="Partner").exists()

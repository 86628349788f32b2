"""The bill suggests who owns it: tags and accounts that are called like teams become rules that fay ticks."""

from datetime import date
from decimal import Decimal

import pytest
from django.urls import reverse

from costs.ingest.load import load_bill
from costs.ingest.receive import receive_bill
from finops_site.models import Team
from tagging.calc.rule_proposals import KnownTeam, RuleProposal, Spent, left_unowned, propose_rules
from tagging.models import Application, OwnershipRule
from tagging.ownership.proposals import CannotAccept, accept_proposals, find_proposals
from tests import bills
from tests.shared_fixtures import shared

pytestmark = pytest.mark.django_db
TODAY = date(2026, 4, 3)


@shared
def bill(people, tmp_path):
    """March, whole: Data owns what a rule takes; the rest is nobody's yet."""
    OwnershipRule.objects.create(name="The lake", team=Team.objects.get(name="Data"), service="Amazon S3", order=30)
    rows = [
        {"ResourceId": "a", "BilledCost": "1", "Tags": '{"team": "payments "}'},
        {"ResourceId": "b", "BilledCost": "2", "Tags": '{"Team": "Payments"}'},
        {"ResourceId": "c", "BilledCost": "3", "Tags": '{"Team": "Payments"}', "ServiceName": "Amazon S3"},
        {"ResourceId": "d", "BilledCost": "4", "Tags": '{"Team": "Search"}'},
        {"ResourceId": "e", "BilledCost": "5", "Tags": '{"CostCenter": "CC-1002"}'},
        {"ResourceId": "f", "BilledCost": "6", "Tags": '{"Note": "moved"}'},
        {"ResourceId": "g", "BilledCost": "7", "Tags": "", "SubAccountId": "7", "SubAccountName": "sandbox"},
    ]
    last = {"ChargePeriodStart": "2026-03-31T00:00:00Z", "ChargePeriodEnd": "2026-04-01T00:00:00Z"}
    content = bills.focus_csv(rows, **{"SubAccountName": "storefront-prod", **last})
    (received,) = receive_bill("northwind", [bills.write(tmp_path, "march.csv", content)])
    Team.objects.filter(name="Data").update(cost_center="CC-1002")
    return load_bill(received.delivery)


def by_label(user):
    return {rule.label: rule for rule in find_proposals(user, TODAY).rules}


def test_a_tag_called_like_a_team_is_proposed_with_what_it_would_own_and_what_is_owned_already(bill, fay):
    proposals = find_proposals(fay, TODAY)
    assert (str(proposals.month), proposals.is_whole, proposals.unowned) == ("2026-03", True, {"USD": Decimal(25)})
    rule = by_label(fay)["Tag Team is Payments"]
    assert (rule.team_name, rule.why, rule.is_sure) == ("Payments", "the team's name", True)
    assert (rule.owns, rule.charges) == ({"USD": Decimal(3)}, 2)
    assert rule.overlaps == {("Data (The lake)", "USD"): Decimal(3)}


def test_cost_centres_accounts_and_names_without_a_team_are_proposed_too(bill, fay):
    proposals = by_label(fay)
    rule = proposals["Tag CostCenter is CC-1002"]
    assert (rule.team_name, rule.is_sure) == ("Data", True)
    rule = proposals["Tag Team is Search"]
    assert (rule.team, rule.new_team, rule.is_sure) == (None, "Search", False)
    rule = proposals["Account storefront-prod"]
    assert (rule.team_name, rule.why, rule.is_sure) == ("Storefront", "has the team's name in it", False)
    assert proposals["Account sandbox"].new_team == "sandbox"
    assert not any("Note" in label for label in proposals)


def test_what_stays_unowned_counts_cost_once(bill, fay):
    proposals = find_proposals(fay, TODAY)
    keys = [rule.key for rule in proposals.rules if rule.label in ("Tag Team is Payments", "Account storefront-prod")]
    assert proposals.left_after(keys) == {"USD": Decimal(7)}


def test_fay_accepts_two_of_them_and_a_team_is_made_on_the_way(bill, fay, client_of):
    page, client = reverse("tagging:ownership_proposals"), client_of(fay)
    shown = client.get(page).content.decode()
    assert "Tag Team is Payments" in shown
    assert "of Data (The lake)" in shown
    payments, search = "tag:team=payments", "tag:team=search"
    ticked = {"pick": [payments, search], f"team {payments}": "Payments", f"team {search}": "Search"}
    shown = client.post(page, {**ticked, "preview": ""})
    assert [stat["amount"] for stat in shown.context["stats"]] == [Decimal(25), Decimal(18)]
    assert OwnershipRule.objects.count() == 1
    assert client.post(page, {**ticked, "accept": ""}).url == reverse("tagging:ownership")
    rules = OwnershipRule.objects.order_by("order")
    assert [(rule.name, str(rule.team), rule.order) for rule in rules] == [
        ("The lake", "Data", 30),
        ("Tag Team is Search", "Search", 40),
        ("Tag Team is Payments", "Payments", 50),
    ]
    assert Application.objects.count() == 1
    answer = client.post(page, {**ticked, "accept": ""})
    assert "There is a rule of this name" in answer.content.decode()
    assert OwnershipRule.objects.count() == 3, "a rule of a name holds once"


def test_all_or_none_are_accepted(bill, fay):
    with pytest.raises(CannotAccept, match="not proposed any more"):
        accept_proposals(fay, {"tag:team=payments": "Payments", "tag:team=nobody": "Data"}, TODAY)
    with pytest.raises(CannotAccept, match="name its team"):
        accept_proposals(fay, {"tag:team=payments": " ", "tag:team=search": "Search"}, TODAY)
    assert OwnershipRule.objects.count() == 1
    assert not Team.objects.filter(name="Search").exists()


def test_the_api_proposes_and_accepts_the_same(bill, fay, ada, client_of):
    address, send = "/api/v1/ownership-rules/proposals/", {"content_type": "application/json"}
    answer = client_of(fay).get(address).json()
    assert (answer["month"], answer["unowned"]) == ("2026-03", {"USD": "25"})
    rule = next(row for row in answer["proposals"] if row["name"] == "Tag Team is Payments")
    assert (rule["team"], rule["would_own"]) == ("Payments", {"USD": "3"})
    body = {"accept": [{"key": rule["key"], "team": "Payments"}]}
    assert client_of(ada).post(address, body, **send).status_code == 403
    answer = client_of(fay).post(address, body, **send)
    assert (answer.status_code, [row["name"] for row in answer.json()]) == (201, ["Tag Team is Payments"])
    answer = client_of(fay).post(address, {"accept": [{"key": "tag:x=y", "team": "Data"}]}, **send)
    assert (answer.status_code, "not proposed" in answer.json()["detail"]) == (400, True)


def test_names_that_are_almost_a_teams_are_found_but_not_ticked():
    teams = [KnownTeam(1, "Payments", "CC-1"), KnownTeam(2, "AI", "")]
    spent = [Spent({"team": "paymnets"}, "1", "USD", "", Decimal(1), 1)]
    (rule,) = propose_rules(spent, {"team=paymnets": ("Team", "paymnets")}, {}, teams)
    assert (rule.team, rule.is_sure, rule.why) == (teams[0], False, "is written almost like the team's name")
    spent = [Spent({"app": "mail"}, "1", "USD", "", Decimal(1), 1)]
    assert propose_rules(spent, {"app=mail": ("App", "mail")}, {}, teams) == [], "AI is in mail, and is not its name"


def test_nothing_is_left_of_what_all_of_it_meets():
    spent = [Spent({}, "1", "EUR", "", Decimal(2), 1), Spent({}, "1", "EUR", "Data (x)", Decimal(9), 1)]
    rule = RuleProposal("account:1", "Account 1", {"sub_account": "1"}, None, "one", "", False)
    assert left_unowned(spent, [rule]) == {"EUR": Decimal(0)}
    assert left_unowned(spent, []) == {"EUR": Decimal(2)}

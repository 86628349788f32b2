"""From demo to real: no bill joins the demo company, and removing it leaves what is real."""

import json
from datetime import date
from decimal import Decimal
from io import StringIO

import pytest
from django.contrib.auth.models import Group
from django.core.management import call_command
from django.utils import timezone

from budgets.models import Budget
from costs.formats.base import BadBill
from costs.ingest.load import load_bill
from costs.ingest.receive import receive_bill
from costs.models import CostLine, Delivery, DeliveryMonth, Pool, Source
from costs.reconciliation import reconcile
from finops_site.first_day import remove_demo
from finops_site.models import DemoCompany, Membership, Team, User
from finops_site.ops.commands import BadInput
from finops_site.people import demo
from finops_site.people.demo_rows import noted_as_demo
from tagging.chargeback import closing, draft_statements
from tagging.models import ChargebackPeriod, OwnershipRule, Statement, TaggedResource, TagRequirement
from tagging.ownership import rule_application
from tagging.ownership.demo import make_ownership_rules
from tagging.policy import compliance
from tests import bills
from tests.people import PASSWORD, signed_in, token_of
from tests.shared_fixtures import shared

pytestmark = pytest.mark.django_db
AS_OF = date(2026, 4, 15)


def load(source, folder, rows, *, is_demo=False, **defaults):
    path = bills.write(folder, f"{source}.csv", bills.focus_csv(rows, **defaults))
    (receipt,) = receive_bill(source, [path], is_demo=is_demo)
    return load_bill(receipt.delivery)


@pytest.fixture
def both(db, settings, tmp_path):
    """A company of its own with a bill, and the demo beside it: its rules name the owner of both bills' lines."""
    settings.FINOPS_VAR = tmp_path / "var"
    ivy = User.objects.create_user("ivy@strand.example", PASSWORD)
    ivy.groups.add(Group.objects.get(name="administrator"))
    joe = User.objects.create_user("joe@strand.example", PASSWORD)
    checkout = Team.objects.create(name="Checkout")
    real = load("Strand (AWS)", tmp_path, [{"BilledCost": "7.25"}], SubAccountId="999", BillingAccountId="9")
    with noted_as_demo():
        demo.make_people(PASSWORD)
        make_ownership_rules(str, as_of=AS_OF)
        load("Northwind (AWS)", tmp_path, [{}, {"ServiceName": "AmazonCloudWatch"}], is_demo=True)
        TagRequirement.objects.filter(key="Team").update(allowed_values=list(demo.TEAMS))
        list(rule_application.reallocate_open_months())
        compliance.refresh_compliance()
        draft_statements.refresh_stale_drafts()
        Budget.objects.create(name="Northwind", start="2026-03-01", state="active")
        (period,) = ChargebackPeriod.objects.all()
        fay = User.objects.get(email="fay@demo.example")
        closing.close_month(period, fay, seen=period.fingerprint, now=timezone.now(), without_missing=True)
    # Joe works in a team that the demo brought, and in one of his own.
    for team in (Team.objects.get(name="Data"), checkout):
        Membership.objects.create(user=joe, team=team)
    Budget.objects.create(name="Strand", start="2026-03-01", state="active", team=checkout, created_by=ivy)
    Budget.objects.create(name="fay's", start="2026-03-01", state="active", created_by=fay)
    return {"ivy": ivy, "joe": joe, "real": real}


def test_removing_the_demo_leaves_what_is_real_and_the_books_agree(both):
    assert set(CostLine.objects.values_list("owner__name", flat=True)) == {"Payments", None}
    folders = {row.source.name: row.folder for row in Delivery.objects.select_related("source")}
    steps = []
    remove_demo.remove_demo(steps.append)
    assert [step.strip() for step in steps] == [
        *(
            "KPIs",
            "The programme",
            "Savings model",
            "Reports",
            "Findings of usage",
            "Commitments",
            "Budgets",
            "Rules and statements",
            "Bills",
        ),
        *("Owners of what stays", "Pools"),
        "People and teams",
    ]
    assert list(Delivery.objects.all()) == [both["real"]]
    assert [source.name for source in Source.objects.all()] == ["Strand (AWS)"]
    line = CostLine.objects.get()
    assert (line.billed_cost, line.owner, line.pool) == (Decimal("7.25"), None, None)
    assert set(User.objects.all()) == {both["ivy"], both["joe"]}
    assert {team.name for team in Team.objects.all()} == {"Checkout", "Data"}, "somebody real works in Data"
    assert [budget.name for budget in Budget.objects.all()] == ["Strand"]
    assert (OwnershipRule.objects.count(), Pool.objects.count(), Statement.objects.count()) == (0, 0, 0)
    assert {row.owner for row in TaggedResource.objects.all()} == {None}
    assert TagRequirement.objects.get(key="Team").allowed_values == []
    assert [check for check in reconcile() if not check.holds] == []
    assert DeliveryMonth.objects.current().count() == 1
    assert (folders["Northwind (AWS)"].exists(), folders["Strand (AWS)"].exists()) == (False, True)
    company = DemoCompany.objects.get()
    assert (company.removal_percent, company.removed_at is None) == (100, False)


def test_who_of_the_demo_stays_because_of_something_real_has_left(both):
    """A person on whom something real stands is kept, and comes in by nothing."""
    max_, joe = User.objects.get(email="max@demo.example"), both["joe"]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(remove_demo, "delete_unless_held", lambda rows: None)
        key = token_of(max_)
        remove_demo.remove_people()
    max_.refresh_from_db()
    assert (max_.is_active, max_.has_usable_password(), max_.api_tokens.exists()) == (False, False, False)
    joe.refresh_from_db()
    assert (joe.is_active, bool(key)) == (True, True)


def test_the_command_counts_and_removes_and_the_demo_does_not_come_back_by_itself(both):
    out = StringIO()
    call_command("remove_demo", dry_run=True, json=True, stdout=out)
    rows = json.loads(out.getvalue())["rows"]
    assert rows["bills"] == {"goes": 1, "stays": 1}
    assert rows["budgets"] == {"goes": 2, "stays": 1}
    assert rows["people"] == {"goes": 6, "stays": 2}
    assert rows["teams"] == {"goes": 3, "stays": 2}
    assert rows["closed months"] == {"goes": 1, "stays": 0}
    assert Delivery.objects.count() == 2
    call_command("remove_demo", json=True, stdout=StringIO())
    assert Delivery.objects.count() == 1
    with pytest.raises(BadInput, match="no demo company"):
        call_command("remove_demo")
    User.objects.all().delete()
    call_command("seed_demo", if_empty=True)
    assert not User.objects.exists()


@shared
def demo_people(db):
    """The demo's people alone, noted as its own."""
    with noted_as_demo():
        demo.make_people(PASSWORD)
    return {name: User.objects.get(email=f"{name}@{demo.DOMAIN}") for name in demo.PEOPLE}


def test_a_bill_never_joins_the_demo(demo_people, tmp_path):
    path = bills.write(tmp_path, "march.csv", bills.focus_csv([{}]))
    for source in ("Strand (AWS)", "Northwind (AWS)"):
        with pytest.raises(BadBill, match=r"would join it\. Remove the demo first"):
            receive_bill(source, [path])
    with pytest.raises(BadInput, match=r"run\.py manage remove_demo"):
        call_command("load_bill", str(path), source="Strand (AWS)")
    with path.open("rb") as file:
        client = signed_in(demo_people["fay"])
        page = client.post("/deliveries/upload/", {"files": [file], "source_name": "Strand (AWS)", "source": "Strand"})
    assert "would join it" in page.content.decode()
    assert not Source.objects.exists()


def test_pages_say_that_it_is_a_demo_until_it_is_gone(demo_people):
    client = signed_in(demo_people["ada"])
    assert "its people and its bills are made up" in client.get("/").content.decode()
    assert "Remove the demo" in client.get("/set-up/").content.decode()
    assert "Remove the demo" not in signed_in(demo_people["fay"]).get("/").content.decode()
    DemoCompany.objects.update(removed_at=timezone.now())
    assert "made up" not in client.get("/").content.decode()


def test_whoever_removes_it_is_not_of_it_and_sees_how_far_it_is(demo_people):
    ada = signed_in(demo_people["ada"])
    page = ada.post("/set-up/demo/", follow=True).content.decode()
    assert "invite one of your own first" in page
    ivy = User.objects.create_user("ivy@strand.example", PASSWORD)
    ivy.groups.add(Group.objects.get(name="administrator"))
    assert "You are of the demo yourself" in ada.post("/set-up/demo/", follow=True).content.decode()
    assert DemoCompany.objects.get().removal_asked_at is None
    client = signed_in(ivy)
    assert '<td class="number">6</td><td class="number">1</td>' in client.get("/set-up/demo/").content.decode()
    assert "Removing the demo" in client.post("/set-up/demo/", follow=True).content.decode()
    assert remove_demo.continue_removal()
    assert not remove_demo.continue_removal()
    assert list(User.objects.all()) == [ivy]
    again = client.get("/set-up/demo/?progress=1", headers={"HX-Request": "true"})
    assert again["HX-Refresh"] == "true"


def test_a_removal_that_failed_says_where_and_goes_on_from_there(demo_people, monkeypatch):
    DemoCompany.objects.update(removal_asked_at=timezone.now())
    with monkeypatch.context() as broken:
        broken.setattr(remove_demo, "registry", _OnePart())
        with pytest.raises(ValueError, match="the disk is full"):
            remove_demo.continue_removal()
    company = DemoCompany.objects.get()
    assert (company.problem, company.removed_at) == ("Bills: the disk is full", None)
    assert not remove_demo.continue_removal(), "it waits for somebody to look"
    remove_demo.remove_demo(str)
    assert DemoCompany.objects.get().removed_at is not None


class _OnePart:
    """A registry whose only part fails."""

    def of(self, kind):
        def fail():
            raise ValueError("the disk is full")

        return [kind("bills", "Bills", list, fail, 1)]


def test_a_demo_of_an_older_version_is_not_guessed_at(db):
    DemoCompany.objects.create()
    with pytest.raises(remove_demo.CannotRemove, match="older version"):
        remove_demo.remove_demo(str)

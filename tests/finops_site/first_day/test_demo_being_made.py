"""The demo company while it is being made: pages say so, nothing can be changed, and half of one is made anew."""

import pytest
from django.core.management import call_command
from django.urls import reverse

import run
from finops_site.models import DemoCompany, Team, User
from finops_site.people import demo
from finops_site.people.demo_rows import made_as_demo
from finops_site.registry import DemoStep
from tests.people import PASSWORD, signed_in

pytestmark = pytest.mark.django_db


class Kill(BaseException):
    """Nothing catches it, as nothing catches a signal."""


@pytest.fixture
def steps(monkeypatch):
    """What the demo is made of here: a team, in the place of thirteen months."""
    made = []
    monkeypatch.setattr(demo.registry, "of", lambda kind: list(made) if kind is DemoStep else [])
    return made


def make_team(write, *, as_of):
    Team.objects.create(name="Night shift")
    write("  1 of 13 months of bills: november")


def stop(write, *, as_of):
    raise Kill


def test_until_it_is_whole_pages_say_how_far_it_is_and_refuse_changes(db):
    with made_as_demo() as company:
        demo.make_people(PASSWORD)
        DemoCompany.objects.filter(pk=company.pk).update(making_step="4 of 13 months of bills")
        ada = signed_in(User.objects.get(email="ada@demo.example"))
        page = ada.get("/set-up/").content.decode()
        assert "still being made, the newest month first" in page
        assert "4 of 13 months of bills" in page
        answer = ada.post("/set-up/", {"hide": "1"})
        assert (answer.status_code, answer["Retry-After"]) == (503, "30")
        assert "Nothing was changed" in answer.content.decode()
        assert not User.objects.get(email="ada@demo.example").hides_setup
        answer = ada.post("/api/v1/sources/", {"name": "mine"})
        assert (answer.status_code, "still being made" in answer.json()["detail"]) == (503, True)
    assert "still being made" not in ada.get("/set-up/").content.decode()
    assert ada.post("/set-up/", {"hide": "1"}).status_code == 302


def test_somebody_may_sign_in_meanwhile(client):
    with made_as_demo():
        demo.make_people(PASSWORD)
        answer = client.post(reverse("account_login"), {"login": "lea@demo.example", "password": PASSWORD})
    assert answer.status_code == 302


def test_a_demo_that_was_left_half_made_is_made_anew_and_a_whole_one_is_left_alone(steps, monkeypatch, capsys):
    monkeypatch.setenv("FINOPS_DEMO_PASSWORD", PASSWORD)
    steps[:] = [DemoStep("team", make_team, 1), DemoStep("stop", stop, 2)]
    with pytest.raises(Kill):
        call_command("seed_demo", if_empty=True)
    company = DemoCompany.objects.get()
    assert (company.is_being_made, company.making_step) == (True, "1 of 13 months of bills: november")
    # Whoever is killed outright notes nothing at the end.
    DemoCompany.objects.update(rows={})
    Team.objects.filter(name="Night shift").update(name="Night shift, half made")
    monkeypatch.setattr("finops_site.first_day.remove_demo.registry", real_registry())
    steps[:] = [DemoStep("team", make_team, 1)]
    call_command("seed_demo", if_empty=True)
    assert "left half made: it is made anew" in capsys.readouterr().err
    assert [team.name for team in Team.objects.filter(name__startswith="Night")] == ["Night shift"]
    assert not DemoCompany.objects.get().is_being_made
    call_command("seed_demo", if_empty=True)
    assert Team.objects.filter(name="Night shift").count() == 1


def real_registry():
    """The registry that removes the demo, which `steps` does not replace."""
    from finops_site.first_day.remove_demo import PEOPLE
    from finops_site.registry import DemoPart, Registry

    registry = Registry()
    registry.add(PEOPLE)
    assert registry.of(DemoPart) == [PEOPLE]
    return registry


def test_run_py_waits_for_the_line_that_the_command_writes():
    assert run.PEOPLE_ARE_HERE == demo.PEOPLE_ARE_HERE

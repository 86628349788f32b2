"""An empty site: whoever opens it first becomes its administrator, and nobody after her."""

import os
import pty
import threading

import pytest
from django.contrib.auth.models import Group
from django.db import connection

import run
from finops_site.first_day.first_administrator import SomebodyIsHere, make_first_administrator
from finops_site.models import User
from finops_site.people.roles import role_of

GOOD = {
    "email": "Ivy@company.example",
    "name": "Ivy Strand",
    "password1": "correct horse battery staple",
    "password2": "correct horse battery staple",
}


@pytest.mark.django_db
def test_the_first_page_makes_the_first_administrator_and_signs_her_in_and_is_gone(client, ada):
    User.objects.update(is_active=False)
    page = client.get("/", follow=True)
    assert page.redirect_chain[-1][0] == "/welcome/"
    assert "demo" not in page.content.decode()
    answer = client.post("/welcome/", GOOD)
    ivy = User.objects.get(email="ivy@company.example")
    assert (answer.status_code, role_of(ivy), ivy.is_superuser) == (302, "administrator", False)
    assert client.get("/health/").status_code == 200
    assert client.get("/welcome/").status_code == 404
    assert client.post("/welcome/", GOOD | {"email": "eve@company.example"}).status_code == 404
    assert not User.objects.filter(email="eve@company.example").exists()


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"password1": "12345678", "password2": "12345678"}, "entirely numeric"),
        ({"password1": "ivy@company.example", "password2": "ivy@company.example"}, "too similar"),
        ({"password2": "correct horse"}, "The two passwords differ."),
        ({"email": "ivy"}, "valid email"),
    ],
)
def test_a_password_that_is_none_makes_nobody(client, change, problem):
    assert problem in client.post("/welcome/", GOOD | change).content.decode()
    assert not User.objects.exists()


@pytest.mark.django_db
def test_the_address_of_somebody_switched_off_is_refused(client):
    User.objects.create(email="ivy@company.example", is_active=False)
    assert "switched off" in client.post("/welcome/", GOOD).content.decode()


@pytest.mark.django_db(transaction=True)
def test_of_two_who_ask_at_once_one_is_made():
    Group.objects.get_or_create(name="administrator")
    outcomes = []

    def ask(number):
        try:
            outcomes.append(make_first_administrator(f"ivy{number}@company.example", "Ivy", GOOD["password1"]))
        except SomebodyIsHere:
            outcomes.append(None)
        finally:
            connection.close()

    threads = [threading.Thread(target=ask, args=[number]) for number in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(user is None for user in outcomes) == [False, True]
    assert User.objects.count() == 1


@pytest.fixture
def terminal(monkeypatch):
    """Somebody sits at a terminal, and types what the test gives it."""
    ours, theirs = pty.openpty()
    with os.fdopen(theirs, "r", closefd=False) as typed, os.fdopen(theirs, "w", closefd=False) as shown:

        def type_text(text):
            # In the test: what captures its output has put its own in place before it.
            monkeypatch.setattr("sys.stdin", typed)
            monkeypatch.setattr("sys.stderr", shown)
            os.write(ours, text.encode())

        yield type_text
    os.close(ours)
    os.close(theirs)


@pytest.fixture
def empty_folder(monkeypatch, tmp_path):
    for name in ("FINOPS_NO_DEMO", "DATABASE_URL"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(run, "VAR", tmp_path)
    return tmp_path


@pytest.mark.parametrize(("typed", "wants_demo"), [("\n", True), ("1\n", True), ("3\n2\n", False)])
def test_where_nothing_is_there_whoever_sits_there_chooses_and_it_is_remembered(
    empty_folder, terminal, typed, wants_demo
):
    terminal(typed)
    run._choose_beginning([])
    assert run._wants_demo(run.State()) is wants_demo
    terminal("1\n" if not wants_demo else "2\n")
    run._choose_beginning([])
    assert run._wants_demo(run.State()) is wants_demo


def test_nobody_is_asked_without_a_terminal_and_the_demo_is_the_default(empty_folder, monkeypatch):
    with open(os.devnull) as nothing:
        monkeypatch.setattr("sys.stdin", nothing)
        run._choose_beginning([])
    assert run._wants_demo(run.State())
    monkeypatch.setenv("FINOPS_NO_DEMO", "1")
    assert not run._wants_demo(run.State())


def test_an_option_says_it_and_is_remembered(empty_folder):
    run._choose_beginning(["--no-demo"])
    assert not run._wants_demo(run.State())
    run._choose_beginning([])
    assert not run._wants_demo(run.State())
    run._choose_beginning(["--demo"])
    assert run._wants_demo(run.State())


def test_the_logins_that_are_printed_are_those_that_work(empty_folder, capsys):
    state = run.State()
    run.announce(8000, state, ["fay@demo.example", "ivy@company.example"])
    assert f"password {state['demo_password']}: fay (finance)." in capsys.readouterr().out
    run.announce(8000, state, [])
    empty = capsys.readouterr().out
    assert "makes the first administrator" in empty
    assert "demo" not in empty
    run.announce(8000, state, ["ivy@company.example"])
    assert "demo" not in capsys.readouterr().out

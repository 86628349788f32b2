"""The load run: its people read pages and send forms as browsers do, and its limits say what is broken."""

from benchmarks.load_run import report
from benchmarks.load_run.browser import Answer, Page
from benchmarks.load_run.people import PEOPLE, some_people
from benchmarks.load_run.processes import Memory

PAGE = Page(
    "/budgets/7/",
    200,
    """<form action="/accounts/logout/" method="post"><input type="hidden" name="csrfmiddlewaretoken" value="a"></form>
    <form method="post"><input type="hidden" name="csrfmiddlewaretoken" value="a"><input name="amount" value="5">
    <select name="kind"><option value="month">Month</option><option value="year" selected>Year</option></select>
    <input type="checkbox" name="quiet"><input type="checkbox" name="loud" checked><textarea name="why">
because</textarea><button name="verb" value="save">Save</button></form>
    <a href="/budgets/7/edit/">Edit</a> <a href="/costs/lines/?team=1&amp;page=2">Lines</a>
    <a href="?part=alerts">Alerts</a>""",
)


def test_a_form_is_sent_as_it_stands_on_the_page_with_what_was_typed():
    (form,) = PAGE.forms(r"", "amount")
    typed = form.filled({"amount": "9", "verb": "save"})
    assert dict(typed) == {
        "csrfmiddlewaretoken": "a", "kind": "year", "loud": "on", "why": "because", "amount": "9", "verb": "save"
    }  # fmt: skip


def test_links_are_followed_where_they_fit_whole():
    assert PAGE.links(r"/budgets/\d+/") == []
    assert PAGE.links(r"/costs/lines/\?.*page=.*") == ["/costs/lines/?team=1&page=2"]
    assert PAGE.links(r"/budgets/\d+/\?part=.*") == ["/budgets/7/?part=alerts"]


def test_a_few_people_are_of_every_kind():
    assert {person.kind for person in some_people(10)} == {person.kind for person in PEOPLE}
    assert len(some_people(50)) == len(set(PEOPLE)) == 50


def test_a_slow_page_and_an_error_break_the_limit(capsys):
    slow = [Answer("home", 1.5, "")] * 20 + [Answer("a charge", 0.1, "")] * 1000
    assert report.print_routes(slow) == ["home: 95 of 100 within 1.50 s, and the limit is 1 s"]
    (broken,) = report.print_routes([Answer("home", 0.1, ""), Answer("home", 0.1, "GET /: 500")])
    assert broken == "1 errors, the first: GET /: 500"
    assert "| home " in capsys.readouterr().out


def test_memory_that_grows_is_broken_in_a_whole_run_only():
    def figures(*megabytes):
        looks = [(minute, {"web": Memory(900, pss)}) for minute, pss in zip((1, 5, 10), megabytes, strict=True)]
        return report.SiteFigures(10, looks, {"web": 60}, [])

    assert report.print_site(figures(400, 500, 540), 1, is_whole=True) == []
    assert report.print_site(figures(400, 500, 600), 1, is_whole=False) == []
    assert report.print_site(figures(400, 500, 560), 1, is_whole=True) == [
        "web: 1.12 times the memory of minute 5, limit 1.1"
    ]
    assert report.print_site(figures(300, 500, 510), 1, is_whole=True) == [
        "web: 1.70 times the memory of minute 1, limit 1.5"
    ]

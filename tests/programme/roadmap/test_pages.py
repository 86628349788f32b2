"""The pages and the API of a programme, as people open them."""

from datetime import timedelta

import pytest
from django.urls import reverse

from programme.models import Milestone, Programme
from programme.roadmap import nightly
from tests.programme.roadmap.conftest import START

pytestmark = pytest.mark.django_db


def test_fay_starts_the_plan_in_one_click_and_everybody_reads_it(people, fay, lea, client_of, today):
    browser = client_of(fay)
    assert "No programme yet" in browser.get("/programme/roadmap/").content.decode()
    form = browser.get("/programme/roadmap/start/").context["form"]
    data = {field.html_name: field.value() or "" for field in form}
    answer = browser.post("/programme/roadmap/start/", data, follow=True)
    assert answer.status_code == 200
    assert Programme.objects.get().is_running
    assert Programme.objects.get().checked_on == START
    page = client_of(lea).get("/programme/roadmap/").content.decode()
    assert "First 10-20 reservations bought" in page
    assert "Keep as a template" not in page
    again = browser.post("/programme/roadmap/start/", data)
    assert "end it first" in again.content.decode()


def test_a_move_shows_what_moves_before_it_does(programme, fay, client_of):
    row = Milestone.objects.get(name="50% tagged")
    url = reverse("programme:move", args=[programme.pk, "milestone", row.pk])
    browser = client_of(fay)
    shown = browser.post(url, {"to": "2026-04-17", "rest": "on", "verb": "show"}).content.decode()
    assert "2 budgets: from 14 Apr 2026 to 21 Apr 2026" in shown
    assert "lasts 97 days instead of 90" in shown
    row.refresh_from_db()
    assert row.due.isoformat() == "2026-04-10"
    browser.post(url, {"to": "2026-04-17", "rest": "on", "verb": "move"})
    row.refresh_from_db()
    assert row.due.isoformat() == "2026-04-17"


def test_a_milestone_is_added_edited_and_refused_with_the_reason(programme, fay, client_of):
    browser = client_of(fay)
    url = reverse("programme:part_add", args=[programme.pk, "milestone"])
    data = {"name": "Leads trained", "due": "2026-03-20", "comparison": ">="}
    assert browser.post(url, data).status_code == 302
    row = Milestone.objects.get(name="Leads trained")
    edit = reverse("programme:part_edit", args=[programme.pk, "milestone", row.pk])
    late = browser.post(edit, {**data, "due": "2027-01-01"}).content.decode()
    assert "Leads trained lies outside of the programme" in late
    assert "Say from which value on." in browser.post(edit, {**data, "figure": "kpi:tags"}).content.decode()
    assert browser.get(reverse("programme:part_add", args=[programme.pk, "colour"])).status_code == 404
    browser.post(reverse("programme:part_remove", args=[programme.pk, "milestone", row.pk]))
    assert not Milestone.objects.filter(pk=row.pk).exists()


def test_pages_show_an_unknown_value_as_unknown(programme, fay, figures, client_of, today):
    del figures["tags"]
    today(START.replace(month=5))
    nightly.check_night(programme, START.replace(month=5))
    browser = client_of(fay)
    row = Milestone.objects.get(name="50% tagged")
    page = browser.get(row.get_absolute_url()).content.decode()
    assert "There is nothing to measure yet." in page
    assert "Not known" in page
    assert "Not known" in browser.get(programme.decisions.last().get_absolute_url()).content.decode()
    assert browser.get(programme.risks.first().get_absolute_url()).status_code == 200


def test_the_way_to_the_companys_maturity_is_shown_to_those_who_may_go_it(programme, max_, lea, client_of):
    for person, may in ((max_, True), (lea, False)):
        page = client_of(person).get("/programme/roadmap/").content.decode()
        assert ('href="/programme/maturity/"' in page) is may
        assert (client_of(person).get("/programme/maturity/").status_code == 200) is may


def test_the_list_of_milestones_is_a_csv(programme, lea, client_of):
    rows = client_of(lea).get(f"/programme/roadmap/{programme.pk}/milestones/", {"_export": "csv"}).getvalue().decode()
    assert "50% tagged,2026-04-10" in rows
    assert "Tag compliance at least 50" in rows


def test_the_api_starts_ticks_and_decides_as_the_pages_do(programme, fay, lea, max_, client_of):
    browser = client_of(fay)
    refused = browser.post("/api/v1/programmes/", {"start": "2026-03-02"}, content_type="application/json")
    assert refused.status_code == 400
    assert "end it first" in str(refused.json())
    (row,) = [one for one in browser.get("/api/v1/milestones/").json()["results"] if one["name"] == "Sponsor named"]
    url = f"/api/v1/milestones/{row['id']}/tick/"
    assert client_of(lea).post(url, {"note": "x"}, content_type="application/json").status_code == 400
    assert browser.post(url, {"note": "Max"}, content_type="application/json").json()["met_on"]
    point = browser.get("/api/v1/decision-points/").json()["results"][0]
    decide = f"/api/v1/decision-points/{point['id']}/decide/"
    body = {"verdict": "go", "why": "All there."}
    assert client_of(lea).post(decide, body, content_type="application/json").status_code == 403
    assert client_of(max_).post(decide, body, content_type="application/json").json()["verdict"] == "go"
    again = client_of(max_).post(decide, body, content_type="application/json")
    assert again.status_code == 400
    assert client_of(fay).get("/api/v1/maturity/").status_code == 200


def test_home_shows_the_programme_to_the_executive(programme, max_, lea, client_of, today):
    nightly.check_night(programme, START)
    assert "Day 1 of 90: 0 of 3 milestones met" in client_of(max_).get("/").content.decode()
    assert "Day 1 of 90" not in client_of(lea).get("/").content.decode()


def test_the_overview_has_the_plan_what_is_asked_for_and_the_figures(programme, max_, lea, client_of, today):
    night = START + timedelta(days=59)
    today(night)
    nightly.check_night(programme, night)
    page = client_of(max_).get("/programme/").content.decode()
    assert "60 of 90" in page
    assert page.index("Decision asked for") < page.index("By account") < page.index("Target at least 95%: not met")
    for tab in ("/programme/kpis/", "/programme/roadmap/", "/programme/savings/", "/programme/maturity/"):
        assert f'href="{tab}"' in page
    # Who sees her teams alone comes from the sidebar to the first of her tabs.
    assert 'href="/programme/kpis/"' in client_of(lea).get("/").content.decode()
    assert 'href="/programme/"' not in client_of(lea).get("/").content.decode()

"""Saved views: a page under a name, for oneself or shared, which never shows more than its reader may see."""

from datetime import UTC, datetime

import pytest
from django.urls import URLPattern, get_resolver, reverse

from costs.ingest.load import load_bill
from costs.ingest.receive import receive_bill
from finops_site.models import AuditEntry, Membership, OutgoingEmail, SavedView, Team, ViewMail, ViewPin
from finops_site.saved_views import keep_views, scheduled_mails
from finops_site.saved_views.opened_pages import figures_of, open_page, page_class
from finops_site.saved_views.sharing import CannotSave
from tagging.models import OwnershipRule
from tests import bills
from tests.people import person, signed_in, text_of
from tests.shared_fixtures import shared

pytestmark = pytest.mark.django_db

BY_TEAM = "/costs/?group_by=team&period=12-months"


@shared
def company(people, tmp_path):
    """In March Payments spent 10 USD and Data 20."""
    rows = [
        {"BilledCost": cost, "EffectiveCost": cost, "ResourceId": f"i-{team}", "Tags": f'{{"Team": "{team}"}}'}
        for team, cost in (("Payments", "10"), ("Data", "20"))
    ]
    for number, name in enumerate(["Payments", "Data"]):
        team = Team.objects.get(name=name)
        OwnershipRule.objects.create(name=name, team=team, tag_key="Team", tag_value=name, order=number)
    load_bill(receive_bill("northwind", [bills.write(tmp_path, "march.csv", bills.focus_csv(rows))])[0].delivery)


def keep(name, address, title="By team", **shared_with):
    """Somebody saves a view by the form of its page; the answer of the site."""
    return signed_in(person(name)).post(reverse("saved_view_add"), {"name": title, "address": address, **shared_with})


def saved_by(name, address=BY_TEAM, title="By team", **shared_with):
    answer = keep(name, address, title, **shared_with)
    assert answer.status_code == 302, answer.context["form"].errors
    return SavedView.objects.get(owner=person(name), name=title)


def payments():
    return Team.objects.get(name="Payments").pk


def complaints(answer):
    return " ".join(text for errors in answer.context["form"].errors.values() for text in errors)


def test_lea_saves_what_the_explorer_shows_and_finds_it_in_its_menu(company):
    view = saved_by("lea")
    client = signed_in(person("lea"))
    page = client.get(view.open_url).content.decode()
    assert 'aria-current="true"' in page.split('id="views-menu"')[1]
    assert "Changed since saved" not in page
    # The same question written otherwise is the same view.
    assert view.query == open_page(person("lea"), "/costs/", "period=12-months&from=&group_by=team").view_query()
    assert str(view) in client.get("/views/").content.decode()


def test_a_view_that_was_changed_says_so_and_is_saved_again_or_as_another(company):
    view = saved_by("lea")
    client = signed_in(person("lea"))
    changed = f"{view.open_url}&service=Amazon+EC2"
    page = client.get(changed).content.decode()
    assert "Changed since saved" in page
    assert "Save the change" in page
    client.post(reverse("saved_view_act", args=[view.pk, "update"]), {"address": changed})
    view.refresh_from_db()
    assert "service=Amazon+EC2" in view.query
    assert "view=" not in view.query
    assert "Changed since saved" not in client.get(view.open_url).content.decode()


def test_a_change_of_filter_brings_the_menu_along(company):
    view = saved_by("lea", "/budgets/?sort=name", "Budgets by name")
    headers = {"HX-Request": "true", "HX-Target": "list"}
    part = signed_in(person("lea")).get(f"/budgets/?sort=-name&view={view.pk}", headers=headers)
    assert 'hx-swap-oob="true"' in part.content.decode()
    assert "Changed since saved" in part.content.decode()
    assert "<html" not in part.content.decode()


def test_a_named_period_moves_on_and_days_stay(company):
    assert "period=12-months" in saved_by("lea").query
    fixed = saved_by("lea", "/costs/?from=2026-03-01&to=2026-03-31", "March")
    assert "period" not in fixed.query
    assert "from=2026-03-01" in fixed.query


@pytest.mark.parametrize(
    "address",
    [
        *("https://elsewhere.example/costs/", "//elsewhere.example/", "javascript:alert(1)", "/\\elsewhere.example"),
        *("/", "/views/", "/admin/", "/nothing/", "costs/", "", "/costs/?nothing=1", "/costs/?period=no"),
        *("/budgets/?sort=nothing", "/deliveries/99/rejects/", f"/costs/?service={'x' * 5000}"),
    ],
)
def test_only_addresses_of_our_own_pages_are_kept(company, address):
    answer = keep("fay", address)
    assert (answer.status_code, SavedView.objects.count()) == (200, 0)
    assert complaints(answer)
    api = signed_in(person("fay")).post("/api/v1/saved-views/", {"name": "x", "address": address}, "application/json")
    assert (api.status_code, SavedView.objects.count()) == (400, 0)


def test_nobody_keeps_a_view_of_a_page_that_is_not_hers(company):
    assert "not yours to open" in complaints(keep("lea", "/deliveries/"))
    assert saved_by("fay", "/deliveries/", "Bills").path == "/deliveries/"


def test_a_name_stands_once_for_each_owner(company):
    saved_by("lea")
    assert "already" in complaints(keep("lea", BY_TEAM, "BY TEAM"))
    assert saved_by("fay").name == "By team"


def test_a_view_is_shared_with_ones_own_team_and_below_and_shows_each_her_own_rows(company):
    view = saved_by("lea", team=payments())
    names = {name: str(view) in signed_in(person(name)).get("/views/").content.decode() for name in ("eli", "ola")}
    assert names == {"eli": True, "ola": False}
    totals = {name: figures_of(person(name), view).figures[0].total for name in ("eli", "ola", "fay")}
    assert totals == {"eli": 10, "ola": 20, "fay": 30}
    Team.objects.filter(name="Data").update(parent=payments())
    assert str(view) in signed_in(person("ola")).get("/views/").content.decode()


def test_who_shares_with_whom(company):
    data = Team.objects.get(name="Data").pk
    assert "team" in keep("lea", BY_TEAM, team=data).context["form"].errors
    # Her form has no such box, and the service refuses what is sent all the same.
    assert saved_by("lea", with_company="on").with_company is False
    with pytest.raises(CannotSave, match="Finance and administrators"):
        keep_views.save_view(SavedView(name="All", with_company=True), person("lea"), BY_TEAM)
    view = saved_by("fay", title="Everybody's", with_company="on")
    assert "Everybody&#x27;s" in signed_in(person("ola")).get("/views/").content.decode()
    assert view.shared_text == "the whole company"


def test_somebody_elses_view_is_read_and_pinned_and_never_changed(company):
    view = saved_by("lea", team=payments())
    eli, ola = signed_in(person("eli")), signed_in(person("ola"))
    act = lambda verb: reverse("saved_view_act", args=[view.pk, verb])  # noqa: E731
    assert [eli.post(act(verb)).status_code for verb in ("update", "delete", "stop-sharing")] == [403, 403, 403]
    assert [ola.post(act(verb)).status_code for verb in ("pin", "delete")] == [404, 404]
    api = f"/api/v1/saved-views/{view.pk}/"
    assert eli.patch(api, {"name": "Mine"}, "application/json").status_code == 403
    assert eli.delete(api).status_code == 403
    assert [ola.get(api).status_code, ola.delete(api).status_code] == [404, 404]
    assert eli.patch(api, {"pinned": True}, "application/json").json()["is_pinned"] is True
    assert ola.get(view.open_url).status_code == 400
    view.refresh_from_db()
    assert (view.name, view.owner) == ("By team", person("lea"))


def test_a_lead_ends_what_a_leaver_shared(company):
    Membership.objects.create(user=person("fay"), team_id=payments())
    view = saved_by("fay", team=payments())
    assert signed_in(person("eli")).post(reverse("saved_view_act", args=[view.pk, "stop-sharing"])).status_code == 403
    signed_in(person("lea")).post(reverse("saved_view_act", args=[view.pk, "stop-sharing"]))
    view.refresh_from_db()
    assert not view.is_shared


def test_a_filter_that_the_reader_may_not_use_is_said(company):
    view = saved_by("fay", "/costs/?source=northwind&group_by=service", "By source", with_company="on")
    problems = figures_of(person("lea"), view).problems
    assert problems
    answer = signed_in(person("lea")).get(view.open_url)
    assert any(problem in answer.content.decode().replace("&#x27;", "'") for problem in problems)
    assert "not yours to ask" in answer.content.decode()
    # A page that is hers alone is no page of lea's.
    bill = saved_by("fay", "/deliveries/", "Bills", with_company="on")
    assert figures_of(person("lea"), bill).problems == ["Its page is not there any more, or is not yours to open."]


def test_a_view_whose_filter_is_gone_says_so(company):
    view = saved_by("lea")
    SavedView.objects.filter(pk=view.pk).update(query="group_by=team&gone=1")
    view.refresh_from_db()
    (problem,) = figures_of(person("lea"), view).problems
    assert "gone" in problem
    answer = signed_in(person("lea")).get(view.open_url)
    assert answer.status_code == 400
    assert "By team" in answer.content.decode()


def test_pinned_views_stand_on_home_with_total_rows_and_until_when(company):
    view, listed = saved_by("lea", title="Ours"), saved_by("lea", "/budgets/", "Our budgets")
    client = signed_in(person("lea"))
    assert "Ours" not in client.get("/").content.decode()
    for one in (view, listed):
        client.post(reverse("saved_view_act", args=[one.pk, "pin"]))
    page = client.get("/").content.decode()
    card = page.split('aria-label="Ours"')[1].split("</section>")[0]
    assert "10.00" in card
    assert "USD" in card
    assert "Payments" in card
    assert "Delivered until 5 Mar" in card
    assert "0 rows" in page.split('aria-label="Our budgets"')[1].split("</section>")[0]
    client.post(reverse("saved_view_act", args=[view.pk, "unpin"]), {"back": "/"})
    assert 'aria-label="Ours"' not in client.get("/").content.decode()


def test_home_has_room_for_six(company):
    pinned = [saved_by("lea", title=f"View {number}") for number in range(7)]
    client = signed_in(person("lea"))
    for view in pinned:
        client.post(reverse("saved_view_act", args=[view.pk, "pin"]))
    assert ViewPin.objects.filter(user=person("lea")).count() == 6
    api = client.patch(f"/api/v1/saved-views/{pinned[-1].pk}/", {"pinned": True}, "application/json")
    assert api.status_code == 400
    assert "room for 6" in api.json()["detail"]


def test_what_is_not_shared_any_more_leaves_home_and_mail(company):
    view = saved_by("lea", team=payments())
    eli = signed_in(person("eli"))
    eli.patch(f"/api/v1/saved-views/{view.pk}/", {"pinned": True, "mail_every": "week"}, "application/json")
    assert 'aria-label="By team"' in eli.get("/").content.decode()
    signed_in(person("lea")).patch(f"/api/v1/saved-views/{view.pk}/", {"team": ""}, "application/json")
    assert 'aria-label="By team"' not in eli.get("/").content.decode()
    assert scheduled_mails.send_due_views(datetime(2027, 1, 4, 7, tzinfo=UTC)) == 0


# Monday, 5 January 2026 and the days after it.
def at(day, hour=7):
    return datetime(2026, 1, day, hour, tzinfo=UTC)


def mailed_to(name, view, **schedule):
    keep_views.mail_view(view, person(name), keep_views.MailSchedule(**schedule), at(2).date())


def test_a_view_is_mailed_once_a_week_with_the_rows_of_its_reader(company):
    view = saved_by("fay", "/costs/?from=2026-03-01&to=2026-03-31&group_by=team", with_company="on")
    mailed_to("fay", view, every="week")
    mailed_to("lea", view, every="week")
    assert scheduled_mails.send_due_views(at(4)) == 0
    assert scheduled_mails.send_due_views(at(5)) == 2
    assert scheduled_mails.send_due_views(at(5, 9)) == 0
    assert scheduled_mails.send_due_views(at(6)) == 0
    texts = {email.to.split("@")[0]: " ".join(text_of(email).split()) for email in OutgoingEmail.objects.all()}
    assert "Payments: 10.00 USD" in texts["lea"]
    assert "Data" not in texts["lea"]
    assert "Data: 20.00 USD" in texts["fay"]
    assert f"/costs/?{view.query}&view={view.pk}" in texts["lea"]
    assert "You get this email every Monday because you asked for it." in texts["lea"]
    assert f"/views/{view.pk}/" in texts["lea"]
    assert scheduled_mails.send_due_views(at(12)) == 2


def test_a_missed_night_is_caught_up_and_of_several_the_last_is_sent(company):
    view = saved_by("lea")
    mailed_to("lea", view, every="week", weekday=0)
    assert scheduled_mails.send_due_views(at(22)) == 1
    assert ViewMail.objects.get().queued_for == at(19).date()


def test_a_month_has_its_day(company):
    mailed_to("lea", saved_by("lea"), every="month", day=15)
    assert [scheduled_mails.send_due_views(at(day)) for day in (5, 14, 17, 18, 31)] == [0, 0, 1, 0, 0]


def test_who_is_switched_off_gets_none_and_what_stops_stops(company):
    view = saved_by("lea")
    mailed_to("lea", view, every="week")
    lea = person("lea")
    lea.is_active = False
    lea.save()
    assert scheduled_mails.send_due_views(at(5)) == 0
    lea.is_active = True
    lea.save()
    mailed_to("lea", view, every="")
    assert scheduled_mails.send_due_views(at(5)) == 0


def test_one_that_fails_stops_no_other(company, monkeypatch, caplog):
    first, second = saved_by("lea", title="First"), saved_by("lea", title="Second")
    for view in (first, second):
        mailed_to("lea", view, every="week")
    real = scheduled_mails.figures_of

    def fails(user, view):
        if view == first:
            raise RuntimeError("no answer")
        return real(user, view)

    monkeypatch.setattr(scheduled_mails, "figures_of", fails)
    assert scheduled_mails.send_due_views(at(5)) == 1
    assert "no answer" in caplog.text
    monkeypatch.undo()
    assert scheduled_mails.send_due_views(at(6)) == 1


def test_the_api_keeps_changes_and_deletes_as_the_page_does(company):
    lea = signed_in(person("lea"))
    sent = {"name": "Ours", "address": BY_TEAM, "team": "Payments", "mail_every": "month", "mail_day": 3}
    made = lea.post("/api/v1/saved-views/", sent, "application/json")
    assert made.status_code == 201
    assert made.json() | {"id": 0, "url": "", "address": ""} == {
        **{"id": 0, "url": "", "address": "", "name": "Ours", "owner": "lea@demo.example", "is_yours": True},
        **{"team": "Payments", "with_company": False, "is_pinned": False, "mail_every": "month"},
    }
    url = f"/api/v1/saved-views/{made.json()['id']}/"
    assert signed_in(person("eli")).get(url).json()["is_yours"] is False
    changed = lea.patch(url, {"name": "Our team"}, "application/json").json()
    assert (changed["name"], changed["team"], changed["mail_every"]) == ("Our team", "Payments", "month")
    assert AuditEntry.objects.about(SavedView.objects.get()).count() == 2
    assert lea.delete(url).status_code == 204
    assert SavedView.objects.count() == 0


def test_views_and_dashboards_are_found_by_name(company):
    saved_by("lea", title="Weekly look", team=payments())
    lea = signed_in(person("lea"))
    lea.post("/api/v1/dashboards/", {"name": "Weekly board"}, "application/json")
    groups = {
        group.label: [hit.label for hit in group.hits] for group in lea.get("/search/?q=weekly").context["groups"]
    }
    assert groups == {"Saved views": ["Weekly look"], "Dashboards": ["Weekly board"]}
    assert signed_in(person("ola")).get("/search/?q=weekly").context["groups"] == []


def savable_paths():
    """Every address of a page of which a view can be kept, but those that need a number."""

    def walk(patterns, prefix=""):
        for entry in patterns:
            route = f"{prefix}{entry.pattern}"
            if isinstance(entry, URLPattern):
                yield f"/{route}"
            elif "<" not in route and not route.startswith(("admin", "accounts", "api")):
                yield from walk(entry.url_patterns, route)

    return [path for path in walk(get_resolver().url_patterns) if "<" not in path and page_class(path)]


def test_every_list_shows_what_a_view_of_it_shows_in_short(company):
    paths = savable_paths()
    assert {"/costs/", "/costs/compare/", "/costs/lines/", "/budgets/", "/alerts/", "/deliveries/"} <= set(paths)
    # Outside of a request, as home and the mails ask.
    ada = person("ada")
    shown = {path: open_page(ada, path, "").get_figures() for path in paths if page_class(path).opens_for(ada)}
    assert len(shown) > 20
    assert {path for path, one in shown.items() if one.problems} == set()
    assert {path for path, one in shown.items() if not one.figures and one.count is None} == set()

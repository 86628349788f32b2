"""What every page does: the door, the rows, the filters, the paging, the CSV."""

import html
import re
from datetime import UTC, datetime, timedelta
from urllib.parse import parse_qs, urlsplit

import django_filters
import django_tables2
import pytest
from django.core.exceptions import ImproperlyConfigured
from django.forms import ModelForm
from django.urls import include, path

from finops_site.models import Membership, Team, User
from finops_site.registry import NavItem, NavSection, Panel, Registry
from finops_site.ui.filters import MonthFilter
from finops_site.ui.keyset import BadCursor, keyset_page
from finops_site.ui.pages import Action, DetailPage, Empty, FormPage, ListPage
from finops_site.ui.tables import BaseTable

pytestmark = [pytest.mark.django_db, pytest.mark.urls(__name__)]


class TeamTable(BaseTable):
    name = django_tables2.Column(linkify=lambda record: f"/teams/{record.pk}/")
    cost_center = django_tables2.Column()


class TeamFilters(django_filters.FilterSet):
    name = django_filters.CharFilter(lookup_expr="icontains")
    cost_center = django_filters.MultipleChoiceFilter(choices=[("CC-1", "Centre one"), ("CC-2", "Centre two")])

    class Meta:
        model = Team
        fields: list[str] = []


class Teams(ListPage):
    permission_required = None
    title = "Teams"
    model = Team
    table_class = TeamTable
    filterset_class = TeamFilters
    per_page = 3
    actions = (
        Action("For everybody", "home"),
        Action("Make a team", "home", permission="finops_site.add_team", primary=True),
    )
    empty = Empty("No team yet", "Make one.", action=Action("Make a team", "home", permission="finops_site.add_team"))


class LongTeams(Teams):
    orderings = ("-name", "cost_center")


class TeamPage(DetailPage):
    permission_required = None
    model = Team
    template_name = "form.html"


class TeamForm(ModelForm):
    class Meta:
        model = Team
        fields = ["name"]


class EditTeam(FormPage):
    permission_required = "finops_site.change_team"
    model = Team
    form_class = TeamForm
    title = "Edit"
    success_url = "/teams/"
    success_message = "Saved."


class Forbidden(Teams):
    permission_required = ("finops_site.view_team", "finops_site.change_team")


urlpatterns = [
    path("teams/", Teams.as_view()),
    path("long/", LongTeams.as_view()),
    path("teams/<int:pk>/", TeamPage.as_view()),
    path("teams/<int:pk>/edit/", EditTeam.as_view()),
    path("forbidden/", Forbidden.as_view()),
    path("", include("finops_site.urls")),
]


@pytest.fixture
def lea(client):
    """A lead of Payments, signed in."""
    user = User.objects.create_user("lea@demo.example", "x", name="Lea")
    Membership.objects.create(user=user, team=Team.objects.create(name="Payments", cost_center="CC-1"), role="lead")
    client.force_login(user)
    return user


@pytest.fixture
def boss(client):
    """Somebody who sees and may do everything, signed in."""
    user = User.objects.create_user("boss@demo.example", "x", name="Boss", is_superuser=True)
    client.force_login(user)
    return user


def make_teams(*names: str, cost_center: str = "") -> list[Team]:
    return [Team.objects.create(name=name, cost_center=cost_center) for name in names]


def names_on(page) -> list[str]:
    return re.findall(r'<a href="/teams/\d+/">([^<]+)</a>', page.content.decode())


def test_a_page_without_a_permission_stops_the_site_from_starting():
    class Open(ListPage):
        table_class = TeamTable

    with pytest.raises(ImproperlyConfigured, match="permission_required"):
        Open.as_view()


def test_a_stranger_is_asked_to_sign_in(client):
    response = client.get("/teams/")
    assert response.status_code == 302
    assert response["Location"].startswith("/accounts/login/?next=/teams/")


def test_htmx_sends_a_signed_out_person_to_the_sign_in_page_rather_than_into_the_list(client):
    response = client.get("/teams/", headers={"HX-Request": "true", "HX-Target": "list"})
    assert response["HX-Redirect"].startswith("/accounts/login/")


def test_who_lacks_one_of_the_permissions_is_refused(client, lea):
    response = client.get("/forbidden/")
    assert response.status_code == 403
    assert b"You may not do this" in response.content


def test_a_list_holds_only_visible_rows(client, lea):
    make_teams("Data", "Web")
    assert names_on(client.get("/teams/")) == ["Payments"]


def test_somebody_elses_object_is_not_found(client, lea):
    (other,) = make_teams("Data")
    assert client.get(f"/teams/{other.pk}/").status_code == 404
    assert client.get(f"/teams/{other.pk}/edit/").status_code == 404


def test_a_verb_not_allowed_on_a_visible_object_is_forbidden(client, lea):
    assert client.get(f"/teams/{Team.objects.get(name='Payments').pk}/edit/").status_code == 403


def test_a_form_saves_and_says_so(client, boss):
    (team,) = make_teams("Data")
    response = client.post(f"/teams/{team.pk}/edit/", {"name": "Data & ML"}, follow=True)
    assert b"Saved." in response.content
    assert Team.objects.get(pk=team.pk).name == "Data & ML"


def test_buttons_are_for_those_who_may(client, lea):
    page = client.get("/teams/").content.decode()
    assert "For everybody" in page
    assert "Make a team" not in page


def test_a_numbered_list_pages_and_counts(client, boss):
    make_teams(*"abcdefg")
    page = client.get("/teams/?page=3")
    assert names_on(page) == ["g"]
    assert "7–7 of 7" in page.content.decode()
    assert names_on(client.get("/teams/?page=99")) == ["g"]


def test_a_numbered_list_sorts_by_its_columns(client, boss):
    make_teams(*"abc")
    assert names_on(client.get("/teams/?sort=-name")) == ["c", "b", "a"]
    assert names_on(client.get("/teams/?sort=cost_center&sort=-name")) == ["c", "b", "a"]


@pytest.mark.parametrize(
    ("address", "reason"),
    [
        ("/teams/?sort=password", "'password' is no column to sort this list by: use name, cost_center."),
        ("/teams/?sort=-nmae", "did you mean 'name'?"),
        ("/teams/?sort=--name", "is no column to sort this list by"),
        ("/teams/?sort=name&sort=zzz&_export=csv", "'zzz' is no column to sort this list by"),
        ("/teams/?page=abc", "page: 'abc' is no number of a page."),
        ("/teams/?after=abc", "'after' is nothing to group or filter by"),
        ("/long/?sort=parent", "'parent' is no column to sort this list by: use name, cost_center."),
        ("/long/?sort=name&sort=cost_center", "'sort' takes one value and has several"),
        ("/long/?page=1.5", "page: '1.5' is no number of a page."),
    ],
)
def test_a_page_or_an_order_that_cannot_be_is_refused_with_what_can_be(client, boss, address, reason):
    make_teams(*"ab")
    page = client.get(address)
    assert page.status_code == 400
    assert reason in html.unescape(page.content.decode())


@pytest.mark.parametrize("number", ["0", "-1", "2", "99999999"])
def test_a_long_list_has_no_page_beyond_its_last_or_before_its_first(client, boss, number):
    make_teams(*"ab")
    assert client.get(f"/long/?page={number}").status_code == 404
    assert client.get("/long/?page=1").status_code == 200


def test_filters_narrow_the_list_and_show_as_chips(client, boss):
    make_teams("Payments", "Pay roll", cost_center="CC-1")
    make_teams("Data", cost_center="CC-2")
    page = client.get("/teams/?name=pay&cost_center=CC-1&cost_center=CC-2&page=1")
    assert names_on(page) == ["Pay roll", "Payments"]
    text = page.content.decode()
    assert 'href="?name=pay&amp;cost_center=CC-2"' in text
    assert "Centre one" in text
    assert "Clear all" in text


def test_a_filter_that_cannot_be_read_shows_nothing_rather_than_everything(client, boss):
    make_teams("Data")
    page = client.get("/teams/?cost_center=nonsense")
    assert (page.status_code, names_on(page)) == (400, [])
    assert b"These filters cannot be read" in page.content
    assert b"Nothing matches" not in page.content
    refused = client.get("/teams/?cost_center=nonsense&_export=csv")
    assert refused.status_code == 400
    assert "nonsense" in refused.content.decode()


def test_an_empty_page_says_what_to_do_to_those_who_may(client, boss):
    page = client.get("/teams/").content.decode()
    assert "No team yet" in page
    assert "Make one." in page


def test_htmx_gets_the_list_alone(client, boss):
    make_teams("Data")
    part = client.get("/teams/", headers={"HX-Request": "true", "HX-Target": "list"})
    assert names_on(part) == ["Data"]
    assert b"<html" not in part.content
    assert "HX-Request" in part["Vary"]


def test_going_back_in_the_browser_gets_the_whole_page(client, boss):
    headers = {"HX-Request": "true", "HX-Target": "list", "HX-History-Restore-Request": "true"}
    assert b"<html" in client.get("/teams/", headers=headers).content


def test_the_csv_has_all_rows_of_the_filters_and_no_other_teams(client, lea):
    make_teams("Payments EU")
    response = client.get("/teams/?name=pay&_export=csv")
    assert response["Content-Type"] == "text/csv; charset=utf-8"
    lines = b"".join(response.streaming_content).decode("utf-8-sig").splitlines()
    assert lines == ["Name,Cost center", "Payments,CC-1"]


def walk(client, address: str, link: str) -> list[str]:
    """The rows of every page that `link` (next or prev) leads to, from `address` on."""
    seen = []
    while address:
        page = client.get(address)
        assert page.status_code == 200
        seen.append(names_on(page))
        match = re.search(rf'rel="{link}" href="([^"]+)"', page.content.decode())
        address = "/long/" + match[1].replace("&amp;", "&") if match else ""
    return seen


def test_a_long_list_is_walked_without_gaps_there_and_back(client, boss):
    make_teams(*"abcdefgh")
    forth = walk(client, "/long/", "next")
    assert forth == [["h", "g", "f"], ["e", "d", "c"], ["b", "a"]]
    last = keyset_page(Team.objects.all(), ["-name"], size=3, after=None)
    last = keyset_page(Team.objects.all(), ["-name"], size=3, after=last.after)
    last = keyset_page(Team.objects.all(), ["-name"], size=3, after=last.after)
    assert walk(client, f"/long/?before={last.before}", "prev") == [["e", "d", "c"], ["h", "g", "f"]]


def test_a_long_list_asks_for_no_offset_and_no_count(client, boss, django_assert_num_queries):
    make_teams(*"abcdefgh")
    with django_assert_num_queries(1) as queries:
        page = keyset_page(Team.objects.all(), ["-name"], size=3)
        assert len(page.rows) == 3
    assert "OFFSET" not in queries[0]["sql"]
    with django_assert_num_queries(1) as queries:
        keyset_page(Team.objects.all(), ["-name"], size=3, after=page.after)
    assert "OFFSET" not in queries[0]["sql"]
    assert re.search(r'\("finops_site_team"\."name", "finops_site_team"\."id"\) < ', queries[0]["sql"])


def test_rows_that_tie_are_neither_lost_nor_doubled(client, boss):
    make_teams(*"abcdefgh", cost_center="same")
    assert "".join(map("".join, walk(client, "/long/?sort=cost_center", "next"))) == "abcdefgh"
    assert "".join(map("".join, walk(client, "/long/?sort=-cost_center", "next"))) == "hgfedcba"


def test_rows_added_while_reading_do_not_shift_the_next_page():
    make_teams(*"bdfh")
    first = keyset_page(Team.objects.all(), ["name"], size=2)
    make_teams("a", "c")
    second = keyset_page(Team.objects.all(), ["name"], size=2, after=first.after)
    assert [team.name for team in second.rows] == ["f", "h"]
    assert second.after is None


@pytest.mark.parametrize("ordering", ["last_login", "-last_login"])
def test_nulls_are_walked_in_the_order_of_the_database(ordering):
    start = datetime(2025, 11, 1, tzinfo=UTC)
    for n in range(7):
        seen = None if n % 3 == 0 else start + timedelta(days=n // 2)
        User.objects.create(email=f"{n}@demo.example", last_login=seen)
    sign = "-" if ordering[0] == "-" else ""
    wanted = list(User.objects.order_by(ordering, f"{sign}id").values_list("email", flat=True))
    walked, after, pages = [], None, []
    while True:
        page = keyset_page(User.objects.all(), [ordering], size=2, after=after)
        pages.append([user.email for user in page.rows])
        walked += pages[-1]
        if not page.after:
            break
        after = page.after
    assert walked == wanted
    back = keyset_page(User.objects.all(), [ordering], size=2, before=page.before)
    assert [user.email for user in back.rows] == pages[-2]


@pytest.mark.parametrize(
    "cursor",
    ["nonsense", "W10", "WyJhIl0", "WzEsMiwzXQ", "%00", "WyJhIiwgIngiXQ", "WyJhIiwgMWU5OTld", "WyJcdTAwMDAiLDFd"],
)
def test_a_cursor_that_is_none_is_not_found(client, boss, cursor):
    make_teams("a")
    assert client.get("/long/", {"after": cursor}).status_code == 404


def test_a_cursor_of_a_number_too_large_is_bad():
    from base64 import urlsafe_b64encode

    cursor = urlsafe_b64encode(b'["a",99999999999999999999999]').decode()
    with pytest.raises(BadCursor):
        keyset_page(Team.objects.all(), ["name"], size=2, after=cursor)


def test_the_csv_of_a_long_list_is_in_its_order(client, boss):
    make_teams(*"abcd")
    response = client.get("/long/?_export=csv")
    lines = b"".join(response.streaming_content).decode("utf-8-sig").splitlines()
    assert [line.split(",")[0] for line in lines] == ["Name", "d", "c", "b", "a"]


def test_a_month_filter_includes_its_last_day():
    class JoinDateFilters(django_filters.FilterSet):
        month = MonthFilter(field_name="date_joined__date")
        until = MonthFilter(field_name="date_joined__date", lookup_expr="lte")

        class Meta:
            model = User
            fields: list[str] = []

    for day in ("2025-10-31T23:59", "2025-11-01T00:00", "2025-11-30T23:59", "2025-12-01T00:00"):
        User.objects.create(email=f"{day}@demo.example", date_joined=datetime.fromisoformat(day).replace(tzinfo=UTC))
    assert JoinDateFilters({"month": "2025-11"}, User.objects.all()).qs.count() == 2
    assert JoinDateFilters({"until": "2025-11"}, User.objects.all()).qs.count() == 3
    assert "is not a month" in str(JoinDateFilters({"month": "Nov"}, User.objects.all()).form.errors)


def test_home_greets_and_says_what_to_do_first(client, boss, monkeypatch):
    monkeypatch.setattr("finops_site.home_views.registry", Registry())
    page = client.get("/").content.decode()
    assert re.search(r"Good (morning|afternoon|evening), Boss", page)
    assert "No bill has been delivered yet" in page
    assert "Upload a bill" in page


def test_home_offers_no_upload_to_those_who_may_not(client, lea, monkeypatch):
    monkeypatch.setattr("finops_site.home_views.registry", Registry())
    page = client.get("/").content.decode()
    assert "Upload a bill" not in page
    assert "Your teams own no cost yet" in page


def test_home_is_made_of_the_panels_that_have_something_to_say(client, lea, monkeypatch):
    house = Registry()
    house.add(
        Panel("mine", "includes/empty.html", lambda request: {"empty": {"title": f"Hello {request.user}"}}),
        Panel("silent", "includes/empty.html", lambda request: None),
        Panel("secret", "includes/empty.html", lambda request: {"empty": {"title": "secret"}}, "costs.view_company"),
    )
    monkeypatch.setattr("finops_site.home_views.registry", house)
    page = client.get("/").content.decode()
    assert "Hello Lea" in page
    assert "secret" not in page


def test_the_sidebar_shows_what_the_person_may_open(client, lea, monkeypatch):
    house = Registry()
    house.add(NavItem("Mine", "account_change_password", "key"), NavItem("All", "home", "cash", "costs.view_company"))
    monkeypatch.setattr("finops_site.ui.navigation.registry", house)
    page = client.get("/accounts/password/change/").content.decode()
    assert re.search(r'class="current"\s+aria-current="page".*?<span>Mine</span>', page)
    assert "<span>All</span>" not in page


def test_the_sidebar_groups_its_links_and_shows_no_group_that_is_empty_for_the_person(client, lea, monkeypatch):
    house = Registry()
    house.add(
        *(NavSection(label, order) for label, order in (("Bills", 50), ("Costs", 10), ("", 0))),
        NavItem("Odd", "home", "cash", section="Something new"),
        NavItem("Bill", "home", "cash", "costs.view_company", section="Bills"),
        NavItem("Spend", "home", "cash", section="Costs"),
        NavItem("Alone", "home", "cash"),
    )
    monkeypatch.setattr("finops_site.ui.navigation.registry", house)
    page = client.get("/").content.decode().partition('<nav class="sidebar-nav"')[2].partition("</nav>")[0]
    entries = re.findall(r'class="nav-label"[^>]*>([^<]+)<|<span>([^<]+)</span>', page)
    assert [group or link for group, link in entries] == ["Home", "Alone", "Costs", "Spend", "Something new", "Odd"]


@pytest.mark.parametrize("address", ["/teams/", "/", "/accounts/password/change/", "/nope/"])
def test_pages_keep_to_the_strict_policy(client, lea, address):
    response = client.get(address)
    policy = response["Content-Security-Policy"]
    assert "script-src 'self'" in policy
    assert "style-src 'self'" in policy
    html = response.content.decode()
    assert not re.findall(r"<style|\son\w+=|javascript:", html)
    assert all("src=" in tag or "application/json" in tag for tag in re.findall(r"<script[^>]*>", html))
    outside = [url for url in re.findall(r'(?:src|href)="([^"]+)"', html) if urlsplit(url).netloc]
    assert outside == []


def test_the_admin_has_a_policy_of_its_own_with_eval_for_its_scripts(client, boss):
    policy = client.get("/admin/login/")["Content-Security-Policy"]
    assert "script-src 'self' 'unsafe-eval';" in policy
    assert "object-src 'none'; base-uri 'none'" in policy


def test_the_sign_in_page_names_the_demo_people_who_are_there_on_a_laptop_only(client, settings, people):
    settings.EMBEDDED = True
    page = client.get("/accounts/login/").content.decode()
    assert "lea@demo.example" in page
    assert "run.py" in page
    User.objects.filter(email="lea@demo.example").update(is_active=False)
    page = client.get("/accounts/login/").content.decode()
    assert ("lea@demo.example" in page, "fay@demo.example" in page) == (False, True)
    settings.EMBEDDED = False
    # A server lacks no file that was not collected; tests collect none.
    plain = {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"}
    settings.STORAGES = {**settings.STORAGES, "staticfiles": plain}
    assert "lea@demo.example" not in client.get("/accounts/login/").content.decode()


def test_sort_links_keep_the_filters(client, boss):
    make_teams("Data", cost_center="CC-1")
    page = client.get("/teams/?name=da&page=1").content.decode()
    link = re.search(r'id="sort-name" class="sort" href="([^"]+)"', page)[1].replace("&amp;", "&")
    assert parse_qs(link[1:]) == {"name": ["da"], "sort": ["name"]}


def test_a_csv_begins_with_the_mark_by_which_excel_knows_its_letters_and_is_in_english_whoever_takes_it():
    from django.utils import translation

    from finops_site.lib.language import get_language
    from finops_site.ui.downloads import csv_download

    with translation.override("de"):
        answer = csv_download(([get_language(), "Gebühren"] for _ in range(1)), "x")
        content = b"".join(answer.streaming_content)
    assert content == "\ufeffen,Gebühren\r\n".encode()

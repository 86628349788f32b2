"""Finance writes rules, sees what they would move before saving, and nothing is lost to bad input or to a colleague."""

from datetime import date
from decimal import Decimal

import pytest
from django.urls import reverse

from costs.calc.allocation_rules import OwnerRule, resource_pattern_problem
from costs.ingest.load import load_bill
from costs.ingest.receive import receive_bill
from costs.models import CostLine, DeliveryMonth, Pool
from costs.query.line_addresses import keys_of
from finops_site.lib.periods import Month
from finops_site.models import AuditEntry, Team
from tagging.calc import rule_order
from tagging.models import Application, ChargebackPeriod, Fixer, OwnershipRule
from tagging.ownership import ownership_figures, rule_application
from tests import bills
from tests.shared_fixtures import shared

pytestmark = pytest.mark.django_db
LIST = "/ownership/"


@pytest.fixture(autouse=True)
def at_once():
    from finops_site.celery import app

    app.conf.task_always_eager = True
    yield
    app.conf.task_always_eager = False


@shared
def bill(people, tmp_path):
    """Payments owns a machine by its tag; a bucket and the support plan are nobody's."""
    OwnershipRule.objects.create(name="Tag Team", team=team("Payments"), tag_key="Team", order=10)
    rows = [
        {"ResourceId": "a", "BilledCost": "1"},
        {"ResourceId": "b", "ServiceName": "Amazon S3", "Tags": "", "BilledCost": "2"},
        {"ResourceId": "", "ServiceName": "AWS Support", "Tags": "", "BilledCost": "4", "SubAccountId": "7"},
    ]
    (received,) = receive_bill("northwind", [bills.write(tmp_path, "march.csv", bills.focus_csv(rows))])
    return load_bill(received.delivery)


def team(name):
    return Team.objects.get(name=name)


def form(**fields):
    return {"name": "All S3", "order": 20, "is_active": "on", "service": "Amazon S3", **fields}


def owned():
    lines = CostLine.objects.current().select_related("owner", "pool")
    return {line.resource or line.service: str(line.owner or line.pool or "") for line in lines}


def test_fay_sees_what_moves_before_she_saves_and_then_it_moves(
    bill, fay, client_of, django_capture_on_commit_callbacks
):
    browser, data = client_of(fay), form(team=team("Data").pk)
    answer = browser.post("/ownership/add/", {**data, "preview": ""})
    page = answer.content.decode()
    assert "Unowned" in page
    assert answer.context["moved"]["pairs"][0]["billed"] == Decimal(2)
    assert (owned()["b"], OwnershipRule.objects.count()) == ("", 1)
    with django_capture_on_commit_callbacks(execute=True):
        browser.post("/ownership/add/", {**data, "save": ""})
    assert owned() == {"a": "Payments", "b": "Data", "AWS Support": ""}
    application = Application.objects.get()
    assert (application.state, application.lines, application.requested_by) == ("done", 1, fay)
    assert AuditEntry.objects.of(OwnershipRule).filter(name="All S3").exists()


def test_a_rule_may_fill_a_pool_and_pages_count_it_as_shared(bill, fay, client_of, django_capture_on_commit_callbacks):
    pool = Pool.objects.create(name="Support")
    with django_capture_on_commit_callbacks(execute=True):
        client_of(fay).post("/ownership/add/", {**form(pool=pool.pk, service="AWS Support"), "save": ""})
    stats = client_of(fay).get(LIST + "?month=2026-03").context["stats"]
    assert [(stat["label"], stat["amount"]) for stat in stats] == [
        ("Direct", 1),
        ("Shared", 4),
        ("Unowned", 2),
        ("The bill", 7),
    ]
    teams = client_of(fay).get("/costs/teams/").content.decode()
    assert teams.index("Shared") < teams.index("Unowned")
    unowned = client_of(fay).get("/api/v1/spend/?team=none&from=2026-03&to=2026-03").json()
    assert unowned["totals"] == {"USD": "2"}
    by_pool = client_of(fay).get("/api/v1/spend/?group_by=pool&team=shared&from=2026-03&to=2026-03").json()
    assert [row["pool"] for row in by_pool["results"]] == ["Support"]


def test_of_two_who_edit_one_rule_the_later_is_told_and_nothing_is_lost(bill, fay, client_of):
    rule = OwnershipRule.objects.get()
    url = reverse("tagging:ownership_rule", args=[rule.pk])
    first = {**form(name="First", team=team("Payments").pk, tag_key="Team"), "version": rule.version, "save": ""}
    second = {**first, "name": "Second"}
    assert client_of(fay).post(url, first).status_code == 302
    answer = client_of(fay).post(url, second)
    assert "Somebody else saved this rule" in answer.content.decode()
    assert OwnershipRule.objects.get().name == "First"


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({}, "Whose is it?"),
        ({"both": True}, "not both"),
        ({"team": True, "service": ""}, "at least one condition"),
        ({"team": True, "start": "2026-03-05", "end": "2026-03-05"}, "at least one day"),
        ({"team": True, "resource_pattern": "(abcdef){1,900}"}, "repetitions"),
        ({"team": True, "resource_pattern": "a" * 501}, "at most 500"),
        ({"team": True, "name": "Tag Team"}, "a rule of this name"),
    ],
)
def test_a_rule_that_cannot_be_is_refused_in_words(bill, fay, client_of, fields, words):
    pool = Pool.objects.create(name="Support")
    both = {"team": team("Data").pk, "pool": pool.pk} if fields.pop("both", False) else {}
    chosen = {"team": team("Data").pk} if fields.pop("team", False) else {}
    answer = client_of(fay).post("/ownership/add/", {**form(), **both, **chosen, **fields, "save": ""})
    assert words in answer.content.decode()
    assert OwnershipRule.objects.count() == 1


def test_rules_of_one_name_may_follow_each_other_in_time(bill, fay, client_of):
    march = {"team": team("Data").pk, "name": "Moved", "end": "2026-03-05"}
    april = {"team": team("Payments").pk, "name": "Moved", "start": "2026-03-05"}
    for fields in (march, april):
        client_of(fay).post("/ownership/add/", {**form(**fields), "save": ""})
    assert OwnershipRule.objects.filter(name="Moved").count() == 2


def test_what_no_bill_has_is_warned_of(bill, fay, client_of):
    fields = form(team=team("Data").pk, service="Amazon S33", tag_key="Teem")
    answer = client_of(fay).post("/ownership/add/", {**fields, "preview": ""})
    assert answer.context["warnings"] == ["No bill has the service “Amazon S33”.", "No bill has the tag “Teem”."]


def test_the_list_says_which_rules_own_nothing_and_which_never_can(bill, fay, lea, client_of):
    OwnershipRule.objects.create(name="Late", team=team("Data"), tag_key="team", tag_value="Data", order=20)
    OwnershipRule.objects.create(name="Glacier", team=team("Data"), service="Glacier", order=30)
    rows = {row.rule.name: row for row in client_of(fay).get(LIST + "?month=2026-03").context["rows"]}
    assert rows["Late"].shadow.name == "Tag Team"
    assert (rows["Glacier"].is_dead, rows["Glacier"].shadow) == (True, None)
    assert (rows["Tag Team"].charges, rows["Tag Team"].amounts) == (1, [("USD", Decimal(1))])
    OwnershipRule.objects.filter(name="Glacier").update(name="Support")
    CostLine.objects.filter(service="AWS Support").update(owner_rule="Support", owner=team("Data"))
    of_lea = {row.rule.name: row.charges for row in ownership_figures.rule_rows(lea, Month(2026, 3))}
    assert of_lea["Support"] == 0, "what rules own of other teams is not hers to see"


def test_rules_are_moved_by_buttons_and_by_dragging(bill, fay, client_of):
    for order, name in ((20, "B"), (30, "C")):
        OwnershipRule.objects.create(name=name, team=team("Data"), service=name, order=order)
    ids = {rule.name: rule.pk for rule in OwnershipRule.objects.all()}

    def move(name, **fields):
        client_of(fay).post(reverse("tagging:ownership_move", args=[ids[name]]), fields)
        return [rule.name for rule in OwnershipRule.objects.listed()]

    assert move("C", to="up") == ["Tag Team", "C", "B"]
    assert move("Tag Team", to="down") == ["C", "Tag Team", "B"]
    assert move("B", before=ids["C"]) == ["B", "C", "Tag Team"]
    assert move("B", to="up") == ["B", "C", "Tag Team"]
    assert move("Tag Team", to="down") == ["B", "C", "Tag Team"]


def test_a_rule_is_removed_after_saying_what_that_moves(bill, fay, client_of, django_capture_on_commit_callbacks):
    url = reverse("tagging:ownership_remove", args=[OwnershipRule.objects.get().pk])
    moved = client_of(fay).get(url).context["moved"]
    assert [(row["before"], row["after"], row["billed"]) for row in moved["pairs"]] == [("Payments", "Unowned", 1)]
    with django_capture_on_commit_callbacks(execute=True):
        client_of(fay).post(url, {"save": ""})
    assert set(owned().values()) == {""}


def test_a_closed_month_is_in_no_preview(bill, fay, client_of):
    ChargebackPeriod.objects.create(billing_month=date(2026, 3, 1), state=ChargebackPeriod.State.CLOSED)
    answer = client_of(fay).post("/ownership/add/", {**form(team=team("Data").pk), "preview": ""})
    assert answer.context["moved"]["pairs"] == []


def test_rules_go_out_as_csv_and_come_in_the_same(bill, fay, client_of):
    OwnershipRule.objects.create(
        name='Quotes, "and" commas', team=team("Data"), tag_key="ключ", start=date(2026, 1, 1), order=20
    )
    text = b"".join(client_of(fay).get(LIST + "?_export=csv")).decode("utf-8-sig")
    before = list(OwnershipRule.objects.values("name", "order", "team", "start", "end", "tag_key", "is_active"))
    OwnershipRule.objects.filter(order=20).delete()
    upload(client_of(fay), text)
    assert list(OwnershipRule.objects.values("name", "order", "team", "start", "end", "tag_key", "is_active")) == before


@pytest.mark.parametrize(
    ("row", "words"),
    [
        ("10,New,Nobody,,,,,", "Row 3: there is no team &#x27;Nobody&#x27;."),
        ("x,New,Data,,,,,", "Row 3: order &#x27;x&#x27; is no whole number."),
        ("10,New,Data,,soon,,,", "Row 3: from &#x27;soon&#x27; is no day"),
        ("10,New,Data,,,,,", "Row 3: Give at least one condition"),
    ],
)
def test_a_file_with_one_bad_row_is_refused_whole(bill, fay, client_of, row, words):
    head = "order,name,team,pool,from,until,in force,service"
    answer = upload(client_of(fay), f"{head}\n10,Good,Data,,,,yes,Amazon S3\n{row}\n")
    assert words in answer.content.decode()
    assert not OwnershipRule.objects.filter(name="Good").exists()


def upload(browser, text):
    from django.core.files.uploadedfile import SimpleUploadedFile

    return browser.post("/ownership/import/", {"file": SimpleUploadedFile("rules.csv", text.encode())})


def test_what_nobody_owns_has_a_name_beside_it(bill, fay, ola, client_of):
    rows = client_of(fay).get("/ownership/unowned/?month=2026-03").context["rows"]
    fixers = {row["key"]: (row["amount"], row["fixer"].name, row["fixer"].why) for row in rows}
    assert fixers == {
        "000000000042": (2, "Lea Brandt", "leads Payments, which owns most of the account"),
        "7": (4, str(fay), "finance"),
    }
    client_of(fay).post("/ownership/unowned/fixer/?account=7", {"user": ola.pk})
    assert ownership_figures.fixers_of(["7"])["7"].name == str(ola)
    client_of(fay).post("/ownership/unowned/fixer/?account=7", {"user": ""})
    assert not Fixer.objects.exists()
    by_service = client_of(fay).get("/ownership/unowned/?month=2026-03&by=service").context["rows"]
    assert {row["label"]: row["amount"] for row in by_service} == {"AWS Support": 4, "Amazon S3": 2}


def test_an_application_whose_worker_died_is_done_again(bill, fay):
    from datetime import timedelta

    from django.utils import timezone

    from tagging import tasks

    now = timezone.now()
    OwnershipRule.objects.create(name="S3", team=team("Data"), service="Amazon S3", order=20)
    dead = Application.objects.create(
        state=Application.State.RUNNING, heartbeat_at=now - timedelta(days=1), requested_at=now - timedelta(days=1)
    )
    tasks.resume_applications()
    dead.refresh_from_db()
    assert (dead.state, owned()["b"]) == ("done", "Data")


def test_a_bill_that_was_loading_while_rules_changed_is_asked_again(
    bill, fay, tmp_path, django_capture_on_commit_callbacks
):
    rows = [{"ResourceId": "new", "ServiceName": "Glue", "BillingPeriodStart": "2026-04-01T00:00:00Z"}]
    (received,) = receive_bill("other", [bills.write(tmp_path, "april.csv", bills.focus_csv(rows, Tags=""))])
    rule_application.run_application(rule_application.queue_application(fay).pk)
    with django_capture_on_commit_callbacks(execute=True):
        load_bill(received.delivery)
    assert Application.objects.count() == 2
    assert set(Application.objects.values_list("state", flat=True)) == {"done"}


def test_a_bill_that_is_removed_meanwhile_asks_for_nothing(bill, fay):
    months = list(DeliveryMonth.objects.all())
    rule_application.queue_application(fay)
    assert rule_application.rules_changed_during_load(months)
    for month in months:
        month.delivery_id = 0
    assert not rule_application.rules_changed_during_load(months)


def test_the_api_says_and_takes_what_the_pages_do(bill, fay, lea, client_of):
    url = "/api/v1/ownership-rules/"
    fields = {"name": "S3", "team": "Data", "service": "Amazon S3", "order": 20}
    preview = client_of(fay).post(f"{url}preview/", fields, content_type="application/json").json()
    assert preview["moves"][0] | {"billed_cost": "2"} == preview["moves"][0]
    assert preview["months"] == ["2026-03"]
    made = client_of(fay).post(url, fields, content_type="application/json")
    assert made.status_code == 201
    one = f"{url}{made.json()['id']}/"
    change = {"order": 5}
    assert client_of(fay).patch(one, change, content_type="application/json").status_code == 409
    changed = client_of(fay).patch(one, {**change, "version": 1}, content_type="application/json")
    assert (changed.status_code, changed.json()["version"]) == (200, 2)
    refused = client_of(fay).post(url, {"name": "x", "service": "y"}, content_type="application/json")
    assert (refused.status_code, refused.json()["team"]) == (400, ["Whose is it? Name a team or a pool."])
    assert client_of(lea).get(url).status_code == 200
    assert client_of(lea).post(url, fields, content_type="application/json").status_code == 403
    assert client_of(lea).post(f"{url}apply/").status_code == 403
    assert client_of(fay).post(f"{url}apply/").status_code == 202
    assert client_of(fay).delete(one).status_code == 204


def test_a_leads_line_says_its_rule_and_a_pooled_line_is_not_hers(bill, lea, fay, client_of):
    CostLine.objects.filter(resource="b").update(pool=Pool.objects.create(name="Support"), owner_rule="Support: S3")
    line = CostLine.objects.get(resource="b")
    url = reverse("costs:line", args=[keys_of([line])[line.pk]])
    assert client_of(lea).get(url).status_code == 404
    page = client_of(fay).get(url).content.decode()
    assert "Support: S3" in page
    assert "in the pool Support" in page
    assert client_of(fay).get(f"/api/v1/cost-lines/{line.pk}/").json()["pool"] == "Support"


@pytest.mark.parametrize(
    ("pattern", "problem"),
    [
        ("^web-[0-9]{1,3}$", ""),
        ("(a+)+$", ""),
        ("[]a-z]{2000}", "Not a regular"),
        ("(abcdef){1,900}", "repetitions"),
        ("(((a{30}){30}){30})", "Not a regular"),
        (r"\{1000\}[{9}]", ""),
    ],
)
def test_patterns_are_bounded(pattern, problem):
    assert (problem in resource_pattern_problem(pattern)) if problem else resource_pattern_problem(pattern) == ""


def test_a_rule_is_shadowed_only_by_one_that_takes_all_it_would():
    wide = OwnerRule(1, "wide", tag_key="Team")
    narrow = OwnerRule(2, "narrow", tag_key="team", tag_value="x", service="S3")
    early = OwnerRule(1, "early", service="S3", end=date(2026, 1, 1))
    assert rule_order.shadowed_rules([wide, narrow, early]) == {1: 0}
    assert rule_order.shadowed_rules([early, OwnerRule(2, "always", service="S3"), narrow]) == {2: 1}
    assert rule_order.shadowed_rules([narrow, wide, early]) == {}

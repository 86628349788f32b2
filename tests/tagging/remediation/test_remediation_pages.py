"""What people see and do: suggestions, virtual tags, change sets, unit costs, and the same by the API."""

import csv
import io
from decimal import Decimal

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.urls import reverse

from costs.models import Pool
from finops_site.models import AuditEntry, Team
from tagging.models import (
    Allocation,
    ChangeSet,
    Metric,
    MetricValue,
    Suggestion,
    TaggedResource,
    VirtualTag,
    VirtualTagBatch,
)
from tagging.remediation.batch_application import apply_batch
from tagging.remediation.suggestion_answers import accept_suggestions
from tests.people import token_of, waiting_for
from tests.tagging.remediation.test_virtual_tags import NOW, about, load, shop  # noqa: F401

pytestmark = pytest.mark.django_db
SUGGESTIONS, VIRTUAL = "/tagging/suggestions/", "/tagging/virtual-tags/"


def test_a_lead_accepts_one_with_a_press_and_is_told(shop, client_of):  # noqa: F811
    one = about("i-99").get(tag="Team")
    page = client_of(shop["lea"]).post(SUGGESTIONS, {"accept": one.pk}, follow=True).content.decode()
    assert "1 virtual tag set" in page
    tag = VirtualTag.objects.get()
    assert (tag.key, tag.value, tag.made_by, tag.state) == ("Team", "Payments", shop["lea"], "active")


def test_the_list_says_why_and_how_sure(shop, client_of):  # noqa: F811
    page = client_of(shop["fay"]).get(SUGGESTIONS).content.decode()
    assert "which it belongs to" in page or "10 of 10" in page
    assert "Accepted together they make 2 resources comply" in page


def test_a_box_to_tick_has_no_stray_text_beside_it(shop, client_of):  # noqa: F811
    page = client_of(shop["fay"]).get(SUGGESTIONS).content.decode()
    assert 'data-label="Select"' in page
    assert 'data-label="&lt;' not in page
    assert 'data-label="<' not in page


def test_htmx_gets_the_list_alone_with_what_came_of_it(shop, client_of):  # noqa: F811
    one = about("i-99").get(tag="Team")
    answer = client_of(shop["lea"]).post(
        SUGGESTIONS, {"verb": "accept", "pick": [one.pk]}, headers={"HX-Request": "true", "HX-Target": "list"}
    )
    page = answer.content.decode()
    assert "<html" not in page
    assert "1 virtual tag set" in page
    # The button that takes it back has the number of the batch, which may be the same.
    undo = f'name="undo" value="{VirtualTagBatch.objects.get().pk}"'
    assert undo in page
    assert f'value="{one.pk}"' not in page.replace(undo, "")


def test_all_above_a_confidence_within_the_filters(shop, client_of):  # noqa: F811
    client_of(shop["fay"]).post(f"{SUGGESTIONS}?tag=Team", {"verb": "accept_all", "least": "0.5"})
    assert set(VirtualTag.objects.values_list("key", flat=True)) == {"Team"}
    assert VirtualTagBatch.objects.count() == 1


@pytest.mark.parametrize("least", ["", "x", "7", "-1", "NaN"])
def test_a_confidence_that_is_none_is_said(shop, client_of, least):  # noqa: F811
    page = client_of(shop["fay"]).post(SUGGESTIONS, {"verb": "accept_all", "least": least}, follow=True)
    assert "onfidence" in page.content.decode()
    assert not VirtualTag.objects.exists()


def test_nobody_decides_about_another_teams_resources(shop, client_of):  # noqa: F811
    one = about("i-99").first()
    client_of(shop["ola"]).post(SUGGESTIONS, {"accept": one.pk})
    assert Suggestion.objects.filter(pk=one.pk).exists()
    assert client_of(shop["max"]).post(SUGGESTIONS, {"accept": one.pk}).status_code == 403
    assert client_of(shop["ada"]).post(SUGGESTIONS, {"accept": one.pk}).status_code == 403


def test_a_batch_is_taken_back_from_the_page(shop, client_of):  # noqa: F811
    done = accept_suggestions(about("i-99"), user=shop["lea"], now=NOW)
    assert "the figures follow" in client_of(shop["lea"]).get(VIRTUAL).content.decode()
    assert client_of(shop["ola"]).post(VIRTUAL, {"undo": done.batch.pk}).status_code == 404
    client_of(shop["lea"]).post(VIRTUAL, {"undo": done.batch.pk})
    assert set(VirtualTag.objects.values_list("state", flat=True)) == {"undone"}


def test_a_tag_is_set_by_hand_and_bad_ones_are_refused_in_words(shop, client_of):  # noqa: F811
    row = TaggedResource.objects.get(resource="i-99")
    url = reverse("tagging:virtual_tag_add", args=[row.key])
    lea = client_of(shop["lea"])
    page = lea.post(url, {"key": "k" * 200, "value": "x", "start": "2026-03-01"}).content.decode()
    assert "200 characters" in page
    lea.post(url, {"key": "Project", "value": "عربي 💸", "start": "2026-03-01"})
    assert VirtualTag.objects.get().value == "عربي 💸"
    assert client_of(shop["ola"]).get(url).status_code == 404


def test_virtual_tags_are_marked_wherever_tags_are_shown(shop, client_of):  # noqa: F811
    done = accept_suggestions(about("i-99"), user=shop["lea"], now=NOW)
    apply_batch(done.batch, NOW)
    lea = client_of(shop["lea"])
    listed = lea.get("/costs/lines/?resource=i-99").content.decode()
    assert "virtual, set by us: Team: Payments" in listed
    row = TaggedResource.objects.get(resource="i-99")
    assert "virtual, set by us" in lea.get(row.get_absolute_url()).content.decode()


def test_a_lead_claims_and_finance_confirms_on_the_page(shop, client_of):  # noqa: F811
    team = Team.objects.get(name="Payments")
    client_of(shop["lea"]).post(reverse("tagging:claim"), {"resource": "i-98", "team": team.pk})
    tag = VirtualTag.objects.get()
    assert (waiting_for(shop["fay"]), waiting_for(shop["lea"])) == (["1 virtual tag waits for your confirmation"], [])
    assert client_of(shop["lea"]).post(VIRTUAL, {"confirm": tag.pk}).status_code == 403
    client_of(shop["fay"]).post(VIRTUAL, {"confirm": tag.pk})
    tag.refresh_from_db()
    assert (tag.state, tag.decided_by) == ("active", shop["fay"])


def test_a_change_set_is_made_approved_by_another_and_leaves_as_a_file(shop, client_of):  # noqa: F811
    accept_suggestions(about("i-99"), user=shop["lea"], now=NOW)
    eli, lea = client_of(shop["eli"]), client_of(shop["lea"])
    eli.post(
        VIRTUAL, {"verb": "change_set", "title": "March", "pick": list(VirtualTag.objects.values_list("pk", flat=True))}
    )
    row = ChangeSet.objects.get()
    url = row.get_absolute_url()
    assert "Somebody else has to approve" in eli.get(f"{url}file/sh", follow=True).content.decode()
    eli.post(url, {"verb": "submit"})
    assert waiting_for(shop["lea"]) == [f"A change set waits for your review: {row}"]
    assert waiting_for(shop["eli"]) == waiting_for(shop["ola"]) == []
    assert "Somebody else has to look" in eli.post(url, {"verb": "approve"}, follow=True).content.decode()
    lea.post(url, {"verb": "approve", "review": "good"})
    row.refresh_from_db()
    assert (row.state, row.reviewed_by) == ("approved", shop["lea"])
    assert client_of(shop["ola"]).get(url).status_code == 404
    assert client_of(shop["max"]).post(url, {"verb": "dry_run"}).status_code == 403
    assert "First the dry run" in lea.post(url, {"verb": "apply"}, follow=True).content.decode()
    for kind in ("sh", "tf", "csv"):
        assert eli.get(f"{url}file/{kind}").status_code == 200


def test_a_change_set_is_made_of_every_virtual_tag_that_the_filters_leave(shop, client_of):  # noqa: F811
    accept_suggestions(Suggestion.objects.all(), user=shop["lea"], now=NOW)
    eli = client_of(shop["eli"])
    visible = VirtualTag.objects.visible_to(shop["eli"])
    assert 0 < visible.filter(key="Team").count() < visible.count()
    page = eli.post(f"{VIRTUAL}?key=Team", {"verb": "change_set_all", "title": "Teams"}, follow=True).content.decode()
    assert "Change set made: Teams" in page
    assert set(ChangeSet.objects.get().changes.values_list("key", flat=True)) == {"Team"}
    assert ChangeSet.objects.get().changes.count() == visible.filter(key="Team").count()


def upload(browser, text, verb="", **fields):
    data = {"name": "orders", "grain": "day", "verb": verb, **fields}
    if verb != "save":
        data["file"] = SimpleUploadedFile("orders.csv", text.encode())
    else:
        data["text"] = text
    return browser.post("/unit-costs/upload/", data, follow=True)


GOOD = "team,day,value\nPayments,2026-03-04,50\nPayments,2026-03-05,20\nPayments,2026-03-08,0\n"


def test_counts_are_looked_at_before_they_are_saved(shop, client_of):  # noqa: F811
    fay = client_of(shop["fay"])
    page = upload(fay, GOOD).content.decode()
    assert "3 new, 0 changed" in page
    assert "from 6 Mar 2026 to 7 Mar 2026" in page
    assert not MetricValue.objects.exists()
    upload(fay, GOOD, "save")
    assert MetricValue.objects.get(day="2026-03-05").value == 20
    again = upload(fay, GOOD.replace(",20\n", ",25\n")).content.decode()
    assert "0 new, 1 changed, 2 as before" in again


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("Payments,2026-03-04,-5", "is negative"),
        ("Nobody,2026-03-04,5", "There is no team"),
        ("Payments,2026-3-4,5", "is not a day"),
        ("Payments,2026-03-04,", "There is no value"),
        ("Payments,2026-03-04,1e999", "is not a number"),
        ("Payments,2026-03-04,NaN", "is not a number"),
        ("Payments,2026-03-04,5\nPayments,2026-03-04,6", "in line 2 already"),
    ],
)
def test_a_file_with_a_bad_line_is_refused_whole_and_says_which(shop, client_of, line, words):  # noqa: F811
    fay = client_of(shop["fay"])
    text = f"team,day,value\n{line}\n"
    assert words in upload(fay, text).content.decode()
    upload(fay, text, "save")
    assert not MetricValue.objects.exists()


def test_counts_are_for_finance_to_bring(shop, client_of):  # noqa: F811
    assert client_of(shop["lea"]).get("/unit-costs/upload/").status_code == 403


def test_the_page_divides_and_says_what_is_missing(shop, client_of):  # noqa: F811
    upload(client_of(shop["fay"]), GOOD, "save")
    page = client_of(shop["lea"]).get("/unit-costs/?basis=effective_cost&by=day").content.decode()
    # Ten lines of one dollar and one of seven on the fifth, for twenty orders.
    assert "0.8500" in page
    assert "not counted" in page
    answer = client_of(shop["lea"]).get("/unit-costs/?basis=effective_cost&by=day&_export=csv")
    rows = list(csv.DictReader(io.StringIO(b"".join(answer.streaming_content).decode("utf-8-sig"))))
    fifth = next(row for row in rows if row["When"] == "2026-03-05")
    assert (Decimal(fifth["Cost"]), Decimal(fifth["Cost per unit"])) == (17, Decimal("0.85"))
    assert next(row for row in rows if row["When"] == "2026-03-08")["Cost per unit"] in ("", "—")
    assert "Nothing to divide here" in client_of(shop["ola"]).get("/unit-costs/").content.decode()


def test_a_unit_costs_its_share_of_pools_too_where_that_is_asked_for(shop, client_of):  # noqa: F811
    upload(client_of(shop["fay"]), GOOD, "save")
    payments, pool = Team.objects.get(name="Payments"), Pool.objects.create(name="Support")
    fields = {"billing_month": "2026-03-01", "currency": "USD", "pool": pool, "billed_cost": 0}
    for team, day in (
        (payments, "2026-03-05"),
        (payments, "2026-03-06"),
        (Team.objects.get(name="Data"), "2026-03-05"),
    ):
        Allocation.objects.create(team=team, day=day, effective_cost=3, **fields)
    answer = client_of(shop["lea"]).get("/unit-costs/?basis=effective_cost&by=day&cost=shared&_export=csv")
    rows = list(csv.DictReader(io.StringIO(b"".join(answer.streaming_content).decode("utf-8-sig"))))
    assert {row["Team"] for row in rows} == {"Payments"}
    fifth = next(row for row in rows if row["When"] == "2026-03-05")
    assert (Decimal(fifth["Cost"]), Decimal(fifth["Cost per unit"])) == (20, 1)


def test_the_api_feeds_counts_whole_or_not_at_all(shop, client_of):  # noqa: F811
    fay = client_of(shop["fay"])
    rows = [
        {"team": "Payments", "day": "2026-03", "value": "1000.5"},
        {"team": "Data", "day": "2026-03", "value": "-1"},
    ]
    feed = {"metric": "customers", "grain": "month", "values": rows}
    answer = fay.post("/api/v1/business-metrics/", feed, content_type="application/json")
    assert (answer.status_code, "values[1].value" in str(answer.json())) == (400, True)
    assert not Metric.objects.exists()
    feed["values"] = rows[:1]
    answer = fay.post("/api/v1/business-metrics/", feed, content_type="application/json")
    assert answer.json() == {"metric": "customers", "new": 1, "changed": 0, "same": 0}
    assert (
        client_of(shop["lea"]).post("/api/v1/business-metrics/", feed, content_type="application/json").status_code
        == 403
    )


def test_the_audit_log_says_what_changed_by_whom_and_from_where_for_programs_too(shop):  # noqa: F811
    fay = Client(headers={"Authorization": f"Token {token_of(shop['fay'])}"}, REMOTE_ADDR="10.1.2.3")
    feed = {"metric": "orders", "values": [{"team": "Payments", "day": f"2026-03-0{n}", "value": "5"} for n in (4, 5)]}
    fay.post("/api/v1/business-metrics/", feed, content_type="application/json")
    feed["values"][1]["value"] = "7.5"
    fay.post("/api/v1/business-metrics/", feed, content_type="application/json")
    entries = AuditEntry.objects.of(MetricValue).order_by("pk")
    assert [entry.changes["value"] for entry in entries] == [[None, "5"], [None, "5"], ["5", "7.5"]]
    tag = Suggestion.objects.filter(tag="Team").first()
    fay.post("/api/v1/tag-suggestions/accept/", {"ids": [tag.pk]}, content_type="application/json")
    made = AuditEntry.objects.of(VirtualTag).get()
    assert {(entry.actor, entry.address) for entry in (*entries, made)} == {(shop["fay"], "10.1.2.3")}


def test_the_api_accepts_refuses_and_sets(shop, client_of):  # noqa: F811
    lea = client_of(shop["lea"])
    suggestions = lea.get("/api/v1/tag-suggestions/").json()["results"]
    assert {one["resource"] for one in suggestions} == {"i-99"}
    ids = [one["id"] for one in suggestions]
    answer = lea.post("/api/v1/tag-suggestions/accept/", {"ids": ids[:3]}, content_type="application/json").json()
    assert answer["accepted"] == 3
    answer = lea.post("/api/v1/tag-suggestions/refuse/", {"ids": ids}, content_type="application/json").json()
    assert answer == {"refused": 1}
    body = {"resource_key": suggestions[0]["resource_key"], "key": "Note", "value": "x"}
    made = lea.post("/api/v1/virtual-tags/", body, content_type="application/json")
    assert (made.status_code, made.json()["start"]) == (201, "2026-03-01")
    assert (
        client_of(shop["ola"]).post("/api/v1/virtual-tags/", body, content_type="application/json").status_code == 404
    )
    ended = lea.post(f"/api/v1/virtual-tags/{made.json()['id']}/end/", content_type="application/json")
    assert ended.status_code == 200

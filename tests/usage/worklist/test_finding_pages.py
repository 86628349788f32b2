"""The pages and the API of findings."""

from datetime import date
from decimal import Decimal

import pytest

from tests.usage.worklist.helpers import finding, two_rules  # noqa: F401
from usage.models import Evaluation, QuietRule
from usage.worklist import worklist_figures

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("two_rules")]
LIST = "/usage/findings/"
API = "/api/v1/usage-findings/"


def text(page):
    return " ".join(page.content.decode().split())


def names(page):
    return [row.record.resource for row in page.context["table"].rows]


def test_lea_sees_her_teams_findings_those_that_save_most_first(lea, client_of):
    finding("vol-1"), finding("vol-2", saving="99"), finding("vol-3", saving=None), finding("vol-4", team="Data")
    page = client_of(lea).get(LIST)
    assert names(page) == ["vol-2", "vol-1", "vol-3"]
    assert "111.50" in text(page), "what is not known is no part of the sum"
    assert "1 more of unknown saving" in text(page)
    assert "not known" in text(page)


def test_fay_sees_what_nobody_owns(fay, client_of):
    finding("vol-1", team=None)
    assert names(client_of(fay).get(f"{LIST}?team=none")) == ["vol-1"]


@pytest.mark.parametrize(
    ("query", "found_rows"),
    [
        ("rule=gp3", ["b"]),
        ("assignee=me", ["c"]),
        ("assignee=none", ["a", "b"]),
        ("effort=high", ["b"]),
        ("risk=medium", ["c"]),
        ("state=dismissed", ["d"]),
        ("state=all", ["a", "b", "c", "d"]),
        ("confidence=certain", ["c"]),
        ("environment=none", ["a"]),
        ("saving=unknown", ["b"]),
        ("q=name+of", ["c"]),
        ("sort=-counted_saving", ["c", "a", "b"]),
        ("sort=counted_saving", ["a", "c", "b"]),
    ],
)
def test_the_list_is_filtered_by_what_findings_have(query, found_rows, lea, client_of):
    finding("a", saving="3", environment="")
    finding("b", saving=None, rule="gp3", effort="high")
    finding("c", saving="5", name="name of c", assignee=lea, confidence="certain", risk="medium")
    finding("d", state="dismissed")
    rows = names(client_of(lea).get(f"{LIST}?{query}"))
    assert rows == found_rows if query.startswith("sort") else sorted(rows) == found_rows


def test_a_value_that_no_filter_has_is_refused(lea, client_of):
    finding()
    assert "Select a valid choice" in text(client_of(lea).get(f"{LIST}?confidence=sure"))


def test_lea_answers_many_at_once_and_hears_what_was_left_out(lea, client_of):
    rows = [finding("vol-1"), finding("vol-2"), finding("vol-3", state="proved")]
    page = client_of(lea).post(
        f"{LIST}?state=all", {"verb": "dismiss", "dismiss_reason": "Kept", "all": "1"}, follow=True
    )
    assert "2 findings dismissed." in text(page)
    assert "it is proved by the bill" in text(page)
    for row in rows:
        row.refresh_from_db()
    assert [row.state for row in rows] == ["dismissed", "dismissed", "proved"]


def test_an_answer_that_lacks_its_reason_changes_nothing(lea, client_of):
    row = finding()
    page = client_of(lea).post(LIST, {"verb": "snooze", "pick": row.pk, "until": "2099-01-01"}, follow=True)
    assert "Say why" in text(page)
    page = client_of(lea).post(LIST, {"verb": "snooze", "pick": row.pk, "until": "soon", "reason": "x"}, follow=True)
    assert "soon is no day" in text(page)
    row.refresh_from_db()
    assert row.state == "new"


@pytest.mark.parametrize(("who", "status"), [("ada", 403), ("max", 403), ("ola", 404)])
def test_who_may_not_answer_is_turned_away(who, status, people, client_of):
    row = finding()
    client = client_of(people[who])
    assert client.post(f"{LIST}{row.pk}/", {"verb": "mended"}).status_code == status
    row.refresh_from_db()
    assert row.state == "new"


def test_the_page_of_one_says_why_what_it_saves_and_how_to_mend_it(lea, client_of):
    first = finding(confidence="likely")
    second = finding(rule="gp3", saving="2.50", counted="0", lever=50, counted_after=first)
    page = text(client_of(lea).get(f"{LIST}{first.pk}/"))
    assert "125 GiB, attached to nothing for 30 days." in page
    assert "What would make it certain: An inventory that says so." in page
    assert "aws ec2 delete-volume --volume-id vol-1" in page
    assert "It counts in full" in page
    page = text(client_of(lea).get(f"{LIST}{second.pk}/"))
    assert "It counts nothing while “Unattached disk” comes first on this resource" in page


def test_a_rule_that_a_later_version_dropped_is_said_so(lea, client_of):
    row = finding(rule="magnetic-tape")
    page = client_of(lea).get(f"{LIST}{row.pk}/")
    assert page.status_code == 200
    assert "magnetic-tape (a rule of an earlier version)" in text(page)
    assert "This version has no such rule any more" in text(page)


def test_evidence_that_a_newer_rule_cannot_read_breaks_no_page(lea, client_of):
    row = finding(evidence={"old": 1})
    page = client_of(lea).get(f"{LIST}{row.pk}/")
    assert "the next evaluation renews it" in text(page)


def test_what_a_resource_is_called_runs_nothing_on_the_page(lea, client_of):
    row = finding("vol-<script>alert(1)</script>")
    assert "<script>alert" not in client_of(lea).get(f"{LIST}{row.pk}/").content.decode()


def test_the_csv_has_every_digit_and_no_zero_for_what_is_not_known(lea, client_of):
    finding("vol-1", saving="12.5012345678"), finding("vol-2", saving=None)
    rows = b"".join(client_of(lea).get(f"{LIST}?_export=csv").streaming_content).decode().splitlines()
    assert "12.5012345678" in rows[1]
    assert "125 GiB, attached to nothing for 30 days." in rows[1]
    assert ",Payments,,,," in rows[2], "not known is an empty cell, and no zero"


def test_the_list_asks_few_questions(lea, client_of, django_assert_max_num_queries):
    client = client_of(lea)
    for number in range(30):
        finding(f"vol-{number}")
    client.get(LIST)
    with django_assert_max_num_queries(30):
        client.get(LIST)


def test_the_share_of_waste_is_of_an_average_month(lea, client_of, monkeypatch):
    finding(saving="10")
    Evaluation.objects.create(
        as_of=date(2026, 3, 1), first_day=date(2026, 2, 1), last_day=date(2026, 2, 28), state="done",
        notes=["No metrics: machines are not judged."],
    )  # fmt: skip
    (share,) = [worklist_figures.WasteShare("USD", Decimal(10), Decimal(40))]
    assert share.share == Decimal("0.25")
    assert worklist_figures.WasteShare("USD", None, Decimal(40)).share is None
    assert worklist_figures.WasteShare("USD", Decimal(10), None).share is None
    page = text(client_of(lea).get("/usage/"))
    assert "Unattached disk" in page
    assert "No metrics: machines are not judged." in page


def test_before_the_first_night_the_overview_says_so(lea, client_of):
    assert "Nothing was looked at yet" in text(client_of(lea).get("/usage/"))


def test_what_was_learnt_is_listed_and_taken_back(lea, eli, client_of):
    row = finding()
    data = {"verb": "dismiss", "reason": "Test rigs", "learn": "1", "quiet_account": "1", "tag": "keep=yes"}
    client_of(eli).post(f"{LIST}{row.pk}/", data)
    page = client_of(lea).get("/usage/quiet-rules/")
    assert "account 000000000042, tag keep=yes" in text(page)
    client_of(lea).post("/usage/quiet-rules/", {"remove": QuietRule.objects.get().pk})
    assert not QuietRule.objects.exists()


def test_the_form_says_how_many_findings_a_dismissal_would_silence(eli, fay, client_of):
    row = finding("vol-1")
    for place in ("VOL-2", "disk-3"):
        finding(place, state="snoozed")
    finding("vol-4", state="gone"), finding("vol-5", rule="gp3"), finding("vol-6", team="Data")

    def count(person, **data):
        return text(client_of(person).post(row.get_absolute_url(), {"verb": "count", "learn": "1", **data}))

    assert count(eli, quiet_account="1") == "It stays quiet about 3 findings on the list."
    assert count(eli, name_begins="vol-") == "It stays quiet about 2 findings on the list."
    assert count(fay, name_begins="vol-", for_company="1") == "It stays quiet about 3 findings on the list."
    assert count(eli, tag="keep=yes") == (
        "It stays quiet about at most 3 findings on the list: those that have the tag."
    )
    assert "at least 4 characters" in count(eli, name_begins="v")
    assert count(eli, quiet_account="1", quiet_until="<b>") == "&lt;b&gt; is no day: write it like 2026-03-31."
    assert count(eli, learn="") == ""
    row.refresh_from_db()
    assert (row.state, QuietRule.objects.exists()) == ("new", False), "counting changes nothing"
    assert 'hx-vals=\'{"verb": "count"}\'' in text(client_of(eli).get(row.get_absolute_url()))


def test_who_may_not_teach_counts_nothing(ada, client_of):
    data = {"verb": "count", "learn": "1", "quiet_account": "1"}
    assert client_of(ada).post(finding().get_absolute_url(), data).status_code == 403


def test_the_api_lists_and_answers_as_the_pages_do(lea, client_of):
    first, second = finding("vol-1"), finding("vol-2", state="gone")
    client = client_of(lea)
    (row,) = client.get(API).json()["results"]
    assert (row["what"], row["counted_saving"], row["team"]) == ("Unattached disk", "12.5", "Payments")
    answer = {"ids": [first.pk, second.pk], "verb": "accept", "assignee": "eli@demo.example", "due_day": "2099-01-01"}
    outcome = client.post(f"{API}answer/", answer, content_type="application/json").json()
    assert outcome["count"] == 1
    assert outcome["left_out"][0]["reason"] == "it is gone by itself"
    one = client.get(f"{API}{first.pk}/").json()
    assert (one["state"], one["assignee"]) == ("accepted", "eli@demo.example")
    assert one["fixes"][0]["text"] == "aws ec2 delete-volume --volume-id vol-1"
    assert one["events"][0]["verb"] == "accept"
    refused = client.post(f"{API}answer/", {"ids": [first.pk], "verb": "dismiss"}, content_type="application/json")
    assert refused.status_code == 400
    assert "Say why" in refused.json()["detail"]


def test_the_api_turns_away_who_may_not_answer(ada, ola, client_of):
    row = finding()
    data = {"ids": [row.pk], "verb": "mended"}
    assert client_of(ada).post(f"{API}answer/", data, content_type="application/json").status_code == 403
    assert client_of(ola).post(f"{API}answer/", data, content_type="application/json").json()["count"] == 0


def test_in_the_admin_findings_are_answered_by_the_same_service(eli, max_, client_of):
    row, proved = finding(), finding("vol-2", state="proved")
    data = {"action": "mark_mended", "_selected_action": [row.pk, proved.pk]}
    page = client_of(eli).post("/admin/usage/finding/", data, follow=True)
    assert "1 done, 1 left out." in text(page)
    row.refresh_from_db()
    assert (row.state, row.events.get().person) == ("mended", eli)
    assert client_of(eli).get(f"/admin/usage/finding/{row.pk}/change/").status_code == 200
    assert "Save and continue" not in text(client_of(eli).get(f"/admin/usage/finding/{row.pk}/change/"))

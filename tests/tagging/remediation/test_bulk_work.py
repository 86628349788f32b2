"""Many resources at once by one request: a tag, what is suggested, an exception, a mail to owners, a change set."""

from datetime import timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from finops_site.models import OutgoingEmail
from tagging.models import ChangeSet, Suggestion, TagException, TaggedResource, VirtualTag
from tagging.policy import bulk_results, exceptions, reminders
from tagging.policy.bulk_results import BulkRefused
from tagging.remediation import bulk_actions
from tests.tagging.remediation.test_virtual_tags import NOW, TODAY, about, shop  # noqa: F401

pytestmark = pytest.mark.django_db
RESOURCES, SUGGESTIONS = "/tagging/resources/", "/tagging/suggestions/"
MARCH = f"{RESOURCES}?month=2026-03"


def rows(*names):
    return list(
        TaggedResource.objects.filter(resource__in=names).select_related("owner", "verdict").order_by("resource")
    )


def reasons(result):
    return {left.name: left.reason for left in result.left_out}


def ids(*names):
    return [row.pk for row in rows(*names)]


def test_fay_ticks_two_resources_and_accepts_what_is_suggested(shop, client_of):  # noqa: F811
    fay = client_of(shop["fay"])
    page = fay.post(MARCH, {"verb": "accept", "pick": ids("i-99", "i-0")}, follow=True).content.decode()
    assert "4 virtual tags set" in page
    assert '<strong class="breakable">web-0</strong>: nothing is suggested for it' in page
    assert not about("i-99").exists()
    batch = VirtualTag.objects.first().batch
    assert f'name="undo" value="{batch.pk}"' in page
    assert "4 virtual tags taken back" in fay.post(MARCH, {"undo": batch.pk}, follow=True).content.decode()
    assert not VirtualTag.objects.in_force().exists()


def test_ola_cannot_undo_what_lea_did(shop, client_of):  # noqa: F811
    client_of(shop["lea"]).post(MARCH, {"verb": "accept", "pick": ids("i-99")})
    batch = VirtualTag.objects.first().batch
    assert client_of(shop["ola"]).post(MARCH, {"undo": batch.pk}).status_code == 404


def test_one_tag_on_all_that_the_filters_leave(shop, client_of):  # noqa: F811
    page = client_of(shop["fay"]).post(
        f"{MARCH}&state=wrong", {"verb": "tag", "all": "1", "key": "Team", "value": "Payments"}, follow=True
    )
    assert "Team=Payments is set on 2 resources" in page.content.decode()
    assert set(VirtualTag.objects.values_list("resource", "value")) == {("i-98", "Payments"), ("i-99", "Payments")}
    assert not Suggestion.objects.filter(tag="Team").exists()


def test_what_has_the_tag_already_is_left_out_by_name(shop):  # noqa: F811
    bulk_actions.set_tag(rows("i-99"), "Team", "Payments", user=shop["lea"], now=NOW)
    result = bulk_actions.set_tag(rows("i-98", "i-99"), "team", "Payments", user=shop["fay"], now=NOW)
    assert (result.count, reasons(result)) == (1, {"web-99": "it has this virtual tag already"})


def test_the_api_sets_a_tag_on_many_and_excepts_many_as_the_page_does(shop, client_of):  # noqa: F811
    keys = {row.resource: row.key for row in rows("i-98", "i-99")}
    url, body = "/api/v1/virtual-tags/many/", {"resource_keys": [*keys.values()], "month": "2026-03", "key": "Team"}

    def sent(name, address, **more):
        answer = client_of(shop[name]).post(address, {**body, **more}, "application/json")
        return answer.status_code, answer.json()

    status, done = sent("fay", url, value="Payments")
    assert (status, done["count"], done["left_out"]) == (200, 2, [])
    assert set(VirtualTag.objects.values_list("resource", "batch")) == {
        ("i-98", done["batch"]),
        ("i-99", done["batch"]),
    }
    assert sent("fay", url, value="Payments")[1]["left_out"][0]["reason"] == "it has this virtual tag already"
    assert sent("fay", url, key="k" * 200, value="x")[0] == 400
    assert "There is no resource 'nowhere'" in sent("fay", url, resource_keys=["nowhere"], value="x")[1]["detail"]
    assert sent("ola", url, resource_keys=[keys["i-99"]], value="x")[0] == 400, "not hers to see"
    assert sent("max", url, value="x")[0] == 403
    today = timezone.now().date()
    request = {"reason": "they end soon", "expires_on": str(today + timedelta(days=900)), "tag": ""}
    url, hers = "/api/v1/tag-exceptions/many/", [keys["i-99"]]
    assert "A year at most" in sent("lea", url, **request, resource_keys=hers)[1]["detail"]
    request["expires_on"] = str(today + timedelta(days=90))
    assert sent("lea", url, **request, resource_keys=hers)[1]["count"] == TagException.objects.count() == 1
    assert sent("ola", url, **request, resource_keys=hers)[0] == 400


def test_a_bad_tag_is_set_on_nothing(shop, client_of):  # noqa: F811
    page = client_of(shop["fay"]).post(
        MARCH, {"verb": "tag", "pick": ids("i-99"), "key": "k" * 200, "value": "x"}, follow=True
    )
    assert "200 characters" in page.content.decode()
    assert not VirtualTag.objects.exists()


def test_nothing_ticked_and_too_many_are_said(shop, client_of, monkeypatch):  # noqa: F811
    lea = client_of(shop["lea"])
    assert "Nothing is ticked" in lea.post(MARCH, {"verb": "ask"}, follow=True).content.decode()
    monkeypatch.setattr(bulk_results, "MOST_AT_ONCE", 1)
    page = client_of(shop["fay"]).post(f"{MARCH}&state=all", {"verb": "accept", "all": "1"}, follow=True)
    assert "12 resources, and 1 are the most at once: narrow the filters" in page.content.decode()
    assert not VirtualTag.objects.exists()


def test_nobody_acts_on_another_teams_resources(shop, client_of):  # noqa: F811
    tag = {"verb": "tag", "pick": ids("i-99"), "key": "Team", "value": "Data"}
    client_of(shop["ola"]).post(MARCH, tag)
    assert client_of(shop["max"]).post(MARCH, tag).status_code == 403
    assert client_of(shop["ada"]).post(MARCH, tag).status_code == 403
    assert client_of(shop["fay"]).post(MARCH, {**tag, "verb": "delete"}).status_code == 404
    assert not VirtualTag.objects.exists()


def test_max_sees_no_boxes(shop, client_of):  # noqa: F811
    page = client_of(shop["max"]).get(MARCH).content.decode()
    assert "web-99" in page
    assert 'name="pick"' not in page


def test_many_take_no_more_queries_than_one(shop):  # noqa: F811
    def queries(names, key):
        with CaptureQueriesContext(
            connection,
        ) as captured:
            bulk_actions.set_tag(rows(*names), key, "x", user=shop["fay"], now=NOW)
        return len(captured)

    queries(["i-0"], "Zero")
    assert queries([f"i-{n}" for n in range(10)], "Two") == queries(["i-1"], "One")


def test_exceptions_for_many_are_asked_of_finance_once(shop):  # noqa: F811
    ask = {"tag": "", "reason": "Is being shut down", "user": shop["lea"], "now": NOW}
    day = TODAY + timedelta(days=30)
    result = exceptions.request_exceptions(rows("i-0", "i-99"), expires_on=day, **ask)
    assert (result.count, reasons(result)) == (1, {"web-0": "it complies"})
    again = exceptions.request_exceptions(rows("i-99"), expires_on=day, **ask)
    assert (again.count, reasons(again)) == (0, {"web-99": "finance has not answered an earlier request"})
    exception = TagException.objects.get()
    assert (exception.state, exception.owner, exception.team) == ("requested", shop["lea"], rows("i-99")[0].owner)
    with pytest.raises(BulkRefused, match="in the future"):
        exceptions.request_exceptions(rows("i-99"), expires_on=TODAY, **ask)
    with pytest.raises(BulkRefused, match="Write why"):
        exceptions.request_exceptions(rows("i-99"), expires_on=day, **{**ask, "reason": " "})


def test_owners_are_asked_by_one_mail_a_week(shop):  # noqa: F811
    result = reminders.ask_owners(rows("i-0", "i-98", "i-99"), user=shop["fay"], now=NOW)
    assert (result.count, reasons(result)) == (1, {"web-0": "it complies", "web-98": "nobody owns it"})
    mails = OutgoingEmail.objects.order_by("pk")
    count = mails.count()
    assert count
    again = reminders.ask_owners(rows("i-99"), user=shop["fay"], now=NOW)
    assert reasons(again) == {"web-99": "Payments was asked this week already"}
    assert mails.count() == count


def test_a_change_set_of_what_is_virtual_on_them(shop, client_of):  # noqa: F811
    bulk_actions.set_tag(rows("i-99"), "Team", "Payments", user=shop["lea"], now=NOW)
    page = client_of(shop["lea"]).post(
        MARCH, {"verb": "change_set", "title": "Web", "pick": ids("i-99", "i-1")}, follow=True
    )
    assert "it has no virtual tag in force" in page.content.decode()
    assert ChangeSet.objects.get().changes.count() == 1


def test_suggestions_stand_by_resource_the_dearest_first(shop, client_of):  # noqa: F811
    page = client_of(shop["fay"]).get(SUGGESTIONS).content.decode()
    assert page.index("web-99") < page.index("web-98")
    assert "Accept its 4 tags → complies" in page
    all_four = ",".join(str(pk) for pk in about("i-99").order_by("tag").values_list("pk", flat=True))
    assert f'name="pick" value="{all_four}"' in page
    page = client_of(shop["lea"]).post(SUGGESTIONS, {"accept": all_four}, follow=True).content.decode()
    assert "4 virtual tags set; 1 resource complies with them" in page


def test_resources_to_fix_and_suggestions_lead_to_each_other(shop, client_of):  # noqa: F811
    fay = client_of(shop["fay"])
    assert '<a href="/tagging/suggestions/?q=i-99">4 suggestions</a>' in fay.get(MARCH).content.decode()
    assert 'href="/tagging/resources/"' in fay.get(SUGGESTIONS).content.decode()

"""What is mailed to a person with a login stands on the site as well: once, read or unread, as she wants it."""

from datetime import timedelta
from pathlib import Path

import pytest
from django.core import mail
from django.template.loader import get_template
from django.urls import reverse
from django.utils import timezone

from finops_site.mail import notifications, outbox
from finops_site.mail.emails import absolute_url, make_message
from finops_site.models import Membership, Notification, NotificationPreference, OutgoingEmail, Team
from finops_site.registry import NotificationKind, registry

pytestmark = pytest.mark.django_db
NOW = timezone.now()
PAGE, WHERE, API = "/notifications/", "/notifications/where/", "/api/v1/notifications/"
LEA = "lea@demo.example"


def queue(number, to=LEA, kind="anomalies", key="", **options):
    """A mail about what the team Payments spent."""
    team = reverse("costs:team", args=[Team.objects.get(name="Payments").pk])
    row = {"headline": f"5,000 USD more, number {number}", "amount": "5,000 USD", "scope": "Payments"}
    context = {"rows": [row], "count": 1, "url": absolute_url(team)}
    message = make_message("anomalies", to, context, kind=kind)
    return outbox.queue_email(key or f"unusual {number} to {to}", message, now=NOW, **options)


def texts(user):
    return list(Notification.objects.filter(user=user).values_list("text", flat=True))


def test_a_mail_to_lea_is_a_notification_that_leads_to_its_thing(people, lea, client_of):
    queue(1)
    client = client_of(lea)
    assert 'aria-label="Notifications, 1 unread"' in client.get("/token/").content.decode()
    page = client.get(PAGE).content.decode()
    assert "5,000 USD more, number 1" in page
    assert "Unusual costs" in page
    row = Notification.objects.get()
    answer = client.get(f"{PAGE}{row.pk}/")
    assert answer["Location"] == reverse("costs:team", args=[Team.objects.get(name="Payments").pk])
    assert 'aria-label="Notifications"' in client.get("/token/").content.decode()


def test_a_mail_that_is_queued_or_sent_again_counts_once(people, lea):
    queue(1)
    queue(1)
    queue(1, key="unusual 1, letter 2", occasion=f"unusual 1 to {LEA}")
    OutgoingEmail.objects.update(attempts=3)
    outbox.send_queued_emails(NOW)
    assert len(texts(lea)) == 1


def test_a_mail_that_is_taken_back_is_no_notification_unless_it_was_read(people, lea):
    queue(1)
    queue(2)
    notifications.mark_read(lea, NOW, [Notification.objects.get(text__endswith="2").pk])
    outbox.take_back(list(OutgoingEmail.objects.values_list("message_id", flat=True)), "the amount was raised")
    assert texts(lea) == ["5,000 USD more, number 2"]


def test_who_is_switched_off_gets_nothing_and_who_has_no_login_only_the_mail(people, lea):
    lea.is_active = False
    lea.save()
    queue(1)
    queue(1, to="partner@example.com")
    assert not Notification.objects.exists()
    outbox.send_queued_emails(NOW)
    assert [message.to for message in mail.outbox] == [["partner@example.com"]]


def test_whose_rights_ended_sees_no_figures_of_it_on_any_door(people, lea, client_of):
    queue(1)
    Membership.objects.filter(user=lea).delete()
    client = client_of(lea)
    page, answer = client.get(PAGE).content.decode(), client.get(API)
    assert str(notifications.NOT_VISIBLE) in page
    assert answer.json()["results"][0]["text"] == str(notifications.NOT_VISIBLE)
    assert "5,000" not in page + answer.content.decode()


def test_mail_that_she_switches_off_before_it_is_sent_is_not_sent(people, lea, eli, client_of):
    queue(1)
    queue(1, to=eli.email)
    kinds = [one.kind.name for one in notifications.preferences_of(lea)]
    client_of(lea).post(WHERE, {"on_site": kinds, "by_mail": [name for name in kinds if name != "anomalies"]})
    outbox.send_queued_emails(NOW)
    assert [message.to for message in mail.outbox] == [["eli@demo.example"]]
    assert "switched mail of this kind off" in OutgoingEmail.objects.get(to=LEA).server_reply
    assert len(texts(lea)) == 1, "on the site she wants it"


def test_who_leaves_before_a_mail_is_sent_gets_none_and_the_outbox_says_why(people, lea, eli, fay, ola):
    """It was written for lea and eli of Payments, and for fay, who is finance; ola stays where she is."""
    for person in (lea, eli, fay):
        queue(1, to=person.email)
    data = reverse("costs:team", args=[Team.objects.get(name="Data").pk])
    context = {"rows": [], "count": 1, "url": absolute_url(data)}
    for person in (lea, ola):
        Membership.objects.get_or_create(user=person, team=Team.objects.get(name="Data"))
        outbox.queue_email(f"data to {person}", make_message("anomalies", person.email, context), now=NOW)
    Membership.objects.filter(user=lea, team__name="Payments").delete()
    eli.groups.clear()
    fay.is_active = False
    fay.save()
    outbox.send_queued_emails(NOW)
    # What she may still see is still sent to her.
    assert sorted(message.to[0] for message in mail.outbox) == ["lea@demo.example", "ola@demo.example"]
    cancelled = OutgoingEmail.objects.filter(outcome="cancelled").order_by("to")
    assert [row.server_reply for row in cancelled] == [
        f"{eli} has not the role any more that it was for",
        f"{fay} was switched off before it was sent",
        f"{lea} may not see any more what it is about",
    ]


def test_a_mail_about_a_list_is_for_who_sees_no_less_than_when_it_was_written(people, lea, eli):
    for person in (lea, eli):
        context = {"rows": [], "count": 1, "url": absolute_url(reverse("tagging:resources") + "?team=1")}
        outbox.queue_email(f"list to {person}", make_message("anomalies", person.email, context), now=NOW)
    Membership.objects.filter(user=lea).delete()
    outbox.send_queued_emails(NOW)
    assert [message.to for message in mail.outbox] == [[eli.email]]


def test_what_she_wants_by_mail_alone_is_no_notification(people, lea):
    NotificationPreference.objects.create(user=lea, kind="anomalies", on_site=False)
    queue(1)
    assert texts(lea) == []
    outbox.send_queued_emails(NOW)
    assert len(mail.outbox) == 1


@pytest.mark.parametrize("kind", ["statement-closed", "alert-escalated"])
def test_what_somebody_must_get_cannot_be_switched_off_and_says_why(people, lea, client_of, kind):
    client = client_of(lea)
    client.post(WHERE, {})
    answer = client.put(
        "/api/v1/notification-preferences/",
        [{"kind": kind, "on_site": True, "by_mail": False}],
        content_type="application/json",
    )
    reason = notifications.kind_of(kind).always_mailed
    assert answer.status_code == 400
    assert str(reason) in answer.json()["detail"]
    assert str(reason) in client.get(WHERE).content.decode()
    NotificationPreference.objects.update(by_mail=False)
    queue(1, kind=kind)
    outbox.send_queued_emails(NOW)
    assert len(mail.outbox) == 1


def test_one_or_all_are_marked_as_read_and_nobody_elses(people, lea, ola, client_of):
    for number in (1, 2, 3):
        queue(number)
    queue(1, to=ola.email)
    client = client_of(lea)
    rows = Notification.objects.order_by("pk")
    others = rows.get(user=ola).pk
    answer = client.post(f"{API}read/", {"ids": [rows[0].pk, others]}, content_type="application/json")
    assert answer.json() == {"count": 1}
    assert len(client.get(f"{API}?is_read=false").json()["results"]) == 2
    assert "number 1" not in client.get(f"{PAGE}?state=unread&kind=anomalies").content.decode()
    client.post(PAGE)
    assert list(rows.unread().values_list("pk", flat=True)) == [others]
    assert client.get(f"{PAGE}{others}/").status_code == 404


def test_a_page_of_many_asks_for_the_rights_once(people, lea, client_of, django_assert_max_num_queries):
    for number in range(60):
        queue(number)
    client = client_of(lea)
    with django_assert_max_num_queries(12):
        page = client.get(PAGE).content.decode()
    assert "number 59" in page
    assert "after=" in page


def test_old_ones_are_removed_and_none_where_the_setting_says_so(people, lea, settings):
    queue(1)
    queue(2)
    Notification.objects.filter(text__endswith="1").update(created_at=NOW - timedelta(days=91))
    settings.FINOPS_KEEP_NOTIFICATIONS_DAYS = 0
    assert notifications.remove_old(NOW) == 0
    settings.FINOPS_KEEP_NOTIFICATIONS_DAYS = 90
    assert notifications.remove_old(NOW) == 1
    assert texts(lea) == ["5,000 USD more, number 2"]


def test_every_mail_to_people_is_a_kind_or_is_named_here():
    """A new mail is chosen by its readers: its pillar registers its kind."""
    # A saved view comes because its reader asked for it, on the page where she ends it; who sends a report to others
    # is told once when one of them leaves it.
    letters = {"invitation", "test-letter", "saved-view", "report-left"}
    folder = get_template("emails/base.html").origin.name.rpartition("/")[0]
    names = {path.name.removesuffix("-subject.txt") for path in Path(folder).glob("*-subject.txt")}
    kinds = {kind.name for kind in registry.of(NotificationKind)}
    assert names | {"alert-escalated"} == kinds | letters
    assert all(get_template(f"emails/{name}-body.txt") for name in letters)

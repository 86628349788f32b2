"""Recipients take themselves off a report by the link in its mail; its owner is told, once."""

import re
from email import message_from_bytes, policy
from urllib.parse import urlsplit

import pytest
from django.test import Client

from finops_site.models import OutgoingEmail
from programme.models import ReportDelivery, ReportRecipient
from programme.reports import runs, schedules, sending
from programme.reports.readers import NoAccess
from tests.people import signed_in
from tests.programme.reports.conftest import NOW, make_schedule

pytestmark = pytest.mark.django_db


def links_sent():
    """{recipient: the path of the link in her mail}: in its header, and in both of its texts."""
    links = {}
    for email in OutgoingEmail.objects.filter(key__startswith="scheduled report"):
        message = message_from_bytes(bytes(email.content), policy=policy.default)
        url = message["List-Unsubscribe"].strip(" <>")
        for kind in ("plain", "html"):
            assert url in message.get_body([kind]).get_content()
        links[email.to] = urlsplit(url).path
    return links


def owner_mails():
    return [email for email in OutgoingEmail.objects.all() if "left" in email.key]


def test_lea_takes_herself_off_by_the_link_and_the_button_and_fay_is_told_once(monthly, lea, fay):
    runs.make_due(NOW)
    url = links_sent()[lea.email]
    visitor = Client()
    assert "Take yourself off Monthly?" in visitor.get(url).content.decode()
    assert not ReportRecipient.objects.exclude(left_at=None).exists(), "opening it changes nothing"
    assert "You get this report no more" in visitor.post(url).content.decode()
    assert [row.user for row in ReportRecipient.objects.exclude(left_at=None)] == [lea]
    assert "That is done already" in visitor.get(url).content.decode()
    assert "That is done already" in visitor.post(url).content.decode()
    (letter,) = owner_mails()
    assert letter.to == fay.email
    assert sorted(target.to for target in sending.targets_of(monthly)) == ["max@demo.example", "ola@demo.example"]
    with pytest.raises(NoAccess, match="Lea Brandt has taken herself off"):
        sending.send_again(ReportDelivery.objects.get(user=lea), NOW)
    assert "Took themselves off" in signed_in(fay).get(monthly.get_absolute_url()).content.decode()


def test_one_who_left_stays_off_as_a_lead_and_until_she_is_chosen_again(two_months, fay, lea, max_):
    schedule = make_schedule(fay, max_, to_leads=True)
    assert schedules.leave(schedule, lea, lea.email, NOW)
    assert not schedules.leave(schedule, lea, lea.email, NOW)
    assert lea.email not in [target.to for target in sending.targets_of(schedule)]
    # fay changes something else: the form shows those who are still on it.
    schedules.save_schedule(schedule, [max_], [], NOW)
    assert lea.email not in [target.to for target in sending.targets_of(schedule)]
    schedules.save_schedule(schedule, [max_, lea], [], NOW)
    assert lea.email in [target.to for target in sending.targets_of(schedule)]


def test_somebody_without_a_login_leaves_too_and_a_changed_link_does_nothing(two_months, fay, max_):
    schedule = make_schedule(fay, max_, addresses=["board@example.org"])
    runs.make_due(NOW)
    url = links_sent()["board@example.org"]
    forged = re.sub(r"^(/.*/)(.)", r"\1x\2", url)
    assert Client().post(forged).status_code == 404
    Client().post(url)
    assert [target.to for target in sending.targets_of(schedule)] == [max_.email]
    schedule.delete()
    answer = Client().get(url)
    assert answer.status_code == 404
    assert "no longer valid" in answer.content.decode()

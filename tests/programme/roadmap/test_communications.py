"""The plan of who hears what: fay schedules a row in one click, and it shows when it is sent."""

from datetime import timedelta

import pytest
from django.utils import translation

from programme.models import Communication, ReportDelivery, ReportRun, ReportSchedule
from programme.reports import schedules
from programme.roadmap import communications, milestones, plans
from programme.roadmap.seed_plan import ninety_days
from tests.people import signed_in
from tests.programme.roadmap.conftest import START, noon

pytestmark = pytest.mark.django_db


@pytest.fixture
def row(programme):
    row = programme.communications.get()
    row.audience, row.what, row.when = "CFO", "Figures against targets", "every two weeks"
    return milestones.save_communication(row)


def page(person, url):
    return " ".join(signed_in(person).get(url).content.decode().split())


def test_fay_schedules_a_row_of_the_plan_in_one_click_and_it_says_when_it_is_sent(row, fay, max_, lea):
    url = row.programme.get_absolute_url()
    add = f"/programme/reports/schedules/add/?communication={row.pk}"
    assert "Nothing sends it by itself." in page(fay, url)
    assert add in page(fay, url)
    assert add not in page(max_, url)
    form = signed_in(fay).get(add).context["form"]
    # What the plan does not say is as in any new schedule.
    chosen = {name: form.get_initial_for_field(form.fields[name], name) for name in ("name", "kind", "every")}
    assert chosen == {"name": "CFO: Figures against targets", "kind": "update", "every": "two weeks"}
    sent = chosen | {"weekday": 0, "hour": 8, "day": 3, "time_zone": "UTC", "channel": "mail", "people": [max_.pk]}
    assert signed_in(fay).post(add, sent).status_code == 302
    schedule = ReportSchedule.objects.get()
    row.refresh_from_db()
    assert row.schedule_name == schedule.name == "CFO: Figures against targets"
    assert "next 16 Mar 2026" in page(max_, url)
    assert "not sent yet" in page(max_, url)
    run = ReportRun.objects.create(
        schedule=schedule, kind="update", due_at=noon(START), start=START - timedelta(days=14), end=START, state="done"
    )
    ReportDelivery.objects.create(run=run, to=max_.email, user=max_, state="sent", sent_at=noon(START))
    assert "last sent 2 Mar 2026" in page(max_, url)
    assert schedule.get_absolute_url() in page(max_, url)
    # lea may read the plan, and not the page of the schedule.
    assert "last sent 2 Mar 2026" in page(lea, url)
    assert schedule.get_absolute_url() not in page(lea, url)


def test_a_schedule_that_is_renamed_stays_that_of_the_row_and_one_that_is_deleted_is_said_to_be_gone(row, fay):
    schedule = schedules.save_schedule(ReportSchedule(owner=fay, name="Update", kind="update"), [fay], [], noon(START))
    row.schedule_name = "Update"
    milestones.save_communication(row)
    schedule.name = "Update for the CFO"
    schedules.save_schedule(schedule, [fay], [], noon(START))
    (shown,) = communications.communication_rows(row.programme)
    assert (shown.schedule, shown.is_gone) == (schedule, False)
    schedule.delete()
    assert "There is no schedule Update for the CFO any more." in page(fay, row.programme.get_absolute_url())


def test_nobody_schedules_a_row_of_a_programme_that_has_ended(row, fay):
    plans.end(row.programme, START + timedelta(days=1))
    add = f"/programme/reports/schedules/add/?communication={row.pk}"
    assert add not in page(fay, row.programme.get_absolute_url())
    sent = {
        "name": "Late",
        "kind": "update",
        "every": "two weeks",
        "hour": 8,
        "weekday": 0,
        "day": 3,
        "channel": "mail",
    }
    answer = signed_in(fay).post(add, sent | {"time_zone": "UTC", "people": [fay.pk]})
    assert "its plan stays as it was" in answer.content.decode()
    assert not ReportSchedule.objects.exists(), "not half of it"


@pytest.mark.parametrize("language", ["en", "de", "fr"])
def test_rows_of_the_plan_of_the_product_propose_their_rhythm_in_every_language(language):
    with translation.override(language):
        plan = ninety_days()
    proposed = [communications.proposed_schedule(Communication(**row)) for row in plan["communications"]]
    assert [(one["every"], one["to_leads"]) for one in proposed[:3]] == [
        ("two weeks", False),
        ("week", True),
        ("month", False),
    ]
    assert [one["channel"] for one in proposed[:3]] == ["mail", "mail", "slack"]

"""``manage.py send_reports``: fay's schedules by hand, and each report once whoever runs it."""

import json
from io import StringIO

import pytest
from django.core.management import call_command

from finops_site.ops.commands import BadInput
from programme.models import ReportDelivery, ReportRun
from programme.reports import runs, schedules
from tests.programme.reports.conftest import NOW

pytestmark = pytest.mark.django_db


def send(**options):
    out = StringIO()
    call_command("send_reports", json=True, stdout=out, **options)
    return json.loads(out.getvalue())


def test_a_dry_run_lists_what_is_due_and_the_run_sends_it_once(monthly):
    shown = send(as_of="2026-04-03", dry_run=True)
    (row,) = shown["schedules"]
    assert (row["name"], row["state"], row["due_at"]) == ("Monthly", "due", "2026-04-03T08:00:00+00:00")
    assert (row["from"], row["to"], row["next_due"]) == ("2026-03-01", "2026-03-31", "2026-05-03T08:00:00+00:00")
    assert sorted(row["recipients"]) == ["lea@demo.example", "max@demo.example", "ola@demo.example"]
    assert not ReportRun.objects.exists()
    sent = send(as_of="2026-04-03", schedule="Monthly")
    assert (sent["runs_made"], sent["mails_queued"], sent["schedules"][0]["state"]) == (1, 3, "done")
    again = send(as_of="2026-04-03")
    assert (again["runs_made"], again["mails_queued"], again["schedules"][0]["state"]) == (0, 0, "done")
    runs.make_due(NOW)
    assert ReportDelivery.objects.count() == 3


def test_what_is_paused_or_not_due_is_said_to_be_so(monthly):
    assert send(as_of="2026-03-02", dry_run=True)["schedules"][0]["state"] == "nothing due"
    schedules.pause(monthly)
    assert send(as_of="2026-04-03")["schedules"][0]["state"] == "paused"
    assert not ReportRun.objects.exists()


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({"as_of": "soon"}, "is not a day"),
        ({"as_of": "2999-01-01"}, "is not over"),
        ({"schedule": "Weekly"}, "there is no schedule 'Weekly'"),
    ],
)
def test_bad_input_is_refused_in_one_line(monthly, options, reason):
    with pytest.raises(BadInput, match=reason):
        send(**options)

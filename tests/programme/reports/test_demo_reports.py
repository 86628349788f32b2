"""The demo company's schedules, what they sent, and that all of it goes with the demo."""

from datetime import date

import pytest

from finops_site.people.demo_rows import made_as_demo
from programme.models import MadeReport, ReportDelivery, ReportRun, ReportSchedule
from programme.reports import demo

pytestmark = pytest.mark.django_db


def test_the_demo_has_schedules_and_what_two_of_them_sent_and_leaves_nothing(two_months):
    with made_as_demo():
        demo.make_reports(print, as_of=date(2026, 4, 6))
        demo.make_reports(print, as_of=date(2026, 4, 6))
    assert sorted(ReportDelivery.objects.values_list("run__kind", "to")) == [
        ("quarterly", "max@demo.example"),
        ("update", "lea@demo.example"),
        ("update", "max@demo.example"),
    ]
    assert demo.counts() == [("schedules of reports", 3, 0), ("reports that were made", 3, 0)]
    demo.remove_reports()
    demo.remove_reports()
    assert not any(model.objects.exists() for model in (ReportSchedule, ReportRun, MadeReport))

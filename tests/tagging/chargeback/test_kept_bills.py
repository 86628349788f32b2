"""The bills that closed statements stand on keep their files, however old they are."""

from datetime import UTC, datetime, timedelta

import pytest
from django.utils import timezone

from costs import retention
from costs.models import Delivery
from tagging.chargeback import closing
from tagging.chargeback.periods import deliveries_behind_statements
from tests.tagging.chargeback.helpers import NOW, bill, company, drafts, split_support, usual

pytestmark = pytest.mark.django_db

DAY = timedelta(days=1)


def version(folder, moment, **costs):
    """A bill of March that came at this moment."""
    delivery = bill(folder, usual(**costs))
    Delivery.objects.filter(pk=delivery.pk).update(received_at=moment, order_at=moment, loaded_at=moment)
    return delivery


def has_files(delivery):
    return delivery.folder.exists()


def test_a_closed_month_keeps_the_bill_it_was_closed_with(people, fay, tmp_path):
    split_support(company())
    earlier = version(tmp_path, NOW - 2 * DAY, payments="90")
    closed_with = version(tmp_path, NOW - DAY, payments="95")
    march = drafts()["2026-03"]
    closing.close_month(march, fay, seen=march.fingerprint, now=NOW)
    later = [version(tmp_path, NOW + number * DAY, payments=f"10{number}") for number in (1, 2, 3)]
    retention.prune_files(timezone.now())
    assert [has_files(delivery) for delivery in (earlier, closed_with, *later)] == [False, True, False, True, True]
    row = retention.retention_of(Delivery.objects.get(pk=closed_with.pk))
    assert row.reason == "the closed statements of March 2026 stand on it"


def test_a_later_month_keeps_the_bills_that_its_corrections_stand_on(people, fay, tmp_path):
    split_support(company())
    closed_with = version(tmp_path, NOW - DAY, payments="95")
    march = drafts()["2026-03"]
    closing.close_month(march, fay, seen=march.fingerprint, now=NOW)
    corrected = version(tmp_path, NOW + 10 * DAY, payments="96")
    bill(tmp_path, usual(month="2026-04"), source="other")
    in_may = datetime(2026, 5, 5, 12, tzinfo=UTC)
    Delivery.objects.filter(source__name="other").update(received_at=in_may - DAY, loaded_at=in_may - DAY)
    april = drafts()["2026-04"]
    closing.close_month(april, fay, seen=april.fingerprint, now=in_may, without_missing=True)
    later = [version(tmp_path, in_may + number * DAY, payments=f"10{number}") for number in (1, 2, 3)]
    retention.prune_files(timezone.now())
    assert has_files(closed_with)
    assert has_files(corrected)
    assert [has_files(delivery) for delivery in later] == [False, True, True]


def test_a_draft_protects_nothing(people, tmp_path):
    split_support(company())
    old = version(tmp_path, NOW - DAY)
    drafts()
    assert deliveries_behind_statements(None) == {}
    for number in (1, 2):
        version(tmp_path, NOW + number * DAY, payments=f"10{number}")
    retention.prune_files(timezone.now())
    assert not has_files(old)

"""The database writes the log: every row of every way to write one, who did it, and nothing that is secret."""

from decimal import Decimal

import pytest
from django.db import connection, transaction

from costs.models import Pool
from finops_site.audit.context import as_acting
from finops_site.audit.declared import audited_models, models_without_audit, undeclared_models
from finops_site.audit.triggers import tables_without_trigger
from finops_site.models import AuditEntry, Team
from tagging.models import Metric, MetricValue

pytestmark = pytest.mark.django_db


def entries(model):
    return AuditEntry.objects.filter(model=model._meta.label_lower).order_by("id")


def test_every_table_is_audited_or_says_why_not():
    assert undeclared_models() == []
    assert set(audited_models()) & set(models_without_audit()) == set()
    assert all(len(reason) > 15 for reason in models_without_audit().values())
    assert tables_without_trigger() == []


def test_a_row_that_is_made_changed_and_deleted_has_three_entries_with_before_and_after(ada):
    with as_acting("page", "/teams/", person=ada, address="203.0.113.9"):
        team = Team.objects.create(name="Search", cost_center="CC-9")
        team.cost_center = "CC-10"
        team.save()
        team.delete()
    made, changed, deleted = AuditEntry.objects.filter(model="finops_site.team", name="Search").order_by("id")
    assert made.changes["name"] == [None, "Search"]
    assert changed.changes == {"cost_center": ["CC-9", "CC-10"]}
    assert deleted.changes["cost_center"] == ["CC-10", None]
    assert [entry.action for entry in (made, changed, deleted)] == ["insert", "update", "delete"]
    assert {(entry.who, entry.actor_id, entry.door, entry.address) for entry in (made, changed, deleted)} == {
        (ada.email, ada.pk, "page", "203.0.113.9")
    }


def test_bulk_and_sql_are_seen_row_by_row_and_amounts_keep_their_digits(ada):
    metric = Metric.objects.create(name="Orders")
    with as_acting("task", "nightly", person=ada):
        MetricValue.objects.bulk_create(
            [MetricValue(metric=metric, day=f"2026-03-0{n}", value=Decimal("1234567890.123456")) for n in (1, 2, 3)]
        )
        MetricValue.objects.filter(metric=metric).update(value=7)
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM tagging_metricvalue WHERE day < '2026-03-03'")
    of = [(entry.action, entry.door, entry.through) for entry in entries(MetricValue)]
    by_task = [("insert", "task", "nightly")] * 3 + [("update", "task", "nightly")] * 3
    assert of == [*by_task, *[("delete", "database", "")] * 2]
    assert entries(MetricValue)[0].changes["value"][1].startswith("1234567890.123456")
    assert Decimal(entries(MetricValue)[3].changes["value"][1]) == 7


def test_who_acts_survives_a_savepoint_that_is_rolled_back(ada):
    with as_acting("page", "/x/", person=ada):
        try:
            with transaction.atomic():
                Pool.objects.create(name="undone")
                raise RuntimeError
        except RuntimeError:
            pass
        Pool.objects.create(name="kept")
    assert [(entry.name, entry.who) for entry in entries(Pool)] == [("kept", ada.email)]

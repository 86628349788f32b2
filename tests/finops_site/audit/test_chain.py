"""Entries are sealed in a chain that a change or a gap breaks, sent on whole, and taken out by one way only."""

import json
import socket
import threading
from datetime import timedelta

import pytest
from django.contrib.auth.models import Group
from django.core.management import call_command
from django.db import DatabaseError, connection, transaction
from django.db.models import Q
from django.utils import timezone

from costs.models import Pool
from finops_site.audit import chain, stream, upkeep
from finops_site.audit.context import as_acting
from finops_site.models import AuditEntry, AuditStream, User
from finops_site.ops import audit_health
from finops_site.people import erasure
from finops_site.registry import HealthState, NightlyCheckFailed

pytestmark = pytest.mark.django_db


@pytest.fixture
def entries(ada):
    """Five pools that ada made, sealed, after whatever the database had."""
    with as_acting("page", "/pools/", person=ada, address="203.0.113.7"):
        pools = [Pool.objects.create(name=f"Pool {number}") for number in range(5)]
    chain.seal()
    return [AuditEntry.objects.about(pool).get() for pool in pools]


def as_ruler_of_the_database(sql, *values):
    """What who rules the database can do: he disables the trigger that forbids it."""
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL session_replication_role = replica")
        cursor.execute(sql, values)
        cursor.execute("SET LOCAL session_replication_role = origin")


@pytest.mark.parametrize(
    "sql",
    [
        "UPDATE finops_site_auditentry SET who = 'eli@demo.example'",
        "UPDATE finops_site_auditentry SET number = NULL",
        "DELETE FROM finops_site_auditentry",
        "TRUNCATE finops_site_auditentry",
    ],
)
def test_the_log_refuses_to_be_changed(entries, sql):
    with pytest.raises(DatabaseError, match="append-only"), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(sql)


def test_a_whole_chain_is_verified_in_steps_as_at_once(entries):
    verified = chain.verify()
    assert verified.problem == ""
    assert verified.entries == AuditEntry.objects.count() >= 5
    assert verified == chain.verify(limit=2)
    assert entries[1].number == entries[0].number + 1


def test_an_entry_that_was_altered_is_named(entries):
    as_ruler_of_the_database("UPDATE finops_site_auditentry SET who = 'eli@x' WHERE id = %s", entries[2].pk)
    assert f"entry {entries[2].pk} was altered" in chain.verify().problem
    with pytest.raises(NightlyCheckFailed, match="was altered"):
        audit_health.check_nightly(timezone.now().date())
    with pytest.raises(SystemExit):
        call_command("audit_log", verify=True)


def test_an_entry_that_was_altered_with_its_digest_breaks_the_chain(entries):
    as_ruler_of_the_database("UPDATE finops_site_auditentry SET who = 'eli@x' WHERE id = %s", entries[2].pk)
    as_ruler_of_the_database(
        "UPDATE finops_site_auditentry e SET digest = finops_audit_digest(e) WHERE id = %s", entries[2].pk
    )
    assert f"broken at number {entries[2].number}" in chain.verify().problem


def test_an_entry_that_was_taken_out_leaves_a_gap(entries):
    as_ruler_of_the_database("DELETE FROM finops_site_auditentry WHERE id = %s", entries[1].pk)
    assert "missing before number" in chain.verify().problem


def test_a_trigger_that_somebody_disabled_is_found_in_the_night():
    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE costs_pool DISABLE TRIGGER finops_audit_update")
    with pytest.raises(NightlyCheckFailed, match="costs_pool"):
        audit_health.check_nightly(timezone.now().date())


def test_a_person_is_erased_and_the_chain_still_holds(entries, ada):
    other = User.objects.create_user("ann@demo.example")
    other.groups.add(Group.objects.get(name="administrator"))
    erasure.erase(ada)
    assert not AuditEntry.objects.filter(Q(who=ada.email) | Q(changes__icontains=ada.email)).exists()
    assert not AuditEntry.objects.filter(address="203.0.113.7").exists()
    assert AuditEntry.objects.get(pk=entries[0].pk).actor_id == ada.pk
    assert chain.verify().problem == ""
    as_ruler_of_the_database("UPDATE finops_site_auditentry SET name = 'other' WHERE id = %s", entries[0].pk)
    assert "was altered" in chain.verify().problem


def test_old_entries_are_cleared_only_where_that_is_set_and_the_chain_goes_on(entries, settings):
    in_a_year = timezone.now() + timedelta(days=365)
    assert upkeep.clear_old(in_a_year) == 0
    settings.FINOPS_KEEP_AUDIT_DAYS = 30
    as_ruler_of_the_database(
        "UPDATE finops_site_auditentry SET at = at - interval '40 days' WHERE id < %s", entries[3].pk
    )
    assert upkeep.clear_old(timezone.now()) == entries[3].number - 1
    chain.seal()
    assert AuditEntry.objects.order_by("number").first().pk == entries[3].pk
    assert chain.verify().problem == ""


def test_a_file_has_every_entry_once_and_goes_on_where_it_was(entries, settings, tmp_path):
    settings.FINOPS_AUDIT_STREAM = str(tmp_path / "audit.jsonl")
    stream.send_on(timezone.now())
    Pool.objects.create(name="Later")
    assert stream.send_on(timezone.now()) == 1
    lines = [json.loads(line) for line in (tmp_path / "audit.jsonl").read_text().splitlines()]
    assert [line["number"] for line in lines] == list(range(1, len(lines) + 1))
    assert lines[-1]["changes"]["name"] == [None, "Later"]
    assert lines[-1]["hash"] == chain.last_sealed()[1]


def test_syslog_that_is_down_loses_nothing_and_gets_all_when_it_is_back(entries, settings):
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    settings.FINOPS_AUDIT_STREAM = f"syslog://127.0.0.1:{port}"
    with pytest.raises(stream.StreamProblem):
        stream.send_on(timezone.now())
    assert AuditStream.objects.get().number == 0
    assert audit_health.statuses(timezone.now())[-1].state is HealthState.BROKEN
    got = []
    with socket.create_server(("127.0.0.1", port)) as server:
        receiver = threading.Thread(target=lambda: got.append(read_all(server)), daemon=True)
        receiver.start()
        sent = stream.send_on(timezone.now())
        receiver.join(10)
    messages = frames(got[0])
    assert len(messages) == sent == AuditEntry.objects.exclude(number=None).count()
    assert messages[-1].startswith(b"<110>1 ")
    assert json.loads(messages[-1].partition(stream.MARK)[2])["name"] == "Pool 4"
    assert stream.waiting() == 0


def read_all(server):
    peer, _address = server.accept()
    with peer:
        parts = []
        while part := peer.recv(65536):
            parts.append(part)
    return b"".join(parts)


def frames(data):
    """The messages of a stream that is framed by length (RFC 6587)."""
    messages = []
    while data:
        length, _blank, rest = data.partition(b" ")
        messages.append(rest[: int(length)])
        data = rest[int(length) :]
    return messages


def test_the_command_prints_json_lines_since_a_day(entries, capsys, ada):
    call_command("audit_log", since="2020-01-01", who=ada.email, json=True)
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [line["name"] for line in lines if line["model"] == "costs.pool"] == [f"Pool {n}" for n in range(5)]

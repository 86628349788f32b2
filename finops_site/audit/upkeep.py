"""What alone may take something out of the audit log: the erasure of a person, and clearing what is too old.

Both are entries of the log themselves, so that the chain can still be counted (chain.py).
"""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.db import connection, transaction

from finops_site.audit import chain
from finops_site.audit.events import record
from finops_site.models import AuditEntry

ERASED = "(erased)"
ERASE = """
UPDATE finops_site_auditentry e SET
    who = CASE WHEN actor_id = %(pk)s THEN '' ELSE who END,
    address = CASE WHEN actor_id = %(pk)s OR lower(name) = lower(%(email)s) THEN NULL ELSE address END,
    through = CASE WHEN actor_id = %(pk)s OR lower(name) = lower(%(email)s) THEN '' ELSE through END,
    name = CASE WHEN name = ANY (%(names)s) OR lower(name) = lower(%(email)s)
        OR (model = %(model)s AND object_pk = %(pk)s::text) THEN %(erased)s ELSE name END,
    changes = CASE WHEN model = %(model)s AND object_pk = %(pk)s::text THEN '{}'::jsonb ELSE changes END
WHERE actor_id = %(pk)s OR name = ANY (%(names)s) OR lower(name) = lower(%(email)s)
    OR (model = %(model)s AND object_pk = %(pk)s::text)
"""


@contextmanager
def rewriting(name: str) -> Iterator[None]:
    """Entries may be rewritten meanwhile, to erase somebody: names, values, who, through and address, nothing else.

    The log says that it was done (`name`), and by its sha256 what each of them has become.
    """
    with transaction.atomic():
        _wait_for_chain()
        chain.seal()
        _allow("erase")
        yield
        _allow("")
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT id, encode(finops_audit_digest(e), 'hex') FROM finops_site_auditentry e "
                "WHERE digest <> finops_audit_digest(e)"
            )
            digests = {str(pk): digest for pk, digest in cursor.fetchall()}
        record(AuditEntry.Action.ERASE, name=name, changes={"entries": (None, digests)})
        # With the entry that explains it, or the check of this night would find what was changed.
        chain.seal()


def erase_person(user: Any) -> int:
    """Takes a person's address, name and network addresses out of every entry; returns of how many.

    That somebody (her number) did it stays, and what was done. What others wrote about her in texts stays too.
    """
    values = {"pk": user.pk, "email": user.email, "model": user._meta.label_lower, "erased": ERASED}
    with rewriting(f"person {user.pk}"), connection.cursor() as cursor:
        cursor.execute(ERASE, values | {"names": [name for name in (user.email, user.name) if name]})
        count = cursor.rowcount
        cursor.execute("SELECT to_regclass('auditlog_logentry')")
        if cursor.fetchone()[0]:
            # The log of before, which nothing reads any more.
            cursor.execute(
                "DELETE FROM auditlog_logentry WHERE actor_id = %(pk)s OR changes::text ILIKE %(like)s",
                {"pk": user.pk, "like": f"%{user.email}%"},
            )
    return count


@transaction.atomic
def clear_old(now: datetime) -> int:
    """Deletes what is older than FINOPS_KEEP_AUDIT_DAYS (0: nothing), the oldest numbers first; returns how many."""
    days = settings.FINOPS_KEEP_AUDIT_DAYS
    if days <= 0:
        return 0
    _wait_for_chain()
    young = AuditEntry.objects.filter(at__gte=now - timedelta(days=days)).exclude(number=None)
    first = young.order_by("number").values_list("number", flat=True).first()
    old = AuditEntry.objects.exclude(number=None)
    last = (old if first is None else old.filter(number__lt=first)).order_by("-number").first()
    # A chain of nothing could not go on: the last one stays.
    if last is None or first is None:
        return 0
    _allow("clear")
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM finops_site_auditentry WHERE number <= %s", [last.number])
        count = cursor.rowcount
    _allow("")
    changes = {"cleared": (last.number, None), "hash": (bytes(last.hash or b"").hex(), None)}
    record(AuditEntry.Action.CLEAR, name=f"{count} entries", changes=changes)
    return count


def _wait_for_chain() -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(hashtext(%s))", [chain.LOCK])


def _allow(what: str) -> None:
    """Tells the trigger that guards the log what this transaction may do; empty: nothing any more."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT set_config('finops.audit_upkeep', %s, true)", [what])

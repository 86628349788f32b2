"""What alone may take something out of the audit log: the erasure of a person (people/erasure.py), and clearing what
is too old.

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


def forget_addresses(user: Any) -> None:
    """Takes the network addresses out of a person's entries; inside of `rewriting`."""
    AuditEntry.objects.filter(actor=user.pk).exclude(address=None).update(address=None)


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

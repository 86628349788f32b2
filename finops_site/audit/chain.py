"""The chain: each entry sealed with the hash of the one before, so that none can be changed or taken away unseen.

It is made every minute of what is committed, and not by the triggers: a chain in them would make every writer wait for
the one before, bulk or not. Numbers are given here, without gaps, in the order of sealing: an entry whose transaction
took long comes after others with greater ids, and is never passed over. What was not sealed yet can be altered unseen
by who rules the database; the page and Health say until when it is sealed. Who rules the database could make the whole
chain anew as well: the last hash stands in what is streamed elsewhere (stream.py) and in each night's result.
"""

from dataclasses import dataclass
from datetime import datetime

from django.db import connection, transaction
from django.db.models import Min

from finops_site.models import AuditEntry

START = b"\0" * 32
AT_ONCE = 20_000
LOCK = "finops audit chain"

SEAL = """
WITH before AS (SELECT coalesce(max(number), 0) AS number FROM finops_site_auditentry),
last AS (SELECT e.hash FROM finops_site_auditentry e JOIN before USING (number)),
todo AS (
    SELECT e.id, finops_audit_digest(e) AS digest FROM finops_site_auditentry e
    WHERE e.number IS NULL ORDER BY e.id LIMIT %s
),
linked AS (
    SELECT id, digest, row_number() OVER (ORDER BY id) + (SELECT number FROM before) AS number,
        finops_audit_chain(digest, coalesce((SELECT hash FROM last), %s)) OVER (ORDER BY id) AS hash
    FROM todo
)
UPDATE finops_site_auditentry e SET number = l.number, digest = l.digest, hash = l.hash FROM linked l WHERE e.id = l.id
"""

# What an entry should be, beside what it is; `before` is the hash of the one in front of the first.
VERIFY = """
SELECT count(*), max(number),
    min(number) FILTER (WHERE number <> expected), min(number) FILTER (WHERE hash <> expected_hash),
    array_agg(id ORDER BY number) FILTER (WHERE digest <> content),
    (array_agg(hash ORDER BY number DESC))[1]
FROM (
    SELECT e.id, e.number, e.hash, e.digest, finops_audit_digest(e) AS content,
        row_number() OVER (ORDER BY e.number) + %(after)s AS expected,
        finops_audit_chain(e.digest, %(before)s) OVER (ORDER BY e.number) AS expected_hash
    FROM (SELECT * FROM finops_site_auditentry WHERE number > %(after)s ORDER BY number LIMIT %(limit)s) e
) entries
"""


@dataclass(frozen=True, slots=True)
class Verification:
    """What a check found: how many entries, the last number and hash; `problem` is empty if all is well."""

    entries: int
    number: int
    hash: str
    problem: str = ""


def seal(limit: int = AT_ONCE) -> int:
    """Seals what is committed and not sealed, the oldest first; returns how many. One process at a time does it."""
    sealed = 0
    while True:
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute("SELECT pg_try_advisory_xact_lock(hashtext(%s))", [LOCK])
            if not cursor.fetchone()[0]:
                return sealed
            cursor.execute("SET LOCAL finops.audit_upkeep = 'seal'")
            cursor.execute(SEAL, [limit, START])
            count = cursor.rowcount
            cursor.execute("SET LOCAL finops.audit_upkeep = ''")
        sealed += count
        if count < limit:
            return sealed


def sealed_until() -> datetime | None:
    """The time before which every entry is sealed; None while there is nothing to seal."""
    return waiting_since() or last_sealed_at()


def last_sealed_at() -> datetime | None:
    """Of when the entry is that was sealed last."""
    sealed = AuditEntry.objects.exclude(number=None).order_by("-number")
    return sealed.values_list("at", flat=True).first()


def waiting_since() -> datetime | None:
    """Of when the oldest entry is that is not sealed; None where all are."""
    return AuditEntry.objects.filter(number=None).aggregate(oldest=Min("at"))["oldest"]


def last_sealed() -> tuple[int, str]:
    """The number and the hash of the entry that was sealed last; 0 where there is none."""
    last = AuditEntry.objects.exclude(number=None).order_by("-number").first()
    return (last.number or 0, bytes(last.hash or b"").hex()) if last else (0, "")


def verify(limit: int = AT_ONCE) -> Verification:
    """Counts every number, digest and hash anew, in their order."""
    after, before, problem = _start()
    entries, erased = 0, _erased()
    while True:
        with connection.cursor() as cursor:
            cursor.execute(VERIFY, {"after": after, "before": before, "limit": limit})
            count, last, gap, broken, altered, hash_ = cursor.fetchone()
        if not count:
            break
        entries += count
        # What a person was erased from has another content, and that one is in the chain too (upkeep.py).
        altered = [pk for pk in altered or [] if erased.get(pk) != _content(pk)]
        problem = problem or _problem(gap, broken, altered)
        after, before = last, hash_
    return Verification(entries, after, bytes(before).hex(), problem)


def _problem(gap: int | None, broken: int | None, altered: list[int]) -> str:
    if altered:
        return f"entry {altered[0]} was altered after it was sealed ({len(altered)} in all)"
    if gap:
        return f"an entry is missing before number {gap}"
    return f"the chain is broken at number {broken}" if broken else ""


def _start() -> tuple[int, bytes, str]:
    """Behind which number the chain begins, with which hash, and what is wrong with that: as the last clearing says."""
    first = AuditEntry.objects.exclude(number=None).order_by("number").values_list("number", flat=True).first()
    cleared = AuditEntry.objects.filter(action=AuditEntry.Action.CLEAR).order_by("-id").first()
    if cleared is None:
        return 0, START, ""
    number, hash_ = cleared.changes["cleared"][0], bytes.fromhex(cleared.changes["hash"][0])
    missing = first is not None and first != number + 1
    return number, hash_, f"an entry is missing before number {first}" if missing else ""


def _erased() -> dict[int, str]:
    """{id of an entry that a person was erased from: the digest of what it became}, from sealed entries alone."""
    rows = AuditEntry.objects.filter(action=AuditEntry.Action.ERASE).exclude(number=None).order_by("id")
    digests: dict[int, str] = {}
    for changes in rows.values_list("changes", flat=True):
        digests |= {int(pk): digest for pk, digest in changes.get("entries", [None, {}])[1].items()}
    return digests


def _content(pk: int) -> str:
    with connection.cursor() as cursor:
        cursor.execute("SELECT finops_audit_digest(e) FROM finops_site_auditentry e WHERE id = %s", [pk])
        return bytes(cursor.fetchone()[0]).hex()

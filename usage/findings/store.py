"""Stores what an evaluation saw: new findings, renewed ones, what is back, and what is gone by itself."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import duckdb
from django.db import connection, transaction
from django.utils.translation import gettext as _

from costs.formats.sql import literal
from costs.ingest.postgres_copy import copy_across, copy_out
from costs.models import DeliveryMonth
from finops_site.ops.locks import wait_for
from usage.calc.candidates import BILL_TABLES, RESOURCE_KEY
from usage.calc.charge_facts import same_resource
from usage.calc.facts import RESOURCE
from usage.calc.rules.base import Rule
from usage.models import Finding

State = Finding.State
LOCK = "usage findings"
# The tables that the SELECT of a rule names.
TABLE_READ = re.compile(r"\b(?:FROM|JOIN)\s+(\w+)", re.IGNORECASE)
# The kinds of things of an inventory that it asks for.
KIND_READ = re.compile(r"\bkind = '(\w+)'")
# What is closed where it is not seen again; what somebody mended or dismissed is not.
WAITING = (State.NEW, State.ACCEPTED, State.BACK, State.SNOOZED)
CLOSED = (*WAITING, State.QUIET)
# {column of the temporary table: its type and the SQL of DuckDB, `c` being a candidate, `r` its resource}.
SEEN = {
    "rule": ("varchar", "c.rule"),
    "key": ("varchar", "c.key"),
    "resource_key": ("varchar", "c.resource_key"),
    **{name: ("varchar", f"c.{name}") for name in RESOURCE},
    "part": ("varchar", "c.part"),
    "resource_name": ("varchar", "left(coalesce(nullif(r.name, ''), i.name, ''), 1000)"),
    "service": ("varchar", "left(coalesce(r.service, ''), 300)"),
    "environment": ("varchar", "left(coalesce(r.environment, ''), 200)"),
    "owner_id": ("bigint", "r.owner"),
    "lever": ("smallint", "c.lever"),
    "effort": ("varchar", "c.effort"),
    "risk": ("varchar", "c.risk"),
    "confidence": ("varchar", "c.confidence"),
    "currency": ("varchar", "c.currency"),
    "monthly_cost": ("numeric", "c.monthly_cost"),
    "saving": ("numeric", "c.saving"),
    "counted_saving": ("numeric", "d.counted"),
    "evidence": ("jsonb", "coalesce(c.evidence, '{}')"),
    "target": ("jsonb", "coalesce(c.target, '{}')"),
    "sources": ("jsonb", "to_json(c.sources)"),
    "after_key": ("varchar", "d.after_key"),
    "last_day": ("date", "r.last_day"),
}
STORED = [name for name in SEEN if name not in ("after_key", "last_day")]
RENEWED = [name for name in STORED if name not in ("rule", "key", "resource_key", *RESOURCE, "part")]


@dataclass(frozen=True, slots=True)
class Outcome:
    """How many findings are new, were there before, are back, reopened by their day, and gone by themselves."""

    new: int
    renewed: int
    back: int
    reopened: int
    gone: int


def read_standing(db: duckdb.DuckDBPyConnection) -> None:
    """`standings` (key, standing): what people decided, by which savings are resolved; see usage.calc.resolution."""
    db.execute("CREATE OR REPLACE TABLE standings (key VARCHAR, standing INTEGER)")
    first = {State.MENDED: 0, State.PROVED: 0, State.SNOOZED: 2, State.DISMISSED: 2}
    rows = Finding.objects.filter(state__in=first).order_by().values_list("key", "state")
    decided = [(key, first[State(state)]) for key, state in rows.iterator(chunk_size=10_000)]
    if decided:
        db.execute(
            "INSERT INTO standings SELECT unnest($1::VARCHAR[]), unnest($2::INTEGER[])",
            [[key for key, _standing in decided], [standing for _key, standing in decided]],
        )


def store_findings(
    db: duckdb.DuckDBPyConnection, *, rules: Sequence[Rule], as_of: date, first_day: date | None, scratch: Path
) -> Outcome:
    """Stores the `candidates` and what is `resolved` of them, in one transaction.

    Of `rules`, those that judged, what was not seen again is gone by itself, on accounts of which all is there that
    the rule needs: what other rules saw stays as it is, and so does what is on an account of which nothing new is
    known.
    What is `hushed` is neither gone nor seen: it is kept apart until no quiet rule is about it.
    """
    judged, unlisted, departed = _judged(db, rules), _unlisted(db, rules), _departed(db, scratch / "waiting.csv")
    facts_there = [
        (table, account)
        for table in ("metrics", "inventory")
        for (account,) in db.execute(f"SELECT DISTINCT coalesce(account, '') FROM {table}").fetchall()
    ]
    with transaction.atomic():
        wait_for(LOCK)
        _copy_seen(db, scratch)
        _copy_names("judged", ("rule", "account"), judged)
        _copy_names("unlisted", ("rule", "account", "region"), unlisted)
        _copy_names("facts_there", ("kind", "account"), facts_there)
        _copy_names("hushed", ("key",), db.execute("SELECT DISTINCT key FROM hushed").fetchall())
        back = _reopen_mended(as_of, first_day)
        reopened = _reopen(as_of)
        renewed = _renew(as_of)
        new = _insert_new(as_of)
        _keep_quiet()
        gone = _close_gone(departed)
        _note_unseen()
        _link()
    return Outcome(new, renewed, back, reopened, gone)


def _judged(db: duckdb.DuckDBPyConnection, rules: Sequence[Rule]) -> list[tuple[str, str]]:
    """(rule, account) of all that was judged: an account is, where what the rule reads and needs is there of it.

    An account whose bill is too old is not judged by a rule that reads bills, whatever an inventory lists. One that no
    bill names is judged by its inventory, if the rule reads that.
    """
    stale, fresh = _billed_accounts(db, is_stale=True), _billed_accounts(db, is_stale=False)
    known = {
        table: {account for (account,) in db.execute(f"SELECT DISTINCT coalesce(account, '') FROM {table}").fetchall()}
        for table in ("metrics", "inventory", "provider_advice")
    }
    pairs = []
    for rule in rules:
        tables = set(TABLE_READ.findall(rule.sql))
        accounts = set(fresh)
        if "inventory" in tables:
            accounts |= known["inventory"] - stale if tables & BILL_TABLES else known["inventory"]
        elif not tables & BILL_TABLES:
            accounts |= known["provider_advice"] - stale
        for table in known.keys() & set(rule.needs):
            accounts &= known[table]
        pairs += [(rule.name, account) for account in sorted(accounts)]
    return pairs


def _unlisted(db: duckdb.DuckDBPyConnection, rules: Sequence[Rule]) -> list[tuple[str, str, str]]:
    """(rule, account, region) of what a rule reads of an inventory and a connection could not list.

    An empty region is all of the account.
    """
    unread = db.execute("SELECT DISTINCT account, region, kind FROM unread").fetchall()
    kinds = {rule.name: set(KIND_READ.findall(rule.sql)) for rule in rules} if unread else {}
    return [
        (rule, account, region) for rule, names in kinds.items() for account, region, kind in unread if kind in names
    ]


def _billed_accounts(db: duckdb.DuckDBPyConnection, *, is_stale: bool) -> set[str]:
    """Accounts that bills of a window tell of: of those that are new enough, or of those that are too old."""
    payers = db.execute("SELECT DISTINCT payer FROM windows WHERE is_stale = $1", [is_stale]).fetchall()
    billed = DeliveryMonth.objects.current().filter(accounts__billing_account__in=[payer for (payer,) in payers])
    names = billed.values_list("accounts__sub_account", "accounts__billing_account").distinct()
    return {account or payer or "" for account, payer in names}


def _departed(db: duckdb.DuckDBPyConnection, path: Path) -> list[str]:
    """The keys of findings that wait and are not seen, and whose resource neither bills nor inventories have."""
    states = ", ".join(literal(str(state)) for state in CLOSED)
    # Millions of them pass by as bytes, through the file `path`.
    copy_out(f"SELECT key, resource_key FROM usage_finding WHERE state IN ({states})", path)
    columns = "{'key': 'VARCHAR', 'resource_key': 'VARCHAR'}"
    db.execute(f"""
        CREATE OR REPLACE TABLE waiting AS
        FROM read_csv({literal(str(path))}, header = false, auto_detect = false, columns = {columns})
    """)
    path.unlink()
    there = " UNION ALL ".join(
        f"SELECT {RESOURCE_KEY} AS resource_key FROM {name}" for name in ("resources", "inventory")
    )
    unseen = db.execute("SELECT count(*) FROM waiting ANTI JOIN candidates USING (key)").fetchone() or (0,)
    if not unseen[0]:
        return []
    rows_gone = db.execute(f"""
        SELECT key FROM (SELECT * FROM waiting ANTI JOIN candidates USING (key)) w
        ANTI JOIN ({there}) t ON t.resource_key = w.resource_key
    """).fetchall()
    return [key for (key,) in rows_gone]


def _copy_seen(db: duckdb.DuckDBPyConnection, scratch: Path) -> None:
    columns = ", ".join(f"{name} {kind}" for name, (kind, _sql) in SEEN.items())
    with connection.cursor() as cursor:
        cursor.execute(f"DROP TABLE IF EXISTS seen; CREATE TEMPORARY TABLE seen ({columns}) ON COMMIT DROP")
    select = f"""
        SELECT {", ".join(f"{sql} AS {name}" for name, (_kind, sql) in SEEN.items())}
        FROM candidates c JOIN resolved d USING (key) LEFT JOIN resources r ON {same_resource("r", "c")}
        LEFT JOIN (SELECT {", ".join(RESOURCE)}, max(name) AS name FROM inventory GROUP BY ALL) i
        ON {same_resource("i", "c")}
    """
    copy_across(db, select, "seen", list(SEEN), scratch / "findings.csv")
    with connection.cursor() as cursor:
        cursor.execute("CREATE UNIQUE INDEX ON seen (key)")
        cursor.execute("ANALYZE seen")


def _copy_names(table: str, columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """A temporary table of texts."""
    names, values = ", ".join(columns), [[row[place] for row in rows] for place in range(len(columns))]
    with connection.cursor() as cursor:
        kinds = ", ".join(f"{name} varchar" for name in columns)
        cursor.execute(f"DROP TABLE IF EXISTS {table}; CREATE TEMPORARY TABLE {table} ({kinds}) ON COMMIT DROP")
        arrays = ", ".join(["%s::varchar[]"] * len(columns))
        cursor.execute(f"INSERT INTO {table} ({names}) SELECT * FROM unnest({arrays})", values)
        cursor.execute(f"ANALYZE {table}")


def _reopen_mended(as_of: date, first_day: date | None) -> int:
    """What was mended and is seen by days after it alone, or was not seen for a night in between, is back."""
    return _change_state(
        f"'{State.BACK}'",
        f"f.state IN ('{State.MENDED}', '{State.PROVED}') AND (f.mended_day < %(first)s "
        "OR EXISTS (SELECT 1 FROM usage_findingevent e WHERE e.finding_id = f.id AND e.verb = 'unseen' "
        "AND e.at::date >= f.mended_day))",
        "back",
        {"first": first_day or as_of},
    )


def _reopen(as_of: date) -> int:
    """What was put off until a day that has come, what was gone and is there again, and what is quiet no longer.

    It is what it was before: what was accepted stays so, with or without a person, and what rests until a day rests.
    """
    before = (
        "(SELECT e.before FROM usage_findingevent e WHERE e.finding_id = f.id "
        f"AND e.after IN ('{State.SNOOZED}', '{State.GONE}', '{State.QUIET}') "
        f"AND e.before IN ('{State.NEW}', '{State.ACCEPTED}', '{State.BACK}') ORDER BY e.at DESC, e.id DESC LIMIT 1)"
    )
    state = (
        f"CASE WHEN f.snoozed_until > %(as_of)s THEN '{State.SNOOZED}' "
        f"WHEN {before} IN ('{State.ACCEPTED}', '{State.BACK}') THEN {before} "
        f"WHEN f.assignee_id IS NULL THEN '{State.NEW}' ELSE '{State.ACCEPTED}' END"
    )
    due = f"f.state = '{State.SNOOZED}' AND f.snoozed_until <= %(as_of)s"
    return sum(
        _change_state(state, condition, verb, {"as_of": as_of})
        for condition, verb in (
            (due, "reopened"),
            (f"f.state = '{State.GONE}'", "again"),
            (f"f.state = '{State.QUIET}'", "loud"),
        )
    )


def _change_state(state: str, condition: str, verb: str, values: Mapping[str, Any]) -> int:
    """Changes the state of findings that are seen again, and writes what happened to them."""
    with connection.cursor() as cursor:
        cursor.execute(
            f"""
            WITH before AS (
                SELECT f.id, f.state FROM usage_finding f JOIN seen s USING (key) WHERE {condition} FOR UPDATE OF f
            ), changed AS (
                UPDATE usage_finding f SET state = {state}, changed_at = now(),
                snoozed_until = CASE WHEN {state} = '{State.SNOOZED}' THEN f.snoozed_until END
                FROM before WHERE before.id = f.id RETURNING f.id, before.state AS before, f.state AS after
            )
            INSERT INTO usage_findingevent (finding_id, at, verb, before, after, note)
            SELECT id, now(), %(verb)s, before, after, '' FROM changed
            """,
            {**values, "verb": verb},
        )
        return cursor.rowcount


def _renew(as_of: date) -> int:
    figures = ", ".join(f"{name} = s.{name}" for name in RENEWED)
    with connection.cursor() as cursor:
        cursor.execute(
            f"UPDATE usage_finding f SET {figures}, last_seen = %s FROM seen s WHERE s.key = f.key",
            [as_of],
        )
        return cursor.rowcount


def _insert_new(as_of: date) -> int:
    names = ", ".join(STORED)
    with connection.cursor() as cursor:
        cursor.execute(
            f"""
            INSERT INTO usage_finding ({names}, state, first_seen, last_seen, reason, changed_at)
            SELECT {names}, '{State.NEW}', %s, %s, '', now() FROM seen s
            WHERE NOT EXISTS (SELECT 1 FROM usage_finding f WHERE f.key = s.key)
            """,
            [as_of, as_of],
        )
        return cursor.rowcount


def _keep_quiet() -> None:
    """What waits and a dismissal taught to keep quiet about; what was mended or dismissed stays so."""
    with connection.cursor() as cursor:
        cursor.execute(
            """
            WITH before AS (
                SELECT f.id, f.state FROM usage_finding f JOIN hushed USING (key)
                WHERE f.state = ANY(%(states)s) FOR UPDATE OF f
            ), changed AS (
                UPDATE usage_finding f SET state = %(quiet)s, changed_at = now() FROM before
                WHERE before.id = f.id RETURNING f.id, before.state AS before
            )
            INSERT INTO usage_findingevent (finding_id, at, verb, before, after, note)
            SELECT id, now(), 'quiet', before, %(quiet)s, '' FROM changed
            """,
            {"states": [str(state) for state in (*WAITING, State.GONE)], "quiet": str(State.QUIET)},
        )


# What was judged, and neither seen nor kept quiet.
# Of a finding that stands on metrics or an inventory, where its rule can do without, these must be there as well.
_NOT_SEEN = """EXISTS (SELECT 1 FROM judged j WHERE j.rule = f.rule AND j.account = f.account)
    AND NOT EXISTS (SELECT 1 FROM seen s WHERE s.key = f.key)
    AND NOT EXISTS (SELECT 1 FROM hushed h WHERE h.key = f.key)
    AND NOT EXISTS (SELECT 1 FROM unlisted u WHERE u.rule = f.rule AND u.account = f.account
        AND u.region IN ('', f.region))
    AND (f.evidence ->> 'reason' IS NULL OR f.evidence ->> 'reason' NOT IN ('metrics', 'inventory')
        OR EXISTS (SELECT 1 FROM facts_there t WHERE t.account = f.account AND t.kind = f.evidence ->> 'reason'))"""


def _close_gone(departed: Sequence[str]) -> int:
    """What was judged and not seen again; `departed` are the keys of those whose resource left."""
    with connection.cursor() as cursor:
        cursor.execute(
            f"""
            WITH before AS (
                SELECT f.id, f.key, f.state FROM usage_finding f
                WHERE f.state = ANY(%(states)s) AND {_NOT_SEEN} FOR UPDATE
            ), changed AS (
                UPDATE usage_finding f SET state = %(gone)s, changed_at = now() FROM before
                WHERE before.id = f.id RETURNING f.id, f.key, before.state AS before
            )
            INSERT INTO usage_findingevent (finding_id, at, verb, before, after, note)
            SELECT id, now(), 'gone', before, %(gone)s,
            CASE WHEN key = ANY(%(departed)s) THEN %(left)s ELSE %(other)s END FROM changed
            """,
            {
                "states": [str(state) for state in CLOSED],
                "departed": list(departed),
                "gone": str(State.GONE),
                "left": _("The resource left: bills have it no longer."),
                "other": _("What bills and metrics state now is no reason any more."),
            },
        )
        return cursor.rowcount


def _note_unseen() -> None:
    """Notes once of what was mended that it is not seen any more: if it is seen again, it is back."""
    with connection.cursor() as cursor:
        cursor.execute(
            f"""
            INSERT INTO usage_findingevent (finding_id, at, verb, before, after, note)
            SELECT f.id, now(), 'unseen', f.state, f.state, '' FROM usage_finding f
            WHERE f.state = ANY(%(states)s) AND {_NOT_SEEN}
            AND NOT EXISTS (SELECT 1 FROM usage_findingevent e
                WHERE e.finding_id = f.id AND e.verb = 'unseen' AND e.at::date >= f.mended_day)
            """,
            {"states": [str(State.MENDED), str(State.PROVED)]},
        )


def _link() -> None:
    """Names for each finding the one after which it counts."""
    with connection.cursor() as cursor:
        cursor.execute("""
            UPDATE usage_finding f SET counted_after_id = a.id
            FROM seen s LEFT JOIN usage_finding a ON a.key = s.after_key
            WHERE s.key = f.key AND f.counted_after_id IS DISTINCT FROM a.id
        """)

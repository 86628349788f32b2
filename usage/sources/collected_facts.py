"""What a connection answered, collected and put in the place of what it answered before.

It is read by the readers of files (`usage.calc.fact_reading`), so that an upload and a connection mean the same. What
the provider did not list keeps what was known of it: an answer that lacks something takes nothing away.
"""

import csv
import hashlib
import uuid
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import duckdb
from django.db import transaction

from costs.formats.sql import literal
from costs.ingest.workspace import limited_duckdb
from finops_site.files.product import product_files
from finops_site.models import User
from usage.calc.fact_json import BadFacts
from usage.calc.fact_layouts import Reject
from usage.calc.fact_reading import MOST_REJECTS_KEPT, TABLE_OF, read_facts
from usage.calc.facts import FACTS, RESOURCE
from usage.models import Connection, FactImport
from usage.sources.fact_files import path_here
from usage.sources.imports import FOLDER

Kind = FactImport.Kind
# What a connection brought before and no longer counts is kept for so long.
KEPT_DAYS = 7
# What is not known of a kind: (provider, account, region, kind of thing); an empty region is all of them.
Unread = tuple[str, str, str, str]


class ConnectionGone(Exception):
    """Somebody deleted the connection while it was read: what it answered is nobody's."""


@dataclass(slots=True)
class Collection:
    """Rows of one reading, in files of `folder`, by kind of fact; and what was not listed."""

    folder: Path
    chunks: dict[str, list[Path]] = field(default_factory=dict)
    unread: dict[str, set[Unread]] = field(default_factory=dict)
    # Kinds of fact that were asked for and answered, with or without rows.
    answered: set[str] = field(default_factory=set)

    def add(self, kind: str, rows: Iterable[dict[str, Any]]) -> int:
        """Writes rows as a file of their own, as a provider's export would be; returns how many."""
        rows = list(rows)
        self.answered.add(kind)
        if rows:
            path = self.folder / f"{kind}-{len(self.chunks.get(kind, ()))}.csv"
            names = list(dict.fromkeys(name for row in rows for name in row))
            with path.open("w", encoding="utf-8", newline="") as file:
                writer = csv.DictWriter(file, names)
                writer.writeheader()
                writer.writerows(rows)
            self.chunks.setdefault(kind, []).append(path)
        return len(rows)

    def leave_out(self, kind: str, provider: str, account: str, region: str, thing: str) -> None:
        """Notes what was not listed: of an inventory the kind of thing, of recommendations their source."""
        self.unread.setdefault(kind, set()).add((provider, account, region, thing))


@dataclass(slots=True)
class _Sums:
    rows_read: int = 0
    rows_rejected: int = 0
    rejects: list[Reject] = field(default_factory=list)
    days: list[date] = field(default_factory=list)
    parquets: list[Path] = field(default_factory=list)


def store(collection: Collection, connection: Connection, today: date, person: User | None = None) -> list[FactImport]:
    """Makes an import of each kind that was answered, in the place of the connection's older one."""
    stored = []
    for kind in Kind.values:
        if kind in collection.answered:
            stored.append(_store_kind(collection, kind, connection, today, person))
    _remove_old(connection, today)
    return stored


def _store_kind(
    collection: Collection, kind: str, connection: Connection, today: date, person: User | None
) -> FactImport:
    name = f"{FOLDER}/connection-{connection.pk}-{uuid.uuid4().hex}.parquet"
    target = collection.folder / name.rpartition("/")[2]
    before = _current(connection, kind)
    unread = sorted(collection.unread.get(kind, ()))
    sums = _Sums()
    with limited_duckdb() as db:
        for path in collection.chunks.get(kind, ()):
            _read_chunk(db, path, connection, today, sums)
        older = [there for row in before if (there := path_here(row.parquet))]
        _write(db, kind, sums.parquets, older, unread, target)
        accounts = db.execute(
            f"SELECT DISTINCT provider, account FROM read_parquet({literal(str(target))}) ORDER BY 1, 2"
        ).fetchall()
    with transaction.atomic():
        if not Connection.objects.select_for_update().filter(pk=connection.pk).exists():
            raise ConnectionGone
        product_files().put(target, name)
        replaced = [*(row.pk for row in before), *_of_deleted(connection, kind, accounts)]
        FactImport.objects.filter(pk__in=replaced).update(state=FactImport.State.REPLACED)
        return FactImport.objects.create(
            kind=kind,
            layout=connection.get_provider_display(),
            source=connection.name,
            connection=connection,
            sha256=hashlib.sha256(name.encode()).hexdigest(),
            parquet=name,
            rows_read=sums.rows_read,
            rows_rejected=sums.rows_rejected,
            first_day=min(sums.days, default=today),
            last_day=max(sums.days, default=today),
            accounts=[list(account) for account in accounts],
            rejects=[[one.line, one.column, one.reason, one.value] for one in sums.rejects[:MOST_REJECTS_KEPT]],
            unread=[list(one) for one in unread],
            made_by=person,
        )


def _current(connection: Connection, kind: str) -> list[FactImport]:
    return list(connection.imports.filter(kind=kind, state=FactImport.State.CURRENT))


def _of_deleted(connection: Connection, kind: str, accounts: Sequence[tuple[str, str]]) -> list[int]:
    """Imports of connections that were deleted, of accounts that this one reads: nobody would replace them any more."""
    alike = FactImport.objects.filter(
        kind=kind, layout=connection.get_provider_display(), connection=None, path="", state=FactImport.State.CURRENT
    )
    return [one.pk for one in alike if {(pair[0], pair[1]) for pair in one.accounts} <= set(accounts)]


def _read_chunk(db: duckdb.DuckDBPyConnection, path: Path, connection: Connection, today: date, sums: _Sums) -> None:
    """One file by the readers of uploads; one of which no row can be read has rejects alone."""
    parquet = path.with_suffix(".parquet")
    try:
        facts = read_facts(db, path, connection.name, parquet, today)
    except BadFacts as error:
        sums.rejects.append(Reject(0, "", str(error)))
        sums.rows_rejected += 1
        return
    sums.parquets.append(parquet)
    sums.rows_read += facts.rows_read
    sums.rows_rejected += facts.rows_rejected
    sums.rejects += facts.rejects
    sums.days += [day for day in (facts.first_day, facts.last_day) if day]


# By kind of fact: what parts what was not listed from the rest, and what parts one row of a resource from another.
_THING = {Kind.INVENTORY: "o.kind", Kind.METRICS: "''", Kind.ADVICE: "o.source"}
_KEY = {Kind.INVENTORY: ("kind", "parent"), Kind.METRICS: ("metric",), Kind.ADVICE: ("source", "title")}


def _write(
    db: duckdb.DuckDBPyConnection,
    kind: str,
    parquets: Sequence[Path],
    older: Sequence[Path],
    unread: Sequence[Unread],
    target: Path,
) -> None:
    """`target`: what was answered now, and of what was not listed what the older imports have of it."""
    columns = FACTS[TABLE_OF[kind]]
    names = ", ".join(columns)
    empty = ", ".join(f"CAST(NULL AS {type_}) AS {name}" for name, type_ in columns.items())
    now = [f"SELECT {empty} WHERE false"]
    now += [f"SELECT {names} FROM read_parquet({literal(str(path))})" for path in parquets]
    db.execute(f"CREATE OR REPLACE TEMP TABLE answered AS {' UNION ALL '.join(now)}")
    selects = [f"SELECT {names} FROM answered"]
    if unread:
        same = " AND ".join(f"a.{name} IS NOT DISTINCT FROM o.{name}" for name in (*RESOURCE, *_KEY[Kind(kind)]))
        listed = ", ".join(f"({', '.join(map(literal, one))})" for one in unread)
        selects += [
            f"""SELECT {names} FROM read_parquet({literal(str(path))}) o WHERE EXISTS (
                SELECT 1 FROM (VALUES {listed}) u(provider, account, region, thing)
                WHERE u.provider = o.provider AND u.account IN ('', o.account) AND u.region IN ('', o.region)
                AND u.thing = {_THING[Kind(kind)]})
            AND NOT EXISTS (SELECT 1 FROM answered a WHERE {same})"""
            for path in older
        ]
    db.execute(f"COPY ({' UNION ALL '.join(selects)}) TO {literal(str(target))} (FORMAT parquet, COMPRESSION zstd)")


def _remove_old(connection: Connection, today: date) -> None:
    """What a connection brings every day is no history: what was replaced a week ago is removed with its file."""
    rows = connection.imports.filter(
        state=FactImport.State.REPLACED, made_at__date__lt=today - timedelta(days=KEPT_DAYS)
    )
    for row in rows:
        name = row.parquet
        row.delete()
        product_files().remove(name)

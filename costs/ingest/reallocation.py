"""Loaded months asked again whose they are: in place, one publication at a time, each in one transaction.

What is decided is decided once for each distinct signature of the lines, in DuckDB; PostgreSQL updates only the lines
whose tag set, owner, pool or rule changes. Readers see the month as it was until it is whole again, and a process that
is killed leaves it as it was.
"""

import shutil
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
from django.conf import settings
from django.db import connection, transaction
from django.db.models import F

from costs.calc.allocation_rules import OwnerRule, VirtualTag, boundaries, cut_sql, signature_of
from costs.charges import duckdb_session
from costs.charges.build_cost_lines import TAG_SET, Lines
from costs.formats.base import literal
from costs.ingest import deliveries, partitions, store_cost_lines
from costs.models import CostLine, DeliveryMonth, MonthRollup
from finops_site.lib.periods import Month

# What decides: the rules in their order, and the virtual tags.
Decision = tuple[Sequence[OwnerRule], Sequence[VirtualTag]]
TAGGED = ("provider", "sub_account", "resource")
MONEY = ("billed_cost", "effective_cost")


def reown(row: DeliveryMonth, ask: Callable[[], Decision]) -> int | None:
    """Tags and owns the lines of a publication anew; returns how many lines that changed.

    None when the publication does not count any more: the bill that replaced it was owned as it was loaded. `ask` is
    called once the publication is locked, so that of two who do this at once the later decides by what holds then.
    Raises publish.BooksDiffer, and changes nothing, unless the month sums to what it did.
    """
    with _workshop() as (db, scratch), transaction.atomic():
        if not list(DeliveryMonth.objects.select_for_update().filter(pk=row.pk, is_current=True)):
            return None
        rules, tags = ask()
        books = _Books(db, rules, tags, scratch)
        books.read([row])
        changed = books.write(row)
        if changed:
            partitions.analyze(date.fromisoformat(day) for day in row.charge_months)
            store_cost_lines.roll_up(row)
            store_cost_lines.check(row)
            DeliveryMonth.objects.filter(pk=row.pk).update(revision=F("revision") + 1)
            row.refresh_from_db(fields=["revision"])
            transaction.on_commit(lambda: deliveries.tell([row]))
    return changed


@dataclass(frozen=True, slots=True)
class Move:
    """Cost of a billing month, in one currency, that changes hands: from a team or pool (or nobody) to another."""

    billing_month: date
    currency: str
    owner_before: int | None
    pool_before: int | None
    owner: int | None
    pool: int | None
    charges: int
    billed_cost: Decimal | None
    effective_cost: Decimal | None


def moves(rows: Sequence[DeliveryMonth], decision: Decision) -> list[Move]:
    """What would change hands in these publications if they were owned by `decision`; changes nothing."""
    if not rows:
        return []
    with _workshop() as (db, scratch):
        books = _Books(db, *decision, scratch)
        books.read(rows, rolled_up=True)
        return books.moves()


@contextmanager
def _workshop() -> Iterator[tuple[duckdb.DuckDBPyConnection, Path]]:
    scratch = Path(settings.FINOPS_VAR) / "incoming" / f"owning-{uuid.uuid4().hex}"
    scratch.mkdir(parents=True)
    try:
        with duckdb_session.connect(
            threads=settings.DUCKDB_THREADS, memory_limit=settings.DUCKDB_MEMORY_LIMIT, scratch=scratch
        ) as db:
            yield db, scratch
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


class _Books:
    """Lines of PostgreSQL, put together as far as rules and tags see no difference, decided in DuckDB."""

    def __init__(
        self, db: duckdb.DuckDBPyConnection, rules: Sequence[OwnerRule], tags: Sequence[VirtualTag], scratch: Path
    ) -> None:
        self.db, self.rules, self.tags, self.scratch = db, rules, tags, scratch
        plain = [name for name in signature_of(rules) if name != "tag_set"]
        self.columns = list(dict.fromkeys([*plain, *(TAGGED if tags else ())]))
        self.days = boundaries([*rules, *tags])

    def read(self, rows: Sequence[DeliveryMonth], *, rolled_up: bool = False) -> None:
        """Fills `lines` and `tag_sets`, and decides; out of rollups, if it may and they know all that is asked."""
        self._read_lines(rows, MonthRollup if rolled_up and self._by_month() else CostLine)
        self._read_tag_sets()
        lines = Lines(self.db, "")
        lines.tag(self.tags)
        lines.own(self.rules)
        self.owned = lines.owned_sql()

    def _read_lines(self, rows: Sequence[DeliveryMonth], model: type[CostLine | MonthRollup]) -> None:
        first, where = _where(rows, model)
        self.part = cut_sql(_within(self.days, rows), first)
        sums = ", ".join(f"sum({name})" for name in ("charges", *MONEY))
        path = self.scratch / "lines.csv"
        keys = ", ".join([*self.columns, "billing_month", "currency", self.part])
        now = "tag_set_id, owner_id, pool_id, owner_rule"
        store_cost_lines.copy_out(
            f"SELECT {keys}, min({first}), {now}, min(coalesce(t.delivered_id, t.id)), {sums} "
            f"FROM {model._meta.db_table} JOIN costs_tagset t ON t.id = tag_set_id "
            f"WHERE {where} GROUP BY {keys}, {now}",
            path,
        )
        columns = {
            **dict.fromkeys(self.columns, "VARCHAR"),
            **{"billing_month": "DATE", "currency": "VARCHAR", "part": "INTEGER", "charge_date": "DATE"},
            **{"now_tag_set": "BIGINT", "now_owner": "BIGINT", "now_pool": "BIGINT", "now_rule": "VARCHAR"},
            **{"tag_set": "BIGINT", "charges": "BIGINT"},
            **dict.fromkeys(MONEY, "DECIMAL(38, 18)"),
        }
        _read_csv(self.db, "lines", path, columns)

    def _by_month(self) -> bool:
        """Month rollups know no names of resources and no days."""
        known = {column.name for column in MonthRollup._meta.get_fields()}
        return set(self.columns) <= known and all(day.day == 1 for day in self.days)

    def _read_tag_sets(self) -> None:
        path = self.scratch / "tag_sets.csv"
        with connection.cursor() as cursor:
            cursor.execute("CREATE TEMP TABLE wanted_in (id bigint)")
        store_cost_lines.copy(
            self.db, "SELECT DISTINCT tag_set FROM lines", "wanted_in", ["id"], self.scratch / "wanted.csv"
        )
        store_cost_lines.copy_out("SELECT id, fingerprint, tags FROM costs_tagset JOIN wanted_in USING (id)", path)
        with connection.cursor() as cursor:
            cursor.execute("DROP TABLE wanted_in")
        _read_csv(self.db, "said", path, {"tag_set": "BIGINT", "fingerprint": "VARCHAR", "tags": "VARCHAR"})
        self.db.execute(f"""
            CREATE OR REPLACE TEMP TABLE tag_sets AS
            SELECT tag_set, fingerprint, raw, {TAG_SET}, NULL::BIGINT AS delivered, '{{}}' AS virtual
            FROM (SELECT *, list_sort(list_transform(map_entries(raw), lambda e: {{'k': e.key, 'v': e.value}})) AS pairs
                FROM (SELECT *, CAST(CAST(tags AS JSON) AS MAP(VARCHAR, VARCHAR)) AS raw FROM said))
        """)

    def write(self, row: DeliveryMonth) -> int:
        """Updates the lines of which something changes."""
        store_cost_lines.name_tag_sets(self.db, self.scratch)
        keys = [*self.columns, "part", "now_tag_set"]
        new = ["tag_set", "owner", "pool", "owner_rule"]
        changed = f"""
            SELECT DISTINCT {", ".join(f"l.{name}" for name in keys)}, i.id, s.owner, s.pool, s.owner_rule
            FROM {self.owned} JOIN tag_ids i ON i.tag_set = l.tag_set
            WHERE (i.id, s.owner, s.pool, s.owner_rule) IS DISTINCT FROM
                (l.now_tag_set, l.now_owner, l.now_pool, l.now_rule)
        """
        kinds = {"part": "int", "now_tag_set": "bigint", "tag_set": "bigint", "owner": "bigint", "pool": "bigint"}
        columns = ", ".join(f"{name} {kinds.get(name, 'text')}" for name in [*keys, *new])
        with connection.cursor() as cursor:
            cursor.execute(f"CREATE TEMP TABLE owned_in ({columns})")
        store_cost_lines.copy(self.db, changed, "owned_in", [*keys, *new], self.scratch / "owned.csv")
        same = [*(f"l.{name} = o.{name}" for name in self.columns), f"{self.part} = o.part"]
        with connection.cursor() as cursor:
            cursor.execute("SET LOCAL work_mem = '256MB'")
            cursor.execute("ANALYZE owned_in")
            cursor.execute(
                "UPDATE costs_costline l SET tag_set_id = o.tag_set, owner_id = o.owner, pool_id = o.pool, "
                f"owner_rule = o.owner_rule FROM owned_in o WHERE {store_cost_lines.of(row)} AND {' AND '.join(same)} "
                "AND l.tag_set_id = o.now_tag_set AND ROW(l.tag_set_id, l.owner_id, l.pool_id, l.owner_rule) "
                "IS DISTINCT FROM ROW(o.tag_set, o.owner, o.pool, o.owner_rule)"
            )
            changed_lines = cursor.rowcount
            cursor.execute("DROP TABLE owned_in")
            self._name_keys(cursor)
        return int(changed_lines)

    def _name_keys(self, cursor: Any) -> None:
        """Keys of virtual tags are offered in the drop-downs like those of the bills."""
        for key in sorted({tag.key for tag in self.tags}):
            cursor.execute(
                "INSERT INTO costs_dimension (name, value, label) VALUES ('tag', %s, %s) "
                "ON CONFLICT (name, value) DO NOTHING",
                [key, key],
            )

    def moves(self) -> list[Move]:
        found = self.db.execute(f"""
            SELECT l.billing_month, l.currency, l.now_owner, l.now_pool, s.owner, s.pool, sum(l.charges)::BIGINT,
            sum(l.billed_cost), sum(l.effective_cost)
            FROM {self.owned} WHERE (s.owner, s.pool) IS DISTINCT FROM (l.now_owner, l.now_pool)
            GROUP BY ALL ORDER BY ALL
        """)
        return [Move(*values) for values in found.fetchall()]


def _read_csv(db: duckdb.DuckDBPyConnection, table: str, path: Path, columns: dict[str, str]) -> None:
    said = ", ".join(f"{literal(name)}: {literal(kind)}" for name, kind in columns.items())
    db.execute(
        f"CREATE OR REPLACE TEMP TABLE {table} AS SELECT * FROM read_csv({literal(str(path))}, header = false, "
        f"auto_detect = false, quote = '\"', escape = '\"', allow_quoted_nulls = false, columns = {{{said}}})"
    )
    path.unlink()


def _where(rows: Sequence[DeliveryMonth], model: type[CostLine | MonthRollup]) -> tuple[str, str]:
    """The column that says when a row was used, and the condition of being a row of these publications."""
    listed = ", ".join(str(row.pk) for row in rows)
    if model is MonthRollup:
        return "charge_month", f"delivery_month_id IN ({listed})"
    days = [date.fromisoformat(day) for row in rows for day in row.charge_months]
    span = f"charge_date >= '{min(days)}' AND charge_date < '{Month.of(max(days)).next.start}'" if days else "false"
    return "charge_date", f"delivery_month_id IN ({listed}) AND {span}"


def _within(days: Sequence[date], rows: Sequence[DeliveryMonth]) -> list[date]:
    """The days on which something changes within the months of these publications."""
    used = [date.fromisoformat(day) for row in rows for day in row.charge_months]
    if not used:
        return []
    return [day for day in days if min(used) < day < Month.of(max(used)).next.start]

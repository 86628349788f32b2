"""Owners and virtual tags of loaded months assigned again: in place, one publication at a time, one transaction each.

Every distinct signature of the lines is decided once, in DuckDB; PostgreSQL updates only the lines whose tag set,
owner, pool or rule changes. Readers see the month as it was until it is complete again, and a process that is killed
leaves it as it was.
"""

import uuid
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from pathlib import Path

import duckdb
from django.conf import settings
from django.db import connection, transaction
from django.db.models import F

from costs.calc.allocation_rules import OwnerRule, VirtualTag, boundaries, cut_sql, signature_of
from costs.charges.build_cost_lines import TAG_SET, MonthLines
from costs.formats.sql import literal
from costs.ingest.partitions import analyze_lines
from costs.ingest.postgres_copy import copy_across, copy_out
from costs.ingest.publications import check_layers, publication_sql
from costs.ingest.rollups import roll_up
from costs.ingest.tag_sets import name_tag_sets
from costs.ingest.workspace import limited_duckdb, scratch_folder
from costs.models import CostLine, DeliveryMonth, MonthRollup
from costs.signals import announce_on_commit
from finops_site.lib.periods import Month

# What decides: the rules in their order, and the virtual tags.
Decision = tuple[Sequence[OwnerRule], Sequence[VirtualTag]]
TAGGED = ("provider", "sub_account", "resource")
MONEY = ("billed_cost", "effective_cost")


def reallocate_month(row: DeliveryMonth, decide: Callable[[], Decision]) -> int | None:
    """Assigns tags and owners of a publication's lines again; returns how many lines that changed.

    None when the publication no longer counts: the bill that replaced it got its owners as it was loaded. `decide` is
    called once the publication is locked, so that of two who do this at once the later decides by what holds then.
    Raises LayersDiffer, and changes nothing, unless the month sums to what it did.
    """
    with _scratch() as scratch, limited_duckdb(scratch) as db, transaction.atomic():
        if not list(DeliveryMonth.objects.select_for_update().filter(pk=row.pk, is_current=True)):
            return None
        reallocation = _Reallocation(db, *decide(), scratch)
        reallocation.read([row])
        changed = reallocation.write(row)
        if changed:
            analyze_lines(row)
            roll_up(row)
            check_layers(row)
            DeliveryMonth.objects.filter(pk=row.pk).update(revision=F("revision") + 1)
            row.refresh_from_db(fields=["revision"])
            announce_on_commit([row])
    return changed


@dataclass(frozen=True, slots=True)
class CostMove:
    """Cost of a billing month, in one currency, that goes from one team or pool (or nobody) to another."""

    billing_month: date
    currency: str
    owner_before: int | None
    pool_before: int | None
    owner: int | None
    pool: int | None
    charges: int
    billed_cost: Decimal | None
    effective_cost: Decimal | None


def preview_moves(rows: Sequence[DeliveryMonth], decision: Decision) -> list[CostMove]:
    """What would change owners in these publications under `decision`; changes nothing."""
    if not rows:
        return []
    with _scratch() as scratch, limited_duckdb(scratch) as db:
        reallocation = _Reallocation(db, *decision, scratch)
        reallocation.read(rows, rolled_up=True)
        return reallocation.moves()


def _scratch() -> AbstractContextManager[Path]:
    return scratch_folder(Path(settings.FINOPS_VAR) / "incoming" / f"owning-{uuid.uuid4().hex}")


class _Reallocation:
    """Lines of PostgreSQL, put together as far as rules and tags see no difference, decided in DuckDB."""

    def __init__(
        self, db: duckdb.DuckDBPyConnection, rules: Sequence[OwnerRule], tags: Sequence[VirtualTag], scratch: Path
    ) -> None:
        self.db, self.rules, self.tags, self.scratch = db, rules, tags, scratch
        plain = [name for name in signature_of(rules) if name != "tag_set"]
        self.columns = list(dict.fromkeys([*plain, *(TAGGED if tags else ())]))
        self.days = boundaries([*rules, *tags])

    def read(self, rows: Sequence[DeliveryMonth], *, rolled_up: bool = False) -> None:
        """Fills `bill_lines` and `tag_sets`, and decides; from month rollups where they may be used and suffice.

        Month rollups have no names of resources and no days.
        """
        columns = {column.name for column in MonthRollup._meta.get_fields()}
        rolled_up = rolled_up and set(self.columns) <= columns and all(day.day == 1 for day in self.days)
        self._read_lines(rows, MonthRollup if rolled_up else CostLine)
        self._read_tag_sets()
        lines = MonthLines(self.db, "")
        lines.apply_virtual_tags(self.tags)
        lines.assign_owners(self.rules)
        self.owned = lines.owned_sql()

    def _read_lines(self, rows: Sequence[DeliveryMonth], model: type[CostLine | MonthRollup]) -> None:
        day_column, condition = _condition(rows, model)
        used = [date.fromisoformat(day) for row in rows for day in row.charge_months]
        cuts = [day for day in self.days if used and min(used) < day < Month.of(max(used)).next.start]
        self.part = cut_sql(cuts, day_column)
        sums = ", ".join(f"sum({name})" for name in ("charges", *MONEY))
        path = self.scratch / "lines.csv"
        keys = ", ".join([*self.columns, "billing_month", "currency", self.part])
        now = "tag_set_id, owner_id, pool_id, owner_rule"
        copy_out(
            f"SELECT {keys}, min({day_column}), {now}, min(coalesce(t.delivered_id, t.id)), {sums} "
            f"FROM {model._meta.db_table} JOIN costs_tagset t ON t.id = tag_set_id "
            f"WHERE {condition} GROUP BY {keys}, {now}",
            path,
        )
        columns = {
            **dict.fromkeys(self.columns, "VARCHAR"),
            **{"billing_month": "DATE", "currency": "VARCHAR", "part": "INTEGER", "charge_date": "DATE"},
            **{"now_tag_set": "BIGINT", "now_owner": "BIGINT", "now_pool": "BIGINT", "now_rule": "VARCHAR"},
            **{"tag_set": "BIGINT", "charges": "BIGINT"},
            **dict.fromkeys(MONEY, "DECIMAL(38, 18)"),
        }
        _read_csv(self.db, "bill_lines", path, columns)

    def _read_tag_sets(self) -> None:
        path = self.scratch / "tag_sets.csv"
        with connection.cursor() as cursor:
            cursor.execute("CREATE TEMP TABLE wanted_in (id bigint)")
        copy_across(
            self.db, "SELECT DISTINCT tag_set FROM bill_lines", "wanted_in", ["id"], self.scratch / "wanted.csv"
        )
        copy_out("SELECT id, fingerprint, tags FROM costs_tagset JOIN wanted_in USING (id)", path)
        with connection.cursor() as cursor:
            cursor.execute("DROP TABLE wanted_in")
        columns = {"tag_set": "BIGINT", "fingerprint": "VARCHAR", "tags": "VARCHAR"}
        _read_csv(self.db, "stored_tag_sets", path, columns)
        self.db.execute(f"""
            CREATE OR REPLACE TEMP TABLE tag_sets AS
            SELECT tag_set, fingerprint, raw, {TAG_SET}, NULL::BIGINT AS delivered, '{{}}' AS virtual
            FROM (SELECT *, list_sort(list_transform(map_entries(raw), lambda e: {{'k': e.key, 'v': e.value}})) AS pairs
                FROM (SELECT *, CAST(CAST(tags AS JSON) AS MAP(VARCHAR, VARCHAR)) AS raw FROM stored_tag_sets))
        """)

    def write(self, row: DeliveryMonth) -> int:
        """Updates the lines of which something changes."""
        name_tag_sets(self.db, self.scratch)
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
        copy_across(self.db, changed, "owned_in", [*keys, *new], self.scratch / "owned.csv")
        same = [*(f"l.{name} = o.{name}" for name in self.columns), f"{self.part} = o.part"]
        with connection.cursor() as cursor:
            cursor.execute("SET LOCAL work_mem = '256MB'")
            cursor.execute("ANALYZE owned_in")
            cursor.execute(
                "UPDATE costs_costline l SET tag_set_id = o.tag_set, owner_id = o.owner, pool_id = o.pool, "
                f"owner_rule = o.owner_rule FROM owned_in o WHERE {publication_sql(row)} AND {' AND '.join(same)} "
                "AND l.tag_set_id = o.now_tag_set AND ROW(l.tag_set_id, l.owner_id, l.pool_id, l.owner_rule) "
                "IS DISTINCT FROM ROW(o.tag_set, o.owner, o.pool, o.owner_rule)"
            )
            changed_lines = cursor.rowcount
            cursor.execute("DROP TABLE owned_in")
            # Keys of virtual tags are offered in the drop-downs like those of the bills.
            for key in sorted({tag.key for tag in self.tags}):
                cursor.execute(
                    "INSERT INTO costs_dimension (name, value, label) VALUES ('tag', %s, %s) "
                    "ON CONFLICT (name, value) DO NOTHING",
                    [key, key],
                )
        return int(changed_lines)

    def moves(self) -> list[CostMove]:
        moves = self.db.execute(f"""
            SELECT l.billing_month, l.currency, l.now_owner, l.now_pool, s.owner, s.pool, sum(l.charges)::BIGINT,
            sum(l.billed_cost), sum(l.effective_cost)
            FROM {self.owned} WHERE (s.owner, s.pool) IS DISTINCT FROM (l.now_owner, l.now_pool)
            GROUP BY ALL ORDER BY ALL
        """)
        return [CostMove(*values) for values in moves.fetchall()]


def _read_csv(db: duckdb.DuckDBPyConnection, table: str, path: Path, columns: dict[str, str]) -> None:
    types = ", ".join(f"{literal(name)}: {literal(kind)}" for name, kind in columns.items())
    db.execute(
        f"CREATE OR REPLACE TEMP TABLE {table} AS SELECT * FROM read_csv({literal(str(path))}, header = false, "
        f"auto_detect = false, quote = '\"', escape = '\"', allow_quoted_nulls = false, columns = {{{types}}})"
    )
    path.unlink()


def _condition(rows: Sequence[DeliveryMonth], model: type[CostLine | MonthRollup]) -> tuple[str, str]:
    """The column with the day of use, and the condition of being a row of these publications."""
    listed = ", ".join(str(row.pk) for row in rows)
    if model is MonthRollup:
        return "charge_month", f"delivery_month_id IN ({listed})"
    days = [date.fromisoformat(day) for row in rows for day in row.charge_months]
    span = f"charge_date >= '{min(days)}' AND charge_date < '{Month.of(max(days)).next.start}'" if days else "false"
    return "charge_date", f"delivery_month_id IN ({listed}) AND {span}"

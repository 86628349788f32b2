"""Reads a file of facts into Parquet with the schema that rules read, and lists the rows that it could not read. Pure.

DuckDB reads and sums; a row with a time, a number or a place that cannot be is a reject with its line, and never a
guess. Times without a zone are UTC. Of a value stated twice for the same moment the later line counts.
"""

import csv
import io
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from itertools import islice
from pathlib import Path

import duckdb

from costs.calc.providers import provider_sql
from costs.formats.sql import literal, quoted
from finops_site.lib.language import gettext as _
from finops_site.lib.money import ISO_4217
from usage.calc import fact_json, fact_layouts
from usage.calc.aws_inventory import NOTHING
from usage.calc.carbon_reading import read_carbon
from usage.calc.estimate_text import delimiter_of
from usage.calc.fact_json import BadFacts, rows_of_json
from usage.calc.fact_layouts import ADVICE, CARBON, INVENTORY, METRICS, Layout, Reject, squeezed
from usage.calc.facts import FACTS, KINDS
from usage.calc.facts import METRICS as OWN_METRICS

MOST_REJECTS_KEPT = 1_000
ROWS_AT_ONCE = 50_000
MOST_BYTES = fact_json.MOST_BYTES
# A document of JSON is read as a whole: it takes twelve times as much memory. CSV is not.
MOST_JSON_BYTES = 64 * 2**20
# A day or an hour between two values; what is closer is summed into hours.
DAY_SECONDS, HOUR_SECONDS = 86_400, 3_600
TABLE_OF = {METRICS: "metrics", INVENTORY: "inventory", ADVICE: "provider_advice"}
JSON_COLUMNS = {
    METRICS: ("provider", "account", "region", "resource", "metric", "time", "value", "unit", "statistic", "source"),
    INVENTORY: tuple(fact_layouts.PLAIN_INVENTORY.columns),
}


@dataclass(frozen=True, slots=True)
class FactFile:
    """What was read of a file: its kind and layout, how many rows, of which days, and what was not read."""

    kind: str
    layout: str
    rows_read: int
    rows_rejected: int
    rejects: Sequence[Reject]
    first_day: date | None
    last_day: date | None
    accounts: Sequence[tuple[str, str]]
    notes: Sequence[str] = ()


def read_facts(db: duckdb.DuckDBPyConnection, path: Path, source: str, out: Path, day: date) -> FactFile:
    """Reads `path` and writes `out`; `day` is when an inventory or advice was seen. Raises BadFacts."""
    if path.stat().st_size > MOST_BYTES:
        raise BadFacts(_("{source}: it is larger than {most} MB.").format(source=source, most=MOST_BYTES // 2**20))
    layout = _read_raw(db, path, source, day)
    _tidy(db, layout)
    if layout.kind == CARBON:
        read_carbon(db, day, _reject)
    else:
        {METRICS: _read_metrics, INVENTORY: _read_inventory, ADVICE: _read_advice}[layout.kind](db, day)
    listed = db.execute(f"SELECT line, col, why, value FROM rejects ORDER BY line LIMIT {MOST_REJECTS_KEPT}")
    rejects = [Reject(*row) for row in listed.fetchall()]
    count = _one(db, "SELECT count(DISTINCT line) FROM rejects")
    rows = _one(db, "SELECT count(*) FROM tidy")
    if not rows:
        raise BadFacts(_("{source}: it has a header and no rows.").format(source=source))
    if rows == count:
        first = rejects[0] if rejects else None
        why = f" {first.reason[:1].upper()}{first.reason[1:]}." if first else ""
        raise BadFacts(_("{source}: no row of it could be read.").format(source=source) + why)
    db.execute(f"COPY facts TO {literal(str(out))} (FORMAT parquet, COMPRESSION zstd)")
    span = db.execute("SELECT min(first_day), max(last_day) FROM spans").fetchone() or (None, None)
    accounts = db.execute("SELECT DISTINCT provider, account FROM facts ORDER BY 1, 2").fetchall()
    return FactFile(layout.kind, layout.name, rows - count, count, rejects, span[0], span[1], accounts)


def _one(db: duckdb.DuckDBPyConnection, sql: str) -> int:
    row = db.execute(sql).fetchone()
    return int(row[0]) if row else 0


def _read_raw(db: duckdb.DuckDBPyConnection, path: Path, source: str, day: date) -> Layout:
    """`raw`: the rows of the file as text with their lines, and the layout that they have."""
    with path.open("rb") as file:
        begin = file.read(64 * 1024)
    if b"\0" in begin:
        raise BadFacts(_("{source}: this is no text. Unpack it; save a table as CSV in UTF-8.").format(source=source))
    try:
        text = begin.decode("utf-8-sig", "ignore")
        if text.lstrip()[:1] in ("{", "["):
            if path.stat().st_size > MOST_JSON_BYTES:
                most = MOST_JSON_BYTES // 2**20
                raise BadFacts(
                    _("{source}: JSON may have {most} MB; part it, or send it as CSV.").format(source=source, most=most)
                )
            return _read_json(db, path.read_text("utf-8-sig"), source, day)
    except UnicodeDecodeError as error:
        raise BadFacts(_("{source}: it is no UTF-8 ({error}).").format(source=source, error=error)) from None
    try:
        text.encode("utf-8")
        begin[: begin.rfind(b"\n") + 1].decode("utf-8-sig")
    except UnicodeError:
        raise BadFacts(_("{source}: it is no UTF-8: save it as CSV in UTF-8.").format(source=source)) from None
    delimiter = delimiter_of(text)
    header = next(csv.reader(io.StringIO(text), delimiter=delimiter), [])
    layout = fact_layouts.layout_of(header)
    if layout is None:
        nearest, lacking = fact_layouts.nearest_layout(header)
        raise BadFacts(
            _("{source}: the header is of no export that we read. Nearest is {layout}; it lacks {columns}.").format(
                source=source, layout=nearest.name, columns=", ".join(lacking)
            )
        )
    twice = sorted({name for name in map(squeezed, header) if name and list(map(squeezed, header)).count(name) > 1})
    if twice:
        raise BadFacts(_("{source}: two columns are called {name}.").format(source=source, name=twice[0]))
    columns = ", ".join(f"{literal(name or f'column{number}')}: 'VARCHAR'" for number, name in enumerate(header))
    try:
        db.execute(f"""
            CREATE OR REPLACE TABLE raw AS
            SELECT row_number() OVER () + 1 AS line, * FROM read_csv({literal(str(path))},
            header = true, auto_detect = false, columns = {{{columns}}}, delim = {literal(delimiter)}, quote = '"',
            escape = '"', null_padding = true, parallel = false, max_line_size = 1048576)
        """)
    except duckdb.Error as error:
        first = str(error).partition("\n")[0][:200]
        raise BadFacts(_("{source}: this is no CSV ({error}).").format(source=source, error=first)) from None
    names = {squeezed(name): name or f"column{number}" for number, name in enumerate(header)}
    _name_columns(db, layout, names)
    return layout


def _read_json(db: duckdb.DuckDBPyConnection, text: str, source: str, day: date) -> Layout:
    rows = rows_of_json(text, source)
    first = next(rows, None)
    if first is None:
        raise BadFacts(_("{source}: it holds nothing.").format(source=source))
    kind = METRICS if "metric" in first else INVENTORY
    names = JSON_COLUMNS[kind]
    db.execute(f"CREATE OR REPLACE TABLE raw (line BIGINT, {', '.join(f'{name} VARCHAR' for name in names)})")
    unnested = ", ".join(f"unnest(${number}::VARCHAR[])" for number in range(1, len(names) + 1))
    # A few at a time: millions of rows as objects of Python take many times their text.
    chunk, before = [first, *islice(rows, ROWS_AT_ONCE)], 0
    things: set[str] = set()
    while chunk:
        if kind == METRICS:
            # What its provider publishes without a day is of the day on which it comes.
            chunk = [{**row, "time": row.get("time") or day.isoformat()} for row in chunk]
        things |= {str(row.get("kind")) for row in chunk}
        columns = [[None if row.get(name) in (None, "") else str(row[name]) for row in chunk] for name in names]
        db.execute(
            f"INSERT INTO raw SELECT row_number() OVER () + {before} AS line, * FROM (SELECT {unnested})", columns
        )
        before += len(chunk)
        chunk = list(islice(rows, ROWS_AT_ONCE))
    layout = fact_layouts.PLAIN_METRICS if kind == METRICS else fact_layouts.PLAIN_INVENTORY
    # An inventory of disks takes the place of one of disks, and not of one of machines.
    source_name = str(first.get("source") or "JSON") if kind == METRICS else ", ".join(sorted(things))
    columns_of = {**layout.columns, **({"source": "[source]"} if kind == METRICS else {})}
    own = Layout(f"{layout.name} ({source_name})", kind, (), columns_of, tuple(names))
    _name_columns(db, own, {squeezed(name): name for name in names})
    return own


def _name_columns(db: duckdb.DuckDBPyConnection, layout: Layout, names: dict[str, str]) -> None:
    """`named`: the rows with one column for each name that the layout reads, null where the file lacks it."""
    read = re.findall(r"\[([^\]]+)\]", " ".join((*layout.columns.values(), layout.where)))
    wanted = dict.fromkeys([*layout.needs, *layout.optional, *read])
    parts = [
        f"nullif(trim({quoted(names[squeezed(name)])}), '') AS {quoted(name)}"
        if squeezed(name) in names
        else f"NULL::VARCHAR AS {quoted(name)}"
        for name in wanted
    ]
    db.execute(f"CREATE OR REPLACE TABLE named AS SELECT line, {', '.join(parts)} FROM raw")


def _tidy(db: duckdb.DuckDBPyConnection, layout: Layout) -> None:
    """`tidy`: the columns of a tidy row as text, and an empty `rejects`."""

    def sql(expression: str) -> str:
        return re.sub(r"\[([^\]]+)\]", lambda match: quoted(match[1]), expression)

    parts = ", ".join(f"CAST({sql(expression)} AS VARCHAR) AS {name}" for name, expression in layout.columns.items())
    db.execute(f"""
        CREATE OR REPLACE TABLE tidy AS SELECT line, {parts} FROM named WHERE {sql(layout.where)};
        CREATE OR REPLACE TABLE rejects (line BIGINT, col VARCHAR, why VARCHAR, value VARCHAR);
    """)
    db.execute(f"UPDATE tidy SET provider = {provider_sql('provider')}")
    for name, why in (("resource", _("it names no resource")), ("provider", _("it names no provider"))):
        if name in layout.columns:
            _reject(db, name, why, f"coalesce({name}, '') = ''")


def _reject(db: duckdb.DuckDBPyConnection, column: str, why: str, condition: str) -> None:
    """Rejects the rows of a condition that are not rejected yet."""
    db.execute(
        f"INSERT INTO rejects SELECT line, ?, ?, left(coalesce({quoted(column)}, ''), 80) FROM tidy "
        f"WHERE ({condition}) AND line NOT IN (SELECT line FROM rejects)",
        [column, why],
    )


def _cases(pairs: Iterable[tuple[str, object]], of: str) -> str:
    meant = ((key, literal(value) if isinstance(value, str) else value) for key, value in pairs)
    whens = " ".join(f"WHEN {literal(key)} THEN {value}" for key, value in meant)
    return f"CASE regexp_replace(lower(coalesce({of}, '')), '[^a-z0-9]', '', 'g') {whens} END"


def _read_metrics(db: duckdb.DuckDBPyConnection, day: date) -> None:
    names = [(name, metric.name) for name, metric in fact_layouts.METRIC_NAMES.items()]
    names += [(squeezed(name), name) for name in OWN_METRICS]
    factors = [(name, metric.factor) for name, metric in fact_layouts.METRIC_NAMES.items()]
    percents = ", ".join(map(literal, fact_layouts.PERCENTS))
    # A moment with an offset is brought to UTC; one without has no zone, and is UTC.
    # Seconds since 1970 are so many only since 2001: a day without signs, 20261101, is none of them.
    seconds = "CASE WHEN TRY_CAST(time AS DOUBLE) BETWEEN 1e9 AND 1e10 THEN to_timestamp(TRY_CAST(time AS DOUBLE)) END"
    moment = f"coalesce(TRY_CAST(time AS TIMESTAMPTZ), {seconds})"
    db.execute(f"""
        CREATE OR REPLACE TABLE points AS
        SELECT line, provider, coalesce(account, '') AS account, coalesce(region, '') AS region, resource, source,
            {_cases(dict(names).items(), "metric")} AS metric, {moment} AT TIME ZONE 'UTC' AS moment,
            {_cases(fact_layouts.STATISTICS.items(), "statistic")} AS statistic,
            TRY_CAST(value AS DOUBLE) * coalesce({_cases(factors, "metric")}, 1)
                * {_cases(fact_layouts.UNITS.items(), "unit")} AS figure
        FROM tidy
    """)

    def bad(column: str, why: str, condition: str) -> None:
        _reject(db, column, why, f"line IN (SELECT line FROM points WHERE {condition})")

    bad("metric", _("nobody reads this metric; see the list in docs/usage.md"), "metric IS NULL")
    bad("time", _("it is no moment: write 2026-11-30T14:00:00Z"), "moment IS NULL")
    bad("statistic", _("it is neither average nor maximum"), "statistic IS NULL")
    _reject(db, "unit", _("this unit is not known"), f"{_cases(fact_layouts.UNITS.items(), 'unit')} IS NULL")
    bad("value", _("it is no number"), "figure IS NULL OR isnan(figure) OR isinf(figure)")
    bad("value", _("it is below zero"), "figure < 0")
    bad("value", _("it is more than 100 per cent: is the unit another?"), f"metric IN ({percents}) AND figure > 100.5")
    # A share of one instead of per cent: a busy machine would look idle.
    shares = f"""(provider, account, region, resource, metric) IN (
        SELECT (provider, account, region, resource, metric) FROM points WHERE metric IN ({percents})
        GROUP BY provider, account, region, resource, metric HAVING max(figure) <= 1 AND max(figure) > 0
        AND count(DISTINCT figure) > 1)
        AND line IN (SELECT line FROM tidy WHERE unit IS NULL)"""
    bad("unit", _("it is never above 1: say whether the unit is percent or fraction"), shares)
    bad("time", _("it lies in the future"), f"moment >= {literal(str(day))}::DATE + 2")
    _reject_doubtful_places(db)
    db.execute(f"""
        CREATE OR REPLACE TABLE kept AS
        SELECT * FROM points WHERE line NOT IN (SELECT line FROM rejects)
        QUALIFY row_number() OVER (
            PARTITION BY provider, account, region, resource, metric, statistic, moment ORDER BY line DESC) = 1;
        -- Values of a day apart are of days; all others are summed up into hours.
        CREATE OR REPLACE TABLE steps AS
        SELECT metric, CASE WHEN min(gap) >= {DAY_SECONDS} THEN {DAY_SECONDS} ELSE {HOUR_SECONDS} END AS step FROM (
            SELECT metric, date_diff('second', lag(moment) OVER (
                PARTITION BY provider, account, region, resource, metric, statistic ORDER BY moment), moment) AS gap
            FROM kept) GROUP BY metric;
        CREATE OR REPLACE TABLE spans AS
        SELECT min(moment)::DATE AS first_day, max(moment)::DATE AS last_day FROM kept;
        CREATE OR REPLACE TABLE facts AS
        WITH slots AS (
            SELECT provider, account, region, resource, metric, source, step,
                CASE WHEN step = {DAY_SECONDS} THEN date_trunc('day', moment) ELSE date_trunc('hour', moment) END
                    AS slot,
                avg(figure) FILTER (statistic = 'average') AS mean, max(figure) AS top
            FROM kept JOIN steps USING (metric) GROUP BY ALL
        )
        SELECT provider, account, region, resource, metric,
            coalesce(avg(mean), avg(top)) AS average, quantile_cont(coalesce(mean, top), 0.95) AS p95,
            max(top) AS maximum,
            sum(coalesce(mean, top)) AS total,
            -- Of the days of the file, at most thirty: a resource that is measured for two of them has gaps.
            least(1, count(*) * any_value(step) / ({DAY_SECONDS}.0 * least(30, date_diff('day', any_value(first_day),
                any_value(last_day)) + 1))) AS share,
            count(DISTINCT slot::DATE) AS days, max(slot)::DATE AS last_day, any_value(source) AS source
        FROM slots, spans
        WHERE slot::DATE > spans.last_day - 30
        GROUP BY provider, account, region, resource, metric
    """)
    _in_order(db, "metrics")


def _reject_doubtful_places(db: duckdb.DuckDBPyConnection) -> None:
    """One resource in two accounts, or one without an account where others have it: whose it is is not known."""
    _reject(
        db,
        "account",
        _("this resource stands in two accounts of the file"),
        "(provider, resource) IN (SELECT (provider, resource) FROM tidy GROUP BY provider, resource "
        "HAVING count(DISTINCT coalesce(account, '')) > 1)",
    )


def _read_inventory(db: duckdb.DuckDBPyConnection, day: date) -> None:
    kinds = ", ".join(map(literal, KINDS))
    _reject(db, "kind", _("it is none of the kinds; see docs/usage.md"), f"coalesce(lower(kind), '') NOT IN ({kinds})")
    for name in ("created_day", "last_used_day"):
        why = _("it is no day: write 2026-11-30")
        _reject(db, name, why, f"{name} IS NOT NULL AND TRY_CAST(left({name}, 10) AS DATE) IS NULL")
    no_size = "coalesce(TRY_CAST(size AS DOUBLE) NOT BETWEEN 0 AND 1e15, TRUE)"
    _reject(db, "size", _("it is no size"), f"size IS NOT NULL AND {no_size}")
    _reject(
        db,
        "attributes",
        _("it is no JSON object"),
        "attributes IS NOT NULL AND json_type(TRY_CAST(attributes AS JSON)) IS DISTINCT FROM 'OBJECT'",
    )
    _reject_doubtful_places(db)
    db.execute(f"""
        CREATE OR REPLACE TABLE facts AS
        SELECT provider, coalesce(account, '') AS account, coalesce(region, '') AS region, resource,
            lower(kind) AS kind, name, lower(state) AS state,
            CASE WHEN attached_to = {literal(NOTHING)} THEN '' ELSE attached_to END AS attached_to, parent,
            TRY_CAST(left(created_day, 10) AS DATE) AS created_day,
            TRY_CAST(left(last_used_day, 10) AS DATE) AS last_used_day, TRY_CAST(size AS DOUBLE) AS size,
            size_unit, type, attributes::JSON AS attributes, {literal(str(day))}::DATE AS seen_day
        FROM tidy WHERE line NOT IN (SELECT line FROM rejects)
        QUALIFY row_number() OVER (
            PARTITION BY provider, account, region, resource, kind, parent ORDER BY line DESC) = 1;
        CREATE OR REPLACE TABLE spans AS
        SELECT {literal(str(day))}::DATE AS first_day, {literal(str(day))}::DATE AS last_day;
    """)
    _in_order(db, "inventory")


def _read_advice(db: duckdb.DuckDBPyConnection, day: date) -> None:
    number = "TRY_CAST(monthly_saving AS DECIMAL(38, 10))"
    no_amount = f"coalesce({number} < 0 OR {number} > 1e12, TRUE)"
    _reject(db, "monthly_saving", _("it is no amount"), f"monthly_saving IS NOT NULL AND {no_amount}")
    codes = ", ".join(map(literal, sorted(ISO_4217)))
    _reject(db, "currency", _("it is no currency of ISO 4217"), f"coalesce(currency, '') NOT IN ({codes})")
    optional = {name: name for name in ("source", "rule", "target", "effort")}
    there = {row[0] for row in db.execute("SELECT column_name FROM (DESCRIBE tidy)").fetchall()}
    parts = {name: name if name in there else f"NULL::VARCHAR AS {name}" for name in optional}
    account, region = (
        f"coalesce({name}, '') AS {name}" if name in there else f"'' AS {name}" for name in ("account", "region")
    )
    db.execute(f"""
        CREATE OR REPLACE TABLE facts AS
        SELECT provider, {account}, {region}, resource, {parts["source"]}, {parts["rule"]}, title, {parts["target"]},
            {number} AS monthly_saving, currency, {parts["effort"]}, {literal(str(day))}::DATE AS seen_day
        FROM tidy WHERE line NOT IN (SELECT line FROM rejects)
        QUALIFY row_number() OVER (PARTITION BY provider, account, region, resource, title ORDER BY line DESC) = 1;
        CREATE OR REPLACE TABLE spans AS
        SELECT {literal(str(day))}::DATE AS first_day, {literal(str(day))}::DATE AS last_day;
    """)
    _in_order(db, "provider_advice")


def _in_order(db: duckdb.DuckDBPyConnection, table: str) -> None:
    """The columns of the schema, in its order and of its types."""
    columns = ", ".join(f"CAST({name} AS {kind}) AS {name}" for name, kind in FACTS[table].items())
    db.execute(f"CREATE OR REPLACE TABLE facts AS SELECT {columns} FROM facts")

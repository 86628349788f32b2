"""From rules to findings in DuckDB: what they select is checked, merged with providers' advice and kept quiet. Pure."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import duckdb

from finops_site.lib.language import gettext as _
from finops_site.lib.language import gettext_noop as _noop
from finops_site.lib.language import ngettext
from finops_site.lib.words import number_text
from usage.calc.charge_facts import same_resource
from usage.calc.facts import FINDING, MONEY, RESOURCE
from usage.calc.rules.base import Confidence, Effort, Rule
from usage.calc.rules.provider_advice import NAME as ADVICE
from usage.calc.rules.provider_advice import PROVIDER_ADVICE

SEPARATOR = "chr(31)"
KEY = f"md5(concat_ws({SEPARATOR}, {{rule}}, provider, account, region, resource, part))"
RESOURCE_KEY = f"md5(concat_ws({SEPARATOR}, provider, account, region, resource))"
BILL, METRICS, INVENTORY = "bill", "metrics", "inventory"
# What people call the tables that rules need.
TABLE_LABELS = {
    "use": _noop("bills"),
    "resources": _noop("bills"),
    "week_hours": _noop("bills by the hour"),
    "metrics": _noop("metrics"),
    "inventory": _noop("an inventory"),
    "prices": _noop("price lists"),
    "provider_advice": _noop("recommendations of the provider"),
}
# What rules read of bills.
BILL_TABLES = frozenset({"use", "resources", "week_hours"})
# What a finding of a rule stands on, by the tables that its SELECT reads.
SOURCE_OF_TABLE = {
    **dict.fromkeys(sorted(BILL_TABLES), BILL),
    "metrics": METRICS,
    "inventory": INVENTORY,
}

# What a rule needs, and what a finding says that it stands on though its rule can do without.
_REASON = "json_extract_string(evidence, '$.reason')"
STANDS_ON = f"""CASE WHEN {_REASON} IN ('metrics', 'inventory') AND NOT list_contains($sources, {_REASON})
    THEN list_append($sources, {_REASON}) ELSE $sources END"""

COLUMNS: Mapping[str, str] = {
    "rule": "VARCHAR",
    "lever": "INTEGER",
    "effort": "VARCHAR",
    "risk": "VARCHAR",
    "key": "VARCHAR",
    "resource_key": "VARCHAR",
    **FINDING,
    "sources": "VARCHAR[]",
}


@dataclass(frozen=True, slots=True)
class Quiet:
    """A rule that stays quiet for resources of teams, an account, a name or a tag; what it leaves empty does not count.

    `teams` are the ids of a team and of those below it.
    """

    rule: str
    teams: Sequence[int] = ()
    account: str = ""
    name_begins: str = ""
    tag_key: str = ""
    tag_value: str = ""


@dataclass(slots=True)
class Judgement:
    """Which rules judged, and what could not be judged, in sentences."""

    rules: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


def gather_candidates(
    db: duckdb.DuckDBPyConnection,
    rules: Iterable[Rule],
    quiet: Iterable[Quiet] = (),
    *,
    beat: Callable[[], object] = lambda: None,
) -> Judgement:
    """Fills `candidates` (COLUMNS) with what the rules select from the tables of facts, each finding once.

    A rule whose tables are empty does not run; one that fails is left out and named: neither stops the others. `beat`
    is called after each rule, as a sign of life. What a dismissal taught to keep quiet about is in `hushed` instead.
    """
    rules = list(rules)
    judgement = Judgement()
    db.execute(f"CREATE OR REPLACE TABLE candidates ({', '.join(f'{n} {kind}' for n, kind in COLUMNS.items())})")
    filled = _filled_tables(db, {table for rule in rules for table in rule.needs})
    for rule in rules:
        _run_rule(db, rule, filled, judgement)
        beat()
    _check(db, judgement)
    _merge_advice(db, rules)
    _hush(db, quiet)
    return judgement


def _filled_tables(db: duckdb.DuckDBPyConnection, tables: Iterable[str]) -> set[str]:
    return {table for table in tables if db.execute(f"SELECT 1 FROM {table} LIMIT 1").fetchone()}


def _run_rule(db: duckdb.DuckDBPyConnection, rule: Rule, filled: set[str], judgement: Judgement) -> None:
    missing = [table for table in rule.needs if table not in filled]
    if missing:
        judgement.notes.append(
            _("“{rule}” was not judged: there is nothing of {tables}.").format(
                rule=_(rule.title), tables=", ".join(_(TABLE_LABELS.get(table, table)) for table in missing)
            )
        )
        return
    sources = list(dict.fromkeys(SOURCE_OF_TABLE[table] for table in rule.needs if table in SOURCE_OF_TABLE))
    try:
        # Of a rule that selects the same part of a resource twice, the more careful saving counts.
        db.execute(
            f"""
            INSERT INTO candidates BY NAME
            SELECT $rule AS rule, {int(rule.lever)} AS lever, $effort AS effort, $risk AS risk,
            {KEY.format(rule="$rule")} AS key, {RESOURCE_KEY} AS resource_key, *,
            {STANDS_ON} AS sources
            FROM (
                SELECT coalesce(provider, '') AS provider, coalesce(account, '') AS account,
                coalesce(region, '') AS region, resource, coalesce(part, '') AS part, monthly_cost, saving,
                coalesce(currency, '') AS currency, confidence, evidence, target
                FROM (SELECT {", ".join(FINDING)} FROM ({rule.sql}))
                WHERE resource <> ''
            )
            QUALIFY row_number() OVER (PARTITION BY provider, account, region, resource, part
                ORDER BY saving NULLS LAST, monthly_cost) = 1
            """,
            {
                "rule": rule.name,
                "effort": str(rule.effort),
                "risk": str(rule.risk),
                "sources": sources or [BILL],
            },
        )
    except duckdb.Error as error:
        if isinstance(error, duckdb.OutOfMemoryException | duckdb.IOException):
            raise
        first = str(error).splitlines()[0][:200]
        judgement.notes.append(_("“{rule}” could not be judged: {error}").format(rule=_(rule.title), error=first))
        return
    judgement.rules.append(rule.name)


def _check(db: duckdb.DuckDBPyConnection, judgement: Judgement) -> None:
    """No saving is above the cost that it is of, and what saves nothing is no finding; one that is not known stays."""

    def left_out(condition: str) -> int:
        (count,) = db.execute(f"SELECT count(*) FROM candidates WHERE {condition}").fetchone() or (0,)
        if count:
            db.execute(f"DELETE FROM candidates WHERE {condition}")
        return int(count)

    if count := left_out("saving IS NOT NULL AND saving <= 0"):
        words = ngettext(
            "{count} finding would save nothing or cost more: left out.",
            "{count} findings would save nothing or cost more: left out.",
            count,
        )
        judgement.notes.append(words.format(count=number_text(count)))
    if count := left_out("saving IS NOT NULL AND currency = ''"):
        words = ngettext(
            "{count} finding has no currency: left out.", "{count} findings have no currency: left out.", count
        )
        judgement.notes.append(words.format(count=number_text(count)))
    above = db.execute(
        "SELECT rule, count(*) FROM candidates WHERE saving > monthly_cost GROUP BY 1 ORDER BY 1"
    ).fetchall()
    for rule, count in above:
        words = ngettext(
            "{count} finding of {rule} claims more than the cost: counted as the cost.",
            "{count} findings of {rule} claim more than the cost: counted as the cost.",
            count,
        )
        judgement.notes.append(words.format(count=number_text(count), rule=rule))
    # Without a known cost there is nothing that the saving could be held against.
    db.execute("UPDATE candidates SET saving = monthly_cost WHERE saving > monthly_cost OR monthly_cost IS NULL")
    words = ", ".join(f"'{word}'" for word in Confidence)
    other = f"coalesce(confidence, '') NOT IN ({words})"
    db.execute(f"UPDATE candidates SET confidence = '{Confidence.LOOK}' WHERE {other}")


def _merge_advice(db: duckdb.DuckDBPyConnection, rules: Sequence[Rule]) -> None:
    """Says the provider the same as a rule, it is one finding with both as sources and the more careful saving.

    What the provider alone says is a finding of its own, of the rule that it is like, or of ADVICE. What it says is
    held against the cost as our own savings are: where that is not known, the saving is not known either.
    """
    _gather_advice(db, rules)
    db.execute(f"""
        UPDATE candidates SET sources = list_distinct(list_concat(candidates.sources, a.sources)),
        evidence = json_merge_patch(coalesce(candidates.evidence, '{{}}'), json_object(
            'provider_saving', a.saving::VARCHAR, 'provider_says', a.title, 'own_saving', candidates.saving::VARCHAR)),
        saving = CASE WHEN a.currency <> candidates.currency THEN candidates.saving
            WHEN candidates.monthly_cost IS NOT NULL
            THEN least(candidates.saving, a.saving, candidates.monthly_cost) END
        FROM advice a WHERE a.rule = candidates.rule AND {same_resource("a", "candidates")}
    """)
    db.execute(f"""
        INSERT INTO candidates BY NAME
        SELECT * EXCLUDE (title), {KEY.format(rule="rule")} AS key, {RESOURCE_KEY} AS resource_key
        FROM (
            SELECT a.rule, l.lever, coalesce(a.effort, l.effort) AS effort, l.risk, {_names("a")}, a.part,
            r.monthly_open_cost AS monthly_cost,
            CASE WHEN r.monthly_open_cost IS NOT NULL AND a.saving IS NOT NULL
                THEN least(a.saving, r.monthly_open_cost) END AS saving, a.currency,
            CASE WHEN r.resource IS NULL THEN '{Confidence.LOOK}' ELSE '{Confidence.LIKELY}' END AS confidence,
            json_object('provider_saving', a.saving::VARCHAR, 'provider_says', a.title) AS evidence,
            a.target, a.sources, a.title
            FROM advice a JOIN levers l ON l.rule = a.rule
            LEFT JOIN resources r ON {same_resource("r", "a")} AND r.currency = a.currency
            ANTI JOIN candidates c ON c.rule = a.rule AND {same_resource("c", "a")}
        ) WHERE saving IS NULL OR saving > 0
        QUALIFY row_number() OVER (PARTITION BY key ORDER BY saving NULLS LAST) = 1
    """)


def _gather_advice(db: duckdb.DuckDBPyConnection, rules: Sequence[Rule]) -> None:
    """`advice`: what providers say of a resource, once, whoever of them says it in whatever words."""
    by_name = {rule.name: rule for rule in (*rules, PROVIDER_ADVICE)}
    levers = [(rule.name, int(rule.lever), str(rule.effort), str(rule.risk)) for rule in by_name.values()]
    db.execute("CREATE OR REPLACE TABLE levers (rule VARCHAR, lever INTEGER, effort VARCHAR, risk VARCHAR)")
    db.executemany("INSERT INTO levers VALUES (?, ?, ?, ?)", levers)
    efforts = ", ".join(f"'{effort}'" for effort in Effort)
    db.execute(f"""
        CREATE OR REPLACE TABLE advice AS
        SELECT rule, {", ".join(RESOURCE)}, part, currency,
        CAST(min(monthly_saving) AS {MONEY}) AS saving, list_sort(list_distinct(list(source))) AS sources,
        arg_min(title, coalesce(monthly_saving, 1e18)) AS title,
        arg_min(target, coalesce(monthly_saving, 1e18)) AS target,
        min(effort) FILTER (effort IN ({efforts})) AS effort
        FROM (
            SELECT p.* EXCLUDE (rule, currency), coalesce(l.rule, '{ADVICE}') AS rule,
            coalesce(p.currency, '') AS currency,
            CASE WHEN l.rule IS NULL THEN left(md5(lower(coalesce(p.title, ''))), 8) ELSE '' END AS part
            FROM provider_advice p LEFT JOIN levers l ON l.rule = p.rule
            WHERE p.resource <> '' AND (p.monthly_saving IS NULL OR p.monthly_saving > 0)
        ) GROUP BY ALL
    """)


def _hush(db: duckdb.DuckDBPyConnection, quiet: Iterable[Quiet]) -> None:
    """Moves what somebody's dismissal taught to keep quiet about into `hushed` (key): it is there, and not said."""
    db.execute("CREATE OR REPLACE TABLE hushed (key VARCHAR)")
    for silence in quiet:
        where, values = ["c.rule = $rule"], {"rule": silence.rule}
        conditions: dict[str, tuple[str, Any]] = {
            "teams": ("list_contains($teams, r.owner)", list(silence.teams)),
            "account": ("c.account = $account", silence.account),
            "name_begins": (
                "(starts_with(lower(r.name), $name_begins) OR starts_with(lower(c.resource), $name_begins))",
                silence.name_begins.lower(),
            ),
            "tag_key": (
                "coalesce(json_extract_string(r.tags, '$.\"' || replace($tag_key, '\"', '') || '\"'), '')"
                + (" = $tag_value" if silence.tag_value else " <> ''"),
                silence.tag_key,
            ),
        }
        for name, (condition, value) in conditions.items():
            if value:
                where.append(condition)
                values[name] = value
        if silence.tag_key and silence.tag_value:
            values["tag_value"] = silence.tag_value
        db.execute(
            f"""INSERT INTO hushed SELECT DISTINCT c.key FROM candidates c
            LEFT JOIN resources r ON {same_resource("r", "c")} WHERE {" AND ".join(where)}""",
            values,
        )
        db.execute("DELETE FROM candidates WHERE key IN (FROM hushed)")


def _names(table: str) -> str:
    return ", ".join(f"{table}.{name}" for name in RESOURCE)

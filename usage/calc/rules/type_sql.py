"""SELECTs that several services share: a smaller type of the family, and another family that does the same. Pure."""

from collections.abc import Mapping, Sequence

from costs.calc.providers import AWS, GOOGLE
from costs.formats.sql import literal
from finops_site.lib.language import gettext as _
from finops_site.lib.words import number_text, share_text
from usage.calc.rules.base import Confidence
from usage.calc.rules.finding_sql import KEY, finding_sql, metrics_sql, saved
from usage.calc.rules.fix_commands import FindingRow
from usage.calc.rules.machine_sql import (
    DATABASES,
    MACHINES,
    PRICE_LIST,
    SIZE_LIST,
    price_join,
    price_of,
    type_part,
)

CTES = {"machines": MACHINES, "databases": DATABASES}
# What a smaller one may come to at its busiest: the rest is room for a day like no other.
BUSY_PERCENT = 70
MOST_SMALLER = 4
OWN = f"coalesce({price_of('own_price')}, list_rate)"
# The larger of processor and memory decides.
_PRESSURE = "greatest(cpu_p95, coalesce(memory_p95, 0))"


def smaller_sql(of: str, part: str) -> str:
    """The smallest type of the same family that the busiest hours of the last weeks fit into.

    Of a family that a price list has, what the list has not is not sold; without any list it is half the size, and
    what that saves is not known. Google prices cores and memory, so there half of a type costs half of it. Without
    its memory measured it needs a look.
    """
    target = "s.prefix || t.size || s.suffix"
    price = price_of("target_price")
    return finding_sql(
        f"""
    SELECT * FROM (
        SELECT s.*, {literal(part)} AS part, s.cost AS monthly_cost,
            CASE WHEN s.provider = {literal(GOOGLE)} THEN {saved("open_cost", "1 - t.units / s.units")}
                ELSE {saved("open_cost", f"1 - {price} / {OWN}")} END AS saving,
            CASE WHEN memory_p95 IS NULL THEN '{Confidence.LOOK}' ELSE '{Confidence.LIKELY}' END AS confidence,
            json_object('cpu', cpu_p95, 'memory', memory_p95, 'days', measured_days, 'type', type) AS evidence,
            json_object('type', {target}, 'load', {_PRESSURE} * s.units / t.units) AS target, t.units AS target_units
        FROM sized AS s
        JOIN sizes AS t ON t.provider = s.provider AND t.units < s.units AND s.units <= t.units * {MOST_SMALLER}
            AND {_PRESSURE} * s.units / t.units <= {BUSY_PERCENT}
        {price_join("target_price", target, "s")}
        {price_join("own_price", "s.type", "s")}
        WHERE t.units >= s.smallest AND s.units % t.units = 0 AND (
            {price} IS NOT NULL OR s.provider = {literal(GOOGLE)}
            OR (NOT s.is_family_listed AND s.units = t.units * 2))
    )
    QUALIFY row_number() OVER (PARTITION BY {KEY}, currency ORDER BY target_units) = 1
    """,
        CTES[of],
        PRICE_LIST,
        SIZE_LIST,
        metrics_sql("measured", "cpu", optional=("memory",)),
        f"""families AS (
        SELECT DISTINCT provider, region, currency, {type_part(1, "item")} AS prefix, {type_part(3, "item")} AS suffix
        FROM price_list WHERE item NOT IN (SELECT type FROM {of} WHERE type IS NOT NULL)
    )""",
        f"""parts AS (
        SELECT *, {type_part(1)} AS prefix, {type_part(2)} AS size, {type_part(3)} AS suffix
        FROM {of} JOIN measured USING ({KEY})
    )""",
        # Most families of Intel and AMD begin at large, those of Arm at medium, those of t at nano.
        rf"""sized AS (
        SELECT p.*, s.units, f.prefix IS NOT NULL AS is_family_listed,
            CASE WHEN p.provider <> {literal(AWS)} THEN 1 WHEN regexp_matches(p.prefix, '^(db\.|cache\.)?t') THEN 0.25
                WHEN regexp_matches(p.prefix, '^(db\.|cache\.)?[a-z]+\dg') THEN 2 ELSE 4 END AS smallest
        FROM parts AS p JOIN sizes AS s ON s.provider = p.provider AND s.size = p.size
        LEFT JOIN families AS f ON f.provider = p.provider AND f.region = p.region AND f.currency = p.currency
            AND f.prefix = p.prefix AND f.suffix = p.suffix
    )""",
    )


def explain_smaller(finding: FindingRow) -> str:
    """How busy it was, and how busy the smaller one would be."""
    evidence, target = finding["evidence"], finding["target"]
    figures = {
        "days": evidence["days"],
        "cpu": share_text(evidence["cpu"] / 100),
        "memory": share_text((evidence["memory"] or 0) / 100),
        "type": target["type"],
        "load": share_text(target["load"] / 100),
    }
    if evidence["memory"] is None:
        return _(
            "In 95 of 100 hours of {days} days its processor was at {cpu} or less, and its memory is not measured: "
            "{type} would be at {load}."
        ).format(**figures)
    return _(
        "In 95 of 100 hours of {days} days its processor was at {cpu} or less and its memory at {memory} or less: "
        "{type} would be at {load}."
    ).format(**figures)


def successor_sql(
    of: str, successors: Mapping[str, Sequence[str]], *, part: str, condition: str, confidence: Confidence
) -> str:
    """What runs on an AWS family that has successors of the same size: the cheapest of them that a list has, else the
    first, with a saving that is not known. One that costs more is no finding."""
    target, price = "m.prefix || p.successor || m.rest", price_of("target_price")
    pairs = ", ".join(
        f"({literal(family)}, {literal(name)}, {rank})"
        for family, names in successors.items()
        for rank, name in enumerate(names)
    )
    pattern = r"'^((?:db\.|cache\.)?)([a-z0-9-]+)(\..+)$'"
    return finding_sql(
        f"""
        SELECT m.*, {literal(part)} AS part, m.cost AS monthly_cost,
            {saved("open_cost", f"1 - {price} / {OWN}")} AS saving, '{confidence}' AS confidence,
            json_object('type', m.type, 'price', {OWN}, 'system', m.system) AS evidence,
            json_object('type', {target}, 'price', {price}) AS target
        FROM parts AS m JOIN pairs AS p ON p.family = m.family
        {price_join("target_price", target, "m")}
        {price_join("own_price", "m.type", "m")}
        WHERE {condition}
        QUALIFY row_number() OVER (
            PARTITION BY m.provider, m.account, m.region, m.resource, m.currency ORDER BY {price} NULLS LAST, p.rank
        ) = 1
        """,
        CTES[of],
        PRICE_LIST,
        f"pairs AS (SELECT * FROM (VALUES {pairs}) AS t(family, successor, rank))",
        f"""parts AS (
            SELECT *, regexp_extract(type, {pattern}, 1) AS prefix, regexp_extract(type, {pattern}, 2) AS family,
                regexp_extract(type, {pattern}, 3) AS rest
            FROM {of} WHERE provider = {literal(AWS)}
        )""",
    )


def explain_successor(finding: FindingRow) -> str:
    """What does the same, and the two prices where both are known."""
    evidence, target = finding["evidence"], finding["target"]
    if target["price"] is None or evidence["price"] is None:
        return _("{target} does the same as {type}; its price is on no list that is loaded.").format(
            target=target["type"], type=evidence["type"]
        )
    return _("{target} does the same as {type} for {price} instead of {own} {currency} an hour.").format(
        target=target["type"],
        type=evidence["type"],
        price=number_text(target["price"], 4),
        own=number_text(evidence["price"], 4),
        currency=finding["currency"],
    )

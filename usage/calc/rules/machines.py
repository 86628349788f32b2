"""Machines: idle, stopped but paid, larger than they need, of an old generation, or on Intel where Arm does. Pure."""

from collections.abc import Sequence

from costs.calc.providers import AWS, GOOGLE
from costs.formats.sql import literal
from finops_site.lib.language import gettext as _
from finops_site.lib.language import gettext_noop as _noop
from finops_site.lib.words import number_text, share_text
from usage.calc.rules.base import Confidence, Effort, Fix, Lever, Risk, Rule
from usage.calc.rules.finding_sql import finding_sql, metrics_sql, saved
from usage.calc.rules.fix_commands import (
    RESIZE_MACHINE,
    START_MACHINE,
    STOP_MACHINE,
    FindingRow,
    change_type,
    command_fix,
)
from usage.calc.rules.machine_sql import DATABASES, MACHINES, PRICE_LIST, SIZE_LIST, price_join, price_of, type_part

# AWS Compute Optimizer, "Idle resources": at most 5 % of the processor and 5 MB of network a day in 14 days.
IDLE_CPU = 5
IDLE_BYTES_A_DAY = 5_000_000
# What a smaller machine may come to at its busiest: the rest is room for a day like no other.
BUSY_PERCENT = 70
MOST_SMALLER = 4
STOPPED_DAYS = 30
MEASURE = _noop("Load 14 days of its measurements without gaps.")
ASK_OWNER = _noop("Whoever owns it confirms that nobody needs it.")
LOAD_PRICE = _noop("Load a price list that has the price of the target.")

_idle = finding_sql(
    f"""
    SELECT m.*, 'compute' AS part, m.cost AS monthly_cost, m.open_cost AS saving,
        '{Confidence.LIKELY}' AS confidence,
        json_object('cpu', cpu_maximum, 'bytes_a_day', (network_in_average + network_out_average) * 86400,
            'days', measured_days, 'type', type) AS evidence,
        json_object() AS target
    FROM machines AS m JOIN measured USING (provider, account, region, resource)
    WHERE cpu_maximum < {IDLE_CPU} AND (network_in_average + network_out_average) * 86400 < {IDLE_BYTES_A_DAY}
    """,
    MACHINES,
    metrics_sql("measured", "cpu", "network_in", "network_out"),
)


def _explain_idle(finding: FindingRow) -> str:
    evidence = finding["evidence"]
    return _(
        "In {days} days its processor was never above {cpu}, and its network carried {megabytes} MB a day."
    ).format(
        days=evidence["days"],
        cpu=share_text(evidence["cpu"] / 100, 1),
        megabytes=number_text(evidence["bytes_a_day"] / 1e6, 1),
    )


def _fix_idle(finding: FindingRow) -> Sequence[Fix]:
    return command_fix(_("Stop it, and delete it when nobody asks for it"), finding, STOP_MACHINE, START_MACHINE)


# The larger of processor and memory decides. Without memory measured a smaller machine needs a look.
_pressure = "greatest(cpu_p95, coalesce(memory_p95, 0))"
_of_prices = f"1 - {price_of('target_price')} / coalesce({price_of('own_price')}, list_rate)"
_rightsize = finding_sql(
    f"""
    SELECT * FROM (
        SELECT s.*, 'compute' AS part, s.cost AS monthly_cost,
            CASE WHEN s.provider = {literal(GOOGLE)} THEN {saved("open_cost", "1 - t.units / s.units")}
                ELSE {saved("open_cost", _of_prices)} END AS saving,
            CASE WHEN memory_p95 IS NULL THEN '{Confidence.LOOK}' ELSE '{Confidence.LIKELY}' END AS confidence,
            json_object('cpu', cpu_p95, 'memory', memory_p95, 'days', measured_days, 'type', type) AS evidence,
            json_object('type', prefix || t.size || suffix,
                'load', {_pressure} * s.units / t.units) AS target,
            {price_of("target_price")} IS NOT NULL AS is_priced, t.units AS target_units
        FROM sized AS s
        JOIN sizes AS t ON t.provider = s.provider AND t.units < s.units AND s.units <= t.units * {MOST_SMALLER}
            AND {_pressure} * s.units / t.units <= {BUSY_PERCENT}
        {price_join("target_price", "s.prefix || t.size || s.suffix", "s")}
        {price_join("own_price", "s.type", "s")}
        WHERE t.units >= s.smallest AND s.units % t.units = 0
            -- Of a family that a list has, what the list has not is not sold.
            AND ({price_of("target_price")} IS NOT NULL OR s.provider = {literal(GOOGLE)}
                OR (NOT s.is_family_listed AND s.units = t.units * 2))
    )
    QUALIFY row_number() OVER (PARTITION BY provider, account, region, resource, currency ORDER BY target_units) = 1
    """,
    MACHINES,
    PRICE_LIST,
    SIZE_LIST,
    metrics_sql("measured", "cpu", optional=("memory",)),
    f"""families AS (
        SELECT DISTINCT provider, region, currency, {type_part(1, "item")} AS prefix, {type_part(3, "item")} AS suffix
        FROM price_list
    )""",
    f"""parts AS (
        SELECT *, {type_part(1)} AS prefix, {type_part(2)} AS size, {type_part(3)} AS suffix
        FROM machines JOIN measured USING (provider, account, region, resource)
    )""",
    # Most families of Intel and AMD begin at large, those of Arm at medium, those of t at nano.
    """sized AS (
        SELECT p.*, s.units, f.prefix IS NOT NULL AS is_family_listed,
            CASE WHEN p.provider <> 'AWS' THEN 1 WHEN p.prefix[1] = 't' THEN 0.25
                WHEN regexp_matches(p.prefix, '^[a-z]+\\dg') THEN 2 ELSE 4 END AS smallest
        FROM parts AS p JOIN sizes AS s ON s.provider = p.provider AND s.size = p.size
        LEFT JOIN families AS f ON f.provider = p.provider AND f.region = p.region AND f.currency = p.currency
            AND f.prefix = p.prefix AND f.suffix = p.suffix
    )""",
)


def _explain_rightsize(finding: FindingRow) -> str:
    evidence, target = finding["evidence"], finding["target"]
    text = (
        _("In 95 of 100 hours of {days} days its processor was at {cpu} or less; nobody measured its memory.")
        if evidence["memory"] is None
        else _(
            "In 95 of 100 hours of {days} days its processor was at {cpu} or less and its memory at {memory} or less."
        )
    )
    measured = text.format(
        days=evidence["days"],
        cpu=share_text(evidence["cpu"] / 100, 0),
        memory=share_text((evidence["memory"] or 0) / 100, 0),
    )
    return _("{measured} A {type} would be at {load}.").format(
        measured=measured, type=target["type"], load=share_text(target["load"] / 100, 0)
    )


def _fix_rightsize(finding: FindingRow) -> Sequence[Fix]:
    return change_type(_("Change its type (it stops for a few minutes)"), finding, RESIZE_MACHINE)


# AWS, "Previous generation instances" and the pages of the families: what succeeds each of them on Intel and AMD.
SUCCESSORS = {
    **{"t1": "t3", "t2": "t3", "m1": "m7i", "m2": "r7i", "m3": "m7i", "m4": "m7i", "m5": "m7i"},
    **{"c1": "c7i", "c3": "c7i", "c4": "c7i", "c5": "c7i", "r3": "r7i", "r4": "r7i", "r5": "r7i"},
    **{"i2": "i4i", "i3": "i4i", "d2": "d3", "g3": "g5", "p2": "p3", "x1": "x2idn", "m5a": "m7a", "c5a": "c7a"},
}
# The families of Graviton that have the same vCPUs and memory at the same size, the newest first.
GRAVITON = {
    **dict.fromkeys(("t2", "t3", "t3a"), ("t4g",)),
    **dict.fromkeys(("m4", "m5", "m5a", "m6i", "m6a", "m7i", "m7a"), ("m8g", "m7g", "m6g")),
    **dict.fromkeys(("c4", "c5", "c5a", "c6i", "c6a", "c7i", "c7a"), ("c8g", "c7g", "c6g")),
    **dict.fromkeys(("r4", "r5", "r5a", "r6i", "r6a", "r7i", "r7a"), ("r8g", "r7g", "r6g")),
}


def family_pairs(pairs: Sequence[tuple[str, str, int]]) -> str:
    """A CTE `pairs` of (family, successor, rank)."""
    rows = ", ".join(f"({literal(family)}, {literal(successor)}, {rank})" for family, successor, rank in pairs)
    return f"pairs AS (SELECT * FROM (VALUES {rows}) AS t(family, successor, rank))"


def successor_sql(
    of: str, pairs: Sequence[tuple[str, str, int]], *, prefix: str, part: str, condition: str, confidence: str
) -> str:
    """A SELECT of resources of the CTE whose family has successors with the same size: the cheapest that is listed,
    else the first of them with a saving that is not known. One that costs more is none."""
    own = f"coalesce({price_of('own_price')}, list_rate)"
    target = "m.prefix || p.successor || m.rest"
    return finding_sql(
        f"""
        SELECT m.*, {literal(part)} AS part, m.cost AS monthly_cost,
            {saved("open_cost", f"1 - {price_of('target_price')} / {own}")} AS saving,
            {confidence} AS confidence,
            json_object('type', m.type, 'price', {own}, 'system', m.system) AS evidence,
            json_object('type', {target}, 'price', {price_of("target_price")}) AS target
        FROM parts AS m JOIN pairs AS p ON p.family = m.family
        {price_join("target_price", target, "m")}
        {price_join("own_price", "m.type", "m")}
        WHERE {condition}
        QUALIFY row_number() OVER (
            PARTITION BY m.provider, m.account, m.region, m.resource, m.currency
            ORDER BY {price_of("target_price")} NULLS LAST, p.rank
        ) = 1
        """,
        MACHINES if of == "machines" else DATABASES,
        PRICE_LIST,
        family_pairs(pairs),
        f"""parts AS (
            SELECT *, regexp_extract(type, '^({prefix})([a-z0-9-]+)(\\..+)$', 1) AS prefix,
                regexp_extract(type, '^({prefix})([a-z0-9-]+)(\\..+)$', 2) AS family,
                regexp_extract(type, '^({prefix})([a-z0-9-]+)(\\..+)$', 3) AS rest
            FROM {of} WHERE provider = {literal(AWS)}
        )""",
    )


graviton_pairs = [(family, arm, rank) for family, arms in GRAVITON.items() for rank, arm in enumerate(arms)]
_arm = successor_sql(
    "machines",
    graviton_pairs,
    prefix="",
    part="compute",
    condition="m.system IN ('Linux', 'RHEL', 'SUSE', 'Ubuntu Pro')",
    confidence=f"'{Confidence.LOOK}'",
)


def explain_target(finding: FindingRow) -> str:
    """What it is, what does the same, and their prices where both are known."""
    evidence, target = finding["evidence"], finding["target"]
    if target["price"] is None or evidence["price"] is None:
        return _("A {target} does the same as this {type}; its price is on no list that is loaded.").format(
            target=target["type"], type=evidence["type"]
        )
    return _("A {target} does the same as this {type} for {price} instead of {own} {currency} an hour.").format(
        target=target["type"],
        type=evidence["type"],
        price=number_text(target["price"], 4),
        own=number_text(evidence["price"], 4),
        currency=finding["currency"],
    )


def _fix_arm(finding: FindingRow) -> Sequence[Fix]:
    return change_type(_("Build an image for Arm, test it, then change the type"), finding, {AWS: RESIZE_MACHINE[AWS]})


RULES = (
    Rule(
        name="machine_idle",
        title=_noop("Machine that does nothing"),
        lever=Lever.STOP,
        effort=Effort.LOW,
        risk=Risk.MEDIUM,
        sql=_idle,
        explain=_explain_idle,
        fixes=_fix_idle,
        makes_certain=ASK_OWNER,
        docs="https://docs.aws.amazon.com/compute-optimizer/latest/ug/view-idle-recommendations.html",
        needs=("metrics",),
    ),
    Rule(
        name="machine_rightsize",
        title=_noop("Machine larger than it needs"),
        lever=Lever.RIGHTSIZE,
        effort=Effort.MEDIUM,
        risk=Risk.MEDIUM,
        sql=_rightsize,
        explain=_explain_rightsize,
        fixes=_fix_rightsize,
        makes_certain=_noop("Measure its memory too, and try the smaller type for a week."),
        docs="https://docs.aws.amazon.com/compute-optimizer/latest/ug/view-ec2-recommendations.html",
        needs=("metrics",),
    ),
    Rule(
        name="machine_arm",
        title=_noop("Machine on Intel or AMD where Arm does the same"),
        lever=Lever.MODERNISE,
        effort=Effort.HIGH,
        risk=Risk.MEDIUM,
        sql=_arm,
        explain=explain_target,
        fixes=_fix_arm,
        makes_certain=_noop("Its software passes its tests on Arm."),
        docs="https://docs.aws.amazon.com/whitepapers/latest/aws-graviton2-for-isv/optimizing-for-performance.html",
    ),
)

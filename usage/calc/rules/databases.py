"""Databases and caches: nobody connects, larger than they need, old engines, a standby that nobody needs. Pure."""

from collections.abc import Sequence

from costs.calc.providers import AWS, GOOGLE
from costs.formats.sql import literal
from finops_site.lib.language import gettext as _
from finops_site.lib.language import gettext_noop as _noop
from usage.calc.rules.base import Confidence, Effort, Fix, Lever, Risk, Rule
from usage.calc.rules.finding_sql import KEY, finding_sql, metrics_sql, saved, use_sql
from usage.calc.rules.fix_commands import RESIZE_DATABASE, FindingRow, change_type, command_fix
from usage.calc.rules.machine_sql import DATABASES, PRICE_LIST, price_join, price_of
from usage.calc.rules.type_sql import OWN, explain_smaller, explain_successor, smaller_sql, successor_sql

_idle = finding_sql(
    f"""
    SELECT d.*, 'instance' AS part, d.cost AS monthly_cost, d.open_cost AS saving,
        '{Confidence.LIKELY}' AS confidence,
        json_object('connections', connections_maximum, 'days', measured_days, 'type', type) AS evidence,
        json_object() AS target
    FROM databases AS d JOIN measured USING ({KEY})
    WHERE connections_maximum < 1
    """,
    DATABASES,
    metrics_sql("measured", "connections"),
)


def _explain_idle(finding: FindingRow) -> str:
    return _("In {days} days nobody connected to it.").format(days=finding["evidence"]["days"])


def _fix_idle(finding: FindingRow) -> Sequence[Fix]:
    kind = "cache" if str(finding["evidence"].get("type")).startswith("cache.") else "db"
    delete = {
        "db": (
            "aws rds delete-db-instance --region {region} --db-instance-identifier {name}"
            " --final-db-snapshot-identifier {snapshot}"
        ),
        "cache": "aws elasticache delete-cache-cluster --region {region} --cache-cluster-id {name}",
    }
    commands = {
        AWS: delete[kind],
        GOOGLE: "gcloud sql instances patch {name} --project {account} --activation-policy NEVER",
    }
    back = {
        AWS: (
            "aws rds restore-db-instance-from-db-snapshot --region {region} --db-instance-identifier {name}"
            " --db-snapshot-identifier {snapshot}"
        )
        if kind == "db"
        else "",
        GOOGLE: "gcloud sql instances patch {name} --project {account} --activation-policy ALWAYS",
    }
    snapshot = "last-of-" + str(finding["resource"]).rpartition(":")[2]
    return command_fix(_("Delete it and keep a last snapshot"), finding, commands, back, snapshot=snapshot)


def _fix_type(finding: FindingRow) -> Sequence[Fix]:
    return change_type(_("Change its type in the next maintenance window"), finding, RESIZE_DATABASE)


_support = finding_sql(
    f"""
    SELECT *, 'extended support' AS part, cost AS monthly_cost, open_cost AS saving,
        '{Confidence.CERTAIN}' AS confidence, json_object('usage', usage) AS evidence, json_object() AS target
    FROM supported
    """,
    use_sql(
        "supported",
        f"provider = {literal(AWS)} AND usage_type ILIKE '%ExtendedSupport:Yr%'",
        usage="max(usage_type)",
    ),
)


def _explain_support(finding: FindingRow) -> str:
    return _("Its engine is out of standard support, and each hour of it is charged extra ({usage}).").format(
        usage=finding["evidence"]["usage"]
    )


def _fix_support(finding: FindingRow) -> Sequence[Fix]:
    upgrade = {
        AWS: (
            "aws rds describe-db-engine-versions --region {region} --engine ENGINE --query"
            " 'DBEngineVersions[].EngineVersion'\n"
            "aws rds modify-db-instance --region {region} --db-instance-identifier {name} --engine-version VERSION"
            " --allow-major-version-upgrade"
        )
    }
    return command_fix(_("Upgrade the engine, first on a copy made from a snapshot"), finding, upgrade)


# The families of Graviton for engines that AWS runs, the newest first.
GRAVITON = {
    **dict.fromkeys(("t2", "t3"), ("t4g",)),
    **dict.fromkeys(("m3", "m4", "m5", "m6i", "m7i"), ("m8g", "m7g", "m6g")),
    **dict.fromkeys(("c4", "c5"), ("c7g", "c6g")),
    **dict.fromkeys(("r3", "r4", "r5", "r6i", "r7i"), ("r8g", "r7g", "r6g")),
}
ON_ARM = "regexp_matches(m.system, 'MySQL|PostgreSQL|MariaDB|Redis|Valkey|Memcached') OR m.type LIKE '%.search'"


# RDS prices a Multi-AZ instance of these engines at twice a Single-AZ one (aws.amazon.com/rds/pricing, all regions).
SINGLE_AZ_RATIO = 0.5
_single = "replace(m.system, ' Multi-AZ', '')"
_ratio = f"coalesce(1 - {price_of('target_price')} / {OWN}, {SINGLE_AZ_RATIO})"
_standby = finding_sql(
    f"""
    SELECT m.*, 'instance' AS part, m.cost AS monthly_cost, {saved("open_cost", _ratio)} AS saving,
        '{Confidence.LIKELY}' AS confidence,
        json_object('type', m.type, 'environment', r.environment, 'price', {price_of("target_price")}) AS evidence,
        json_object('system', {_single}) AS target
    FROM databases AS m JOIN resources AS r USING ({KEY})
    {price_join("target_price", "m.type", "m", _single)}
    {price_join("own_price", "m.type", "m")}
    WHERE r.is_production = false AND m.system LIKE '% Multi-AZ'
    """,
    DATABASES,
    PRICE_LIST,
)


def _explain_standby(finding: FindingRow) -> str:
    evidence = finding["evidence"]
    if evidence["price"] is None:
        return _(
            "It is {environment} and pays for a standby in another zone; without one it costs half, as RDS prices it."
        ).format(environment=evidence["environment"])
    return _("It is {environment} and pays for a standby in another zone.").format(environment=evidence["environment"])


def _fix_standby(finding: FindingRow) -> Sequence[Fix]:
    change = "aws rds modify-db-instance --region {region} --db-instance-identifier {name} --apply-immediately"
    return command_fix(
        _("Run it in one zone"), finding, {AWS: f"{change} --no-multi-az"}, {AWS: f"{change} --multi-az"}
    )


RULES = (
    Rule(
        name="database_idle",
        title=_noop("Database that nobody connects to"),
        lever=Lever.DELETE,
        effort=Effort.LOW,
        risk=Risk.MEDIUM,
        sql=_idle,
        explain=_explain_idle,
        fixes=_fix_idle,
        makes_certain=_noop("Whoever owns it confirms that nobody needs it."),
        docs="https://docs.aws.amazon.com/awssupport/latest/user/cost-optimization-checks.html",
        needs=("metrics",),
    ),
    Rule(
        name="database_rightsize",
        title=_noop("Database larger than it needs"),
        lever=Lever.RIGHTSIZE,
        effort=Effort.MEDIUM,
        risk=Risk.MEDIUM,
        sql=smaller_sql("databases", "instance"),
        explain=explain_smaller,
        fixes=_fix_type,
        makes_certain=_noop("Measure its memory too, and try the smaller type for a week."),
        docs="https://docs.aws.amazon.com/compute-optimizer/latest/ug/view-rds-recommendations.html",
        needs=("metrics",),
    ),
    Rule(
        name="database_extended_support",
        title=_noop("Extended support of an old engine"),
        lever=Lever.MODERNISE,
        effort=Effort.HIGH,
        risk=Risk.MEDIUM,
        sql=_support,
        explain=_explain_support,
        fixes=_fix_support,
        docs="https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/extended-support.html",
    ),
    Rule(
        name="database_arm",
        title=_noop("Database on Intel where Arm does the same"),
        lever=Lever.MODERNISE,
        effort=Effort.LOW,
        risk=Risk.LOW,
        sql=successor_sql("databases", GRAVITON, part="instance", condition=ON_ARM, confidence=Confidence.LIKELY),
        explain=explain_successor,
        fixes=_fix_type,
        makes_certain=_noop("The version of its engine runs on the type: the console offers it."),
        docs="https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/Concepts.DBInstanceClass.html",
    ),
    Rule(
        name="database_standby",
        title=_noop("Standby of a database that is not production"),
        lever=Lever.RIGHTSIZE,
        effort=Effort.LOW,
        risk=Risk.LOW,
        sql=_standby,
        explain=_explain_standby,
        fixes=_fix_standby,
        makes_certain=_noop("Whoever owns it confirms that an outage of some minutes does no harm."),
        docs="https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/Concepts.MultiAZ.html",
    ),
)

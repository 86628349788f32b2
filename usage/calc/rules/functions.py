"""Functions: more memory than they use, capacity that is kept ready for nobody, Intel where Arm does the same. Pure."""

from collections.abc import Sequence

from costs.calc.providers import AWS
from costs.formats.sql import literal
from finops_site.lib.language import gettext as _
from finops_site.lib.language import gettext_noop as _noop
from finops_site.lib.words import number_text
from usage.calc.rules.base import Confidence, Effort, Fix, Lever, Risk, Rule
from usage.calc.rules.finding_sql import KEY, finding_sql, inventory_sql, metrics_sql, saved, use_sql
from usage.calc.rules.fix_commands import FindingRow, command_fix
from usage.calc.rules.machine_sql import TEXT

LEAST_MB = 128
STEP_MB = 64
# A fifth stays free, so that an invocation like no other does not fail.
ROOM = 1.2

_is_lambda = f"provider = {literal(AWS)} AND regexp_matches(lower(service), 'lambda')"
DURATION = use_sql(
    "functions",
    f"""{_is_lambda} AND NOT regexp_matches(coalesce(usage_type, ''), 'Provisioned')
        AND (regexp_matches(coalesce(usage_type, ''), 'Lambda-GB-Second') OR contains({TEXT}, 'function duration'))""",
    is_arm=f"bool_or(regexp_matches(coalesce(usage_type, ''), 'ARM') OR contains({TEXT}, 'arm'))",
    unit="max(unit)",
)
_attribute = "TRY_CAST(json_extract_string(i.attributes, '$.memory_mb') AS DOUBLE)"
_wanted = f"greatest({LEAST_MB}, ceil(memory_used_maximum / 1048576 * {ROOM} / {STEP_MB}) * {STEP_MB})"
_memory = finding_sql(
    f"""
    SELECT f.*, 'duration' AS part, f.cost AS monthly_cost,
        {saved("f.open_cost", f"1 - {_wanted} / {_attribute}")} AS saving, '{Confidence.LIKELY}' AS confidence,
        json_object('memory', {_attribute}, 'used', memory_used_maximum / 1048576, 'days', measured_days) AS evidence,
        json_object('memory', {_wanted}) AS target
    FROM functions AS f JOIN measured USING ({KEY}) JOIN things AS i USING ({KEY})
    WHERE {_attribute} > {_wanted}
    """,
    DURATION,
    metrics_sql("measured", "memory_used"),
    inventory_sql("things", "function"),
)


def _explain_memory(finding: FindingRow) -> str:
    evidence = finding["evidence"]
    return _(
        "It has {memory} MB, and in {days} days no invocation used more than {used} MB: {target} MB leave room enough, "
        "as long as it is not the slower for it."
    ).format(
        memory=number_text(evidence["memory"]),
        days=evidence["days"],
        used=number_text(evidence["used"]),
        target=number_text(finding["target"]["memory"]),
    )


def _fix_memory(finding: FindingRow) -> Sequence[Fix]:
    change = "aws lambda update-function-configuration --region {region} --function-name {name} --memory-size {memory}"
    before = {AWS: change.replace("{memory}", str(int(finding["evidence"]["memory"])))}
    return command_fix(
        _("Give it less memory"), finding, {AWS: change}, before, memory=int(finding["target"]["memory"])
    )


_provisioned = finding_sql(
    f"""
    SELECT f.*, 'provisioned' AS part, f.cost AS monthly_cost, f.open_cost AS saving,
        '{Confidence.LIKELY}' AS confidence, json_object('days', measured_days) AS evidence, json_object() AS target
    FROM kept_ready AS f JOIN measured USING ({KEY})
    WHERE provisioned_invocations_maximum = 0
    """,
    use_sql("kept_ready", f"{_is_lambda} AND regexp_matches(usage_type, 'Provisioned-Concurrency')"),
    metrics_sql("measured", "provisioned_invocations"),
)


def _explain_provisioned(finding: FindingRow) -> str:
    return _("Its provisioned concurrency was charged, and in {days} days no invocation came to it.").format(
        days=finding["evidence"]["days"]
    )


def _fix_provisioned(finding: FindingRow) -> Sequence[Fix]:
    delete = {
        AWS: "aws lambda delete-provisioned-concurrency-config --region {region} --function-name {name}"
        " --qualifier QUALIFIER"
    }
    return command_fix(_("Take the provisioned concurrency away"), finding, delete)


# aws.amazon.com/lambda/pricing, us-east-1, 2025: a GB-second is 0.0000166667 on x86 and 0.0000133334 on Arm. The ratio
# is the same in every region and tier; it counts where no list has the price.
ARM_RATIO = 0.8
_arm_ratio = f"coalesce(p.price / f.list_rate, {ARM_RATIO})"
_arm = finding_sql(
    f"""
    SELECT f.*, 'duration' AS part, f.cost AS monthly_cost, {saved("f.open_cost", f"1 - {_arm_ratio}")} AS saving,
        '{Confidence.LOOK}' AS confidence,
        json_object('is_listed', p.price IS NOT NULL) AS evidence,
        json_object('architecture', 'arm64', 'ratio', {_arm_ratio}) AS target
    FROM functions AS f
    LEFT JOIN arm_prices AS p ON p.provider = f.provider AND p.region = f.region AND p.currency = f.currency
    LEFT JOIN things AS i ON i.provider = f.provider AND i.account = f.account AND i.region = f.region
        AND i.resource = f.resource
    WHERE NOT f.is_arm AND coalesce(json_extract_string(i.attributes, '$.architecture'), '') <> 'arm64'
    """,
    DURATION,
    inventory_sql("things", "function"),
    """arm_prices AS (
        SELECT provider, region, currency, max(price) AS price FROM prices
        WHERE regexp_matches(item, 'Lambda-GB-Second-ARM$') AND price > 0 GROUP BY ALL
    )""",
)


def _explain_arm(finding: FindingRow) -> str:
    if finding["evidence"]["is_listed"]:
        return _("It runs on Intel; a second of Arm costs less by the list.")
    return _("It runs on Intel; a second of Arm costs a fifth less, as AWS prices it everywhere.")


def _fix_arm(finding: FindingRow) -> Sequence[Fix]:
    change = "aws lambda update-function-code --region {region} --function-name {name} --zip-file fileb://function.zip"
    return command_fix(
        _("Build it for Arm, test it, then change it"),
        finding,
        {AWS: f"{change} --architectures arm64"},
        {AWS: f"{change} --architectures x86_64"},
    )


RULES = (
    Rule(
        name="function_memory",
        title=_noop("Function with more memory than it uses"),
        lever=Lever.RIGHTSIZE,
        effort=Effort.LOW,
        risk=Risk.MEDIUM,
        sql=_memory,
        explain=_explain_memory,
        fixes=_fix_memory,
        makes_certain=_noop("Measure how long it takes with less memory: fewer megabytes are a slower processor."),
        docs="https://docs.aws.amazon.com/lambda/latest/dg/configuration-memory.html",
        needs=("metrics", "inventory"),
    ),
    Rule(
        name="function_provisioned",
        title=_noop("Provisioned concurrency that nobody calls"),
        lever=Lever.DELETE,
        effort=Effort.LOW,
        risk=Risk.LOW,
        sql=_provisioned,
        explain=_explain_provisioned,
        fixes=_fix_provisioned,
        makes_certain=_noop("Whoever owns it confirms that nobody needs it."),
        docs="https://docs.aws.amazon.com/lambda/latest/dg/provisioned-concurrency.html",
        needs=("metrics",),
    ),
    Rule(
        name="function_arm",
        title=_noop("Function on Intel where Arm does the same"),
        lever=Lever.MODERNISE,
        effort=Effort.LOW,
        risk=Risk.LOW,
        sql=_arm,
        explain=_explain_arm,
        fixes=_fix_arm,
        makes_certain=_noop("Its software passes its tests on Arm."),
        docs="https://docs.aws.amazon.com/lambda/latest/dg/foundation-arch.html",
    ),
)

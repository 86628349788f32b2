"""Buckets: data that nobody reads at the price of data that everybody reads, and what should not be kept at all. Pure.

SQL finds the buckets with their gigabytes, objects and reads; which class pays is arithmetic of `storage_classes`,
written as SQL over a small table of classes so that a million buckets are judged at once.
"""

import json
from collections.abc import Sequence
from typing import Any

from costs.calc.providers import AWS, AZURE, GOOGLE
from costs.formats.sql import literal
from finops_site.lib.language import gettext as _
from finops_site.lib.language import gettext_noop as _noop
from finops_site.lib.words import number_text
from usage.calc.facts import MONEY
from usage.calc.rules.base import Confidence, Effort, Fix, Lever, Risk, Rule
from usage.calc.rules.finding_sql import KEY, finding_sql, inventory_sql, use_sql
from usage.calc.rules.fix_commands import FindingRow, end_of_id
from usage.calc.rules.machine_sql import UNNAMED
from usage.calc.storage_classes import (
    CLASSES,
    GIB,
    INTELLIGENT,
    MONTHS,
    ONE_ZONE_IA,
    SMALLEST_BYTES,
    USUAL,
    azure_policy,
    gcs_policy,
    s3_policy,
)

# Smaller than this a bucket is not worth a policy.
LEAST_GIGABYTES = 100
KEEP_VERSIONS_DAYS = 30
MULTIPART_DAYS = 7
# What is moved is at least this old: what is written and read in its first weeks stays where it is.
MOVE_AFTER_DAYS = 30

_TEXT = "lower(coalesce(usage_type, '') || ' ' || coalesce(description, ''))"
# A bill that was made of an inventory names the class alone, and has no requests.
_UNNAMED = f"{UNNAMED} AND service = 'Amazon Simple Storage Service' AND lower(description) = 'standard storage'"
IS_STORED = f"""CASE provider
    WHEN {literal(AWS)} THEN (regexp_matches(coalesce(usage_type, ''), 'TimedStorage-ByteHrs$')
        AND NOT contains({_TEXT}, 'log')) OR ({_UNNAMED})
    WHEN {literal(AZURE)} THEN regexp_matches({_TEXT}, 'hot .*data stored')
    WHEN {literal(GOOGLE)} THEN regexp_matches({_TEXT}, '^ ?standard storage') ELSE false END"""
IS_READ = f"""CASE provider
    WHEN {literal(AWS)} THEN regexp_matches(coalesce(usage_type, ''), 'Requests-Tier2$')
    WHEN {literal(AZURE)} THEN regexp_matches({_TEXT}, 'hot .*read operations')
    WHEN {literal(GOOGLE)} THEN regexp_matches({_TEXT}, 'class b') ELSE false END"""
_CLASS_ROWS = ", ".join(
    f"({literal(provider)}, {literal(one.code)}, {literal(one.name)}, {one.storage / USUAL[provider].storage},"
    f" {one.moving}, {one.reading}, {one.watching}, {one is INTELLIGENT})"
    for provider, classes in CLASSES.items()
    for one in classes
    if one is not USUAL[provider] and one is not ONE_ZONE_IA and one.is_instant
)
CLASS_TABLE = f"""classes AS (
    SELECT * FROM (VALUES {_CLASS_ROWS}) AS t(provider, code, class_name, rate, moving, reading, watching, is_watched)
)"""

_tiering = finding_sql(
    f"""
    SELECT * FROM (
        SELECT b.*, c.class_name, 'storage' AS part, b.cost AS monthly_cost,
            CASE WHEN b.currency = 'USD' THEN CAST(round(
                b.open_cost * (1 - CASE WHEN c.is_watched THEN least(1, b.asked_share)
                    + c.rate * (1 - least(1, b.asked_share)) ELSE c.rate END)
                - b.gigabytes * b.asked_share * c.reading
                - b.objects / 1000 * c.watching - b.objects / 1000 * c.moving / {MONTHS}, 6) AS {MONEY}) END AS saving,
            CASE WHEN b.objects IS NULL OR b.reads IS NULL THEN '{Confidence.LOOK}'
                ELSE '{Confidence.LIKELY}' END AS confidence,
            json_object('gigabytes', b.gigabytes, 'objects', b.objects, 'reads', b.reads,
                'read_share', b.read_share) AS evidence,
            json_object('class', c.code, 'name', c.class_name, 'days', {MOVE_AFTER_DAYS}) AS target
        FROM buckets AS b JOIN classes AS c ON c.provider = b.provider
        -- Small objects are never moved; without their number the class that watches them itself is proposed.
        WHERE CASE WHEN b.objects IS NULL THEN c.is_watched OR c.provider <> {literal(AWS)}
            ELSE b.gigabytes * {GIB} / b.objects >= {SMALLEST_BYTES} END
            -- Where nobody states how much is read, only the class in which reading costs nothing.
            AND (b.reads IS NOT NULL OR c.is_watched)
    )
    QUALIFY row_number() OVER (
        PARTITION BY provider, account, region, resource, currency ORDER BY saving DESC NULLS LAST, class_name
    ) = 1
    """,
    use_sql("stored", IS_STORED, is_unnamed=f"bool_and({_UNNAMED})"),
    f"""asked AS (
        SELECT {KEY}, currency, sum(monthly_quantity) AS reads FROM use WHERE {IS_READ} GROUP BY {KEY}, currency
    )""",
    f"""counted AS (
        SELECT {KEY}, max(objects) AS objects FROM (
            SELECT {KEY}, average AS objects FROM metrics WHERE metric = 'objects'
            UNION ALL
            SELECT {KEY}, TRY_CAST(json_extract_string(attributes, '$.objects') AS DOUBLE) FROM inventory
            WHERE kind = 'bucket'
        ) WHERE objects > 0 GROUP BY {KEY}
    )""",
    f"""buckets AS (
        SELECT s.*, s.quantity AS gigabytes, n.objects,
            CASE WHEN s.is_unnamed THEN NULL ELSE coalesce(a.reads, 0) END AS reads,
            -- A read brings one object: more reads than objects read all of it, over and over.
            CASE WHEN NOT s.is_unnamed THEN coalesce(a.reads, 0) / n.objects END AS read_share,
            coalesce(a.reads, 0) / n.objects AS asked_share
        FROM stored AS s LEFT JOIN asked AS a USING ({KEY}, currency) LEFT JOIN counted AS n USING ({KEY})
        WHERE s.quantity >= {LEAST_GIGABYTES}
    )""",
    CLASS_TABLE,
)


def _explain_tiering(finding: FindingRow) -> str:
    evidence, target = finding["evidence"], finding["target"]
    if evidence["reads"] is None:
        return _(
            "{gigabytes} GB are stored at the usual price, and how often they are read is on no bill: {target} costs "
            "nothing to read, and less for what nobody reads in thirty days."
        ).format(gigabytes=number_text(evidence["gigabytes"], 0), target=target["name"])
    if evidence["objects"] is None:
        return _(
            "{gigabytes} GB are stored at the usual price and {reads} objects are read a month; how many there are is "
            "not known, so what {target} would save is not either."
        ).format(
            gigabytes=number_text(evidence["gigabytes"], 0),
            reads=number_text(evidence["reads"], 0),
            target=target["name"],
        )
    return _(
        "{gigabytes} GB in {objects} objects are stored at the usual price, and {reads} objects are read a month: "
        "{target} costs less, with reading and moving counted."
    ).format(
        gigabytes=number_text(evidence["gigabytes"], 0),
        objects=number_text(evidence["objects"], 0),
        reads=number_text(evidence["reads"], 0),
        target=target["name"],
    )


def _policy(finding: FindingRow) -> str:
    code, days = finding["target"]["class"], finding["target"]["days"]
    target = next(one for one in CLASSES[finding["provider"]] if one.code == code)
    if finding["provider"] == AWS:
        return s3_policy(target, days)
    return (azure_policy if finding["provider"] == AZURE else gcs_policy)(target, days)


def _fix_tiering(finding: FindingRow) -> Sequence[Fix]:
    fixes = [Fix(_("Add this to the lifecycle policy"), "json", _policy(finding), _undo())]
    if finding["provider"] == AWS:
        rules = json.loads(fixes[0].text)["Rules"]
        fixes.append(Fix(_("The same in Terraform"), "terraform", _terraform(end_of_id(finding["resource"]), rules)))
    return fixes


def _undo() -> str:
    return _("Delete the rule: what was moved stays where it is, and what is new is no longer moved.")


def _terraform(bucket: str, rules: Sequence[dict[str, Any]]) -> str:
    body = "\n".join(
        f"""  rule {{
    id     = "{rule["ID"]}"
    status = "Enabled"
    filter {{ object_size_greater_than = {SMALLEST_BYTES} }}
    transition {{
      days          = {rule["Transitions"][0]["Days"]}
      storage_class = "{rule["Transitions"][0]["StorageClass"]}"
    }}
  }}"""
        for rule in rules
    )
    name = json.dumps(bucket)
    return f'resource "aws_s3_bucket_lifecycle_configuration" "this" {{\n  bucket = {name}\n{body}\n}}'


def _attribute(name: str) -> str:
    return f"TRY_CAST(json_extract_string(t.attributes, '$.{name}') AS DOUBLE)"


def _kept_sql(attribute: str, share: str, certain: Confidence) -> str:
    """A finding for each bucket whose inventory counts bytes of a kind that nobody needs, at the bucket's own rate."""
    return finding_sql(
        f"""
        SELECT s.*, 'storage' AS part, s.cost AS monthly_cost,
            CAST(round(s.open_cost * least(1, k.bytes / {GIB} / s.quantity) * {share}, 6) AS {MONEY}) AS saving,
            '{certain}' AS confidence,
            json_object('gigabytes', k.bytes / {GIB}, 'all', s.quantity) AS evidence, json_object() AS target
        FROM stored AS s JOIN kept AS k USING ({KEY})
        WHERE k.bytes > 0 AND s.quantity > 0
        """,
        use_sql("stored", IS_STORED),
        inventory_sql("things", "bucket"),
        f"kept AS (SELECT {KEY}, {_attribute(attribute)} AS bytes FROM things AS t)",
    )


def _explain_multipart(finding: FindingRow) -> str:
    return _("{gigabytes} GB are parts of uploads that never ended: nobody can read them.").format(
        gigabytes=number_text(finding["evidence"]["gigabytes"], 0)
    )


def _fix_multipart(finding: FindingRow) -> Sequence[Fix]:
    text = s3_policy(None, multipart_days=MULTIPART_DAYS)
    return [Fix(_("Add this to the lifecycle policy"), "json", text, _undo())] if finding["provider"] == AWS else []


def _explain_versions(finding: FindingRow) -> str:
    return _("{gigabytes} of {all} GB are older versions of objects that have a newer one.").format(
        gigabytes=number_text(finding["evidence"]["gigabytes"], 0), all=number_text(finding["evidence"]["all"], 0)
    )


def _fix_versions(finding: FindingRow) -> Sequence[Fix]:
    text = s3_policy(None, versions_days=KEEP_VERSIONS_DAYS)
    title = _("Keep older versions for {days} days").format(days=KEEP_VERSIONS_DAYS)
    return [Fix(title, "json", text, _undo())] if finding["provider"] == AWS else []


RULES = (
    Rule(
        name="bucket_multipart",
        title=_noop("Uploads that never ended"),
        lever=Lever.DELETE,
        effort=Effort.LOW,
        risk=Risk.LOW,
        sql=_kept_sql("incomplete_multipart_bytes", "1", Confidence.CERTAIN),
        explain=_explain_multipart,
        fixes=_fix_multipart,
        docs="https://docs.aws.amazon.com/AmazonS3/latest/userguide/mpu-abort-incomplete-mpu-lifecycle-config.html",
        needs=("inventory",),
    ),
    Rule(
        name="bucket_versions",
        title=_noop("Older versions of objects"),
        lever=Lever.DELETE,
        effort=Effort.LOW,
        risk=Risk.MEDIUM,
        sql=_kept_sql("noncurrent_bytes", "1", Confidence.LIKELY),
        explain=_explain_versions,
        fixes=_fix_versions,
        makes_certain=_noop("Whoever owns it confirms that older versions need not be kept."),
        docs="https://docs.aws.amazon.com/AmazonS3/latest/userguide/lifecycle-configuration-examples.html",
        needs=("inventory",),
    ),
    Rule(
        name="bucket_tiering",
        title=_noop("Bucket in a class dearer than its use"),
        lever=Lever.TIER,
        effort=Effort.LOW,
        risk=Risk.LOW,
        sql=_tiering,
        explain=_explain_tiering,
        fixes=_fix_tiering,
        makes_certain=_noop("Load the number of its objects (CloudWatch NumberOfObjects, or S3 Storage Lens)."),
        docs="https://docs.aws.amazon.com/AmazonS3/latest/userguide/storage-class-intro.html",
    ),
)

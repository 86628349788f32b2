"""Snapshots, backups and logs that outlive what they were made for. Pure."""

from collections.abc import Sequence

from costs.calc.providers import AWS, AZURE
from finops_site.lib.language import gettext as _
from finops_site.lib.language import gettext_noop as _noop
from finops_site.lib.words import number_text
from usage.calc.rules.base import Confidence, Effort, Fix, Lever, Risk, Rule
from usage.calc.rules.finding_sql import KEY, finding_sql, inventory_sql, saved, use_sql
from usage.calc.rules.fix_commands import FindingRow, command_fix

NEW_DAYS = 30
OLD_DAYS = 365
# CloudWatch Logs keeps logs compressed to about 15 % of what was taken in (AWS, CloudWatch pricing examples).
COMPRESSED = 0.15
KEEP_MONTHS = 3
LEAST_LOG_GIGABYTES = 10

_TEXT = "lower(coalesce(usage_type, '') || ' ' || coalesce(description, ''))"
SNAPSHOTS = use_sql("snapshots", f"regexp_matches({_TEXT}, 'snapshotusage|snapshot')")

_orphans = finding_sql(
    f"""
    SELECT s.*, 'storage' AS part, s.cost AS monthly_cost, s.open_cost AS saving,
        CASE WHEN t.is_orphan THEN '{Confidence.CERTAIN}' ELSE '{Confidence.LOOK}' END AS confidence,
        json_object('created', CAST(t.created_day AS VARCHAR), 'age', t.age, 'parent', t.parent,
            'is_orphan', t.is_orphan) AS evidence,
        json_object() AS target
    FROM snapshots AS s JOIN judged_things AS t USING ({KEY})
    WHERE (t.is_orphan AND t.age >= {NEW_DAYS}) OR t.age >= {OLD_DAYS}
    """,
    SNAPSHOTS,
    inventory_sql("things", "snapshot"),
    # Only where the account's inventory lists disks at all is a disk that is not in it gone.
    f"""judged_things AS (
        SELECT t.{KEY.replace(", ", ", t.")}, t.created_day, t.parent,
            date_diff('day', t.created_day, t.last_day) AS age,
            t.parent <> '' AND a.account IS NOT NULL AND d.resource IS NULL
                -- An image stands on it: deleting it breaks what starts from the image.
                AND i.parent IS NULL
                -- What a connection could not list is not gone.
                AND NOT EXISTS (SELECT 1 FROM unread AS u WHERE u.provider = t.provider AND u.account = t.account
                    AND u.region IN ('', t.region) AND u.kind IN ('disk', 'image')) AS is_orphan
        FROM things AS t
        LEFT JOIN (SELECT DISTINCT provider, account FROM inventory WHERE kind = 'disk') AS a
            ON a.provider = t.provider AND a.account = t.account
        LEFT JOIN inventory AS d ON d.kind = 'disk' AND d.provider = t.provider AND d.account = t.account
            AND (d.resource = t.parent OR ends_with(d.resource, '/' || t.parent))
        LEFT JOIN (SELECT DISTINCT provider, account, parent FROM inventory WHERE kind = 'image' AND parent <> '') AS i
            ON i.provider = t.provider AND i.account = t.account
            AND (i.parent = t.resource OR ends_with(t.resource, '/' || i.parent))
    )""",
)


def _explain_snapshot(finding: FindingRow) -> str:
    evidence = finding["evidence"]
    if evidence["is_orphan"]:
        return _("Its disk {disk} is gone; it was made {days} days ago.").format(
            disk=evidence["parent"], days=number_text(evidence["age"], 0)
        )
    return _("It was made {days} days ago, and its disk is still there.").format(days=number_text(evidence["age"], 0))


DELETE_SNAPSHOT = {
    AWS: "aws ec2 delete-snapshot --region {region} --snapshot-id {name}",
    AZURE: "az snapshot delete --ids {id}",
}


def _fix_snapshot(finding: FindingRow) -> Sequence[Fix]:
    return command_fix(_("Delete it: nothing brings it back"), finding, DELETE_SNAPSHOT)


# The share that is older than the months to keep, if what is taken in stays as it is.
_OLDER = f"1 - least(1, {KEEP_MONTHS} * coalesce(i.taken, 0) * {COMPRESSED} / s.quantity)"
IS_LOG_STORAGE = f"provider = '{AWS}' AND regexp_matches({_TEXT}, 'timedstorage-bytehrs') AND contains({_TEXT}, 'log')"
_logs = finding_sql(
    f"""
    SELECT s.*, 'storage' AS part, s.cost AS monthly_cost,
        {saved("s.open_cost", _OLDER)} AS saving,
        CASE WHEN t.resource IS NULL THEN '{Confidence.LOOK}' ELSE '{Confidence.LIKELY}' END AS confidence,
        json_object('stored', s.quantity, 'taken', coalesce(i.taken, 0), 'months', {KEEP_MONTHS}) AS evidence,
        json_object('days', {KEEP_MONTHS * 30}) AS target
    FROM stored AS s
    LEFT JOIN taken_in AS i USING ({KEY}, currency)
    LEFT JOIN things AS t USING ({KEY})
    WHERE s.quantity >= {LEAST_LOG_GIGABYTES}
        AND json_extract_string(t.attributes, '$.retention_days') IS NULL
    """,
    use_sql(
        "stored", f"provider = '{AWS}' AND regexp_matches({_TEXT}, 'timedstorage-bytehrs') AND contains({_TEXT}, 'log')"
    ),
    f"""taken_in AS (
        SELECT {KEY}, currency, sum(monthly_quantity) AS taken FROM use
        WHERE provider = '{AWS}' AND regexp_matches({_TEXT}, 'dataprocessing-bytes') GROUP BY {KEY}, currency
    )""",
    inventory_sql("things", "log_group"),
)


def _explain_logs(finding: FindingRow) -> str:
    evidence = finding["evidence"]
    return _(
        "{stored} GB of logs are kept, and {taken} GB a month are taken in: most of it is older than {months} months."
    ).format(
        stored=number_text(evidence["stored"], 0),
        taken=number_text(evidence["taken"], 0),
        months=evidence["months"],
    )


KEEP_LOGS = {AWS: "aws logs put-retention-policy --region {region} --log-group-name {id} --retention-in-days {days}"}
KEEP_ALL_LOGS = {AWS: "aws logs delete-retention-policy --region {region} --log-group-name {id}"}


def _fix_logs(finding: FindingRow) -> Sequence[Fix]:
    name = finding["resource"].partition(":log-group:")[2].removesuffix(":*") or finding["resource"]
    days = finding["target"]["days"]
    title = _("Keep logs for {days} days").format(days=days)
    return command_fix(
        title, {**finding, "resource": name}, _whole_names(KEEP_LOGS), _whole_names(KEEP_ALL_LOGS), days=days
    )


def _whole_names(commands: dict[str, str]) -> dict[str, str]:
    """The name of a log group is a path: all of it is its name."""
    return {provider: command.replace("{name}", "{id}") for provider, command in commands.items()}


RULES = (
    Rule(
        name="snapshot_old",
        title=_noop("Snapshot that nobody needs"),
        lever=Lever.DELETE,
        effort=Effort.LOW,
        risk=Risk.MEDIUM,
        sql=_orphans,
        explain=_explain_snapshot,
        fixes=_fix_snapshot,
        makes_certain=_noop("Load an inventory that lists disks, snapshots and images of the account."),
        docs="https://docs.aws.amazon.com/ebs/latest/userguide/ebs-deleting-snapshot.html",
        needs=("inventory",),
    ),
    Rule(
        name="logs_kept",
        title=_noop("Logs without an end"),
        lever=Lever.TIER,
        effort=Effort.LOW,
        risk=Risk.LOW,
        sql=_logs,
        explain=_explain_logs,
        fixes=_fix_logs,
        makes_certain=_noop("Load an inventory of log groups with their retention."),
        docs="https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/Working-with-log-groups-and-streams.html",
    ),
)

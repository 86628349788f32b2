"""Disks: attached to nothing, of stopped machines, gp2, too large, or with operations that nobody uses. Pure."""

from collections.abc import Sequence

from costs.calc.providers import AWS, AZURE, GOOGLE
from costs.formats.sql import literal
from finops_site.lib.language import gettext as _
from finops_site.lib.language import gettext_noop as _noop
from finops_site.lib.words import number_text, share_text
from usage.calc.rules.base import Confidence, Effort, Fix, Lever, Risk, Rule
from usage.calc.rules.finding_sql import KEY, finding_sql, inventory_sql, metrics_sql, saved, use_sql
from usage.calc.rules.fix_commands import FindingRow, command_fix, written_day
from usage.calc.rules.machine_sql import TEXT, UNNAMED

STOPPED_DAYS = 30
# What was made this week may be about to be attached.
NEW_DAYS = 7

_text = "lower(coalesce(usage_type, '') || ' ' || coalesce(description, ''))"
IS_VOLUME = f"""CASE provider
    WHEN {literal(AWS)} THEN regexp_matches(coalesce(usage_type, ''), 'EBS:VolumeUsage') OR (
        {UNNAMED} AND regexp_matches(lower(service), 'elastic block store')
        AND contains({TEXT}, 'provisioned storage'))
    WHEN {literal(AZURE)} THEN regexp_matches({_text}, 'disk') AND category = 'Storage'
        AND NOT regexp_matches({_text}, 'snapshot|operations')
    WHEN {literal(GOOGLE)} THEN regexp_matches({TEXT}, 'pd capacity|hyperdisk.*capacity') ELSE false END"""
VOLUMES = use_sql(
    "volumes",
    IS_VOLUME,
    type=f"max(CASE WHEN contains({_text}, 'piops') THEN 'io1' ELSE"
    f" regexp_extract({_text}, '\\b(gp2|gp3|io1|io2|st1|sc1)\\b', 1) END)",
)
# Magnetic volumes alone are charged for what is read and written: without such charges nobody does.
MAGNETIC = use_sql(
    "magnetic",
    f"provider = {literal(AWS)} AND regexp_matches(usage_type, 'EBS:Volume(IO)?Usage$')",
    with_past=True,
    operations="coalesce(sum(quantity) FILTER (contains(usage_type, 'VolumeIOUsage')), 0)",
)

_unattached = finding_sql(
    f"""
    SELECT r.*, '' AS part, r.monthly_open_cost AS saving, c.confidence,
        json_object('reason', c.reason, 'since', CAST(c.since AS VARCHAR), 'days', c.days) AS evidence,
        json_object() AS target
    FROM reasons AS c JOIN resources AS r USING ({KEY})
    QUALIFY row_number() OVER (PARTITION BY r.provider, r.account, r.region, r.resource ORDER BY c.rank) = 1
    """,
    VOLUMES,
    MAGNETIC,
    inventory_sql("things", "disk"),
    metrics_sql("measured", "disk_read_ops", "disk_write_ops"),
    f"""reasons AS (
        SELECT {KEY}, '{Confidence.CERTAIN}' AS confidence, 'inventory' AS reason, created_day AS since,
            NULL AS days, 1 AS rank
        FROM things
        WHERE (state = 'available' OR attached_to = '') AND (created_day > last_day - {NEW_DAYS}) IS NOT TRUE
        UNION ALL
        SELECT {KEY}, '{Confidence.LIKELY}', 'metrics', NULL, measured_days, 2
        FROM volumes JOIN measured USING ({KEY})
        WHERE disk_read_ops_maximum = 0 AND disk_write_ops_maximum = 0
        UNION ALL
        SELECT {KEY}, '{Confidence.LOOK}', 'bill', NULL, days, 3 FROM magnetic WHERE operations = 0 AND days >= 28
    )""",
)


def _explain_unattached(finding: FindingRow) -> str:
    evidence = finding["evidence"]
    if evidence["reason"] == "metrics":
        return _("In {days} days nothing was read from it or written to it.").format(days=evidence["days"])
    if evidence["reason"] == "bill":
        return _("The bill has {days} days of its storage and nothing that was read or written.").format(
            days=evidence["days"]
        )
    if evidence["since"]:
        return _("It is attached to no machine; it was made on {day}.").format(day=written_day(evidence["since"]))
    return _("It is attached to no machine.")


DELETE_DISK = {
    AWS: (
        "aws ec2 create-snapshot --region {region} --volume-id {name}\n"
        "aws ec2 delete-volume --region {region} --volume-id {name}"
    ),
    AZURE: "az snapshot create --name last --resource-group GROUP --source {id}\naz disk delete --ids {id}",
    GOOGLE: (
        "gcloud compute disks snapshot {name} --project {account}\n"
        "gcloud compute disks delete {name} --project {account}"
    ),
}


def _fix_unattached(finding: FindingRow) -> Sequence[Fix]:
    return command_fix(_("Keep a snapshot, then delete it"), finding, DELETE_DISK)


# Inventories name the machine by its id or by the path that ends with it.
_end = "lower(regexp_extract({0}, '[^/:]+$'))"
# A snapshot of all of it is what remains to be paid; without the price of snapshots the saving is not known.
_of_stopped = finding_sql(
    f"""
    SELECT v.*, 'storage' AS part, v.cost AS monthly_cost,
        CASE WHEN v.open_cost = 0 THEN 0 ELSE v.open_cost - coalesce(v.quantity, d.size) * s.price END AS saving,
        CASE WHEN m.last_used_day IS NULL THEN '{Confidence.LOOK}' ELSE '{Confidence.LIKELY}' END AS confidence,
        json_object('machine', m.resource, 'since', CAST(m.last_used_day AS VARCHAR),
            'snapshot_price', s.price) AS evidence,
        json_object('size', coalesce(v.quantity, d.size)) AS target
    FROM things AS d JOIN volumes AS v USING ({KEY})
    JOIN inventory AS m ON m.provider = d.provider AND m.account = d.account
        AND {_end.format("m.resource")} = {_end.format("d.attached_to")}
        AND m.kind = 'machine' AND m.state IN ('stopped', 'deallocated')
        AND (m.last_used_day <= d.seen_day - {STOPPED_DAYS}) IS NOT FALSE
    LEFT JOIN snapshot_prices AS s ON s.provider = v.provider AND s.region = v.region AND s.currency = v.currency
    """,
    VOLUMES,
    inventory_sql("things", "disk"),
    """snapshot_prices AS (
        SELECT provider, region, currency, max(price) AS price FROM prices
        WHERE regexp_matches(item, '(^|-)EBS:SnapshotUsage$') AND price > 0 GROUP BY ALL
    )""",
)


def _explain_of_stopped(finding: FindingRow) -> str:
    evidence = finding["evidence"]
    text = (
        _("Its machine {machine} has been stopped since {day}; a snapshot of it would do.")
        if evidence["since"]
        else _("Its machine {machine} is stopped; a snapshot of it would do.")
    )
    return text.format(machine=evidence["machine"], day=written_day(evidence["since"]))


# aws.amazon.com/ebs/pricing, us-east-1, 2025: gp2 0.10 and gp3 0.08 a GB-month, gp3 0.005 for an operation a second
# above 3,000. The ratios are the same in every region; they count where no list has the prices.
GP3_OF_GP2 = 0.8
OPERATION_OF_GP3 = 0.0625
GP3_OPERATIONS = 3000
GP3_BYTES = 125_000_000
# Up to this size gp2 carries no more than gp3 does without paying for it.
SMALL_GB = 170
_gp2_price = "v.list_rate"
_gp3_price = f"coalesce(p.gp3, {_gp2_price} * {GP3_OF_GP2})"
_operations = (
    "greatest(0, coalesce(ceil(m.disk_read_ops_maximum + m.disk_write_ops_maximum),"
    f" least(16000, 3 * v.quantity)) - {GP3_OPERATIONS})"
)
_gp3 = finding_sql(
    f"""
    SELECT v.*, 'storage' AS part, v.cost AS monthly_cost,
        {
        saved(
            "v.open_cost",
            f"1 - (v.quantity * {_gp3_price} + {_operations}"
            f" * coalesce(p.operation, {_gp3_price} * {OPERATION_OF_GP3})) / (v.quantity * {_gp2_price})",
        )
    } AS saving,
        CASE WHEN p.gp3 IS NOT NULL AND ({_operations} = 0 OR p.operation IS NOT NULL) AND (
            v.quantity <= {SMALL_GB} OR m.disk_read_bytes_maximum + m.disk_write_bytes_maximum <= {GP3_BYTES})
            THEN '{Confidence.CERTAIN}' ELSE '{Confidence.LIKELY}' END AS confidence,
        json_object('size', v.quantity, 'price', {_gp2_price}, 'is_listed', p.gp3 IS NOT NULL) AS evidence,
        json_object('type', 'gp3', 'price', {_gp3_price}, 'operations', {_operations}) AS target
    FROM volumes AS v
    LEFT JOIN gp3_prices AS p ON p.provider = v.provider AND p.region = v.region AND p.currency = v.currency
    LEFT JOIN measured AS m ON m.provider = v.provider AND m.account = v.account AND m.region = v.region
        AND m.resource = v.resource
    WHERE v.type = 'gp2' AND v.quantity > 0
    """,
    VOLUMES,
    metrics_sql("measured", "disk_read_ops", "disk_write_ops", optional=("disk_read_bytes", "disk_write_bytes")),
    r"""gp3_prices AS (
        SELECT provider, region, currency,
            min(price) FILTER (regexp_matches(item, '(^|VolumeUsage\.)gp3$|\(gp3\) provisioned storage')) AS gp3,
            min(price) FILTER (regexp_matches(item, 'VolumeP-IOPS\.gp3$')) AS operation
        FROM prices WHERE price > 0 GROUP BY ALL
    )""",
)


def _explain_gp3(finding: FindingRow) -> str:
    evidence, target = finding["evidence"], finding["target"]
    if not evidence["is_listed"]:
        return _("{size} GB of gp2; gp3 costs a fifth less, as AWS prices it everywhere.").format(
            size=number_text(evidence["size"])
        )
    if target["operations"]:
        return _(
            "{size} GB of gp2 at {own} a month; gp3 costs {price}, with {operations} operations a second to pay for."
        ).format(
            size=number_text(evidence["size"]),
            own=number_text(evidence["price"], 4),
            price=number_text(target["price"], 4),
            operations=number_text(target["operations"]),
        )
    return _("{size} GB of gp2 at {own} a month; gp3 costs {price} and is as fast.").format(
        size=number_text(evidence["size"]),
        own=number_text(evidence["price"], 4),
        price=number_text(target["price"], 4),
    )


def _fix_gp3(finding: FindingRow) -> Sequence[Fix]:
    operations = int(finding["target"].get("operations") or 0)
    change = "aws ec2 modify-volume --region {region} --volume-id {name} --volume-type"
    more = f" --iops {3000 + operations}" if operations else ""
    terraform = 'resource "aws_ebs_volume" "this" {\n  type = "gp3"\n'
    terraform += f"  iops = {3000 + operations}\n" if operations else ""
    return [
        *command_fix(_("Change its type while it runs"), finding, {AWS: f"{change} gp3{more}"}, {AWS: f"{change} gp2"}),
        Fix(_("The same in Terraform"), "terraform", terraform + "}\n"),
    ]


# A disk that is two thirds empty at its fullest; half as much again stays free.
FULL_PERCENT = 35
ROOM = 1.5
_smaller = f"ceil(v.quantity * disk_used_maximum / 100 * {ROOM})"
_large = finding_sql(
    f"""
    SELECT v.*, 'storage' AS part, v.cost AS monthly_cost,
        {saved("v.open_cost", f"1 - {_smaller} / v.quantity")} AS saving, '{Confidence.LIKELY}' AS confidence,
        json_object('size', v.quantity, 'used', disk_used_maximum, 'days', measured_days) AS evidence,
        json_object('size', {_smaller}) AS target
    FROM volumes AS v JOIN measured USING ({KEY})
    WHERE disk_used_maximum < {FULL_PERCENT} AND v.quantity > 0
    """,
    VOLUMES,
    metrics_sql("measured", "disk_used"),
)


def _explain_large(finding: FindingRow) -> str:
    evidence = finding["evidence"]
    return _("Of {size} GB never more than {used} were full in {days} days; {target} GB leave room enough.").format(
        size=number_text(evidence["size"]),
        used=share_text(evidence["used"] / 100),
        days=evidence["days"],
        target=number_text(finding["target"]["size"]),
    )


def _fix_large(finding: FindingRow) -> Sequence[Fix]:
    size = int(finding["target"]["size"])
    make = {
        AWS: (
            "aws ec2 create-volume --region {region} --availability-zone ZONE --volume-type gp3 --size {size}\n"
            "# Copy the files over, attach the new volume in its place, then:\n"
            "aws ec2 delete-volume --region {region} --volume-id {name}"
        )
    }
    return command_fix(_("Copy it to a smaller one: a disk cannot shrink"), finding, make, size=size)


# Operations that are paid for, against the most that were used, with a fifth of room. gp3 has 3,000 for nothing.
_base = f"CASE WHEN o.type = 'gp3' THEN {GP3_OPERATIONS} ELSE 0 END"
_used = "1.2 * (disk_read_ops_maximum + disk_write_ops_maximum)"
_needed = f"greatest(0, {_used} - {_base})"
_provisioned = finding_sql(
    f"""
    SELECT o.*, 'iops' AS part, o.cost AS monthly_cost,
        {saved("o.open_cost", f"1 - {_needed} / o.quantity")} AS saving, '{Confidence.LIKELY}' AS confidence,
        json_object('paid', o.quantity + {_base}, 'used', disk_read_ops_maximum + disk_write_ops_maximum,
            'days', measured_days) AS evidence,
        json_object('iops', ceil({_needed} + {_base})) AS target
    FROM operations AS o JOIN measured USING ({KEY})
    WHERE o.quantity > 0
    """,
    use_sql(
        "operations",
        f"provider = {literal(AWS)} AND regexp_matches(usage_type, 'VolumeP-IOPS|VolumeIOPS')",
        type="max(CASE WHEN contains(usage_type, 'gp3') THEN 'gp3' ELSE 'io1' END)",
    ),
    metrics_sql("measured", "disk_read_ops", "disk_write_ops"),
)


def _explain_provisioned(finding: FindingRow) -> str:
    evidence = finding["evidence"]
    return _("{paid} operations a second are paid for; the most that {days} days used were {used}.").format(
        paid=number_text(evidence["paid"]), days=evidence["days"], used=number_text(evidence["used"])
    )


def _fix_provisioned(finding: FindingRow) -> Sequence[Fix]:
    change = "aws ec2 modify-volume --region {region} --volume-id {name} --iops {iops}"
    before = {AWS: change.replace("{iops}", str(int(finding["evidence"]["paid"])))}
    return command_fix(
        _("Pay for fewer operations"), finding, {AWS: change}, before, iops=int(finding["target"]["iops"])
    )


RULES = (
    Rule(
        name="disk_unattached",
        title=_noop("Disk that no machine uses"),
        lever=Lever.DELETE,
        effort=Effort.LOW,
        risk=Risk.MEDIUM,
        sql=_unattached,
        explain=_explain_unattached,
        fixes=_fix_unattached,
        makes_certain=_noop("Load an inventory that states what the disk is attached to."),
        docs="https://docs.aws.amazon.com/ebs/latest/userguide/ebs-deleting-volume.html",
    ),
    Rule(
        name="disk_of_stopped_machine",
        title=_noop("Disk of a machine that is stopped"),
        lever=Lever.STOP,
        effort=Effort.LOW,
        risk=Risk.MEDIUM,
        sql=_of_stopped,
        explain=_explain_of_stopped,
        fixes=_fix_unattached,
        makes_certain=_noop("Whoever owns the machine confirms that it is not started again soon."),
        docs="https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/Stop_Start.html",
        needs=("inventory",),
    ),
    Rule(
        name="disk_gp2",
        title=_noop("Disk of type gp2"),
        lever=Lever.MODERNISE,
        effort=Effort.LOW,
        risk=Risk.LOW,
        sql=_gp3,
        explain=_explain_gp3,
        fixes=_fix_gp3,
        makes_certain=_noop("Load the prices of gp3, and what the disk reads and writes in a second."),
        docs="https://docs.aws.amazon.com/ebs/latest/userguide/general-purpose.html",
    ),
    Rule(
        name="disk_large",
        title=_noop("Disk that is mostly empty"),
        lever=Lever.RIGHTSIZE,
        effort=Effort.HIGH,
        risk=Risk.MEDIUM,
        sql=_large,
        explain=_explain_large,
        fixes=_fix_large,
        makes_certain=_noop("Whoever owns it confirms that it is not about to be filled."),
        docs="https://docs.aws.amazon.com/compute-optimizer/latest/ug/view-ebs-recommendations.html",
        needs=("metrics",),
    ),
    Rule(
        name="disk_operations",
        title=_noop("Operations of a disk that nobody uses"),
        lever=Lever.RIGHTSIZE,
        effort=Effort.LOW,
        risk=Risk.LOW,
        sql=_provisioned,
        explain=_explain_provisioned,
        fixes=_fix_provisioned,
        makes_certain=_noop("Measure its busiest minute, not only its busiest hour."),
        docs="https://docs.aws.amazon.com/ebs/latest/userguide/provisioned-iops.html",
        needs=("metrics",),
    ),
)

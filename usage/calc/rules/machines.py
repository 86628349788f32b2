"""Machines: idle, stopped but paid, larger than they need, of an old generation, or on Intel where Arm does. Pure."""

from collections.abc import Sequence

from costs.calc.providers import AWS, AZURE
from costs.formats.sql import literal
from finops_site.lib.language import gettext as _
from finops_site.lib.language import gettext_noop as _noop
from finops_site.lib.words import number_text, share_text
from usage.calc.rules.base import Confidence, Effort, Fix, Lever, Risk, Rule
from usage.calc.rules.finding_sql import KEY, finding_sql, inventory_sql, metrics_sql, use_sql
from usage.calc.rules.fix_commands import (
    RESIZE_MACHINE,
    START_MACHINE,
    STOP_MACHINE,
    FindingRow,
    change_type,
    command_fix,
    written_day,
)
from usage.calc.rules.machine_sql import IS_EC2, IS_MACHINE, MACHINE_SYSTEM, MACHINES, TEXT, TYPE
from usage.calc.rules.type_sql import explain_smaller, explain_successor, smaller_sql, successor_sql

# AWS Compute Optimizer, "Idle resources": at most 5 % of the processor and 5 MB of network a day in 14 days.
IDLE_CPU = 5
IDLE_BYTES_A_DAY = 5_000_000
STOPPED_DAYS = 30

_bytes_a_day = "(network_in_average + network_out_average) * 86400"
_idle = finding_sql(
    f"""
    SELECT m.*, 'compute' AS part, m.cost AS monthly_cost, m.open_cost AS saving,
        '{Confidence.LIKELY}' AS confidence,
        json_object('cpu', cpu_maximum, 'bytes_a_day', {_bytes_a_day}, 'days', measured_days, 'type', type) AS evidence,
        json_object() AS target
    FROM machines AS m JOIN measured USING ({KEY})
    WHERE cpu_maximum < {IDLE_CPU} AND {_bytes_a_day} < {IDLE_BYTES_A_DAY}
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


# Azure charges a machine that is stopped and not deallocated. A bill that was made of an inventory names the state
# itself; where it charges nothing, the disks are paid all the same, and nothing states what they cost.
_stopped = finding_sql(
    f"""
    SELECT m.*, CASE WHEN cost = 0 THEN 'disks' ELSE 'compute' END AS part,
        CASE WHEN cost <> 0 THEN cost END AS monthly_cost, CASE WHEN cost <> 0 THEN open_cost END AS saving,
        CASE WHEN cost = 0 THEN '{Confidence.LOOK}'
            WHEN is_stated OR last_used_day <= last_day - {STOPPED_DAYS} THEN '{Confidence.CERTAIN}'
            ELSE '{Confidence.LIKELY}' END AS confidence,
        json_object('since', CAST(last_used_day AS VARCHAR), 'type', m.type, 'is_charged', cost <> 0,
            'is_terminated', is_terminated) AS evidence,
        json_object() AS target
    FROM stated AS m LEFT JOIN stopped AS i USING ({KEY})
    WHERE (is_stated AND NOT (is_terminated AND cost = 0))
        OR (m.provider = {literal(AZURE)} AND i.state = 'stopped' AND cost > 0)
    """,
    use_sql(
        "stated",
        IS_MACHINE,
        type=f"max({TYPE})",
        system=MACHINE_SYSTEM,
        is_stated=f"bool_and({TEXT} LIKE '%, stopped' OR {TEXT} LIKE '%, terminated')",
        is_terminated=f"bool_and({TEXT} LIKE '%, terminated')",
    ),
    inventory_sql("stopped", "machine"),
)


def _explain_stopped(finding: FindingRow) -> str:
    evidence = finding["evidence"]
    if evidence.get("is_terminated"):
        return _("It is terminated, which is for good, and is charged as if it ran: ask whoever charges it why.")
    if not evidence["is_charged"]:
        return _("It is stopped. Its disks are paid all the same, and nothing that is loaded states what they cost.")
    if evidence["since"]:
        return _("It has been stopped since {day} and is charged as if it ran.").format(
            day=written_day(evidence["since"])
        )
    return _("It is stopped and charged as if it ran.")


def _fix_stopped(finding: FindingRow) -> Sequence[Fix]:
    give_up = {
        AWS: "aws ec2 terminate-instances --region {region} --instance-ids {name}",
        AZURE: STOP_MACHINE[AZURE],
    }
    if finding["evidence"].get("is_terminated"):
        return []
    return command_fix(_("Give it up; keep an image of it where it may be needed"), finding, give_up)


# AWS, "Previous generation instances": what succeeds each of them on Intel, and on AMD.
SUCCESSORS = {
    **dict.fromkeys(("t1", "t2"), ("t3", "t3a")),
    **dict.fromkeys(("m1", "m3", "m4"), ("m6i", "m6a")),
    **dict.fromkeys(("c1", "c3", "c4"), ("c6i", "c6a")),
    **dict.fromkeys(("m2", "r3", "r4"), ("r6i", "r6a")),
    "i2": ("i4i",),
    "d2": ("d3",),
    "g2": ("g4dn",),
    "g3": ("g4dn",),
    "p2": ("g4dn",),
    "x1": ("x2idn",),
}
# The families of Graviton that have the same vCPUs and memory at the same size, the newest first.
GRAVITON = {
    **dict.fromkeys(("t2", "t3", "t3a"), ("t4g",)),
    **dict.fromkeys(("m4", "m5", "m5a", "m6i", "m6a", "m7i", "m7a"), ("m8g", "m7g", "m6g")),
    **dict.fromkeys(("c4", "c5", "c5a", "c6i", "c6a", "c7i", "c7a"), ("c8g", "c7g", "c6g")),
    **dict.fromkeys(("r4", "r5", "r5a", "r6i", "r6a", "r7i", "r7a"), ("r8g", "r7g", "r6g")),
}


def _fix_generation(finding: FindingRow) -> Sequence[Fix]:
    return change_type(_("Change its type (it stops for a few minutes)"), finding, RESIZE_MACHINE)


def _fix_arm(finding: FindingRow) -> Sequence[Fix]:
    return change_type(_("Build an image for Arm, test it, then change the type"), finding, RESIZE_MACHINE)


# Capacity that is reserved on demand and holds no machine is charged like one.
_capacity = finding_sql(
    f"""
    SELECT *, 'capacity' AS part, cost AS monthly_cost, open_cost AS saving, '{Confidence.CERTAIN}' AS confidence,
        json_object('type', type, 'hours', quantity) AS evidence, json_object() AS target
    FROM reserved
    """,
    use_sql(
        "reserved", f"provider = {literal(AWS)} AND {IS_EC2} AND contains(usage_type, 'Unused')", type=f"max({TYPE})"
    ),
)


def _explain_capacity(finding: FindingRow) -> str:
    evidence = finding["evidence"]
    return _("Capacity for {type} is reserved and stood empty for {hours} hours of an average month.").format(
        type=evidence["type"], hours=number_text(evidence["hours"] or 0)
    )


def _fix_capacity(finding: FindingRow) -> Sequence[Fix]:
    cancel = {AWS: "aws ec2 cancel-capacity-reservation --region {region} --capacity-reservation-id {name}"}
    return command_fix(_("Cancel the reservation of capacity"), finding, cancel)


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
        makes_certain=_noop("Whoever owns it confirms that nobody needs it."),
        docs="https://docs.aws.amazon.com/compute-optimizer/latest/ug/view-idle-recommendations.html",
        needs=("metrics",),
    ),
    Rule(
        name="machine_stopped",
        title=_noop("Stopped machine that is still paid"),
        lever=Lever.DELETE,
        effort=Effort.LOW,
        risk=Risk.MEDIUM,
        sql=_stopped,
        explain=_explain_stopped,
        fixes=_fix_stopped,
        makes_certain=_noop("Load an inventory that states since when it is stopped and which disks it has."),
        docs="https://learn.microsoft.com/azure/virtual-machines/states-billing",
    ),
    Rule(
        name="machine_rightsize",
        title=_noop("Machine larger than it needs"),
        lever=Lever.RIGHTSIZE,
        effort=Effort.MEDIUM,
        risk=Risk.MEDIUM,
        sql=smaller_sql("machines", "compute"),
        explain=explain_smaller,
        fixes=_fix_generation,
        makes_certain=_noop("Measure its memory too, and try the smaller type for a week."),
        docs="https://docs.aws.amazon.com/compute-optimizer/latest/ug/view-ec2-recommendations.html",
        needs=("metrics",),
    ),
    Rule(
        name="machine_generation",
        title=_noop("Machine of a previous generation"),
        lever=Lever.MODERNISE,
        effort=Effort.MEDIUM,
        risk=Risk.LOW,
        sql=successor_sql("machines", SUCCESSORS, part="compute", condition="true", confidence=Confidence.LIKELY),
        explain=explain_successor,
        fixes=_fix_generation,
        makes_certain=_noop("Load a price list that has both types, and check that its image has the drivers."),
        docs="https://aws.amazon.com/ec2/previous-generation/",
        excludes=("machine_arm",),
    ),
    Rule(
        name="machine_arm",
        title=_noop("Machine on Intel or AMD where Arm does the same"),
        lever=Lever.MODERNISE,
        effort=Effort.HIGH,
        risk=Risk.MEDIUM,
        sql=successor_sql(
            "machines",
            GRAVITON,
            part="compute",
            condition="m.system IN ('Linux', 'RHEL', 'SUSE', 'Ubuntu Pro')",
            confidence=Confidence.LOOK,
        ),
        explain=explain_successor,
        fixes=_fix_arm,
        makes_certain=_noop("Its software passes its tests on Arm."),
        docs="https://aws.amazon.com/ec2/graviton/",
        excludes=("machine_generation",),
    ),
    Rule(
        name="capacity_unused",
        title=_noop("Reserved capacity that stands empty"),
        lever=Lever.DELETE,
        effort=Effort.LOW,
        risk=Risk.LOW,
        sql=_capacity,
        explain=_explain_capacity,
        fixes=_fix_capacity,
        docs="https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/capacity-reservations-pricing-billing.html",
    ),
)

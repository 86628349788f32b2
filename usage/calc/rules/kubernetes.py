"""Kubernetes: requests above what is used, and clusters whose version is out of support. Pure."""

import json
from collections.abc import Sequence

from costs.calc.providers import AWS
from costs.formats.sql import literal
from finops_site.lib.language import gettext as _
from finops_site.lib.language import gettext_noop as _noop
from finops_site.lib.words import number_text
from usage.calc.rules.base import Confidence, Effort, Fix, Lever, Risk, Rule
from usage.calc.rules.finding_sql import KEY, finding_sql, metrics_sql, saved, use_sql
from usage.calc.rules.fix_commands import FindingRow, command_fix, end_of_id

ROOM = 1.2
# Where three tenths or more of both requests are used by nobody, smaller ones are worth a change.
MOST_USED = 0.7

_cpu = f"cpu_cores_used_p95 * {ROOM}"
_memory = f"memory_bytes_used_maximum * {ROOM}"
# A workload takes room by the larger of its two requests, so the fuller one decides.
_used = f"greatest({_cpu} / cpu_cores_requested_average, {_memory} / memory_bytes_requested_average)"
_requests = finding_sql(
    f"""
    SELECT w.*, '' AS part, r.monthly_open_cost AS monthly_cost,
        CASE WHEN r.monthly_open_cost IS NOT NULL THEN {saved("r.monthly_open_cost", f"1 - {_used}")} END AS saving,
        coalesce(r.currency, '') AS currency, '{Confidence.LOOK}' AS confidence,
        json_object('cores', cpu_cores_requested_average, 'cores_used', cpu_cores_used_p95,
            'bytes', memory_bytes_requested_average, 'bytes_used', memory_bytes_used_maximum,
            'days', measured_days) AS evidence,
        json_object('cores', {_cpu}, 'bytes', {_memory}) AS target
    FROM measured AS w LEFT JOIN resources AS r
        ON r.provider = w.provider AND r.account = w.account AND r.resource = w.resource
    WHERE cpu_cores_requested_average > 0 AND memory_bytes_requested_average > 0 AND {_used} <= {MOST_USED}
    """,
    metrics_sql(
        "measured",
        *("cpu_cores_used", "cpu_cores_requested", "memory_bytes_used", "memory_bytes_requested"),
        in_bill=False,
    ),
)


def _explain_requests(finding: FindingRow) -> str:
    evidence = finding["evidence"]
    return _(
        "It requests {cores} cores and {memory} GiB; in {days} days it used {cores_used} and {memory_used}. That saves "
        "when nodes go with it."
    ).format(
        cores=number_text(evidence["cores"], 2),
        memory=number_text(evidence["bytes"] / 2**30, 1),
        days=evidence["days"],
        cores_used=number_text(evidence["cores_used"], 2),
        memory_used=number_text(evidence["bytes_used"] / 2**30, 1),
    )


def _resources_yaml(cores: float, memory: float) -> str:
    return f"resources:\n  requests:\n    cpu: {round(cores * 1000)}m\n    memory: {round(memory / 2**20)}Mi\n"


def _fix_requests(finding: FindingRow) -> Sequence[Fix]:
    evidence, target = finding["evidence"], finding["target"]
    return [
        Fix(
            _("Request what it uses, with a fifth of room"),
            "yaml",
            f"# {json.dumps(end_of_id(str(finding['resource'])))}\n"
            + _resources_yaml(target["cores"], target["bytes"]),
            _resources_yaml(evidence["cores"], evidence["bytes"]),
        )
    ]


# Whether a bill has the standard hours beside the extended ones or in their stead differs; where it has both, all of
# the extended charge goes with an upgrade.
_hours = "quantity * p.price"
_support = finding_sql(
    f"""
    SELECT c.*, 'control plane' AS part, c.cost AS monthly_cost,
        CASE WHEN c.has_standard OR c.open_cost = 0 THEN c.open_cost ELSE c.open_cost - c.{_hours} END AS saving,
        '{Confidence.CERTAIN}' AS confidence, json_object('hours', c.quantity) AS evidence, json_object() AS target
    FROM (
        SELECT e.*, s.resource IS NOT NULL AS has_standard FROM extended AS e
        LEFT JOIN standard AS s USING ({KEY}, currency)
    ) AS c
    LEFT JOIN standard_prices AS p ON p.provider = c.provider AND p.region = c.region AND p.currency = c.currency
    """,
    use_sql("extended", f"provider = {literal(AWS)} AND usage_type ILIKE '%EKS-Hours:extendedSupport'"),
    use_sql("standard", f"provider = {literal(AWS)} AND usage_type ILIKE '%EKS-Hours:perCluster'"),
    """standard_prices AS (
        SELECT provider, region, currency, min(price) AS price FROM prices
        WHERE item ILIKE '%EKS-Hours:perCluster' AND price > 0 GROUP BY ALL
    )""",
)


def _explain_support(finding: FindingRow) -> str:
    return _("Its version is out of standard support: {hours} hours of an average month are charged extra.").format(
        hours=number_text(finding["evidence"]["hours"] or 0)
    )


def _fix_support(finding: FindingRow) -> Sequence[Fix]:
    upgrade = {
        AWS: "aws eks list-insights --region {region} --cluster-name {name}\n"
        "aws eks update-cluster-version --region {region} --name {name} --kubernetes-version VERSION"
    }
    return command_fix(_("Upgrade it, one minor version after the other"), finding, upgrade)


RULES = (
    Rule(
        name="workload_requests",
        title=_noop("Workload that requests more than it uses"),
        lever=Lever.RIGHTSIZE,
        effort=Effort.MEDIUM,
        risk=Risk.MEDIUM,
        sql=_requests,
        explain=_explain_requests,
        fixes=_fix_requests,
        makes_certain=_noop("The cluster runs with fewer nodes afterwards."),
        docs="https://kubernetes.io/docs/concepts/configuration/manage-resources-containers/",
        needs=("metrics",),
    ),
    Rule(
        name="cluster_extended_support",
        title=_noop("Extended support of an old cluster"),
        lever=Lever.MODERNISE,
        effort=Effort.HIGH,
        risk=Risk.MEDIUM,
        sql=_support,
        explain=_explain_support,
        fixes=_fix_support,
        docs="https://docs.aws.amazon.com/eks/latest/userguide/kubernetes-versions.html",
    ),
)

"""Networks: addresses, load balancers and gateways that carry nothing, and traffic that takes the dear way. Pure."""

import json
from collections.abc import Sequence

from costs.calc.providers import AWS, AZURE, GOOGLE
from costs.formats.sql import literal
from finops_site.lib.language import gettext as _
from finops_site.lib.language import gettext_noop as _noop
from finops_site.lib.words import number_text
from usage.calc.rules.base import Confidence, Effort, Fix, Lever, Risk, Rule
from usage.calc.rules.finding_sql import KEY, finding_sql, inventory_sql, metrics_sql, saved, use_sql
from usage.calc.rules.fix_commands import FindingRow, command_fix
from usage.calc.rules.machine_sql import TEXT

ENOUGH_DAYS = 14
# Below this an endpoint costs about as much attention as it saves.
MUCH_GB = 100

# AWS and Google charge an address that is not in use under a name of its own: the bill proves it.
_addresses = finding_sql(
    f"""
    SELECT r.*, '' AS part, r.monthly_open_cost AS saving, '{Confidence.CERTAIN}' AS confidence,
        json_object('reason', c.reason) AS evidence, json_object() AS target
    FROM (
        SELECT {KEY}, 'bill' AS reason FROM idle
        UNION ALL
        SELECT {KEY}, 'inventory' FROM things WHERE state = 'available' OR attached_to = ''
    ) AS c JOIN resources AS r USING ({KEY})
    QUALIFY row_number() OVER (PARTITION BY r.provider, r.account, r.region, r.resource ORDER BY c.reason) = 1
    """,
    use_sql(
        "idle",
        f"""(provider = {literal(AWS)} AND regexp_matches(usage_type, '(ElasticIP|PublicIPv4):IdleAddress'))
        OR (provider = {literal(GOOGLE)} AND regexp_matches({TEXT}, '^static ip charge'))""",
    ),
    inventory_sql("things", "address"),
)


def _explain_address(finding: FindingRow) -> str:
    if finding["evidence"]["reason"] == "bill":
        return _("The bill charges it as an address that is not in use.")
    return _("The inventory has it attached to nothing.")


def _fix_address(finding: FindingRow) -> Sequence[Fix]:
    release = {
        AWS: "aws ec2 release-address --region {region} --allocation-id {name}",
        AZURE: "az network public-ip delete --ids {id}",
        GOOGLE: "gcloud compute addresses delete {name} --project {account} --region {region}",
    }
    return command_fix(_("Release it: the same address does not come back"), finding, release)


_balancers = finding_sql(
    f"""
    SELECT r.*, '' AS part, r.monthly_open_cost AS saving, c.confidence,
        json_object('reason', c.reason, 'days', c.days) AS evidence, json_object() AS target
    FROM (
        SELECT {KEY}, '{Confidence.CERTAIN}' AS confidence, 'inventory' AS reason, NULL AS days, 1 AS rank
        FROM things WHERE TRY_CAST(json_extract_string(attributes, '$.targets') AS DOUBLE) = 0
        UNION ALL
        SELECT {KEY}, '{Confidence.LIKELY}', 'metrics', measured_days, 2
        FROM balancers JOIN measured USING ({KEY}) WHERE requests_maximum = 0
    ) AS c JOIN resources AS r USING ({KEY})
    QUALIFY row_number() OVER (PARTITION BY r.provider, r.account, r.region, r.resource ORDER BY c.rank) = 1
    """,
    use_sql(
        "balancers",
        f"""regexp_matches(coalesce(usage_type, ''), 'LoadBalancerUsage|LCUUsage')
        OR regexp_matches(lower(service), 'load balanc') OR regexp_matches({TEXT}, 'load balanc|forwarding rule')""",
    ),
    inventory_sql("things", "load_balancer"),
    metrics_sql("measured", "requests"),
)


def _explain_balancer(finding: FindingRow) -> str:
    evidence = finding["evidence"]
    if evidence["reason"] == "inventory":
        return _("Nothing stands behind it: it has no targets.")
    return _("In {days} days nobody asked it for anything.").format(days=evidence["days"])


def _fix_balancer(finding: FindingRow) -> Sequence[Fix]:
    delete = {
        AWS: "aws elbv2 delete-load-balancer --region {region} --load-balancer-arn {id}",
        AZURE: "az network lb delete --ids {id}",
        GOOGLE: "gcloud compute forwarding-rules delete {name} --project {account} --region {region}",
    }
    return command_fix(_("Delete it"), finding, delete)


# A gateway or an endpoint whose hours are charged and no byte of it: nothing went through.
_gateways = finding_sql(
    f"""
    SELECT *, '' AS part, cost AS monthly_cost, open_cost AS saving, '{Confidence.CERTAIN}' AS confidence,
        json_object('days', charged_days, 'kind', kind) AS evidence, json_object() AS target
    FROM gateways WHERE charged_days >= {ENOUGH_DAYS} AND bytes = 0
    """,
    use_sql(
        "gateways",
        f"provider = {literal(AWS)} AND regexp_matches(usage_type, '(NatGateway|VpcEndpoint)-(Hours|Bytes)')",
        with_past=True,
        charged_days="max(days) FILTER (contains(usage_type, '-Hours'))",
        bytes="coalesce(sum(quantity) FILTER (contains(usage_type, '-Bytes')), 0)",
        kind="max(CASE WHEN contains(usage_type, 'NatGateway') THEN 'nat' ELSE 'endpoint' END)",
    ),
)


def _explain_gateway(finding: FindingRow) -> str:
    return _("The bill has {days} days of its hours and not one byte that went through it.").format(
        days=finding["evidence"]["days"]
    )


def _fix_gateway(finding: FindingRow) -> Sequence[Fix]:
    delete = {
        "nat": "aws ec2 delete-nat-gateway --region {region} --nat-gateway-id {name}",
        "endpoint": "aws ec2 delete-vpc-endpoints --region {region} --vpc-endpoint-ids {name}",
    }
    return command_fix(_("Delete it"), finding, {AWS: delete[finding["evidence"]["kind"]]})


# What a NAT gateway carries to S3 and DynamoDB of its region costs nothing through a gateway endpoint. How much that is
# no bill states: flow logs do. AWS counts gigabytes of 2^30 bytes, so that a share by them is the smaller one.
_storage_gb = "bytes_to_storage_average * 730 * 3600 / (1024 * 1024 * 1024)"
_endpoint = finding_sql(
    f"""
    SELECT n.*, 'bytes' AS part, n.cost AS monthly_cost,
        CASE WHEN m.resource IS NOT NULL
            THEN {saved("n.open_cost", f"least(1, {_storage_gb} / n.quantity)")} END AS saving,
        CASE WHEN m.resource IS NULL THEN '{Confidence.LOOK}' ELSE '{Confidence.LIKELY}' END AS confidence,
        json_object('gigabytes', n.quantity, 'to_storage', {_storage_gb}) AS evidence, json_object() AS target
    FROM nats AS n
    LEFT JOIN measured AS m ON m.provider = n.provider AND m.account = n.account AND m.region = n.region
        AND m.resource = n.resource
    WHERE n.quantity >= {MUCH_GB} AND (n.open_cost > 0) IS NOT FALSE
    """,
    use_sql(
        "nats",
        f"""provider = {literal(AWS)} AND (regexp_matches(usage_type, 'NatGateway-Bytes')
        OR regexp_matches({TEXT}, 'data processed by nat gateway'))""",
    ),
    metrics_sql("measured", "bytes_to_storage"),
)


def _explain_endpoint(finding: FindingRow) -> str:
    evidence = finding["evidence"]
    if evidence["to_storage"] is None:
        return _(
            "{gigabytes} GB a month go through this NAT gateway; what of it goes to S3 or DynamoDB is not known, and "
            "would cost nothing through an endpoint."
        ).format(gigabytes=number_text(evidence["gigabytes"]))
    return _(
        "Of {gigabytes} GB a month through this NAT gateway {to_storage} GB go to S3 or DynamoDB, and would cost "
        "nothing through an endpoint."
    ).format(gigabytes=number_text(evidence["gigabytes"]), to_storage=number_text(evidence["to_storage"]))


def _fix_endpoint(finding: FindingRow) -> Sequence[Fix]:
    make = {
        AWS: (
            "aws ec2 create-vpc-endpoint --region {region} --vpc-id VPC --route-table-ids TABLE"
            " --service-name com.amazonaws.{region}.s3"
        )
    }
    terraform = f"""resource "aws_vpc_endpoint" "s3" {{
  vpc_id          = aws_vpc.this.id
  service_name    = {json.dumps(f"com.amazonaws.{finding['region']}.s3")}
  route_table_ids = [aws_route_table.private.id]
}}
"""
    return [
        *command_fix(_("Make a gateway endpoint for S3"), finding, make),
        Fix(_("The same in Terraform"), "terraform", terraform),
    ]


# Between zones both sides pay for each gigabyte; who talks to whom no bill states.
_zones = finding_sql(
    f"""
    SELECT *, 'traffic between zones' AS part, cost AS monthly_cost, NULL AS saving,
        '{Confidence.LOOK}' AS confidence, json_object('gigabytes', quantity) AS evidence, json_object() AS target
    FROM traffic WHERE quantity >= {MUCH_GB} AND open_cost > 0
    """,
    use_sql(
        "traffic",
        f"""(provider = {literal(AWS)} AND regexp_matches(usage_type, 'DataTransfer-Regional-Bytes'))
        OR (provider = {literal(GOOGLE)} AND contains({TEXT}, 'inter zone'))
        OR (provider = {literal(AZURE)} AND contains({TEXT}, 'inter-availability zone'))""",
    ),
)


def _explain_zones(finding: FindingRow) -> str:
    return _("{gigabytes} GB a month cross from zone to zone and are paid on both sides.").format(
        gigabytes=number_text(finding["evidence"]["gigabytes"])
    )


def _fix_zones(finding: FindingRow) -> Sequence[Fix]:
    text = """apiVersion: v1
kind: Service
metadata:
  name: SERVICE
spec:
  trafficDistribution: PreferClose
"""
    return [Fix(_("In Kubernetes, let a service answer from the caller's own zone"), "yaml", text)]


RULES = (
    Rule(
        name="address_unused",
        title=_noop("Address that nobody uses"),
        lever=Lever.DELETE,
        effort=Effort.LOW,
        risk=Risk.LOW,
        sql=_addresses,
        explain=_explain_address,
        fixes=_fix_address,
        docs="https://aws.amazon.com/vpc/pricing/",
    ),
    Rule(
        name="load_balancer_empty",
        title=_noop("Load balancer without work"),
        lever=Lever.DELETE,
        effort=Effort.LOW,
        risk=Risk.LOW,
        sql=_balancers,
        explain=_explain_balancer,
        fixes=_fix_balancer,
        makes_certain=_noop("Load an inventory that states how many targets it has."),
        docs="https://docs.aws.amazon.com/awssupport/latest/user/cost-optimization-checks.html",
    ),
    Rule(
        name="gateway_idle",
        title=_noop("Gateway that nothing goes through"),
        lever=Lever.DELETE,
        effort=Effort.LOW,
        risk=Risk.LOW,
        sql=_gateways,
        explain=_explain_gateway,
        fixes=_fix_gateway,
        docs="https://docs.aws.amazon.com/vpc/latest/userguide/nat-gateway-pricing.html",
    ),
    Rule(
        name="nat_to_storage",
        title=_noop("Traffic to storage through a NAT gateway"),
        lever=Lever.NETWORK,
        effort=Effort.LOW,
        risk=Risk.LOW,
        sql=_endpoint,
        explain=_explain_endpoint,
        fixes=_fix_endpoint,
        makes_certain=_noop("Load what flow logs say of the bytes that go to storage (bytes_to_storage)."),
        docs="https://docs.aws.amazon.com/vpc/latest/privatelink/gateway-endpoints.html",
    ),
    Rule(
        name="zone_traffic",
        title=_noop("Traffic between zones"),
        lever=Lever.NETWORK,
        effort=Effort.HIGH,
        risk=Risk.MEDIUM,
        sql=_zones,
        explain=_explain_zones,
        fixes=_fix_zones,
        makes_certain=_noop("Flow logs say which services talk across zones."),
        docs="https://docs.aws.amazon.com/cur/latest/userguide/cur-data-transfers-charges.html",
    ),
)

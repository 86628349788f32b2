"""Spot machines for what is not production, never for what a commitment covers. Pure.

What spot costs is on no price list: it is what the company's own bill pays for it, of the same type, or at least the
discount that it gets on others in the region.
"""

from collections.abc import Sequence

from costs.calc.providers import AWS, AZURE, GOOGLE
from finops_site.lib.language import gettext as _
from finops_site.lib.language import gettext_noop as _noop
from finops_site.lib.words import number_text, share_text
from usage.calc.rules.base import Confidence, Effort, Fix, Lever, Risk, Rule
from usage.calc.rules.finding_sql import KEY, finding_sql, saved
from usage.calc.rules.fix_commands import FindingRow, command_fix
from usage.calc.rules.machine_sql import IS_MACHINE, MACHINES, TYPE

# AWS Spot Instance Advisor: how many of the machines of a type were taken back in the last month.
INTERRUPTION_CLASSES = ((5, "<5%"), (10, "5-10%"), (15, "10-15%"), (20, "15-20%"))
MOST = ">20%"
# Families with the same vCPUs and memory at the same size: a group of them finds capacity where one does not.
ALIKE = (
    ("t3", "t3a", "t2"),
    ("m5", "m5a", "m5n", "m6i", "m6a", "m7i", "m7a", "m4"),
    ("c5", "c5a", "c5n", "c6i", "c6a", "c7i", "c7a"),
    ("r5", "r5a", "r5n", "r6i", "r6a", "r7i", "r7a", "r4"),
    ("m6g", "m7g", "m8g"),
    ("c6g", "c7g", "c8g"),
    ("r6g", "r7g", "r8g"),
)
MOST_TYPES = 6


def interruption_class(percent: float) -> str:
    """The class of a share of machines that were taken back in a month, in percent."""
    return next((name for below, name in INTERRUPTION_CLASSES if percent < below), MOST)


def types_alike(type_: str) -> list[str]:
    """The type and others of AWS that have the same vCPUs and memory; itself alone where none is known."""
    family, _point, size = type_.partition(".")
    others = next((group for group in ALIKE if family in group), ())
    return [type_, *(f"{other}.{size}" for other in others if other != family)][:MOST_TYPES] if size else [type_]


_place = "provider, region, currency"
_same = "x.provider = m.provider AND x.region = m.region AND x.currency = m.currency"
_rate = "sum(monthly_cost) / nullif(sum(monthly_quantity), 0)"
_discounted = "1 - coalesce(spot.rate / (m.on_demand_cost / m.on_demand_quantity), others.ratio)"
_spot = finding_sql(
    f"""
    SELECT m.*, 'compute' AS part, m.cost AS monthly_cost, {saved("m.on_demand_cost", _discounted)} AS saving,
        CASE WHEN spot.rate IS NULL THEN '{Confidence.LOOK}' ELSE '{Confidence.LIKELY}' END AS confidence,
        json_object('type', m.type, 'environment', r.environment, 'interruption', i.average,
            'rate', m.on_demand_cost / m.on_demand_quantity, 'committed_rate', committed.rate,
            'saving_against_commitment', m.on_demand_quantity * (committed.rate - spot.rate)) AS evidence,
        json_object('type', m.type, 'rate', spot.rate, 'discount', {_discounted}) AS target
    FROM machines AS m JOIN resources AS r USING ({KEY})
    LEFT JOIN rates AS spot ON {_same.replace("x.", "spot.")} AND spot.pricing = 'Dynamic' AND spot.type = m.type
    LEFT JOIN rates AS committed ON {_same.replace("x.", "committed.")} AND committed.pricing = 'Committed'
        AND committed.type = m.type
    LEFT JOIN ratios AS others ON {_same.replace("x.", "others.")}
    LEFT JOIN interruptions AS i ON i.provider = m.provider AND i.region = m.region AND i.type = m.type
    WHERE r.is_production = false AND NOT m.is_covered AND m.system = 'Linux'
        AND (m.on_demand_quantity > 0) AND (m.on_demand_cost > 0) IS NOT FALSE
    """,
    MACHINES,
    f"""rates AS (
        SELECT {_place}, pricing, {TYPE} AS type, {_rate} AS rate FROM use
        WHERE {IS_MACHINE} AND pricing IN ('Dynamic', 'Committed') AND monthly_cost IS NOT NULL
        GROUP BY ALL
    )""",
    f"""ratios AS (
        SELECT {_place}, sum(monthly_cost) / nullif(sum(monthly_list_cost), 0) AS ratio FROM use
        WHERE {IS_MACHINE} AND pricing = 'Dynamic' AND monthly_cost IS NOT NULL AND monthly_list_cost > monthly_cost
        GROUP BY ALL
    )""",
    """interruptions AS (
        SELECT provider, region, resource AS type, max(average) AS average FROM metrics
        WHERE metric = 'spot_interruption' GROUP BY ALL
    )""",
)


def _explain(finding: FindingRow) -> str:
    evidence, target = finding["evidence"], finding["target"]
    if target["discount"] is None:
        text = _(
            "It is {environment}, nothing covers it, and spot would do; what spot costs here is on no bill of yours."
        )
    elif target["rate"] is None:
        text = _(
            "It is {environment} and nothing covers it; other spot machines of the region cost {discount} less than "
            "listed."
        )
    elif evidence["committed_rate"] is not None:
        text = _(
            "It is {environment} and nothing covers it; your own spot machines of the type cost {rate} instead of "
            "{own} {currency} an hour, and {committed} under a commitment."
        )
    else:
        text = _(
            "It is {environment} and nothing covers it; your own spot machines of the type cost {rate} instead of "
            "{own} {currency} an hour."
        )
    sentence = text.format(
        environment=evidence["environment"],
        discount=share_text(target["discount"] or 0),
        rate=number_text(target["rate"] or 0, 4),
        own=number_text(evidence["rate"] or 0, 4),
        committed=number_text(evidence["committed_rate"] or 0, 4),
        currency=finding["currency"],
    )
    if evidence["interruption"] is None:
        return sentence
    return _("{sentence} Of the type {interruption} are taken back in a month.").format(
        sentence=sentence, interruption=interruption_class(evidence["interruption"])
    )


def _fixes(finding: FindingRow) -> Sequence[Fix]:
    commands = {
        AZURE: "az vm create --name NAME --resource-group GROUP --image IMAGE --size {type} --priority Spot"
        " --eviction-policy Deallocate",
        GOOGLE: "gcloud compute instances create NAME --project {account} --machine-type {type}"
        " --provisioning-model SPOT --instance-termination-action STOP",
    }
    type_ = str(finding["evidence"]["type"] or "")
    fixes = command_fix(_("Build it anew as a spot machine"), finding, commands, type=type_)
    if finding["provider"] != AWS:
        return fixes
    overrides = "\n".join(f'      override {{ instance_type = "{name}" }}' for name in types_alike(type_))
    terraform = f"""resource "aws_autoscaling_group" "this" {{
  mixed_instances_policy {{
    instances_distribution {{
      on_demand_percentage_above_base_capacity = 0
      spot_allocation_strategy                 = "price-capacity-optimized"
    }}
    launch_template {{
      launch_template_specification {{ launch_template_id = aws_launch_template.this.id }}
{overrides}
    }}
  }}
}}
"""
    return [Fix(_("A group of several types, so that one that is taken back is replaced"), "terraform", terraform)]


RULES = (
    Rule(
        name="spot",
        title=_noop("On demand where spot would do"),
        lever=Lever.SPOT,
        effort=Effort.MEDIUM,
        risk=Risk.MEDIUM,
        sql=_spot,
        explain=_explain,
        fixes=_fixes,
        makes_certain=_noop("It starts again by itself when it is taken back: try it with one machine."),
        docs="https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/spot-best-practices.html",
    ),
)

"""The kinds of waste that are looked for, all of them. A module of rules is named here once."""

from usage.calc.rules import (
    ai,
    databases,
    disks,
    functions,
    kubernetes,
    licences,
    machines,
    network,
    provider_advice,
    schedules,
    spot,
)
from usage.calc.rules.base import Rule

MODULES = (
    machines,
    databases,
    disks,
    network,
    schedules,
    spot,
    functions,
    kubernetes,
    licences,
    ai,
    provider_advice,
)
RULES: tuple[Rule, ...] = tuple(rule for module in MODULES for rule in module.RULES)

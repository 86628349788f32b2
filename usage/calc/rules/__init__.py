"""The kinds of waste that are looked for, all of them. A module of rules is named here once."""

from usage.calc.rules import (
    ai,
    databases,
    disks,
    functions,
    kept_data,
    kubernetes,
    licences,
    machines,
    network,
    object_storage,
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
    object_storage,
    kept_data,
    provider_advice,
)
RULES: tuple[Rule, ...] = tuple(rule for module in MODULES for rule in module.RULES)

"""The kinds of waste that are looked for, all of them. A module of rules is named here once."""

from usage.calc.rules import machines
from usage.calc.rules.base import Rule

MODULES = (machines,)
RULES: tuple[Rule, ...] = tuple(rule for module in MODULES for rule in module.RULES)

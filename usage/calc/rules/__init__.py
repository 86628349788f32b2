"""The kinds of waste that are looked for, all of them. A module of rules is named here once."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

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
from usage.calc.rules.base import Fix, Rule

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
# The evidence of what a provider advises and a rule of ours did not find (`usage.calc.candidates`).
OF_PROVIDER = {"provider_says", "provider_saving"}


def _of_provider_alone(finding: Mapping[str, Any]) -> bool:
    evidence = finding["evidence"]
    return "provider_says" in evidence and set(evidence) <= OF_PROVIDER


def _with_advice(rule: Rule) -> Rule:
    """The rule, which leaves to the provider's own words what the provider alone says of its kind."""

    def explain(finding: Mapping[str, Any]) -> str:
        return (provider_advice if _of_provider_alone(finding) else rule).explain(finding)

    def fixes(finding: Mapping[str, Any]) -> Sequence[Fix]:
        return () if _of_provider_alone(finding) else rule.fixes(finding)

    return replace(rule, explain=explain, fixes=fixes)


RULES: tuple[Rule, ...] = tuple(_with_advice(rule) for module in MODULES for rule in module.RULES)

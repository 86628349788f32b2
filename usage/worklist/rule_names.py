"""Rules by their names, also those that this version has no longer: findings outlive them."""

from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any

from django.utils.translation import gettext as _

from usage.calc import rules
from usage.calc.rules.base import Effort, Fix, Lever, Risk, Rule


def all_rules() -> Mapping[str, Rule]:
    """{name: rule}, of those that this version has."""
    return {rule.name: rule for rule in getattr(rules, "RULES", ())}


def rule_of(name: str) -> Rule:
    """The rule of that name; of one that is gone a rule that says so and offers no fix."""
    return all_rules().get(name) or _gone(name)


def title_of(name: str) -> str:
    """What a rule is called, for the reader."""
    rule = all_rules().get(name)
    return _(rule.title) if rule else _("{name} (a rule of an earlier version)").format(name=name)


def is_gone(name: str) -> bool:
    """Whether this version has no such rule."""
    return name not in all_rules()


def rule_choices(names: Sequence[str]) -> list[tuple[str, str]]:
    """(name, title) of these rules, by their titles."""
    return sorted(((name, title_of(name)) for name in names), key=lambda choice: choice[1].lower())


@cache
def _gone(name: str) -> Rule:
    return Rule(name, name, Lever.DELETE, Effort.MEDIUM, Risk.MEDIUM, "", _explain_gone, _no_fixes)


def _explain_gone(finding: Mapping[str, Any]) -> str:
    return _("This version has no such rule any more: its figures are as they were last, and nothing renews them.")


def _no_fixes(finding: Mapping[str, Any]) -> Sequence[Fix]:
    return ()

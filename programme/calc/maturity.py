"""Crawl, walk or run: how mature a FinOps capability is, by its figures. Pure: no Django."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum

from finops_site.lib.language import gettext_noop as _noop
from programme.calc.criteria import Comparison, is_reached


class Level(StrEnum):
    """The FinOps Foundation's three levels; unknown where the books do not say."""

    CRAWL = "crawl"
    WALK = "walk"
    RUN = "run"
    UNKNOWN = "unknown"


ORDER = (Level.CRAWL, Level.WALK, Level.RUN)


@dataclass(frozen=True, slots=True)
class Rule:
    """A figure, from which value on a capability walks, and from which it runs; below it crawls."""

    figure: str
    walk: Decimal
    run: Decimal
    comparison: Comparison = Comparison.AT_LEAST


@dataclass(frozen=True, slots=True)
class Capability:
    """A capability of the FinOps Framework, by its name there, and the figures that show it."""

    name: str
    domain: str
    rules: Sequence[Rule]


def _rule(figure: str, walk: int, run: int, comparison: Comparison = Comparison.AT_LEAST) -> Rule:
    return Rule(figure, Decimal(walk), Decimal(run), comparison)


# Domains and capabilities are called as in the FinOps Framework.
UNDERSTAND = _noop("Understand usage and cost")
QUANTIFY = _noop("Quantify business value")
OPTIMIZE = _noop("Optimize usage and cost")
MANAGE = _noop("Manage the FinOps practice")
CAPABILITIES = (
    Capability(_noop("Data ingestion"), UNDERSTAND, [_rule("count:bill-months", 3, 12)]),
    Capability(_noop("Allocation"), UNDERSTAND, [_rule("kpi:owned-cost", 80, 95), _rule("kpi:tag-compliance", 50, 95)]),
    Capability(_noop("Anomaly management"), UNDERSTAND, [_rule("kpi:alert-response", 48, 24, Comparison.AT_MOST)]),
    Capability(
        _noop("Budgeting"),
        QUANTIFY,
        [_rule("kpi:active-budgets", 2, 5), _rule("kpi:budget-variance", 15, 5, Comparison.AT_MOST)],
    ),
    Capability(_noop("Forecasting"), QUANTIFY, [_rule("kpi:forecast-accuracy", 80, 95)]),
    Capability(
        _noop("Rate optimization"),
        OPTIMIZE,
        [_rule("kpi:commitment-coverage", 40, 70), _rule("kpi:commitment-utilisation", 80, 95)],
    ),
    Capability(_noop("Policy and governance"), MANAGE, [_rule("count:required-tags", 1, 4)]),
    Capability(_noop("Invoicing and chargeback"), MANAGE, [_rule("count:closed-months", 1, 3)]),
    Capability(_noop("Reporting and enablement"), MANAGE, [_rule("kpi:team-adoption", 50, 90)]),
)


def level_of(rule: Rule, value: Decimal | None) -> Level:
    """The level that one figure shows."""
    if value is None:
        return Level.UNKNOWN
    if is_reached(value, rule.comparison, rule.run):
        return Level.RUN
    return Level.WALK if is_reached(value, rule.comparison, rule.walk) else Level.CRAWL


def maturity_of(rules: Sequence[Rule], values: Mapping[str, Decimal | None]) -> Level:
    """The lowest level of the figures: a capability is as mature as its weakest part.

    Where a figure is unknown the level is too, unless another already shows that the capability crawls.
    """
    levels = [level_of(rule, values.get(rule.figure)) for rule in rules]
    if Level.CRAWL in levels:
        return Level.CRAWL
    if not levels or Level.UNKNOWN in levels:
        return Level.UNKNOWN
    return min(levels, key=ORDER.index)

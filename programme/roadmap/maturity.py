"""Crawl, walk, run: each FinOps capability by the figures of the whole company."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from django.utils.translation import gettext as _

from programme.calc.criteria import Comparison
from programme.calc.maturity import CAPABILITIES, Level, Rule, level_of, maturity_of
from programme.roadmap.live_figures import Figure, label_of, read_figures, value_text


@dataclass(frozen=True, slots=True)
class FigureLevel:
    """A figure of a capability: what it is, and from where on it walks and runs."""

    label: str
    value: str
    level: Level
    walk: str
    run: str
    reason: str = ""
    url: str = ""


@dataclass(frozen=True, slots=True)
class CapabilityLevel:
    """A capability and its level, by its figures."""

    name: str
    domain: str
    level: Level
    figures: Sequence[FigureLevel]


def maturity(since: date, as_of: date) -> list[CapabilityLevel]:
    """Every capability as of a day; unknown where the books do not say."""
    names = {rule.figure for capability in CAPABILITIES for rule in capability.rules}
    figures = read_figures(names, since, as_of)
    values = {name: figure.value for name, figure in figures.items()}
    return [
        CapabilityLevel(
            _(capability.name),
            _(capability.domain),
            maturity_of(capability.rules, values),
            [_figure_level(rule, figures[rule.figure]) for rule in capability.rules],
        )
        for capability in CAPABILITIES
    ]


def _figure_level(rule: Rule, figure: Figure) -> FigureLevel:
    text = _("at most {value}") if rule.comparison == Comparison.AT_MOST else _("at least {value}")
    walk, run = (text.format(value=value_text(value, figure.unit)) for value in (rule.walk, rule.run))
    return FigureLevel(
        label_of(rule.figure),
        value_text(figure.value, figure.unit, figure.currency),
        level_of(rule, figure.value),
        walk,
        run,
        figure.reason,
        figure.url,
    )

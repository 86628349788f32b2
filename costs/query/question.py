"""A question about spend: which days, grouped and filtered by what, in which steps of time."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from costs.calc.dimensions import FILTERABLE, GROUPABLE, TAG, CostDimension, named
from costs.querysets import METRICS
from finops_site.lib.periods import Period

# What pages show unless somebody chooses another amount.
METRIC = "billed_cost"
GRAINS = ("month", "week", "day")


class BadQuestion(ValueError):
    """A question nobody can answer; the message says what to ask instead."""


@dataclass(frozen=True, slots=True)
class Question:
    """What was spent in `period` (by charge day), as `metric`, by any dimensions, over time by `grain`.

    `filters` are {dimension: values}; within one dimension any value will do. Raises BadQuestion for unknown names.
    """

    period: Period
    group_by: tuple[str, ...] = ()
    grain: str = ""
    metric: str = METRIC
    filters: Mapping[str, Sequence[str]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for names, possible in ((self.group_by, GROUPABLE), (self.filters, FILTERABLE)):
            for name in names:
                if name not in possible and not is_tag(name):
                    listed = ", ".join(possible)
                    raise BadQuestion(f"{name!r} is nothing to group or filter by: use {listed} or tag:<Key>.")
        if any("\0" in value for values in self.filters.values() for value in values):
            raise BadQuestion("a NUL character is in no name and no value.")
        if self.metric not in METRICS:
            raise BadQuestion(f"{self.metric!r} is no metric: use {', '.join(METRICS)}.")
        if self.grain and self.grain not in GRAINS:
            raise BadQuestion(f"{self.grain!r} is no step of time: use {', '.join(GRAINS)}.")
        if len(set(self.group_by)) != len(self.group_by):
            raise BadQuestion("group by two different things.")

    def for_metric(self, metric: str) -> "Question":
        """The same question about another metric."""
        return replace(self, metric=metric)

    @property
    def has_full_months(self) -> bool:
        return self.period.start.day == 1 and self.period.end.day == 1

    @property
    def names(self) -> tuple[str, ...]:
        """The names of every dimension that it groups or filters by."""
        return (*self.group_by, *self.filters)

    @property
    def dimensions(self) -> list[CostDimension]:
        return [named(name) for name in self.names]


def is_tag(name: str) -> bool:
    """Whether a name is the dimension of a tag, ``tag:Environment``."""
    return name.startswith(TAG) and name != TAG

"""A question about spend: which days, grouped and filtered by what, in which steps of time."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from django.conf import settings
from django.utils.translation import gettext as _

from costs.calc.dimensions import GROUPABLE, CostDimension, named
from costs.calc.filters import ANY_TAG_WORDS, BadFilter, dimension_of, is_tag, read_filters
from costs.querysets import METRICS
from finops_site.lib.addresses import check_names
from finops_site.lib.periods import Period
from finops_site.translation import gettext_lazy as _lazy

METRIC = "billed_cost"
METRIC_LABELS = {
    "billed_cost": _lazy("Billed cost"),
    "effective_cost": _lazy("Effective cost"),
    "list_cost": _lazy("List cost"),
    "contracted_cost": _lazy("Contracted cost"),
}
GRAINS = ("month", "week", "day")


def company_metric() -> str:
    """What pages, the report and the API show unless somebody chooses another cost; each of them says which."""
    return str(settings.FINOPS_COST_METRIC)


class BadQuestion(ValueError):
    """A question nobody can answer; the message says what to ask instead."""


@dataclass(frozen=True, slots=True)
class Question:
    """What was spent in `period` (by charge day), as `metric`, by any dimensions, over time by `grain`.

    `filters` are {name: values} as `costs/calc/filters.py` reads them. Raises BadQuestion for unknown names.
    """

    period: Period
    group_by: tuple[str, ...] = ()
    grain: str = ""
    metric: str = METRIC
    filters: Mapping[str, Sequence[str]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for name in self.group_by:
            try:
                check_names([name], GROUPABLE, is_tag, others=ANY_TAG_WORDS)
            except BadFilter as error:
                raise BadQuestion(str(error)) from None
        try:
            read_filters(self.filters)
        except BadFilter as error:
            raise BadQuestion(str(error)) from None
        if self.metric not in METRICS:
            raise BadQuestion(
                _("{metric!r} is no metric: use {names}.").format(metric=self.metric, names=", ".join(METRICS))
            )
        if self.grain and self.grain not in GRAINS:
            raise BadQuestion(
                _("{grain!r} is no step of time: use {names}.").format(grain=self.grain, names=", ".join(GRAINS))
            )
        if len(set(self.group_by)) != len(self.group_by):
            raise BadQuestion(_("group by two different things."))

    def for_metric(self, metric: str) -> "Question":
        """The same question about another metric."""
        return replace(self, metric=metric)

    def in_period(self, period: Period) -> "Question":
        """The same question about other days."""
        return replace(self, period=period)

    @property
    def has_full_months(self) -> bool:
        return self.period.start.day == 1 and self.period.end.day == 1

    @property
    def names(self) -> tuple[str, ...]:
        """The names of every dimension that it groups or filters by."""
        return (*self.group_by, *map(dimension_of, self.filters))

    @property
    def dimensions(self) -> list[CostDimension]:
        return [named(name) for name in self.names]

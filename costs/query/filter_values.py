"""From what people write in a filter to the values that groups of cost have: a team's name or id, the teams below it, a
month, nothing at all. What comes out is compared by `Filter.accepts`, or by SQL, without another look at the database.
"""

from collections.abc import Mapping, Sequence
from functools import cached_property

from costs.calc.dimensions import Choices, named
from costs.calc.filters import Filter, Operator, describe_filter, read_filter, split_name, value_of_filter
from costs.models import AccountGroup, Pool, Source
from costs.query.scope import NOBODY, WITHOUT_TEAM, TeamTree
from costs.query.tag_keys import TagKeys, compared_values, tag_keys_of

# The tables, beside teams, of rows that cost has by their ids and people ask for by their names.
NAMED_BY_ID: Mapping[Choices, type[Pool | Source | AccountGroup]] = {
    Choices.POOLS: Pool,
    Choices.SOURCES: Source,
    Choices.ACCOUNT_GROUPS: AccountGroup,
}


class FilterValues:
    """Resolves any number of filters; teams, pools and what tags mean are read once, and only if a filter needs them.

    `keys`: what is known already of what tags mean in the bills, see `tag_keys_of`.
    """

    def __init__(self, keys: TagKeys | None = None) -> None:
        self.keys = dict(keys or {})

    @cached_property
    def teams(self) -> TeamTree:
        return TeamTree()

    def names(self, choices: Choices) -> Mapping[str, str]:
        """{id: name} of the rows that have an id and a name."""
        if choices is Choices.TEAMS:
            return self.teams.names
        rows = NAMED_BY_ID[choices].objects.values_list("pk", "name")
        return {str(pk): name for pk, name in rows}

    def resolve_all(self, filters: Mapping[str, Sequence[str]]) -> list[Filter]:
        """In the order of their names. Raises BadFilter."""
        return [self.resolve(name, values) for name, values in sorted(filters.items())]

    def resolve(self, name: str, values: Sequence[str]) -> Filter:
        """One filter with the values that groups have. Raises BadFilter."""
        chosen = read_filter(name, values)
        dimension = named(chosen.dimension)
        if dimension.is_by_id:
            chosen = self._with_ids(chosen, dimension.choices)
            if chosen.dimension == "team":
                return chosen.with_values(self.teams.with_teams_below(chosen.values))
            return chosen
        if dimension.is_tag and not chosen.compares_parts:
            if chosen.dimension not in self.keys:
                self.keys |= tag_keys_of([chosen.dimension])
            return chosen.with_values(compared_values(chosen.dimension, chosen.values, self.keys))
        if chosen.compares_parts:
            return chosen
        if chosen.dimension == "billing_month":
            # Everything has one: NOBODY, what is empty, stands for no month.
            months = (value for value in chosen.values if value != NOBODY)
            return chosen.with_values(value if len(value) > 7 else f"{value}-01" for value in months)
        return chosen.with_values(value_of_filter(chosen.dimension, value) for value in chosen.values)

    def describe(self, name: str, values: Sequence[str]) -> str:
        """A filter in words, teams, pools, sources and groups of accounts by their names."""
        dimension, operator = split_name(name)
        if named(dimension).is_by_id and operator in (Operator.IS, Operator.NOT):
            names = {**self.names(named(dimension).choices), **WITHOUT_TEAM}
            values = [str(names.get(str(value), value)) for value in values]
        return describe_filter(name, values)

    def _with_ids(self, chosen: Filter, choices: Choices) -> Filter:
        """What is stored by its id is compared by it: parts of names become the ids of those that have them."""
        if not chosen.compares_parts:
            return chosen
        matching = [pk for pk, name in self.names(choices).items() if chosen.accepts(name)]
        return Filter(chosen.dimension, Operator.IS, tuple(matching))

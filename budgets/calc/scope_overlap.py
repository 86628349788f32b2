"""Whether two scopes can have any cost in common, by what they filter by. Pure: no Django."""

from collections.abc import Sequence

from costs.calc.filters import Filter, Operator


def are_apart(scope: Sequence[Filter], other: Sequence[Filter]) -> bool:
    """Whether no cost can lie in both: no value of some dimension, of which a line has one, is taken by both.

    False where that cannot be told by the filters: two scopes by a team and by a service have the team's service in
    common, or nothing, as the bills are.
    """
    return any(_exclude_one_another(one, two) for one in scope for two in other if one.dimension == two.dimension)


def _exclude_one_another(one: Filter, two: Filter) -> bool:
    if one.operator is two.operator is Operator.IS:
        # Letters' case is no difference here: what may be the same is taken for the same.
        return not {value.strip().lower() for value in one.values} & {value.strip().lower() for value in two.values}
    if one.operator is Operator.IS:
        return not any(two.accepts(value) for value in one.values)
    if two.operator is Operator.IS:
        return not any(one.accepts(value) for value in two.values)
    if one.operator is two.operator is Operator.PREFIX:
        pairs = [(a.lower(), b.lower()) for a in one.values for b in two.values]
        return not any(a.startswith(b) or b.startswith(a) for a, b in pairs)
    return False

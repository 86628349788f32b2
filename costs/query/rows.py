"""The rows of the cost tables that a question is about, out of the smallest table that knows all it asks."""

from collections.abc import Mapping, Sequence

from django.db.models import F, Func, QuerySet, TextField, Value
from django.db.models.expressions import Combinable
from django.db.models.fields.json import KeyTextTransform
from django.db.models.functions import Coalesce, NullIf

from costs.calc import dimensions
from costs.calc.dimensions import Choices, Rollup
from costs.formats.sql import WHITE_SPACE
from costs.models import CostLine, DayRollup, MonthRollup, ResourceRollup
from costs.query.question import Question
from costs.query.scope import NOBODY, in_pools, of_teams, owned_by, team_or_shared
from costs.query.tag_keys import TagKeys, tag_keys_of


class WithoutBlanks(Func):
    """A text without the characters of the second at both its ends: PostgreSQL's own function."""

    function = "BTRIM"
    arity = 2
    output_field = TextField()


CostTable = type[MonthRollup | ResourceRollup | DayRollup | CostLine]


def table_for(question: Question) -> CostTable:
    """The smallest table that knows every dimension and the days that the question needs."""
    by_month = question.grain not in ("day", "week") and question.has_full_months
    tables: list[tuple[Rollup, CostTable]] = [(Rollup.DAY, DayRollup)]
    if by_month:
        tables = [(Rollup.MONTH, MonthRollup), (Rollup.RESOURCE, ResourceRollup)]
    for rollup, table in tables:
        if all(rollup in dimension.rollups for dimension in question.dimensions):
            return table
    return CostLine


def filtered_rows(queryset: QuerySet, question: Question, keys: TagKeys | None = None) -> QuerySet:
    """The rows of a cost table that the question is about; `keys` where it is known already what its tags mean."""
    return filter_by(queryset.charged_in(question.period), question.filters, keys)  # type: ignore[attr-defined]


def filter_by(queryset: QuerySet, filters: Mapping[str, Sequence[str]], keys: TagKeys | None = None) -> QuerySet:
    """The rows that have one of the values of every filter; of any model that has the fields of the dimensions."""
    keys = tag_keys_of(filters) if keys is None else keys
    rows = queryset
    for number, (name, values) in enumerate(sorted(filters.items())):
        rows = _filter_by_one(rows, name, values, f"f{number}", keys)
    return rows


def _filter_by_one(rows: QuerySet, name: str, values: Sequence[str], alias: str, keys: TagKeys) -> QuerySet:
    dimension = dimensions.named(name)
    if dimension.is_tag:
        return rows.alias(**{alias: _tag_value(keys[name])}).filter(**{f"{alias}__in": list(values)})
    if name == "team":
        return of_teams(rows, values)
    if dimension.choices is Choices.TEAMS:
        return rows.filter(owned_by(values))
    if dimension.choices is Choices.POOLS:
        return rows.filter(in_pools(values))
    if name == "resource" and rows.model in (CostLine, ResourceRollup):
        return rows.of_resources(stored_values(name, values))  # type: ignore[attr-defined]
    return rows.filter(**{f"{dimension.field}__in": stored_values(name, values)})


def stored_values(name: str, values: Sequence[str]) -> list[str]:
    """Values of a filter as the tables keep them; NOBODY stands for lines that have nothing of a dimension."""
    dimension = dimensions.named(name)
    if name == "billing_month":
        return [value if len(value) > 7 else f"{value}-01" for value in values]
    if dimension.is_tag or dimension.choices in (Choices.TEAMS, Choices.POOLS):
        return list(values)
    return ["" if value == NOBODY else value for value in values]


def group_value(name: str, keys: TagKeys) -> Combinable:
    """What a row has of a dimension."""
    dimension = dimensions.named(name)
    if dimension.is_tag:
        return _tag_value(keys[name])
    if name == "currency":
        # Every answer has the currency beside its groups, and Django takes two equal columns of a ranked query for one.
        return Coalesce(F("currency"), Value(""), output_field=TextField())
    return team_or_shared() if dimension.choices is Choices.TEAMS else F(dimension.field)


def _tag_value(keys: Sequence[str]) -> Combinable:
    nothing, blanks = Value("", TextField()), Value(WHITE_SPACE, TextField())
    values = [NullIf(WithoutBlanks(KeyTextTransform(key, "tag_set__tags"), blanks), nothing) for key in keys]
    return Coalesce(*values, nothing) if values else nothing

"""The rows of the cost tables that a question is about, out of the smallest table that knows all it asks."""

from collections.abc import Mapping, Sequence
from functools import reduce
from operator import or_

from django.db.models import F, Func, OuterRef, Q, QuerySet, Subquery, TextField, Value
from django.db.models.expressions import Combinable
from django.db.models.fields.json import KeyTextTransform
from django.db.models.functions import Cast, Coalesce, Lower, NullIf

from costs.calc import dimensions
from costs.calc.dimensions import Choices, Rollup
from costs.calc.filters import Filter, Operator, dimension_of, split_name
from costs.formats.sql import WHITE_SPACE
from costs.models import CostLine, DayRollup, GroupedAccount, MonthRollup, ResourceRollup
from costs.query.charge_kinds import KINDS_OF_CATEGORY, kind_of_charge, of_kinds
from costs.query.filter_values import FilterValues
from costs.query.question import Question
from costs.query.scope import ids_in, in_account_groups, in_pools, owned_by, team_or_shared
from costs.query.tag_keys import TagKeys, TagMeaning, tag_keys_of


class WithoutBlanks(Func):
    """A text without the characters of the second at both its ends: PostgreSQL's own function."""

    function = "BTRIM"
    arity = 2
    output_field = TextField()


class SpelledBy(Func):
    """What a JSON object has under a text, null for nothing."""

    template = "(%(expressions)s)"
    arg_joiner = "::jsonb ->> "
    arity = 2
    output_field = TextField()


CostTable = type[MonthRollup | ResourceRollup | DayRollup | CostLine]


def table_for(question: Question) -> CostTable:
    """The smallest table that knows every dimension and the days that the question needs."""
    by_month = question.grain not in ("day", "week") and question.has_full_months
    tables: list[tuple[Rollup, CostTable]] = [(Rollup.DAY, DayRollup)]
    if by_month:
        tables = [(Rollup.MONTH, MonthRollup), (Rollup.RESOURCE, ResourceRollup)]
    names = [*question.group_by, *(_asked_of(name, values) for name, values in question.filters.items())]
    for rollup, table in tables:
        if all(rollup in dimensions.named(name).rollups for name in names):
            return table
    return CostLine


def _asked_of(filter_name: str, values: Sequence[str]) -> str:
    """The dimension that a table needs for a filter: the charge category alone says whether a charge is tax.

    It does not say what begins with a text, or contains it: other kinds may.
    """
    name, operator = split_name(filter_name)
    by_category = operator in (Operator.IS, Operator.NOT) and set(values) <= KINDS_OF_CATEGORY
    return "charge_category" if name == "charge_kind" and by_category else name


def filtered_rows(queryset: QuerySet, question: Question, keys: TagKeys | None = None) -> QuerySet:
    """The rows of a cost table that the question is about; `keys` where it is known already what its tags mean."""
    return filter_by(queryset.charged_in(question.period), question.filters, keys)  # type: ignore[attr-defined]


def filter_by(queryset: QuerySet, filters: Mapping[str, Sequence[str]], keys: TagKeys | None = None) -> QuerySet:
    """The rows that every filter accepts; of any model that has the fields of the dimensions. Raises BadFilter."""
    keys = tag_keys_of(map(dimension_of, filters)) if keys is None else keys
    rows = queryset
    for number, chosen in enumerate(FilterValues(keys).resolve_all(filters)):
        rows = _filter_by_one(rows, chosen, f"f{number}", keys)
    return rows


def _filter_by_one(rows: QuerySet, chosen: Filter, alias: str, keys: TagKeys) -> QuerySet:
    name, dimension = chosen.dimension, dimensions.named(chosen.dimension)
    if chosen.compares_parts or dimension.is_tag or dimension.choices is Choices.COST_CENTERS:
        value = group_value(name, keys)
        text = Cast(value, TextField()) if name == "billing_month" else value
        lookup = {Operator.PREFIX: "istartswith", Operator.CONTAINS: "icontains"}.get(chosen.operator, "")
        parts = (Q(**{f"{alias}__{lookup}": part}) for part in chosen.values)
        condition = reduce(or_, parts) if lookup else Q(**{f"{alias}__in": list(chosen.values)})
        # Values of tags are compared in small letters, which the filter has already.
        rows = rows.alias(**{alias: Lower(text) if dimension.is_tag else text})
    elif name == "charge_kind":
        condition = of_kinds(chosen.values)
    elif dimension.choices is Choices.TEAMS:
        condition = owned_by(chosen.values)
    elif dimension.choices is Choices.POOLS:
        condition = in_pools(chosen.values)
    elif dimension.choices is Choices.ACCOUNT_GROUPS:
        condition = in_account_groups(chosen.values)
    elif dimension.choices is Choices.SOURCES:
        condition = Q(**{f"{dimension.field}__in": ids_in(chosen.values)})
    elif name == "resource" and chosen.operator is Operator.IS and rows.model in (CostLine, ResourceRollup):
        return rows.of_resources(chosen.values)  # type: ignore[attr-defined]
    else:
        condition = Q(**{f"{dimension.field}__in": list(chosen.values)})
    return rows.filter(~condition if chosen.operator is Operator.NOT else condition)


def group_value(name: str, keys: TagKeys) -> Combinable:
    """What a row has of a dimension."""
    dimension = dimensions.named(name)
    if dimension.is_tag:
        return _tag_value(keys[name])
    if name == "currency":
        # Every answer has the currency beside its groups, and Django takes two equal columns of a ranked query for one.
        return Coalesce(F("currency"), Value(""), output_field=TextField())
    if name == "charge_kind":
        return kind_of_charge()
    if dimension.choices is Choices.COST_CENTERS:
        return Coalesce(F("owner__cost_center"), Value(""), output_field=TextField())
    if dimension.choices is Choices.ACCOUNT_GROUPS:
        return Subquery(GroupedAccount.objects.filter(account=OuterRef(dimension.field)).values("group")[:1])
    return team_or_shared() if dimension.choices is Choices.TEAMS else F(dimension.field)


def _tag_value(meaning: TagMeaning) -> Combinable:
    nothing, blanks = Value("", TextField()), Value(WHITE_SPACE, TextField())
    values = [NullIf(WithoutBlanks(KeyTextTransform(key, "tag_set__tags"), blanks), nothing) for key in meaning.keys]
    value = Coalesce(*values, nothing) if values else nothing
    # Which values are one was decided once for each of them; most are written as they are shown.
    return Coalesce(SpelledBy(Value(meaning.spellings_json), value), value) if meaning.spellings else value

"""From the values that people write in filters to those that bills have: whoever types one need not know its capitals,
nor the id of a team; and which of them match nothing.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from itertools import chain

from django.db.models import Q, QuerySet
from django.db.models.functions import Lower
from django.utils.translation import gettext as _

from costs.calc.charge_kinds import CATEGORIES
from costs.calc.dimensions import DIMENSIONS, NOBODY, Choices, named
from costs.calc.filters import (
    BadFilter,
    Operator,
    compared,
    describe_filter,
    filter_name,
    filter_value,
    is_tag,
    read_filter,
    split_name,
    value_of_filter,
)
from costs.calc.providers import provider_name
from costs.models import Dimension
from costs.query import filter_choices
from costs.query.charge_kinds import KINDS
from costs.query.filter_values import NAMED_BY_ID, FilterValues
from costs.query.question import Question
from costs.query.scope import POOLED, SHARED, SHARED_IN_FILES, UNOWNED, UNOWNED_IN_FILES
from costs.query.spend import find_spend
from finops_site.lib.periods import Month
from finops_site.lib.person import Person
from finops_site.models import Team

# Dimensions of which the values are known before any bill has one.
CLOSED = {"charge_category": CATEGORIES, "charge_kind": (*KINDS, *CATEGORIES)}
WHOLE_VALUES = (Operator.IS, Operator.NOT)
# What values are looked for in; teams, pools and what else has an id are refused where they are not there.
WITH_VALUES = (Choices.CATALOGUE, Choices.NONE, Choices.COST_CENTERS)


def read_filters(filters: Mapping[str, Sequence[str]], user: Person) -> dict[str, list[str]]:
    """The filters of an address as every door asks by them: `read_values` of each. Raises BadFilter."""
    return {name: read_values(name, values, user) for name, values in filters.items()}


def read_values(name: str, values: Sequence[str], user: Person) -> list[str]:
    """The values of one filter as cost tables have them, whether written by name or by id, in any capitals.

    Raises BadFilter for a filter that cannot be, and for a team, a pool or a source that is not there, or not hers to
    see: the two are told apart for nobody.
    """
    chosen = read_filter(name, values)
    filter_choices.check_offered(user, [chosen.dimension])
    operator = split_name(name)[1]
    if operator not in WHOLE_VALUES:
        return list(values)
    choices = named(chosen.dimension).choices
    if choices is Choices.TEAMS:
        words = {NOBODY: NOBODY, POOLED: POOLED}
        words |= {name.lower(): NOBODY for name in (UNOWNED_IN_FILES, UNOWNED)}
        words |= {name.lower(): POOLED for name in (SHARED_IN_FILES, SHARED)}
        return [words.get(value.lower()) or _find_id(Team.objects.visible_to(user), value) for value in values]
    if choices in NAMED_BY_ID:
        rows = NAMED_BY_ID[choices].objects.visible_to(user)
        return [NOBODY if value.lower() == NOBODY else _find_id(rows, value) for value in values]
    if chosen.dimension == "billing_month":
        try:
            return [str(Month.parse(value[:7]).start) for value in values]
        except ValueError as error:
            raise BadFilter(str(error)) from None
    return stored_values(chosen.dimension, operator, values)


def _find_id(rows: QuerySet, value: str) -> str:
    """The id of a row by its id or its name, in other capitals where that is one row's alone."""
    is_id = value.isascii() and value.isdigit() and len(value) < 18
    exactly = rows.filter(Q(name=value) | Q(pk=value)) if is_id else rows.filter(name=value)
    ids = list(exactly.values_list("pk", flat=True)) or list(
        rows.filter(name__iexact=value).values_list("pk", flat=True)[:2]
    )
    # The id is meant where another row has it for a name.
    pk = int(value) if is_id and int(value) in ids else ids[0] if len(ids) == 1 else None
    if pk is None:
        raise BadFilter(
            _("there is no {kind} {value!r}: use its name or its id.").format(
                kind=rows.model._meta.verbose_name, value=value
            )
        )
    return str(pk)


def stored_values(dimension: str, operator: Operator, values: Sequence[str]) -> list[str]:
    """`values` with the capitals that bills have, in every spelling unless one of them is written exactly; those that
    no bill has stay as they are.

    Raises BadFilter for one that no charge can have, where all are known before any bill.
    """
    if operator not in WHOLE_VALUES or not _has_catalogue(dimension):
        return list(values)
    values = as_lines_have_them(dimension, values)
    known: dict[str, list[str]] = defaultdict(list)
    in_bills = {value: filter_value(dimension, value) for value in _in_bills(dimension, values)}
    for value in dict.fromkeys([*CLOSED.get(dimension, ()), NOBODY, *in_bills.values()]):
        known[value.lower()].append(value)
    # What a bill calls None is asked for by its very letters too.
    values = [in_bills.get(value, value) if value != NOBODY else value for value in values]
    unknown = [value for value in values if value.lower() not in known]
    if dimension in CLOSED and unknown:
        choices = ", ".join(dict.fromkeys(CLOSED[dimension]))
        raise BadFilter(
            _("{label}: {names} is none. Use {choices}.").format(
                label=DIMENSIONS[dimension].label, names=", ".join(unknown), choices=choices
            )
        )
    spellings = [known.get(value.lower(), [value]) for value in values]
    chosen = ([value] if value in spelt else spelt for value, spelt in zip(values, spellings, strict=True))
    return list(dict.fromkeys(chain.from_iterable(chosen)))


def with_stored_values(filters: Mapping[str, Sequence[str]]) -> dict[str, list[str]]:
    """All filters, their values as `stored_values` has them. Raises BadFilter."""
    return {name: stored_values(*split_name(name), values) for name, values in filters.items()}


def values_in_no_bill(filters: Mapping[str, Sequence[str]]) -> dict[str, list[str]]:
    """{name of a filter: its values that no bill has}, of those that name whole values of the catalogue."""
    missing: dict[str, list[str]] = {}
    for name, values in filters.items():
        dimension, operator = split_name(name)
        if operator in WHOLE_VALUES and _has_catalogue(dimension) and dimension not in CLOSED:
            values = as_lines_have_them(dimension, values)
            there = {*_in_bills(dimension, values), ""}
            if unknown := [value for value in values if value_of_filter(dimension, value) not in there]:
                missing[filter_name(dimension, operator)] = unknown
    return missing


def as_lines_have_them(dimension: str, values: Sequence[str]) -> list[str]:
    """Whole values by the one name that cost lines have for them: a provider has several."""
    return list(dict.fromkeys(map(provider_name, values))) if dimension == "provider" else list(values)


def unmatched_values(user: Person, question: Question) -> dict[str, list[str]]:
    """{name of a filter: its values that nothing she may see has}, of filters by whole values.

    In a catalogue, in any bill; a cost centre, of any team; of other dimensions and of tags, in the days of the
    question. Teams and pools are there or not, whatever they cost.
    """
    missing: dict[str, list[str]] = {}
    for name, values in question.filters.items():
        dimension, operator = split_name(name)
        choices = named(dimension).choices
        if operator in WHOLE_VALUES and dimension not in CLOSED and choices in WITH_VALUES:
            there = _seen_values(user, question, name) | {""}
            if unknown := [value for value in values if _as_group(dimension, value) not in there]:
                missing[name] = unknown
    return missing


def unmatched_in_all(user: Person, questions: Sequence[Question]) -> list[str]:
    """Sentences about values that the days of none of the questions have; the questions filter alike."""
    first, *others = (unmatched_values(user, question) for question in questions)
    for missing in others:
        both = {name: [value for value in values if value in missing.get(name, ())] for name, values in first.items()}
        first = {name: values for name, values in both.items() if values}
    return unmatched_words(first)


def unmatched_words(missing: Mapping[str, Iterable[str]]) -> list[str]:
    """Sentences about `unmatched_values`."""
    by_dimension = {filter_name(split_name(name)[0]): values for name, values in missing.items()}
    return [
        _("Nothing here has {filter}.").format(filter=describe_filter(name, values))
        for name, values in by_dimension.items()
    ]


def _seen_values(user: Person, question: Question, name: str) -> set[str]:
    dimension, _ignored = split_name(name)
    offered = {value for value, _ignored in filter_choices.values(user, dimension)} if not is_tag(dimension) else set()
    if offered and len(offered) < filter_choices.MOST:
        return offered
    alone = Question(question.period, (dimension,), filters={filter_name(dimension): question.filters[name]})
    return {compared(dimension, row.group[0]) for row in find_spend(user, alone)}


def _as_group(dimension: str, value: str) -> str:
    """A filter's value as the groups of an answer have it."""
    if is_tag(dimension):
        (group,) = FilterValues().resolve(filter_name(dimension), [value]).values
        return group
    (group,) = as_lines_have_them(dimension, [value])
    return value_of_filter(dimension, group)


def _has_catalogue(dimension: str) -> bool:
    return dimension in CLOSED or (dimension in DIMENSIONS and DIMENSIONS[dimension].choices is Choices.CATALOGUE)


def _in_bills(dimension: str, values: Sequence[str]) -> list[str]:
    """The values that bills have and that differ from `values` by capitals at most."""
    rows = Dimension.objects.filter(name=DIMENSIONS[dimension].field).annotate(lower=Lower("value"))
    lower = [value_of_filter(dimension, value).lower() for value in values]
    return list(rows.filter(lower__in=lower).values_list("value", flat=True))

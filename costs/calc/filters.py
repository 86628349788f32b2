"""Filters of cost as addresses, the API and budgets write them, and whether a value meets them. Pure: no Django.

A filter is {name: values}. The name of a dimension alone asks for any of the values; an operator behind it asks
otherwise: ``service__not`` for none of them, ``service__prefix`` for what begins with one of them,
``service__contains`` for what contains one, ``service__empty`` (``yes`` or ``no``) for what has nothing of it. All
filters hold together. Whoever reads or writes such a name does it here.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

from costs.calc.dimensions import FILTERABLE, NOBODY, TAG, named
from costs.calc.providers import provider_name
from finops_site.lib import addresses
from finops_site.lib.addresses import BadFilter as BadFilter
from finops_site.lib.language import gettext as _
from finops_site.lib.language import gettext_noop as _noop

SEPARATOR = "__"
YES, NO = "yes", "no"
# What else is a filter, in words.
ANY_TAG_WORDS = f"{TAG}<Key>"


class Operator(StrEnum):
    """How the values of a filter are compared; the value is what stands behind the name of the dimension."""

    IS = "is"
    NOT = "not"
    PREFIX = "prefix"
    CONTAINS = "contains"
    EMPTY = "empty"


OPERATOR_WORDS = {
    Operator.IS: _noop("is"),
    Operator.NOT: _noop("is not"),
    Operator.PREFIX: _noop("begins with"),
    Operator.CONTAINS: _noop("contains"),
    Operator.EMPTY: _noop("is empty"),
}


@dataclass(frozen=True, slots=True)
class Filter:
    """One filter. Without EMPTY: a filter for what has nothing of a dimension is IS, or NOT, with `nothing_of` it."""

    dimension: str
    operator: Operator
    values: tuple[str, ...]

    @property
    def name(self) -> str:
        return filter_name(self.dimension, self.operator)

    @property
    def compares_parts(self) -> bool:
        return self.operator in (Operator.PREFIX, Operator.CONTAINS)

    def with_values(self, values: Iterable[str]) -> "Filter":
        return replace(self, values=tuple(values))

    def accepts(self, value: str) -> bool:
        """Whether a line counts that has `value`, empty for nothing, of the dimension.

        Letters' case is no difference where parts are compared, nor in the values of tags, which stand here in small
        letters.
        """
        if self.operator is Operator.PREFIX:
            return value.lower().startswith(tuple(part.lower() for part in self.values))
        if self.operator is Operator.CONTAINS:
            return any(part.lower() in value.lower() for part in self.values)
        return (compared(self.dimension, value) in self.values) == (self.operator is Operator.IS)


def filter_name(dimension: str, operator: Operator = Operator.IS) -> str:
    """The name of a filter. A tag's key that ends like an operator needs ``__is`` behind it."""
    if operator is Operator.IS and split_name(dimension)[0] == dimension:
        return dimension
    return f"{dimension}{SEPARATOR}{operator}"


def split_name(name: str) -> tuple[str, Operator]:
    """The dimension and the operator of a filter's name. Raises BadFilter for an operator that is none.

    Two underscores may stand in the key of a tag: ``tag:app__part`` is that tag.
    """
    dimension, _ignored, operator = name.rpartition(SEPARATOR)
    if not dimension or dimension == TAG:
        return name, Operator.IS
    if operator in list(Operator):
        return dimension, Operator(operator)
    if is_tag(name):
        return name, Operator.IS
    known = ", ".join(f"{SEPARATOR}{known}" for known in Operator if known is not Operator.IS)
    raise BadFilter(
        _("{name!r} has no operator {operator!r}: use one of {known}, or none.").format(
            name=name, operator=operator, known=known
        )
    )


def dimension_of(name: str) -> str:
    """The dimension that a filter's name is about. Raises BadFilter for an operator that is none."""
    return split_name(name)[0]


def read_filter(name: str, values: Sequence[str]) -> Filter:
    """Raises BadFilter, with the reason, for a dimension, an operator or values that cannot be filtered by."""
    dimension, operator = split_name(name)
    if dimension not in FILTERABLE and not is_tag(dimension):
        addresses.check_names([dimension], FILTERABLE, others=ANY_TAG_WORDS)
    if any("\0" in value for value in values):
        raise BadFilter(_("a NUL character is in no name and no value."))
    if operator is Operator.EMPTY:
        if list(values) not in ([YES], [NO]):
            raise BadFilter(_("{name} is {yes} or {no}.").format(name=name, yes=YES, no=NO))
        return Filter(dimension, Operator.IS if values[0] == YES else Operator.NOT, (nothing_of(dimension),))
    if operator in (Operator.PREFIX, Operator.CONTAINS) and not (values and all(values)):
        raise BadFilter(
            _("{name} needs a text: every value {operator} an empty one.").format(
                name=name, operator=_(OPERATOR_WORDS[operator])
            )
        )
    if dimension == "provider" and not Filter(dimension, operator, ()).compares_parts:
        values = list(dict.fromkeys(map(provider_name, values)))
    return Filter(dimension, operator, tuple(values))


def read_filters(filters: Mapping[str, Sequence[str]]) -> list[Filter]:
    """All filters, in the order of their names. Raises BadFilter."""
    return [read_filter(name, values) for name, values in sorted(filters.items())]


def filters_in(parameters: Iterable[tuple[str, Sequence[str]]]) -> dict[str, list[str]]:
    """{name: values} of every filter in an address; an empty value filters nothing but a tag: lines without it.

    What has an operator that is none is among them, so that whoever asks by it is refused.
    """
    given = {name: list(values) for name, values in parameters if is_filter_name(name)}
    filters = {name: values if is_tag(name) else [value for value in values if value] for name, values in given.items()}
    return {name: values for name, values in filters.items() if values}


def compared(dimension: str, value: str) -> str:
    """A value of a group as filters compare it with theirs."""
    return value.lower() if is_tag(dimension) else value


def nothing_of(dimension: str) -> str:
    """The value of a filter for what has nothing of a dimension."""
    return "" if is_tag(dimension) else NOBODY


def filter_value(dimension: str, value: str) -> str:
    """A value of a group as a filter asks for it, and for nothing else: `nothing_of` the dimension for an empty one.

    What a bill calls ``none`` itself, in any capitals, stands in quotes: ``region="none"``.
    """
    if is_tag(dimension):
        return value
    if named(dimension).is_by_id or not value:
        return value or NOBODY
    return f'"{value}"' if value.strip('"').lower() == NOBODY else value


def value_of_filter(dimension: str, value: str) -> str:
    """The value of a group that a filter's value asks for, empty for nothing: the way back from `filter_value`."""
    if is_tag(dimension) or named(dimension).is_by_id:
        return value
    if value == NOBODY:
        return ""
    is_quoted = len(value) > len(NOBODY) + 1 and value[0] == value[-1] == '"' and value.strip('"').lower() == NOBODY
    return value[1:-1] if is_quoted else value


def is_filter_name(name: str) -> bool:
    """Whether a name in an address begins with what can be filtered by."""
    return is_tag(name) or name in FILTERABLE or name.rpartition(SEPARATOR)[0] in FILTERABLE


def takes_filter(name: str) -> bool:
    """Whether a name in an address is a filter. Raises BadFilter for one with an operator that is none."""
    return is_filter_name(name) and bool(split_name(name))


def filter_name_pattern() -> str:
    """A regular expression of the filters that no list has: those of tags, and those with an operator."""
    return f"^({TAG}.+|({'|'.join(FILTERABLE)}){SEPARATOR}({'|'.join(Operator)}))$"


def check_names(names: Iterable[str], own: Iterable[str]) -> None:
    """The one look at the names of an address that cost is filtered by: its filters, and `own` names beside them.

    Raises BadFilter, with the nearest known name, for any other: a misspelt one must not answer for everything.
    """
    addresses.check_names(names, [*FILTERABLE, *own], takes_filter, others=ANY_TAG_WORDS)


def is_tag(name: str) -> bool:
    """Whether a name is the dimension of a tag, ``tag:Environment``."""
    return name.startswith(TAG) and name != TAG


def filter_label(dimension: str, operator: Operator) -> str:
    """``Service``, ``Service is not``, ``Tag Team begins with``: what a filter is called, in front of its values."""
    label = _("Tag {label}").format(label=named(dimension).label) if is_tag(dimension) else named(dimension).label
    return label if operator is Operator.IS else f"{label} {_(OPERATOR_WORDS[operator])}"


def describe_filter(name: str, values: Iterable[str]) -> str:
    """A filter in words: ``Service is not Amazon S3, Amazon EC2``. Raises BadFilter for an operator that is none."""
    dimension, operator = split_name(name)
    label = filter_label(dimension, operator)
    if operator is Operator.EMPTY:
        return label if list(values) == [YES] else label.replace(_("is empty"), _("is not empty"))
    return f"{label} {', '.join(values)}"

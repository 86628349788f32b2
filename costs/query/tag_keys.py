"""What a tag means in the bills: people write its key, and its values, in several ways."""

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from django.db import connection

from costs.calc.dimensions import TAG
from costs.calc.filters import is_tag
from costs.calc.tag_values import Meanings, meaning_of, odd_spellings, plain_key
from costs.formats.sql import WHITE_SPACE
from costs.models import Dimension
from costs.query.result_cache import cached
from finops_site.lib.person import WholeCompany

Aliases = Mapping[str, set[str]]
# Which names people use for the same tag: {tag in small letters: its names in small letters}. Costs knows
# no policy of tags; the pillar that has one registers itself by `aliases_from` when the site starts.
_alias_sources: list[Callable[[], Aliases]] = []
# The same of values: {tag in small letters: {a value as it is compared: what it means}}.
_value_sources: list[Callable[[], Mapping[str, Meanings]]] = []

VALUES = """
    SELECT btrim(tags ->> key, %s) AS value, count(*) FROM costs_tagset, unnest(%s::text[]) AS key
    WHERE tags ? key AND btrim(tags ->> key, %s) <> '' GROUP BY 1
"""


@dataclass(frozen=True, slots=True)
class TagMeaning:
    """The keys of the bills that mean a tag, itself first, and its values that count as another one.

    `meanings`: what the policy says that values mean; a filter asks by it.
    """

    keys: Sequence[str]
    spellings: Mapping[str, str] = field(default_factory=dict)
    meanings: Meanings = field(default_factory=dict)

    @property
    def spellings_json(self) -> str:
        return json.dumps(self.spellings)


# {tag dimension: what it means in the bills}.
TagKeys = Mapping[str, TagMeaning]


def aliases_from(source: Callable[[], Aliases]) -> None:
    """Has tags grouped and filtered by the names `source` knows for them."""
    if source not in _alias_sources:
        _alias_sources.append(source)


def value_aliases_from(source: Callable[[], Mapping[str, Meanings]]) -> None:
    """Has the values of tags grouped and filtered by what `source` says that they mean."""
    if source not in _value_sources:
        _value_sources.append(source)


def tag_keys_of(names: Iterable[str]) -> TagKeys:
    """What each tag among these dimensions means in the bills, whatever the case of its key and its values."""
    tags = [name for name in names if is_tag(name)]
    if not tags:
        return {}
    in_bills = all_tag_keys()
    aliases: dict[str, set[str]] = {}
    for source in _alias_sources:
        for key, others in source().items():
            aliases[key] = aliases.get(key, set()) | others
    values: dict[str, Meanings] = {}
    for value_source in _value_sources:
        values |= value_source()
    return {name: _meaning(name.removeprefix(TAG), in_bills, aliases, values) for name in dict.fromkeys(tags)}


def all_tag_keys() -> list[str]:
    """Every key that occurs in the bills."""
    return list(Dimension.objects.filter(name="tag").values_list("value", flat=True))


def _meaning(key: str, in_bills: Sequence[str], aliases: Aliases, values: Mapping[str, Meanings]) -> TagMeaning:
    """Asked by an alias, it is the tag that the alias stands for, and has the same keys in the same order."""
    plain = plain_key(key)
    wanted = {tag: {plain_key(name) for name in (tag, *names)} for tag, names in aliases.items()}
    tag = next((tag for tag, names in wanted.items() if plain in names), plain)
    names = wanted.get(tag, {plain})
    own = plain_key(tag)
    keys = sorted(
        (known for known in in_bills if plain_key(known) in names), key=lambda known: (plain_key(known) != own, known)
    )
    meanings = values.get(tag, {})
    company = WholeCompany()
    # One look at the distinct values of the bills, as long as these are the same.
    spellings = cached(company, ("spellings", keys, sorted(meanings.items())), lambda: _spellings(keys, meanings))
    return TagMeaning(keys, spellings, meanings)


def _spellings(keys: Sequence[str], meanings: Meanings) -> dict[str, str]:
    if not keys:
        return {}
    with connection.cursor() as cursor:
        cursor.execute(VALUES, [WHITE_SPACE, list(keys), WHITE_SPACE])
        return odd_spellings(cursor.fetchall(), meanings)


def compared_values(name: str, values: Iterable[str], keys: TagKeys) -> list[str]:
    """The values of a filter of a tag as values are compared."""
    return [meaning_of(value, keys[name].meanings) for value in values]

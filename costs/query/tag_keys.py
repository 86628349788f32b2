"""Which keys of the bills a tag means: people write one tag in several ways."""

from collections.abc import Callable, Iterable, Mapping, Sequence

from costs.calc.dimensions import TAG
from costs.models import Dimension
from costs.query.question import is_tag

Aliases = Mapping[str, set[str]]
# {tag dimension: the keys that it means in the bills}.
TagKeys = Mapping[str, list[str]]
# Which names people use for the same tag: {tag in small letters: its names in small letters}. Costs knows
# no policy of tags; the pillar that has one registers itself by `aliases_from` when the site starts.
_alias_sources: list[Callable[[], Aliases]] = []


def aliases_from(source: Callable[[], Aliases]) -> None:
    """Has tags grouped and filtered by the names `source` knows for them."""
    if source not in _alias_sources:
        _alias_sources.append(source)


def tag_keys_of(names: Iterable[str]) -> TagKeys:
    """For each tag among these dimensions the keys that occur in the bills under its name, whatever their case."""
    tags = [name for name in names if is_tag(name)]
    if not tags:
        return {}
    in_bills = list(Dimension.objects.filter(name="tag").values_list("value", flat=True))
    aliases: dict[str, set[str]] = {}
    for source in _alias_sources:
        for key, others in source().items():
            aliases[key] = aliases.get(key, set()) | others
    return {name: _same_key(name.removeprefix(TAG), in_bills, aliases) for name in tags}


def _same_key(key: str, in_bills: Sequence[str], aliases: Aliases) -> list[str]:
    """The keys of the bills that mean this tag, itself first; asked by an alias, all that the alias stands for."""
    lowered = key.lower()
    others = next((names for tag, names in aliases.items() if lowered == tag or lowered in names), set())
    wanted = {lowered, f"user:{lowered}"} | others
    return sorted((known for known in in_bills if known.lower() in wanted), key=lambda known: known != key)

"""When two values of a tag are one: people write it in capitals, with blanks around it, or short. Pure: no Django.

Ownership rules, budgets, the explorer and the API compare values by `normalised`, and after it by what a tag policy
says that a value means. `costs.formats.sql.for_comparison` is the same in SQL.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping

from costs.formats.sql import WHITE_SPACE

# {a value as it is compared: what it means, as people should write it}.
Meanings = Mapping[str, str]
BY_USER = "user:"


def normalised(value: str) -> str:
    """A value as it is compared: without blanks around it, invisible ones among them, and in small letters."""
    return value.strip(WHITE_SPACE).lower()


def plain_key(key: str) -> str:
    """A tag's key as it is compared: as values are, and without ``user:``, which AWS puts before it in its bills."""
    return normalised(key).removeprefix(BY_USER)


def meaning_of(value: str, meanings: Meanings) -> str:
    """What a value means, as it is compared: ``prod`` is ``production`` where the policy says so."""
    value = normalised(value)
    return normalised(meanings.get(value, value))


def odd_spellings(values: Iterable[tuple[str, int]], meanings: Meanings) -> dict[str, str]:
    """{a value: the one it stands with}, of those that are not written as the rest of their kind.

    `values` are (value without blanks around it, how often it occurs). All that mean the same are shown as the policy
    writes it; where it says nothing, as most are written.
    """
    kinds: dict[str, list[tuple[int, str]]] = defaultdict(list)
    for value, count in values:
        kinds[meaning_of(value, meanings)].append((-count, value))
    meant = {normalised(written): written for written in meanings.values()}
    return {
        value: shown
        for kind, spellings in kinds.items()
        for shown in [meant.get(kind) or min(spellings)[1]]
        for _, value in spellings
        if value != shown
    }

"""Ownership rules written out for every way in which people write a tag: what the tag policy says is one, is one for
rules too. Pure: no Django.
"""

from collections.abc import Iterable, Mapping
from dataclasses import replace

from costs.calc.allocation_rules import OwnerRule
from costs.calc.tag_values import BY_USER, Meanings, meaning_of, plain_key


def written_out(
    rules: Iterable[OwnerRule], aliases: Mapping[str, set[str]], meanings: Mapping[str, Meanings]
) -> list[OwnerRule]:
    """The rules in their order, each followed by itself with the other keys and values that mean its tag.

    `aliases` and `meanings` are those of a policy, by its tags in small letters.
    """
    return [spelled for rule in rules for spelled in _spellings(rule, aliases, meanings)]


def _spellings(rule: OwnerRule, aliases: Mapping[str, set[str]], meanings: Mapping[str, Meanings]) -> list[OwnerRule]:
    if not rule.tag_key:
        return [rule]
    plain = plain_key(rule.tag_key)
    wanted = {tag: {plain_key(name) for name in (tag, *names)} for tag, names in aliases.items()}
    tag = next((tag for tag, names in wanted.items() if plain in names), plain)
    spelled = {prefix + name for name in wanted.get(tag, {plain}) for prefix in ("", BY_USER)}
    keys = [rule.tag_key, *sorted(spelled - {rule.tag_key.lower()})]
    values = [rule.tag_value]
    if rule.tag_value:
        own = meanings.get(tag, {})
        kind = meaning_of(rule.tag_value, own)
        alike = {value for value in (*own, kind) if meaning_of(value, own) == kind}
        values += sorted(alike - {rule.tag_value})
    return [replace(rule, tag_key=name, tag_value=value) for name in keys for value in values]

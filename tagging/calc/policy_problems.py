"""What is wrong with a tag policy or with a tag somebody wants to set, before it is saved. Pure: no Django."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from itertools import combinations

import duckdb

from costs.charges.duckdb_session import duckdb_session
from costs.formats.sql import literal
from finops_site.lib.language import gettext as _
from finops_site.lib.periods import day_text
from tagging.calc.tag_policy import MOST_KEY, MOST_VALUE, CaseRule, Requirement

MOST_PATTERN = 500
MOST_VALUES = 500


def tag_problem(key: str, value: str) -> dict[str, str]:
    """{field: what is wrong} with a tag that somebody wants to set; empty when nothing is."""
    if not key.strip():
        return {"key": _("A tag needs a key.")}
    if len(key) > MOST_KEY:
        return {
            "key": _("The key has {key_count} characters: providers keep {most_key}.").format(
                key_count=len(key), most_key=MOST_KEY
            )
        }
    if key.lower().startswith("aws:"):
        return {"key": _("Keys that begin with aws: are written by AWS alone.")}
    if not value.strip():
        return {"value": _("A tag without a value says nothing: write one.")}
    if len(value) > MOST_VALUE:
        return {
            "value": _("The value has {count} characters: providers keep {most_value}.").format(
                count=len(value), most_value=MOST_VALUE
            )
        }
    if "\0" in key + value:
        return {"value": _("A tag holds no NUL character.")}
    return {}


def problems(requirement: Requirement) -> Iterator[tuple[str, str]]:
    """(field, what is wrong with it), for a person, of one requirement by itself."""
    yield from _key_problems(requirement)
    if requirement.values and requirement.pattern:
        yield "pattern", _("Give allowed values or a pattern, not both: it would not be clear which of them decides.")
    if len(requirement.values) > MOST_VALUES:
        yield (
            "values",
            _("{count} allowed values are too many: write a pattern (at most {most_values}).").format(
                count=len(requirement.values), most_values=MOST_VALUES
            ),
        )
    for value in requirement.values:
        if len(value) > MOST_VALUE:
            yield (
                "values",
                _("{value}… has {count} characters; no provider keeps more than {most_value}.").format(
                    value=value[:40], count=len(value), most_value=MOST_VALUE
                ),
            )
    for duplicate in _duplicates(requirement.values, requirement.case):
        yield "values", _("{duplicate!r} is listed twice.").format(duplicate=duplicate)
    problem = _pattern_problem(requirement.pattern)
    if problem:
        yield "pattern", problem
    yield from _value_alias_problems(requirement)
    if requirement.start and requirement.end and requirement.end <= requirement.start:
        yield (
            "end",
            _("It would end ({end}) before it starts ({start}).").format(
                end=day_text(requirement.end), start=day_text(requirement.start)
            ),
        )


def _key_problems(requirement: Requirement) -> Iterator[tuple[str, str]]:
    for where, keys in (("key", [requirement.key]), ("key_aliases", requirement.key_aliases)):
        for key in keys:
            if not key.strip():
                yield where, _("A tag needs a key.")
            elif len(key) > MOST_KEY:
                yield (
                    where,
                    _("{key}… has {key_count} characters; AWS keeps {most_key} of a key.").format(
                        key=key[:40], key_count=len(key), most_key=MOST_KEY
                    ),
                )
            elif key.lower().startswith("aws:"):
                yield (
                    where,
                    _("{key}: keys that begin with aws: are written by AWS alone and cannot be required.").format(
                        key=key
                    ),
                )
    for duplicate in _duplicates(requirement.names, CaseRule.IGNORE):
        yield (
            "key_aliases",
            _("{duplicate!r} names this tag already: keys are compared without regard to case.").format(
                duplicate=duplicate
            ),
        )


def _value_alias_problems(requirement: Requirement) -> Iterator[tuple[str, str]]:
    allowed = {value.casefold(): value for value in requirement.values}
    meanings: dict[str, set[str]] = defaultdict(set)
    for alias, meant in requirement.value_aliases.items():
        meanings[alias.casefold()].add(meant)
        if requirement.values and meant not in requirement.values:
            yield (
                "value_aliases",
                _("{alias} would mean {meant}, which is not an allowed value.").format(alias=alias, meant=meant),
            )
        elif allowed.get(alias.casefold(), meant) != meant:
            yield (
                "value_aliases",
                _("{alias} is an allowed value itself and cannot mean {meant}.").format(alias=alias, meant=meant),
            )
    for alias, meant_all in meanings.items():
        if len(meant_all) > 1:
            yield (
                "value_aliases",
                _("{alias} would mean {names}: an alias means one value.").format(
                    alias=alias, names=" and ".join(sorted(meant_all))
                ),
            )


def _duplicates(words: Sequence[str], case: CaseRule) -> list[str]:
    folded = [word.casefold() if case is CaseRule.IGNORE else word for word in words]
    return [word for number, word in enumerate(words) if folded[number] in folded[:number]]


def _pattern_problem(pattern: str) -> str:
    """Why a pattern cannot be used; empty when it can."""
    if len(pattern) > MOST_PATTERN:
        return _("The pattern has {pattern_count} characters: at most {most_pattern}.").format(
            pattern_count=len(pattern), most_pattern=MOST_PATTERN
        )
    if not pattern:
        return ""
    with duckdb_session(threads=1, memory_limit="64MB") as db:
        try:
            db.execute(f"SELECT regexp_full_match('', {literal(pattern)})").fetchall()
        except duckdb.Error as error:
            return _("Not a regular expression (RE2): {value}").format(value=str(error).strip().splitlines()[0])
    return ""


def conflicts(requirements: Sequence[Requirement]) -> Iterator[tuple[str, Requirement, Requirement]]:
    """(what is wrong, one, other): keys that name two tags, and two rules for one tag at one time and place."""
    for one, other in combinations(requirements, 2):
        other_names = {name.casefold() for name in other.names}
        if one.key.casefold() == other.key.casefold():
            if _overlap(one, other):
                yield _overlap_words(one, other), one, other
        elif shared := next((name for name in one.names if name.casefold() in other_names), None):
            yield (
                _("{shared!r} would name two tags, {key} and {key_2}: a key means one tag.").format(
                    shared=shared, key=one.key, key_2=other.key
                ),
                one,
                other,
            )


def _overlap(one: Requirement, other: Requirement) -> bool:
    in_time = (one.end is None or other.start is None or other.start < one.end) and (
        other.end is None or one.start is None or one.start < other.end
    )
    return in_time and all(
        not words or not other_words or {word.casefold() for word in words} & {word.casefold() for word in other_words}
        for (_ignored, words), (_ignored, other_words) in zip(one.scopes, other.scopes, strict=True)
    )


def _overlap_words(one: Requirement, other: Requirement) -> str:
    scopes = [
        f"{name} {', '.join(other_words or words)}"
        for (name, words), (_ignored, other_words) in zip(one.scopes, other.scopes, strict=True)
        if words or other_words
    ]
    since = max((day for day in (one.start, other.start) if day), default=None)
    both = _("{key} has two rules at once")
    if scopes:
        both = _("{key} has two rules at once for {places}")
    if since:
        both = _("{key} has two rules at once from {day} on")
    if since and scopes:
        both = _("{key} has two rules at once for {places} from {day} on")
    problem = both.format(key=one.key, places="; ".join(scopes), day=day_text(since) if since else "")
    return _(
        "{problem}: end the older one on the day the newer one starts, or give them different providers, services or "
        "resource types."
    ).format(problem=problem)

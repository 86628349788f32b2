"""What is wrong with a tag policy or with a tag somebody wants to set, before it is saved. Pure: no Django."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from itertools import combinations

import duckdb

from costs.charges.duckdb_session import duckdb_session
from costs.formats.sql import literal
from finops_site.lib.periods import day_text
from tagging.calc.tag_policy import MOST_KEY, MOST_VALUE, CaseRule, Requirement

MOST_PATTERN = 500
MOST_VALUES = 500


def tag_problem(key: str, value: str) -> dict[str, str]:
    """{field: what is wrong} with a tag that somebody wants to set; empty when nothing is."""
    if not key.strip():
        return {"key": "A tag needs a key."}
    if len(key) > MOST_KEY:
        return {"key": f"The key has {len(key)} characters: providers keep {MOST_KEY}."}
    if key.lower().startswith("aws:"):
        return {"key": "Keys that begin with aws: are written by AWS alone."}
    if not value.strip():
        return {"value": "A tag without a value says nothing: write one."}
    if len(value) > MOST_VALUE:
        return {"value": f"The value has {len(value)} characters: providers keep {MOST_VALUE}."}
    if "\0" in key + value:
        return {"value": "A tag holds no NUL character."}
    return {}


def problems(requirement: Requirement) -> Iterator[tuple[str, str]]:
    """(field, what is wrong with it), for a person, of one requirement by itself."""
    yield from _key_problems(requirement)
    if requirement.values and requirement.pattern:
        yield "pattern", "Give allowed values or a pattern, not both: it would not be clear which of them decides."
    if len(requirement.values) > MOST_VALUES:
        yield (
            "values",
            f"{len(requirement.values)} allowed values are too many: write a pattern (at most {MOST_VALUES}).",
        )
    for value in requirement.values:
        if len(value) > MOST_VALUE:
            yield "values", f"{value[:40]}… has {len(value)} characters; no provider keeps more than {MOST_VALUE}."
    for duplicate in _duplicates(requirement.values, requirement.case):
        yield "values", f"{duplicate!r} is listed twice."
    problem = _pattern_problem(requirement.pattern)
    if problem:
        yield "pattern", problem
    yield from _value_alias_problems(requirement)
    if requirement.start and requirement.end and requirement.end <= requirement.start:
        yield "end", f"It would end ({day_text(requirement.end)}) before it starts ({day_text(requirement.start)})."


def _key_problems(requirement: Requirement) -> Iterator[tuple[str, str]]:
    for where, keys in (("key", [requirement.key]), ("key_aliases", requirement.key_aliases)):
        for key in keys:
            if not key.strip():
                yield where, "A tag needs a key."
            elif len(key) > MOST_KEY:
                yield where, f"{key[:40]}… has {len(key)} characters; AWS keeps {MOST_KEY} of a key."
            elif key.lower().startswith("aws:"):
                yield where, f"{key}: keys that begin with aws: are written by AWS alone and cannot be required."
    for duplicate in _duplicates(requirement.names, CaseRule.IGNORE):
        yield "key_aliases", f"{duplicate!r} names this tag already: keys are compared without regard to case."


def _value_alias_problems(requirement: Requirement) -> Iterator[tuple[str, str]]:
    allowed = {value.casefold(): value for value in requirement.values}
    meanings: dict[str, set[str]] = defaultdict(set)
    for alias, meant in requirement.value_aliases.items():
        meanings[alias.casefold()].add(meant)
        if requirement.values and meant not in requirement.values:
            yield "value_aliases", f"{alias} would mean {meant}, which is not an allowed value."
        elif allowed.get(alias.casefold(), meant) != meant:
            yield "value_aliases", f"{alias} is an allowed value itself and cannot mean {meant}."
    for alias, meant_all in meanings.items():
        if len(meant_all) > 1:
            yield "value_aliases", f"{alias} would mean {' and '.join(sorted(meant_all))}: an alias means one value."


def _duplicates(words: Sequence[str], case: CaseRule) -> list[str]:
    folded = [word.casefold() if case is CaseRule.IGNORE else word for word in words]
    return [word for number, word in enumerate(words) if folded[number] in folded[:number]]


def _pattern_problem(pattern: str) -> str:
    """Why a pattern cannot be used; empty when it can."""
    if len(pattern) > MOST_PATTERN:
        return f"The pattern has {len(pattern)} characters: at most {MOST_PATTERN}."
    if not pattern:
        return ""
    with duckdb_session(threads=1, memory_limit="64MB") as db:
        try:
            db.execute(f"SELECT regexp_full_match('', {literal(pattern)})").fetchall()
        except duckdb.Error as error:
            return f"Not a regular expression (RE2): {str(error).strip().splitlines()[0]}"
    return ""


def conflicts(requirements: Sequence[Requirement]) -> Iterator[tuple[str, Requirement, Requirement]]:
    """(what is wrong, one, other): keys that name two tags, and two rules for one tag at one time and place."""
    for one, other in combinations(requirements, 2):
        other_names = {name.casefold() for name in other.names}
        if one.key.casefold() == other.key.casefold():
            if _overlap(one, other):
                yield _overlap_words(one, other), one, other
        elif shared := next((name for name in one.names if name.casefold() in other_names), None):
            yield f"{shared!r} would name two tags, {one.key} and {other.key}: a key means one tag.", one, other


def _overlap(one: Requirement, other: Requirement) -> bool:
    in_time = (one.end is None or other.start is None or other.start < one.end) and (
        other.end is None or one.start is None or one.start < other.end
    )
    return in_time and all(
        not words or not other_words or {word.casefold() for word in words} & {word.casefold() for word in other_words}
        for (_, words), (_, other_words) in zip(one.scopes, other.scopes, strict=True)
    )


def _overlap_words(one: Requirement, other: Requirement) -> str:
    scopes = [
        f"{name} {', '.join(other_words or words)}"
        for (name, words), (_, other_words) in zip(one.scopes, other.scopes, strict=True)
        if words or other_words
    ]
    where = f" for {'; '.join(scopes)}" if scopes else ""
    since = max((day for day in (one.start, other.start) if day), default=None)
    when = f" from {day_text(since)} on" if since else ""
    return (
        f"{one.key} has two rules at once{where}{when}: end the older one on the day the newer one starts, "
        "or give them different providers, services or resource types."
    )

"""What tags a resource should carry, and which of three things is wrong with each. Pure: no Django.

Three facts about a tag are never mixed: its key is missing, its value is empty, its value is not allowed. Patterns are
RE2, asked through DuckDB: they run in linear time whatever somebody types (Python's own engine can be made to run for
years by thirty characters), and they are the same patterns as those of the ownership rules. All values of one decision
are asked together, so that a month costs one query for each pattern.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from enum import StrEnum
from itertools import combinations

import duckdb

from costs.charges.duckdb_session import duckdb_session
from costs.formats.base import literal

MOST_KEY = 128
MOST_VALUE = 256
MOST_PATTERN = 500
MOST_VALUES = 500
# No tag of a provider is longer; what is longer in a bill is cut before a pattern sees it.
MOST_MATCHED = 1024


class State(StrEnum):
    """What is the case with one tag of one resource."""

    MISSING = "missing"
    EMPTY = "empty"
    NOT_ALLOWED = "not_allowed"
    OK = "ok"


class CaseRule(StrEnum):
    """Whether capitals count in a value."""

    IGNORE = "ignore"
    EXACT = "exact"
    LOWER = "lower"


@dataclass(frozen=True, slots=True)
class Fact:
    """What is the case with one tag: the key it was found under, its value as it stands, and what that value means.

    `meant` is the value after aliases (`prod` means `Production`), empty unless the state is OK. `others` are further
    keys of the same resource that name the same tag (`env` beside `Environment`) and say something else.
    """

    state: State
    key: str = ""
    value: str = ""
    meant: str = ""
    others: tuple[str, ...] = ()

    @property
    def is_ok(self) -> bool:
        return self.state is State.OK


@dataclass(frozen=True, slots=True)
class Requirement:
    """One tag of the policy, for the resources it applies to, from `start` up to, not including, `end` (None: always).

    `values` are those allowed (none: any), or `pattern` is an RE2 expression that the whole value must match. Empty
    scopes apply to everything; words of a scope are compared without regard to case.
    """

    key: str
    required: bool = True
    description: str = ""
    values: tuple[str, ...] = ()
    pattern: str = ""
    key_aliases: tuple[str, ...] = ()
    value_aliases: Mapping[str, str] = field(default_factory=dict)
    case: CaseRule = CaseRule.IGNORE
    providers: tuple[str, ...] = ()
    services: tuple[str, ...] = ()
    resource_types: tuple[str, ...] = ()
    start: date | None = None
    end: date | None = None

    @property
    def names(self) -> tuple[str, ...]:
        """Every key that means this tag, the policy's own first."""
        return (self.key, *self.key_aliases)

    @property
    def scopes(self) -> tuple[tuple[str, tuple[str, ...]], ...]:
        return (
            ("provider", self.providers),
            ("service", self.services),
            ("resource type", self.resource_types),
        )

    def applies_to(self, provider: str, service: str, resource_type: str) -> bool:
        return _Rule(self).applies_to(provider, service, resource_type)

    def holds_on(self, day: date) -> bool:
        return (self.start is None or self.start <= day) and (self.end is None or day < self.end)


@dataclass(frozen=True, slots=True)
class Resource:
    """What a decision looks at."""

    tags: Mapping[str, str | None]
    provider: str = ""
    service: str = ""
    resource_type: str = ""


Facts = dict[str, Fact]


@dataclass(frozen=True, slots=True)
class Policy:
    """The requirements, in the order people read them."""

    requirements: tuple[Requirement, ...] = ()

    def on(self, day: date) -> "Policy":
        """Only the requirements that hold on a day."""
        return Policy(tuple(each for each in self.requirements if each.holds_on(day)))

    def deciding(self) -> tuple[Requirement, ...]:
        """The requirements without what people only read: two policies that decide alike are alike."""
        return tuple(replace(each, description="", start=None, end=None) for each in self.requirements)

    def facts(self, tags: Mapping[str, str | None], provider: str, service: str, resource_type: str, on: date) -> Facts:
        """{tag: fact} of every requirement that applies; required ones and optional ones alike."""
        return self.decide([Resource(tags, provider, service, resource_type)], on)[0]

    def decide(self, resources: Sequence[Resource], on: date) -> list[Facts]:
        """The facts of many resources at once: each pattern is asked once, of all its values."""
        rules = [_Rule(each) for each in self.requirements if each.holds_on(on)]
        looks = [_looks(rules, one) for one in resources]
        matching = _matching(pair for found in looks for pair in found)
        return [{rule.asked.key: _fact(rule, look, matching) for rule, look in found} for found in looks]

    def found(self, tags: Mapping[str, str | None]) -> dict[str, tuple[str, str]]:
        """{tag: (the key it stands under, its value)} of what is there, whether it is allowed or not."""
        looks = _looks([_Rule(each) for each in self.requirements], Resource(tags), everywhere=True)
        return {rule.asked.key: (look.key, look.value) for rule, look in looks if look.key}

    def aliases(self) -> dict[str, set[str]]:
        """{tag in small letters: every key, in small letters, that means it}, as the explorer asks for them."""
        found: dict[str, set[str]] = defaultdict(set)
        for each in self.requirements:
            found[each.key.lower()] |= {name.lower() for name in each.names} | {f"user:{each.key.lower()}"}
        return dict(found)


@dataclass(frozen=True, slots=True)
class _Look:
    """A tag as found: under which key, what it says, what that means, and what else names it."""

    key: str = ""
    value: str = ""
    meant: str = ""
    others: tuple[str, ...] = ()


class _Rule:
    """A requirement made ready to be asked of many resources."""

    def __init__(self, asked: Requirement) -> None:
        self.asked = asked
        self.names = [name.casefold() for name in asked.names]
        self.scopes = [{each.casefold() for each in words} for _, words in asked.scopes]
        self.aliases = {alias.casefold(): meant for alias, meant in asked.value_aliases.items()}
        self.allowed = {each.casefold(): each for each in asked.values} if asked.case is CaseRule.IGNORE else {}
        # The case rule stands in front of the pattern, as the engine is asked.
        self.pattern = f"(?i){asked.pattern}" if asked.pattern and asked.case is CaseRule.IGNORE else asked.pattern

    def applies_to(self, *told: str) -> bool:
        return all(not wanted or value.casefold() in wanted for wanted, value in zip(self.scopes, told, strict=True))

    def keys(self, folded: Mapping[str, Sequence[str]]) -> list[str]:
        """Keys that mean this tag: spelled as the policy does, then with other capitals, then its aliases."""
        return [
            key
            for name in self.names
            for key in sorted(folded.get(name, ()), key=lambda each: (each not in self.asked.names, each))
        ]

    def meaning(self, value: str) -> str:
        """What a value means after aliases and the case rule: the allowed value, or itself."""
        meant = self.aliases.get(value.casefold(), value)
        return self.allowed.get(meant.casefold(), meant)

    def look(self, tags: Mapping[str, str | None], folded: Mapping[str, Sequence[str]]) -> _Look:
        """The first of its keys that says something; else the first that is there at all."""
        keys = self.keys(folded)
        if not keys:
            return _Look()
        said = {key: (tags[key] or "").strip() for key in keys}
        key = next((each for each in keys if said[each]), keys[0])
        others = tuple(each for each in keys if each != key and said[each] and said[each] != said[key])
        return _Look(key, said[key], self.meaning(said[key]), others)

    def allows(self, look: _Look, matching: Mapping[str, set[str]]) -> bool:
        if self.asked.case is CaseRule.LOWER and look.value != look.value.lower():
            return False
        if self.pattern:
            return look.meant in matching[self.pattern]
        return not self.asked.values or look.meant in self.asked.values


def _looks(rules: Sequence[_Rule], one: Resource, *, everywhere: bool = False) -> list[tuple[_Rule, _Look]]:
    folded: dict[str, list[str]] = defaultdict(list)
    for key in one.tags:
        folded[key.casefold()].append(key)
    return [
        (rule, rule.look(one.tags, folded))
        for rule in rules
        if everywhere or rule.applies_to(one.provider, one.service, one.resource_type)
    ]


def _fact(rule: _Rule, look: _Look, matching: Mapping[str, set[str]]) -> Fact:
    if not look.key:
        return Fact(State.MISSING)
    if not look.value:
        return Fact(State.EMPTY, look.key)
    if not rule.allows(look, matching):
        return Fact(State.NOT_ALLOWED, look.key, look.value, "", look.others)
    return Fact(State.OK, look.key, look.value, look.meant, look.others)


def _matching(looks: Iterable[tuple[_Rule, _Look]]) -> dict[str, set[str]]:
    """{pattern: the values that match it whole}."""
    values: dict[str, set[str]] = defaultdict(set)
    for rule, look in looks:
        if rule.pattern:
            values[rule.pattern].add(look.meant)
    if not values:
        return {}
    with duckdb_session(threads=1, memory_limit="256MB") as db:
        return {pattern: _matched(db, pattern, asked) for pattern, asked in values.items()}


def _matched(db: duckdb.DuckDBPyConnection, pattern: str, values: Iterable[str]) -> set[str]:
    asked = [value for value in values if len(value) <= MOST_MATCHED]
    rows = db.execute(
        f"SELECT v FROM (SELECT unnest($1::VARCHAR[]) AS v) WHERE regexp_full_match(v, {literal(pattern)})", [asked]
    ).fetchall()
    return {row[0] for row in rows}


def is_compliant(facts: Facts, required: Iterable[str]) -> bool:
    """Whether every required tag that applies is there and allowed."""
    return all(facts[key].is_ok for key in required if key in facts)


# What is wrong with a policy, said before it is saved.


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
    for doubled in _doubled(requirement.values, requirement.case):
        yield "values", f"{doubled!r} stands there twice."
    problem = pattern_problem(requirement.pattern)
    if problem:
        yield "pattern", problem
    yield from _value_alias_problems(requirement)
    if requirement.start and requirement.end and requirement.end <= requirement.start:
        yield "end", f"It would end ({requirement.end}) before it starts ({requirement.start})."


def _key_problems(requirement: Requirement) -> Iterator[tuple[str, str]]:
    for where, keys in (("key", [requirement.key]), ("key_aliases", requirement.key_aliases)):
        for key in keys:
            if not key.strip():
                yield where, "A tag needs a key."
            elif len(key) > MOST_KEY:
                yield where, f"{key[:40]}… has {len(key)} characters; AWS keeps {MOST_KEY} of a key."
            elif key.lower().startswith("aws:"):
                yield where, f"{key}: keys that begin with aws: are written by AWS alone and cannot be required."
    for doubled in _doubled(requirement.names, CaseRule.IGNORE):
        yield "key_aliases", f"{doubled!r} names this tag already: keys are compared without regard to case."


def _value_alias_problems(requirement: Requirement) -> Iterator[tuple[str, str]]:
    allowed = {each.casefold(): each for each in requirement.values}
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


def _doubled(words: Sequence[str], case: CaseRule) -> list[str]:
    folded = [word.casefold() if case is CaseRule.IGNORE else word for word in words]
    return [word for number, word in enumerate(words) if folded[number] in folded[:number]]


def pattern_problem(pattern: str) -> str:
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
        mine, theirs = ({name.casefold() for name in each.names} for each in (one, other))
        if one.key.casefold() == other.key.casefold():
            if _overlap(one, other):
                yield _overlap_words(one, other), one, other
        elif mine & theirs:
            shared = next(name for name in one.names if name.casefold() in theirs)
            yield f"{shared!r} would name two tags, {one.key} and {other.key}: a key means one tag.", one, other


def _overlap(one: Requirement, other: Requirement) -> bool:
    in_time = (one.end is None or other.start is None or other.start < one.end) and (
        other.end is None or one.start is None or one.start < other.end
    )
    return in_time and all(_meet(mine, theirs) for (_, mine), (_, theirs) in zip(one.scopes, other.scopes, strict=True))


def _meet(mine: tuple[str, ...], theirs: tuple[str, ...]) -> bool:
    folded = {each.casefold() for each in mine}
    return not mine or not theirs or any(each.casefold() in folded for each in theirs)


def _overlap_words(one: Requirement, other: Requirement) -> str:
    scopes = [
        f"{name} {', '.join(theirs or mine)}"
        for (name, mine), (_, theirs) in zip(one.scopes, other.scopes, strict=True)
        if mine or theirs
    ]
    where = f" for {'; '.join(scopes)}" if scopes else ""
    since = max([each for each in (one.start, other.start) if each], default=None)
    when = f" from {since} on" if since else ""
    return (
        f"{one.key} has two rules at once{where}{when}: end the older one on the day the newer one starts, "
        "or give them different providers, services or resource types."
    )

"""What tags a resource should carry, and which of three things is wrong with each. Pure: no Django.

Three facts about a tag are never mixed: its key is missing, its value is empty, its value is not allowed. Patterns are
RE2, matched by DuckDB: they run in linear time whatever somebody types (Python's own engine can be made to run for
years by thirty characters), and they are the same patterns as those of the ownership rules. All values of one decision
are matched together, so that a month costs one query for each pattern.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from enum import StrEnum

from costs.calc.providers import provider_name
from costs.calc.tag_values import BY_USER, normalised
from costs.charges.duckdb_session import duckdb_session
from costs.formats.sql import WHITE_SPACE, literal
from finops_site.lib.language import gettext as _

MOST_KEY = 128
MOST_VALUE = 256
# No tag of a provider is longer; what is longer in a bill is cut before a pattern sees it.
MOST_MATCHED = 1024


class State(StrEnum):
    """The state of one tag of one resource."""

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
    """One tag of a resource: its state, the key it stands under, its value as written, and what that value means.

    `meant` is the value after aliases (`prod` means `Production`), empty unless the state is OK. `others` are further
    keys of the same resource that name the same tag (`env` beside `Environment`) with a different value.
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
            (_("provider"), self.providers),
            (_("service"), self.services),
            (_("resource type"), self.resource_types),
        )

    def applies_to(self, provider: str, service: str, resource_type: str) -> bool:
        return _Rule(self).applies_to(provider, service, resource_type)

    def holds_on(self, day: date) -> bool:
        return (self.start is None or self.start <= day) and (self.end is None or day < self.end)


@dataclass(frozen=True, slots=True)
class PolicyResource:
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
        return Policy(tuple(rule for rule in self.requirements if rule.holds_on(day)))

    def deciding(self) -> tuple[Requirement, ...]:
        """The requirements without what does not decide anything: two policies that decide alike compare equal."""
        return tuple(replace(rule, description="", start=None, end=None) for rule in self.requirements)

    def facts(self, tags: Mapping[str, str | None], provider: str, service: str, resource_type: str, on: date) -> Facts:
        """{tag: fact} of every requirement that applies; required ones and optional ones alike."""
        return self.decide([PolicyResource(tags, provider, service, resource_type)], on)[0]

    def decide(self, resources: Sequence[PolicyResource], on: date) -> list[Facts]:
        """The facts of many resources at once: each pattern is matched once, against all its values."""
        rules = [_Rule(requirement) for requirement in self.requirements if requirement.holds_on(on)]
        by_resource = [_matches(rules, resource) for resource in resources]
        allowed = _values_that_match(pair for matches in by_resource for pair in matches)
        return [{rule.requirement.key: rule.fact(match, allowed) for rule, match in matches} for matches in by_resource]

    def current_values(self, tags: Mapping[str, str | None]) -> dict[str, tuple[str, str]]:
        """{tag: (the key it stands under, its value)} of the tags that are there, whether allowed or not."""
        rules = [_Rule(requirement) for requirement in self.requirements]
        matches = _matches(rules, PolicyResource(tags), everywhere=True)
        return {rule.requirement.key: (match.key, match.value) for rule, match in matches if match.key}

    def aliases(self) -> dict[str, set[str]]:
        """{tag in lower case: every key, in lower case, that means it}; each may have AWS's ``user:`` before it."""
        keys: dict[str, set[str]] = defaultdict(set)
        for rule in self.requirements:
            keys[rule.key.lower()] |= {name.lower() for name in rule.names}
        return dict(keys)

    def meanings(self) -> dict[str, dict[str, str]]:
        """{tag in lower case: {a value as it is compared: what it means}}: its aliases and its allowed values."""
        values: dict[str, dict[str, str]] = defaultdict(dict)
        for rule in self.requirements:
            allowed = {normalised(value): value for value in rule.values}
            aliases = {
                normalised(alias): allowed.get(normalised(meant), meant) for alias, meant in rule.value_aliases.items()
            }
            own = allowed | aliases
            values[rule.key.lower()] |= own | {normalised(meant): meant for meant in aliases.values()}
        return dict(values)


@dataclass(frozen=True, slots=True)
class _TagMatch:
    """A requirement matched to the tags of a resource: under which key, its value, its meaning, other keys for it."""

    key: str = ""
    value: str = ""
    meant: str = ""
    others: tuple[str, ...] = ()


class _Rule:
    """A requirement prepared for checking many resources."""

    def __init__(self, requirement: Requirement) -> None:
        self.requirement = requirement
        names = [name.casefold() for name in requirement.names]
        self.names = list(dict.fromkeys([*names, *(f"{BY_USER}{name}" for name in names)]))
        self.scopes = [{word.casefold() for word in words} for _name, words in requirement.scopes]
        # Bills call a provider by several names, and their lines by one.
        self.scopes[0] |= {provider_name(word).casefold() for word in requirement.providers}
        self.aliases = {alias.casefold(): meant for alias, meant in requirement.value_aliases.items()}
        ignores_case = requirement.case is CaseRule.IGNORE
        self.allowed = {value.casefold(): value for value in requirement.values} if ignores_case else {}
        # The case rule stands in front of the pattern, as the engine wants it.
        self.pattern = f"(?i){requirement.pattern}" if requirement.pattern and ignores_case else requirement.pattern

    def applies_to(self, *place: str) -> bool:
        """Whether it applies to a (provider, service, resource type)."""
        return all(not scope or value.casefold() in scope for scope, value in zip(self.scopes, place, strict=True))

    def keys(self, folded: Mapping[str, Sequence[str]]) -> list[str]:
        """Keys that mean this tag: spelled as the policy does, then with other capitals, then its aliases."""
        return [
            key
            for name in self.names
            for key in sorted(folded.get(name, ()), key=lambda key: (key not in self.requirement.names, key))
        ]

    def meaning(self, value: str) -> str:
        """What a value means after aliases and the case rule: the allowed value, or itself."""
        meant = self.aliases.get(value.casefold(), value)
        return self.allowed.get(meant.casefold(), meant)

    def match(self, tags: Mapping[str, str | None], folded: Mapping[str, Sequence[str]]) -> _TagMatch:
        """The first of its keys that has a value; else the first that is there at all."""
        keys = self.keys(folded)
        if not keys:
            return _TagMatch()
        values = {key: (tags[key] or "").strip() for key in keys}
        key = next((key for key in keys if values[key]), keys[0])
        others = tuple(other for other in keys if other != key and values[other] and values[other] != values[key])
        return _TagMatch(key, values[key], self.meaning(values[key]), others)

    def allows(self, match: _TagMatch, matching: Mapping[str, set[str]]) -> bool:
        if self.requirement.case is CaseRule.LOWER and match.value != match.value.lower():
            return False
        if self.pattern:
            return match.meant in matching[self.pattern]
        return not self.requirement.values or match.meant in self.requirement.values

    def fact(self, match: _TagMatch, matching: Mapping[str, set[str]]) -> Fact:
        if not match.key:
            return Fact(State.MISSING)
        if not match.value:
            return Fact(State.EMPTY, match.key)
        if not self.allows(match, matching):
            return Fact(State.NOT_ALLOWED, match.key, match.value, "", match.others)
        return Fact(State.OK, match.key, match.value, match.meant, match.others)


def _matches(
    rules: Sequence[_Rule], resource: PolicyResource, *, everywhere: bool = False
) -> list[tuple[_Rule, _TagMatch]]:
    folded: dict[str, list[str]] = defaultdict(list)
    for key in resource.tags:
        folded[key.strip(WHITE_SPACE).casefold()].append(key)
    return [
        (rule, rule.match(resource.tags, folded))
        for rule in rules
        if everywhere or rule.applies_to(resource.provider, resource.service, resource.resource_type)
    ]


def _values_that_match(matches: Iterable[tuple[_Rule, _TagMatch]]) -> dict[str, set[str]]:
    """{pattern: the values that match all of it}."""
    values: dict[str, set[str]] = defaultdict(set)
    for rule, match in matches:
        if rule.pattern:
            values[rule.pattern].add(match.meant)
    if not values:
        return {}
    matching = {}
    with duckdb_session(threads=1, memory_limit="256MB") as db:
        for pattern, candidates in values.items():
            rows = db.execute(
                f"SELECT v FROM (SELECT unnest($1::VARCHAR[]) AS v) WHERE regexp_full_match(v, {literal(pattern)})",
                [[value for value in candidates if len(value) <= MOST_MATCHED]],
            ).fetchall()
            matching[pattern] = {row[0] for row in rows}
    return matching

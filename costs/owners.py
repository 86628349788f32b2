"""Who owns a cost line: ordered rules, the first that matches wins. Pure: no Django.

Rules are compiled to one SQL expression and asked of each distinct (account, service, region, resource, tags), never
of each line. DuckDB's regular expressions are RE2: they run in linear time whatever somebody types.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date

import duckdb

from costs.formats.base import literal

# What a rule may look at, and what decides an owner: the columns of a signature. A signature has two more: `cut`, which
# part of the month it lies in, and `day`, a charge day of that part (every day of a part has the same owner).
SIGNATURE = (
    "provider",
    "billing_account",
    "sub_account",
    "service",
    "region",
    "resource",
    "resource_name",
    "charge_category",
    "commitment_status",
    "tag_set",
)
PLAIN = ("provider", "billing_account", "sub_account", "service", "region", "charge_category", "commitment_status")


@dataclass(frozen=True, slots=True)
class OwnerRule:
    """A line belongs to `team`, or is shared in `pool`, when every condition that is not empty holds.

    `resource_pattern` is a regular expression found anywhere in the resource's id or name. A tag with a key and no
    value matches whenever the key has a value; keys and values are compared without regard to case. The rule holds for
    charge days from `start` (None: always) up to, not including, `end` (None: for good).
    """

    team: int | None
    label: str
    provider: str = ""
    billing_account: str = ""
    sub_account: str = ""
    service: str = ""
    region: str = ""
    resource_pattern: str = ""
    tag_key: str = ""
    tag_value: str = ""
    charge_category: str = ""
    commitment_status: str = ""
    pool: int | None = None
    start: date | None = None
    end: date | None = None

    def __post_init__(self) -> None:
        if (self.team is None) == (self.pool is None):
            raise ValueError(f"rule {self.label!r} names a team or a pool, one of them")


@dataclass(frozen=True, slots=True)
class VirtualTag:
    """A tag that we set and the bill does not have: on one resource, on charge days from `start` up to, not including,
    `end` (None: for good). It takes the place of a delivered tag whose key differs by case alone.
    """

    provider: str
    sub_account: str
    resource: str
    key: str
    value: str
    start: date
    end: date | None = None


def boundaries(rules: Iterable[OwnerRule]) -> list[date]:
    """The days on which the answer of the rules may change."""
    return sorted({day for rule in rules for day in (rule.start, rule.end) if day})


def cut_sql(days: Sequence[date], column: str) -> str:
    """SQL that counts how many of `days` have come by `column`: lines with the same count have the same rules."""
    listed = ", ".join(f"DATE '{day}'" for day in days)
    return f"len(list_filter([{listed}]::DATE[], lambda _day_: _day_ <= {column}))" if days else "0"


def condition_sql(rule: OwnerRule) -> str:
    """The rule's condition over a signature `s` whose tags are the map `t.folded` (keys in small letters)."""
    parts = [f"s.{name} = {literal(getattr(rule, name))}" for name in PLAIN if getattr(rule, name)]
    if rule.resource_pattern:
        pattern = literal(rule.resource_pattern)
        parts.append(f"(regexp_matches(s.resource, {pattern}) OR regexp_matches(s.resource_name, {pattern}))")
    if rule.tag_key:
        parts.append(_tag_sql(rule))
    return " AND ".join([*_dates_sql(rule), *parts]) if parts else "false"


def _dates_sql(rule: OwnerRule) -> list[str]:
    ends = {">=": rule.start, "<": rule.end}
    return [f"s.day {sign} DATE '{day}'" for sign, day in ends.items() if day]


def _tag_sql(rule: OwnerRule) -> str:
    value = f"lower(t.folded[{literal(rule.tag_key.lower())}])"
    return f"{value} = {literal(rule.tag_value.lower())}" if rule.tag_value else f"coalesce({value}, '') <> ''"


def first_match_sql(rules: Sequence[OwnerRule]) -> str:
    """SQL that yields the position of the first rule that matches; null when none does. A rule without conditions never
    matches: it would own the whole company by accident."""
    cases = " ".join(f"WHEN {condition_sql(rule)} THEN {number}" for number, rule in enumerate(rules))
    return f"CASE {cases} END" if cases else "NULL::INTEGER"


def pattern_problem(pattern: str) -> str:
    """Why a resource pattern cannot be used; empty when it can."""
    try:
        duckdb.execute("SELECT regexp_matches('', $1)", [pattern]).fetchall()
    except duckdb.Error as error:
        return f"Not a regular expression: {str(error).strip().splitlines()[0]}"
    return ""

"""Who owns a cost line: ordered rules, the first that matches wins. Pure: no Django.

Rules are compiled to one SQL expression and asked of each distinct (account, service, region, resource, tags), never
of each line. DuckDB's regular expressions are RE2: they run in linear time whatever somebody types.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import duckdb

from costs.formats.base import literal

# What a rule may look at, and what decides an owner: the columns of a signature.
SIGNATURE = ("provider", "billing_account", "sub_account", "service", "region", "resource", "resource_name", "tag_set")


@dataclass(frozen=True, slots=True)
class OwnerRule:
    """A line belongs to `team` when every condition that is not empty holds.

    `resource_pattern` is a regular expression found anywhere in the resource's id or name. A tag with a key and no
    value matches whenever the key has a value; keys and values are compared without regard to case.
    """

    team: int
    label: str
    provider: str = ""
    billing_account: str = ""
    sub_account: str = ""
    service: str = ""
    region: str = ""
    resource_pattern: str = ""
    tag_key: str = ""
    tag_value: str = ""


def condition_sql(rule: OwnerRule) -> str:
    """The rule's condition over a signature `s` whose tags are the map `t.folded` (keys in small letters)."""
    plain = ("provider", "billing_account", "sub_account", "service", "region")
    parts = [f"s.{name} = {literal(getattr(rule, name))}" for name in plain if getattr(rule, name)]
    if rule.resource_pattern:
        pattern = literal(rule.resource_pattern)
        parts.append(f"(regexp_matches(s.resource, {pattern}) OR regexp_matches(s.resource_name, {pattern}))")
    if rule.tag_key:
        parts.append(_tag_sql(rule))
    return " AND ".join(parts) or "false"


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

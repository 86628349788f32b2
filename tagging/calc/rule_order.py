"""What an ordered list of ownership rules shows by itself, without any cost data. Pure: no Django."""

from collections.abc import Sequence

from costs.calc.allocation_rules import EVER, NEVER, RULE_COLUMNS, OwnerRule
from costs.formats.sql import WHITE_SPACE


def shadowed_rules(rules: Sequence[OwnerRule]) -> dict[int, int]:
    """{position of a rule that can never own anything: position of the earlier rule that takes everything it would}.

    A rule is shadowed when an earlier one holds on all its days and has no condition that it does not have. Patterns of
    names are not compared: one shadows another only when they are the same.
    """
    shadowed: dict[int, int] = {}
    for number, rule in enumerate(rules):
        wider = (at for at in range(number) if at not in shadowed and _covers(rules[at], rule))
        if (first := next(wider, None)) is not None:
            shadowed[number] = first
    return shadowed


def _covers(wide: OwnerRule, narrow: OwnerRule) -> bool:
    """Whether `wide` matches everything that `narrow` does."""
    if not any(wide.shape):
        return False
    in_time = (wide.start or EVER) <= (narrow.start or EVER) and (narrow.end or NEVER) <= (wide.end or NEVER)
    same_conditions = all(
        getattr(wide, name) in ("", getattr(narrow, name)) for name in (*RULE_COLUMNS, "resource_pattern")
    )
    same_key = wide.tag_key.lower() == narrow.tag_key.lower()
    wide_value, narrow_value = (rule.tag_value.strip(WHITE_SPACE).lower() for rule in (wide, narrow))
    same_tag = same_key and wide_value in ("", narrow_value)
    return in_time and same_conditions and (not wide.tag_key or same_tag)

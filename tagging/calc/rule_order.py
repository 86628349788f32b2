"""What can be said about an ordered list of ownership rules without asking the books. Pure: no Django."""

from collections.abc import Sequence

from costs.calc.allocation_rules import EVER, NEVER, PLAIN, OwnerRule


def shadowed_rules(rules: Sequence[OwnerRule]) -> dict[int, int]:
    """{position of a rule that can never own anything: position of the earlier rule that takes everything it would}.

    A rule is shadowed when an earlier one holds on all its days and asks for nothing that it does not ask for. What
    patterns of names have in common is not judged: two patterns shadow each other only when they are the same.
    """
    found = {}
    for number, rule in enumerate(rules):
        earlier = (before for before in range(number) if before not in found and _takes_all_of(rules[before], rule))
        if (first := next(earlier, None)) is not None:
            found[number] = first
    return found


def _takes_all_of(wide: OwnerRule, narrow: OwnerRule) -> bool:
    if not any(wide.shape):
        return False
    in_time = (wide.start or EVER) <= (narrow.start or EVER) and (narrow.end or NEVER) <= (wide.end or NEVER)
    plain = all(getattr(wide, name) in ("", getattr(narrow, name)) for name in (*PLAIN, "resource_pattern"))
    return in_time and plain and _takes_tag(wide, narrow)


def _takes_tag(wide: OwnerRule, narrow: OwnerRule) -> bool:
    if not wide.tag_key:
        return True
    same_key = wide.tag_key.lower() == narrow.tag_key.lower()
    return same_key and wide.tag_value.lower() in ("", narrow.tag_value.lower())

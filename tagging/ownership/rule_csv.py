"""Ownership rules as CSV: out with every digit of meaning, in all or not at all."""

import csv
import io
from collections.abc import Iterator, Mapping, Sequence
from datetime import date
from typing import Any

from django.core.exceptions import ValidationError
from django.db import transaction

from costs.models import Pool
from finops_site.models import Team
from tagging.models import CONDITIONS, OwnershipRule

HEAD = ("order", "name", "team", "pool", "from", "until", "in force", *CONDITIONS)
MOST_RULES = 10_000
YES = {"": True, "yes": True, "true": True, "1": True, "no": False, "false": False, "0": False}


class InvalidRulesFile(ValueError):
    """A file of rules that was not taken; every problem with its row and column."""

    def __init__(self, problems: Sequence[str]) -> None:
        self.problems = list(problems)
        super().__init__(" ".join(self.problems))


def csv_rows(rules: Any) -> Iterator[Sequence[Any]]:
    """The rows of the file, its head first."""
    yield HEAD
    for rule in rules.select_related("team", "pool"):
        ends = (rule.start or "", rule.end or "", "yes" if rule.is_active else "no")
        values = (getattr(rule, name) for name in CONDITIONS)
        yield (rule.order, rule.name, rule.team or "", rule.pool or "", *ends, *values)


@transaction.atomic
def import_rules(text: str) -> tuple[int, int]:
    """Adds the rules of a file, and changes those of the same name and first day; returns how many of each.

    Nothing is deleted. Raises BadRules, and does nothing, when anything in it is wrong.
    """
    rows = _rows(text)
    teams = {team.name: team for team in Team.objects.all()}
    pools = {pool.name: pool for pool in Pool.objects.all()}
    problems: list[str] = []
    added = changed = 0
    for number, row in enumerate(rows, 2):
        try:
            rule = _rule(row, teams, pools)
            rule.full_clean()
        except ValidationError as error:
            problems += [f"Row {number}: {words}" for words in _words(error)]
            continue
        added, changed = (added, changed + 1) if rule.pk else (added + 1, changed)
        rule.version += 1 if rule.pk else 0
        rule.save()
    if problems:
        transaction.set_rollback(True)
        raise InvalidRulesFile(problems[:50])
    return added, changed


def _rows(text: str) -> list[dict[str, str]]:
    reader = csv.DictReader(io.StringIO(text, newline=""))
    strange = [name for name in reader.fieldnames or [] if name not in HEAD]
    if not reader.fieldnames or "name" not in reader.fieldnames or strange:
        wrong = f"unknown columns {', '.join(strange)}" if strange else "no column name"
        raise InvalidRulesFile([f"The first row must name the columns, of {', '.join(HEAD)}: {wrong}."])
    rows = [dict(row) for row in reader]
    if len(rows) > MOST_RULES:
        raise InvalidRulesFile([f"{len(rows):,} rules are too many: {MOST_RULES:,} are the most."])
    return rows


def _rule(row: Mapping[str, Any], teams: Mapping[str, Team], pools: Mapping[str, Pool]) -> OwnershipRule:
    said = {name: (row.get(name) or "").strip() for name in HEAD}
    if row.get(None):  # type: ignore[call-overload]
        raise ValidationError("it has more cells than the first row.")
    start = _day(said, "from")
    rule = OwnershipRule.objects.filter(name=said["name"], start=start).first() or OwnershipRule(name=said["name"])
    rule.start, rule.end = start, _day(said, "until")
    rule.team, rule.pool = _named(said, "team", teams), _named(said, "pool", pools)
    rule.order = _number(said)
    rule.is_active = _yes(said)
    for name in CONDITIONS:
        setattr(rule, name, said[name])
    return rule


def _day(said: Mapping[str, str], name: str) -> date | None:
    try:
        return date.fromisoformat(said[name]) if said[name] else None
    except ValueError:
        raise ValidationError({NON_FIELD: f"{name} {said[name]!r} is no day like 2026-03-31."}) from None


def _named(said: Mapping[str, str], name: str, known: Mapping[str, Any]) -> Any:
    if said[name] and said[name] not in known:
        raise ValidationError({NON_FIELD: f"there is no {name} {said[name]!r}."})
    return known.get(said[name])


def _number(said: Mapping[str, str]) -> int:
    if not (said["order"] or "100").isdecimal() or len(said["order"]) > 9:
        raise ValidationError({NON_FIELD: f"order {said['order']!r} is no whole number."})
    return int(said["order"] or 100)


def _yes(said: Mapping[str, str]) -> bool:
    if said["in force"].lower() not in YES:
        raise ValidationError({NON_FIELD: f"in force {said['in force']!r} is neither yes nor no."})
    return YES[said["in force"].lower()]


NON_FIELD = "__all__"


def _words(error: ValidationError) -> list[str]:
    found = error.message_dict if hasattr(error, "error_dict") else {NON_FIELD: error.messages}
    return [
        text if field == NON_FIELD else f"{field.replace('_', ' ')}: {text}"
        for field, texts in found.items()
        for text in texts
    ]

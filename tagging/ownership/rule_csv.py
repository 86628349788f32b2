"""Ownership rules as CSV: exported with all that they say, imported all or not at all."""

import csv
import io
from collections.abc import Iterator, Mapping, Sequence
from datetime import date

from django.core.exceptions import NON_FIELD_ERRORS, ValidationError
from django.core.files.uploadedfile import UploadedFile
from django.db import transaction
from django.utils.translation import gettext as _

from costs.models import Pool
from finops_site.lib.words import number_text
from finops_site.models import Team, User
from tagging.models import CONDITIONS, OwnershipRule
from tagging.models.ownership import OwnershipRuleQuerySet
from tagging.ownership import rules
from tagging.ownership.rule_application import queue_application

HEAD = ("order", "name", "team", "pool", "from", "until", "in force", *CONDITIONS)
MAX_BYTES = 5 << 20
MAX_RULES = 10_000
MAX_PROBLEMS = 50
YES_OR_NO = {"": True, "yes": True, "true": True, "1": True, "no": False, "false": False, "0": False}


class InvalidRulesFile(ValueError):
    """A file of rules that was refused; every problem with its row and column."""

    def __init__(self, problems: Sequence[str]) -> None:
        self.problems = list(problems)
        super().__init__(" ".join(self.problems))


def csv_rows(exported: OwnershipRuleQuerySet) -> Iterator[Sequence[object]]:
    """The rows of the file, its head first."""
    yield HEAD
    for rule in exported.select_related("team", "pool"):
        ends = (rule.start or "", rule.end or "", "yes" if rule.is_active else "no")
        values = (getattr(rule, name) for name in CONDITIONS)
        yield (rule.order, rule.name, rule.team or "", rule.pool or "", *ends, *values)


def read_upload(uploaded: UploadedFile) -> str:
    """The text of an uploaded file. Raises InvalidRulesFile."""
    if (uploaded.size or 0) > MAX_BYTES:
        raise InvalidRulesFile([_("That is too big for a file of rules.")])
    try:
        return str(uploaded.read().decode("utf-8-sig"))
    except UnicodeDecodeError:
        raise InvalidRulesFile([_("The file is not UTF-8 text.")]) from None


@transaction.atomic
def import_rules(text: str, user: User | None) -> tuple[int, int]:
    """Adds the rules of a file, and changes those of the same name and first day; returns how many of each.

    Deletes nothing. Raises InvalidRulesFile, and does nothing, when anything in the file is wrong.
    """
    teams = {team.name: team for team in Team.objects.all()}
    pools = {pool.name: pool for pool in Pool.objects.all()}
    problems: list[str] = []
    added = changed = 0
    for number, row in enumerate(_read_rows(text), 2):
        try:
            rule = _parse_rule(row, teams, pools)
            rule.full_clean()
        except ValidationError as error:
            problems += [
                _("Row {number}: {message}").format(number=number, message=message) for message in _messages(error)
            ]
            continue
        added, changed = (added, changed + 1) if rule.pk else (added + 1, changed)
        rules.store_version(rule)
    if problems:
        transaction.set_rollback(True)
        raise InvalidRulesFile(problems[:MAX_PROBLEMS])
    queue_application(user, _("Rules were loaded from a file"))
    return added, changed


def _read_rows(text: str) -> list[dict[str, str]]:
    reader = csv.DictReader(io.StringIO(text, newline=""))
    unknown = [name for name in reader.fieldnames or [] if name not in HEAD]
    if not reader.fieldnames or "name" not in reader.fieldnames or unknown:
        problem = _("unknown columns {names}").format(names=", ".join(unknown)) if unknown else _("no column name")
        raise InvalidRulesFile(
            [
                _("The first row must name the columns, of {names}: {problem}.").format(
                    names=", ".join(HEAD), problem=problem
                )
            ]
        )
    rows = [dict(row) for row in reader]
    if len(rows) > MAX_RULES:
        raise InvalidRulesFile(
            [
                _("{rows_count} rules are too many: {max_rules} are the most.").format(
                    rows_count=number_text(len(rows)), max_rules=number_text(MAX_RULES)
                )
            ]
        )
    return rows


def _parse_rule(row: Mapping[str, str], teams: Mapping[str, Team], pools: Mapping[str, Pool]) -> OwnershipRule:
    cells = {name: (row.get(name) or "").strip() for name in HEAD}
    if row.get(None):  # type: ignore[call-overload]
        raise ValidationError(_("it has more cells than the first row."))
    for name, known in (("team", teams), ("pool", pools)):
        if cells[name] and cells[name] not in known:
            raise ValidationError(_("there is no {name} {cells!r}.").format(name=name, cells=cells[name]))
    if not (cells["order"] or "100").isdecimal() or len(cells["order"]) > 9:
        raise ValidationError(_("order {order!r} is no whole number.").format(order=cells["order"]))
    if cells["in force"].lower() not in YES_OR_NO:
        raise ValidationError(_("in force {in_force!r} is neither yes nor no.").format(in_force=cells["in force"]))
    start, end = _parse_day(cells, "from"), _parse_day(cells, "until")
    rule = OwnershipRule.objects.filter(name=cells["name"], start=start).first() or OwnershipRule(name=cells["name"])
    rule.start, rule.end = start, end
    rule.team, rule.pool = teams.get(cells["team"]), pools.get(cells["pool"])
    rule.order = int(cells["order"] or 100)
    rule.is_active = YES_OR_NO[cells["in force"].lower()]
    for name in CONDITIONS:
        setattr(rule, name, cells[name])
    return rule


def _parse_day(cells: Mapping[str, str], name: str) -> date | None:
    try:
        return date.fromisoformat(cells[name]) if cells[name] else None
    except ValueError:
        raise ValidationError(
            _("{name} {cells!r} is no day like 2026-03-31.").format(name=name, cells=cells[name])
        ) from None


def _messages(error: ValidationError) -> list[str]:
    by_field = error.message_dict if hasattr(error, "error_dict") else {NON_FIELD_ERRORS: error.messages}
    return [
        text if field == NON_FIELD_ERRORS else f"{field.replace('_', ' ')}: {text}"
        for field, texts in by_field.items()
        for text in texts
    ]

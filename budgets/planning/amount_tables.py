"""Tables of amounts, budgets x months: read out of a CSV or the grid, and written together or not at all."""

import csv
import io
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal

from django.core.exceptions import ValidationError
from django.db import transaction

from budgets.calc.amounts import parse_amount
from budgets.models import Budget
from budgets.planning.budget_changes import change_budget
from finops_site.lib.periods import Month, Period
from finops_site.lib.person import Person
from finops_site.models import User

OTHER_COLUMNS = ("budget", "team", "currency")


@dataclass(frozen=True, slots=True)
class AmountRow:
    """A line of a table of amounts: what it would change, or what is wrong with it."""

    number: int
    name: str
    budget: Budget | None
    changes: dict[Period, tuple[Decimal | None, Decimal]]
    problem: str = ""


def parse_amount_csv(text: str) -> list[dict[str, str]]:
    """The rows of a CSV by its head; raises ValidationError where there is no column of budgets."""
    sample = text.splitlines()[0] if text.strip() else ""
    reader = csv.DictReader(io.StringIO(text), delimiter=";" if sample.count(";") > sample.count(",") else ",")
    heads = [(head or "").strip().lower() for head in reader.fieldnames or []]
    if "budget" not in heads:
        raise ValidationError("The first line must name the columns: budget, 2026-01, 2026-02 and so on.")
    return [
        {head: (value or "") for head, value in zip(heads, row.values(), strict=False) if isinstance(value, str)}
        for row in reader
    ]


def compare_amount_table(table: Iterable[Mapping[str, str]], user: Person) -> list[AmountRow]:
    """A table of budgets x months (column heads like 2026-03) against the amounts there are; writes nothing.

    Amounts whose cell is empty stay. Only monthly budgets that `user` may see are known.
    """
    visible = {budget.name: budget for budget in Budget.objects.visible_to(user).exclude(state=Budget.State.ARCHIVED)}
    rows = []
    for number, cells in enumerate(table, start=2):
        name = (cells.get("budget") or "").strip()
        budget, changes, problem = visible.get(name), {}, ""
        if budget is None:
            problem = f"line {number}: there is no budget named {name!r}."
        elif budget.kind != Budget.Kind.MONTH:
            problem = f"line {number}: {name} is not a monthly budget."
        else:
            try:
                changes = _changed_amounts(budget, cells)
            except ValueError as error:
                problem = f"line {number}, {name}: {error}"
        rows.append(AmountRow(number, name, None if problem else budget, changes, problem))
    return rows


@transaction.atomic
def write_amount_table(rows: Sequence[AmountRow], versions: Mapping[int, int], *, by: User, why: str) -> int:
    """Writes the compared rows, all of them or none; raises StaleBudget. Returns how many amounts changed."""
    count = 0
    for row in rows:
        if row.budget is None or not row.changes:
            continue
        new = {period: after for period, (_, after) in row.changes.items()}
        version = versions.get(row.budget.pk, row.budget.version)
        change_budget(row.budget, new, version=version, by=by, why=why, what="amounts")
        count += len(new)
    return count


def _changed_amounts(budget: Budget, cells: Mapping[str, str]) -> dict[Period, tuple[Decimal | None, Decimal]]:
    before = {period.start: period.amount for period in budget.periods.all()}
    changes = {}
    for head, text in cells.items():
        if head in OTHER_COLUMNS or not (text or "").strip():
            continue
        period, amount = Month.parse(head.strip()).period, parse_amount(text)
        if before.get(period.start) != amount:
            changes[period] = (before.get(period.start), amount)
    return changes

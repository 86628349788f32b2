"""Tables of amounts, budgets x months: read out of a CSV or the grid, and written together or not at all."""

import csv
import io
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal

from django.core.exceptions import ValidationError
from django.db import transaction
from django.utils.translation import gettext as _

from budgets.calc.amounts import AmountChange, parse_amount
from budgets.models import Budget, BudgetVersion
from budgets.models.budgets import FIRST_DAY, LAST_DAY
from budgets.planning.budget_changes import StaleBudget, change_budget
from finops_site.lib.language import gettext_noop
from finops_site.lib.money import EXACT, BadAmount, decimal_mark_of, exact_sum
from finops_site.lib.periods import Month, Period, day_text, moment_text
from finops_site.lib.person import Person
from finops_site.lib.words import labelled
from finops_site.models import User

# {period: its amount before and after}; before it None where there is none.
Changes = Mapping[Period, tuple[Decimal | None, Decimal]]
OTHER_COLUMNS = ("budget", "team", "currency")


@dataclass(frozen=True, slots=True)
class AmountRow:
    """A line of a table of amounts: what it would change, or what is wrong with it."""

    number: int
    name: str
    budget: Budget | None
    changes: dict[Period, tuple[Decimal | None, Decimal]]
    problem: str = ""

    @property
    def listed(self) -> list[tuple[Period, AmountChange]]:
        """Each period with its amount before and after."""
        return [(period, AmountChange(before, after)) for period, (before, after) in self.changes.items()]


def parse_amount_csv(text: str) -> list[dict[str, str]]:
    """The rows of a CSV by its head; raises ValidationError where no column is of budgets, or two are of one month."""
    sample = text.splitlines()[0] if text.strip() else ""
    # A table that is copied out of a spreadsheet has tabs.
    delimiter = max(",;\t", key=sample.count)
    try:
        # However lines end: Excel on a Mac once wrote a lone CR.
        lines = [row for row in csv.reader(io.StringIO(text, newline=None), delimiter=delimiter) if row]
    except csv.Error as error:
        raise ValidationError(_("The file cannot be read as CSV: {error}.").format(error=error)) from None
    heads = [_head(cell) for cell in lines[0]] if lines else []
    if "budget" not in heads:
        raise ValidationError(_("The first line must name the columns: budget, 2026-01, 2026-02 and so on."))
    if twice := next((head for place, head in enumerate(heads) if head and head in heads[:place]), ""):
        raise ValidationError(_("Two columns are {twice}: which of them counts? Leave one.").format(twice=twice))
    rows = []
    for number, cells in enumerate(lines[1:], 2):
        if len(cells) > len(heads) and any(map(str.strip, cells[len(heads) :])):
            raise ValidationError(
                _("Line {number} has more cells than the first line has columns: {cells}.").format(
                    number=number, cells=cells[len(heads)]
                )
            )
        # Columns without a head have nothing that could be read, unless somebody wrote into them.
        pairs = zip(heads, cells, strict=False)
        rows.append({head: cell for head, cell in pairs if head or cell.strip()})
    return rows


def _head(cell: str) -> str:
    """A column's head as we compare it: ``2026-3`` is 2026-03."""
    text = cell.strip().lower()
    try:
        return str(Month.parse(text))
    except ValueError:
        return text


def mark_of_table(table: Iterable[Mapping[str, str]]) -> str:
    """The decimal mark that the amounts of a table show; empty where none does. Raises ValidationError where two do."""
    cells = (text for row in table for head, text in row.items() if head not in OTHER_COLUMNS and text.strip())
    try:
        return decimal_mark_of(cells)
    except BadAmount as error:
        raise ValidationError(
            _("{error} Write all of them alike, or say above how decimals are written.").format(error=error)
        ) from None


def compare_amount_table(
    table: Iterable[Mapping[str, str]], user: Person, *, decimal_mark: str = ""
) -> list[AmountRow]:
    """A table of budgets x months (column heads like 2026-03) against the amounts there are; writes nothing.

    Amounts whose cell is empty stay. Only monthly budgets that `user` may see are known. The column of a month is the
    month of the budget's calendar that goes by its name, as far as the budget counts it.
    """
    visible = {budget.name: budget for budget in Budget.objects.visible_to(user).exclude(state=Budget.State.ARCHIVED)}
    rows: list[AmountRow] = []
    lines: dict[str, int] = {}
    for number, cells in enumerate(table, start=2):
        name = (cells.get("budget") or "").strip()
        budget, changes, problem = visible.get(name), {}, ""
        if name in lines:
            problem = _("line {number}: {name} stands in line {lines} already: write its amounts in one line.").format(
                number=number, name=name, lines=lines[name]
            )
        elif budget is None:
            problem = _("line {number}: there is no budget named {name!r}.").format(number=number, name=name)
        elif budget.kind != Budget.Kind.MONTH:
            problem = _("line {number}: {name} is not a monthly budget.").format(number=number, name=name)
        else:
            try:
                changes = _changed_amounts(budget, cells, decimal_mark)
            except ValueError as error:
                problem = _("line {number}, {name}: {error}").format(number=number, name=name, error=error)
        lines.setdefault(name, number)
        rows.append(AmountRow(number, name, None if problem else budget, changes, problem))
    return rows


@dataclass(frozen=True, slots=True)
class AmountSum:
    """The amounts of one currency in a month, or of all months where `month` is None, before and after saving."""

    currency: str
    month: Month | None
    before: Decimal
    after: Decimal

    @property
    def difference(self) -> Decimal:
        return EXACT.subtract(self.after, self.before)


def amount_sums(budgets: Sequence[Budget], months: Sequence[Month], rows: Sequence[AmountRow] = ()) -> list[AmountSum]:
    """For each currency the sum of each month and of all of them, as stored and with the changes of `rows`.

    What is below another of the budgets counts in that one: nothing is added twice.
    """
    changes = {row.budget.pk: row.changes for row in rows if row.budget}
    counted, sums = {budget.pk for budget in budgets}, list[AmountSum]()
    top = [budget for budget in budgets if budget.parent_id not in counted]
    for currency in sorted({budget.currency for budget in top}):
        of_months = []
        of_budgets = [
            _pairs(budget, months, changes.get(budget.pk, {})) for budget in top if budget.currency == currency
        ]
        for month in months:
            before, after = (exact_sum(pairs[month][place] for pairs in of_budgets) for place in (0, 1))
            of_months.append(AmountSum(currency, month, before, after))
        before, after = exact_sum(one.before for one in of_months), exact_sum(one.after for one in of_months)
        sums += [*of_months, AmountSum(currency, None, before, after)]
    return sums


def stored_amounts(budget: Budget, months: Sequence[Month]) -> dict[Month, Decimal | None]:
    """{month: the amount of the month of the budget's calendar that goes by that name}; None where it has none."""
    cut, amounts = budget.cut, {row.start: row.amount for row in budget.periods.all()}
    names = {month: cut.named(month) for month in months}
    return {month: amounts.get(own.start) if own else None for month, own in names.items()}


def _pairs(budget: Budget, months: Sequence[Month], changes: Changes) -> dict[Month, tuple[Decimal, Decimal]]:
    """{month: what is stored, and what will be}."""
    pairs = {}
    for month, stored in stored_amounts(budget, months).items():
        before, own = stored or Decimal(0), budget.cut.named(month)
        pairs[month] = before, changes[own][1] if own and own in changes else before
    return pairs


def stale_rows(rows: Sequence[AmountRow], versions: Mapping[int, int]) -> dict[int, str]:
    """{budget id: who changed it meanwhile} of the rows that would change something and are not as they were looked at.

    `versions`: {budget id: the version that was looked at}.
    """
    changed = {row.budget.pk: row.budget for row in rows if row.budget and row.changes}
    stale = {pk: budget for pk, budget in changed.items() if versions.get(pk) != budget.version}
    newest = BudgetVersion.objects.filter(budget__in=stale).select_related("by").order_by("budget_id", "-number")
    by_whom = {version.budget_id: version for version in newest.distinct("budget_id")}
    texts = {}
    for pk, budget in stale.items():
        version = by_whom.get(pk)
        who, when = (version.by, moment_text(version.at)) if version else (None, "")
        if pk not in versions:
            texts[pk] = _("{budget}: which version was looked at is missing. Open the amounts again.").format(
                budget=budget
            )
            continue
        text = _(
            "{budget}: {person} changed it on {when}, while you had it open. Nothing was written: look at its "
            "amounts as they are now, and save again."
        )
        if not when:
            text = _(
                "{budget}: {person} changed it, while you had it open. Nothing was written: look at its amounts as "
                "they are now, and save again."
            )
        texts[pk] = text.format(budget=budget, person=who or _("somebody"), when=when)
    return texts


@transaction.atomic
def write_amount_table(rows: Sequence[AmountRow], versions: Mapping[int, int], *, by: User, why: str) -> int:
    """Writes the compared rows, all of them or none; raises StaleBudget. Returns how many amounts changed.

    `versions`: {budget id: the version that was looked at}. Without one nobody knows what was changed meanwhile.
    """
    if stale := stale_rows(rows, versions):
        raise StaleBudget(" ".join(stale.values()))
    count = 0
    for row in rows:
        if row.budget is None or not row.changes:
            continue
        new = {period: after for period, (_ignored, after) in row.changes.items()}
        change_budget(row.budget, new, version=versions[row.budget.pk], by=by, why=why, what=gettext_noop("amounts"))
        count += len(new)
    return count


def _changed_amounts(
    budget: Budget, cells: Mapping[str, str], decimal_mark: str
) -> dict[Period, tuple[Decimal | None, Decimal]]:
    before = {period.start: period.amount for period in budget.periods.all()}
    changes = {}
    for head, text in cells.items():
        if head in OTHER_COLUMNS or not (text or "").strip():
            continue
        month = Month.parse(head.strip())
        period = budget.cut.named(month) if FIRST_DAY.year <= month.year <= LAST_DAY.year else None
        if period is None:
            start, end = day_text(budget.start), day_text(budget.end)
            when = _("from {start} until {end}") if budget.end else _("from {start} on")
            when = when.format(start=start, end=end)
            raise ValueError(
                _("{head}: the budget has no such month, it counts {when}.").format(head=head.strip(), when=when)
            )
        try:
            amount = parse_amount(text, decimal_mark=decimal_mark, currency=budget.currency)
        except BadAmount as error:
            raise BadAmount(labelled(head.strip(), error)) from None
        if before.get(period.start) != amount:
            changes[period] = (before.get(period.start), amount)
    return changes

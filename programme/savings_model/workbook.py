"""The model as a workbook whose results are formulas over its assumptions, and as rows for a CSV.

Names of columns and rows stay English, as those of every file.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from finops_site.lib.money import exact_text
from finops_site.lib.periods import Month
from finops_site.registry import registry
from finops_site.ui.spreadsheets import Formula
from programme.calc.savings_model import CASES, HUNDRED, LEVERS, MONEY_UNITS, PILLARS, AssumptionUnit
from programme.models import Assumption
from programme.savings_model.figures import SavingsFigures

CASE_COLUMNS = dict(zip(CASES, "CDE", strict=True))
RATE_COLUMN = "F"
HEAD = ("Row", "Unit", "Conservative", "Expected", "Optimistic", "Exchange rate", "Source", "Changed by", "Changed at")
Cell = Any


@dataclass
class _Sheet:
    """The rows so far, and in which row of the sheet an assumption or a result stands."""

    figures: SavingsFigures
    rows: list[list[Cell]] = field(default_factory=list)
    places: dict[str, int] = field(default_factory=dict)

    def add(self, *cells: Cell, name: str = "") -> int:
        """A row, and its number in the sheet."""
        self.rows.append(list(cells))
        if name:
            self.places[name] = len(self.rows)
        return len(self.rows)

    def ref(self, name: str, column: str) -> str:
        return f"{column}{self.places[name]}"


def model_rows(figures: SavingsFigures) -> list[list[Cell]]:
    """The sheet: assumptions, what follows in each case, what was stated, and what is realised by month."""
    sheet = _Sheet(figures)
    sheet.add(*HEAD)
    for row in figures.assumptions:
        _add_assumption(sheet, row)
    sheet.add()
    _add_results(sheet)
    sheet.add()
    _add_comparisons(sheet)
    sheet.add()
    _add_realised(sheet)
    return sheet.rows


def _add_assumption(sheet: _Sheet, row: Assumption) -> None:
    model = sheet.figures.model
    rate = None
    if row.kind.unit in MONEY_UNITS:
        rate = registry.exchange_rate(row.currency, model.currency, Month.of(sheet.figures.as_of))
    unit = str(row.kind.unit).replace("money", row.currency)
    values = [row.values[case] for case in CASES]
    changed = [str(row.changed_by or ""), row.changed_at.isoformat()]
    sheet.add(row.key, unit, *values, rate, row.source, *changed, name=row.key)


def _formula(expression: str, needed: Sequence[str], value: Decimal | None) -> Formula:
    """An expression that is empty as long as a cell it needs is: not known is not zero."""
    return Formula(f'=IF(COUNT({",".join(needed)})<{len(needed)},"",{expression})', value)


def _money_ref(sheet: _Sheet, key: str, column: str) -> tuple[str, list[str]]:
    cell, rate = sheet.ref(key, column), sheet.ref(key, RATE_COLUMN)
    return f"{cell}*{rate}", [cell, rate]


def _add_results(sheet: _Sheet) -> None:
    currency, cases = sheet.figures.model.currency, sheet.figures.cases
    sheet.add("What follows", "", *(case.capitalize() for case in CASES))
    saved: dict[str, list[Cell]] = {pillar: [] for pillar in PILLARS}
    for case in cases:
        column = CASE_COLUMNS[case.case]
        for pillar, key in (("commitments", "commitments-saving"), ("alerts", "alerts-avoided")):
            expression, needed = _money_ref(sheet, key, column)
            saved[pillar].append(_formula(expression, needed, case.savings[pillar]))
        base, needed = _money_ref(sheet, "tags-base", column)
        reduction = sheet.ref("tags-reduction", column)
        saved["tags"].append(_formula(f"{base}*12*{reduction}/100", [*needed, reduction], case.savings["tags"]))
    for pillar in PILLARS:
        sheet.add(pillar, f"{currency} a year", *saved[pillar], name=pillar)
    first, last = sheet.places[PILLARS[0]], sheet.places[PILLARS[-1]]
    totals = [
        Formula(
            f'=IF(COUNT({column}{first}:{column}{last})<{len(PILLARS)},"",SUM({column}{first}:{column}{last}))',
            one.total,
        )
        for one, column in zip(cases, CASE_COLUMNS.values(), strict=True)
    ]
    sheet.add("total", f"{currency} a year", *totals, name="total")
    investments = []
    for case in cases:
        expression, needed = _money_ref(sheet, "investment", CASE_COLUMNS[case.case])
        investments.append(_formula(expression, needed, case.investment))
    sheet.add("investment", f"{currency}, once", *investments, name="invested")
    returns, paybacks = [], []
    for case in cases:
        total, invested = (sheet.ref(name, CASE_COLUMNS[case.case]) for name in ("total", "invested"))
        returns.append(_return_formula(total, invested, case.roi))
        expression = f'IF({total}<=0,"",{invested}*12/{total})'
        paybacks.append(_formula(expression, [total, invested], case.payback))
    sheet.add("return on investment", "%", *returns, name="roi")
    sheet.add("payback", "months", *paybacks, name="payback")


def _return_formula(saving: str, invested: str, share: Decimal | None) -> Formula:
    expression = f'IF({invested}=0,"",({saving}-{invested})/{invested}*100)'
    return _formula(expression, [saving, invested], None if share is None else share * HUNDRED)


def _add_comparisons(sheet: _Sheet) -> None:
    sheet.add("Stated and what follows", "Unit", "Stated, low", "Stated, high", "Follows, low", "Follows, high")
    for row in sheet.figures.comparisons:
        key = row.claim_key
        unit = str(row.unit).replace("money", sheet.figures.model.currency)
        is_money = row.unit in MONEY_UNITS
        stated, follows = [], []
        for column, claim, result in zip("CE", row.stated, row.follows, strict=True):
            expression, needed = (
                _money_ref(sheet, key, column) if is_money else (sheet.ref(key, column), [sheet.ref(key, column)])
            )
            stated.append(_formula(expression, needed, claim))
            follows.append(_follows(sheet, row.name, column, result))
        sheet.add(f"stated {row.name}", unit, *stated, *follows)


def _follows(sheet: _Sheet, name: str, column: str, value: Decimal | None) -> Formula:
    if name == "roi-of-stated":
        total, rate = sheet.ref("stated-total", column), sheet.ref("stated-total", RATE_COLUMN)
        invested = sheet.ref("invested", column)
        expression = f'IF({invested}=0,"",({total}*{rate}-{invested})/{invested}*100)'
        return _formula(expression, [total, rate, invested], value)
    cell = sheet.ref(name, column)
    return _formula(cell, [cell], value)


def _add_realised(sheet: _Sheet) -> None:
    """Realised by month and lever, in the model's currency; an empty cell is a month of which nothing is proved."""
    figures = sheet.figures
    currency = figures.model.currency
    sheet.add("Realised by month", "Currency", *LEVERS, "Total")
    first = len(sheet.rows) + 1
    for month in figures.months:
        amounts = [figures.realised.of_month(month, lever) for lever in LEVERS]
        number = len(sheet.rows) + 1
        sheet.add(str(month), currency, *amounts, _sum(f"C{number}:F{number}", figures.realised.of_month(month)))
    last = len(sheet.rows)
    if last < first:
        return
    sums = [
        _sum(f"{column}{first}:{column}{last}", figures.realised_of(lever))
        for column, lever in zip("CDEF", LEVERS, strict=True)
    ]
    total = sheet.add("realised", currency, *sums, _sum(f"G{first}:G{last}", figures.realised_total))
    paid, rate = sheet.ref("investment-paid", "D"), sheet.ref("investment-paid", RATE_COLUMN)
    share = figures.realised_return
    expression = f'IF({paid}=0,"",(G{total}-{paid}*{rate})/({paid}*{rate})*100)'
    value = None if share is None else share * HUNDRED
    sheet.add(
        "realised return on what was paid", "%", "", "", "", "", _formula(expression, [f"G{total}", paid, rate], value)
    )


def _sum(cells: str, value: Decimal | None) -> Formula:
    return Formula(f'=IF(COUNT({cells})=0,"",SUM({cells}))', value)


def csv_rows(figures: SavingsFigures) -> Iterator[list[Cell]]:
    """Assumptions beside what is measured, then each case, one figure a row."""
    yield ["section", "key", "unit", *CASES, "measured", "margin", "source", "changed_by", "changed_at"]
    for row in figures.assumptions:
        measured = figures.measured.get(row.key)
        unit = str(row.kind.unit).replace("money", row.currency)
        values = [exact_text(row.values[case]) for case in CASES]
        books = [exact_text(measured.value), exact_text(measured.margin)] if measured else ["", ""]
        yield [
            "assumption",
            row.key,
            unit,
            *values,
            *books,
            row.source,
            str(row.changed_by or ""),
            row.changed_at.isoformat(),
        ]
    currency = figures.model.currency
    for name, unit, values in _result_rows(figures):
        yield ["result", name, unit.replace("money", currency), *values, "", "", "", "", ""]
    for lever in LEVERS:
        yield ["realised", lever, currency, "", "", "", exact_text(figures.realised_of(lever)), "", "", "", ""]


def _result_rows(figures: SavingsFigures) -> Iterator[tuple[str, str, list[str | None]]]:
    cases = figures.cases
    for pillar in PILLARS:
        yield pillar, str(AssumptionUnit.YEARLY), [exact_text(case.savings[pillar]) for case in cases]
    yield "total", str(AssumptionUnit.YEARLY), [exact_text(case.total) for case in cases]
    yield "investment", str(AssumptionUnit.ONCE), [exact_text(case.investment) for case in cases]
    yield "roi", "%", [exact_text(None if case.roi is None else case.roi * HUNDRED) for case in cases]
    yield "payback", "months", [exact_text(case.payback) for case in cases]

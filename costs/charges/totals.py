"""Sums of charges by currency and metric: as stored, exact to the text of the bill, and as text. Pure: no Django."""

from decimal import Decimal

import duckdb

from costs.charges.build_cost_lines import AMOUNTS
from costs.formats.base import METRICS
from costs.formats.sql import quoted
from finops_site.lib.money import EXACT, exact_text

# {currency: {metric: amount}}; an amount that no charge states is None.
Totals = dict[str, dict[str, Decimal | None]]


def stored_totals(db: duckdb.DuckDBPyConnection, table: str) -> Totals:
    """The sums of charges at the 18 decimals that are stored."""
    return _sums(db, table, {name: name for name in METRICS})


def control_totals(db: duckdb.DuckDBPyConnection, table: str) -> tuple[Totals, Totals]:
    """(totals exact to the digits of the text, what of them lies beyond the stored decimals)."""
    stored = stored_totals(db, table)
    beyond = _sums(db, table, {name: f"x_{name}Beyond" for name in METRICS})
    exact: Totals = {
        currency: {
            name: None if amount is None else EXACT.add(amount, beyond[currency][name] or Decimal(0))
            for name, amount in amounts.items()
        }
        for currency, amounts in stored.items()
    }
    return exact, beyond


def _sums(db: duckdb.DuckDBPyConnection, table: str, columns: dict[str, str]) -> Totals:
    sums = ", ".join(f"sum({quoted(column)})" for column in columns.values())
    rows = db.execute(f"SELECT BillingCurrency, {sums} FROM {table} WHERE x_Problem IS NULL GROUP BY 1").fetchall()
    return {currency: dict(zip(columns, amounts, strict=True)) for currency, *amounts in rows}


def totals_as_text(totals: Totals) -> dict[str, dict[str, str | None]]:
    """Sums as exact text under the names of cost line columns, fit for JSON."""
    names = {metric: name for name, metric in AMOUNTS.items()}
    return {
        currency: {names[metric]: exact_text(amount) for metric, amount in amounts.items()}
        for currency, amounts in sorted(totals.items())
    }

"""Usage that comes without its cost, beside the price that held when it began. Pure: no Django.

A price list is small: it becomes a table. Each row of usage meets at most one price, the last that started before it,
and that only while it held; no row is ever doubled.
"""

from collections.abc import Sequence

import duckdb

from costs.formats.base import BadBill, Format, PriceList, Rule, Sheet, looked_up
from costs.formats.sql import moment, quoted
from finops_site.lib.language import gettext as _

TABLE = "price_list"


def _key(number: int) -> str:
    return quoted(f"price key {number}")


def _sql(rule: Rule, sheet: Sheet) -> str:
    return rule(sheet) or "NULL::VARCHAR"


def collect(db: duckdb.DuckDBPyConnection, lists: Sequence[tuple[str, str, Sheet, Format]]) -> tuple[int, ...]:
    """Makes the table of all prices from (file, SQL of its rows, its header, its format).

    Returns the places of the keys that the lists have, by which prices are found.

    Raises BadBill where a row has no date, or two rows have different prices from the same moment on.
    """
    selects = []
    for name, rows, sheet, bill_format in lists:
        prices = _prices_of(bill_format)
        cells = [f"{_sql(rule, sheet)} AS {_key(number)}" for number, (_ignored, rule) in enumerate(prices.key)]
        cells += [f"{_sql(rule, sheet)} AS {looked_up(value)}" for value, rule in prices.values.items()]
        cells += [f"{moment(_sql(prices.start, sheet))} AS starts", f"{moment(_sql(prices.end, sheet))} AS ends"]
        selects.append(f"SELECT DISTINCT {', '.join(cells)} FROM {rows}")
        if db.execute(f"SELECT 1 FROM ({selects[-1]}) WHERE starts IS NULL LIMIT 1").fetchone():
            raise BadBill(_("{name}: the price list has a row without a readable start.").format(name=name))
    db.execute(f"CREATE OR REPLACE TEMP TABLE {TABLE} AS {' UNION '.join(selects)}")
    present = tuple(
        number
        for number, (_ignored, rule) in enumerate(_prices_of(lists[0][3]).key)
        if any(rule(sheet) for _name, _path, sheet, _format in lists)
    )
    keys = ", ".join(map(_key, present))
    twice = db.execute(f"SELECT {keys}, starts FROM {TABLE} GROUP BY ALL HAVING count(*) > 1 ORDER BY ALL LIMIT 1")
    if row := twice.fetchone():
        what = ", ".join(str(cell) for cell in row)
        raise BadBill(
            _("{file}: two different prices at once ({what}); deliver the list of one currency.").format(
                file=lists[0][0], what=what
            )
        )
    return present


def with_prices(rows: str, sheet: Sheet, bill_format: Format, present: Sequence[int]) -> str:
    """SQL for the rows of usage with the values of their price, null where none held.

    `present` are the keys that the price lists have, as `collect` returns them.
    """
    prices = _prices_of(bill_format)
    keys = [f"{_sql(rule, sheet)} AS {_key(number)}" for number, (rule, _ignored) in enumerate(prices.key)]
    usage = f"(SELECT *, {', '.join(keys)}, {moment(_sql(prices.at, sheet))} AS {quoted('price at')} FROM {rows})"
    at = f"usage.{quoted('price at')}"
    held = f"{at} < coalesce(prices.ends, TIMESTAMP 'infinity')"
    values = [f"CASE WHEN {held} THEN prices.{looked_up(name)} END AS {looked_up(name)}" for name in prices.values]
    same = " AND ".join(f"usage.{_key(number)} = prices.{_key(number)}" for number in present)
    return (
        f"(SELECT usage.*, {', '.join(values)} FROM {usage} usage "
        f"ASOF LEFT JOIN {TABLE} prices ON {same} AND {at} >= prices.starts)"
    )


def _prices_of(bill_format: Format) -> PriceList:
    assert bill_format.prices is not None
    return bill_format.prices

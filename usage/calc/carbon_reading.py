"""Carbon as providers state it: a row for each month, account, region and service, in kilograms of CO2e. Pure.

What is emitted for the electricity of a place (location-based) and for what the provider buys (market-based) are two
answers to one question and are never added. What a file does not state is null, and null is no zero. Providers
estimate whole months, weeks after they end; nothing here is money.
"""

from collections.abc import Callable, Mapping
from datetime import date

import duckdb

from costs.formats.sql import literal
from finops_site.lib.language import gettext as _

# Kilograms, with more digits than any provider has.
KG = "DECIMAL(28, 9)"
FIGURES = ("scope1", "scope2_market", "scope2_location", "scope3_market", "scope3_location", "market", "location")
CARBON: Mapping[str, str] = {
    **{"provider": "VARCHAR", "account": "VARCHAR", "region": "VARCHAR", "service": "VARCHAR", "month": "DATE"},
    **dict.fromkeys(FIGURES, KG),
    "model": "VARCHAR",
}
# {unit as written, without signs: kilograms}
UNITS = {"": 1, "kgco2e": 1, "kg": 1, "mtco2e": 1000, "tco2e": 1000, "t": 1000, "gco2e": 0.001}
SCOPES = {"1": "1", "scope1": "1", "2": "2", "scope2": "2", "3": "3", "scope3": "3"}
# Negative emissions are no emissions; more than this in a month and account is a wrong unit.
MOST_KG = 10**12

Reject = Callable[[duckdb.DuckDBPyConnection, str, str, str], None]


def read_carbon(db: duckdb.DuckDBPyConnection, day: date, reject: Reject) -> None:
    """`facts` with the columns of CARBON, and `spans`, of the rows of `tidy`; what cannot be read is rejected.

    Of several rows of one place and month, as models that part it further write, the sum counts. Files with a row for
    each scope have a total where all three are in the file.
    """
    _complete(db)
    _reject_bad(db, day, reject)
    kilograms = f"CASE {_squeezed('unit')} {_whens(UNITS)} END"
    place = (
        "provider, coalesce(account, '') AS account, coalesce(region, '') AS region, coalesce(service, '') AS service"
    )
    numbers = ", ".join(f"TRY_CAST({name} AS DOUBLE) * {kilograms} AS {name}" for name in (*FIGURES, "value"))
    of_scope = {
        "scope1": "scope = '1'",
        "scope2_market": "scope = '2'",
        "scope3_market": "scope = '3'",
        "market": "has_all AND scope IS NOT NULL",
    }
    sums = ", ".join(
        f"CAST(coalesce(sum({name}){_or_of_scope(of_scope.get(name))}) AS {KG}) AS {name}" for name in FIGURES
    )
    db.execute(f"""
        CREATE OR REPLACE TABLE kept AS
        SELECT {place}, date_trunc('month', moment)::DATE AS month, {numbers}, scope, model
        FROM (
            SELECT * EXCLUDE (scope), {_month()} AS moment, CASE {_squeezed("scope")} {_whens(SCOPES)} END AS scope
            FROM tidy WHERE line NOT IN (SELECT line FROM rejects)
        );
        CREATE OR REPLACE TABLE facts AS
        SELECT provider, account, region, service, month, {sums}, max(model) AS model
        FROM kept, (SELECT count(DISTINCT scope) = 3 AS has_all FROM kept)
        GROUP BY provider, account, region, service, month;
        CREATE OR REPLACE TABLE spans AS
        SELECT min(month) AS first_day, (max(month) + INTERVAL 1 MONTH - INTERVAL 1 DAY)::DATE AS last_day FROM facts;
    """)
    columns = ", ".join(f"CAST({name} AS {kind}) AS {name}" for name, kind in CARBON.items())
    db.execute(f"CREATE OR REPLACE TABLE facts AS SELECT {columns} FROM facts")


def _or_of_scope(condition: str | None) -> str:
    return f", sum(value) FILTER ({condition})" if condition else ""


def _complete(db: duckdb.DuckDBPyConnection) -> None:
    """`tidy` with every column that is read, null where the layout has none."""
    there = {row[0] for row in db.execute("SELECT column_name FROM (DESCRIBE tidy)").fetchall()}
    for name in ("region", "service", "scope", "value", "unit", "model", *FIGURES):
        if name not in there:
            db.execute(f"ALTER TABLE tidy ADD COLUMN {name} VARCHAR")


def _reject_bad(db: duckdb.DuckDBPyConnection, day: date, reject: Reject) -> None:
    reject(db, "account", _("it names no account"), "coalesce(account, '') = ''")
    reject(db, "month", _("it is no month: write 2026-03"), f"{_month()} IS NULL")
    reject(db, "month", _("it lies in the future"), f"{_month()} > {literal(str(day))}::DATE")
    reject(db, "unit", _("this unit is not known"), f"CASE {_squeezed('unit')} {_whens(UNITS)} END IS NULL")
    is_no_scope = f"scope IS NOT NULL AND CASE {_squeezed('scope')} {_whens(SCOPES)} END IS NULL"
    reject(db, "scope", _("it is none of the three scopes"), is_no_scope)
    for name in (*FIGURES, "value"):
        number = f"TRY_CAST({name} AS DOUBLE)"
        no_number = f"coalesce(isnan({number}) OR {number} NOT BETWEEN 0 AND {MOST_KG}, TRUE)"
        reject(db, name, _("it is no amount"), f"{name} IS NOT NULL AND {no_number}")
    nothing = " AND ".join(f"{name} IS NULL" for name in (*FIGURES, "value"))
    reject(db, "market", _("it states no emissions"), nothing)


def _month() -> str:
    """``2026-03``, ``2026-03-01 00:00:00Z`` and ``20260301`` alike."""
    digits = "regexp_replace(left(month, 10), '[^0-9]', '', 'g')"
    return f"TRY_CAST(TRY_STRPTIME(left({digits} || '01', 8), '%Y%m%d') AS DATE)"


def _squeezed(name: str) -> str:
    return f"regexp_replace(lower(coalesce({name}, '')), '[^a-z0-9]', '', 'g')"


def _whens(meanings: Mapping[str, object]) -> str:
    return " ".join(
        f"WHEN {literal(key)} THEN {literal(value) if isinstance(value, str) else value}"
        for key, value in meanings.items()
    )

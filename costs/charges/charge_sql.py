"""SQL that makes charges of a file's rows: mapped to texts, cast, and each checked. Pure: no Django.

Every row is kept, with the name of the column that keeps it from being a charge, if one does (`x_Problem`).
"""

from collections.abc import Mapping
from datetime import date

from costs.charges import json_lines
from costs.charges.bill_files import JSON, BillFile
from costs.formats.base import CHARGE_COLUMNS, IS_UNUSED_PART, METRICS, aside
from costs.formats.normalise import ABSENT, SEPARATOR
from costs.formats.sql import FULL, beyond, literal, moment, quoted, stored
from finops_site.lib.money import NO_CURRENCY

# The problem of a row that is empty: not a charge, and not a reject either.
BLANK = "blank"
FIRST_DAY, LAST_DAY = date(2000, 1, 1), date(2100, 1, 1)


def select_charges(number: int, file: BillFile) -> str:
    """SQL for the rows of a file as charges; `number` is the place of the file in its bill."""
    columns = ", ".join(
        [
            *(quoted(name) for name in CHARGE_COLUMNS if name != "x_Normalised"),
            f"""{_changes(file)} AS "x_Normalised\"""",
            *(quoted(f"x_{name}Beyond") for name in METRICS),
            *(f"{_extra(name)} AS {quoted(name)}" for name in file.format.extras(file.sheet)),
        ]
    )
    return f"""SELECT {columns},
        {_billing_month(file)} AS "x_BillingMonth", {number} AS "x_File",
        {problem_sql(file)} AS "x_Problem"
        FROM {rows_sql(file, file.source())}"""


def _changes(file: BillFile) -> str:
    """SQL for what was read otherwise than it is written; what is no number and no reason to reject is left out."""
    numbers = [name for name, kind in CHARGE_COLUMNS.items() if kind == "number" or name in file.format.lenient]
    bad = {
        f"{text_column(name)} IS NOT NULL AND {quoted(name)} IS NULL": source_column(file, name)
        for name in numbers
        if _rule_sql(file, name) != ABSENT
    }
    if not bad:
        return quoted("x_Normalised")
    notes = [
        f"CASE WHEN {is_bad} THEN {literal(f'{column} that is no number and was left out')} END"
        for is_bad, column in bad.items()
    ]
    every = ", ".join([literal(SEPARATOR), quoted("x_Normalised"), *notes])
    return f"CASE WHEN {' OR '.join(bad)} THEN concat_ws({every}) ELSE {quoted('x_Normalised')} END"


def source_column(file: BillFile, column: str) -> str:
    """The charge column as the bill's own header names it, when the bill has it in one column."""
    sql = _rule_sql(file, column)
    as_it_stands = [name for name, cell in file.sheet.columns.items() if cell == sql]
    of_rows = [name for needed in file.format.metric_columns if needed.metric == column for name in needed.columns]
    return next(iter(as_it_stands), of_rows[0] if len(of_rows) == 1 else column)


def source_columns(file: BillFile, column: str) -> list[str]:
    """The bill's own columns that a charge column is made of; none where the format knows it without the bill."""
    sql = _rule_sql(file, column)
    # What several charge columns need was worked out before, the later of what is earlier.
    for name, rule in reversed(list(file.format.aside.items())):
        if aside(name) in sql:
            sql += rule(file.sheet) or ""
    names = [name for name, cell in file.sheet.columns.items() if cell in sql]
    return [name for name in names if not any(other.startswith(f"{name}.") for other in names)]


def _billing_month(file: BillFile) -> str:
    """SQL for the month a charge is billed in.

    Where a format reads the end of billing periods, a period that starts within fourteen hours of a month at another
    zone's midnight is that month; one of up to 45 days is the month in which it mostly lies.
    """
    start = '"BillingPeriodStart"'
    month = f"date_trunc('month', {start})::DATE"
    if file.format.period_end is None:
        return month
    end = moment(_PERIOD_END)
    middle = f"{start} + to_seconds(CAST(date_diff('second', {start}, {end}) / 2 AS BIGINT))"
    nearest = f"CASE WHEN {end} > {start} AND {end} < {start} + INTERVAL 45 DAY THEN {middle} "
    nearest += f"ELSE {start} + INTERVAL 14 HOUR END"
    # Nearly every period starts on the first: then its end is not even parsed.
    return f"CASE WHEN day({start}) = 1 THEN {month} ELSE date_trunc('month', {nearest})::DATE END"


# The name under which the end of the billing period is at hand.
_PERIOD_END = quoted("text of period end")


def rows_sql(file: BillFile, source: str, *more_columns: str) -> str:
    """The rows of a file, first mapped to texts and then cast, so that no text is worked out twice."""
    texts = _texts(file)
    cells = [*file.sheet.columns.values(), *([json_lines.UNREAD] if file.kind in JSON else [])]
    all_empty = f"coalesce({', '.join(cells)}) IS NULL"
    mapped = [f"{sql} AS {text_column(name)}" for name, sql in texts.items()]
    mapped += [f"{sql} AS {_extra(name)}" for name, sql in file.format.extras(file.sheet).items()]
    mapped += [f"{json_lines.UNREAD} AS {text_column('line')}"] if file.kind in JSON else []
    mapped += [_PERIOD_END] if file.format.period_end else []
    first_metric = texts[next((name for name in METRICS if name in file.format.always), METRICS[0])]
    mapped.append(f"CASE WHEN {stored(first_metric)} IS NULL THEN {all_empty} ELSE false END AS empty_row")
    cast = [f"{_cast(file, kind, text_column(name))} AS {quoted(name)}" for name, kind in CHARGE_COLUMNS.items()]
    cast += [f"CAST({beyond(text_column(name))} AS {FULL}) AS {quoted(f'x_{name}Beyond')}" for name in METRICS]
    texts_of_rows = f"(SELECT {', '.join([*more_columns, *mapped])} FROM {_prepared(file, source)})"
    return f"(SELECT *, {', '.join(cast)} FROM {texts_of_rows})"


def _prepared(file: BillFile, source: str) -> str:
    """The rows with what several columns need: worked out once, and in the plan once."""
    if file.format.unused:
        source = _with_unused_parts(source, file.format.unused.where(file.sheet))
    if file.format.period_end:
        source = f"(SELECT *, {file.format.period_end(file.sheet) or 'NULL::VARCHAR'} AS {_PERIOD_END} FROM {source})"
    step: dict[str, str] = {}
    for name, rule in file.format.aside.items():
        sql = rule(file.sheet) or "NULL"
        if any(earlier in sql for earlier in step):
            source, step = _with_columns(source, step), {}
        step[aside(name)] = sql
    source = _with_columns(source, step)
    metrics = ", ".join(f"{_rule_sql(file, name)} AS {_as_delivered(name)}" for name in METRICS)
    return f"(SELECT *, {metrics} FROM {source})"


def _with_columns(source: str, columns: Mapping[str, str]) -> str:
    added = "".join(f", {sql} AS {name}" for name, sql in columns.items())
    return f"(SELECT *{added} FROM {source})" if added else source


def _with_unused_parts(source: str, where: str | None) -> str:
    """The rows, those that carry two charges twice."""
    if not where:
        return f"(SELECT *, false AS {IS_UNUSED_PART} FROM {source})"
    readings = f"(VALUES (false), (true)) AS readings({IS_UNUSED_PART})"
    return f"(SELECT * FROM {source} CROSS JOIN {readings} WHERE NOT {IS_UNUSED_PART} OR coalesce({where}, false))"


def _rule_sql(file: BillFile, name: str) -> str:
    """SQL for the text of a charge column as the format reads it."""
    rule = file.format.columns.get(name)
    return (rule(file.sheet) if rule else None) or ABSENT


def _as_delivered(name: str) -> str:
    """The name under which a metric's text stands."""
    return quoted(f"delivered {name}")


def text_column(name: str) -> str:
    """The name under which a charge column's text is at hand while it is cast."""
    return quoted(f"text of {name}")


def _extra(name: str) -> str:
    """The name under which a column that no rule reads is carried along."""
    return quoted(f"extra {name}")


def _texts(file: BillFile) -> dict[str, str]:
    """SQL for the text of every charge column; the currency is in capitals, and XXX where the bill has none."""
    texts = {name: _rule_sql(file, name) for name in CHARGE_COLUMNS}
    texts |= {name: _as_delivered(name) for name in METRICS}
    if texts["BillingCurrency"] == ABSENT:
        default = "USD" if file.format.needs_month else NO_CURRENCY
        texts["BillingCurrency"] = literal(file.sheet.options.currency or default)
    elif stated := file.sheet.options.currency:
        texts["BillingCurrency"] = f"coalesce({texts['BillingCurrency']}, {literal(stated)})"
    return texts | {"BillingCurrency": f"upper(trim({texts['BillingCurrency']}))"}


def _cast(file: BillFile, kind: str, sql: str) -> str:
    if kind in ("money", "number"):
        return stored(sql)
    if kind == "moment":
        return moment(sql)
    if kind == "tags":
        # As text, whatever it is: to make maps of a million texts takes longer than all the rest of a row.
        return f"CAST(to_json({sql}) AS VARCHAR)" if file.format.tags_are_map else sql
    return sql


def problem_sql(file: BillFile) -> str:
    """SQL naming the first charge column that keeps a row from being a charge; null for good rows."""
    # A row that carries two charges is rejected once.
    added = file.format.unused.added if file.format.unused else ""
    cases = " ".join(
        f"WHEN {is_bad} THEN "
        + (f"CASE WHEN {added} THEN {literal(BLANK)} ELSE {literal(name)} END" if added else literal(name))
        for name, is_bad, _ in cell_checks(file)
    )
    return f"CASE WHEN empty_row THEN {literal(BLANK)} {cases} END"


def cell_checks(file: BillFile) -> list[tuple[str, str, str]]:
    """(charge column, SQL that is true when its cell is bad, reason)."""
    unread = f"has no {file.sheet.rows_in}" if file.sheet.rows_in else "is not a JSON object"
    checks = [("line", f"{text_column('line')} IS NOT NULL", unread)] if file.kind in JSON else []
    for name in METRICS:
        text, value, rest = text_column(name), quoted(name), quoted(f"x_{name}Beyond")
        if name in file.format.always:
            checks.append((name, f"{text} IS NULL", "is empty"))
        if name not in file.format.lenient:
            checks.append((name, f"{value} IS NULL AND {text} IS NOT NULL", "is not a number"))
            checks.append((name, f"{rest} IS NULL", "has more digits than can be kept"))
    for name in ("BillingPeriodStart", "ChargePeriodStart"):
        checks.append((name, f"{text_column(name)} IS NULL", "is empty"))
        outside = f"{quoted(name)} NOT BETWEEN '{FIRST_DAY}' AND '{LAST_DAY}'"
        checks.append((name, f"coalesce({outside}, true)", "is not a date of this century"))
    checks.append(("BillingCurrency", '"BillingCurrency" IS NULL', "is empty"))
    code = "length(BillingCurrency) = 3 AND regexp_full_match(BillingCurrency, '[A-Z]{3}')"
    checks.append(("BillingCurrency", f"NOT ({code})", "is not a currency code"))
    return checks

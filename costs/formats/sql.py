"""SQL that DuckDB reads: literals, names, exact decimals, moments and tags out of texts. Pure: no Django."""

from datetime import date
from typing import Literal

# What stands for a NUL byte, which PostgreSQL has none of.
NO_NUL = "\ufffd"

STORED = "DECIMAL(38, 18)"
# Formulas add and subtract before anything is rounded to what is stored; control totals keep up to 28 decimals.
FORMULA = "DECIMAL(38, 24)"
FULL = "DECIMAL(38, 28)"


# What stands between thousands whatever the decimal mark: spaces of all widths, and the apostrophes of Switzerland.
_GAPS = " '\u2019\u00a0\u202f\u2009"
_MINUS = "[-+\u2212\u2013]"
# A sign of money or a currency code, before or after the amount; only codes that bills are in: ``USE1`` is no money.
_CODES = (
    "USD|EUR|GBP|CHF|JPY|CNY|INR|AUD|CAD|NZD|SEK|NOK|DKK|PLN|CZK|HUF|RON|BGN|TRY|ILS|BRL|MXN|CLP|COP|ZAR|AED|SAR|SGD|"
    "HKD|TWD|KRW|THB|MYR|IDR|PHP|VND"
)
_MONEY = f"(?:(?:US|R|A|C|HK|S|NZ)?[$]|[\u20ac\u00a3\u00a5\u20b9\u20a9]|{_CODES}|kr|z\u0142)"
# The thousands of one amount are all separated by the same: ``1 234,567`` has three decimals.
_WHOLE = "[1-9][0-9]{0,2}(?:(?:<other>[0-9]{2,3})*<other>[0-9]{3}|(?:<gap>[0-9]{2,3})*<gap>[0-9]{3})|[0-9]*"
_NUMBER = f"({_WHOLE})((?:<own>[0-9]+)?)((?:[eE][-+]?[0-9]+)?)"

DecimalMark = Literal["point", "comma"]
DateOrder = Literal["day-first", "month-first"]


def number_shape(mark: DecimalMark) -> str:
    """The pattern of an amount whose decimals follow a point or a comma, with whatever people dress amounts in.

    The other mark, spaces and apostrophes may stand between thousands; a minus before or after it or brackets around it
    make it negative. The groups of the pattern are its whole part, its decimals and its exponent.
    """
    point, comma = "[.]", ","
    other, own = (comma, point) if mark == "point" else (point, comma)
    number = _NUMBER.replace("<other>", other).replace("<own>", own).replace("<gap>", f"[{_GAPS}]")
    gap = f"[{_GAPS}]*"
    before = f"{gap}{_MINUS}?{gap}{_MONEY}?{gap}[(]?{gap}{_MINUS}?{gap}{_MONEY}?{gap}{_MINUS}?{gap}"
    return f"{before}{number}{gap}{_MONEY}?{gap}{_MINUS}?{gap}[)]?{gap}{_MONEY}?{gap}"


def is_amount(sql: str, mark: DecimalMark) -> str:
    """SQL that is true for a text that is an amount with this decimal mark."""
    return f"({sql} SIMILAR TO {literal(number_shape(mark))} AND {sql} SIMILAR TO '.*[0-9].*')"


def plain_number(sql: str, mark: DecimalMark) -> str:
    """An amount as a spreadsheet may have left it (``$10,000.00``, ``1.234,56-``, ``(12.50)``) as a plain number.

    Null stays null, and what is no such amount stays as it is.
    """
    shape = number_shape(mark)
    bare = f"regexp_replace({sql}, {literal(f'^(?:{shape})$')}, '\\1\\2\\3')"
    between = _GAPS + ("," if mark == "point" else ".")
    without_gaps = f"regexp_replace({bare}, {literal(f'[{between}]')}, '', 'g')"
    is_negative = f"regexp_matches({sql}, '^[^0-9]*[-(\u2212\u2013]|[-\u2212\u2013][^0-9]*$')"
    number = f"CASE WHEN {is_negative} THEN '-' ELSE '' END || replace({without_gaps}, ',', '.')"
    return f"CASE WHEN {is_amount(sql, mark)} THEN {number} ELSE {sql} END"


# Signs of money, and of which currencies each may be.
_DOLLARS = ("USD", "AUD", "CAD", "NZD", "HKD", "SGD", "TWD", "MXN", "CLP", "COP")
_SIGNS = {
    "US$": ("USD",),
    "R$": ("BRL",),
    "A$": ("AUD",),
    "C$": ("CAD",),
    "HK$": ("HKD",),
    "S$": ("SGD",),
    "NZ$": ("NZD",),
    "$": _DOLLARS,
    "\u20ac": ("EUR",),
    "\u00a3": ("GBP",),
    "\u00a5": ("JPY", "CNY"),
    "\u20b9": ("INR",),
    "\u20a9": ("KRW",),
    "kr": ("SEK", "NOK", "DKK"),
    "z\u0142": ("PLN",),
}


def is_other_money(sql: str, currency: str) -> str:
    """SQL that is true for an amount that wears the sign or the code of another currency than `currency` (SQL)."""
    sign, code = f"regexp_extract({sql}, {literal(_MONEY)})", f"upper({currency})"
    cases = " ".join(
        f"WHEN {literal(each_sign)} THEN {code} NOT IN ({', '.join(map(literal, codes))})"
        for each_sign, codes in _SIGNS.items()
    )
    return f"coalesce(CASE {sign} WHEN '' THEN false {cases} ELSE {sign} <> {code} END, false)"


def stored(sql: str) -> str:
    """Text to the stored decimal; null when it is no number (DuckDB rounds halves away from zero at 18 places)."""
    return f"TRY_CAST({sql} AS {STORED})"


def product(one: str, other: str) -> str:
    """The exact product of two numbers in text, to 24 decimals; null where either is no number.

    Whole and broken parts are multiplied apart: the product of two stored decimals would need 36 decimals at once.
    """

    def part(sql: str, which: str) -> str:
        number = stored(sql)
        if which == "whole":
            return f"CAST(trunc({number}) AS DECIMAL(19, 0))"
        return f"CAST({number} - trunc({number}) AS DECIMAL(19, 18))"

    parts = [
        f"CAST({part(one, first)} * {part(other, second)} AS {FORMULA})"
        for first in ("whole", "broken")
        for second in ("whole", "broken")
    ]
    return " + ".join(parts)


def beyond(sql: str) -> str:
    """What the text has beyond its 18 stored decimals; null where even 38 digits cannot hold it."""
    rest = f"TRY_CAST({sql} AS {FULL}) - TRY_CAST({stored(sql)} AS {FULL})"
    return (
        f"CASE WHEN {sql} IS NULL THEN 0 WHEN contains({sql}, 'e') OR contains({sql}, 'E') THEN coalesce({rest}, 0) "
        f"WHEN length({sql}) > 19 AND length({sql}) - strpos({sql}, '.') > 18 AND contains({sql}, '.') THEN {rest} "
        f"ELSE 0 END"
    )


# The end of a moment: an offset from UTC, the name of a zone, or both as Go writes them (``+0000 UTC``).
ZONE = "(:[0-9:.,]+(?: ?[AaPp][Mm])?) ?([+-][0-9]{2}(:?[0-9]{2})?( [A-Z]{1,5})?|UTC|GMT|Z)$"
HALF_OF_DAY = "[0-9] ?[AaPp][.]?[Mm][.]?$"


def moment(sql: str) -> str:
    """Text to a timestamp: ISO, a number of seconds since 1970, digits only, or a month by its name.

    A text in UTC gives UTC, one with an offset the time at its place: its day is the day of the bill. Dates of numbers
    alone (``5/3/2026``) are none here, for no cell shows which is the month: see `dates_in_order`.
    """
    local = f"regexp_replace({sql}, '{ZONE}', '\\1')"
    return (
        f"CASE WHEN length({sql}) = 19 AND {sql}[5] = '-' OR {sql} LIKE '____-%Z' THEN TRY_CAST({sql} AS TIMESTAMP) "
        # A cast would overlook which half of the day it is.
        f"WHEN {sql} LIKE '2%' AND regexp_matches({local}, '{HALF_OF_DAY}') THEN {_of_half_days(local)} "
        f"WHEN {sql} LIKE '____-%' OR {sql} LIKE '____/%' THEN TRY_CAST({local} AS TIMESTAMP) "
        f"WHEN regexp_full_match({sql}, '[0-9]+([.][0-9]+)?') THEN {_digits(sql)} "
        f"WHEN regexp_full_match({sql}, '[0-9]{{8}}T[0-9]{{6}}.*') THEN try_strptime(left({sql}, 15), '%Y%m%dT%H%M%S') "
        f"WHEN regexp_matches({sql}, '[A-Za-z]{{3}}') THEN try_strptime({local}, {list(_NAMED)}) END"
    )


_NAMED = (
    *("%d-%b-%y", "%d-%b-%Y", "%d %b %Y", "%d %B %Y", "%b %d, %Y", "%B %d, %Y", "%d-%b-%Y %H:%M:%S", "%d/%b/%Y"),
    *("%d %b %Y %H:%M:%S", "%a, %d %b %Y %H:%M:%S", "%b %d, %Y %H:%M:%S", "%b %d, %Y, %I:%M:%S %p"),
)


def _of_half_days(sql: str) -> str:
    """A text that begins with the year and ends with AM or PM to a timestamp."""
    plain = f"replace(regexp_replace({sql}, ' ?([AaPp])[.]?[Mm][.]?$', ' \\1M'), '/', '-')"
    return f"try_strptime(replace({plain}, 'T', ' '), ['%Y-%m-%d %I:%M:%S %p', '%Y-%m-%d %I:%M %p'])"


def _digits(sql: str) -> str:
    """A moment of digits only: ``20260301`` and longer, else seconds since 1970 or thousandths of them and so on.

    Ten digits from ``20`` on are a day and an hour: as seconds they would lie after 2033.
    """
    digits, micros = f"split_part({sql}, '.', 1)", f"TRY_CAST({sql} AS DECIMAL(38, 9))"
    return (
        f"CASE length({digits}) WHEN 8 THEN try_strptime({sql}, '%Y%m%d') "
        f"WHEN 12 THEN try_strptime({sql}, '%Y%m%d%H%M') "
        f"WHEN 14 THEN try_strptime({digits}, '%Y%m%d%H%M%S') "
        f"WHEN 10 THEN CASE WHEN {sql} LIKE '20%' THEN try_strptime({sql}, '%Y%m%d%H') "
        f"ELSE make_timestamp(CAST({micros} * 1000000 AS BIGINT)) END "
        f"WHEN 13 THEN make_timestamp(CAST({micros} * 1000 AS BIGINT)) "
        f"WHEN 16 THEN make_timestamp(CAST({micros} AS BIGINT)) "
        f"WHEN 19 THEN make_timestamp(CAST(trunc({micros} / 1000) AS BIGINT)) END"
    )


# Two numbers and a year between slashes, points or dashes, and what follows: a time, or nothing.
DATE_SHAPE = "^ *([0-9]{1,2})[/.-]([0-9]{1,2})[/.-]([0-9]{4}|[0-9]{2})([^0-9].*)?$"
# Days since the end of 1899 as spreadsheets keep dates, from 2000 to 2099.
SERIAL_SHAPE = "(3[6-9]|[4-6][0-9]|7[0-2])[0-9]{3}([.][0-9]+)?"


def dates_in_order(sql: str, order: DateOrder) -> str:
    """Dates of numbers alone, with a time or without, as ISO text; what is no such date stays as it is."""
    date = "%d/%m/%Y" if order == "day-first" else "%m/%d/%Y"
    times = ("", " %H:%M:%S", " %H:%M", " %I:%M:%S %p", " %I:%M %p", " %H:%M:%S.%f", " %I:%M:%S%p", " %I:%M%p")
    formats = [f"{date}{time}" for time in times]
    # ``5.3.26, 10:00`` and ``05-03-2026T10:00`` with slashes, a year of four digits and one space.
    slashes = f"regexp_replace({sql}, '{DATE_SHAPE}', '\\1/\\2/\\3\\4')"
    long_year = f"regexp_replace({slashes}, '^([0-9]+/[0-9]+/)([0-9]{{2}})([^0-9]|$)', '\\120\\2\\3')"
    plain_half = f"regexp_replace({long_year}, '([AaPp])[.] ?[Mm][.]', '\\1M')"
    spaced = f"trim(regexp_replace({plain_half}, '^([0-9/]+)[, T]+', '\\1 '))"
    parsed = f"try_strptime(regexp_replace({spaced}, '{ZONE}', '\\1'), {formats})"
    iso = f"coalesce(CAST({parsed} AS VARCHAR), {sql})"
    return f"CASE WHEN regexp_matches({sql}, '{DATE_SHAPE}') THEN {iso} ELSE {sql} END"


def dates_of_serials(sql: str) -> str:
    """The day numbers of spreadsheets as ISO text, to the second; what is no such number stays as it is."""
    seconds = f"CAST(round(TRY_CAST({sql} AS DECIMAL(20, 10)) * 86400) AS BIGINT)"
    moment = f"CAST(TIMESTAMP '1899-12-30' + to_seconds({seconds}) AS VARCHAR)"
    return f"CASE WHEN regexp_full_match({sql}, '{SERIAL_SHAPE}') THEN {moment} ELSE {sql} END"


def tags(sql: str) -> str:
    """A JSON object to a map of texts; null when it is no JSON object.

    Of a key that is repeated the last value counts, as most readers of JSON have it. A backslash that JSON does not
    allow (``C:\\dir``) and a tab or line break inside a text are read as the characters they are, a bare ``None`` as
    null. Only what is no plain map takes the long way.
    """
    return f"coalesce({_plain(sql)}, {_last_of_each_key(_mended(sql))})"


def is_plain(sql: str) -> str:
    """SQL that is true for a text of tags that is a JSON object as it should be."""
    return f"({_plain(sql)} IS NOT NULL)"


def _plain(sql: str) -> str:
    return f"TRY_CAST(TRY_CAST({sql} AS JSON) AS MAP(VARCHAR, VARCHAR))"


def repeats_a_key(sql: str) -> str:
    """SQL that is true for a text of tags that has a key more than once."""
    keys = f"json_keys({_object(_mended(sql))})"
    return f"coalesce(len({keys}) > len(list_distinct({keys})), false)"


def is_mended(sql: str) -> str:
    """SQL that is true for a text of tags that is a JSON object only once it is mended."""
    return f"coalesce(TRY_CAST({sql} AS JSON) IS NULL AND {_object(_mended(sql))} IS NOT NULL, false)"


# A backslash is right before these; an escaped backslash stands aside as this character while others are looked at.
_ESCAPABLE, _PAIR = '"/bfnrtu', "chr(1)"


def _mended(sql: str) -> str:
    """SQL for the JSON value of a text, of one that is nearly JSON too; null when it is neither."""
    spaced = f"replace(replace(replace({sql}, chr(9), '\\t'), chr(10), '\\n'), chr(13), '\\r')"
    apart = f"replace({spaced}, '\\\\', {_PAIR})"
    doubled = f"regexp_replace({apart}, '\\\\([^{_ESCAPABLE}])', '\\\\\\\\\\1', 'g')"
    some = f"replace({doubled}, {_PAIR}, '\\\\')"
    every = f"replace({sql}, '\\', '\\\\')"
    pythonic = f"regexp_replace({some}, '(: *)(None|NaN|nan)( *[,}}])', '\\1null\\3', 'g')"
    return f"coalesce({', '.join(f'TRY_CAST({text} AS JSON)' for text in (sql, some, every, pythonic))})"


def _object(json: str) -> str:
    return f"(CASE WHEN json_type({json}) = 'OBJECT' THEN {json} END)"


def _last_of_each_key(json: str) -> str:
    """SQL for the map of a JSON object whose keys may be repeated."""
    pairs = f"list_zip(json_keys({_object(json)}), json_extract_string({_object(json)}, '$.*'))"
    later = f"list_transform(({pairs})[_at_ + 1:], lambda _other_: _other_[1])"
    last = f"list_filter({pairs}, lambda _each_, _at_: NOT list_contains({later}, _each_[1]))"
    return f"CASE WHEN {_object(json)} IS NOT NULL THEN map_from_entries({last}) END"


def as_json(text: str) -> str:
    """A text as JSON; some flatteners write Python's own notation (single quotes, None). Null when it is neither."""
    python = f"replace({text}, chr(39), chr(34))"
    for theirs, json in (("None", "null"), ("True", "true"), ("False", "false")):
        python = f"replace({python}, ': {theirs}', ': {json}')"
    return f"coalesce(TRY_CAST({text} AS JSON), TRY_CAST({python} AS JSON))"


# Parameters of lambdas are called _each_, _other_ and _at_: a column of the bill by the same name would be read in
# their place, and bills may have columns called e, part and pair.


def tag_pairs(json: str) -> str:
    """The tags of a JSON value as a list of {k, v}: of a list of keys and values, or of an object. Null for others."""

    def first_of(*names: str) -> str:
        return "coalesce(" + ", ".join(f"json_extract_string(_each_, '$.{name}')" for name in names) + ")"

    key, value = first_of("key", "Key", "name", "Name"), first_of("value", "Value")
    pair = f"{{'k': {key}, 'v': coalesce({value}, '')}}"
    entry = "{'k': _other_.key, 'v': coalesce(_other_.value, '')}"

    def entries_of(json_object: str) -> str:
        entries = f"map_entries(TRY_CAST({json_object} AS MAP(VARCHAR, VARCHAR)))"
        return f"list_transform({entries}, lambda _other_: {entry})"

    # An object without either name is tags itself: ``[{"team": "a"}, {"env": "b"}]``.
    has_names = "list_has_any(json_keys(_each_), ['key', 'Key', 'name', 'Name', 'value', 'Value'])"
    of_element = f"CASE WHEN json_type(_each_) <> 'OBJECT' THEN [] WHEN {has_names} THEN [{pair}] "
    of_element += f"ELSE {entries_of('_each_')} END"
    listed = f"flatten(list_transform(TRY_CAST({json} AS JSON[]), lambda _each_: {of_element}))"
    entries = entries_of(json)
    return f"CASE json_type({json}) WHEN 'ARRAY' THEN {listed} WHEN 'OBJECT' THEN {entries} END"


def map_of_pairs(pairs: str) -> str:
    """A map of a list of {k, v}; the first pair that names a key stands."""
    earlier = f"list_transform(({pairs})[:_at_ - 1], lambda _other_: _other_.k)"
    named = f"_each_.k IS NOT NULL AND NOT list_contains({earlier}, _each_.k)"
    return f"map_from_entries(list_filter({pairs}, lambda _each_, _at_: {named}))"


# Blanks that people leave around a value, no-break spaces and other invisible ones among them. DuckDB and PostgreSQL
# both cut them with ``btrim`` or ``trim(text, characters)``.
WHITE_SPACE = (
    " \t\r\n\v\f\u0085\u00a0\u1680\u180e\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007"
    "\u2008\u2009\u200a\u200b\u200c\u200d\u2028\u2029\u202f\u205f\u2060\u3000\ufeff"
)


def for_comparison(sql: str) -> str:
    """A tag's value as it is compared: without regard to case and to blanks around it."""
    return f"lower(trim({sql}, {literal(WHITE_SPACE)}))"


def literal(value: str) -> str:
    return "'" + value.replace("'", "''") + "'"


def quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def month_moment(month: date) -> str:
    """The first moment of `month`, as text like every other cell."""
    return f"'{month:%Y-%m-%d} 00:00:00'"

"""SQL that DuckDB reads: literals, names, exact decimals, moments and tags out of texts. Pure: no Django."""

from datetime import date

# What stands for a NUL byte, which PostgreSQL has none of.
NO_NUL = "\ufffd"

STORED = "DECIMAL(38, 18)"
# Formulas add and subtract before anything is rounded to what is stored; control totals keep up to 28 decimals.
FORMULA = "DECIMAL(38, 24)"
FULL = "DECIMAL(38, 28)"


def plain_number(sql: str) -> str:
    """A cell as a spreadsheet may have left it, ``$10,000.00``, without its sign of money and thousands separators."""
    dressed = "^ *-?[$€£]? ?-?[0-9]{1,3}(,[0-9]{3})*([.][0-9]+)? *$"
    signs = " OR ".join(f"contains({sql}, '{sign}')" for sign in ",$€£")
    return (
        f"CASE WHEN ({signs}) AND regexp_matches({sql}, '{dressed}') "
        f"THEN regexp_replace({sql}, '[$€£, ]', '', 'g') ELSE {sql} END"
    )


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


def moment(sql: str) -> str:
    """Text to a UTC timestamp: ISO with or without an offset, else month/day/year as American spreadsheets write it.

    The year must be recognised by its shape: DuckDB's own cast reads ``5/1/25`` as a day of the year 5.
    """
    american = "['%m/%d/%Y %H:%M:%S', '%m/%d/%Y %H:%M', '%m/%d/%Y', '%m/%d/%y %H:%M', '%m/%d/%y']"
    short = "['%m/%d/%y %H:%M:%S', '%m/%d/%y %H:%M', '%m/%d/%y']"
    return (
        f"CASE WHEN length({sql}) = 19 AND {sql}[5] = '-' OR {sql} LIKE '____-%Z' THEN TRY_CAST({sql} AS TIMESTAMP) "
        f"WHEN {sql} LIKE '____-%' THEN TRY_CAST({sql} AS TIMESTAMPTZ)::TIMESTAMP "
        f"WHEN regexp_matches({sql}, '/[0-9]{{2}}( |$)') THEN try_strptime({sql}, {short}) "
        f"ELSE try_strptime({sql}, {american}) END"
    )


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
    listed = f"list_transform(TRY_CAST({json} AS JSON[]), lambda _each_: {pair})"
    entry = "{'k': _each_.key, 'v': coalesce(_each_.value, '')}"
    entries = f"list_transform(map_entries(TRY_CAST({json} AS MAP(VARCHAR, VARCHAR))), lambda _each_: {entry})"
    return f"CASE json_type({json}) WHEN 'ARRAY' THEN {listed} WHEN 'OBJECT' THEN {entries} END"


def map_of_pairs(pairs: str) -> str:
    """A map of a list of {k, v}; the first pair that names a key stands."""
    earlier = f"list_transform(({pairs})[:_at_ - 1], lambda _other_: _other_.k)"
    named = f"_each_.k IS NOT NULL AND NOT list_contains({earlier}, _each_.k)"
    return f"map_from_entries(list_filter({pairs}, lambda _each_, _at_: {named}))"


# Blanks that people leave around a value, no-break spaces and other invisible ones among them. DuckDB and PostgreSQL
# both cut them with ``btrim`` or ``trim(text, characters)``.
WHITE_SPACE = (
    " \t\r\n\v\f\u00a0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007"
    "\u2008\u2009\u200a\u200b\u2028\u2029\u202f\u205f\u3000\ufeff"
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

"""What a bill's format is: a declarative map from the provider's columns to FOCUS columns. Pure: no Django.

A format maps text to text, money, moments and tags by small rules; DuckDB does the reading, so no Python ever loops
over rows. Adding a provider means adding one file with one ``Format`` and naming it in ``costs.formats.FORMATS``.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Literal

from costs.formats.sql import FORMULA, DateOrder, DecimalMark, as_json, literal, moment, quoted
from finops_site.lib.periods import Month

Kind = Literal["text", "money", "number", "moment", "tags"]

# The table name under which charges are queried, by whatever engine.
CHARGES_TABLE = "charges"

METRICS = ("BilledCost", "EffectiveCost", "ListCost", "ContractedCost")

# Columns that are named after the tag or the cost category whose values they hold.
TAG_COLUMNS = ("resourcetags/", "resource_tags_", "costcategory/", "cost_category_", "tags/")

# The one declared schema of charges: FOCUS names; x_ marks what FOCUS has no column for.
CHARGE_COLUMNS: Mapping[str, Kind] = {
    "ProviderName": "text",
    "PublisherName": "text",
    "InvoiceIssuerName": "text",
    "InvoiceId": "text",
    "BillingAccountId": "text",
    "BillingAccountName": "text",
    "SubAccountId": "text",
    "SubAccountName": "text",
    "BillingCurrency": "text",
    "BillingPeriodStart": "moment",
    "ChargePeriodStart": "moment",
    "ChargePeriodEnd": "moment",
    "ChargeCategory": "text",
    "ChargeClass": "text",
    "ChargeDescription": "text",
    "ChargeFrequency": "text",
    "ServiceCategory": "text",
    "ServiceSubcategory": "text",
    "ServiceName": "text",
    "RegionId": "text",
    "RegionName": "text",
    "AvailabilityZone": "text",
    "ResourceId": "text",
    "ResourceName": "text",
    "ResourceType": "text",
    "SkuId": "text",
    "SkuPriceId": "text",
    "PricingCategory": "text",
    "PricingQuantity": "number",
    "PricingUnit": "text",
    "ConsumedQuantity": "number",
    "ConsumedUnit": "text",
    "ListUnitPrice": "number",
    "ContractedUnitPrice": "number",
    "BilledCost": "money",
    "EffectiveCost": "money",
    "ListCost": "money",
    "ContractedCost": "money",
    "CommitmentDiscountId": "text",
    "CommitmentDiscountName": "text",
    "CommitmentDiscountCategory": "text",
    "CommitmentDiscountType": "text",
    "CommitmentDiscountStatus": "text",
    "CommitmentDiscountQuantity": "number",
    "CommitmentDiscountUnit": "text",
    "Tags": "tags",
    "x_ServiceTitle": "text",
    "x_CommitmentCredits": "number",
    # In months, in the provider's words, in machines or units, and from when up to when: as the bill states them.
    "x_CommitmentTerm": "number",
    "x_CommitmentPayment": "text",
    "x_CommitmentCount": "number",
    "x_CommitmentStart": "moment",
    "x_CommitmentEnd": "moment",
    "x_LineType": "text",
    "x_InstanceType": "text",
    "x_Operation": "text",
    "x_UsageType": "text",
    # Where an invoice is made out to less than the billing account (Microsoft).
    "x_BillingProfileId": "text",
    "x_BillingProfileName": "text",
    "x_InvoiceSectionId": "text",
    "x_InvoiceSectionName": "text",
    # What was read otherwise than it is written, in words.
    "x_Normalised": "text",
}


# What reading adds for itself to the charge columns.
OWN_COLUMNS = (
    *(f"x_{name}Beyond" for name in METRICS),
    *("x_BillingMonth", "x_File", "x_Problem"),
)


class BadBill(ValueError):
    """A bill that cannot be read as a whole; the message names the file and says what to do."""


@dataclass(frozen=True, slots=True)
class Options:
    """What a person states about a bill that the bill does not state itself; `view` is what its folder's name shows."""

    month: Month | None = None
    bill_stopped: bool = False
    currency: str | None = None
    date_order: DateOrder | None = None
    decimal_mark: DecimalMark | None = None
    view: str = ""


def squeezed(name: str) -> str:
    """A column's name without what its writers differ in: case, and what stands between the words.

    ``lineItem/UnblendedCost``, ``line_item_unblended_cost``; ``service.description``, ``service_description``. Of a
    localised ``Maßeinheit (UnitOfMeasure)`` the name in brackets counts.
    """
    bracketed = re.search(r"[(]([^()]+)[)] *$", name)
    return re.sub(r"[^a-z0-9:]", "", (bracketed[1] if bracketed else name).lower())


@dataclass(frozen=True)
class Sheet:
    """The header of one file: {column as written: SQL by which DuckDB reads it as text}.

    `preamble` holds what stands above the header and is the same for every row, `rows_in` the list inside a JSON
    document whose elements are the rows (`Format.rows_in`); `has_rows` is false where every such list is empty.
    """

    columns: Mapping[str, str]
    options: Options = field(default_factory=Options)
    preamble: Mapping[str, str] = field(default_factory=dict)
    rows_in: str = ""
    has_rows: bool = True

    def __contains__(self, name: str) -> bool:
        return self._column(name) is not None

    def has(self, name: str) -> bool:
        """Whether the header has exactly this name."""
        return name in self.columns

    @cached_property
    def _spellings(self) -> tuple[Mapping[str, str], Mapping[str, str]]:
        """({name in small letters: SQL}, {name squeezed: SQL of the first column of that name})."""
        columns = [*self.columns.items(), *self.preamble.items()]
        exact = {name.lower(): sql for name, sql in columns}
        return exact, {squeezed(name): sql for name, sql in reversed(columns)}

    def _column(self, name: str) -> str | None:
        exact, loose = self._spellings
        return exact.get(name.lower()) or loose.get(squeezed(name)) or self._inside(name)

    def _inside(self, name: str) -> str | None:
        """SQL for ``service.description`` where a column ``service`` has a JSON object in its cells."""
        outer, dot, inner = name.partition(".")
        cell = self._spellings[0].get(outer.lower()) if dot else None
        path = ".".join(f'"{key}"' for key in inner.split("."))
        return cell and f"json_extract_string({as_json(cell)}, {literal(f'$.{path}')})"

    def text(self, *names: str) -> str | None:
        """SQL for the first of `names` that has a value in the row; None when the file has none of the columns."""
        columns = list(dict.fromkeys(sql for name in names if (sql := self._column(name))))
        if not columns:
            return None
        return columns[0] if len(columns) == 1 else f"coalesce({', '.join(columns)})"

    def starting(self, prefix: str) -> dict[str, str]:
        """The columns whose names start with `prefix`, without it: {rest of the name as written: SQL}."""
        low = prefix.lower()
        columns: dict[str, str] = {}
        for name, sql in self.columns.items():
            if name.lower().startswith(low):
                key = self._as_delivered(name)[len(prefix) :]
                # Of a column that the header has twice the last value counts, as of a repeated key.
                columns[key] = f"coalesce({sql}, {columns[key]})" if key in columns else sql
        return columns

    def _as_delivered(self, name: str) -> str:
        """The name in the header of a column that was numbered because another has it too, in whichever case."""
        numbered = re.fullmatch(r"(.+) [(][0-9]+[)]", name)
        return numbered[1] if numbered and numbered[1].lower() in self._spellings[0] else name


Rule = Callable[[Sheet], str | None]


@dataclass(frozen=True, slots=True)
class Format:
    """One kind of bill.

    `columns` maps a charge column to the rule that reads it; a column without a rule is null. `required` are the
    source columns that distinguish this format from others; ``a|b`` is met by either. `always` are the metrics every
    row must have. `lenient` metrics become null when unreadable; an unreadable metric anywhere else rejects its row.
    `tags_are_map`: the rule for tags yields a map and no JSON text.

    `aside` are values that several columns need, in the order in which they build on one another: rules read them by
    the name that the function `aside` gives.

    `foreign` are columns that no file of this format has: a header with one of them belongs to another format, which it
    may lack a column of.
    `evidence` distinguishes formats of one header: SQL that is true for some row of a file of this format (a formula),
    and `counter_evidence` SQL that is true for no row of any.
    `repeats` names the format whose bill has all the costs of this one too.
    `view` names the half of the bill that such a format carries, ``actual`` or ``amortized``; both halves are one
    bill. `period_end` reads the end of the billing period where it may start at another zone's midnight: the billing
    month is then the one it mostly lies in. `date_order` is how the provider documents dates of numbers alone.
    `rows_in` is where the rows stand in a JSON document, with ``[]`` behind each list: ``data[].results[]``. A
    row's own names stand as they are, those of what is around it behind ``document.``: ``document.data.starting_at``.
    `pages` says how the answers of an API show that all of them are there, and once. `prices` are looked up in a second
    file of the bill where usage comes without cost. `metric_columns` are rows that have a metric in columns of their
    own. `keeps_all` keeps the columns that no
    rule reads, as text. `warnings` name what a header lets one expect in vain, `remarks` what is worth knowing about
    rows: {SQL over charge columns: message with the number of rows as ``{}``}.
    """

    name: str
    title: str
    required: Sequence[str]
    columns: Mapping[str, Rule]
    aside: Mapping[str, Rule] = field(default_factory=dict)
    always: frozenset[str] = frozenset({"BilledCost"})
    lenient: frozenset[str] = frozenset()
    needs_month: bool = False
    tags_are_map: bool = False
    version: Callable[[Sheet], str] = lambda sheet: ""
    foreign: Sequence[str] = ()
    evidence: str = ""
    counter_evidence: str = ""
    repeats: str = ""
    view: str = ""
    period_end: Rule | None = None
    date_order: DateOrder | None = None
    rows_in: str = ""
    pages: "Pages | None" = None
    prices: "PriceList | None" = None
    keeps_all: bool = False
    metric_columns: "Sequence[MetricColumns]" = ()
    spread: "Spread | None" = None
    unused: "UnusedPart | None" = None
    warnings: Callable[[Sheet], Sequence[str]] = lambda sheet: ()
    remarks: Mapping[str, str] = field(default_factory=dict)

    def missing(self, sheet: Sheet) -> list[str]:
        empty = not sheet.has_rows and sheet.rows_in == self.rows_in
        required = [name for name in self.required if not empty or name.startswith(OUTSIDE)]
        return [name for name in required if not any(spelling in sheet for spelling in name.split("|"))]

    def is_foreign(self, sheet: Sheet) -> bool:
        """Whether the header has a column that shows another format, whatever else it has."""
        return any(name in sheet for name in self.foreign)

    def fits(self, sheet: Sheet) -> bool:
        """Whether a file with this header may be one of this format."""
        return not self.missing(sheet) and not self.is_foreign(sheet)

    def extras(self, sheet: Sheet) -> dict[str, str]:
        """The columns that become no charge column but are kept: {name: SQL}."""
        if not self.keeps_all:
            return {}
        taken = {squeezed(name) for name in (*CHARGE_COLUMNS, *OWN_COLUMNS)}
        # A struct is kept as one.
        inner = {name for name in sheet.columns if "." in name and name.partition(".")[0] in sheet.columns}
        return {name: sql for name, sql in sheet.columns.items() if squeezed(name) not in taken and name not in inner}

    def label(self, sheet: Sheet) -> str:
        return f"{self.name} {self.version(sheet)}".strip()


@dataclass(frozen=True, slots=True)
class MetricColumns:
    """Rows that have a metric in columns of their own, which an export may leave out or empty.

    `rows` is SQL over charge columns; where their `metric` is null it is unknown. A sum without them would pass for the
    whole, so that where a file lacks one of `columns`, or none of the rows has a value, the metric of the bill is
    unknown. With `may_be_empty` single rows without a value are nothing to speak of. `what` calls the rows by a name.
    """

    metric: str
    rows: str
    what: str
    columns: Sequence[str]
    may_be_empty: bool = False


@dataclass(frozen=True, slots=True)
class UnusedPart:
    """Rows that carry two charges: the fee of a commitment, and what nobody used of it.

    FOCUS has a purchase for the one and usage with the status Unused for the other. `where` is true for the rows (a
    formula); each is read twice, and rules tell the second reading by the column IS_UNUSED_PART. `added` is SQL over
    charge columns that is true of the second charges, so that the rows of the bill can still be counted.
    """

    where: Rule
    added: str


@dataclass(frozen=True, slots=True)
class Pages:
    """How the answers of an API, a JSON object each, show whether all are there and each once. SQL over `object`.

    Pages with the same `answer` belong together, and with the same `content` they are the same page. `is_last` is true
    for the last page of an answer. `times` is a list of structs {start, stop, rows} of texts, where an answer is cut by
    time. `rows` is how many rows a page has and `total` how many its answer has; `part` narrows the answer down where
    every page has one. `left_out` are amounts that stand in no row: {SQL: message with the sum as ``{}``}.
    """

    content: str
    answer: str = "''"
    is_last: str = "true"
    times: str = "[]"
    rows: str = "NULL"
    total: str = "NULL"
    part: str = "NULL"
    left_out: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class PriceList:
    """The file that gives usage its price. A price holds from its start until the next one of the same key, or its
    end.

    `required` are the columns that distinguish it. `key` are pairs (rule over the usage, rule over the prices) that
    must agree, those left out that no price list of the delivery has a column for; `at` is the usage's moment, `start`
    and `end` the price's moments. `values` are what is looked up: rules of the format read each by the name that the
    function `looked_up` gives. Text, all of it.
    """

    title: str
    required: Sequence[str]
    key: Sequence[tuple[Rule, Rule]]
    at: Rule
    start: Rule
    end: Rule
    values: Mapping[str, Rule]

    def fits(self, sheet: Sheet) -> bool:
        return all(name in sheet for name in self.required)


@dataclass(frozen=True, slots=True)
class Spread:
    """Fees that a provider bills apart from the usage they cover, to be carried by that usage in effective cost.

    All are SQL over charge columns: `fee` is true for fees, `weight` is how much of the fee a row of usage carries
    (never negative), `within` are the columns inside which fees and usage meet. There they meet by the commitment
    that both name in the column `by`; where the bill does not name it, within a value of `otherwise`. `remark` says
    that we did it.
    """

    fee: str
    weight: str
    within: Sequence[str]
    by: str
    otherwise: str
    remark: str


# What the names begin with that stand around the rows of a JSON document.
OUTSIDE = "document."


def text(*names: str) -> Rule:
    """The first of these columns that has a value."""
    return lambda sheet: sheet.text(*names)


def const(value: str) -> Rule:
    return lambda sheet: literal(value)


def first(*rules: Rule) -> Rule:
    """The first rule that yields a value in the row."""

    def rule(sheet: Sheet) -> str | None:
        cells = [sql for sql in (rule(sheet) for rule in rules) if sql]
        return f"coalesce({', '.join(cells)})" if cells else None

    return rule


def formula(template: str) -> Rule:
    """SQL with ``{column}`` for a column's text and ``{column:n}`` for it as an exact number that is 0 where empty.

    The number is null where the text is no number, so that a formula over it is null too and never silently less.
    """

    def rule(sheet: Sheet) -> str:
        def cell(match: re.Match[str]) -> str:
            name = match[1]
            sql = sheet.text(*name.removesuffix(":n").split("|"))
            if not name.endswith(":n"):
                return sql or "NULL::VARCHAR"
            return f"CASE WHEN {sql} IS NULL THEN 0 ELSE TRY_CAST({sql} AS {FORMULA}) END" if sql else f"0::{FORMULA}"

        return re.sub("[{]([^}]*)[}]", cell, template)

    return rule


def tag_columns(sheet: Sheet, prefix: str, named: Callable[[str], str] = str) -> str | None:
    """A map made of one column for each tag key, which `named` may spell anew; an empty cell is an absent key."""
    return _tag_map({named(key): sql for key, sql in sheet.starting(prefix).items()})


def tags_of(keys: Mapping[str, str]) -> Rule:
    """A map made of single columns: {tag key: column}; an empty cell is an absent key."""
    return lambda sheet: _tag_map({key: sql for key, column in keys.items() if (sql := sheet.text(column))})


def _tag_map(cells: Mapping[str, str]) -> str | None:
    pairs = [f"{{'k': {literal(key)}, 'v': {sql}}}" for key, sql in cells.items()]
    if not pairs:
        return None
    present = f"list_filter([{', '.join(pairs)}], lambda _each_: _each_.v IS NOT NULL)"
    return f"map_from_entries({present})"


def object_tags(column: str) -> Rule:
    """The text of a JSON object of tags, also where its keys became columns of their own (JSON lines)."""

    def rule(sheet: Sheet) -> str | None:
        columns = tag_columns(sheet, f"{column}.")
        return f"CAST(to_json({columns}) AS VARCHAR)" if columns else sheet.text(column)

    return rule


def listed_tags(column: str, separators: str, pair: str) -> Rule:
    """A map made of a text that lists tags, cut at any of `separators`; `pair` is a regular expression of key and
    value.

    What does not match becomes a key without a value; of a key that is repeated the last value stands.
    """

    def rule(sheet: Sheet) -> str | None:
        cell = sheet.text(column)
        if not cell:
            return None
        cut = f"regexp_split_to_array({cell}, {literal(f'[{separators}]')})"
        parts = f"list_filter({cut}, lambda _each_: trim(_each_) <> '')"
        matched = f"regexp_full_match(trim(_each_), {literal(pair)})"
        key, value = (f"regexp_extract(trim(_each_), {literal(pair)}, {group})" for group in (1, 2))
        entry = f"CASE WHEN {matched} THEN {{'k': {key}, 'v': {value}}} ELSE {{'k': trim(_each_), 'v': ''}} END"
        pairs = f"list_transform({parts}, lambda _each_: {entry})"
        later = f"list_transform(({pairs})[_at_ + 1:], lambda _other_: _other_.k)"
        last = f"list_filter({pairs}, lambda _each_, _at_: NOT list_contains({later}, _each_.k))"
        return f"CASE WHEN {cell} IS NOT NULL THEN map_from_entries({last}) END"

    return rule


def month_of(column: str) -> Rule:
    """The first day of the month of a column's date: an ISO date, a month by its name (``March 2026``), or numbers."""

    def rule(sheet: Sheet) -> str | None:
        cell = sheet.text(column) or "NULL::VARCHAR"
        named = f"try_strptime({cell}, ['%B %Y', '%b %Y', '%B, %Y', '%b-%Y', '%m/%Y', '%Y/%m'])"
        other = f"CAST(date_trunc('month', coalesce({named}, {moment(cell)}))::DATE AS VARCHAR)"
        iso = f"left({cell}, 7) || '-01'"
        return f"CASE WHEN {cell} LIKE '____-__%' THEN {iso} ELSE coalesce({other}, {iso}) END"

    return rule


def pages_by_time(start: str, stop: str, answer: str = "''") -> Pages:
    """Pages of buckets of time, as Anthropic and OpenAI have them; `start` and `stop` are the keys of a bucket."""
    cells = ", ".join(
        f"{name}: json_extract_string(_each_, '$.{key}')" for name, key in (("start", start), ("stop", stop))
    )
    struct = f"{{{cells}, rows: json_array_length(_each_, '$.results')}}"
    return Pages(
        content="CAST(json_extract(object, '$.data') AS VARCHAR)",
        answer=answer,
        is_last="coalesce(json_extract_string(object, '$.has_more'), 'false') = 'false'",
        times=f"list_transform(json_extract(object, '$.data[*]'), lambda _each_: {struct})",
    )


def cents(column: str) -> Rule:
    """An amount in cents as an amount, exact to 22 decimals of a cent; a text that is no number stays one."""

    def rule(sheet: Sheet) -> str | None:
        cell = sheet.text(column)
        exact = f"TRY_CAST({cell} AS DECIMAL(35, 22)) * CAST(0.01 AS DECIMAL(3, 2))"
        return cell and f"CASE WHEN {cell} IS NOT NULL THEN coalesce(CAST({exact} AS VARCHAR), 'cents ' || {cell}) END"

    return rule


def looked_up(name: str) -> str:
    """The name under which a value of the price list stands beside the usage."""
    return quoted(f"price {name}")


def json_text(column: str, key: str) -> Rule:
    """The text under a key of a column that holds a JSON object (or was a map in Parquet)."""
    return formula(f"json_extract_string(TRY_CAST({{{column}}} AS JSON), '$.{key}')")


def aside(name: str) -> str:
    """The name under which a value stands that a format works out aside; no bill has such a column."""
    return quoted(f"aside {name}")


# Whether this is the second reading of a row that carries two charges.
IS_UNUSED_PART = aside("unused part")

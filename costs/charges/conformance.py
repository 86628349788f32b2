"""How well a bill keeps the rules of FOCUS that the pages stand on, with rows to look at. Pure: no Django.

The rules are data: a sentence, and SQL over charge columns that is true for a row that breaks it. All are judged in one
pass over the charges. A rule about a column that the bill does not have is *not stated*: it is neither kept nor broken.
Nothing here keeps a bill from being loaded.

The rules paraphrase the FinOps Open Cost and Usage Specification (FOCUS) 1.2, columns and attributes.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal
from enum import StrEnum
from typing import Any

import duckdb

from costs.charges.charge_sql import FIRST_DAY, LAST_DAY
from costs.formats.base import CHARGE_COLUMNS
from costs.formats.service_families import ALLOWED as SERVICE_CATEGORIES
from costs.formats.sql import NO_NUL, literal, moment, quoted, tags
from finops_site.lib.language import gettext_noop as _noop
from finops_site.lib.money import EXACT, ISO_4217, exact_text

EXAMPLES = 20
# Of rules that take long to decide, about so many rows are judged; so many are compared to find equal ones.
SAMPLED_ROWS = 30_000
COMPARED_ROWS = 300_000
LONGEST_VALUE = 200
# Kinds of rules, in the order of the page.
FAMILIES = (
    *(_noop("Identity"), _noop("Categories"), _noop("Periods"), _noop("Amounts")),
    *(_noop("Commitments"), _noop("Tags"), _noop("Rows")),
)


class Severity(StrEnum):
    """Whether breaking a rule counts in the score, or is only worth a look."""

    MUST = "must"
    SHOULD = "should"


class Verdict(StrEnum):
    KEPT = "kept"
    BROKEN = "broken"
    NOT_STATED = "not stated"


@dataclass(frozen=True, slots=True)
class Rule:
    """`broken` is SQL that is true for a row that breaks the rule, and may use only the columns in `reads`.

    `needs` are those of them without which it cannot be judged (all, unless said otherwise); `shows` is the column
    whose value proves it. `formats` restricts it to bills whose own columns it is about. What takes long to decide is
    decided `by_value`, once for each distinct value of the first column, or `sampled`, in every n-th row.
    """

    id: str
    family: str
    sentence: str
    broken: str
    reads: Sequence[str]
    needs: Sequence[str] = ()
    severity: Severity = Severity.MUST
    formats: Collection[str] = ()
    by_value: bool = False
    sampled: bool = False

    @property
    def shows(self) -> str:
        return self.reads[0]

    def can_judge(self, stated: Collection[str], bill_format: str) -> bool:
        applies = not self.formats or bill_format in self.formats
        return applies and all(name in stated for name in (self.needs or self.reads))


def _one_of(column: str, values: Sequence[str]) -> str:
    return f"{column} IN ({', '.join(map(literal, values))})"


CATEGORIES = ("Usage", "Purchase", "Tax", "Credit", "Adjustment")
FREQUENCIES = ("One-Time", "Recurring", "Usage-Based")
PRICING = ("Standard", "Dynamic", "Committed", "Other")
CORRECTED = "ChargeClass IS NOT DISTINCT FROM 'Correction'"


def _required(column: str, family: str, sentence: str, **more: Any) -> Rule:
    return Rule(f"{column}-is-given", family, sentence, f"{column} IS NULL", (column,), **more)


def _differs(amount: str, price: str, tolerance: str = "0.01") -> str:
    """True where price x quantity is not the amount. A judgement within a tolerance, so that floats will do."""
    product, cost = f"{price}::DOUBLE * PricingQuantity::DOUBLE", f"{amount}::DOUBLE"
    return f"abs({product} - {cost}) > {tolerance} + {tolerance} * abs({cost}) AND NOT {CORRECTED}"


RULES: tuple[Rule, ...] = (
    _required("ProviderName", "Identity", _noop("ProviderName, who sells the service, is given.")),
    _required("BillingAccountId", "Identity", _noop("BillingAccountId, the account that is invoiced, is given.")),
    _required("ServiceName", "Identity", _noop("ServiceName, the service that was used or bought, is given.")),
    Rule(
        "resource-of-a-type-has-an-id",
        "Identity",
        _noop("Usage that names a ResourceType names its ResourceId."),
        "ChargeCategory = 'Usage' AND ResourceType IS NOT NULL AND ResourceId IS NULL",
        ("ResourceType", "ResourceId", "ChargeCategory"),
        severity=Severity.SHOULD,
    ),
    Rule(
        "charge-category-is-known",
        "Categories",
        _noop("ChargeCategory is one of Usage, Purchase, Tax, Credit, Adjustment."),
        f"NOT coalesce({_one_of('ChargeCategory', CATEGORIES)}, false)",
        ("ChargeCategory",),
    ),
    Rule(
        "charge-class-is-known",
        "Categories",
        _noop("ChargeClass is empty or Correction."),
        "ChargeClass <> 'Correction'",
        ("ChargeClass",),
    ),
    Rule(
        "charge-frequency-is-known",
        "Categories",
        _noop("ChargeFrequency is empty or one of One-Time, Recurring, Usage-Based."),
        f"NOT {_one_of('ChargeFrequency', FREQUENCIES)}",
        ("ChargeFrequency",),
        formats=("focus",),
    ),
    Rule(
        "pricing-category-is-known",
        "Categories",
        _noop("PricingCategory is empty or one of Standard, Dynamic, Committed, Other."),
        f"NOT {_one_of('PricingCategory', PRICING)}",
        ("PricingCategory",),
        severity=Severity.SHOULD,
    ),
    Rule(
        "service-category-is-known",
        "Categories",
        _noop("ServiceCategory is one of those that FOCUS lists."),
        f"NOT coalesce({_one_of('ServiceCategory', SERVICE_CATEGORIES)}, false)",
        ("ServiceCategory",),
        severity=Severity.SHOULD,
        formats=("focus",),
    ),
    Rule(
        "charge-period-ends-after-it-starts",
        "Periods",
        _noop("A charge period ends after it starts."),
        "ChargePeriodEnd <= ChargePeriodStart",
        ("ChargePeriodEnd", "ChargePeriodStart"),
    ),
    Rule(
        "charge-period-has-an-end",
        "Periods",
        _noop("Every charge period has an end that can be read."),
        f"ChargePeriodEnd IS NULL OR ChargePeriodEnd NOT BETWEEN '{FIRST_DAY}' AND '{LAST_DAY}'",
        ("ChargePeriodEnd",),
    ),
    Rule(
        "billing-period-ends-after-it-starts",
        "Periods",
        _noop("A billing period ends after it starts."),
        f"coalesce({moment('CAST(BillingPeriodEnd AS VARCHAR)')} <= BillingPeriodStart, BillingPeriodEnd IS NOT NULL)",
        ("BillingPeriodEnd", "BillingPeriodStart"),
    ),
    Rule(
        "charge-is-near-its-billing-period",
        "Periods",
        _noop(
            "A charge starts no more than 13 months before its billing period, and no later than a month after its "
            "start."
        ),
        "ChargePeriodStart < BillingPeriodStart - INTERVAL 13 MONTH "
        "OR ChargePeriodStart > BillingPeriodStart + INTERVAL 32 DAY",
        ("ChargePeriodStart", "BillingPeriodStart"),
    ),
    _required("BilledCost", "Amounts", _noop("BilledCost, what is invoiced, is given.")),
    _required("EffectiveCost", "Amounts", _noop("EffectiveCost, the amortised cost, is given.")),
    Rule(
        "currency-is-in-use",
        "Amounts",
        _noop("BillingCurrency is a currency of ISO 4217."),
        f"NOT {_one_of('BillingCurrency', sorted(ISO_4217))}",
        ("BillingCurrency",),
    ),
    Rule(
        "list-and-contracted-cost-have-one-sign",
        "Amounts",
        _noop("ListCost and ContractedCost are not one positive and the other negative."),
        "sign(ListCost) * sign(ContractedCost) < 0",
        ("ListCost", "ContractedCost"),
    ),
    Rule(
        "list-price-times-quantity-is-list-cost",
        "Amounts",
        _noop("ListUnitPrice x PricingQuantity is ListCost (within 1%)."),
        _differs("ListCost", "ListUnitPrice"),
        ("ListCost", "ListUnitPrice", "PricingQuantity", "ChargeClass"),
        ("ListCost", "ListUnitPrice", "PricingQuantity"),
        severity=Severity.SHOULD,
        sampled=True,
    ),
    Rule(
        "contracted-price-times-quantity-is-contracted-cost",
        "Amounts",
        _noop("ContractedUnitPrice x PricingQuantity is ContractedCost (within 1%)."),
        _differs("ContractedCost", "ContractedUnitPrice"),
        ("ContractedCost", "ContractedUnitPrice", "PricingQuantity", "ChargeClass"),
        ("ContractedCost", "ContractedUnitPrice", "PricingQuantity"),
        severity=Severity.SHOULD,
        sampled=True,
    ),
    Rule(
        "negative-usage-is-a-credit-or-correction",
        "Amounts",
        _noop("Usage costs less than nothing only as a Correction; what is given back is a Credit."),
        f"BilledCost < 0 AND ChargeCategory = 'Usage' AND NOT {CORRECTED}",
        ("BilledCost", "ChargeCategory", "ChargeClass"),
        ("BilledCost", "ChargeCategory"),
        severity=Severity.SHOULD,
    ),
    Rule(
        "commitment-has-a-category",
        "Commitments",
        _noop("A row with a CommitmentDiscountId says whether it is of Spend or of Usage."),
        "CommitmentDiscountId IS NOT NULL AND NOT coalesce(CommitmentDiscountCategory IN ('Spend', 'Usage'), false)",
        ("CommitmentDiscountCategory", "CommitmentDiscountId"),
    ),
    Rule(
        "commitment-has-a-type",
        "Commitments",
        _noop("A row with a CommitmentDiscountId says of which type it is."),
        "CommitmentDiscountId IS NOT NULL AND CommitmentDiscountType IS NULL",
        ("CommitmentDiscountType", "CommitmentDiscountId"),
    ),
    Rule(
        "commitment-usage-has-a-status",
        "Commitments",
        _noop("Usage of a commitment is Used or Unused."),
        "CommitmentDiscountId IS NOT NULL AND ChargeCategory = 'Usage' "
        "AND NOT coalesce(CommitmentDiscountStatus IN ('Used', 'Unused'), false)",
        ("CommitmentDiscountStatus", "CommitmentDiscountId", "ChargeCategory"),
    ),
    Rule(
        "commitment-is-named",
        "Commitments",
        _noop("A row that has the status of a commitment has its CommitmentDiscountId."),
        "CommitmentDiscountId IS NULL AND CommitmentDiscountStatus IS NOT NULL",
        ("CommitmentDiscountStatus", "CommitmentDiscountId"),
    ),
    Rule(
        "purchase-of-a-commitment-is-not-amortised-on-itself",
        "Commitments",
        _noop("The purchase of a commitment has an EffectiveCost of 0: the usage it covers carries it."),
        "ChargeCategory = 'Purchase' AND CommitmentDiscountId IS NOT NULL AND EffectiveCost <> 0",
        ("EffectiveCost", "ChargeCategory", "CommitmentDiscountId"),
    ),
    Rule(
        "purchase-is-not-usage-based",
        "Commitments",
        _noop("A Purchase is One-Time or Recurring."),
        "ChargeCategory = 'Purchase' AND ChargeFrequency = 'Usage-Based'",
        ("ChargeFrequency", "ChargeCategory"),
    ),
    Rule(
        "tags-are-an-object",
        "Tags",
        _noop("Tags are one JSON object of keys and values."),
        f"{tags('Tags')} IS NULL",
        ("Tags",),
        by_value=True,
    ),
)
# Judged apart, among rows whose main columns agree; only where the charges have every column of the bill.
REPEATED = Rule(
    "no-row-stands-twice",
    "Rows",
    _noop("No row is equal to another in every column."),
    "",
    ("ChargePeriodStart", "ServiceName"),
    severity=Severity.SHOULD,
    formats=("focus",),
)
ALIKE = "hash(ChargePeriodStart, ResourceId, SkuId, BilledCost, ConsumedQuantity)"
SIZE = "abs(coalesce(BilledCost, EffectiveCost, 0))"
# What tells a person which row of which file it is.
SHOWN = (
    *("ChargePeriodStart", "ServiceName", "SubAccountId", "ResourceId", "SkuId", "ChargeCategory"),
    *("ChargeDescription", "BillingCurrency", "BilledCost", "EffectiveCost"),
)


@dataclass(frozen=True, slots=True)
class RuleResult:
    """What became of one rule: of the rows that were `judged` those that break it, with their cost regardless of sign,
    and the largest of them.
    """

    rule: Rule
    verdict: Verdict
    judged: int = 0
    rows: int = 0
    cost: Mapping[str, Decimal] = field(default_factory=dict)
    places: Sequence[int] = ()
    example_columns: Sequence[str] = ()
    examples: Sequence[Sequence[str | None]] = ()


@dataclass(frozen=True, slots=True)
class Conformance:
    """Rows that were judged and those that keep every MUST, with their cost regardless of sign, by currency.

    `families` has the rows that keep every MUST of a family; a family of which nothing could be judged is not in it.
    """

    rows: int
    conforming: int
    cost: Mapping[str, Decimal]
    conforming_cost: Mapping[str, Decimal]
    families: Mapping[str, int]
    results: Sequence[RuleResult]


def judge_charges(
    db: duckdb.DuckDBPyConnection, path: str, *, bill_format: str, stated: Collection[str], files: Sequence[str]
) -> Conformance:
    """Judges every charge in the Parquet file at `path`.

    `stated` are the charge columns that the bill has; `files` the names of its files, by number.
    """
    table = f"read_parquet({literal(path)}, file_row_number = true)"
    columns = {name for name, *_ in db.execute(f"DESCRIBE SELECT * FROM {table}").fetchall()}
    present = {name for name in stated if name in columns} | (columns & {"BillingPeriodEnd"})
    rules = [rule for rule in RULES if rule.can_judge(present, bill_format)]
    charges = f"{table} WHERE x_Problem IS NULL"
    groups = _group_by_broken_rules(db, charges, [rule for rule in rules if not rule.sampled])
    rows = sum(group.rows for group in groups)
    sample = f"{charges} AND file_row_number % {max(1, rows // SAMPLED_ROWS)} = 0"
    sampled = [rule for rule in rules if rule.sampled]
    groups_of_sample = _group_by_broken_rules(db, sample, sampled) if sampled else []
    results = {rule.id: _result(rule, groups_of_sample if rule.sampled else groups) for rule in rules}
    if REPEATED.can_judge(present, bill_format):
        results[REPEATED.id] = _result(REPEATED, _find_equal_rows(db, charges, rows))
    unjudged = [rule for rule in (*RULES, REPEATED) if rule.id not in results]
    results |= {rule.id: RuleResult(rule, Verdict.NOT_STATED) for rule in unjudged}
    musts = [rule for rule in rules if rule.severity == Severity.MUST]
    conforming = [group for group in groups if group.keeps(musts)]
    return Conformance(
        rows=rows,
        conforming=sum(group.rows for group in conforming),
        cost=_cost(groups),
        conforming_cost=_cost(conforming),
        families={
            family: sum(group.rows for group in groups if group.keeps(of_family))
            for family in FAMILIES
            if (of_family := [rule for rule in musts if rule.family == family])
        },
        results=_with_examples(db, table, [results[rule.id] for rule in (*RULES, REPEATED)], files),
    )


@dataclass(frozen=True, slots=True)
class _Group:
    """The rows of a currency that break the same rules (`broken`, by id), and the places of the largest of them."""

    currency: str
    broken: Collection[str]
    rows: int
    cost: Decimal
    places: Sequence[int]

    def keeps(self, rules: Sequence[Rule]) -> bool:
        return not any(rule.id in self.broken for rule in rules)


def _group_by_broken_rules(db: duckdb.DuckDBPyConnection, charges: str, rules: Sequence[Rule]) -> list[_Group]:
    """One pass: a bit for each rule. Bills have few combinations of broken rules, so that little is added up."""
    bits = [f"CASE WHEN {_broken(rule, charges)} THEN {1 << number} ELSE 0 END" for number, rule in enumerate(rules)]
    rows = db.execute(
        f"""SELECT BillingCurrency, broken, count(*), sum(size),
        arg_max(file_row_number, size, {EXAMPLES}) FILTER (broken > 0) FROM
        (SELECT BillingCurrency, file_row_number, {SIZE} AS size, ({" + ".join(bits)})::BIGINT AS broken
        FROM {charges}) GROUP BY 1, 2 ORDER BY 1, 2"""
    ).fetchall()
    return [
        _Group(code, {rule.id for number, rule in enumerate(rules) if mask & 1 << number}, count, cost, places or ())
        for code, mask, count, cost, places in rows
    ]


def _broken(rule: Rule, charges: str) -> str:
    if not rule.by_value:
        return rule.broken
    # first(): what decides must not be pushed below the grouping, to be worked out for each row after all.
    values = f"SELECT first({rule.shows}) AS {rule.shows} FROM {charges} GROUP BY {rule.shows}"
    return f"{rule.shows} IN (SELECT {rule.shows} FROM ({values}) WHERE {rule.broken})"


def _cost(groups: Sequence[_Group]) -> dict[str, Decimal]:
    costs: dict[str, Decimal] = {}
    for group in groups:
        costs[group.currency] = EXACT.add(costs.get(group.currency, Decimal(0)), group.cost)
    return costs


def _result(rule: Rule, groups: Sequence[_Group]) -> RuleResult:
    breaking = [group for group in groups if rule.id in group.broken]
    places = [place for group in breaking for place in group.places]
    return RuleResult(
        rule,
        Verdict.BROKEN if breaking else Verdict.KEPT,
        sum(group.rows for group in groups),
        sum(group.rows for group in breaking),
        _cost(breaking),
        places,
    )


def _find_equal_rows(db: duckdb.DuckDBPyConnection, charges: str, rows: int) -> list[_Group]:
    """The rows that are equal to another in every column, without the first of them, and all others.

    Of a big bill those are looked at whose hash is a multiple of some number: equal rows all are, or none of them.
    """
    step = max(1, rows // COMPARED_ROWS)
    chosen = f"{charges} AND {ALIKE} % {step} = 0"
    doubtful = f"SELECT h FROM (SELECT {ALIKE} AS h FROM {chosen}) GROUP BY h HAVING count(*) > 1"
    again = f"""(SELECT * EXCLUDE (x_File, file_row_number), count(*) - 1 AS repeats, min(file_row_number) AS place
        FROM {chosen} AND {ALIKE} IN ({doubtful}) GROUP BY ALL HAVING count(*) > 1)"""
    equal = [
        _Group(code, {REPEATED.id}, repeats, cost, places)
        for code, repeats, cost, places in db.execute(
            f"""SELECT BillingCurrency, sum(repeats)::BIGINT, sum(repeats * {SIZE}), arg_max(place, {SIZE}, {EXAMPLES})
            FROM {again} GROUP BY 1 ORDER BY 1"""
        ).fetchall()
    ]
    others = rows // step - sum(group.rows for group in equal)
    return [*equal, _Group("", (), others, Decimal(0), ())]


def _with_examples(
    db: duckdb.DuckDBPyConnection, table: str, results: Sequence[RuleResult], files: Sequence[str]
) -> list[RuleResult]:
    """The results with the largest rows that break each rule, as text: what they are, and the columns that prove it."""
    numbers = sorted({place for result in results for place in result.places})
    if not numbers:
        return list(results)
    names = list(dict.fromkeys([*SHOWN, *(name for result in results if result.places for name in result.rule.reads)]))
    rows = db.execute(
        f"""SELECT file_row_number, {SIZE}, x_File, {", ".join(map(_as_text, names))} FROM {table}
        WHERE file_row_number IN ({", ".join(map(str, numbers))})"""
    ).fetchall()
    size = {place: cost for place, cost, *_ in rows}
    shown = {place: {"File": files[file], **dict(zip(names, texts, strict=True))} for place, _, file, *texts in rows}
    completed = []
    for result in results:
        columns = ["File", *dict.fromkeys([*result.rule.reads, *SHOWN])] if result.places else []
        largest = sorted(result.places, key=lambda place: (-size[place], place))[:EXAMPLES]
        examples = [[shown[place][name] for name in columns] for place in largest]
        completed.append(replace(result, example_columns=columns, examples=examples))
    return completed


def _as_text(column: str) -> str:
    text = f"CAST({quoted(column)} AS VARCHAR)"
    if CHARGE_COLUMNS.get(column) in ("money", "number"):
        text = f"rtrim(rtrim({text}, '0'), '.')"
    return f"left(replace({text}, chr(0), {literal(NO_NUL)}), {LONGEST_VALUE})"


def conformance_figures(conformance: Conformance) -> dict[str, Any]:
    """The score, fit for JSON: rows, and cost as exact text."""
    return {
        "rows": conformance.rows,
        "conforming": conformance.conforming,
        "cost": cost_as_text(conformance.cost),
        "conforming_cost": cost_as_text(
            {code: Decimal(0) for code in conformance.cost} | dict(conformance.conforming_cost)
        ),
        "families": dict(conformance.families),
    }


def cost_as_text(cost: Mapping[str, Decimal]) -> dict[str, str | None]:
    return {code: exact_text(amount) for code, amount in sorted(cost.items())}

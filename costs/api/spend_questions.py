"""Questions about spend as the API asks them: read from an address, answered as JSON."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

from django.http import QueryDict

from costs.calc.dimensions import Choices, named
from costs.calc.filters import check_names, filters_in
from costs.models import AccountGroup, Pool, Source
from costs.query import currency_conversion, filter_choices
from costs.query.known_until import known_of
from costs.query.question import GRAINS, BadQuestion, Question, company_metric
from costs.query.scope import POOLED, SHARED
from costs.query.spend import SpendRow, find_spend, sums_by_currency, total_spend
from costs.query.stored_values import read_filters, unmatched_values, unmatched_words
from finops_site.lib.money import STORED_UNIT, exact_text
from finops_site.lib.periods import Month, Period, last_months, parse_range
from finops_site.lib.person import Person
from finops_site.models import Team

NOT_FILTERS = {"in", "group_by", "from", "to", "metric", "format", "after", "before", "page_size"}
NAMED_BY_ID: Mapping[Choices, type[Team | Pool | Source | AccountGroup]] = {
    Choices.TEAMS: Team,
    Choices.POOLS: Pool,
    Choices.SOURCES: Source,
    Choices.ACCOUNT_GROUPS: AccountGroup,
}
DEFAULT_MONTHS = 12
MOST_ROWS = 50_000


@dataclass(frozen=True, slots=True)
class SpendQuery:
    """A question and the names, in the order of the address, of what it is grouped by: dimensions and a step of time.

    `target` is the currency to answer in, empty for costs as billed.
    """

    question: Question
    names: tuple[str, ...]
    target: str = ""


def read_query(parameters: QueryDict, user: Person, today: date) -> SpendQuery:
    """The question in an address. Raises ValueError with the reason for what cannot be asked."""
    if any("\0" in text for name in parameters for text in (name, *parameters.getlist(name))):
        raise BadQuestion("a NUL character is in no name and no value.")
    names = tuple(name for given in parameters.getlist("group_by") for name in given.split(",") if name)
    grains = [name for name in names if name in GRAINS]
    if len(grains) > 1 or len(set(names)) != len(names):
        raise BadQuestion("group by different things, and by one step of time.")
    check_names(parameters, sorted(NOT_FILTERS))
    filters = read_filters(filters_in(parameters.lists()), user)
    filter_choices.check_offered(user, [name for name in names if name not in GRAINS])
    question = Question(
        read_period(parameters.get("from", ""), parameters.get("to", ""), today),
        tuple(name for name in names if name not in GRAINS),
        grains[0] if grains else "",
        parameters.get("metric") or company_metric(),
        filters,
    )
    target = parameters.get("in", "").upper()
    if target and target not in currency_conversion.currencies():
        raise BadQuestion(f"there are no rates to {parameters['in']!r}; leave `in` out for costs as billed.")
    return SpendQuery(question, names, target)


def read_period(first: str, last: str, today: date) -> Period:
    """The days from `first` to `last`, both inclusive; what is left out makes twelve months that end with this one."""
    if not last:
        recent = last_months(DEFAULT_MONTHS, today)
        return parse_range(first, str(Month.of(today))) if first else recent
    end = parse_range(last, last)
    start = first or str(Month.of(end.last_day).plus(1 - DEFAULT_MONTHS))
    return parse_range(start, last)


def answer_spend(user: Person, query: SpendQuery, today: date) -> dict[str, Any]:
    """The sums, exact to the last stored digit, and what the bills know of them.

    Raises BadQuestion for more rows than an answer should have.
    """
    question = query.question
    exchange = None
    if query.target:
        rows, exchange = currency_conversion.find_converted_spend(user, question, query.target, limit=MOST_ROWS + 1)
    else:
        rows = find_spend(user, question, limit=MOST_ROWS + 1)
    if len(rows) > MOST_ROWS:
        raise BadQuestion(f"the answer has more than {MOST_ROWS:,} rows: ask for a shorter time or filter it.")
    # Converted rows were rounded where they were converted, so that they sum to their total.
    totals = sums_by_currency(rows) if exchange else total_spend(user, question)
    kinds = {name: named(name).choices for name in question.group_by}
    labels = {name: _names_by_id(kind) for name, kind in kinds.items() if kind in NAMED_BY_ID}
    return {
        "from": question.period.start,
        "to": question.period.last_day,
        "group_by": list(query.names),
        "metric": question.metric,
        "results": [_result(row, query, labels) for row in rows],
        "totals": {code: exact_text(amount) for code, amount in sorted(totals.items())},
        **({"rates": _rates(exchange)} if exchange else {}),
        "unmatched": unmatched_words(unmatched_values(user, question)),
        "known": known_of(user, question, today).as_json(),
    }


def _names_by_id(choices: Choices) -> dict[str, str]:
    """The names of what has an id; what has no name (nobody's, in no pool) is null."""
    rows = NAMED_BY_ID[choices].objects.all()
    names = {str(pk): name for pk, name in rows.values_list("pk", "name")}
    return names | {POOLED: SHARED} if choices is Choices.TEAMS else names


def _rates(exchange: currency_conversion.Exchange) -> list[dict[str, Any]]:
    """By which rates costs were converted, and which currencies stay apart for want of one."""
    applied_rates = [
        {
            "from": applied.currency,
            "to": applied.target,
            "bucket": applied.bucket,
            "rate": exact_text(applied.rate.value.quantize(STORED_UNIT)),
            "day": applied.rate.day,
            "monthly": applied.rate.monthly,
            "source": applied.rate.source,
        }
        for applied in exchange.list_applied()
    ]
    missing = [
        {"from": code, "to": exchange.target, "bucket": day, "rate": None} for code, day in exchange.missing.items()
    ]
    return [*applied_rates, *missing]


def _result(row: SpendRow, query: SpendQuery, labels: Mapping[str, Mapping[str, str]]) -> dict[str, str | None]:
    question = query.question
    values: dict[str, str | None] = dict(zip(question.group_by, row.group, strict=True))
    for name, names in labels.items():
        values[name] = names.get(str(values[name]))
    if values.get("billing_month"):
        values["billing_month"] = str(values["billing_month"])[:7]
    if row.bucket:
        values[question.grain] = str(Month.of(row.bucket)) if question.grain == "month" else row.bucket.isoformat()
    ordered = {name: values[name] for name in query.names}
    return {**ordered, "currency": row.currency, question.metric: exact_text(row.amount)}

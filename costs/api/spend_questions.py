"""Questions about spend as the API asks them: read from an address, answered as JSON."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

from django.db.models import QuerySet
from django.http import QueryDict

from costs.calc.dimensions import DIMENSIONS, FILTERABLE, TAG, Choices, named
from costs.models import Pool
from costs.query import currency_conversion
from costs.query.known_until import known_of
from costs.query.question import GRAINS, METRIC, BadQuestion, Question
from costs.query.scope import NOBODY, POOLED, SHARED, UNOWNED
from costs.query.spend import SpendRow, find_spend, sums_by_currency, total_spend
from finops_site.lib.money import STORED_UNIT, exact_text
from finops_site.lib.periods import Month, Period, last_months, parse_range
from finops_site.lib.person import Person
from finops_site.models import Team

NOT_FILTERS = {"in", "group_by", "from", "to", "metric", "format", "after", "before", "page_size"}
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
    names = tuple(name for name in parameters.get("group_by", "").split(",") if name)
    grains = [name for name in names if name in GRAINS]
    if len(grains) > 1 or len(set(names)) != len(names):
        raise BadQuestion("group by different things, and by one step of time.")
    question = Question(
        read_period(parameters.get("from", ""), parameters.get("to", ""), today),
        tuple(name for name in names if name not in GRAINS),
        grains[0] if grains else "",
        parameters.get("metric") or METRIC,
        read_filters(parameters, user),
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


def read_filters(parameters: QueryDict, user: Person) -> dict[str, list[str]]:
    """{dimension: values} of everything in the address that is not about the question itself.

    A filter without a value filters nothing, but for a tag: there it stands for lines that lack it. A name that is no
    filter raises BadQuestion: a misspelt one must not answer with the total of everything.
    """
    filters = {}
    for name in sorted(set(parameters) - NOT_FILTERS):
        values = parameters.getlist(name)
        chosen = values if name.startswith(TAG) else [value for value in values if value]
        if chosen or name not in FILTERABLE:
            filters[name] = _read_values(name, chosen, user)
    return filters


def _read_values(name: str, values: list[str], user: Person) -> list[str]:
    choices = DIMENSIONS[name].choices if name in DIMENSIONS else Choices.NONE
    if choices is Choices.TEAMS:
        # A team that is not hers to see is as unknown as one that is not there.
        words = {NOBODY: NOBODY, UNOWNED.lower(): NOBODY, POOLED: POOLED, SHARED.lower(): POOLED}
        return [words.get(value.lower()) or _find_id(Team.objects.visible_to(user), value) for value in values]
    if choices is Choices.POOLS:
        return [NOBODY if value.lower() == NOBODY else _find_id(Pool.objects.all(), value) for value in values]
    if name == "billing_month":
        return [str(Month.parse(value).start) for value in values]
    return values


def _find_id(rows: QuerySet, value: str) -> str:
    """The id of a team or a pool by its name or id."""
    matches = rows.filter(pk=value) if value.isascii() and value.isdigit() else rows.filter(name=value)
    pk = matches.values_list("pk", flat=True).first()
    if pk is None:
        raise BadQuestion(f"there is no {rows.model._meta.verbose_name} {value!r}: use its name or its id.")
    return str(pk)


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
    labels = {name: _names_by_id(kind) for name, kind in kinds.items() if kind in (Choices.TEAMS, Choices.POOLS)}
    return {
        "from": question.period.start,
        "to": question.period.last_day,
        "group_by": list(query.names),
        "metric": question.metric,
        "results": [_result(row, query, labels) for row in rows],
        "totals": {code: exact_text(amount) for code, amount in sorted(totals.items())},
        **({"rates": _rates(exchange)} if exchange else {}),
        "known": known_of(user, question, today).as_json(),
    }


def _names_by_id(choices: Choices) -> dict[str, str]:
    """The names of what has an id; what has no name (nobody's, in no pool) is null."""
    rows = Team.objects.all() if choices is Choices.TEAMS else Pool.objects.all()
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

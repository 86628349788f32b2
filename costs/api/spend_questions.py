"""Questions about spend as the API asks them: words out of an address, the answer as JSON."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any

from django.http import QueryDict

from costs.models import Pool
from costs.query import currency_conversion, spend
from costs.query.spend import BadQuestion, Question
from finops_site.lib.money import STORED_UNIT, exact_text
from finops_site.lib.periods import Month, Period, last_months, parse_range
from finops_site.lib.person import Person
from finops_site.models import Team

PLAIN = {"in", "group_by", "from", "to", "metric", "format", "after", "before", "page_size"}
UNOWNED = {spend.NOBODY, spend.UNOWNED.lower()}
SHARED = {spend.POOLED, spend.SHARED.lower()}
DEFAULT_MONTHS = 12
MOST_ROWS = 50_000


@dataclass(frozen=True, slots=True)
class Asked:
    """A question and the names, in the order asked for, of what it is grouped by: dimensions and a step of time."""

    question: Question
    names: tuple[str, ...]
    target: str = ""


def asked(parameters: QueryDict, user: Person, today: date) -> Asked:
    """The question in an address. Raises ValueError, saying what is wrong, for what cannot be asked."""
    if any("\0" in text for name in parameters for text in (name, *parameters.getlist(name))):
        raise BadQuestion("a NUL character is in no name and no value.")
    names = tuple(name for name in parameters.get("group_by", "").split(",") if name)
    grains = [name for name in names if name in spend.GRAINS]
    if len(grains) > 1 or len(set(names)) != len(names):
        raise BadQuestion("group by different things, and by one step of time.")
    question = Question(
        period(parameters.get("from", ""), parameters.get("to", ""), today),
        tuple(name for name in names if name not in spend.GRAINS),
        grains[0] if grains else "",
        parameters.get("metric") or "billed_cost",
        filters(parameters, user),
    )
    return Asked(question, names, _target(parameters.get("in", "")))


def _target(code: str) -> str:
    """The currency to answer in; BadQuestion for one without any rate."""
    if code and code.upper() not in currency_conversion.currencies():
        raise BadQuestion(f"there are no rates to {code!r}; leave `in` out for costs as billed.")
    return code.upper()


def period(first: str, last: str, today: date) -> Period:
    """The days from `first` to `last`, both inclusive; what is not said is twelve months that end with this one."""
    if not last:
        recent = last_months(DEFAULT_MONTHS, today)
        return parse_range(first, str(Month.of(today))) if first else recent
    end = parse_range(last, last)
    start = first or str(Month.of(end.last_day).plus(1 - DEFAULT_MONTHS))
    return parse_range(start, last)


def filters(parameters: QueryDict, user: Person) -> dict[str, list[str]]:
    """{dimension: values} of everything in the address that is not about the question itself.

    A filter without a value filters nothing, but for a tag: there it stands for lines that lack it. A name that is no
    filter raises BadQuestion: a misspelt one must not answer with the whole.
    """
    found = {}
    for name in sorted(set(parameters) - PLAIN):
        values = parameters.getlist(name)
        kept = values if name.startswith(spend.TAG) else [value for value in values if value]
        if kept or name not in spend.FIELDS:
            found[name] = _read(name, kept, user)
    return found


def _read(name: str, values: list[str], user: Person) -> list[str]:
    if name in ("team", "own_team"):
        return [_team(value, user) for value in values]
    if name == "pool":
        return [_pool(value) for value in values]
    if name == "billing_month":
        return [str(Month.parse(value).start) for value in values]
    return values


def _team(value: str, user: Person) -> str:
    """The id of a team by its name or id; one that is not hers to see is as unknown as one that is not there."""
    if value.lower() in UNOWNED:
        return spend.NOBODY
    if value.lower() in SHARED:
        return spend.POOLED
    teams = Team.objects.visible_to(user)
    found = teams.filter(pk=value) if value.isascii() and value.isdigit() else teams.filter(name=value)
    pk = found.values_list("pk", flat=True).first()
    if pk is None:
        raise BadQuestion(f"there is no team {value!r}: use its name or its id.")
    return str(pk)


def _pool(value: str) -> str:
    if value.lower() == spend.NOBODY:
        return spend.NOBODY
    found = Pool.objects.filter(pk=value) if value.isascii() and value.isdigit() else Pool.objects.filter(name=value)
    pk = found.values_list("pk", flat=True).first()
    if pk is None:
        raise BadQuestion(f"there is no pool {value!r}: use its name or its id.")
    return str(pk)


def answer(user: Person, asked: Asked) -> dict[str, Any]:
    """The sums, exact to the last stored digit. Raises BadQuestion for more rows than an answer should have."""
    question = asked.question
    if asked.target:
        found, exchanged = currency_conversion.rows(user, question, asked.target, limit=MOST_ROWS + 1)
    else:
        found, exchanged = spend.rows(user, question, limit=MOST_ROWS + 1), None
    if len(found) > MOST_ROWS:
        raise BadQuestion(f"the answer has more than {MOST_ROWS:,} rows: ask for a shorter time or filter it.")
    called = {name: names() for name, names in CALLED.items() if name in asked.names}
    return {
        "from": question.period.start,
        "to": question.period.last_day,
        "group_by": list(asked.names),
        "metric": question.metric,
        "results": [_result(row, asked, called) for row in found],
        "totals": _totals(found) if asked.target else _exact(spend.totals(user, question)),
        **({"rates": _rates(exchanged)} if exchanged else {}),
    }


def _exact(sums: Mapping[str, Decimal | None]) -> dict[str, str | None]:
    return {code: exact_text(amount) for code, amount in sorted(sums.items())}


def _totals(found: Sequence[spend.Row]) -> dict[str, str | None]:
    """Sums of turned rows: each was rounded where it was turned, so that they sum to what is said here."""
    codes = {row.currency for row in found}
    return _exact({code: spend.add(row.amount for row in found if row.currency == code) for code in codes})


def _rates(exchanged: currency_conversion.Exchange) -> list[dict[str, Any]]:
    """By which rates costs were turned, and which currencies stay apart for want of one."""
    used = [
        {
            "from": each.currency,
            "to": each.target,
            "bucket": each.bucket,
            "rate": exact_text(each.found.value.quantize(STORED_UNIT)),
            "day": each.found.day,
            "monthly": each.found.monthly,
            "source": each.found.source,
        }
        for each in exchanged.list_used()
    ]
    missing = [
        {"from": code, "to": exchanged.target, "bucket": day, "rate": None} for code, day in exchanged.missing.items()
    ]
    return [*used, *missing]


def _team_names() -> dict[str, str]:
    return {str(pk): name for pk, name in Team.objects.values_list("pk", "name")} | {spend.POOLED: spend.SHARED}


def _pool_names() -> dict[str, str]:
    return {str(pk): name for pk, name in Pool.objects.values_list("pk", "name")}


# What is kept by id and said by name; what has no name (nobody's, in no pool) is null.
CALLED = {"team": _team_names, "pool": _pool_names}


def _result(row: spend.Row, asked: Asked, called: Mapping[str, Mapping[str, str]]) -> dict[str, str | None]:
    values: dict[str, str | None] = dict(zip(asked.question.group_by, row.group, strict=True))
    for name, names in called.items():
        values[name] = names.get(str(values[name]))
    if values.get("billing_month"):
        values["billing_month"] = str(values["billing_month"])[:7]
    if row.bucket:
        values[asked.question.grain] = _bucket(row.bucket, asked.question.grain)
    ordered = {name: values[name] for name in asked.names}
    return {**ordered, "currency": row.currency, asked.question.metric: exact_text(row.amount)}


def _bucket(day: date, grain: str) -> str:
    return str(Month.of(day)) if grain == "month" else day.isoformat()

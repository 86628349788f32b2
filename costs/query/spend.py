"""Questions about spend: grouped, filtered, in time, answered by the smallest table that knows enough.

Year-long questions are answered by the month rollup, daily ones by the day rollup, and only what these do not carry
(resources, tags by day) by the cost lines themselves. Every sum is per currency.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from decimal import Decimal
from typing import Any

from django.db.models import Case, F, Max, Q, QuerySet, Sum, TextField, Value, When
from django.db.models.fields.json import KeyTextTransform
from django.db.models.functions import Cast, Coalesce, NullIf, TruncMonth, TruncWeek

from costs.models import CostLine, DayRollup, Dimension, MonthRollup, Pool
from costs.query.result_cache import remembered
from costs.querysets import METRICS, SIDES
from finops_site.lib.money import EXACT, exact_sum
from finops_site.lib.periods import Period
from finops_site.lib.person import Person, WholeCompany
from finops_site.models import Team

NOBODY = "none"
UNOWNED = "Unowned"
POOLED = "shared"
SHARED = "Shared"
OTHER = "Other"
TAG = "tag:"

# What may be grouped and filtered by -> the field of the cost tables.
FIELDS = {
    "service": "service",
    "team": "owner",
    "own_team": "owner",
    "pool": "pool",
    "rule": "owner_rule",
    "account": "sub_account",
    "billing_account": "billing_account",
    "provider": "provider",
    "region": "region",
    "service_category": "service_category",
    "resource": "resource",
    "charge_category": "charge_category",
    "pricing_category": "pricing_category",
    "instance_type": "instance_type",
    "commitment": "commitment",
    "currency": "currency",
    "billing_month": "billing_month",
}
LABELS = {
    "service": "Service",
    "team": "Team",
    "own_team": "Team, without those below",
    "pool": "Pool",
    "rule": "Ownership rule",
    "account": "Account",
    "region": "Region",
    "resource": "Resource",
    "tag:Environment": "Environment",
    "charge_category": "Charge category",
    "service_category": "Service category",
    "provider": "Provider",
    "billing_account": "Billing account",
    "pricing_category": "Pricing category",
    "instance_type": "Instance type",
    "commitment": "Commitment",
    "currency": "Currency",
    "billing_month": "Billing month",
}
Aliases = Mapping[str, set[str]]
# {tag dimension: the keys that it means in the bills}.
TagKeys = Mapping[str, list[str]]
# Who knows under which names people give the same tag: {tag in small letters: its names in small letters}. Costs knows
# no policy of tags; the pillar that has one says so by `aliases_from` when the site starts.
_alias_sources: list[Callable[[], Aliases]] = []
GRAINS = ("month", "week", "day")


def aliases_from(source: Callable[[], Aliases]) -> None:
    """Has tags grouped and filtered by the names `source` knows for them."""
    if source not in _alias_sources:
        _alias_sources.append(source)


class BadQuestion(ValueError):
    """A question nobody can answer; the message says what to ask instead."""


@dataclass(frozen=True, slots=True)
class Question:
    """What was spent in `period` (by charge day), as `metric`, by up to two dimensions, over time by `grain`.

    `filters` are {dimension: values}; within one dimension any value will do. Raises BadQuestion for unknown words.
    """

    period: Period
    group_by: tuple[str, ...] = ()
    grain: str = ""
    metric: str = "billed_cost"
    filters: Mapping[str, Sequence[str]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for name in (*self.group_by, *self.filters):
            if name not in FIELDS and not (name.startswith(TAG) and name[len(TAG) :]):
                raise BadQuestion(f"{name!r} is nothing to group or filter by: use {', '.join(FIELDS)} or tag:<Key>.")
        if self.metric not in METRICS:
            raise BadQuestion(f"{self.metric!r} is no metric: use {', '.join(METRICS)}.")
        if self.grain and self.grain not in GRAINS:
            raise BadQuestion(f"{self.grain!r} is no step of time: use {', '.join(GRAINS)}.")
        if len(set(self.group_by)) != len(self.group_by):
            raise BadQuestion("group by two different things.")

    def asking(self, metric: str) -> "Question":
        """The same question about another metric."""
        return replace(self, metric=metric)

    @property
    def whole_months(self) -> bool:
        return self.period.start.day == 1 and self.period.end.day == 1


@dataclass(frozen=True, slots=True)
class Row:
    """One sum: of a group (a value for each dimension), in a bucket of time, in one currency.

    `name` is what its resource is called, where the question groups by resource.
    """

    group: tuple[str, ...]
    bucket: date | None
    currency: str
    amount: Decimal | None
    name: str = ""


def rows(user: Person, question: Question, *, limit: int | None = None) -> list[Row]:
    """Every sum that answers the question, of what `user` may see."""
    keys = _keys_of(question)
    # Which keys a tag means today is part of what was asked: an answer is kept no longer than that.
    asked = ("rows", question, limit, sorted(keys.items()))
    return remembered(user, asked, lambda: _rows(user, question, limit, keys))


def _keys_of(question: Question) -> TagKeys:
    return _tag_keys([name for name in (*question.group_by, *question.filters) if name.startswith(TAG)])


def _rows(user: Person, question: Question, limit: int | None, keys: TagKeys) -> list[Row]:
    bucket = _bucket(question)
    groups = [f"g{number}" for number in range(len(question.group_by))]
    sums = {"amount": Sum(question.metric), "name": _resource_name(question)}
    found = _asked(user, question, keys).annotate(**({"bucket": bucket} if bucket else {}), **sums)
    names = [*groups, *(["bucket"] if bucket else []), "currency"]
    found = found.order_by(*names).values_list(*names, "amount", "name")
    return [_row(values, len(groups), bool(bucket)) for values in (found[:limit] if limit else found)]


def stream(question: Question) -> Iterator[tuple[Any, ...]]:
    """(*group, bucket, currency, sum) of the whole company, row by row and not remembered: for the work of a night."""
    bucket = _bucket(question)
    names = [*(f"g{number}" for number in range(len(question.group_by))), "bucket", "currency"]
    found = _asked(WholeCompany(), question, _keys_of(question)).annotate(
        bucket=bucket or Value(""), amount=Sum(question.metric)
    )
    yield from found.values_list(*names, "amount").iterator(chunk_size=5000)


def _resource_name(question: Question) -> Any:
    return Max("resource_name") if "resource" in question.group_by else Max(Value(""))


def _row(values: Sequence[Any], groups: int, has_bucket: bool) -> Row:
    group = tuple(NOBODY if value is None else str(value) for value in values[:groups])
    return Row(group, values[groups] if has_bucket else None, *values[-3:])


def totals(user: Person, question: Question) -> dict[str, Decimal | None]:
    """The whole, by currency."""
    plain = Question(question.period, (), "", question.metric, question.filters)
    return {row.currency: row.amount for row in rows(user, plain)}


def _asked(user: Person, question: Question, keys: TagKeys) -> QuerySet:
    """The filtered rows of the table that answers, grouped by g0 and g1."""
    found = filtered(table_for(question).objects.visible_to(user), question, keys)
    groups = {f"g{number}": _expression(name, keys) for number, name in enumerate(question.group_by)}
    return found.order_by().annotate(**groups).values(*groups, "currency")


def filtered(found: QuerySet, question: Question, keys: TagKeys | None = None) -> QuerySet:
    """The rows of a cost table that the question is about; `keys` where it is known already what its tags mean."""
    found = found.charged_in(question.period)
    keys = _keys_of(question) if keys is None else keys
    for number, (name, values) in enumerate(sorted(question.filters.items())):
        found = _filtered(found, name, values, f"f{number}", keys)
    return found


def table_for(question: Question) -> type[MonthRollup | DayRollup | CostLine]:
    """The smallest table that has every column the question needs."""
    needed = {_field(name) for name in (*question.group_by, *question.filters)}
    by_day = question.grain in ("day", "week") or not question.whole_months
    for model, knows_days in ((MonthRollup, False), (DayRollup, True)):
        columns = {column.name for column in model._meta.get_fields()}
        if needed <= columns and (knows_days or not by_day):
            return model
    return CostLine


def _field(name: str) -> str:
    return "tag_set" if name.startswith(TAG) else FIELDS[name]


def _bucket(question: Question) -> Any:
    if not question.grain:
        return None
    month_rollup = table_for(question) is MonthRollup
    if question.grain == "month":
        return F("charge_month") if month_rollup else TruncMonth("charge_date")
    return TruncWeek("charge_date") if question.grain == "week" else F("charge_date")


def _expression(name: str, keys: Mapping[str, list[str]]) -> Any:
    if name.startswith(TAG):
        return _tag_value(keys[name])
    return team_or_shared() if name == "team" else F(FIELDS[name])


def team_or_shared() -> Any:
    """The team's id as text, POOLED for what a pool holds; null, which is NOBODY, for the rest."""
    pooled = Case(When(pool__isnull=False, then=Value(POOLED)), output_field=TextField())
    return Coalesce(Cast("owner", TextField()), pooled)


def _tag_keys(names: Iterable[str]) -> TagKeys:
    """For each tag dimension the keys that occur in the bills under that name, whatever their case."""
    names = list(names)
    known = list(Dimension.objects.filter(name="tag").values_list("value", flat=True)) if names else []
    aliases = _aliases() if names else {}
    return {name: _same_key(name[len(TAG) :], known, aliases) for name in names}


def _aliases() -> Aliases:
    found: dict[str, set[str]] = {}
    for source in _alias_sources:
        for key, names in source().items():
            found[key] = found.get(key, set()) | names
    return found


def _same_key(key: str, known: Sequence[str], aliases: Aliases) -> list[str]:
    """The known keys that mean this tag, itself first; asked by an alias, all that the alias stands for."""
    asked = key.lower()
    meant = next((names for tag, names in aliases.items() if asked == tag or asked in names), set())
    wanted = {asked, f"user:{asked}"} | meant
    return sorted((each for each in known if each.lower() in wanted), key=lambda each: each != key)


def _tag_value(keys: Sequence[str]) -> Any:
    nothing = Value("", TextField())
    found = [NullIf(KeyTextTransform(key, "tag_set__tags"), nothing) for key in keys]
    return Coalesce(*found, nothing) if found else nothing


def _filtered(found: QuerySet, name: str, values: Sequence[str], alias: str, keys: Mapping[str, list[str]]) -> QuerySet:
    if name == "team":
        return of_teams(found, values)
    if name == "own_team":
        return found.filter(_owned_by(values))
    if name == "pool":
        return _of_pools(found, values)
    if name.startswith(TAG):
        return found.alias(**{alias: _tag_value(keys[name])}).filter(**{f"{alias}__in": list(values)})
    if name == "billing_month":
        values = [value if len(value) > 7 else f"{value}-01" for value in values]
    return found.filter(**{f"{FIELDS[name]}__in": list(values)})


def of_teams(found: QuerySet, values: Sequence[str]) -> QuerySet:
    """Lines of these teams and the teams below them; NOBODY stands for what nobody owns, POOLED for what pools hold."""
    wanted = _owned_by(values)
    for team in Team.objects.filter(pk__in=_ids(values)):
        wanted |= Q(owner__in=list(Team.objects.below(team).values_list("pk", flat=True)))
    return found.filter(wanted)


def _owned_by(values: Sequence[str]) -> Q:
    """These teams themselves, nobody, and pools."""
    wanted = Q(owner__in=_ids(values))
    for word, side in ((NOBODY, "unowned"), (POOLED, "shared")):
        if word in values:
            wanted |= SIDES[side]
    return wanted


def _ids(values: Sequence[str]) -> list[int]:
    return [int(value) for value in values if value.isdigit()]


def _of_pools(found: QuerySet, values: Sequence[str]) -> QuerySet:
    """Lines of these pools; NOBODY stands for lines in none."""
    wanted = Q(pool__in=_ids(values))
    return found.filter(wanted | Q(pool__isnull=True) if NOBODY in values else wanted)


@dataclass(frozen=True, slots=True)
class Pivot:
    """An answer laid out as a table: a row for each group, a column for each bucket, in one currency."""

    currency: str
    buckets: list[date]
    groups: list["Group"]
    sums: list[Decimal | None]
    total: Decimal | None


@dataclass(frozen=True, slots=True)
class Group:
    """A row of a pivot. `keys` are its values, empty for what was put together as Other."""

    keys: tuple[str, ...]
    label: str
    amounts: list[Decimal | None]
    total: Decimal | None


def pivots(user: Person, question: Question, *, top: int = 10) -> list[Pivot]:
    """The answer as tables, one for each currency, with the `top` largest groups and the exact rest as Other."""
    leaders = _leaders(user, question, top)
    found = rows(user, question) if not question.group_by else _rows_of(user, question, leaders)
    whole = rows(user, Question(question.period, (), question.grain, question.metric, question.filters))
    names = labels(question.group_by, found)
    buckets = sorted({row.bucket for row in whole if row.bucket})
    currencies = sorted({row.currency for row in whole})
    return [_pivot(currency, buckets, found, whole, names, question) for currency in currencies]


def _leaders(user: Person, question: Question, top: int) -> set[tuple[str, ...]]:
    """The groups with the largest totals, of either sign."""
    if not question.group_by:
        return set()
    keys = _keys_of(question)
    asked = ("leaders", question, top, sorted(keys.items()))
    return remembered(user, asked, lambda: _found_leaders(user, question, top, keys))


def _found_leaders(user: Person, question: Question, top: int, keys: TagKeys) -> set[tuple[str, ...]]:
    plain = Question(question.period, question.group_by, "", question.metric, question.filters)
    found = _asked(user, plain, keys).annotate(amount=Sum(question.metric))
    groups = [f"g{number}" for number in range(len(question.group_by))]
    ranked = found.order_by(F("amount").desc(nulls_last=True)).values_list(*groups)
    return {tuple(NOBODY if value is None else str(value) for value in values) for values in ranked[:top]}


def _rows_of(user: Person, question: Question, leaders: set[tuple[str, ...]]) -> list[Row]:
    """The rows of the leading groups; the first dimension narrows the query, the second is compared here."""
    first = {keys[0] for keys in leaders}
    name = question.group_by[0]
    if not first or name in ("team", "pool", "billing_month"):
        return [row for row in rows(user, question) if row.group in leaders]
    narrowed = set(question.filters.get(name, first)) & first if name in question.filters else first
    filters = {**question.filters, name: sorted(narrowed)}
    asked = Question(question.period, question.group_by, question.grain, question.metric, filters)
    return [row for row in rows(user, asked) if row.group in leaders]


def _pivot(
    currency: str,
    buckets: list[date],
    found: Sequence[Row],
    whole: Sequence[Row],
    names: Mapping[tuple[str, ...], str],
    question: Question,
) -> Pivot:
    sums = _by_bucket([row for row in whole if row.currency == currency], buckets)
    mine = [row for row in found if row.currency == currency]
    keys = list(dict.fromkeys(row.group for row in mine)) if question.group_by else []
    groups = [_group(key, names[key], [row for row in mine if row.group == key], buckets) for key in keys]
    groups.sort(key=lambda group: -abs(group.total or 0))
    rest = _rest(sums, groups)
    return Pivot(currency, buckets, [*groups, *rest], sums, add(sums))


def _group(keys: tuple[str, ...], label: str, found: Sequence[Row], buckets: list[date]) -> Group:
    amounts = _by_bucket(found, buckets)
    return Group(keys, label, amounts, add(amounts))


def _by_bucket(found: Sequence[Row], buckets: list[date]) -> list[Decimal | None]:
    known = {row.bucket: row.amount for row in found}
    return [known.get(bucket) for bucket in buckets] if buckets else [known.get(None)]


def _rest(sums: Sequence[Decimal | None], groups: Sequence[Group]) -> list[Group]:
    """What the listed groups leave of the whole, exactly; nothing when they leave nothing."""
    if not groups:
        return []
    listed = [add(group.amounts[number] for group in groups) for number in range(len(sums))]
    rest = [minus(whole, part) for whole, part in zip(sums, listed, strict=True)]
    return [Group((), OTHER, rest, add(rest))] if any(rest) else []


def add(amounts: Iterable[Decimal | None]) -> Decimal | None:
    """The exact sum of what is known; None when nothing is."""
    known = [amount for amount in amounts if amount is not None]
    return exact_sum(known) if known else None


def sums(rows: Iterable[Row]) -> dict[str, Decimal | None]:
    """{currency: the exact sum of its rows}; None where nothing of it is known."""
    amounts: dict[str, list[Decimal | None]] = {}
    for row in rows:
        amounts.setdefault(row.currency, []).append(row.amount)
    return {code: add(each) for code, each in amounts.items()}


def minus(whole: Decimal | None, part: Decimal | None) -> Decimal | None:
    """What `part` leaves of `whole`, exactly; None where the whole is not known."""
    return None if whole is None else EXACT.subtract(whole, part or Decimal(0))


def labels(group_by: Sequence[str], found: Sequence[Row]) -> dict[tuple[str, ...], str]:
    """What people call each group: team names, account names, "no Team tag"."""
    columns = [_names(name, number, found) for number, name in enumerate(group_by)]
    return {
        row.group: " · ".join(columns[number].get(value, value) for number, value in enumerate(row.group))
        for row in found
    }


def _names(name: str, number: int, found: Sequence[Row]) -> dict[str, str]:
    values = {row.group[number] for row in found}
    if name == "resource":
        return {row.group[number]: row.name for row in found if row.name} | {"": "no resource"}
    if name == "team":
        teams = Team.objects.filter(pk__in=[value for value in values if value.isdigit()])
        return {str(team.pk): team.name for team in teams} | {NOBODY: UNOWNED, POOLED: SHARED}
    if name == "pool":
        pools = Pool.objects.filter(pk__in=[value for value in values if value.isdigit()])
        return {str(pool.pk): pool.name for pool in pools} | {NOBODY: "in no pool"}
    if name.startswith(TAG):
        return {"": f"no {name[len(TAG) :]} tag"}
    known = Dimension.objects.filter(name=FIELDS[name], value__in=values).exclude(label="")
    return {each.value: each.label for each in known} | {"": f"no {LABELS[name].lower()}"}

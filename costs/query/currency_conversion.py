"""Costs in another currency, at display: rates loaded, and answers turned month by month or day by day.

Nothing is stored converted. A currency for which a rate is missing stays apart, as it was billed.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from functools import cache
from typing import Any

from costs.calc.exchange_rates import HOLIDAYS, ConversionRate, CurrencyRate, RateBook
from costs.models import ExchangeRate
from costs.query import spend
from costs.query.spend import Group, Pivot, Question, Row
from finops_site.lib.money import EXACT, STORED_UNIT
from finops_site.lib.periods import Month, Period
from finops_site.lib.person import Person

BATCH = 5_000


def load(rates: Iterable[CurrencyRate], source: str = "") -> int:
    """Keeps rates; one for the same currencies and day replaces the one before. Returns how many there were."""
    rows = {
        (rate.base, rate.quote, rate.day, rate.monthly): ExchangeRate(
            base=rate.base,
            quote=rate.quote,
            day=rate.day,
            monthly=rate.monthly,
            rate=rate.value,
            source=rate.source or source,
        )
        for rate in rates
    }
    ExchangeRate.objects.bulk_create(
        rows.values(),
        batch_size=BATCH,
        update_conflicts=True,
        unique_fields=["base", "quote", "day", "monthly"],
        update_fields=["rate", "source", "loaded_at"],
    )
    return len(rows)


def currencies() -> list[str]:
    """Every currency that has a rate, for a choice of what to show costs in."""
    pairs = ExchangeRate.objects.order_by().values_list("base", "quote").distinct()
    return sorted({code for pair in pairs for code in pair})


def book(period: Period, wanted: Iterable[str]) -> RateBook:
    """The rates of a period between the currencies that are wanted, and the few days before it."""
    codes = set(wanted)
    rows = ExchangeRate.objects.filter(day__gte=period.start.replace(day=1) - HOLIDAYS, day__lt=period.end)
    listed = rows.values_list("base", "quote", "day", "rate", "monthly", "source")
    # A base that both have is enough, so that any row of a wanted quote may help.
    return RateBook([CurrencyRate(*values) for values in listed if values[1] in codes or values[0] in codes])


@dataclass(frozen=True, slots=True)
class Used:
    """A rate that was used, for people: ``1 USD = 0.8601 EUR``, of which day and whose."""

    currency: str
    target: str
    bucket: date
    found: ConversionRate


class Exchange:
    """Turns amounts into one currency, and remembers by which rates; `missing` are currencies that stay apart."""

    def __init__(self, target: str, grain: str, period: Period, codes: Iterable[str]) -> None:
        self.target, self.grain = target, grain
        self.used: dict[tuple[str, date], Used] = {}
        self.missing: dict[str, date] = {}
        rates = book(period, {*codes, target})
        self._find = cache(rates.for_day if grain in ("day", "week") else self._for_month(rates))

    @staticmethod
    def _for_month(rates: RateBook) -> Any:
        return lambda currency, target, day: rates.for_month(currency, target, Month.of(day))

    def knows(self, currency: str, buckets: Iterable[date]) -> bool:
        """Whether there is a rate for every bucket; the first that lacks one is remembered."""
        for bucket in buckets:
            if currency != self.target and self._find(currency, self.target, bucket) is None:
                self.missing.setdefault(currency, bucket)
                return False
        return True

    def turn(self, amount: Decimal | None, currency: str, bucket: date) -> Decimal | None:
        """The amount in the target currency, unrounded; None stays None. Only for what `knows`."""
        if amount is None or currency == self.target:
            return amount
        found = self._find(currency, self.target, bucket)
        assert found is not None, "asked for a rate that is missing"
        self.used.setdefault((currency, bucket), Used(currency, self.target, bucket, found))
        return EXACT.multiply(amount, found.value)

    def list_used(self) -> list[Used]:
        return sorted(self.used.values(), key=lambda each: (each.currency, each.bucket))


def pivots(found: Sequence[Pivot], exchange: Exchange) -> list[Pivot]:
    """The answer in the target currency, and after it the currencies that have to stay apart."""
    known = [pivot for pivot in found if exchange.knows(pivot.currency, _told(pivot))]
    apart = [pivot for pivot in found if pivot not in known]
    if not known:
        return apart
    merged: dict[tuple[str, ...], Group] = {}
    for pivot in known:
        for group in pivot.groups:
            turned = _turned(group, pivot, exchange)
            merged[group.keys] = _added(merged[group.keys], turned) if group.keys in merged else turned
    groups = sorted(merged.values(), key=lambda group: (not group.keys, -abs(group.total or 0)))
    sums = [_sums(pivot, exchange) for pivot in known]
    whole = [spend.add(column) for column in zip(*sums, strict=True)]
    return [Pivot(exchange.target, known[0].buckets, groups, whole, spend.add(whole)), *apart]


def _told(pivot: Pivot) -> list[date]:
    """The buckets in which the currency was spent: only they need a rate."""
    return [bucket for bucket, amount in zip(pivot.buckets, pivot.sums, strict=True) if amount is not None]


def _sums(pivot: Pivot, exchange: Exchange) -> list[Decimal | None]:
    return [
        exchange.turn(amount, pivot.currency, bucket) for amount, bucket in zip(pivot.sums, pivot.buckets, strict=True)
    ]


def _turned(group: Group, pivot: Pivot, exchange: Exchange) -> Group:
    amounts = [
        exchange.turn(amount, pivot.currency, bucket)
        for amount, bucket in zip(group.amounts, pivot.buckets, strict=True)
    ]
    return Group(group.keys, group.label, amounts, spend.add(amounts))


def _added(one: Group, other: Group) -> Group:
    amounts = [spend.add(pair) for pair in zip(one.amounts, other.amounts, strict=True)]
    return Group(one.keys, one.label, amounts, spend.add(amounts))


def rows(user: Person, question: Question, target: str, *, limit: int | None = None) -> tuple[list[Row], Exchange]:
    """The answer's rows in the target currency; where no step of time is asked for, turned month by month."""
    timed = (
        question
        if question.grain
        else Question(question.period, question.group_by, "month", question.metric, question.filters)
    )
    found = spend.rows(user, timed, limit=limit)
    exchange = Exchange(target, timed.grain, question.period, {row.currency for row in found})
    told: dict[str, set[date]] = {}
    for row in found:
        if row.amount is not None and row.bucket:
            told.setdefault(row.currency, set()).add(row.bucket)
    known = {code for code, buckets in told.items() if exchange.knows(code, sorted(buckets))}
    sums: dict[tuple[Any, ...], Decimal | None] = {}
    for row in found:
        turned = row.currency in known and row.bucket is not None
        amount = exchange.turn(row.amount, row.currency, row.bucket) if turned and row.bucket else row.amount
        key = (row.group, row.bucket if question.grain else None, target if turned else row.currency, row.name)
        sums[key] = spend.add([sums.get(key), amount])
    turned_sums = {key: _stored(amount) if key[2] == target else amount for key, amount in sums.items()}
    return [
        Row(group, bucket, code, amount, name) for (group, bucket, code, name), amount in turned_sums.items()
    ], exchange


def _stored(amount: Decimal | None) -> Decimal | None:
    """A turned amount to as many decimals as stored ones have."""
    return None if amount is None else amount.quantize(STORED_UNIT, context=EXACT)

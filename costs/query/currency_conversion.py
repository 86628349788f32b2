"""Costs in another currency, at display: rates loaded, and answers converted month by month or day by day.

Nothing is stored converted. A currency for which a rate is missing stays apart, as it was billed.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import date
from decimal import Decimal
from functools import cache

from costs.calc.exchange_rates import HOLIDAYS, ConversionRate, CurrencyRate, RateBook
from costs.models import ExchangeRate
from costs.query.pivots import Pivot, PivotGroup, build_pivots
from costs.query.question import Question
from costs.query.spend import SpendRow, add, find_spend
from finops_site.lib.money import EXACT, STORED_UNIT
from finops_site.lib.periods import Month, Period
from finops_site.lib.person import Person

BATCH = 5_000


def load_rates(rates: Iterable[CurrencyRate], source: str = "") -> int:
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


def rate_book(period: Period, currencies: Iterable[str]) -> RateBook:
    """The rates of a period between these currencies, and of the few days before it."""
    codes = set(currencies)
    rows = ExchangeRate.objects.filter(day__gte=period.start.replace(day=1) - HOLIDAYS, day__lt=period.end)
    listed = rows.values_list("base", "quote", "day", "rate", "monthly", "source")
    # A base that both have is enough, so that any row of one of these quotes may help.
    return RateBook([CurrencyRate(*values) for values in listed if values[1] in codes or values[0] in codes])


@dataclass(frozen=True, slots=True)
class AppliedRate:
    """A rate that converted something, for people: ``1 USD = 0.8601 EUR``, of which day and from whom."""

    currency: str
    target: str
    bucket: date
    rate: ConversionRate


class Exchange:
    """Converts amounts into one currency, and keeps by which rates; `missing` are currencies that stay apart."""

    def __init__(self, target: str, grain: str, period: Period, codes: Iterable[str]) -> None:
        self.target, self.grain = target, grain
        self.applied: dict[tuple[str, date], AppliedRate] = {}
        self.missing: dict[str, date] = {}
        rates = rate_book(period, {*codes, target})
        by_day = grain in ("day", "week")

        @cache
        def find(currency: str, day: date) -> ConversionRate | None:
            return rates.for_day(currency, target, day) if by_day else rates.for_month(currency, target, Month.of(day))

        self._find = find

    def knows(self, currency: str, buckets: Iterable[date]) -> bool:
        """Whether there is a rate for every bucket; the first that lacks one goes to `missing`."""
        for bucket in buckets:
            if currency != self.target and self._find(currency, bucket) is None:
                self.missing.setdefault(currency, bucket)
                return False
        return True

    def worths(self, currency: str, buckets: Iterable[date]) -> dict[date, Decimal]:
        """{bucket: what one of the currency is worth in the target}. Only for what it `knows`."""
        if currency == self.target:
            return dict.fromkeys(buckets, Decimal(1))
        rates = ((bucket, self._find(currency, bucket)) for bucket in buckets)
        return {bucket: rate.value for bucket, rate in rates if rate is not None}

    def convert(self, amount: Decimal | None, currency: str, bucket: date) -> Decimal | None:
        """The amount in the target currency, unrounded; None stays None. Only for what `knows`."""
        if amount is None or currency == self.target:
            return amount
        rate = self._find(currency, bucket)
        assert rate is not None, "asked for a rate that is missing"
        self.applied.setdefault((currency, bucket), AppliedRate(currency, self.target, bucket, rate))
        return EXACT.multiply(amount, rate.value)

    def list_applied(self) -> list[AppliedRate]:
        return sorted(self.applied.values(), key=lambda applied: (applied.currency, applied.bucket))


def build_converted_pivots(
    user: Person, question: Question, target: str, *, top: int = 10
) -> tuple[list[Pivot], Exchange]:
    """The answer in the target currency, with its `top` largest groups once converted, and after it the currencies
    that have to stay apart; and by which rates. Needs a grain.
    """
    sums = find_spend(user, Question(question.period, (), question.grain, question.metric, question.filters))
    # Only the buckets in which the currency was spent need a rate.
    spent: dict[str, list[date]] = {row.currency: [] for row in sums}
    for row in sums:
        if row.amount is not None and row.bucket:
            spent[row.currency].append(row.bucket)
    exchange = Exchange(target, question.grain, question.period, spent)
    worths = {code: exchange.worths(code, days) for code, days in spent.items() if exchange.knows(code, days)}
    pivots = build_pivots(user, question, top=top, worths=worths)
    convertible = [pivot for pivot in pivots if pivot.currency in worths]
    apart = [pivot for pivot in pivots if pivot.currency not in worths]
    return [*_merged(convertible, exchange), *apart], exchange


def _merged(convertible: Sequence[Pivot], exchange: Exchange) -> list[Pivot]:
    """One pivot of several, converted; they have the same leaders."""
    if not convertible:
        return []
    merged: dict[tuple[str, ...], PivotGroup] = {}
    for pivot in convertible:
        for group in pivot.groups:
            amounts = _convert_all(group.amounts, pivot, exchange)
            if group.keys in merged:
                amounts = [add(pair) for pair in zip(merged[group.keys].amounts, amounts, strict=True)]
            label = merged.get(group.keys, group).label
            merged[group.keys] = PivotGroup(group.keys, label, amounts, add(amounts))
    largest = sorted((group for keys, group in merged.items() if keys), key=lambda group: -abs(group.total or 0))  # type: ignore[operator]
    groups = [*largest, *([merged[()]] if () in merged else [])]
    sums = [_convert_all(pivot.sums, pivot, exchange) for pivot in convertible]
    totals = [add(column) for column in zip(*sums, strict=True)]
    return [Pivot(exchange.target, convertible[0].buckets, groups, totals, add(totals))]


def _convert_all(amounts: Sequence[Decimal | None], pivot: Pivot, exchange: Exchange) -> list[Decimal | None]:
    return [
        exchange.convert(amount, pivot.currency, bucket) for amount, bucket in zip(amounts, pivot.buckets, strict=True)
    ]


def find_converted_spend(
    user: Person, question: Question, target: str, *, limit: int | None = None
) -> tuple[list[SpendRow], Exchange]:
    """The answer's rows in the target currency; where no step of time is asked for, converted month by month."""
    grained = replace(question, grain=question.grain or "month")
    rows = find_spend(user, grained, limit=limit)
    exchange = Exchange(target, grained.grain, question.period, {row.currency for row in rows})
    spent: dict[str, set[date]] = {}
    for row in rows:
        if row.amount is not None and row.bucket:
            spent.setdefault(row.currency, set()).add(row.bucket)
    convertible = {code for code, buckets in spent.items() if exchange.knows(code, sorted(buckets))}
    sums: dict[tuple[tuple[str, ...], date | None, str, str], Decimal | None] = {}
    for row in rows:
        amount, currency = row.amount, row.currency
        if row.bucket is not None and row.currency in convertible:
            amount, currency = exchange.convert(row.amount, row.currency, row.bucket), target
        key = (row.group, row.bucket if question.grain else None, currency, row.name)
        sums[key] = add([sums.get(key), amount])
    converted = []
    for (group, bucket, currency, name), total in sums.items():
        # Converted amounts to as many decimals as stored ones have.
        stored = total.quantize(STORED_UNIT, context=EXACT) if total is not None and currency == target else total
        converted.append(SpendRow(group, bucket, currency, stored, name))
    return converted, exchange

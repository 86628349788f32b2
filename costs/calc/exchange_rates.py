"""Exchange rates: read from CSV, looked up for a month or a day, crossed over a common currency. Pure: no Django.

A rate states what one unit of `base` is worth in `quote`. Monthly rates (averages) go before daily ones for a month.
"""

import csv
import io
from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal, InvalidOperation
from functools import cached_property

from finops_site.lib.language import gettext as _
from finops_site.lib.money import EXACT
from finops_site.lib.periods import Month

# Banks publish no rates on holidays: the last one before counts, this far back.
HOLIDAYS = timedelta(days=7)
NO_RATE = ("", "N/A", "-", "NaN")


class BadRates(ValueError):
    """A file of rates that cannot be read; the message names the line and what is wrong."""


@dataclass(frozen=True, slots=True)
class CurrencyRate:
    """One unit of `base` in `quote`, on a day or (with `monthly`) on the average of the month that begins on it."""

    base: str
    quote: str
    day: date
    value: Decimal
    monthly: bool = False
    source: str = ""


def parse(text: str) -> list[CurrencyRate]:
    """Rates out of a CSV: the ECB's history (a column for each currency, per euro), its data portal's
    (CURRENCY, CURRENCY_DENOM, TIME_PERIOD, OBS_VALUE), or plain ones (date or month, base, quote, rate).

    Raises BadRates.
    """
    reader = csv.DictReader(io.StringIO(text.lstrip("\ufeff")))
    names = {(name or "").strip().lower(): name for name in reader.fieldnames or ()}
    kinds = {
        ("obs_value", "time_period", "currency"): rates_of_portal,
        ("rate", "base", "quote"): plain_rates,
        ("date", "usd"): rates_of_history,
    }
    read_row = next((read_row for needed, read_row in kinds.items() if all(name in names for name in needed)), None)
    if read_row is None:
        raise BadRates(
            _("These are no rates we know: the header needs date, base, quote and rate, or be one of the ECB's two.")
        )
    rates: list[CurrencyRate] = []
    for line, row in enumerate(reader, 2):
        cells = {(name or "").strip().lower(): text.strip() for name, text in row.items() if isinstance(text, str)}
        rates += read_row(cells, line)
    if not rates:
        raise BadRates(_("The file has a header and no rates."))
    return rates


def rates_of_history(row: dict[str, str], line: int) -> Iterator[CurrencyRate]:
    day, _ignored = _when(row.get("date", ""), line)
    for name, text in row.items():
        if len(name) == 3 and name.isalpha() and text not in NO_RATE:
            yield CurrencyRate("EUR", name.upper(), day, _value(text, line), source="ECB")


def rates_of_portal(row: dict[str, str], line: int) -> Iterator[CurrencyRate]:
    if row["obs_value"] in NO_RATE:
        return
    day, monthly = _when(row["time_period"], line)
    base = _code(row.get("currency_denom", "EUR") or "EUR", line)
    yield CurrencyRate(base, _code(row["currency"], line), day, _value(row["obs_value"], line), monthly, "ECB")


def plain_rates(row: dict[str, str], line: int) -> Iterator[CurrencyRate]:
    day, monthly = _when(row.get("month") or row.get("date", ""), line)
    value = _value(row["rate"], line)
    yield CurrencyRate(_code(row["base"], line), _code(row["quote"], line), day, value, monthly, row.get("source", ""))


def _when(text: str, line: int) -> tuple[date, bool]:
    """(day, whether it stands for its month): 2026-03-05 is a day and 2026-03 a month."""
    try:
        return (Month.parse(text).start, True) if len(text) == 7 else (date.fromisoformat(text), False)
    except ValueError:
        raise BadRates(
            _("Line {line}: {text!r} is no day (2026-03-05) and no month (2026-03).").format(line=line, text=text)
        ) from None


def _value(text: str, line: int) -> Decimal:
    try:
        value = Decimal(text)
    except InvalidOperation:
        raise BadRates(_("Line {line}: {text!r} is no rate.").format(line=line, text=text)) from None
    if not value.is_finite() or value <= 0:
        raise BadRates(_("Line {line}: a rate is more than zero, and this is {text}.").format(line=line, text=text))
    return value


def _code(text: str, line: int) -> str:
    if not (len(text) == 3 and text.isascii() and text.isalpha()):
        raise BadRates(_("Line {line}: {text!r} is no currency.").format(line=line, text=text))
    return text.upper()


@dataclass(frozen=True, slots=True)
class ConversionRate:
    """What one unit of a currency is worth in another, and where that comes from."""

    value: Decimal
    day: date
    monthly: bool
    source: str


@dataclass(frozen=True)
class RateBook:
    """Rates to look things up in."""

    rates: Iterable[CurrencyRate]

    @cached_property
    def _by_day(self) -> dict[bool, dict[date, list[CurrencyRate]]]:
        rates: dict[bool, dict[date, list[CurrencyRate]]] = {True: defaultdict(list), False: defaultdict(list)}
        for rate in self.rates:
            rates[rate.monthly][rate.day].append(rate)
        return rates

    @cached_property
    def _days(self) -> list[date]:
        return sorted(self._by_day[False])

    def for_month(self, currency: str, target: str, month: Month) -> ConversionRate | None:
        """The month's own rate, else the last daily one within it; None when there is neither."""
        monthly = _cross(self._by_day[True].get(month.start, ()), currency, target)
        return monthly or self._last(currency, target, month.start, month.next.start - timedelta(days=1))

    def for_day(self, currency: str, target: str, day: date) -> ConversionRate | None:
        """The day's rate or the last before it within a week, else the month's."""
        daily = self._last(currency, target, day - HOLIDAYS, day)
        return daily or _cross(self._by_day[True].get(day.replace(day=1), ()), currency, target)

    def _last(self, currency: str, target: str, first: date, last: date) -> ConversionRate | None:
        for day in reversed(self._days[: bisect_right(self._days, last)]):
            if day < first:
                return None
            if rate := _cross(self._by_day[False][day], currency, target):
                return rate
        return None


def _cross(rates: Iterable[CurrencyRate], currency: str, target: str) -> ConversionRate | None:
    """currency -> target out of rates of one day: straight, turned round, or over a base that both have."""
    listed = list(rates)
    for base in dict.fromkeys(rate.base for rate in listed):
        per = {rate.quote: rate for rate in listed if rate.base == base}
        one, other = _leg(per, base, target), _leg(per, base, currency)
        if one and other:
            source = next(rate for rate in listed if rate.base == base)
            return ConversionRate(EXACT.divide(one, other), source.day, source.monthly, source.source)
    return None


def _leg(per: Mapping[str, CurrencyRate], base: str, currency: str) -> Decimal | None:
    if currency == base:
        return Decimal(1)
    return per[currency].value if currency in per else None

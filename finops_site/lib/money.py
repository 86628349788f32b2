"""Money: exact decimals that never travel without their currency. Pure: no Django here.

Amounts are ``Decimal`` from the text of a bill to the page. They are rounded once, at the edge, by
``rounded``; shares of an amount are made by ``split``, whose parts always sum to the whole.
"""

import re
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from decimal import ROUND_DOWN, ROUND_HALF_EVEN, Context, Decimal

# ISO 4217 minor units where they are not two.
NO_CENTS = "BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX UYI VND VUV XAF XOF XPF"
THOUSANDTHS = "BHD IQD JOD KWD LYD OMR TND"
CURRENCY_PLACES = dict.fromkeys(NO_CENTS.split(), 0) | dict.fromkeys(THOUSANDTHS.split(), 3)
# Every currency of ISO 4217, and the few that ended lately.
ISO_4217_CODES = (
    "AED AFN ALL AMD ANG AOA ARS AUD AWG AZN BAM BBD BDT BGN BHD BIF BMD BND BOB BOV BRL BSD BTN BWP BYN BZD CAD CDF "
    "CHE CHF CHW CLF CLP CNY COP COU CRC CUC CUP CVE CZK DJF DKK DOP DZD EGP ERN ETB EUR FJD FKP GBP GEL GHS GIP GMD "
    "GNF GTQ GYD HKD HNL HRK HTG HUF IDR ILS INR IQD IRR ISK JMD JOD JPY KES KGS KHR KMF KPW KRW KWD KYD KZT LAK LBP "
    "LKR LRD LSL LYD MAD MDL MGA MKD MMK MNT MOP MRU MUR MVR MWK MXN MXV MYR MZN NAD NGN NIO NOK NPR NZD OMR PAB PEN "
    "PGK PHP PKR PLN PYG QAR RON RSD RUB RWF SAR SBD SCR SDG SEK SGD SHP SLE SLL SOS SRD SSP STN SVC SYP SZL THB TJS "
    "TMT TND TOP TRY TTD TWD TZS UAH UGX USD USN UYI UYU UYW UZS VED VES VND VUV WST XAF XCD XCG XOF XPF YER ZAR ZMW "
    "ZWG ZWL "
)
ISO_4217 = frozenset(ISO_4217_CODES.split())
# What a cost line stores: decimal(38, 18). Beyond it a delivery records the residual of storing.
STORED_PLACES = 18
STORED_UNIT = Decimal("1E-18")
# Wide enough for any sum of stored amounts: the default context would round at 28 digits.
EXACT = Context(prec=100)
NO_CURRENCY = "XXX"
NUMBER = re.compile(r"\A[+-]?\d+(\.\d+)?\Z", re.ASCII)
# A comma that parts thousands.
GROUPED = re.compile(r"\A[+-]?\d{1,3}(,\d{3})+\Z", re.ASCII)


class CurrencyMismatch(ValueError):
    """Amounts of two currencies met where one was needed."""


class BadAmount(ValueError):
    """A text is not an amount, or not one that fits; the message explains why."""


@dataclass(frozen=True, slots=True)
class Money:
    """An exact amount and its ISO 4217 currency; adding two currencies raises CurrencyMismatch."""

    amount: Decimal
    currency: str

    def __add__(self, other: "Money") -> "Money":
        self._same_currency(other)
        return Money(EXACT.add(self.amount, other.amount), self.currency)

    def __sub__(self, other: "Money") -> "Money":
        self._same_currency(other)
        return Money(EXACT.subtract(self.amount, other.amount), self.currency)

    def __neg__(self) -> "Money":
        return Money(-self.amount, self.currency)

    def __str__(self) -> str:
        return f"{formatted(self.amount, self.currency)} {self.currency}"

    def _same_currency(self, other: "Money") -> None:
        if self.currency != other.currency:
            raise CurrencyMismatch(f"{self.currency} and {other.currency} cannot be added")


def places(currency: str) -> int:
    """Decimal places of the smallest unit of `currency`: 2 for USD, 0 for JPY."""
    return CURRENCY_PLACES.get(currency, 2)


def rounded(amount: Decimal, currency: str) -> Decimal:
    """`amount` in whole smallest units of its currency; halves go to the even digit. The only rounding there is."""
    return amount.quantize(Decimal(1).scaleb(-places(currency)), rounding=ROUND_HALF_EVEN, context=EXACT)


def formatted(amount: Decimal, currency: str) -> str:
    """`amount` rounded for a reader, with thousands separators and a true minus: ``-1,234.50``."""
    value = rounded(amount, currency)
    return f"{value if value else abs(value):,f}"


def compact(value: Decimal, *, on_axis: bool = False) -> str:
    """``65.0k``: one place and a letter from a thousand up; smaller amounts are whole numbers or cents.

    On an axis two places at most, without zeros at the end and with a true minus: ``12.5k``, ``0.25``. The browser's
    charts follow the same rule (`compact` in charts.js), and a test compares the two.
    """
    for power, letter in enumerate(("", "k", "M", "B", "T")):
        places = 2 if on_axis or (not letter and abs(value) < 100) else 1 if letter else 0
        cut = EXACT.divide(value, Decimal(1000) ** power).quantize(Decimal(1).scaleb(-places), context=EXACT)
        if abs(cut) < 1000 or letter == "T":
            break
    if not on_axis:
        return f"{cut if cut else abs(cut):,f}{letter}"
    digits = exact_text(abs(value if abs(value) < 1 else cut))
    return f"{'−' if value < 0 else ''}{digits}{letter}"


def exact_text(amount: Decimal | None) -> str | None:
    """`amount` with all its digits and no exponent; trailing zeros of the fraction are dropped."""
    if amount is None:
        return None
    text = f"{amount:f}"
    text = text.rstrip("0").rstrip(".") if "." in text else text
    return "0" if text in ("-0", "") else text


def parse_amount(text: str, *, decimal_mark: str = "") -> Decimal:
    """The amount that somebody wrote: ``12,400.50``, ``12 400,50``, ``-12.400,50``, ``(12.50)``; raises BadAmount.

    Where one separator stands alone, three digits after a comma are thousands, and anything after a dot are decimals;
    `decimal_mark` ("." or ",") says it where it is known.
    """
    plain = re.sub(r"[\s'_\u00a0\u202f]", "", text.strip()).replace("\u2212", "-")
    if plain.startswith("(") and plain.endswith(")"):
        plain = f"-{plain[1:-1]}"
    comma, dot = plain.rfind(","), plain.rfind(".")
    if not decimal_mark:
        both = comma >= 0 and dot >= 0
        has_decimal_comma = comma > dot if both else comma >= 0 and not GROUPED.match(plain)
        decimal_mark = "," if has_decimal_comma else "."
    plain = plain.replace("." if decimal_mark == "," else ",", "").replace(decimal_mark, ".")
    if not NUMBER.match(plain):
        raise BadAmount(f"{text.strip()[:40]!r} is not an amount: write it like 12400 or 12,400.50.")
    return Decimal(plain)


def total_by_currency(amounts: Iterable[Money]) -> dict[str, Decimal]:
    """The exact sum for each currency."""
    sums: dict[str, Decimal] = defaultdict(Decimal)
    for money in amounts:
        sums[money.currency] = EXACT.add(sums[money.currency], money.amount)
    return dict(sums)


def ratio(part: Decimal, total: Decimal) -> Decimal | None:
    """part / total, or None where there is no total to be a part of."""
    return None if total == 0 else part / total


def percent(share: Decimal | None, places: int = 1) -> Decimal | None:
    """The ratio 0.1234 as 12.3, for charts and targets in per cent; None stays None."""
    return None if share is None else (share * 100).quantize(Decimal(1).scaleb(-places))


def split(amount: Decimal, weights: Sequence[Decimal], *, unit: Decimal = STORED_UNIT) -> list[Decimal]:
    """Shares of `amount` in proportion to `weights`, in whole `unit`s, that sum to `amount` exactly.

    Largest remainder: each share is cut down to whole units, then the units left over go one each to the largest
    remainders (the earlier one on a tie). What is smaller than a unit goes to the first share that has a weight.
    Raises ValueError when the weights are negative or all zero.
    """
    total_weight = exact_sum(weights)
    if total_weight <= 0 or any(weight < 0 for weight in weights):
        raise ValueError("weights must not be negative, and one must be more than zero")
    ideal = [EXACT.divide(EXACT.multiply(amount, weight), total_weight) for weight in weights]
    shares = [part.quantize(unit, rounding=ROUND_DOWN, context=EXACT) for part in ideal]
    step = unit if amount >= 0 else -unit
    left = EXACT.subtract(amount, exact_sum(shares))
    order = sorted(range(len(shares)), key=lambda i: -abs(EXACT.subtract(ideal[i], shares[i])))
    order = [i for i in order if ideal[i]] or order
    for i in order[: int(left / step)]:
        shares[i] = EXACT.add(shares[i], step)
    rest = EXACT.subtract(amount, exact_sum(shares))
    shares[order[0]] = EXACT.add(shares[order[0]], rest)
    return shares


def exact_sum(amounts: Iterable[Decimal]) -> Decimal:
    result = Decimal(0)
    for amount in amounts:
        result = EXACT.add(result, amount)
    return result

"""Money: exact decimals that never travel without their currency. Pure: no Django here.

Amounts are ``Decimal`` from the text of a bill to the page. They are rounded once, at the edge, by
``rounded``; shares of an amount are made by ``split``, whose parts always sum to the whole.
"""

import re
import unicodedata
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from decimal import ROUND_DOWN, ROUND_HALF_EVEN, Context, Decimal

from finops_site.lib.language import gettext as _
from finops_site.lib.locale_format import in_marks, marks

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
DIGITS = re.compile(r"\A[0-9]+\Z")
# Digits alone, in threes by one sign, or as India writes them.
WHOLE_NUMBER = re.compile(
    r"\A([0-9]+|[1-9][0-9]{0,2}(?P<mark>[ ',._])[0-9]{3}((?P=mark)[0-9]{3})*|[1-9][0-9]?(,[0-9]{2})+,[0-9]{3})\Z"
)
CURRENCY_CODE = re.compile(r"\A[A-Z]{3}\s*[0-9]|[0-9]\s*[A-Z]{3}\Z")
SIGN = re.compile(r"[\s'_\u00a0\u202f\u2019()+\-\u2212]")
# Longer than any amount; what is longer is not read at all.
MOST_TYPED = 60


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


class AmountWithPlaces(Decimal):
    """A rounded amount that files write with all its places, ``15279.20``, and not with as few as it needs."""


def formatted(amount: Decimal, currency: str) -> str:
    """`amount` rounded for a reader, with thousands separators: ``-1,234.50``, in German ``-1.234,50``."""
    value = rounded(amount, currency)
    return in_marks(f"{value if value else abs(value):,f}")


def compact(value: Decimal, *, on_axis: bool = False) -> str:
    """``65.0k``: one place and a letter from a thousand up; smaller amounts are whole numbers or cents.

    On an axis two places at most, without zeros at the end: ``12.5k``, ``0.25``. The browser's
    charts follow the same rule (`compact` in charts.js), and a test compares the two.
    """
    letters = marks().letters
    for power, letter in enumerate(letters):
        places = 2 if on_axis or (not letter and abs(value) < 100) else 1 if letter else 0
        cut = EXACT.divide(value, Decimal(1000) ** power).quantize(Decimal(1).scaleb(-places), context=EXACT)
        if abs(cut) < 1000 or letter == letters[-1]:
            break
    if not on_axis:
        return in_marks(f"{cut if cut else abs(cut):,f}") + letter
    digits = exact_text(abs(value if abs(value) < 1 else cut)) or ""
    return f"{'-' if value < 0 else ''}{in_marks(digits)}{letter}"


def exact_text(amount: Decimal | None) -> str | None:
    """`amount` with all its digits and no exponent; trailing zeros of the fraction are dropped."""
    if amount is None:
        return None
    text = f"{amount:f}"
    text = text.rstrip("0").rstrip(".") if "." in text else text
    return "0" if text in ("-0", "") else text


def exact_figure(amount: Decimal | None) -> str | None:
    """The same as the reader's language writes it, ``0,004``: for pages. The API and files have `exact_text`."""
    text = exact_text(amount)
    return text if text is None else in_marks(text)


def parse_amount(text: str, *, decimal_mark: str = "", most: Decimal | None = None) -> Decimal:
    """The amount that somebody typed: ``12,400.50``, ``12 400,50``, ``-12.400,50``, ``(12.50)``; raises BadAmount.

    A number that reads in two ways is decided by `decimal_mark` ("." or ",") where it is known, by `most` where one of
    them is more than there can be, and by our own pages where it has their mark of thousands: ``12,400`` in English.
    ``12.400`` is asked about there: in half of Europe it is twelve thousand, and so it is on our German pages. Groups
    of digits must be groups of three, or Indian ones (``12,34,567``): ``1,2,3.4`` is a slip.
    """
    typed = text.strip()
    plain = re.sub(r"\s", " ", typed).replace("\u2212", "-").replace("\u2019", "'")
    if plain.startswith("(") and plain.endswith(")"):
        plain = f"-{plain[1:-1].strip()}"
    sign, digits = (plain[0], plain[1:].strip()) if plain[:1] in ("-", "+") else ("", plain)
    readings = {mark: _read_with(digits, mark) for mark in ([decimal_mark] if decimal_mark else [".", ","])}
    values = sorted({value for value in readings.values() if value is not None})
    if most is not None and len(values) > 1:
        values = [value for value in values if value <= most] or values
    if not values:
        raise BadAmount(_("{typed} is not an amount: {why}").format(typed=repr(typed[:40]), why=_why_no_amount(plain)))
    if len(values) > 1 and marks().group not in digits:
        low, high = values
        cents = low.quantize(Decimal("0.01"), context=EXACT)
        clear = in_marks(f"{cents:f}") if cents == low else typed_text(low)
        raise BadAmount(
            _("{typed} reads in two ways. Did you mean {high} or {low}? Write {high_digits} or {clear}.").format(
                typed=repr(typed[:40]),
                high=in_marks(f"{high:,f}"),
                low=in_marks(exact_text(low) or ""),
                high_digits=f"{high:f}",
                clear=clear,
            )
        )
    return -values[-1] if sign == "-" else values[-1]


def _read_with(digits: str, mark: str) -> Decimal | None:
    """An amount without its sign whose decimals follow `mark`; None where it is none."""
    before, decimals, after = digits.partition(mark)
    if not WHOLE_NUMBER.match(before) or len(digits) > MOST_TYPED or (decimals and not DIGITS.match(after)):
        return None
    return Decimal(re.sub(r"[^0-9]", "", before) + (f".{after}" if decimals else ""))


def _why_no_amount(plain: str) -> str:
    if any(sign.isdigit() and not sign.isascii() for sign in plain):
        return _("write it in the digits 0 to 9.")
    if any(unicodedata.category(sign) == "Sc" for sign in plain) or CURRENCY_CODE.search(plain):
        return _("write it without its currency, like 12400 or {example}.").format(example=in_marks("12,400.50"))
    return _("write it like 12400 or {example}.").format(example=in_marks("12,400.50"))


def typed_text(amount: Decimal | None) -> str | None:
    """The exact text of an amount for a form, which reads it again as the same: ``12.345`` as ``12.3450``.

    Its decimals stand behind the mark of the reader: ``12,3450`` in German.
    """
    text = exact_text(amount)
    if text and text.partition(".")[2] and len(decimal_marks(text)) > 1:
        text = f"{text}0"
    return text and text.replace(".", marks().decimal)


def decimal_marks(text: str) -> set[str]:
    """Which characters may be the decimal mark of a number: both where it cannot be seen, like in 174.025."""
    digits = SIGN.sub("", text)
    points, commas = digits.count("."), digits.count(",")
    if points and commas:
        return {"."} if digits.rfind(".") > digits.rfind(",") else {","}
    if not points and not commas:
        return {".", ","}
    mark, other = (".", ",") if points else (",", ".")
    if points + commas > 1:
        return {other}
    before, after = digits.split(mark)
    is_clear = len(after) != 3 or len(before) > 3 or before.strip("0") == ""
    return {mark} if is_clear else {".", ","}


def decimal_mark_of(texts: Iterable[str]) -> str:
    """The decimal mark that the numbers of a file show together; empty where none of them shows it.

    Raises BadAmount where some have a point and others a comma.
    """
    possible = {".", ","}
    for text in texts:
        if not decimal_marks(text) & possible:
            problem = _("{typed} has another decimal mark than the numbers before it.")
            raise BadAmount(problem.format(typed=repr(text.strip()[:40])))
        possible &= decimal_marks(text)
    return possible.pop() if len(possible) == 1 else ""


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

"""How the reader's language writes numbers, shares, days and months: ``1.234,50``, ``12 %``, ``3. Nov. 2025``.

English is written as this project always has; other languages as the Unicode project collected it, in Babel. Pure.
"""

from dataclasses import dataclass
from datetime import date
from functools import cache

from babel import Locale, UnknownLocaleError
from babel.dates import format_date

from finops_site.lib.language import ENGLISH, get_language

# What stands behind a number instead of thousands, millions, and so on: "65.0k".
LETTERS = {
    ENGLISH: ("", "k", "M", "B", "T"),
    "de": ("", "\u00a0Tsd.", "\u00a0Mio.", "\u00a0Mrd.", "\u00a0Bio."),
    "fr": ("", "\u00a0k", "\u00a0M", "\u00a0Md", "\u00a0Bn"),
}
# The day, the day without its year, the month, the month in full, its name alone, and that in full.
ENGLISH_DAYS = {"day": "%b %Y", "short day": "%b", "month": "%b %Y", "long month": "%B %Y"}
SKELETONS = {"day": "yMMMd", "short day": "MMMd", "month": "yMMM", "long month": "yMMMM"}
NAMES = {"month name": "LLL", "long month name": "LLLL"}


@dataclass(frozen=True, slots=True)
class Marks:
    """What a language puts between thousands, before decimals, and around a share."""

    group: str
    decimal: str
    before_percent: str
    letters: tuple[str, ...]


ENGLISH_MARKS = Marks(",", ".", "", LETTERS[ENGLISH])


@cache
def _locale(language: str) -> Locale | None:
    try:
        return Locale.parse(language)
    except (UnknownLocaleError, ValueError):
        return None


@cache
def _marks_of(language: str) -> Marks:
    locale = None if language == ENGLISH else _locale(language)
    if locale is None:
        return ENGLISH_MARKS
    symbols = locale.number_symbols["latn"]
    percent = locale.percent_formats[None].pattern.rpartition("%")[0].lstrip("#,.0")
    return Marks(symbols["group"], symbols["decimal"], percent, LETTERS.get(language, LETTERS[ENGLISH]))


def marks() -> Marks:
    """The marks of the reader's language."""
    return _marks_of(get_language())


def in_marks(figure: str) -> str:
    """``1,234.50`` as the reader writes it."""
    reader = marks()
    if reader is ENGLISH_MARKS:
        return figure
    return figure.translate({ord(","): reader.group, ord("."): reader.decimal})


def percent_figure(figure: str) -> str:
    """The figure ``12.3`` of a share with its sign: ``12.3%``, ``12,3 %``."""
    return f"{in_marks(figure)}{marks().before_percent}%"


def date_figure(day: date, style: str) -> str:
    """A day in the words of the reader; styles: day, short day, month, long month, month name, long month name."""
    language = get_language()
    locale = None if language == ENGLISH else _locale(language)
    if locale is not None:
        text = format_date(day, NAMES.get(style) or locale.datetime_skeletons[SKELETONS[style]].pattern, locale)
        # It ends a sentence, too, where its own full stop would be the second.
        return text.removesuffix(".") if style == "short day" else text
    if style in NAMES:
        return day.strftime("%b" if style == "month name" else "%B")
    text = day.strftime(ENGLISH_DAYS[style])
    return f"{day.day} {text}" if style in ("day", "short day") else text

"""Words around figures. Pure: no Django."""

from collections.abc import Sequence
from datetime import timedelta
from decimal import Decimal

from finops_site.lib.language import get_language, ngettext
from finops_site.lib.language import gettext as _
from finops_site.lib.locale_format import in_marks, percent_figure


def counted(count: int, one: str, many: str = "") -> str:
    """``1 row``, ``1,204 rows``; `many` where the plural is not `one` with an s: ``2 rows have``, ``2 deliveries``.

    Both are texts of the catalogs, ``{count} row`` and ``{count} rows``: ops/catalogs.py finds them by this call.
    """
    form = ngettext(f"{{count}} {one}", f"{{count}} {many or f'{one}s'}", count)
    return form.replace("{count}", number_text(count))


def number_text(value: Decimal | float, places: int = 0) -> str:
    """``1,204``, or ``0.5`` with one place: a number that is no money, rounded to `places`."""
    return in_marks(f"{value:,.{places}f}")


def share_text(share: Decimal | float, places: int = 0) -> str:
    """The ratio 0.123 as ``12%``, or as ``12.3%`` with one place."""
    return percent_figure(f"{share:,.{places}%}".removesuffix("%"))


def age_text(age: timedelta) -> str:
    """``5 minutes``, ``3 hours``, ``2 days``: whole units, rounded down."""
    minutes = int(age.total_seconds() // 60)
    if minutes < 120:
        return counted(max(minutes, 0), "minute")
    return counted(minutes // 60, "hour") if minutes < 48 * 60 else counted(minutes // (24 * 60), "day")


def some_of(names: Sequence[str], most: int = 5, *, between: str = ", ", last: str = " and ") -> str:
    """``a, b and 3 more``: the first `most` names, and how many there are beside them."""
    more, listed = len(names) - most, between.join(names[:most])
    if more <= 0:
        return listed
    form = _("{names} and {count} more") if last == " and " else _("{names}; and {count} more")
    return form.format(names=listed, count=number_text(more))


def labelled(label: object, text: object) -> str:
    """``Shared: Support``, with a colon as the reader's language sets it."""
    return _("{label}: {text}").format(label=label, text=text)


def in_sentence(label: str) -> str:
    """A label inside a sentence: ``draft`` of ``Draft``. In German it stays: its nouns keep their capital."""
    return str(label) if get_language().startswith("de") else str(label).lower()

"""The language and the time zone of whoever reads, for modules without Django: English until `connect` is called.

`apps.py` connects Django's translation. What a module of arithmetic says to a reader it marks as everybody does:
``from finops_site.lib.language import gettext as _``. It is translated when the function runs, so a text at the level
of a module is only marked there, by `gettext_noop`, and translated where it is used.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from datetime import UTC, tzinfo

ENGLISH = "en"
_zone: ContextVar[tzinfo] = ContextVar("time zone of the reader", default=UTC)


def _plural(one: str, many: str, number: int) -> str:
    return one if number == 1 else many


@dataclass(slots=True)
class _Translators:
    gettext: Callable[[str], str] = str
    ngettext: Callable[[str, str, int], str] = _plural
    pgettext: Callable[[str, str], str] = lambda context, text: text
    get_language: Callable[[], str | None] = lambda: ENGLISH


_connected = _Translators()


def connect(
    gettext: Callable[[str], str],
    ngettext: Callable[[str, str, int], str],
    pgettext: Callable[[str, str], str],
    get_language: Callable[[], str | None],
) -> None:
    """From now on these translate."""
    _connected.gettext, _connected.ngettext, _connected.pgettext = gettext, ngettext, pgettext
    _connected.get_language = get_language


def gettext(text: str) -> str:
    """`text` in the language of the reader; itself where nobody translated it."""
    return str(_connected.gettext(text))


def ngettext(one: str, many: str, number: int) -> str:
    """The form of the text that goes with `number`; it is put in by ``.format(count=…)`` afterwards."""
    return str(_connected.ngettext(one, many, number))


def pgettext(context: str, text: str) -> str:
    """`text` as it is meant in `context`: "Open" of a button is not "Open" of a state."""
    return str(_connected.pgettext(context, text))


def gettext_noop(text: str) -> str:
    """`text` as it is: only marked, to be translated where it is used."""
    return text


def get_language() -> str:
    """The language of the reader, ``de`` of ``de-at``; English where nobody chose one."""
    return (_connected.get_language() or ENGLISH).partition("-")[0]


def get_zone() -> tzinfo:
    """The time zone that the reader is shown times of day in; UTC where nobody chose one. Days of charges stay UTC."""
    return _zone.get()


@contextmanager
def in_zone(zone: tzinfo) -> Iterator[None]:
    """Times of day are written in `zone` meanwhile."""
    before = _zone.set(zone)
    try:
        yield
    finally:
        _zone.reset(before)

"""Catalogs of translations: the files that translators edit (.po), and those that the site reads (.mo).

Babel does what the programs of gettext do elsewhere, so that nothing has to be installed for them. Pure: no Django.
"""

import os
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from string import Formatter

from babel.messages.catalog import Catalog, Message
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po, write_po

LINE = 120
# As Django's own catalogs count, with which ours are put together.
PLURALS = {"de": "nplurals=2; plural=(n != 1);", "fr": "nplurals=2; plural=(n > 1);"}
HEADER = """msgid ""
msgstr ""
"Language: {language}\\n"
"Content-Type: text/plain; charset=UTF-8\\n"
"Content-Transfer-Encoding: 8bit\\n"
"Plural-Forms: {plurals}\\n"

"""
PERCENT_NAME = re.compile(r"%\((\w+)\)[#0\-+ ]*\d*(?:\.\d+)?[a-zA-Z]|%[sd]")


@dataclass(frozen=True, slots=True)
class Text:
    """A text in the code that a reader sees: with `many` its plural, with `context` what tells it from its like."""

    one: str
    many: str = ""
    context: str = ""

    @property
    def key(self) -> tuple[str, str]:
        return self.context, self.one


def placeholders(text: str) -> set[str]:
    """The names that a text leaves room for: ``{count}`` of Python, ``%(count)s`` of a template."""
    percent = {match[0] if match[1] is None else f"%({match[1]})" for match in PERCENT_NAME.finditer(text)}
    return percent or {f"{{{name}}}" for name in _brace_names(text)}


def _brace_names(text: str) -> set[str]:
    try:
        return {name for _, name, _, _ in Formatter().parse(text) if name is not None}
    except ValueError:
        return set()


def _empty_catalog(language: str) -> Catalog:
    """A catalog that counts as PLURALS says: CLDR has a third form of French, for millions, which Django lacks."""
    catalog = Catalog(locale=language)
    catalog.mime_headers = [("Plural-Forms", PLURALS[language])]
    return catalog


def read_catalog(path: Path, language: str) -> Catalog:
    """The catalog in a file; an empty one where there is none."""
    if not path.exists():
        return _empty_catalog(language)
    with path.open("rb") as file:
        return read_po(file, locale=language)


def translations_in(catalog: Catalog) -> dict[tuple[str, str], Message]:
    """What is translated in a catalog, by context and text; what the code does not say any more too."""
    every = [*catalog.obsolete.values(), *catalog]
    return {(message.context or "", _one(message)): message for message in every if message.id and _is_done(message)}


def _one(message: Message) -> str:
    return message.id if isinstance(message.id, str) else message.id[0]


def _is_done(message: Message) -> bool:
    return all(message.string) if isinstance(message.string, list | tuple) else bool(message.string)


def merged(
    texts: dict[Text, list[str]], old: Catalog, known: Sequence[dict[tuple[str, str], Message]], language: str
) -> str:
    """The file of a catalog with these texts, each with the files that say it, and their translations from `known`.

    What the code says no more stays at the end, marked as obsolete, for the day it comes back.
    """
    catalog = _empty_catalog(language)
    for text, places in sorted(texts.items(), key=lambda item: item[0].key):
        before = next((message for one in known if (message := _translation(one, text)) is not None), None)
        entry = Message(
            (text.one, text.many) if text.many else text.one,
            before or "",
            locations=[(place, 0) for place in sorted(places)],
            context=text.context or None,
        )
        # Not the flags that Babel finds: it takes "40% coverage" for a format of Python's.
        entry.flags = set(_flags(text))
        catalog[entry.id] = entry
    keys = {text.key for text in texts}
    gone = {key: message for key, message in translations_in(old).items() if key not in keys}
    # No type says that these are kept by their text.
    catalog.obsolete.update({_one(message): message for _, message in sorted(gone.items())})
    out = BytesIO()
    write_po(out, catalog, width=LINE, include_lineno=False, omit_header=True, sort_output=True)
    return HEADER.format(language=language, plurals=PLURALS[language]) + out.getvalue().decode()


def _translation(known: dict[tuple[str, str], Message], text: Text) -> str | tuple[str, ...] | None:
    message = known.get(text.key)
    if message is None or (text.many and message.id != (text.one, text.many)):
        return None
    forms = message.string
    if isinstance(forms, str) or forms is None:
        return forms
    # A plural that is written without its number now: the form for one.
    return tuple(forms) if text.many else forms[0]


def _flags(text: Text) -> Iterable[str]:
    if PERCENT_NAME.search(text.one):
        return ["python-format"]
    return ["python-brace-format"] if _brace_names(text.one) else []


def compile_catalogs(root: Path) -> list[Path]:
    """Makes the .mo file of every catalog below `root` that has none, or an older one; returns the catalogs."""
    stale = [path for path in sorted(root.glob("*/locale/*/LC_MESSAGES/*.po")) if _is_stale(path)]
    for path in stale:
        with path.open("rb") as file:
            catalog = read_po(file, locale=path.parts[-3])
        # Another process may read it at this moment, or make the same one.
        fresh = path.with_suffix(f".{os.getpid()}.new")
        with fresh.open("wb") as out:
            write_mo(out, catalog)
        fresh.replace(path.with_suffix(".mo"))
    return stale


def _is_stale(path: Path) -> bool:
    compiled = path.with_suffix(".mo")
    return not compiled.exists() or compiled.stat().st_mtime < path.stat().st_mtime

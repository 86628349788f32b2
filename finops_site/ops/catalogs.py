"""The texts of our own apps that readers see, as the code says them, and the catalogs in which they are translated.

What lies in an app, and in templates/<app>/, is translated in <app>/locale; all other templates in that of the ground
floor. A text that the ground floor has is not repeated above it.
"""

import ast
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any

from babel.messages.extract import extract_javascript, extract_python
from django.conf import settings
from django.utils.translation.template import templatize

from finops_site.lib.catalogs import Text, merged, read_catalog, translations_in
from finops_site.lib.language import ENGLISH

GROUND_FLOOR = "finops_site"
# Which arguments of each function are a text: its context, the text, its plural.
KEYWORDS: dict[str, tuple[int | None, int, int | None]] = {
    **dict.fromkeys(("_", "_lazy", "gettext", "gettext_lazy", "gettext_noop", "_noop"), (None, 0, None)),
    **dict.fromkeys(("_n", "ngettext", "ngettext_lazy"), (None, 0, 1)),
    **dict.fromkeys(("_p", "pgettext", "pgettext_lazy"), (0, 1, None)),
    **dict.fromkeys(("npgettext", "npgettext_lazy"), (0, 1, 2)),
}
Texts = dict[Text, list[str]]


@dataclass(frozen=True, slots=True)
class CatalogFile:
    """A catalog as it stands in the folder and as the code wants it."""

    path: Path
    wanted: str
    messages: int
    untranslated: int

    @property
    def is_in_step(self) -> bool:
        return self.path.exists() and self.path.read_text() == self.wanted

    def write(self) -> None:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self.path.write_text(self.wanted)


def wanted_catalogs(root: Path) -> list[CatalogFile]:
    """Every catalog of our apps as the code wants it now, with all translations that were there."""
    files = []
    for domain, by_app in (("django", _texts_of_apps(root)), ("djangojs", _texts_of_scripts(root))):
        for language, _name in settings.LANGUAGES:
            if language != ENGLISH:
                files += _catalogs_of(root, domain, by_app, language)
    return files


def _catalogs_of(root: Path, domain: str, by_app: dict[str, Texts], language: str) -> list[CatalogFile]:
    apps = [app for app in our_apps(root) if by_app.get(app) or _path(root, app, language, domain).exists()]
    old = {app: read_catalog(_path(root, app, language, domain), language) for app in apps}
    known = {app: translations_in(catalog) for app, catalog in old.items()}
    files = []
    for app in apps:
        texts = by_app.get(app, {})
        # What moved to another app takes its translation along.
        everywhere = [known[app], *(known[other] for other in apps if other != app)]
        wanted = merged(texts, old[app], everywhere, language)
        missing = sum(not any(text.key in one for one in everywhere) for text in texts)
        files.append(CatalogFile(_path(root, app, language, domain), wanted, len(texts), missing))
    return files


def _path(root: Path, app: str, language: str, domain: str) -> Path:
    return root / app / "locale" / language / "LC_MESSAGES" / f"{domain}.po"


def our_apps(root: Path) -> list[str]:
    """The ground floor first, then the pillars."""
    names = sorted(path.parent.name for path in root.glob("*/apps.py"))
    return [GROUND_FLOOR, *(name for name in names if name != GROUND_FLOOR)]


def _texts_of_apps(root: Path) -> dict[str, Texts]:
    by_app: dict[str, Texts] = defaultdict(dict)
    apps = our_apps(root)
    for app in apps:
        for path in sorted((root / app).rglob("*.py")):
            _note(by_app[app], path.relative_to(root), texts_of_python(path.read_text()))
    for path in sorted(path for path in (root / "templates").rglob("*") if path.is_file()):
        folder = path.relative_to(root / "templates").parts[0]
        _note(by_app[folder if folder in apps else GROUND_FLOOR], path.relative_to(root), texts_of_template(path))
    return _without_repetition(by_app)


def _texts_of_scripts(root: Path) -> dict[str, Texts]:
    by_app: dict[str, Texts] = defaultdict(dict)
    for path in sorted(root.glob("*/static/*/*.js")):
        app, _, folder, _ = path.relative_to(root).parts
        if folder != "vendor":
            calls = extract_javascript(BytesIO(path.read_bytes()), dict.fromkeys(KEYWORDS), [], {})
            _note(by_app[app], path.relative_to(root), _texts_of_calls((name, text) for _, name, text, _ in calls))
    return _without_repetition(by_app)


def _note(texts: Texts, place: Path, more: Iterator[Text]) -> None:
    for text in more:
        # One entry of a catalog for a text with and without its plural.
        same = next((one for one in (text, *_with_other_plural(texts, text)) if one in texts), None)
        if same is not None and text.many and not same.many:
            texts[text] = texts.pop(same)
            same = text
        places = texts.setdefault(same or text, [])
        if place.as_posix() not in places:
            places.append(place.as_posix())


def _with_other_plural(texts: Texts, text: Text) -> list[Text]:
    if text.many:
        return [Text(text.one, "", text.context)]
    return [one for one in texts if one.key == text.key]


def _without_repetition(by_app: dict[str, Texts]) -> dict[str, Texts]:
    ground = {text.key: text for text in by_app.get(GROUND_FLOOR, {})}
    return {
        app: texts
        if app == GROUND_FLOOR
        else {text: places for text, places in texts.items() if not _is_in(ground, text)}
        for app, texts in by_app.items()
    }


def _is_in(ground: dict[tuple[str, str], Text], text: Text) -> bool:
    same = ground.get(text.key)
    return same is not None and (not text.many or same.many == text.many)


def texts_of_python(source: str) -> Iterator[Text]:
    """The texts that a module marks; names and formatted strings inside of a mark are none."""
    if "gettext" not in source and "counted(" not in source:
        return
    for node in ast.walk(ast.parse(source)):
        if not isinstance(node, ast.Call):
            continue
        name = node.func.id if isinstance(node.func, ast.Name) else getattr(node.func, "attr", "")
        texts = [one.value if isinstance(one, ast.Constant) else None for one in node.args]
        if name == "counted" and len(texts) > 1 and isinstance(texts[1], str):
            # lib/words.py makes these two of its noun.
            one, *rest = (str(text) for text in texts[1:])
            yield Text(f"{{count}} {one}", f"{{count}} {rest[0] if rest else f'{one}s'}")
        else:
            yield from _texts_of_calls([(name, texts)])


def texts_of_template(path: Path) -> Iterator[Text]:
    """The texts that a template marks."""
    source = path.read_text()
    if "_(" not in source and "trans" not in source:
        return
    # Its lines are no lines of Python, whose indentation would have to agree.
    code = "\n".join(line.strip() for line in templatize(source).splitlines())
    calls = extract_python(BytesIO(code.encode()), dict.fromkeys(KEYWORDS), [], {"encoding": "utf-8"})
    yield from _texts_of_calls((name, texts) for _, name, texts, _ in calls)


def _texts_of_calls(calls: Iterable[tuple[Any, Any]]) -> Iterator[Text]:
    for name, arguments in calls:
        if name not in KEYWORDS:
            continue
        texts = [arguments] if isinstance(arguments, str) else list(arguments)
        context, one, many = (
            None if place is None or place >= len(texts) else texts[place] for place in KEYWORDS[name]
        )
        if isinstance(one, str) and one:
            yield Text(one, many if isinstance(many, str) else "", context if isinstance(context, str) else "")

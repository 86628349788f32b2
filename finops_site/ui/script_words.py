"""The texts of our scripts in another language, out of the catalogs djangojs.po of our apps."""

from functools import cache
from pathlib import Path

from django.conf import settings

from finops_site.lib.catalogs import read_catalog, translations_in
from finops_site.lib.language import ENGLISH


@cache
def texts_of_scripts(language: str) -> dict[str, str | list[str]]:
    """{text: its translation, or its two forms}; empty for English."""
    if language == ENGLISH:
        return {}
    texts: dict[str, str | list[str]] = {}
    # What stands before in LOCALE_PATHS counts, as Django has it.
    for folder in reversed(settings.LOCALE_PATHS):
        catalog = read_catalog(Path(folder) / language / "LC_MESSAGES" / "djangojs.po", language)
        for (_context, text), message in translations_in(catalog).items():
            texts[text] = message.string if isinstance(message.string, str) else list(message.string or ())
    return texts

"""Every text that a reader sees is translated, into every language, with the places that its figures fill."""

import re
from pathlib import Path

import pytest
from babel.messages.pofile import read_po
from django.conf import settings

from finops_site.lib.catalogs import placeholders
from finops_site.ops.catalogs import wanted_catalogs

ROOT = Path(__file__).resolve().parents[1]
CATALOGS = [path.relative_to(ROOT).as_posix() for path in sorted(ROOT.glob("*/locale/*/LC_MESSAGES/*.po"))]


def messages(name):
    path = ROOT / name
    with path.open("rb") as file:
        catalog = read_po(file, locale=path.parts[-3])
    return [message for message in catalog if message.id], catalog


def forms(message):
    """[(text, translation)]: for a plural each form beside the text that it stands for."""
    if isinstance(message.id, str):
        return [(message.id, message.string)]
    one, many = message.id
    return [(one if number == 0 else many, form) for number, form in enumerate(message.string)]


def test_there_is_a_catalog_of_the_site_in_every_language():
    ground = {f"finops_site/locale/{code}/LC_MESSAGES/django.po" for code, _ in settings.LANGUAGES if code != "en"}
    assert ground <= set(CATALOGS)


def test_the_catalogs_have_what_the_code_says():
    behind = [str(file.path.relative_to(ROOT)) for file in wanted_catalogs(ROOT) if not file.is_in_step]
    assert behind == [], "run: python3 run.py manage make_catalogs"


@pytest.mark.parametrize("name", CATALOGS)
def test_every_message_is_translated_and_none_is_a_guess(name):
    every, _ = messages(name)
    assert [message.id for message in every if not all(form for _, form in forms(message))] == []
    assert [message.id for message in every if message.fuzzy] == []


@pytest.mark.parametrize("name", CATALOGS)
def test_a_translation_has_the_places_of_its_text_and_every_plural(name):
    every, catalog = messages(name)
    wrong = []
    for message in every:
        if not isinstance(message.id, str) and len(message.string) != catalog.num_plurals:
            wrong.append((message.id, "plurals"))
        for text, translation in forms(message):
            # "One row" may leave its number out; a figure more or another name fails where it is filled in.
            may_lack = set() if isinstance(message.id, str) else placeholders(text)
            missing = placeholders(text) - placeholders(translation) - may_lack
            extra = placeholders(translation) - placeholders(message.id[-1] if may_lack else text) - placeholders(text)
            if translation and (missing or extra):
                wrong.append((text, sorted(missing | extra)))
    assert wrong == []


# Those of widgets are attributes without their tags.
TEMPLATES = [
    path
    for path in sorted((ROOT / "templates").rglob("*"))
    if path.suffix in (".html", ".txt") and "widgets" not in path.parts
]
# Marked text and comments; then tags; then code, and marks of HTML.
NOT_TEXT = [
    re.compile(pattern, re.DOTALL)
    for pattern in (
        r"\{% comment.*?endcomment %\}|\{#.*?#\}|\{% blocktrans.*?endblocktrans(?:late)? %\}",
        r"\{% block (?:page_class|form_attrs|body_attrs) %\}.*?\{% endblock %\}",
        r"\{[%{].*?[%}]\}",
        r"<!--.*?-->|<(script|style|code|kbd|pre|datalist)\b.*?</\1>",
        r"<[^>]*>|&\w+;|&#\d+;",
    )
]
# Names that no language translates.
NAMES = {
    "Payments",
    "USD",
    "AWS",
    "CLI",
    "SHA",
    "Terraform",
    "FinOps",
    "CSV",
    "XLSX",
    "PDF",
    "UTC",
    "API",
    "Ctrl",
    "OData",
    "JSON",
    "SQL",
    "Excel",
    "FOCUS",
    "UTF",
}
WORD = re.compile(r"[A-Za-z]{3,}")


def unmarked(path):
    """The words of a template that stand outside of every mark."""
    text = path.read_text()
    for pattern in NOT_TEXT:
        text = pattern.sub(" ", text)
    return sorted({word for word in WORD.findall(text) if word not in NAMES})


def test_no_template_has_a_text_that_is_not_marked():
    bare = {path.relative_to(ROOT).as_posix(): words for path in TEMPLATES if (words := unmarked(path))}
    assert bare == {}


def test_no_mark_in_a_tag_has_a_percent_sign():
    """Django doubles it there and nobody makes one of it again; ``{% translate %}`` does."""
    doubled = {
        f"{path.relative_to(ROOT)}: {match[0]}"
        for path in TEMPLATES
        for match in re.finditer(r"_\((\"[^\"]*%[^\"]*\"|'[^']*%[^']*')\)", path.read_text())
    }
    assert doubled == set()

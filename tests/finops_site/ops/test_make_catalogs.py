"""Catalogs are made from what the code says, and no translation is lost by it."""

import gettext

import pytest

from finops_site.lib.catalogs import compile_catalogs
from finops_site.ops.catalogs import wanted_catalogs

MODULE = """
from django.utils.translation import gettext as _, ngettext, pgettext

def words(n, name):
    return _("{name} has no budget").format(name=name), ngettext("{n} row", "{n} rows", n), pgettext("a state", "Open")
"""
TEMPLATE = """{% load i18n %}{% translate "Budgets" %} {% card _("By team") %}
  {% blocktranslate trimmed count n=rows %}
    {{ n }} line
  {% plural %}
    {{ n }} lines
  {% endblocktranslate %}
"""


@pytest.fixture
def house(tmp_path):
    """A small house: a ground floor and one pillar."""
    for app in ("finops_site", "budgets"):
        (tmp_path / app).mkdir()
        (tmp_path / app / "apps.py").write_text("")
    (tmp_path / "templates/budgets").mkdir(parents=True)
    (tmp_path / "templates/budgets/list.html").write_text(TEMPLATE)
    (tmp_path / "templates/base.html").write_text('{% load i18n %}{% translate "Log out" %}{% translate "Budgets" %}')
    (tmp_path / "budgets/words.py").write_text(MODULE)
    return tmp_path


def write(house):
    for file in wanted_catalogs(house):
        file.write()
    return {path.relative_to(house).as_posix(): path for path in house.glob("*/locale/*/*/*.po")}


def translate(path, one, translation):
    text = path.read_text()
    assert f'msgid "{one}"\nmsgstr ""' in text
    path.write_text(text.replace(f'msgid "{one}"\nmsgstr ""', f'msgid "{one}"\nmsgstr "{translation}"'))


def test_each_app_has_its_own_texts_and_none_that_the_ground_floor_has(house):
    files = write(house)
    assert len(files) == 4
    site, budgets = (files[f"{app}/locale/de/LC_MESSAGES/django.po"].read_text() for app in ("finops_site", "budgets"))
    assert 'msgid "Log out"' in site
    assert 'msgid "Budgets"' in site
    assert 'msgid "Budgets"' not in budgets
    for text in ('"By team"', '"%(n)s line"', '"%(n)s lines"', '"{n} rows"', '"{name} has no budget"', '"a state"'):
        assert text in budgets
    assert "#: budgets/words.py\n" in budgets, "no number of a line, which would change with every other edit"


def test_translations_stay_come_along_to_another_app_and_come_back(house):
    site = write(house)["finops_site/locale/de/LC_MESSAGES/django.po"]
    budgets = house / "budgets/locale/de/LC_MESSAGES/django.po"
    translate(site, "Log out", "Abmelden")
    translate(budgets, "By team", "Nach Team")
    written = {path: path.read_text() for path in (site, budgets)}
    write(house)
    assert {path: path.read_text() for path in written} == written
    assert all(file.is_in_step for file in wanted_catalogs(house))

    (house / "templates/budgets/list.html").write_text("nothing")
    (house / "templates/base.html").write_text('{% load i18n %}{% translate "By team" %}')
    assert not all(file.is_in_step for file in wanted_catalogs(house))
    write(house)
    assert 'msgid "By team"\nmsgstr "Nach Team"' in site.read_text()
    assert '#~ msgid "Log out"\n#~ msgstr "Abmelden"' in site.read_text()

    (house / "templates/base.html").write_text('{% load i18n %}{% translate "Log out" %}')
    write(house)
    assert '\nmsgid "Log out"\nmsgstr "Abmelden"' in site.read_text()


def test_what_the_site_reads_is_made_where_the_catalog_is_newer(house):
    translate(write(house)["finops_site/locale/de/LC_MESSAGES/django.po"], "Log out", "Abmelden")
    assert len(compile_catalogs(house)) == 4
    assert compile_catalogs(house) == []
    read = gettext.translation("django", house / "finops_site/locale", ["de"])
    assert (read.gettext("Log out"), read.gettext("Budgets")) == ("Abmelden", "Budgets")

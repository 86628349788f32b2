"""The language of whoever reads: pure modules know it, and say English where nobody chose one."""

from decimal import Decimal

from django.utils import translation

from finops_site.lib import language
from finops_site.registry import Unit
from finops_site.ui.figures import measure_text


def test_a_module_without_django_knows_the_language_of_the_reader():
    with translation.override("de-at"):
        assert language.get_language() == "de"
    with translation.override(None):
        assert language.get_language() == "en"


def test_a_text_that_nobody_translated_is_english():
    with translation.override("fr"):
        assert language.gettext("A text of this test.") == "A text of this test."
        assert language.ngettext("{count} row of this test", "{count} rows of this test", 2) == (
            "{count} rows of this test"
        )


def test_the_unit_of_a_figure_is_in_the_language_of_the_reader():
    with translation.override("de"):
        assert measure_text(Decimal("74.9"), Unit.HOURS) == "74,9 Stunden"
    with translation.override("fr"):
        assert measure_text(Decimal(6), Unit.MONTHS) == "6 mois"
    assert measure_text(Decimal("74.9"), Unit.HOURS) == "74.9 hours"

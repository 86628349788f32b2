"""The language of whoever reads: pure modules know it, and say English where nobody chose one."""

from django.utils import translation

from finops_site.lib import language


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

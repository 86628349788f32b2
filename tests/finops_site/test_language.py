"""The language of whoever reads: pure modules know it, and say English where nobody chose one."""

import re
from decimal import Decimal

from django.utils import translation

from finops_site.lib import language
from finops_site.lib.money import exact_figure
from finops_site.lib.words import labelled
from finops_site.people.account_texts import OTHERWORDED
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


def test_a_sum_with_all_its_digits_and_a_label_are_written_as_the_reader_writes_them():
    amount = Decimal("-1234.0040")
    assert (exact_figure(amount), labelled("Total", "5")) == ("-1234.004", "Total: 5")
    with translation.override("de"):
        assert (exact_figure(amount), labelled("Summe", "5")) == ("-1234,004", "Summe: 5")
    with translation.override("fr"):
        assert labelled("Total", "5") == "Total\u00a0: 5"
    assert exact_figure(None) is None


def test_what_allauth_says_is_as_polite_as_the_rest():
    with translation.override("de"):
        texts = [translation.gettext(text) for text in OTHERWORDED]
    assert "Bitte haben Sie Geduld, Sie senden zu viele Anfragen." in texts
    assert not [text for text in texts if re.search(r"\b(du|dein\w*|dich|dir)\b", text, re.IGNORECASE)]

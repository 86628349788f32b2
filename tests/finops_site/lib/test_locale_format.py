"""Numbers, shares, days and moments as the reader's language writes them; English as ever."""

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest
from django.utils import translation

from finops_site.lib.language import in_zone
from finops_site.lib.money import BadAmount, compact, formatted, parse_amount, typed_text
from finops_site.lib.periods import Month, day_text, days_text, moment_text, month_text, short_day_text
from finops_site.lib.words import age_text, counted, number_text, share_text
from finops_site.ui.figures import figure_text, money_html, percent_text

AMOUNT = Decimal("-1234567.5")
DAY = date(2025, 11, 3)


def written(language):
    with translation.override(language):
        return [
            formatted(AMOUNT, "EUR"),
            compact(Decimal(65_000)),
            percent_text(Decimal("0.123")),
            share_text(Decimal("1.5")),
            figure_text(Decimal("1234.5")),
            number_text(1204),
            day_text(DAY),
            short_day_text(DAY),
            month_text(Month(2025, 11)),
            month_text("2025-11", "long"),
        ]


@pytest.mark.parametrize(
    ("language", "words"),
    [
        ("en", "-1,234,567.50|65.0k|12.3%|150%|1,234.5|1,204|3 Nov 2025|3 Nov|Nov 2025|November 2025"),
        (
            "de",
            "-1.234.567,50|65,0\u00a0Tsd.|12,3\u00a0%|150\u00a0%|1.234,5|1.204|3. Nov. 2025|3. Nov|Nov. 2025|"
            "November 2025",
        ),
        (
            "fr",
            "-1\u202f234\u202f567,50|65,0\u00a0k|12,3\u00a0%|150\u00a0%|1\u202f234,5|1\u202f204|3 nov. 2025|3 nov|"
            "nov. 2025|novembre 2025",
        ),
    ],
)
def test_figures_are_written_as_the_reader_writes_them(language, words):
    assert written(language) == words.split("|")


def test_the_exact_digits_behind_an_amount_are_all_there_and_written_as_its_reader_writes_numbers():
    with translation.override("de"):
        html = money_html(Decimal("1234.5000001"), "EUR")
    assert 'title="1234,5000001 EUR"' in html
    assert ">1.234,50 <" in html


def test_a_moment_is_written_in_the_zone_of_its_reader_and_a_day_of_a_charge_is_never_shifted():
    moment = datetime(2025, 11, 2, 23, 30, tzinfo=UTC)
    assert moment_text(moment) == "2 Nov 2025, 23:30 UTC"
    with in_zone(ZoneInfo("Europe/Berlin")), translation.override("de"):
        assert moment_text(moment) == "3. Nov. 2025, 00:30 CET"
        assert day_text(moment) == "3. Nov. 2025"
        assert day_text(date(2025, 11, 2)) == "2. Nov. 2025"
        # As a bill has it: without a zone, in UTC.
        assert moment_text(moment.replace(tzinfo=None)) == "2. Nov. 2025, 23:30 UTC"


def test_every_amount_that_a_form_writes_is_read_again_as_the_same():
    for language in ("en", "de", "fr"):
        with translation.override(language):
            for amount in ("0.5", "12.345", "1234.5", "174.025", "1000000", "0.125", "12400"):
                assert parse_amount(typed_text(Decimal(amount))) == Decimal(amount)
            assert parse_amount(formatted(Decimal("12400.5"), "EUR")) == Decimal("12400.5")


def test_a_german_reads_twelve_thousand_where_her_pages_write_it_so_and_is_asked_about_the_other_mark():
    with translation.override("de"):
        assert parse_amount("12.400") == 12_400
        with pytest.raises(BadAmount, match="12,400"):
            parse_amount("12,400")
    assert parse_amount("12,400") == 12_400
    with pytest.raises(BadAmount, match="two ways"):
        parse_amount("12.400")


def test_words_around_a_number_keep_its_marks():
    assert counted(1204, "row") == "1,204 rows"
    assert age_text(timedelta(hours=3)) == "3 hours"
    assert days_text(DAY, date(2025, 12, 5)) == "3 Nov 2025 to 5 Dec 2025"


def test_scripts_are_handed_the_marks_of_the_reader_and_english_needs_none():
    from finops_site.templatetags.finops import reader_marks

    assert reader_marks() == ""
    with translation.override("de"):
        html = reader_marks()
    assert ' data-group="." data-decimal="," data-percent="\u00a0%"' in html
    assert 'data-letters="|\u00a0Tsd.|\u00a0Mio.|\u00a0Mrd.|\u00a0Bio."' in html

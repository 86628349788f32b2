"""Figures and links as templates write them."""

from datetime import date
from decimal import Decimal

import pytest
from django.template import Context, Template, TemplateSyntaxError
from django.test import RequestFactory

from finops_site.lib.periods import Month


def drawn(template: str, **context: object) -> str:
    return Template("{% load finops %}" + template).render(Context(context))


def test_money_is_rounded_for_the_eye_and_exact_in_the_title():
    html = drawn("{% money amount 'USD' %}", amount=Decimal("1234.50500000001"))
    assert "1,234.51 " in html
    assert 'title="1234.50500000001 USD"' in html


def test_money_without_currency_raises():
    with pytest.raises(ValueError, match="without its currency"):
        drawn("{% money amount '' %}", amount=Decimal(1))


def test_money_is_never_a_float():
    with pytest.raises(TypeError):
        drawn("{% money amount 'USD' %}", amount=1.5)


def test_money_that_the_bill_does_not_give_is_a_dash_that_says_so():
    assert drawn("{% money amount 'USD' %}", amount=None) == '<span class="absent" title="not in the bill">—</span>'


def test_money_has_the_places_of_its_currency():
    assert "1,235 " in drawn("{% money amount 'JPY' %}", amount=Decimal("1234.6"))
    assert "1,234.600 " in drawn("{% money amount 'KWD' %}", amount=Decimal("1234.6"))


@pytest.mark.parametrize(
    ("amount", "text"),
    [
        ("0", "0.00"),
        ("12.345", "12.34"),
        ("-0.001", "0.00"),
        ("999", "999"),
        ("999.7", "1.0k"),
        ("1234", "1.2k"),
        ("65000", "65.0k"),
        ("999940", "999.9k"),
        ("999960", "1.0M"),
        ("-1234567", "-1.2M"),
        ("2500000000", "2.5B"),
    ],
)
def test_short_money_has_a_letter_and_the_exact_amount_in_the_title(amount, text):
    html = drawn("{% money_short amount 'USD' %}", amount=Decimal(amount))
    assert f">{text} <" in html
    assert f'title="{amount} USD"' in html


def test_a_change_has_sign_word_and_share():
    html = drawn("{% change amount 'USD' before %}", amount=Decimal("-50.5"), before=Decimal("101"))
    assert "-50.50 " in html
    assert "less " in html
    assert "(-50.0%)" in html
    assert "change-down" in html


def test_a_change_from_nothing_has_no_share():
    html = drawn("{% change amount 'USD' before %}", amount=Decimal("5"), before=Decimal(0))
    assert "+5.00 " in html
    assert "%" not in html


def test_a_change_too_small_to_see_is_called_unchanged():
    assert "unchanged" in drawn("{% change amount 'USD' %}", amount=Decimal("0.0001"))


def test_a_percentage_is_of_a_ratio():
    assert drawn("{{ share|percent }}", share=Decimal("0.1234")) == "12.3%"
    assert drawn("{{ share|percent:0 }}", share=Decimal("-0.9")) == "-90%"
    assert "not in the bill" in drawn("{{ share|percent }}", share=None)


@pytest.mark.parametrize("value", [date(2025, 11, 23), Month(2025, 11), "2025-11"])
def test_a_month_reads_the_same_from_a_day_a_month_and_a_text(value):
    assert drawn("{{ value|month }}", value=value) == "Nov 2025"
    assert drawn("{{ value|month:'long' }}", value=value) == "November 2025"


def test_exact_shows_every_digit():
    assert drawn("{{ value|exact }}", value=Decimal("20.520226728990000000")) == "20.52022672899"


def test_an_icon_is_a_symbol_of_the_sprite():
    html = drawn("{% icon 'home' 'spin' %}")
    assert 'class="icon spin"' in html
    assert "sprite.svg#home" in html
    assert 'aria-hidden="true"' in html


def test_an_unknown_icon_is_noticed():
    with pytest.raises(LookupError, match="no-such-icon"):
        drawn("{% icon 'no-such-icon' %}")


def test_a_query_keeps_the_filters_and_starts_paging_anew():
    request = RequestFactory().get("/?service=EC2&service=S3&page=4&after=abc&sort=x")
    html = drawn("{% query sort='-cost' %}", request=request)
    assert html == "?service=EC2&amp;service=S3&amp;sort=-cost"
    assert drawn("{% query page=5 service=None %}", request=request) == "?sort=x&amp;page=5"


def test_a_chart_speaks_in_words_of_the_server():
    chart = {
        "id": "spend",
        "kind": "line",
        "title": "Spend </script>",
        "categories": ["Oct", "Nov"],
        "series": [{"name": "EC2 <b>", "data": [Decimal("1234.5678"), None]}],
        "currency": "USD",
    }
    html = drawn("{% include 'includes/chart.html' %}", chart=chart)
    assert '"1234.5678"' in html
    assert '"1,234.57"' in html
    assert html.count("</script>") == 1
    assert "EC2 &lt;b&gt;" in html
    assert 'id="spend-table"' in html
    assert 'aria-describedby="spend-hint"' in html


def test_a_stat_card_shows_the_change_since_before():
    stat = {"label": "This month", "amount": Decimal("110"), "currency": "USD", "before": Decimal("100")}
    html = drawn("{% include 'includes/stat.html' %}", stat=stat)
    assert "110.00 " in html
    assert "+10.00 " in html
    assert "(+10.0%)" in html


def flat(html: str) -> str:
    return "".join(line.strip() for line in html.splitlines())


def test_a_card_has_a_title_and_a_padded_content():
    html = flat(drawn("{% card name %}<p>{{ word }}</p>{% endcard %}", name="R&D", word="<b>"))
    assert html == (
        '<section class="card"><div class="card-head"><h2>R&amp;D</h2></div>'
        '<div class="card-content"><p>&lt;b&gt;</p></div></section>'
    )


def test_a_card_has_a_sentence_a_head_and_a_table_to_its_edges():
    template = (
        "{% card title text=why body='flush' id='teams' css='wide' label='Teams' %}"
        "<a href='/'>All</a>{% cardbody %}<table></table>{% endcard %}"
    )
    html = flat(drawn(template, title="By team", why="in <USD>"))
    assert html == (
        '<section class="card wide" id="teams" aria-label="Teams">'
        "<div class=\"card-head\"><h2>By team</h2><p>in &lt;USD&gt;</p><a href='/'>All</a></div>"
        '<div class="card-flush"><table></table></div></section>'
    )


def test_a_bare_card_leaves_the_wrappers_to_its_content_and_an_empty_one_has_none():
    assert flat(drawn("{% card 'A' body='bare' %}<p>x</p>{% endcard %}")).endswith("</div><p>x</p></section>")
    assert flat(drawn("{% card 'A' %}{% endcard %}")).endswith("</h2></div></section>")


def test_cards_stand_inside_one_another_and_in_loops():
    html = flat(
        drawn("{% for n in few %}{% card n %}{% card 'in' %}{{ n }}{% endcard %}{% endcard %}{% endfor %}", few="ab")
    )
    assert html.count("<section") == 4
    assert '<h2>in</h2></div><div class="card-content">b</div>' in html


@pytest.mark.parametrize("tag", ["{% card %}", "{% card 'A' colour='red' %}", "{% stat %}", "{% scrolling_table %}"])
def test_a_frame_with_wrong_arguments_is_noticed(tag):
    with pytest.raises(TemplateSyntaxError):
        drawn(f"{tag}{{% end{tag.split()[1]} %}}")


def test_a_stat_has_its_figure_and_what_stands_below_it():
    html = flat(drawn("{% stat 'Used' icon='home' note='of ten' %}{{ n }}{% statfoot %}<i>x</i>{% endstat %}", n=7))
    assert html.startswith(
        '<div class="card stat" role="group" aria-label="Used"><div class="stat-label"><svg class="icon"'
    )
    assert html.endswith(
        '<span>Used</span></div><div class="stat-value">7</div>'
        '<div class="stat-foot"><span class="stat-note">of ten</span><i>x</i></div></div>'
    )
    assert "stat-foot" not in drawn("{% stat 'Used' %}7{% endstat %}")


def test_a_scrolling_table_is_a_region_that_the_keyboard_reaches():
    html = flat(drawn("{% scrolling_table 'Use' css='compact' %}<tbody></tbody>{% endscrolling_table %}"))
    assert html == (
        '<div class="table-wrap phone-scroll" tabindex="0" role="region" aria-label="Use">'
        '<table class="data compact"><tbody></tbody></table></div>'
    )


def test_a_status_badge_has_icon_tone_and_text():
    html = drawn("{% status_badge 'open' 'warn' 'clock' %}")
    assert html.startswith('<span class="status-badge tone-warn"><svg')
    assert html.endswith("<span>open</span></span>")

"""PDFs and pictures: what is written in them, whatever people call their things."""

import io
from decimal import Decimal

import pytest
from pypdf import PdfReader

from finops_site.lib import chart_svg, charts
from finops_site.reports import typst_documents

CHART = {
    "id": "c",
    "kind": "stacked-bar",
    "title": "Spend",
    "currency": "USD",
    "categories": ["Jan", "Feb"],
    "series": [charts.series("Łódź & <b>", [Decimal(3), Decimal(4)])],
}


def made(name="Payments", rows=1):
    money = {"amount": "-1,234.50", "currency": "USD"}
    table = {"head": ["Team", "Spend"], "rows": [[name, money]] * rows, "totals": [["Total", money]]}
    section = {"title": name, "text": [name], "charts": [{"file": "c", "title": "Spend"}], "tables": [table]}
    data = {
        "title": name,
        "company": "Northwind",
        "sections": [{**section, "stats": [{"label": name, "value": money}]}],
    }
    return typst_documents.render_pdf("document", data, {"c": chart_svg.svg(CHART)})


def pages(content):
    return [page.extract_text() for page in PdfReader(io.BytesIO(content)).pages]


@pytest.mark.parametrize("name", ["#panic()", '#read("/etc/passwd")', "*a* $x$ @b <c> \\", '"; drop', "= Łódź"])
def test_what_people_write_is_text_and_never_markup(name):
    (page,) = pages(made(name))
    assert page.count(name) >= 4


def test_amounts_below_zero_stand_in_parentheses_with_their_currency():
    assert "(1,234.50)" in pages(made())[0]
    assert "USD" in pages(made())[0]


def test_every_page_says_which_it_is_and_repeats_the_head_of_the_table():
    texts = pages(made(rows=90))
    assert len(texts) > 1
    assert [f"Page {number} of {len(texts)}" in page for number, page in enumerate(texts, 1)] == [True] * len(texts)
    assert all("Northwind" in page and "Team" in page for page in texts)


def test_the_same_input_gives_the_same_bytes():
    assert made() == made()
    assert typst_documents.render_png(chart_svg.svg(CHART)) == typst_documents.render_png(chart_svg.svg(CHART))


def test_a_picture_is_as_wide_as_asked():
    picture = typst_documents.render_png(chart_svg.svg(CHART), width=320)
    assert picture.startswith(b"\x89PNG")
    assert int.from_bytes(picture[16:20], "big") == 640

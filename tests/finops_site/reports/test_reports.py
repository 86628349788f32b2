"""The monthly report: one contract, drawn on the page and in the PDF with the same figures."""

import io
from datetime import date
from decimal import Decimal

import pytest
from django.template.loader import render_to_string
from pypdf import PdfReader

from finops_site.lib import charts
from finops_site.lib.periods import Month
from finops_site.registry import Better, Kpi, Measure, Registry, ReportMonth, ReportMonthSource, ReportSection, Unit
from finops_site.reports import monthly_report
from finops_site.reports.report_pdf import render_report

MONTH = Month(2026, 3)
COVERAGE = Measure(Decimal("71.26"), Unit.PERCENT, Decimal(70), Better.HIGHER, "of eligible usage", "/reservations/")
CHART = {
    "id": "c",
    "kind": "bar",
    "title": "Spend of the year",
    "currency": "USD",
    "categories": ["Feb", "Mar"],
    "series": [charts.series("Spend", [Decimal(3), Decimal(4)])],
}
CONTEXT = {
    "text": "Payments <b> spent more.",
    "stats": [{"label": "March", "amount": Decimal("1234.5"), "currency": "USD", "before": Decimal(1000)}],
    "charts": [CHART],
    "tables": [
        {
            "title": "Teams",
            "head": ["Team", "Cost", "Change", "Share"],
            "rows": [
                [
                    {"text": "#panic()", "url": "/teams/1/"},
                    {"amount": Decimal("1234.5"), "currency": "USD", "url": "/lines/"},
                    {"amount": Decimal("-10"), "currency": "USD", "change": True, "before": Decimal(100)},
                    "12.3%",
                ],
                ["Nobody", {"amount": None, "currency": "USD"}, "—", "—"],
            ],
            "totals": [["Total", {"amount": Decimal("1234.5"), "currency": "USD"}, "", ""]],
        }
    ],
    "links": [("Open", "/tagging/")],
}


@pytest.fixture(autouse=True)
def _company(settings):
    """What the environment names needs no database."""
    settings.FINOPS_COMPANY = "Northwind"


def part(context, template=""):
    return monthly_report.make_part(
        ReportSection("teams", "Teams of March", template, lambda user, month: None), context
    )


def page(*parts, gates=()):
    report = monthly_report.Report(MONTH, "March 2026 report", "The whole company.", list(gates), list(parts))
    return "".join(
        render_to_string("includes/report_part.html", {"part": part, "report": report}) for part in report.parts
    )


def paper(*parts, gates=()):
    report = monthly_report.Report(MONTH, "March 2026 report", "The whole company.", list(gates), list(parts))
    pages = PdfReader(io.BytesIO(render_report(report))).pages
    return " ".join(" ".join(page.extract_text() for page in pages).split())


def gate(measure, label="Coverage"):
    house = Registry()
    house.add(Kpi("k", label, lambda user, as_of: measure))
    return monthly_report.make_gate(*house.measures(None, date(2026, 3, 31))[0])


def test_the_page_and_the_pdf_say_the_same():
    html, text = page(part(CONTEXT)), paper(part(CONTEXT))
    for expected in ("Teams of March", "1,234.50", "#panic()", "12.3%", "Nobody", "Total", "10.00", "10.0%"):
        assert expected in html, expected
        assert expected in text, expected


def test_what_people_write_is_text_on_both():
    assert "Payments &lt;b&gt; spent more." in page(part(CONTEXT))
    assert "Payments <b> spent more." in paper(part(CONTEXT))


def test_a_figure_on_the_page_opens_and_a_column_of_figures_stands_to_the_right():
    html = page(part(CONTEXT))
    assert 'href="/lines/"' in html
    assert 'href="/teams/1/"' in html
    assert [f'<th scope="col" class="number">{name}</th>' in html for name in ("Cost", "Change", "Share")] == [True] * 3
    assert '<th scope="col">Team</th>' in html


def test_a_section_needs_no_template_and_one_of_its_own_is_drawn_only_without_the_contract():
    assert part(CONTEXT, "missing.html").template == ""
    assert part({"month": MONTH}, "costs/none.html").template == "costs/none.html"
    assert "stands on the page" in paper(part({"month": MONTH}, "costs/none.html"))


@pytest.mark.parametrize("cells", [["1,234", "—"], ["12.3%"], ["5 hours"], ["−4.00 USD"], ["(1,234.50)"]])
def test_figures_in_words_stand_to_the_right(cells):
    (table,) = part({"tables": [{"head": ["What", "n"], "rows": [["a", cell] for cell in cells]}]}).tables
    assert table["numbers"] == [1]


@pytest.mark.parametrize("cells", [["12 more"], ["—"], ["new", "1"], []])
def test_words_stand_to_the_left(cells):
    (table,) = part({"tables": [{"head": ["What", "n"], "rows": [["a", cell] for cell in cells]}]}).tables
    assert table["numbers"] == []


@pytest.mark.parametrize(
    ("measure", "value", "verdict"),
    [
        (COVERAGE, "71.3%", "Target at least 70%: met"),
        (Measure(Decimal(6), Unit.PERCENT, Decimal(5), Better.LOWER, ""), "6%", "Target at most 5%: not met"),
        (Measure(None, Unit.HOURS, Decimal(24), Better.LOWER, ""), "—", "Target at most 24 hours: not known yet"),
        (Measure(Decimal("1234.5"), Unit.MONEY, None, Better.HIGHER, "", currency="USD"), "1,234.50 USD", "No target"),
    ],
)
def test_a_gate_says_in_words_whether_it_is_met(measure, value, verdict):
    shown = gate(measure)
    assert (shown.value, shown.verdict) == (value, verdict)
    assert verdict in paper(gates=[shown])


def test_a_value_just_short_of_its_target_is_not_shown_as_reaching_it():
    shown = gate(Measure(Decimal("69.96"), Unit.PERCENT, Decimal(70), Better.HIGHER, ""))
    assert (shown.value, shown.state) == ("69.96%", "not met")


def test_the_report_counts_the_gates_that_are_met():
    late, unknown = (
        Measure(Decimal(6), Unit.PERCENT, Decimal(5), Better.LOWER, ""),
        Measure(None, Unit.PERCENT, None, Better.HIGHER, ""),
    )
    gates = [gate(COVERAGE), gate(late), gate(unknown)]
    assert monthly_report.Report(MONTH, "", "", gates, []).summary == "1 of 2 targets met."


def test_what_several_say_of_a_month_is_one_row_and_the_newest_comes_first():
    house = Registry()
    house.add(
        ReportMonthSource(
            "costs", lambda user, today: [ReportMonth(Month(2026, 2), "2 USD"), ReportMonth(MONTH, "3 USD")]
        ),
        ReportMonthSource("more", lambda user, today: [ReportMonth(MONTH, "closed")]),
    )
    months = house.report_months(None, date(2026, 3, 9))
    assert [(str(row.month), row.description) for row in months] == [
        ("2026-03", "3 USD; closed"),
        ("2026-02", "2 USD"),
    ]

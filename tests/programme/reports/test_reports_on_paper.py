"""Reports on paper and as files: what stands on every page, how long it may be, names in any script."""

import io
import json
from dataclasses import replace
from datetime import UTC, date, datetime
from decimal import Decimal
from functools import partial
from types import SimpleNamespace

import pytest
from django.utils import translation
from openpyxl import load_workbook
from pypdf import PdfReader

from costs.query.known_until import known_in
from costs.web import period_report
from finops_site.lib import charts
from finops_site.lib.money import exact_sum
from finops_site.lib.periods import Month, Period
from finops_site.models import SavedView, Team
from finops_site.registry import ReportSection, registry
from finops_site.reports.monthly_report import Gate, figure_cell, make_part
from finops_site.reports.typst_documents import is_archivable
from programme.calc.due_moments import days_of
from programme.models import MadeReport, ReportRun
from programme.reports import compose, composed, files, paper, readers, runs
from programme.savings_model.assumptions import start_model
from programme.savings_model.figures import load_figures
from programme.savings_model.kpis import avoidance_measure
from reservations.kpis import savings_kpi
from reservations.models import Coverage
from tests.people import signed_in

pytestmark = pytest.mark.django_db
TODAY = date(2026, 4, 3)
QUARTER = Period(date(2026, 1, 1), date(2026, 4, 1))


def part(**context):
    return make_part(ReportSection("teams", "Teams", "", lambda user, month: None), context)


def report(*parts, kind="quarterly", scope="The whole company"):
    made = composed.ComposedReport(
        kind, "Review", scope, "Cost known until 31 Mar 2026.", QUARTER, TODAY, [], [], parts
    )
    return made


def pages_of(content):
    return [" ".join(page.extract_text().split()) for page in PdfReader(io.BytesIO(content)).pages]


def plain(cell):
    return cell.get("amount", cell.get("text")) if isinstance(cell, dict) else cell


def many_rows(count):
    rows = [[f"Team {number}", {"amount": Decimal(number), "currency": "USD"}] for number in range(count)]
    return part(text="All teams.", tables=[{"title": "Teams", "head": ["Team", "Cost"], "rows": rows}])


@pytest.fixture
def quarter(two_months, max_):
    return compose.compose("quarterly", readers.scope_of(max_), QUARTER, TODAY)


def test_the_review_says_whose_cost_and_until_when_it_is_known_on_every_page(quarter):
    pages = pages_of(paper.render(quarter))
    assert len(pages) == 1 + len(quarter.parts)
    assert [page for page in pages if "The whole company." not in page or "Cost known" not in page] == []


def test_the_review_is_pdf_a_and_tagged(quarter):
    content = paper.render(quarter)
    root = PdfReader(io.BytesIO(content)).trailer["/Root"]
    assert is_archivable(content)
    assert root["/MarkInfo"]["/Marked"]
    assert "/StructTreeRoot" in root
    assert paper.pages_of(content) == len(pages_of(content))


def test_the_first_page_says_what_the_parts_of_the_change_say_and_they_sum_to_it(two_months, max_):
    """March against February: 130 + 40 against 100 + 50."""
    update = compose.compose("update", readers.scope_of(max_), Period(date(2026, 3, 1), date(2026, 3, 15)), TODAY)
    assert "170.00 USD" in update.lead[0]
    assert len(pages_of(paper.render(update))) == 1
    why = compose.compose("quarterly", readers.scope_of(max_), Period(date(2026, 3, 1), date(2026, 4, 1)), TODAY)
    table = next(table for title, table in why.tables() if "Why" in table["title"])
    parts = exact_sum(row[1]["amount"] for row in table["rows"])
    assert parts == table["totals"][0][1]["amount"] == Decimal(20)
    assert any("+20.00 USD" in sentence for sentence in why.lead)


def test_nothing_bought_is_zero_where_the_bills_are_whole_and_not_known_where_one_is_missing(two_months, max_, fay):
    """On 6 March the bill reaches to the day before; in May it is late, so that nobody knows what it would show."""
    start_model(user=fay, currency="USD", start=Month(2026, 2), now=datetime(2026, 2, 1, 9, tzinfo=UTC))
    # A machine ran that a commitment could have covered.
    names = ("eligible_hours", "covered_hours", "eligible_cost", "covered_cost", "unused_cost", "paid")
    amounts = dict.fromkeys(names, 1)
    Coverage.objects.create(day=date(2026, 3, 5), service="EC2", currency="USD", **amounts)
    in_time, late = date(2026, 3, 6), date(2026, 5, 20)
    figures = {day: load_figures(max_, day) for day in (in_time, late)}
    assert [figures[day].realised_total for day in (in_time, late)] == [0, None]
    assert [figures[day].realised_of("commitments") for day in (in_time, late)] == [0, None]
    assert [savings_kpi(max_, day).value for day in (in_time, late)] == [0, None]
    assert "some are missing" in str(savings_kpi(max_, late).description)
    avoided = map(partial(avoidance_measure, max_), (in_time, late))
    assert [measure and measure.value for measure in avoided] == [0, None]


def test_the_review_has_savings_by_pillar_on_its_page_in_its_pdf_and_in_the_workbook(two_months, max_, fay, lea):
    start_model(user=fay, currency="USD", start=Month(2026, 1), now=datetime(2026, 1, 1, 9, tzinfo=UTC))
    review = compose.compose("quarterly", readers.scope_of(max_), QUARTER, date(2026, 3, 6))
    table = next(table for title, table in review.tables() if "Savings by pillar" in table["title"])
    amounts = [[plain(cell) for cell in row] for row in table["rows"]]
    assert amounts[0] == ["Commitments", "not stated", 19_000, 0, 0]
    assert amounts[2] == ["Tag accountability", "94,000 to 140,000 USD", 29_250, "not known", "not known"]
    assert amounts[3][:3] == ["Usage actions", "no part of the plan", "—"]
    assert [plain(cell) for cell in table["totals"][0]] == ["All pillars", "150,000 to 300,000 USD", 52_750, 0, 0]
    assert any("0 of 52,750 USD that were expected" in page for page in pages_of(paper.render(review)))
    book = load_workbook(io.BytesIO(files.workbook(review)))
    (sheet,) = [sheet for sheet in book.worksheets if sheet.title.startswith("Savings by pillar")]
    assert [cell.value for cell in sheet[2]][:2] == ["Commitments", "not stated"]
    # Who does not read the model has no such part.
    of_lea = compose.compose("quarterly", readers.scope_of(lea), QUARTER, TODAY)
    assert "savings-by-pillar" not in [part.name for part in of_lea.parts]


def test_an_update_with_every_target_of_the_programme_is_one_page_in_every_language():
    gates = [
        Gate(f"Einsparungen durch Commitments {number}", "12.345,00 USD", "at least 150,000.00 USD", "met", "", "")
        for number in range(18)
    ]
    nothing = Gate("Waste found", "—", "", "", "", "")
    chart = {"id": "days", "kind": "bar", "title": "Days", "categories": ["1", "2"], "currency": "USD",
             "series": [charts.series("Days", [Decimal(1), Decimal(2)])]}  # fmt: skip
    lead = ["A sentence of an update that goes on over the end of its line, as those of figures do, twice."] * 8
    made = replace(report(part(text="Spend.", charts=[chart]), kind="update"), gates=[*gates, nothing], lead=lead)
    for language in ("en", "de"):
        with translation.override(language):
            (text,) = pages_of(paper.render(made))
        assert text.count("Einsparungen durch Commitments") == 18
        # What has neither a value nor a target says nothing.
        assert "Waste found" not in text


def test_what_the_archive_keeps_draws_the_same_bytes(quarter):
    stored = composed.from_json(json.loads(json.dumps(composed.to_json(quarter))))
    assert paper.render(stored) == paper.render(quarter)


def test_a_report_of_five_hundred_pages_is_refused_before_it_is_drawn():
    with pytest.raises(paper.ReportTooLong, match="about 500 pages, and 200 is the most"):
        paper.render(report(many_rows(499 * 36), kind="monthly"))


def test_a_long_table_of_the_review_fits_its_page_and_the_workbook_has_it_all():
    long = report(many_rows(500))
    assert len(pages_of(paper.render(long))) == 2
    assert "482 more: in the workbook" in pages_of(paper.render(long))[1]
    book = load_workbook(io.BytesIO(files.workbook(long)))
    assert book.worksheets[1].max_row == 501
    assert [cell.value for cell in book.worksheets[1][2]] == ["Team 0", 0, "USD"]


def test_the_csv_has_a_row_for_each_cell_with_every_digit():
    cell = {"amount": Decimal("1.123456789012345678"), "currency": "USD"}
    table = {"title": "Teams", "head": ["Team", "Cost"], "rows": [["=Payments", cell]]}
    rows = list(files.csv_rows(report(part(tables=[table]))))
    assert rows[1] == ["Teams", "Teams", "=Payments", "Cost", Decimal("1.123456789012345678"), "USD", "", ""]


def test_files_have_figures_as_numbers_with_their_unit():
    cell = figure_cell("89.3%", Decimal("89.25"), "%")
    made = report(
        part(tables=[{"title": "Figures", "head": ["Figure", "Now"], "rows": [["Tagged", cell], ["Unit", "—"]]}])
    )
    made = composed.from_json(json.loads(json.dumps(composed.to_json(made))))
    assert list(files.csv_rows(made))[1][3:] == ["Now", Decimal("89.25"), "", "89.3%", "%"]
    rows = load_workbook(io.BytesIO(files.workbook(made))).worksheets[1].values
    assert list(rows) == [("Figure", "Now", "Unit"), ("Tagged", 89.25, "%"), ("Unit", "—", None)]


def test_every_target_stands_on_an_update_and_the_review_says_how_many_more_there_are(quarter):
    gates = [Gate(f"Figure {number}", "1", "", "", "", "") for number in range(12)]
    update = replace(quarter, kind="update", gates=gates)
    (page,) = pages_of(paper.render(update))
    assert [gate.label for gate in gates if gate.label not in page] == []
    first = pages_of(paper.render(replace(quarter, gates=gates)))[0]
    assert "5 more: under promised and achieved." in first


def test_only_a_report_that_is_kept_says_so_in_the_language_of_its_reader(quarter):
    live, stored = (" ".join(pages_of(paper.render(quarter, is_kept=one))) for one in (False, True))
    assert ("This report is not kept" in live, "This report was kept as it was made" in live) == (True, False)
    assert "This report was kept as it was made" in stored
    with translation.override("de"):
        assert "Seite 1 von" in pages_of(paper.render(quarter))[0]


@pytest.mark.parametrize("name", ["فريق المدفوعات", "Ομάδα Πληρωμών", "Платежи", "決済チーム", "भुगतान"])
def test_a_name_in_any_script_makes_a_pdf_and_says_where_a_font_is_missing(name, caplog):
    """PDF/A where the fonts of this machine have every character; else an ordinary PDF and a line in the log."""
    content = paper.render(report(part(text=f"{name} spent most."), scope=name))
    assert pages_of(content)
    assert is_archivable(content) == ("no font here has" not in caplog.text)


def test_a_lead_has_the_review_of_her_own_teams(two_months, lea):
    made = compose.compose("quarterly", readers.scope_of(lea), QUARTER, TODAY)
    text = " ".join(pages_of(paper.render(made)))
    assert "130.00" in text
    assert not [words for words in ("170.00", "Data machines", "40.00", "Unowned") if words in text]


def test_a_saved_view_in_a_report_shows_each_reader_her_own_rows(two_months, fay, lea):
    view = SavedView.objects.create(
        owner=fay, name="By team", with_company=True, path="/costs/", query="group_by=team&from=2026-03&to=2026-03"
    )
    texts = []
    for user in (fay, lea):
        scope, days = readers.scope_of(user), days_of("monthly", TODAY)
        made = compose.compose("monthly", scope, days, TODAY, view=view, user=user)
        texts.append(str(composed.to_json(made)["parts"][-1]))
    assert ["40" in text for text in texts] == [True, False]
    assert all("130" in text for text in texts)


def test_max_makes_a_report_on_its_page_and_reads_it_there(two_months, max_):
    client = signed_in(max_)
    answer = client.post("/programme/reports/make/", {"kind": "quarterly", "day": "2026-04-03"})
    run = ReportRun.objects.get()
    assert "Waits for a worker" in client.get(answer["Location"]).content.decode()
    assert runs.make_run(run.pk, datetime(2026, 4, 3, tzinfo=UTC))
    made = MadeReport.objects.get()
    assert client.get(answer["Location"])["Location"] == made.get_absolute_url()
    page = client.get(made.get_absolute_url()).content.decode()
    for words in ("320.00", "2026-Q1", made.sha256, "PDF/A-2a"):
        assert words in page, words
    assert b"320" in client.get(f"{made.get_absolute_url()}?_export=csv").getvalue()


def test_a_report_of_a_team_that_she_may_not_see_is_refused_at_once(two_months, lea):
    team = Team.objects.get(name="Data")
    answer = signed_in(lea).post("/programme/reports/make/", {"kind": "update", "team": team.pk})
    assert "team" in answer.context["form"].errors
    assert not ReportRun.objects.exists()


def test_a_month_without_any_bill_has_no_review_and_says_so(people, max_):
    with pytest.raises(compose.NothingToReport, match="no bill of these days is loaded"):
        compose.compose("monthly", readers.scope_of(max_), days_of("monthly", date(2024, 2, 1)), TODAY)


@pytest.mark.parametrize("kind", ["quarterly", "update"])
def test_days_before_the_first_bill_have_no_report_and_are_known_nowhere(two_months, max_, kind):
    period = days_of(kind, date(2020, 1, 2))
    with pytest.raises(compose.NothingToReport, match="no bill of these days is loaded"):
        compose.compose(kind, readers.scope_of(max_), period, TODAY)
    assert registry.known_texts(max_, period, TODAY) == ["No cost of these days is known."]
    known = known_in(max_, period, TODAY)
    assert (known.until, known.is_complete, known.is_final) == (None, False, False)
    assert signed_in(max_).get(f"/programme/reports/{kind}/2020-01-02/").status_code == 404


@pytest.mark.parametrize("day", ["2199-01-01", "0001-01-05", "9999-12-31"])
def test_a_report_of_a_day_that_nobody_knows_is_refused(two_months, max_, day):
    answer = signed_in(max_).post("/programme/reports/make/", {"kind": "quarterly", "day": day})
    assert "Nothing is known of" in str(answer.context["form"].errors["day"])
    assert not ReportRun.objects.exists()


def test_a_change_of_many_kinds_names_three_and_sums_the_others(monkeypatch):
    parts = {"more": Decimal("5552.39"), "new": Decimal("4914.20"), "credits": Decimal(1500), "gone": Decimal(-700)}
    parts["less"] = Decimal("-74.15")
    total = SimpleNamespace(parts=parts, difference=exact_sum(parts.values()))
    sentence = period_report._why_sentence(SimpleNamespace(currency="USD", total=total))
    assert sentence.startswith("The change of +11,192.44 USD is made of: more usage +5,552.39 USD, ")
    assert sentence.endswith("credits and refunds +1,500.00 USD, and 2 others, together -774.15 USD.")

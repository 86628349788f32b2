"""The savings model: fay changes it, max reads it, the books stand beside it, and what is proved counts once."""

import io
import re
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import openpyxl
import pytest
from django.db import connection
from django.utils import timezone

from budgets.models import Alert, Budget, BudgetPeriod, Forecast, Threshold
from budgets.savings_evidence import avoided_overruns
from costs.models import ExchangeRate
from finops_site.lib.periods import Month
from finops_site.models import Team
from finops_site.registry import (
    SavingsEvidence,
    SavingsEvidenceSource,
    StatementReadSource,
    TeamCostSource,
    TeamMonthCost,
    registry,
)
from programme.models import Assumption, AssumptionChange
from programme.savings_model import kpis
from programme.savings_model.assumptions import CannotChange, WasChanged, change_assumption, start_model
from programme.savings_model.figures import load_figures
from tests.people import person, signed_in
from tests.programme.savings_model.test_evidence import control_that_saved
from tests.shared_fixtures import shared

pytestmark = pytest.mark.django_db
NOW = datetime(2026, 5, 20, 9, tzinfo=UTC)
TODAY = NOW.date()
START = Month(2026, 3)
BEGUN = datetime(2026, 3, 1, 9, tzinfo=UTC)


@shared
def model(db):
    return start_model(user=person("fay"), currency="USD", start=START, now=BEGUN)


@pytest.fixture
def proved(monkeypatch):
    """What pillars prove in a test: rows added to the returned list."""
    rows: list[SavingsEvidence] = []
    source = SavingsEvidenceSource("test", "Test", "commitments", lambda user, as_of: rows, 1)
    monkeypatch.setitem(registry.entries, SavingsEvidenceSource, [source])
    return rows


def evidence(month, amount, currency="USD", what="Commitments"):
    return SavingsEvidence(month, Decimal(amount), currency, what, "by the bill", "/", frozenset({f"{what}"}))


def change(
    key, *, by="fay", version=None, reason="The offer is signed.", currency="USD", source="Offer", now=NOW, **values
):
    row = Assumption.objects.get(key=key)
    return change_assumption(
        row.pk,
        user=person(by),
        values=row.values | {name: value if value is None else Decimal(value) for name, value in values.items()},
        currency=currency,
        source=source,
        reason=reason,
        version=version,
        now=now,
    )


def figures(as_of=TODAY):
    return load_figures(person("max"), as_of)


def test_a_change_keeps_what_it_was_by_whom_and_why(model):
    change("investment", expected=48_000)
    (row,) = AssumptionChange.objects.all()
    assert (row.before["expected"], row.after["expected"], row.reason) == (
        "52000",
        "48000",
        "The offer is signed.",
    )
    assert row.by == person("fay")
    assert figures().expected.investment == 48_000


@pytest.mark.parametrize(
    ("key", "wrong", "words"),
    [
        ("investment", {"reason": " "}, "Say why"),
        ("investment", {"source": ""}, "Say where"),
        ("investment", {"expected": -1}, "not below zero"),
        ("investment", {"currency": "Euro", "expected": 1}, "no currency"),
        ("tags-reduction", {"optimistic": 101}, "100%"),
        ("investment-paid", {"conservative": 1}, "one value"),
        ("commitments-saving", {"conservative": 999_999}, "not above the expected"),
        ("investment", {"optimistic": 999_999}, "not below the expected"),
        ("investment", {"expected": 52_000, "source": "The programme's plan; the expected case lies midway, for the plan states none"}, "Nothing is changed"),  # noqa: E501
    ],
)  # fmt: skip
def test_what_cannot_be_an_assumption_is_refused_with_the_reason(model, key, wrong, words):
    with pytest.raises(CannotChange, match=words):
        change(key, **wrong)
    assert not AssumptionChange.objects.exists()


def test_two_who_change_the_same_do_not_overwrite_one_another(model):
    change("investment", expected=48_000, version=1)
    with pytest.raises(WasChanged):
        change("investment", expected=50_000, version=1)


def test_nothing_proved_is_unknown_and_not_zero(model, proved):
    assert (figures().realised_total, figures().realised_return, figures().payback) == (None, None, None)
    for measure in (kpis.return_measure, kpis.payback_measure):
        assert measure(person("max"), TODAY).value is None
        assert measure(person("max"), TODAY).description
        # It is about the whole company.
        assert measure(person("lea"), TODAY) is None


def test_without_any_bill_nobody_knows_what_was_saved(model):
    assert (figures().realised_total, figures().realised_of("commitments")) == (None, None)
    assert kpis.avoidance_measure(person("max"), TODAY) is None


def test_return_and_payback_stand_on_what_is_proved_and_paid(model, proved):
    proved += [evidence(Month(2026, 3), 600), evidence(Month(2026, 4), -100), evidence(Month(2026, 5), 700)]
    # Before the programme began: it counts for nobody's return.
    proved.append(evidence(Month(2026, 2), 5000))
    assert figures().realised_total == 1200
    assert figures().realised_return is None
    change("investment-paid", source="Ledger", reason="paid", expected=1000, now=NOW - timedelta(days=30))
    assert figures().realised_return == Decimal("0.2")
    assert figures().payback == 3
    assert kpis.return_measure(person("max"), TODAY).value == 20
    # As of April it was not back yet.
    assert figures(date(2026, 4, 30)).payback is None
    assert "500 of 1,000 USD is back" in kpis.payback_measure(person("max"), date(2026, 4, 30)).description


def test_a_day_that_is_over_has_what_was_assumed_and_paid_then(model, proved):
    proved.append(evidence(Month(2026, 3), 600))
    change("investment-paid", source="Ledger", reason="first", expected=1000, now=NOW - timedelta(days=30))
    change("investment-paid", source="Ledger", reason="second", expected=2000, now=NOW - timedelta(days=2))
    paid = [figures(day).paid for day in (date(2026, 3, 31), date(2026, 4, 20), date(2026, 5, 17), TODAY)]
    assert paid == [None, 1000, 1000, 2000]
    assert Assumption.objects.get(key="investment-paid").expected == 2000
    # Before anybody started the model there was none, and so no return.
    assert figures(date(2026, 2, 28)) is None
    assert kpis.return_measure(person("max"), date(2026, 2, 28)) is None


def test_another_currency_is_converted_by_the_rate_of_its_month_or_stays_apart(model, proved):
    proved += [evidence(Month(2026, 3), 100), evidence(Month(2026, 3), 10, "EUR", "Plans")]
    assert (figures().realised_total, figures().realised.apart) == (100, {"EUR": 10})
    ExchangeRate.objects.create(base="EUR", quote="USD", day=date(2026, 3, 1), monthly=True, rate=Decimal("1.1"))
    assert (figures().realised_total, figures().realised.apart) == (111, {})
    # An assumption without a rate is not known, and neither is what stands on it.
    change("alerts-avoided", currency="GBP")
    assert figures().expected.total is None


def test_the_assumed_reduction_stands_beside_the_measured_one(model, proved, monkeypatch):
    teams = [Team.objects.create(name=f"Team {number}").pk for number in range(6)]
    months = [Month(2025, 11).plus(number) for number in range(6)]
    cost = [
        TeamMonthCost(team, month, Decimal(9_590 if team in teams[:3] and month > START.previous else 10_000), "USD")
        for team in teams
        for month in months
    ]
    monkeypatch.setitem(registry.entries, TeamCostSource, [TeamCostSource("test", lambda user, period, as_of: cost)])
    assert figures().measured["tags-reduction"].value is None
    assert "Not enough teams to say" in figures().measured["tags-reduction"].text
    since = {team: date(2026, 2, 10) for team in teams[:3]}
    monkeypatch.setitem(registry.entries, StatementReadSource, [StatementReadSource("test", lambda: since)])
    measured = figures().measured["tags-reduction"]
    assert (measured.value, measured.margin) == (Decimal("4.1"), 0)
    assert measured.text.startswith("Measured so far 4.1% against teams without statements, ± 0% (95 in 100 times)")
    page = signed_in(person("max")).get("/programme/savings/").content.decode()
    assert "12% to 18%, expected 15%" in page
    assert "Measured so far 4.1%" in page


def test_the_page_shows_stated_and_what_follows_in_plain_words(model, proved):
    proved.append(evidence(Month(2026, 4), 700))
    page = signed_in(person("max")).get("/programme/savings/")
    text = re.sub(r"\s+", " ", page.content.decode())
    assert "Conservative: stated 150,000 USD, follows 132,600 USD, 17,400 USD less." in text
    assert "Optimistic: stated 257%, follows 589%, 332 percentage points more." in text
    (bars, plan) = page.context["chart"]["series"]
    assert bars["data"][:3] == [None, 700, None]
    assert round(plan["data"][0], 2) == Decimal("17583.33")


def test_fay_changes_an_assumption_on_its_page_and_max_may_not(model):
    row = Assumption.objects.get(key="investment")
    sent = {"conservative": "62,000", "expected": "48,000.50", "optimistic": "42000", "currency": "usd"}
    sent |= {"source": "Offer", "reason": "Signed", "version": "1"}
    assert signed_in(person("max")).post(f"{row.get_absolute_url()}edit/", sent).status_code == 403
    done = signed_in(person("fay")).post(f"{row.get_absolute_url()}edit/", sent)
    assert done.url == row.get_absolute_url()
    row.refresh_from_db()
    assert (row.expected, row.version) == (Decimal("48000.50"), 2)
    again = signed_in(person("fay")).post(f"{row.get_absolute_url()}edit/", sent)
    assert "Somebody else changed this assumption" in again.content.decode()
    assert "Signed" in signed_in(person("max")).get(row.get_absolute_url()).content.decode()


def test_the_api_changes_an_assumption_by_the_same_rules(model):
    row = Assumption.objects.get(key="investment")
    url = f"/api/v1/savings-assumptions/{row.pk}/"

    def patch(name, **body):
        return signed_in(person(name)).patch(url, body, content_type="application/json")

    assert patch("max", expected="48000", reason="x").status_code == 403
    assert patch("ada", expected="48000", reason="x").status_code == 403
    assert patch("lea", expected="48000", reason="x").status_code == 403
    assert patch("fay", expected="-1", reason="x").json() == {"detail": "A value is not below zero."}
    assert patch("fay", expected="48000", reason="x", version=7).status_code == 409
    assert patch("fay", expected="48000", reason="Signed", source="Offer", version=1).json()["expected"] == "48000"
    model_json = signed_in(person("max")).get("/api/v1/savings-model/").json()
    assert model_json["cases"][1]["total"] == "211000"
    assert model_json["realised"] is None
    assert model_json["stated"][1]["differences"] == ["-17400", "-10600"]


# The workbook: a small reader of its formulas.


def cell_values(sheet):
    """{cell: its value}, formulas computed from what they name."""
    formulas = {cell.coordinate: cell.value for row in sheet.iter_rows() for cell in row if cell.value is not None}
    done = {}

    def value(name):
        if name not in done:
            content = formulas.get(name)
            done[name] = compute(content[1:]) if isinstance(content, str) and content.startswith("=") else content
        return done[name]

    def numbers(*cells):
        return [number for number in cells if isinstance(number, int | float)]

    def span(first, last):
        return [
            value(f"{chr(c)}{r}")
            for c in range(ord(first[0]), ord(last[0]) + 1)
            for r in range(int(first[1:]), int(last[1:]) + 1)
        ]

    def compute(text):
        text = re.sub(r"([A-Z]\d+):([A-Z]\d+)", r"*span('\1','\2')", text)
        text = re.sub(r"(?<!['A-Z])([A-Z]\d+)(?!['\d])", r"value('\1')", text)
        text = re.sub(r"(?<![<>=])=(?!=)", "==", text)
        while "IF(" in text:
            begin = text.rindex("IF(")
            parts, depth, last = [], 0, begin + 3
            for index in range(begin + 3, len(text)):
                if text[index] == "," and depth == 0:
                    parts.append(text[last:index])
                    last = index + 1
                depth += {"(": 1, ")": -1}.get(text[index], 0)
                if depth < 0:
                    parts.append(text[last:index])
                    text = f"{text[:begin]}(({parts[1]}) if ({parts[0]}) else ({parts[2]})){text[index + 1 :]}"
                    break
        names = {"value": value, "span": span, "COUNT": lambda *c: len(numbers(*c)), "SUM": lambda *c: sum(numbers(*c))}
        return eval(text, {"__builtins__": {}}, names)

    return {name: value(name) for name in formulas}


def test_the_formulas_of_the_workbook_come_to_what_the_page_shows_and_follow_a_changed_cell(model, proved):
    proved += [evidence(Month(2026, 3), 600), evidence(Month(2026, 4), -100)]
    change("investment-paid", source="Ledger", reason="paid", expected=1000)
    content = b"".join(signed_in(person("max")).get("/programme/savings/?_export=xlsx"))
    sheet = openpyxl.load_workbook(io.BytesIO(content)).worksheets[0]
    shown = openpyxl.load_workbook(io.BytesIO(content), data_only=True).worksheets[0]
    rows = {row[0].value: row[0].row for row in sheet.iter_rows() if row[0].value}
    formulas = [cell.coordinate for row in sheet.iter_rows() for cell in row if str(cell.value).startswith("=")]
    assert len(formulas) > 40
    values = cell_values(sheet)
    for name in formulas:
        assert (values[name] or 0) == pytest.approx(float(shown[name].value or 0)), (name, sheet[name].value)
    assert values[f"D{rows['total']}"] == 211_000
    assert values[f"G{rows['realised']}"] == 500
    assert values[f"G{rows['realised return on what was paid']}"] == -50
    sheet[f"D{rows['commitments-saving']}"] = 100_000
    sheet[f"E{rows['alerts-avoided']}"] = None
    changed = cell_values(sheet)
    assert changed[f"D{rows['total']}"] == 235_000
    assert round(changed[f"D{rows['payback']}"], 2) == round(52_000 * 12 / 235_000, 2)
    # Not known is not zero.
    assert changed[f"E{rows['total']}"] == ""


def test_what_somebody_typed_is_no_formula_in_the_workbook(model):
    change("investment", source='=HYPERLINK("http://example.org")', expected=50_000)
    content = b"".join(signed_in(person("fay")).get("/programme/savings/?_export=xlsx"))
    sheet = openpyxl.load_workbook(io.BytesIO(content)).worksheets[0]
    sources = [str(row[6].value) for row in sheet.iter_rows() if row[6].value]
    assert any("HYPERLINK" in text and not text.startswith("=") for text in sources)


# Overruns that an alert avoided.


@pytest.fixture
def overrun(db):
    """April's budget of 1,000, forecast at 1,300 to 1,500 when lea acts on its alert; returns how April ends."""
    budget = Budget.objects.create(
        name="Payments", team=person("lea").teams.first(), start=date(2026, 4, 1), state="active"
    )
    period = BudgetPeriod.objects.create(budget=budget, start=date(2026, 4, 1), end=date(2026, 5, 1), amount=1000)
    threshold = Threshold.objects.create(budget=budget, kind="forecast", percent=100)
    alert = Alert.objects.create(
        budget=budget, period=period, threshold=threshold, kind="forecast", as_of=date(2026, 4, 10),
        evaluated_as_of=date(2026, 4, 10), value=1400, limit=1000, peak=1400,
        acknowledged_at=datetime(2026, 4, 10, 12, tzinfo=UTC),
    )  # fmt: skip
    alert.add_history("acknowledged", alert.acknowledged_at, "lea", "We switch off the old cluster.")
    alert.save()
    night(period, date(2026, 4, 10), 400, 1300, 1500)

    def end(final, *, until=date(2026, 4, 30)):
        night(period, date(2026, 5, 3), final, final, final, method="done", until=until)
        return [row.amount for row in avoided_overruns(person("fay"), TODAY)]

    return end


def night(period, as_of, spent, low, high, *, method="model", until=None):
    Forecast.objects.update_or_create(
        period=period, as_of=as_of,
        defaults={
            "spent": spent, "p10": low, "p50": (low + high) / 2, "p90": high, "chance_of_overrun": 1,
            "method": method, "complete_until": until or as_of - timedelta(days=1),
        },
    )  # fmt: skip


@pytest.mark.parametrize(
    ("final", "amounts"),
    [
        (1100, [200]),  # Below 1,300, the least that was forecast; 100 are over the budget all the same.
        (900, [300]),  # What was saved below the budget was no overrun.
        (1350, []),  # As it was forecast: nothing is proved.
        (1700, [-200]),  # Above 1,500, the most that was forecast: a loss.
    ],
)
def test_an_alert_that_lea_acted_on_avoided_what_lies_outside_of_the_forecast(overrun, final, amounts):
    assert overrun(final) == amounts


def test_an_overrun_is_avoided_only_by_an_action_and_only_once_the_bill_is_whole(overrun):
    assert overrun(900, until=date(2026, 4, 28)) == []
    assert overrun(900) == [300]
    (row,) = avoided_overruns(person("max"), TODAY)
    assert "We switch off the old cluster." in row.evidence
    assert avoided_overruns(person("ola"), TODAY) == []
    Alert.objects.update(history=[{"at": "", "what": "acknowledged", "by": "lea"}])
    assert avoided_overruns(person("fay"), TODAY) == []


# What bills show of the control, and beside its days of April the overrun: the least that was forecast on the day of
# the answer, less where April ended, and never below the budget.
AVOIDANCE = """
    with control as (
        select saved, (select count(*) from generate_series(saved_until - saved_days + 1, saved_until, '1 day') day
                       where day < '2026-05-01') * saved / saved_days as in_april from budgets_controlchangeset),
    overrun as (
        select greatest(before.p10, amount) - greatest(final.spent, amount) as avoided
        from budgets_alert alert join budgets_budgetperiod period on period.id = alert.period_id
        join budgets_forecast before on before.period_id = period.id and before.as_of = alert.acknowledged_at::date
        join budgets_forecast final on final.period_id = period.id and final.method = 'done')
    select saved + greatest(0, avoided - in_april) from control, overrun
"""


def test_cost_avoidance_is_what_controls_and_answered_alerts_prove_and_the_same_money_once(overrun):
    """lea's team avoided 300 in April; 30 of it the control that switched its machine off shows already."""
    assert kpis.avoidance_measure(person("max"), TODAY) is None, "not known, and no zero"
    assert overrun(900) == [300]
    assert kpis.avoidance_measure(person("max"), TODAY).value == 300
    control_that_saved(40, person("lea").teams.first())
    measure = kpis.avoidance_measure(person("max"), TODAY)
    assert (measure.value, measure.currency, measure.target) == (310, "USD", 12_000)
    assert {one.label: one.value for one in measure.inputs} == {"Cost controls": 40, "Avoided overruns": 270}
    assert "30 USD of it other proofs show already" in measure.description
    with connection.cursor() as cursor:
        cursor.execute(AVOIDANCE)
        kpi = next(kpi for kpi in kpis.KPIS if kpi.name == "cost-avoidance")
        assert cursor.fetchone() == (kpi.measure(person("fay"), TODAY).value,)
    assert kpis.avoidance_measure(person("lea"), TODAY).value == 310
    assert kpis.avoidance_measure(person("ola"), TODAY) is None
    assert kpis.avoidance_measure(person("max"), date(2027, 6, 1)) is None, "it is of twelve months"


def test_the_model_is_started_once_and_its_month_can_be_moved():
    client = signed_in(person("fay"))
    assert "Start the model" in client.get("/programme/savings/").content.decode()
    assert client.post("/programme/savings/start/", {"start": "2026-03", "currency": "usd"}).status_code == 302
    assert Assumption.objects.get(key="stated-total").optimistic == 300_000
    client.post("/programme/savings/start/", {"start": "2026-01", "currency": "USD"})
    assert figures(timezone.now().date()).model.month == Month(2026, 1)
    assert (
        "in USD" in client.post("/programme/savings/start/", {"start": "2026-01", "currency": "EUR"}).content.decode()
    )
    assert signed_in(person("max")).get("/programme/savings/start/").status_code == 403

"""A budget whose kind, start, end or range changes has the periods that it says, in every door, and no others."""

from datetime import date
from decimal import Decimal

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import IntegrityError, transaction
from django.urls import reverse
from django.utils import timezone

from budgets.models import Alert, AlertDelivery, Budget, BudgetPeriod, Forecast
from budgets.planning import budget_changes
from budgets.planning.automatic_amounts import create_automatic_periods
from tests.shared_fixtures import shared

pytestmark = pytest.mark.django_db
FORM = {
    "name": "Payments",
    "basis": "billed_cost",
    "currency": "USD",
    "kind": "month",
    "start": "2026-01-01",
    "way": "keep",
    "auto_factor": "1",
    **dict.fromkeys(("with_credits", "with_refunds", "with_tax", "with_purchases"), "on"),
}


@pytest.fixture
def edit(fay, client_of):
    """Fay edits a budget on its page; the answer's errors must be none unless `status` is another than 302."""

    def edit(budget, *, status=302, **changes):
        values = {**FORM, "team": budget.team_id or "", "version": budget.version, **changes}
        answer = client_of(fay).post(reverse("budgets:edit", args=[budget.pk]), values)
        assert answer.status_code == status, answer.context and answer.context["form"].errors
        budget.refresh_from_db()
        return answer

    return edit


@shared
def budget(a_quarter, payments, budget_of):
    """1,000 for each month of 2026; 100 a day are spent until the end of March."""
    return budget_of("Payments", "1000", team=payments, start=date(2026, 1, 1))


def spans(budget):
    return [(row.start.isoformat(), row.end.isoformat(), int(row.amount)) for row in budget.periods.all()]


def test_months_that_became_quarters_are_quarters_and_nothing_else(budget, edit, night):
    night(date(2026, 3, 10))
    march = Alert.objects.filter(period__start=date(2026, 3, 1))
    assert march.unresolved().exists()
    edit(budget, kind="quarter", way="flat", amount="9000")
    assert spans(budget)[:2] == [("2026-01-01", "2026-04-01", 9000), ("2026-04-01", "2026-07-01", 9000)]
    assert {(row.start.month, row.start.day) for row in budget.periods.all()} == {(1, 1), (4, 1), (7, 1), (10, 1)}
    report = night(date(2026, 3, 20))
    assert {crossing["period"]["from"] for crossing in report.crossings} <= {"2026-01-01"}
    assert not march.unresolved().exists()
    alert = march.first()
    assert "has this period no more" in alert.note
    assert alert.history[-1]["what"] == alert.note
    version = budget.versions.first()
    assert version.what == "edited, 12 periods removed, 12 new"
    assert (version.before["2026-01-01"], version.after["2026-01-01"]) == ("1000", "9000")
    assert "2026-02-01" in version.before
    assert "2026-02-01" not in version.after


def test_a_budget_that_ends_earlier_is_judged_no_more_and_mails_nobody(budget, edit, night):
    night(date(2026, 3, 10))
    assert AlertDelivery.objects.queued().filter(alert__period__start=date(2026, 3, 1)).exists()
    edit(budget, end="2026-03-01")
    assert spans(budget) == [("2026-01-01", "2026-02-01", 1000), ("2026-02-01", "2026-03-01", 1000)]
    assert not AlertDelivery.objects.queued().filter(alert__period__start=date(2026, 3, 1)).exists()
    report = night(date(2026, 3, 20))
    assert (report.crossings, report.alerts_made) == ([], 0)
    removed = BudgetPeriod.with_removed.get(budget=budget, start=date(2026, 3, 1))
    assert Forecast.objects.filter(period=removed).exists(), "what was forecast and warned of is still known"


def test_a_range_that_is_moved_is_one_period_with_its_amount(a_quarter, payments, fay, edit, night):
    budget = Budget(name="Payments", team=payments, kind="custom", start=date(2026, 3, 1), end=date(2026, 3, 21))
    budget_changes.create_budget(budget, {budget.cut.periods()[0]: Decimal(500)}, by=fay)
    night(date(2026, 3, 10))
    edit(budget, kind="custom", start="2026-03-11", end="2026-03-31")
    assert spans(budget) == [("2026-03-11", "2026-03-31", 500)]
    night(date(2026, 3, 20))
    assert Forecast.objects.get(as_of=date(2026, 3, 20), period__removed_at=None).spent == 1000
    edit(budget, kind="project", start="2026-03-01", end="2026-06-01", way="flat", amount="700")
    assert spans(budget) == [("2026-03-01", "2026-06-01", 700)]


def test_an_end_that_is_moved_back_brings_the_period_back_with_its_past(budget, edit, night):
    night(date(2026, 3, 10))
    march = budget.periods.get(start=date(2026, 3, 1))
    edit(budget, end="2026-03-01")
    edit(budget, end="", way="flat", amount="1000")
    assert budget.periods.get(start=date(2026, 3, 1)).pk == march.pk
    night(date(2026, 3, 20))
    assert Alert.objects.filter(period=march, kind="actual").unresolved().exists()


def test_a_budget_that_starts_or_ends_amid_a_month_counts_its_own_days(budget, edit, night):
    edit(budget, start="2026-03-15", end="2026-04-16", way="flat", amount="1000")
    assert spans(budget) == [("2026-03-15", "2026-04-01", 1000), ("2026-04-01", "2026-04-16", 1000)]
    report = night(date(2026, 3, 20))
    assert Forecast.objects.get(as_of=date(2026, 3, 20)).spent == 600, "6 days of 100"
    assert [crossing["threshold"] for crossing in report.crossings if crossing["kind"] == "actual"] == ["50"]
    edit(budget, start="2026-03-15", end="2026-03-16")
    assert spans(budget) == [("2026-03-15", "2026-03-16", 1000)]


def test_what_saving_does_is_shown_before_it_is_saved(budget, edit, night):
    night(date(2026, 3, 10))
    page = edit(budget, status=200, kind="quarter", way="flat", amount="13,300", preview="1")
    assert budget.kind == "month"
    verbs = [change.verb for change in page.context["plan"].changes]
    assert (verbs.count("goes"), verbs.count("new")) == (12, 12)
    text = page.content.decode()
    assert "Open alerts of periods that go: " in text
    assert ">Save<" in text
    page = edit(budget, status=200, way="flat", amount="13.30", preview="1")
    assert "more than five times as much, or less than a fifth" in page.content.decode()
    assert "1/75 of it" in page.content.decode()
    part = edit(budget, status=200, start="2026-01-15", preview="1").content.decode()
    assert "a part: the amount is for these 17 days" in part
    assert spans(budget)[0] == ("2026-01-01", "2026-02-01", 1000)


def test_amounts_that_fit_no_more_are_not_kept_silently(budget, edit):
    page = edit(budget, status=200, kind="year", way="keep")
    assert "Its periods are cut anew" in page.context["form"].errors["way"][0]
    assert len(spans(budget)) == 12
    budget.kind = "quarter"
    with pytest.raises(budget_changes.WrongState, match="cut anew"):
        budget_changes.change_budget(budget, None, version=1, by=None)


def test_a_typed_amount_that_reads_in_two_ways_is_asked_about_and_nothing_is_written(budget, edit, fay, client_of):
    page = edit(budget, status=200, way="flat", amount="13.300")
    assert "Did you mean 13,300 or 13.3? Write 13300 or 13.30." in page.context["form"].errors["amount"][0]
    grid, cell = f"{reverse('budgets:grid')}?year=2026", f"cell-{budget.pk}-2026-03"
    answer = client_of(fay).post(grid, {cell: "12.400", f"version-{budget.pk}": 1})
    assert "Did you mean 12,400 or 12.4?" in answer.context["problems"][0]
    assert {amount for _, _, amount in spans(budget)} == {1000}
    seen = client_of(fay).post(grid, {cell: "9.300,00", f"version-{budget.pk}": 1})
    assert "+830.0%" in seen.content.decode()
    assert "look again" in seen.content.decode()
    assert {amount for _, _, amount in spans(budget)} == {1000}


def look_at(client, body, **more):
    page = client.post(reverse("budgets:import"), {"file": SimpleUploadedFile("x.csv", body.encode()), **more})
    rows = page.context.get("preview") or []
    amounts = {head.start.isoformat(): after for row in rows for head, (_, after) in row.changes.items()}
    return amounts, page.context.get("problems") or page.context["form"].errors.get("file")


@pytest.mark.parametrize(
    ("body", "more", "amount", "problem"),
    [
        ("budget,2026-03\nPayments,12.400\n", {}, None, "Did you mean 12,400 or 12.4?"),
        ("budget;2026-03\nPayments;12.400\n", {}, None, "Did you mean 12,400 or 12.4?"),
        ("budget;2026-03\nPayments;12.400\n", {"decimal_mark": ","}, 12400, ""),
        ("budget,2026-03\nPayments,12.400\n", {"decimal_mark": "."}, Decimal("12.4"), ""),
        ("budget;2026-03;2026-04\nPayments;12.400;900,50\n", {}, 12400, ""),
        ("budget;2026-03;2026-04\nPayments;12,400;1.900,50\n", {}, Decimal("12.4"), ""),
        ("budget,2026-03,2026-04\nPayments,12.400,900.50\n", {}, Decimal("12.4"), ""),
        ("budget;2026-03;2026-04\nPayments;1.5;2,5\n", {}, None, "another decimal mark"),
        ("budget,2026-03\nPayments,1e5\n", {}, None, "is not an amount"),
        ("budget,2026-03\nPayments,NaN\n", {}, None, "is not an amount"),
        ("budget,2025-12\nPayments,100\n", {}, None, "the budget has no such month"),
        ("budget,2026-03\nPayments,5\nPayments,6\n", {}, None, "stands in line 2 already"),
    ],
)
def test_an_import_is_read_by_the_mark_of_its_file_or_asked_about(budget, fay, client_of, body, more, amount, problem):
    amounts, problems = look_at(client_of(fay), body, **more)
    assert amounts.get("2026-03-01") == amount or (problem and "5" in body)
    assert (problem in " ".join(problems)) if problem else not problems
    assert {amount for _, _, amount in spans(budget)} == {1000}


def test_columns_of_months_name_the_part_that_a_budget_counts(budget, edit, fay, client_of):
    edit(budget, start="2026-01-15")
    client = client_of(fay)
    shown = client.get(f"{reverse('budgets:grid')}?year=2026").context["rows"][0]["cells"]
    assert [text for _, text in shown[:2]] == ["1000", "1000"]
    amounts, _ = look_at(client, "budget,2026-01\nPayments,500\n")
    assert amounts == {"2026-01-15": 500}
    grid = f"{reverse('budgets:grid')}?year=2025"
    assert client.get(grid).context["rows"][0]["cells"][0][1] is None, "2025 has no cells of it"


def test_a_copy_of_a_part_of_a_month_is_for_all_of_it(budget, edit, fay):
    edit(budget, start="2026-06-16", way="flat", amount="150")
    budget_changes.copy_to_next_year(budget, percent=Decimal(0), version=budget.version, by=fay)
    assert budget.periods.get(start=date(2027, 6, 1)).amount == 300
    assert budget.periods.get(start=date(2027, 7, 1)).amount == 150
    budget.end = date(2027, 6, 16)
    budget_changes.change_budget(budget, None, version=budget.version, by=fay)
    with pytest.raises(budget_changes.WrongState, match="change its end first"):
        budget_changes.copy_to_next_year(budget, percent=Decimal(0), version=budget.version, by=fay)


def test_the_database_refuses_two_periods_of_a_budget_with_a_day_in_common(budget):
    row = {"budget": budget, "start": date(2026, 12, 31), "end": date(2027, 2, 1), "amount": 1}
    with pytest.raises(IntegrityError, match="budget_periods_apart"), transaction.atomic():
        BudgetPeriod.objects.create(**row)
    BudgetPeriod.objects.create(**row, removed_at=timezone.now())


def test_lea_proposes_from_the_middle_of_a_month_and_fay_approves_it(a_quarter, payments, lea, fay, client_of):
    values = {**FORM, "team": payments.pk, "start": "2026-03-15", "way": "flat", "amount": "1,000"}
    client_of(lea).post(reverse("budgets:propose"), values)
    budget = Budget.objects.get()
    client_of(fay).post(reverse("budgets:state", args=[budget.pk, "approve"]), {"version": 1})
    assert spans(budget)[0] == ("2026-03-15", "2026-04-01", 1000)
    assert spans(budget)[1] == ("2026-04-01", "2026-05-01", 1000)


@shared
def following(payments, fay):
    """A budget that follows the last three months."""
    budget = Budget(name="Auto", team=payments, start=date(2025, 10, 1), auto_months=3)
    return budget_changes.create_budget(budget, {}, by=fay)


def test_an_automatic_amount_waits_until_the_month_before_is_delivered(payments, deliver, following, night):
    deliver("2026-01", "100.00")
    deliver("2026-02", "100.00", until=date(2026, 2, 14))
    night(date(2026, 3, 1))
    assert not following.periods.exists(), "half of February is no month to follow"
    deliver("2026-02", "100.00")
    night(date(2026, 3, 3))
    assert following.periods.get().amount == 2950, "(3,100 + 2,800) / 2"


def test_an_empty_month_in_the_middle_counts_and_those_before_the_first_do_not(payments, deliver, following):
    deliver("2025-12", "100.00")
    deliver("2026-01", "0.00")
    deliver("2026-02", "100.00")
    assert create_automatic_periods(date(2026, 3, 4)) == 1
    assert following.periods.get().amount == Decimal("1966.67"), "(3,100 + 0 + 2,800) / 3"
    deliver("2026-03", "100.00")
    assert create_automatic_periods(date(2026, 4, 4)) == 1
    assert following.periods.last().amount == Decimal("1966.67"), "(0 + 2,800 + 3,100) / 3: December had cost"

"""Decision points: evidence, recommendation, signatures, and a record that never changes."""

from datetime import date, timedelta
from decimal import Decimal
from importlib import import_module

import pytest
from django.db import IntegrityError, connection, transaction

from finops_site.lib.periods import Period
from finops_site.registry import registry
from programme.models import DecisionIsRecorded, DecisionPoint
from programme.reports import sections
from programme.roadmap import decisions, milestones, nightly
from programme.roadmap.plans import CannotDo, end
from tests.people import waiting_for
from tests.programme.roadmap.conftest import START, noon

pytestmark = pytest.mark.django_db

DAY_7 = START + timedelta(days=6)


@pytest.fixture
def decision(programme):
    nightly.check_night(programme, DAY_7)
    return programme.decisions.get(name="Day 7")


def test_the_evidence_is_what_was_due_with_its_figures_and_the_rule_recommends(decision, fay):
    evidence = decisions.gather_evidence(decision, DAY_7)
    assert [(row.name, row.met) for row in evidence.milestones] == [("Sponsor named", "no")]
    assert [(row.label, row.value, row.met) for row in evidence.figures] == [("Tag compliance", 20, "no")]
    assert decisions.recommendation_of(decision, evidence).verdict == "stop"
    row = decision.programme.milestones.get(name="Sponsor named")
    milestones.tick(row, by=fay, note="Max", day=DAY_7)
    evidence = decisions.gather_evidence(decision, DAY_7)
    assert decisions.recommendation_of(decision, evidence).verdict == "go"


def test_a_recorded_decision_is_frozen_and_says_when_it_would_differ(decision, figures, max_, fay, client_of, today):
    today(DAY_7)
    browser = client_of(max_)
    url = decision.get_absolute_url()
    answer = browser.post(f"{url}decide/", {"verdict": "go", "why": "We have a sponsor."}, follow=True)
    assert "We have a sponsor." in answer.content.decode()
    decision.refresh_from_db()
    assert (decision.verdict, decision.recommended, decision.decided_by) == ("go", "stop", max_)
    assert decisions.later_changes(decision) == []
    figures["tags"] = Decimal("18.5")  # The bill of those days is restated.
    nightly.check_night(decision.programme, DAY_7)
    page = browser.get(url).content.decode()
    assert "With the bills of today it would stand on other figures" in page
    assert "20% then, 18.5% today" in page
    assert decisions.stored_evidence(decision).figures[0].value == 20
    with pytest.raises(CannotDo, match="was decided by Max Ferreira"):
        decisions.record_decision(decision, "stop", "No.", by=fay, now=noon(DAY_7))
    decision.why = "Because."
    with pytest.raises(DecisionIsRecorded):
        decision.save()
    max_.delete()
    row = DecisionPoint.objects.get(pk=decision.pk)
    assert (row.verdict, row.decided_by, row.decided_by_name) == ("go", None, "Max Ferreira")


@pytest.mark.parametrize("name", ["ada", "lea", "ola", "eli"])
def test_only_executives_and_finance_decide(decision, people, name):
    with pytest.raises(CannotDo, match="Executives and finance"):
        decisions.record_decision(decision, "go", "I say so.", by=people[name], now=noon(DAY_7))


def test_a_decision_needs_a_reason_a_verdict_and_a_running_programme(decision, fay):
    for verdict, why in (("go", " "), ("maybe", "Because.")):
        with pytest.raises(CannotDo):
            decisions.record_decision(decision, verdict, why, by=fay, now=noon(DAY_7))
    end(decision.programme, DAY_7)
    with pytest.raises(CannotDo, match="not running"):
        decisions.record_decision(decision, "go", "Because.", by=fay, now=noon(DAY_7))


def test_each_signs_once_in_a_role_that_fits_and_takes_it_back_only_before_the_decision(decision, lea, fay, max_, ada):
    sign = decisions.sign
    now = noon(DAY_7)
    assert sign(decision, "technical lead", by=lea, now=now).name == "Lea Brandt"
    for person, role in ((lea, "engineering VP"), (fay, "technical lead"), (ada, "CFO"), (max_, "finance director")):
        with pytest.raises(CannotDo, match="cannot sign"):
            sign(decision, role, by=person, now=now)
    decisions.take_signature_back(decision, by=lea)
    sign(decision, "engineering VP", by=lea, now=now)
    decisions.record_decision(decision, "go", "Go.", by=max_, now=now)
    with pytest.raises(CannotDo, match="signatures stay"):
        decisions.take_signature_back(decision, by=lea)
    # Late, and with its own date.
    assert sign(decision, "CFO", by=fay, now=noon(DAY_7 + timedelta(days=1))).at > now


def test_a_decision_waits_on_home_from_a_week_before_and_a_milestone_is_its_owners_to_do(
    decision, max_, lea, ola, today
):
    today(DAY_7)
    row = decision.programme.milestones.get(name="Sponsor named")
    row.owner = lea
    milestones.save_milestone(row)
    assert "A decision of the programme: Day 7" in waiting_for(max_)
    assert waiting_for(lea) == []

    def to_do(person):
        from finops_site.people.roles import role_of
        from finops_site.ui.to_do import find_to_do

        groups = find_to_do(person, role_of(person)).groups
        return [item.text for group in groups if group.label == "Milestone" for item in group.items]

    assert to_do(lea) == ["Sponsor named"]
    assert to_do(ola) == []


def test_money_of_the_company_is_not_shown_to_who_does_not_see_it(decision, lea, max_):
    (row,) = decisions.figures_of(DAY_7)
    money = type(row)("saved", "Saved", Decimal(1200), Decimal(5000), "money", "higher", row.met, "USD")
    assert decisions.figure_text(money, user=max_) == "1,200.00 USD"
    assert decisions.figure_text(money, user=lea) == "not shown to you"
    assert decisions.figure_text(row, user=lea) == "20%"


def test_money_of_a_milestone_is_shown_to_who_sees_the_company_alone(programme, lea, max_, client_of):
    row = programme.milestones.get(name="50% tagged")
    values = {"last_unit": "money", "last_currency": "USD", "last_value": Decimal("0.52"), "limit": Decimal("0.4")}
    type(row).objects.filter(pk=row.pk).update(**values, met_value=Decimal("0.52"), met_on=DAY_7)
    decision = programme.decisions.get(name="Day 90")
    texts = {}
    for person in (lea, max_):
        browser = client_of(person)
        pages = (row.get_absolute_url(), decision.get_absolute_url(), programme.get_absolute_url())
        csv = f"{programme.get_absolute_url()}milestones/?_export=csv"
        texts[person] = [browser.get(url).content.decode() for url in pages]
        texts[person] += [browser.get(csv).getvalue().decode(), str(browser.get("/api/v1/milestones/").json())]
    assert all("0.52" in text for text in texts[max_])
    assert not any("0.52" in text or "0.40" in text for text in texts[lea])
    assert "not shown to you" in texts[lea][0]


def test_nothing_is_decided_before_its_programme_begins(decision, fay):
    with pytest.raises(CannotDo, match="begins on 2 Mar 2026"):
        decisions.record_decision(decision, "go", "Why not.", by=fay, now=noon(START - timedelta(days=1)))
    decision.refresh_from_db()
    assert not decision.is_decided


def test_the_quarterly_review_has_the_risks_with_their_state_and_the_decisions_asked(decision, max_, lea, fay, figures):
    """On day 60 nobody tags enough, and day 7 is decided."""
    decisions.record_decision(decision, "go", "Go.", by=fay, now=noon(DAY_7))
    figures["tags"] = Decimal(20)
    today = START + timedelta(days=59)
    nightly.check_night(decision.programme, today)
    quarter = Period(date(2026, 4, 1), date(2026, 7, 1))
    assert "risks" not in [one.name for one, _shown in registry.period_sections(lea, quarter, today)]
    shown = sections.risks_section(max_, quarter, today)
    assert shown["text"] == ["1 of 2 risks has happened.", "What is done now: By account"]
    risks, points = (table["rows"] for table in shown["tables"])
    assert [cell if isinstance(cell, str) else cell["text"] for cell in risks[0]] == [
        "Nobody tags",
        "Little at day 30 (Tag compliance at most 30%)",
        "has happened, since 30 Apr 2026",
        "By account",
    ]
    assert risks[1][1:] == ["Late", "has not", "Promise"]
    assert [row[3] for row in points] == ["go, Fay Lindqvist, 8 Mar 2026", "not yet"]
    # A quarter before the programme began has none.
    assert sections.risks_section(max_, Period(date(2025, 10, 1), date(2026, 1, 1)), today) is None


def test_no_queryset_and_no_sql_changes_or_deletes_a_recorded_decision(decision, max_):
    rows = DecisionPoint.objects.filter(pk=decision.pk)
    assert rows.update(question="Still open to change?") == 1
    decisions.record_decision(decision, "go", "We have a sponsor.", by=max_, now=noon(DAY_7))
    table = "programme_decisionpoint"
    changes = (
        lambda: rows.update(why="Because."),
        lambda: rows.update(decided_at=None),
        lambda: connection.cursor().execute(f"update {table} set evidence = '{{}}' where id = %s", [decision.pk]),
        lambda: (rows.delete(), connection.cursor().execute("set constraints all immediate")),
    )
    for change in changes:
        with pytest.raises(IntegrityError, match="was recorded"), transaction.atomic():
            change()
    assert rows.get().why == "We have a sponsor."
    # With its programme it goes.
    decision.programme.delete()
    connection.cursor().execute("set constraints all immediate")
    assert not rows.exists()


def test_the_freeze_of_decisions_can_be_taken_back_by_its_migration(decision, max_):
    decisions.record_decision(decision, "go", "Go.", by=max_, now=noon(DAY_7))
    migration = import_module("programme.migrations.0005_recorded_decisions_are_frozen")
    with connection.cursor() as cursor:
        cursor.execute(migration.THAW)
        assert DecisionPoint.objects.filter(pk=decision.pk).update(why="Because.") == 1
        cursor.execute(migration.FREEZE)
    with pytest.raises(IntegrityError, match="was recorded"), transaction.atomic():
        DecisionPoint.objects.filter(pk=decision.pk).update(why="Never.")

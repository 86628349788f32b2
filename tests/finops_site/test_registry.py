"""What pillars give one another through the registry: figures with targets, parts of the report, advice."""

from datetime import date
from decimal import Decimal

import pytest

from finops_site.lib.periods import Month
from finops_site.registry import (
    AdviceItem,
    AdviceSource,
    Better,
    Kpi,
    Measure,
    NightlyCheck,
    Registry,
    ReportSection,
    Unit,
)

DAY = date(2026, 3, 15)


class Person:
    """Somebody who may do what is listed."""

    def __init__(self, *permissions):
        self.permissions = permissions

    def has_perm(self, name):
        return name in self.permissions


@pytest.mark.parametrize(
    ("value", "target", "better", "met"),
    [
        ("70", "70", Better.HIGHER, True),
        ("69.999", "70", Better.HIGHER, False),
        ("5", "5", Better.LOWER, True),
        ("5.0001", "5", Better.LOWER, False),
        ("0", "5", Better.LOWER, True),
        (None, "5", Better.LOWER, None),
        ("5", None, Better.LOWER, None),
    ],
)
def test_a_measure_says_whether_its_target_is_reached(value, target, better, met):
    made = Measure(value and Decimal(value), Unit.PERCENT, target and Decimal(target), better, "words")
    assert made.met is met


def test_figures_and_sections_are_for_those_who_may_see_them_and_may_stay_away():
    house = Registry()
    coverage = Measure(Decimal(40), Unit.PERCENT, Decimal(70), Better.HIGHER, "of eligible hours")
    house.add(
        Kpi("late", "Late", lambda user, as_of: coverage, order=2),
        Kpi("secret", "Secret", lambda user, as_of: coverage, "costs.view_company"),
        Kpi("silent", "Silent", lambda user, as_of: None),
        Kpi("early", "Early", lambda user, as_of: coverage, order=1),
        ReportSection("spend", "Spend", "x.html", lambda user, month: {"month": month}),
        ReportSection("all", "All", "x.html", lambda user, month: {}, "costs.view_company"),
        ReportSection("none", "None", "x.html", lambda user, month: None),
    )
    assert [kpi.name for kpi, _ in house.measures(Person(), DAY)] == ["early", "late"]
    assert [kpi.name for kpi, _ in house.measures(Person("costs.view_company"), DAY)] == ["early", "late", "secret"]
    assert [section.name for section, _ in house.report_sections(Person(), Month(2026, 3))] == ["spend"]
    assert len(house.report_sections(Person("costs.view_company"), Month(2026, 3))) == 2


def test_advice_puts_first_what_saves_most_and_last_what_nobody_knows():
    house = Registry()
    items = [
        AdviceItem("tag it", "/a"),
        AdviceItem("stop it", "/b", Decimal(5), "USD"),
        AdviceItem("reserve it", "/c", Decimal(90), "USD"),
    ]
    house.add(AdviceSource("tags", lambda user, filters, as_of: items if filters == {"team": ["1"]} else []))
    items_shown = house.advice(Person(), {"team": ["1"]}, DAY, limit=2)
    assert [item.text for item in items_shown] == ["reserve it", "stop it"]
    assert house.advice(Person(), {"team": ["2"]}, DAY) == []


def test_advice_behind_a_permission_is_kept_from_a_mail_to_nobody_in_particular():
    house = Registry()
    house.add(AdviceSource("prices", lambda user, filters, as_of: [AdviceItem("buy", "/")], "costs.view_company"))
    assert house.advice(None, {}, DAY) == []


def test_a_thing_registered_twice_is_kept_once():
    house = Registry()
    check = NightlyCheck("books", lambda as_of: f"checked {as_of}")
    house.add(check, check)
    assert [entry.run(DAY) for entry in house.of(NightlyCheck)] == ["checked 2026-03-15"]

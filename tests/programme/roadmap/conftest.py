"""Ninety days that began on 2 March 2026, with figures that a test sets."""

from datetime import UTC, date, datetime
from decimal import Decimal

import pytest
from django.utils import timezone

from finops_site.registry import Better, Kpi, Measure, ProgressCount, Unit, registry
from programme.roadmap import plans

START = date(2026, 3, 2)
PLAN = {
    "name": "Small plan",
    "days": 90,
    "phases": [
        {"name": "Foundation", "goal": "", "first": 1, "last": 30},
        {"name": "Savings", "goal": "", "first": 31, "last": 90},
    ],
    "weeks": [{"number": 1, "focus": "Bills in"}],
    "milestones": [
        {"name": "Sponsor named", "deliverable": "A name", "day": 5, "role": "CFO"},
        {"name": "50% tagged", "day": 40, "figure": "kpi:tags", "comparison": ">=", "limit": "50"},
        {"name": "2 budgets", "day": 44, "figure": "count:budgets", "comparison": ">=", "limit": "2"},
    ],
    "risks": [
        {
            "name": "Nobody tags",
            "trigger": "Little at day 30",
            "mitigation": "Lists",
            "contingency": "By account",
            "from_day": 30,
            "figure": "kpi:tags",
            "comparison": "<=",
            "limit": "30",
        },
        {"name": "No time", "trigger": "Late", "mitigation": "Promise", "contingency": "Drop"},
    ],
    "decisions": [
        {"name": "Day 7", "question": "Go?", "day": 7},
        {"name": "Day 90", "day": 90, "by_targets": True},
    ],
    "communications": [
        {"audience": "Leads", "what": "Costs", "when": "weekly", "channel": "mail", "schedule_name": ""}
    ],
}


def noon(day):
    return datetime.combine(day, datetime.min.time().replace(hour=12), UTC)


@pytest.fixture
def figures(monkeypatch):
    """{name: value} of the figures there are: what is not in it has nothing to measure."""
    values = {"tags": Decimal(20), "budgets": 0}

    def measure(user, as_of):
        if "tags" not in values:
            return None
        if isinstance(values["tags"], Exception):
            raise values["tags"]
        return Measure(values["tags"], Unit.PERCENT, Decimal(95), Better.HIGHER, "of 200 resources")

    entries = {
        **registry.entries,
        Kpi: [Kpi("tags", "Tag compliance", measure)],
        ProgressCount: [ProgressCount("budgets", "Budgets in force", lambda since, as_of: values.get("budgets"))],
    }
    monkeypatch.setattr(registry, "entries", entries)
    return values


@pytest.fixture
def today(monkeypatch):
    """Sets the day that the clock shows, at noon."""

    def set_day(day):
        monkeypatch.setattr(timezone, "now", lambda: noon(day))

    set_day(START)
    return set_day


@pytest.fixture
def programme(people, fay, figures, today):
    return plans.start(PLAN, START, by=fay, now=noon(START))

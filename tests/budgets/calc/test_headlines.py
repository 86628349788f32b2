"""A headline tells it all."""

from datetime import date
from decimal import Decimal

import pytest

from budgets.calc.headlines import AlertSummary, headline, severity, span_text
from finops_site.lib.periods import Month, Period

NOVEMBER = Month.parse("2026-11").period


def summary(kind, value, *, budgeted="10900", spent="7000", forecast="12400", limit="10900", period=NOVEMBER, as_of=21):
    amounts = [Decimal(text) for text in (budgeted, spent, forecast, value, limit)]
    return AlertSummary("Payments", kind, period, *amounts, "USD", date(2026, 11, as_of))


@pytest.mark.parametrize(
    ("alert", "text"),
    [
        (summary("forecast", "12400"), "Payments is heading 14% over November: 12,400 of 10,900 USD"),
        (
            summary("forecast", "10700", forecast="10700"),
            "Payments may go over November: most likely 10,700 of 10,900 USD",
        ),
        (summary("actual", "8938"), "Payments has spent 82% of November: 8,938 of 10,900 USD, with 10 days to go"),
        (summary("actual", "11227"), "Payments is 3% over November: 11,227 of 10,900 USD"),
        (summary("actual", "10946"), "Payments is less than 1% over November: 10,946 of 10,900 USD"),
        (summary("actual", "3", budgeted="0", limit="0"), "Payments is over November: 3.00 of 0.00 USD"),
        (summary("day", "2250.50"), "Payments spent 2,250 USD on a single day of November"),
        (summary("anomaly", "900"), "Payments spent 900 USD more in a day than it should have"),
        (
            summary("actual", "8938", as_of=30),
            "Payments has spent 82% of November: 8,938 of 10,900 USD, on its last day",
        ),
    ],
)
def test_a_headline_says_who_what_when_and_how_much(alert, text):
    assert headline(alert) == text


def test_a_span_is_called_as_people_call_it():
    assert span_text(Period(date(2026, 10, 1), date(2027, 1, 1))) == "Q4 2026"
    assert span_text(Period(date(2026, 1, 1), date(2027, 1, 1))) == "2026"
    assert span_text(Period(date(2026, 3, 3), date(2026, 3, 18))) == "3 Mar 2026 to 17 Mar 2026"


def test_over_the_amount_is_critical_and_half_of_it_is_information():
    assert [severity("actual", Decimal(value), Decimal(100)) for value in (50, 79, 80, 99, 100, 140)] == [
        *("information", "information", "warning", "warning", "critical", "critical")
    ]
    assert severity("forecast", Decimal(140), Decimal(100)) == "warning"

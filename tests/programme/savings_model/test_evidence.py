"""What reservations and budgets prove, as the programme counts it."""

from datetime import UTC, date, datetime
from decimal import Decimal

import pytest
from django.utils import timezone

from budgets.models import Budget, Control, ControlChangeSet, ControlStep, Threshold
from budgets.savings_evidence import control_evidence
from finops_site.lib.periods import Month
from finops_site.models import Team
from programme.calc.double_counting import overlap
from reservations.models import LedgerMonth, PurchaseRequest
from reservations.savings.evidence import ledger_evidence
from tagging.chargeback.first_statements import first_statements
from tagging.models import ChargebackPeriod, Statement, StatementOpening
from tests.people import person

pytestmark = pytest.mark.django_db
TODAY = date(2026, 5, 20)


def a_purchase(team):
    amounts = dict.fromkeys(("quantity", "hourly", "upfront", "monthly", "value", "utilisation"), 1)
    amounts |= {"on_demand_cost": 1, "committed_cost": 1}
    terms = {"kind": "sp_ec2", "term_months": 12, "payment": "none", "currency": "USD", "unit": "USD an hour"}
    return PurchaseRequest.objects.create(
        position=1, batch=0, team=team, state="bought", expires_at=timezone.now(), approved_by=person("fay"),
        approved_at=timezone.now(), **amounts, **terms,
    )  # fmt: skip


def in_ledger(purchase, month, realised):
    names = ("on_demand", "paid", "promised", "timing", "demand", "utilisation", "displaced", "price")
    LedgerMonth.objects.create(
        request=purchase, month=month, currency="USD", days=30, realised=realised, **dict.fromkeys(names, 0)
    )


def test_the_ledger_proves_what_purchases_saved_by_team_and_month_losses_too():
    payments = person("lea").teams.first()
    ours, everybodys = a_purchase(payments), a_purchase(None)
    for purchase, month, realised in (
        (ours, date(2026, 3, 1), 70),
        (a_purchase(payments), date(2026, 3, 1), 30),
        (everybodys, date(2026, 3, 1), -15),
        # After the day that is asked about.
        (ours, date(2026, 6, 1), 500),
    ):
        in_ledger(purchase, month, realised)
    rows = ledger_evidence(person("max"), TODAY)
    assert sorted((row.month, row.amount) for row in rows) == [(Month(2026, 3), -15), (Month(2026, 3), 100)]
    assert [row.amount for row in ledger_evidence(person("lea"), TODAY)] == [100]
    assert ledger_evidence(person("ola"), TODAY) == []
    # Two purchases are two savings, whomever they are for.
    assert not overlap(*rows)


def control_that_saved(amount, team):
    """A control of the team's budget switched i-1 off for the four days up to 1 May 2026."""
    budget = Budget.objects.create(name="Controlled", team=team, start=date(2026, 1, 1), state="active")
    threshold = Threshold.objects.create(budget=budget, kind="actual", percent=100)
    control = Control.objects.create(
        name="Last resort", budget=budget, threshold=threshold, action="stop", changed_by=person("fay")
    )
    row = ControlChangeSet.objects.create(
        control=control, team=team, proposed_by=person("eli"), expires_at=timezone.now(), why="A test",
        saved=Decimal(amount), saved_currency="USD", saved_days=4, saved_until=date(2026, 5, 1),
    )  # fmt: skip
    ControlStep.objects.create(
        change_set=row,
        number=1,
        kind="instance",
        cloud="aws",
        account="1",
        target="i-1",
        resources=["i-1"],
        result="done",
    )


def test_a_control_proves_what_it_switched_off_spread_over_its_days():
    control_that_saved(40, person("lea").teams.first())
    rows = control_evidence(person("max"), TODAY)
    assert [(row.month, row.amount) for row in rows] == [(Month(2026, 4), 30), (Month(2026, 5), 10)]
    assert {row.scope for row in rows} == {frozenset({"resource:i-1"})}
    assert control_evidence(person("ola"), TODAY) == []
    # The overrun of the team that it helped to avoid is the same money; a purchase for another team is not.
    in_ledger(a_purchase(Team.objects.get(name="Data")), date(2026, 4, 1), 5)
    (of_data,) = ledger_evidence(person("max"), TODAY)
    assert not overlap(rows[0], of_data)


def test_a_team_sees_its_cost_since_its_lead_opened_a_statement_and_not_since_it_was_closed():
    month = ChargebackPeriod.objects.create(
        billing_month=date(2026, 2, 1), state="closed", closed_at=datetime(2026, 3, 5, tzinfo=UTC)
    )
    payments = person("lea").teams.first()
    data = Team.objects.get(name="Data")
    for team in (payments, data):
        Statement.objects.create(period=month, team=team, currency="USD", team_name=team.name)
    assert first_statements() == {payments.pk: date(2026, 3, 5), data.pk: date(2026, 3, 5)}
    opened = datetime(2026, 3, 9, tzinfo=UTC)
    StatementOpening.objects.create(period=month, team=payments, user=person("lea"), opened_at=opened)
    assert first_statements() == {payments.pk: date(2026, 3, 9)}

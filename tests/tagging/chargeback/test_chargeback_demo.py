"""The demo organisation shows chargeback as it is used: closed months, a correction, a dispute, a draft."""

from datetime import UTC, date, datetime

import pytest

from costs.ingest import demo as ingest_demo
from costs.models import Pool
from finops_site.models import OutgoingEmail
from tagging.chargeback import closing_checklist, invariants
from tagging.chargeback import demo as chargeback_demo
from tagging.models import ChargebackPeriod, Dispute, Statement, StatementLine
from tagging.ownership import demo as ownership_demo

pytestmark = pytest.mark.django_db
AS_OF = date(2026, 5, 20)


def test_the_demo_has_two_closed_months_a_correction_a_dispute_and_a_month_to_close(people, client_of):
    messages = []
    ownership_demo.make_ownership_rules(messages.append, as_of=AS_OF)
    ingest_demo.load_demo_bills(messages.append, as_of=AS_OF)
    chargeback_demo.make_chargeback(messages.append, as_of=AS_OF)
    chargeback_demo.make_chargeback(messages.append, as_of=AS_OF)
    assert [str(month) for month in sorted(ChargebackPeriod.objects.closed_months())] == ["2026-02", "2026-03"]
    assert [f"{period.closed_at:%Y-%m-%d}" for period in ChargebackPeriod.objects.closed()] == [
        "2026-04-05",
        "2026-03-05",
    ]
    april = ChargebackPeriod.objects.get(billing_month="2026-04-01")
    assert StatementLine.objects.filter(statement__period=april, kind="correction").exists()
    items = closing_checklist.closing_checklist(april, datetime(2026, 5, 20, tzinfo=UTC))
    assert [item.label for item in items if item.state == "bad"] == []
    assert Dispute.objects.count() == 1
    assert Pool.objects.count() == 5
    assert not april.totals.exclude(unallocated=0).exists()
    assert Statement.objects.exclude(number=None).count() == 8
    assert OutgoingEmail.objects.filter(subject__startswith="Disputed").count() == 1
    assert [check for check in invariants.check_statements(None) if not check.holds] == []
    report = client_of(people["max"]).get("/reports/2026-03/").content.decode()
    assert all(statement.number in report for statement in Statement.objects.filter(period__billing_month="2026-03-01"))
    assert client_of(people["max"]).get("/reports/2026-03/pdf/").content.startswith(b"%PDF")

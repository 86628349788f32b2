"""The demo's second organisation: it owns commitments, and the first one stays as it is."""

from datetime import date
from decimal import Decimal

import pytest
from django.db.models import Sum
from django.urls import reverse

from costs.demo.committed_bills import COMMITMENTS, PAYER, commitments_csv, write_committed_bills
from costs.models import CostLine, Delivery
from finops_site.registry import DemoStep, registry
from reservations import demo as commitments_demo
from reservations.models import Commitment, LedgerMonth, Notice, PurchaseRequest
from reservations.savings import ledger
from tests.shared_fixtures import shared

AS_OF = date(2026, 11, 29)


def test_the_bills_are_the_same_bytes_every_time(tmp_path):
    one, other = (write_committed_bills(tmp_path / name, as_of=AS_OF) for name in ("one", "other"))
    assert [path.read_bytes() for path in one] == [path.read_bytes() for path in other]
    assert commitments_csv(AS_OF).count("\n") == len(COMMITMENTS)


def test_it_is_made_only_where_it_is_asked_for():
    switched = {step.name for step in registry.of(DemoStep) if step.switch}
    assert switched == {"owned commitments", "savings ledger"}


@shared
def southwind(people):
    quiet = [].append
    commitments_demo.own_commitments(quiet, as_of=AS_OF)
    commitments_demo.prove_savings(quiet, as_of=AS_OF)


@pytest.mark.django_db
def test_every_page_of_commitments_has_something_to_show(southwind, fay, client_of):
    states = {str(row.commitment_id).rpartition("southwind")[2]: row.state(AS_OF) for row in Commitment.objects.all()}
    assert sorted(states.values()) == ["active", "active", "active", "ended", "ending", "ending"]
    kinds = set(Notice.objects.values_list("kind", flat=True))
    assert kinds == {"expiry", "utilisation"}
    seen = PurchaseRequest.objects.filter(state="seen")
    assert seen.count() == 2
    assert PurchaseRequest.objects.get(state="exported").quantity == 1
    # Six machines are left of ten, so that a quarter of the purchase stands idle since three weeks.
    first = LedgerMonth.objects.filter(request=seen.order_by("pk").first())
    assert set(
        first.filter(month__lt=date(2026, 11, 1)).exclude(month=date(2026, 6, 1)).values_list("reason", flat=True)
    ) == {""}
    november = first.get(month=date(2026, 11, 1))
    assert november.realised < november.promised
    assert november.reason in ("utilisation", "demand")
    saved = ledger.savings_of_year(fay, AS_OF)["USD"]
    assert Decimal(0) < saved["realised"] < saved["promised"]
    assert all(check.holds for check in ledger.ledger_checks(None))
    client = client_of(fay)
    for name in ("overview", "commitments", "expiries", "purchases", "savings"):
        page = client.get(reverse(f"reservations:{name}"))
        assert page.status_code == 200
        assert "4 × m5.large" in page.content.decode() or name in ("overview", "expiries")
    for row in Commitment.objects.all():
        assert str(row) in client.get(row.get_absolute_url()).content.decode()
    lines = CostLine.objects.current().filter(billing_account=PAYER[0], commitment="")
    sums = lines.aggregate(billed=Sum("billed_cost"), paid=Sum("effective_cost"))
    assert sums["billed"] == sums["paid"]
    counts = (Delivery.objects.count(), Commitment.objects.count(), PurchaseRequest.objects.count())
    commitments_demo.own_commitments([].append, as_of=AS_OF)
    commitments_demo.prove_savings([].append, as_of=AS_OF)
    again = (Delivery.objects.count(), Commitment.objects.count(), PurchaseRequest.objects.count())
    assert counts == again, "a second time it adds nothing"

"""Bills that change after proof: withdrawn, restated, of two currencies, and one resource in two accounts."""

from datetime import date
from decimal import Decimal

import pytest

from costs.ingest.withdraw import withdraw_delivery
from costs.models import Delivery
from tests.people import person, signed_in
from tests.usage.proof.test_saving_months import MAY, finding, load_month, three_months  # noqa: F401
from tests.usage.worklist.helpers import finding as open_finding
from usage.models import Finding, SavingMonth
from usage.proof import figures, saving_months

pytestmark = pytest.mark.django_db


def test_what_a_withdrawn_bill_proved_waits_for_proof_again(three_months):  # noqa: F811
    stopped = finding()
    saving_months.prove(MAY)
    withdraw_delivery(Delivery.objects.get(status="current", months__billing_month=date(2026, 4, 1)))
    assert saving_months.prove(MAY) == 0
    stopped.refresh_from_db()
    assert (stopped.state, [event.verb for event in stopped.events.order_by("pk")]) == (
        "mended",
        ["proved", "unproved"],
    )
    assert figures.removed_measure(person("fay"), MAY).value is None
    page = signed_in(person("fay")).get(stopped.get_absolute_url()).content.decode()
    assert "the bill that proved it counts no more" in page


def test_a_restated_bill_that_has_the_cost_after_all_brings_it_back(three_months, tmp_path):  # noqa: F811
    stopped = finding()
    saving_months.prove(MAY)
    withdraw_delivery(Delivery.objects.get(status="current", months__billing_month=date(2026, 4, 1)))
    load_month(tmp_path, "2026-04", 30, **{"i-1": "9.5", "i-2": "10"})
    saving_months.prove(MAY)
    stopped.refresh_from_db()
    row = SavingMonth.objects.get()
    # 300 before, 285 now: a twentieth of it is no proof.
    assert (stopped.state, row.amount, row.gap) == ("back", Decimal(15), "still-there")


def test_what_a_wrong_bill_brought_back_is_proved_by_the_right_one(three_months, tmp_path):  # noqa: F811
    runs = finding("i-2")
    saving_months.prove(MAY)
    withdraw_delivery(Delivery.objects.get(status="current", months__billing_month=date(2026, 4, 1)))
    saving_months.prove(MAY)
    runs.refresh_from_db()
    # No bill says any more that it runs.
    assert runs.state == "mended"
    load_month(tmp_path, "2026-04", 30, **{"i-1": "10"})
    saving_months.prove(MAY)
    runs.refresh_from_db()
    assert (runs.state, SavingMonth.objects.get().amount) == ("proved", Decimal(300))
    page = signed_in(person("fay")).get(runs.get_absolute_url()).content.decode()
    assert "the bill that showed it still there counts no more" in page


def test_what_its_days_brought_back_stays_back_whatever_the_month_says(three_months):  # noqa: F811
    stopped = finding(state=Finding.State.BACK)
    stopped.events.create(verb="back", before="mended", after="back", note="")
    saving_months.prove(MAY)
    stopped.refresh_from_db()
    assert stopped.state == "back"


def test_a_resource_in_two_accounts_is_two_and_only_the_mended_one_is_proved(three_months, tmp_path):  # noqa: F811
    here, there = finding(), finding("i-2")
    Finding.objects.filter(pk=there.pk).update(account="000000000099")
    saving_months.prove(MAY)
    for one in (here, there):
        one.refresh_from_db()
    assert (here.state, there.state) == ("proved", "mended")
    # No bill of the other account shows it, before or after.
    assert there.saving_months.get().gap == "no-before"


def test_two_currencies_of_one_team_stand_side_by_side_and_are_never_added(people):
    open_finding("vol-1", saving="12.50")
    open_finding("vol-2", saving="7.25", currency="EUR")
    open_finding("vol-3", saving=None, currency="EUR")
    lea = signed_in(person("lea"))
    answer = lea.get("/usage/")
    page = answer.content.decode()
    assert "12.50" in page
    assert "7.25" in page
    assert "19.75" not in page
    (euros,) = [one["group"] for one in answer.context["by_team"] if one["group"].currency == "EUR"]
    assert (euros.sums.count, euros.sums.counted, euros.sums.unknown) == (2, Decimal("7.25"), 1)
    assert "vol-1" not in lea.get("/usage/findings/?currency=EUR").content.decode()

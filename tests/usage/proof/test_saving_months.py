"""The bill of the month after proves what eli mended, or brings it back."""

from datetime import date
from decimal import Decimal
from hashlib import md5

import pytest

from costs.ingest.load import load_bill
from costs.ingest.receive import receive_bill
from finops_site.models import Team
from tests import bills
from tests.people import person, signed_in
from usage.calc.rules.base import Lever
from usage.models import Finding, SavingMonth
from usage.proof import checks, figures, saving_months

pytestmark = pytest.mark.django_db

MAY = date(2026, 5, 10)


def load_month(folder, month, days, **cost):
    """A bill of a month of 30 days in which each resource costs so much every day."""
    rows = [
        {
            "ResourceId": resource,
            "BillingPeriodStart": f"{month}-01",
            "BillingPeriodEnd": f"{month}-28",
            "ChargePeriodStart": f"{month}-{day:02}",
            "EffectiveCost": amount,
            "BilledCost": amount,
            **({"PricingCategory": "Committed", "CommitmentDiscountId": "sp-1"} if resource == "i-covered" else {}),
        }
        for day in range(1, days + 1)
        for resource, amount in cost.items()
        if amount
    ]
    path = bills.write(folder, f"{month}.csv", bills.focus_csv(rows))
    (received,) = receive_bill("aws", [path])
    assert load_bill(received.delivery).status == "current"


def finding(resource="i-1", **fields):
    place = {"provider": "AWS", "account": "000000000042", "region": "us-east-1", "resource": resource}
    values = {
        "rule": "idle-machine",
        "lever": Lever.STOP,
        "state": Finding.State.MENDED,
        "mended_day": date(2026, 3, 20),
        "promised_saving": Decimal(300),
        "currency": "USD",
        "first_seen": date(2026, 3, 1),
        "last_seen": date(2026, 3, 20),
        **fields,
    }
    key = md5(f"{values['rule']}{resource}".encode()).hexdigest()
    resource_key = md5(resource.encode()).hexdigest()
    return Finding.objects.create(**place, **values, key=key, resource_key=resource_key)


@pytest.fixture
def three_months(tmp_path):
    load_month(tmp_path, "2026-02", 28, **{"i-1": "10", "i-2": "10", "i-covered": "10"})
    load_month(tmp_path, "2026-03", 31, **{"i-1": "10", "i-2": "10", "i-covered": "10"})
    load_month(tmp_path, "2026-04", 30, **{"i-1": "", "i-2": "10", "i-covered": ""})


def test_what_eli_stopped_is_proved_by_april_and_what_still_runs_is_back(three_months):
    stopped, runs = finding(), finding("i-2")
    assert saving_months.prove(MAY) == 2
    # 280 in February's 28 days are 300 in April's 30.
    row = stopped.saving_months.get()
    assert (row.month, row.amount, row.gap) == (date(2026, 4, 1), Decimal(300), "as-promised")
    for one in (stopped, runs):
        one.refresh_from_db()
    assert (stopped.state, runs.state) == ("proved", "back")
    assert runs.events.get().note == "still-there"
    # Her page has words for it, and the months that were held against the promise.
    page = signed_in(person("fay")).get(runs.get_absolute_url())
    assert [words for *_event, words in page.context["events"]] == [
        "it costs as before: nothing was mended, or it came back"
    ]
    assert "still-there" not in page.content.decode()
    assert [month.amount for month, _why in page.context["saving_months"]] == [0]
    assert list(checks.saving_checks(None)) == []
    # Running again changes nothing.
    saving_months.prove(MAY)
    assert SavingMonth.objects.count() == 2


def test_a_machine_that_a_commitment_covered_saves_nothing_until_it_is_free(three_months):
    finding("i-covered")
    saving_months.prove(MAY)
    assert SavingMonth.objects.get().amount is None


def test_two_findings_on_one_machine_share_what_it_saved(three_months):
    finding(promised_saving=Decimal(200))
    finding(rule="schedule", lever=Lever.SCHEDULE, promised_saving=Decimal(100))
    saving_months.prove(MAY)
    amounts = sorted(SavingMonth.objects.values_list("amount", flat=True))
    assert amounts == [Decimal(100), Decimal(200)]
    assert [row.amount for row in figures.saving_evidence(person("fay"), MAY)] == [Decimal(200), Decimal(100)]


def test_a_check_of_the_books_sees_a_saving_that_somebody_changed(three_months):
    finding()
    saving_months.prove(MAY)
    SavingMonth.objects.update(cost_after=Decimal(7))
    (check,) = checks.saving_checks(None)
    assert (check.left, check.right) == ("7", "0")


def test_nothing_is_proved_of_a_month_that_is_not_whole(three_months):
    finding(mended_day=date(2026, 4, 20))
    assert saving_months.prove(MAY) == 0
    assert figures.removed_measure(person("fay"), MAY).value is None


def test_lea_sees_what_her_team_saved_and_ola_does_not(three_months):
    lea = person("lea")
    team = Team.objects.get(pk=min(lea.visible_team_ids))
    finding(owner=team, resource_name="web-1")
    saving_months.prove(MAY)
    page = signed_in(lea).get("/usage/proof/").content.decode()
    assert "300.00" in page
    assert "as promised" in page
    assert "300.00" not in signed_in(person("ola")).get("/usage/proof/").content.decode()

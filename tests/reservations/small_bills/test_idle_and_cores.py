"""Reservations that lie idle in AWS's report, on the days on which they do; and cores of Google, covered and not.

An m5.large is reserved for 0.06 an hour, 1.44 a day; February has 28 days: 40.32.
"""

from datetime import date
from decimal import Decimal

import pytest

from finops_site.lib.periods import Period
from reservations.inventory import metrics
from reservations.models import Commitment, Utilisation
from tests import bills
from tests.reservations.small_bills.test_owned import (
    BILLED,
    BILLED_FOCUS,
    FEBRUARY,
    RI_OF_CUR,
    days_of_february,
    focus_row,
    load,
    times,
)

pytestmark = pytest.mark.django_db
ONE = RI_OF_CUR | {"reservation/NumberOfReservations": "1"}
ON_DEMAND = {"lineItem/UsageAmount": "24", "lineItem/UnblendedCost": "2.304", "pricing/publicOnDemandCost": "2.304"}
OTHERS = [{**times(*day), **ON_DEMAND, "lineItem/ResourceId": "i-2"} for day in days_of_february()]
FEE = {
    **times("2026-02-01T00", "2026-03-01T00"),
    "lineItem/LineItemType": "RIFee",
    "lineItem/ResourceId": "",
    "lineItem/UsageType": "HeavyUsage:m5.large",
    "pricing/publicOnDemandCost": "0",
}


def used(days, **changes):
    cost = {"lineItem/UnblendedCost": "0", "reservation/EffectiveCost": "1.44", "pricing/publicOnDemandCost": "2.304"}
    covered = {"lineItem/LineItemType": "DiscountedUsage", "lineItem/UsageAmount": "24"}
    return [{**ONE, **times(*day), **covered, **cost, **changes} for day in days]


def idle(hours, **changes):
    cost = Decimal(hours) * Decimal("0.06")
    unused = {"reservation/UnusedRecurringFee": str(cost), "reservation/UnusedQuantity": str(hours)}
    return {**ONE, **FEE, **unused, "lineItem/UnblendedCost": "40.32", **changes}


def days_of_use():
    """[(used, unused, cost of what is unused)] of each day, in their order."""
    rows = Utilisation.objects.order_by("day").values_list("day", "used", "unused", "unused_cost")
    days = [row[0] for row in rows]
    assert days == [date(2026, 2, number) for number in range(1, len(days) + 1)]
    return [row[1:] for row in rows]


def test_a_reservation_that_nobody_used_is_idle_every_day(tmp_path):
    """28 days of 24 hours, 1.44 each, and not 40.32 on the first."""
    load(tmp_path, bills.cur_csv([*OTHERS, idle(672)], **BILLED))
    assert days_of_use() == [(0, 24, Decimal("1.44"))] * 28


def test_a_reservation_is_idle_on_the_days_on_which_nobody_used_it(tmp_path):
    """All upfront, used until the 14th: a fortnight wholly used, and one of 336 / 14 = 24 idle hours a day."""
    upfront = {
        "lineItem/UnblendedCost": "0",
        "reservation/UnusedRecurringFee": "0",
        "reservation/UnusedAmortizedUpfrontFeeForBillingPeriod": "20.16",
    }
    rows = [*used(days_of_february()[:14]), *OTHERS, idle(336, **upfront)]
    load(tmp_path, bills.cur_csv(rows, **BILLED))
    assert days_of_use() == [(24, 0, 0)] * 14 + [(0, 24, Decimal("1.44"))] * 14


def test_a_reservation_is_not_idle_after_its_end(tmp_path):
    """Used for a week and exchanged on the 15th: 168 idle hours on the seven days before that."""
    ended = {"reservation/EndTime": "2026-02-15T00:00:00.000Z"}
    rows = [*used(days_of_february()[:7], **ended), *OTHERS, idle(168, **ended)]
    load(tmp_path, bills.cur_csv(rows, **BILLED))
    assert days_of_use() == [(24, 0, 0)] * 7 + [(0, 24, Decimal("1.44"))] * 7


@pytest.mark.parametrize(("zone", "scope"), [("us-east-1a", "zonal"), ("", "")])
def test_the_fee_of_a_reservation_names_its_zone(tmp_path, zone, scope):
    """What uses it runs in a zone whether it is for that alone or for the region."""
    in_zone = {"lineItem/AvailabilityZone": "us-east-1a"}
    fee = idle(336, **{"reservation/AvailabilityZone": zone})
    load(tmp_path, bills.cur_csv([*used(days_of_february()[:14], **in_zone), *OTHERS, fee], **BILLED))
    assert Commitment.objects.get().scope == scope


def test_half_of_the_cores_of_google_are_covered(fay, tmp_path):
    """96 core hours a day are committed and 96 on demand, at the same list price: 50%, by cost and by hours."""
    cores = {
        "ProviderName": "Google Cloud",
        "ServiceName": "Compute Engine",
        "RegionId": "europe-west1",
        "SkuPriceDetails": "",
        "ChargeDescription": "N2 Instance Core running in Belgium",
        "ConsumedQuantity": "96",
        "ConsumedUnit": "Hours",
        **dict.fromkeys(("ListCost", "ContractedCost", "EffectiveCost", "BilledCost"), "3.36"),
    }
    committed = {
        "EffectiveCost": "2.11",
        "BilledCost": "0",
        "ResourceId": "vm-2",
        "PricingCategory": "Committed",
        "CommitmentDiscountId": "projects/p/commitments/c-1",
        "CommitmentDiscountType": "Resource-based CUD",
        "CommitmentDiscountCategory": "Usage",
        "CommitmentDiscountStatus": "Used",
        "CommitmentDiscountQuantity": "96",
        "CommitmentDiscountUnit": "Hours",
    }
    cheap = {"ChargeDescription": "Spot Preemptible N2 Instance Core running in Belgium", "ResourceId": "vm-3"}
    rows = [focus_row(*day, **(cores | changes)) for day in days_of_february() for changes in ({}, committed, cheap)]
    load(tmp_path, bills.focus_csv(rows, **BILLED_FOCUS))
    (main,) = metrics.metrics_by_currency(fay, Period(FEBRUARY.start, FEBRUARY.next.start))
    assert (main.coverage, main.coverage_hours) == (Decimal("0.5"), Decimal("0.5"))

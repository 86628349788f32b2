"""A month delivered in any parts, order and repetition, in two views, ends with the same books.

So do loose files whose months meet within a day, and uploads of one view or both.
"""

import random
from decimal import Decimal

import pytest

from costs import reconciliation
from costs.charges.bundles import Bundle
from costs.ingest.load import load_bill
from costs.ingest.receive import load_options, receive_bill, receive_bundle
from costs.models import CostLine, DeliveryMonth, Source
from tests import bills
from tests.costs.versions.test_streams import AZURE

pytestmark = pytest.mark.django_db


def a_month(chance):
    """{(export, view, period): its last version's rows (day, cost)}: two subscriptions in two views over two months."""
    return {
        (subscription, view, month): [
            (chance.randint(1, 28), chance.randint(1, 9999)) for _ in range(chance.randint(1, 4))
        ]
        for subscription in ("aaaa", "bbbb")
        for view in ("actual", "amortized")
        for month in (2, 3)
    }


def text_of(stream, rows):
    subscription, _view, month = stream
    lines = [
        f"861,{month:02}/01/2026,{month:02}/28/2026,{subscription},{month:02}/{day:02}/2026,Virtual Machines,"
        f"Microsoft.Compute,{Decimal(cost) / 100},EUR,Usage,OnDemand,/subscriptions/{subscription}/vm-1"
        for day, cost in rows
    ]
    return "\n".join([AZURE, *lines, ""]).encode()


def parts_of(chance, rows):
    """The rows cut into one to three files, in any order."""
    rows = chance.sample(rows, len(rows))
    cuts = sorted(chance.randint(0, len(rows)) for _ in range(chance.randint(0, 2)))
    pieces = [rows[start:end] for start, end in zip([0, *cuts], [*cuts, len(rows)], strict=True)]
    return [piece for piece in pieces if piece] or [rows]


@pytest.mark.parametrize("seed", range(6))
def test_any_parts_order_and_repetition_end_with_the_same_books(seed, tmp_path):
    chance = random.Random(seed)
    last = a_month(chance)
    source = Source.objects.create(name="azure")
    deliveries = []
    for stream, rows in last.items():
        older = [rows[: chance.randint(1, len(rows))] for _ in range(chance.randint(0, 2))]
        deliveries.append([*((stream, version) for version in older), (stream, rows)])
    # Streams come in any order between each other; the versions of one come as they were made, some of them twice.
    queue = []
    while any(deliveries):
        versions = chance.choice([versions for versions in deliveries if versions])
        queue.append(versions.pop(0))
    received = []
    for number, (stream, rows) in enumerate(queue):
        subscription, view, month = stream
        files = [
            bills.write(tmp_path, f"{number}-{n}.csv", text_of(stream, part))
            for n, part in enumerate(parts_of(chance, rows))
        ]
        bundle = Bundle(tuple(files), export=f"{subscription}/{view}", part=f"2026-{month:02}", format=f"azure-{view}")
        for _ in range(chance.choice([1, 1, 2])):
            receipt = receive_bundle(source, bundle, load_options(), is_accepted=True)
            received += [receipt.delivery] if receipt.is_new else []
    # Loads end in any order.
    for delivery in chance.sample(received, len(received)):
        load_bill(delivery)
    for metric, view in (("billed_cost", "actual"), ("effective_cost", "amortized")):
        expected = sum(cost for (_s, of_view, _m), rows in last.items() if of_view == view for _day, cost in rows)
        assert CostLine.objects.current().totals([metric]) == {"EUR": {metric: Decimal(expected) / 100}}
    assert DeliveryMonth.objects.current().count() == len(last)
    assert [check for check in reconciliation.reconcile() if not check.holds] == []


def any_queue(chance, streams):
    """[(stream, number of its version)]: two or three versions of each, in their order, streams in any order."""
    left = {stream: list(range(chance.randint(2, 3))) for stream in streams}
    queue = []
    while any(left.values()):
        stream = chance.choice([stream for stream, versions in left.items() if versions])
        queue.append((stream, left[stream].pop(0)))
    return queue


def load_in_any_order(chance, receipts):
    received = [receipt.delivery for receipt in receipts if receipt.is_new]
    for delivery in chance.sample(received, len(received)):
        load_bill(delivery)


@pytest.mark.parametrize("seed", range(3))
def test_files_of_months_that_meet_within_a_day_end_with_the_same_books(seed, tmp_path):
    chance = random.Random(seed)
    hour = chance.randint(1, 9)
    # Of each file: (account, billing month, moment). The file of August has the rest of July's invoice.
    rows = {
        ("july", account): [(account, 7, "07-03T00"), (account, 7, "07-31T05"), (account, 7, f"08-01T{hour - 1:02}")]
        for account in "ab"
    } | {
        ("august", account): [(account, 7, f"08-01T{hour:02}"), (account, 8, "08-01T12"), (account, 8, "08-30T00")]
        for account in "ab"
    }
    costs, receipts = {}, []
    for number, (file, _version) in enumerate(any_queue(chance, rows)):
        costs[file] = [Decimal(chance.randint(1, 9999)) / 100 for _ in rows[file]]
        charges = [
            {
                "BilledCost": str(cost),
                "SubAccountId": account,
                "BillingPeriodStart": f"2026-{month:02}-01T00:00:00Z",
                "ChargePeriodStart": f"2026-{moment}:00:00Z",
            }
            for (account, month, moment), cost in zip(rows[file], costs[file], strict=True)
        ]
        path = bills.write(tmp_path, f"{number}.csv", bills.focus_csv(charges))
        for _ in range(chance.choice([1, 1, 2])):
            receipts += receive_bill("gcp", [path], is_accepted=True)
    load_in_any_order(chance, receipts)
    totals = CostLine.objects.current().totals(["billed_cost"])
    assert totals == {"USD": {"billed_cost": sum(cost for amounts in costs.values() for cost in amounts)}}
    assert [check for check in reconciliation.reconcile() if not check.holds] == []


@pytest.mark.parametrize("seed", range(3))
def test_views_that_come_alone_or_together_end_with_the_same_books(seed, tmp_path):
    chance = random.Random(seed)
    uploads = [("actual",), ("amortized",), ("actual", "amortized")]
    last, receipts = {}, []
    for number, (views, _version) in enumerate(any_queue(chance, uploads)):
        paths = []
        for view in views:
            rows = [(day, chance.randint(1, 9999)) for day in (3, 9, 27)]
            last[view] = sum(cost for _day, cost in rows)
            text = text_of(("aaaa", view, 3), rows)
            # A reservation that was used stands in the amortized view alone.
            text = text.replace(b"OnDemand", b"Reservation") if view == "amortized" else text
            paths.append(bills.write(tmp_path, f"{number}-{view}.csv", text))
        receipts += receive_bill("azure", chance.sample(paths, len(paths)), is_accepted=True)
    load_in_any_order(chance, receipts)
    totals = CostLine.objects.current().totals(["billed_cost", "effective_cost"])
    expected = {"billed_cost": last["actual"], "effective_cost": last["amortized"]}
    assert totals == {"EUR": {metric: Decimal(cost) / 100 for metric, cost in expected.items()}}
    assert [check for check in reconciliation.reconcile() if not check.holds] == []

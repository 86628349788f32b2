"""Two people close the same month at the same moment; a bill arrives while a month is being closed."""

import threading
from collections.abc import Callable
from typing import Any

import pytest
from django.db import connection

from costs.ingest.load import load_bill
from costs.ingest.receive import receive_bill
from costs.models import Source
from tagging.chargeback import allocation, closing, draft_statements
from tagging.models import ChargebackPeriod, Statement, StatementLine
from tests import bills
from tests.people import person
from tests.shared_fixtures import shared
from tests.tagging.chargeback.helpers import MARCH, NOW, bill, company, drafts, split_support, usual

pytestmark = pytest.mark.django_db(transaction=True)


@shared
def march(tmp_path):
    person("fay")
    split_support(company())
    bill(tmp_path, usual())
    return drafts()[MARCH]


def at_once(*works: Callable[[], Any]) -> list[Any]:
    """Runs each in a thread of its own, all let go at the same moment; returns what they gave or raised."""
    gate, results = threading.Barrier(len(works)), [None] * len(works)

    def run(place: int, work: Callable[[], Any]) -> None:
        gate.wait()
        try:
            results[place] = work()
        except Exception as error:
            results[place] = error
        finally:
            connection.close()

    threads = [threading.Thread(target=run, args=[place, work]) for place, work in enumerate(works)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return results


def test_of_two_who_close_at_the_same_moment_one_does(march):
    fay = person("fay")

    def close():
        period = ChargebackPeriod.objects.get(pk=march.pk)
        return closing.close_month(period, fay, seen=march.fingerprint, now=NOW)

    results = at_once(close, close, close)
    assert sum(isinstance(result, closing.AlreadyClosed) for result in results) == 2
    (numbered,) = [result for result in results if isinstance(result, list)]
    assert [result.number for result in numbered] == ["2026-03-0001", "2026-03-0002"]
    assert Statement.objects.exclude(number=None).count() == 2


def test_a_bill_restated_while_the_month_is_closed_is_in_the_statements_or_in_corrections(march, tmp_path):
    fay = person("fay")
    path = bills.write(tmp_path, "newer.csv", bills.focus_csv(usual(payments="60.05", nobody="9")))
    (received,) = receive_bill("northwind", [path], is_accepted=True)

    def close():
        period = ChargebackPeriod.objects.get(pk=march.pk)
        return closing.close_month(period, fay, seen=march.fingerprint, now=NOW)

    closed, loaded = at_once(close, lambda: load_bill(received.delivery))
    assert loaded.status == "current", loaded
    drafts()
    period = ChargebackPeriod.objects.get(pk=march.pk)
    if isinstance(closed, closing.DraftOutdated):
        closing.close_month(period, fay, seen=period.fingerprint, now=NOW)
    draft_statements.refresh_stale_drafts(NOW)
    charged = sum(Statement.objects.values_list("total", flat=True))
    today = allocation.allocate_month(period.month).totals["USD"]["billed_cost"]
    assert charged + today.unowned + today.unallocated == today.bill


def test_a_bill_waits_until_the_month_is_closed(march, tmp_path):
    """The order that races leave to luck, forced: the bill is activated while closing holds the books."""
    fay = person("fay")
    path = bills.write(tmp_path, "newer.csv", bills.focus_csv(usual(payments="60.05")))
    (received,) = receive_bill("northwind", [path], is_accepted=True)
    holding, done = threading.Event(), []
    may_close = closing.check_can_close

    def slowly(*args):
        holding.set()
        loader.join(timeout=3)
        done.append(received.delivery.months.filter(is_current=True).exists())
        may_close(*args)

    def load():
        holding.wait()
        load_bill(received.delivery)
        connection.close()

    loader = threading.Thread(target=load)
    loader.start()
    closing.check_can_close = slowly
    try:
        closing.close_month(march, fay, seen=march.fingerprint, now=NOW)
    finally:
        closing.check_can_close = may_close
        loader.join()
    assert done == [False]
    drafts()
    correction = StatementLine.objects.get(key="correction:2026-03:direct:Amazon EC2")
    assert correction.corrects.number == "2026-03-0002"
    assert Source.objects.count() == 1

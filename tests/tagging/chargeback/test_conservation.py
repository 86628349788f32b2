"""Random bills under random rules and splits: direct + shared + unowned is the bill by currency and day, and so are
the statements."""

import os
from collections import defaultdict
from decimal import Decimal

import pytest
from django.db.models import Q, Sum
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from costs.calc.allocation_rules import OwnerRule
from costs.models import CostLine, DeliveryMonth, Pool
from finops_site.lib.money import EXACT, exact_sum
from tagging.chargeback import draft_statements, invariants
from tagging.chargeback.allocation import VIEWS
from tagging.models import Allocation, ChargebackPeriod, Metric, MetricValue, MonthTotal, Split, SplitPart, Statement
from tests.tagging.ownership.test_reallocation import data, load, payments, reown, some_charges, some_rules  # noqa: F401

# How each of three pools is split: its method, and whether it feeds the next one as well.
some_splits = st.lists(
    st.tuples(st.sampled_from(["", "even", "direct", "fixed", "metric"]), st.booleans()), min_size=3, max_size=3
)
settings_of_months = st.tuples(st.sampled_from(VIEWS), st.sampled_from(["used", "spread"]))
# Some usage is covered by a commitment, so that there are discounts to spread.
covered = st.booleans().map(
    lambda yes: {"CommitmentDiscountId": "sp-1", "CommitmentDiscountStatus": "Used"} if yes else {}
)


@settings(max_examples=10, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    charges=some_charges,
    commitments=st.lists(covered, min_size=25, max_size=25),
    rule_conditions=some_rules,
    how=some_splits,
    basis=settings_of_months,
)
@pytest.mark.django_db
def test_every_cent_is_direct_or_shared_or_unowned_whatever_the_rules_and_splits(
    tmp_path,
    payments,  # noqa: F811
    data,  # noqa: F811
    charges,
    commitments,
    rule_conditions,
    how,
    basis,
):
    _forget()
    pools = [Pool.objects.get_or_create(name=f"Pool {number}")[0] for number in range(3)]
    rows = [{**charge, **more} for charge, more in zip(charges, commitments, strict=False)]
    row = load(tmp_path, rows, source=f"s{os.urandom(6).hex()}")
    reown(row, _rules(rule_conditions, [payments, data], pools))
    _split(how, pools, payments, data)
    draft_statements.refresh_stale_drafts()
    ChargebackPeriod.objects.update(basis=basis[0], discounts=basis[1])
    draft_statements.refresh_stale_drafts()
    lines = CostLine.objects.filter(delivery_month=row)
    for view in VIEWS:
        direct, nobodys = (
            _by_day(lines.filter(~Q(owner=None)), view),
            _by_day(lines.filter(owner=None, pool=None), view),
        )
        taken = _by_day(Allocation.objects.filter(into=None).exclude(pool=None), view, "day")
        bill_by_day = _by_day(lines, view)
        for place, amount in bill_by_day.items():
            assert exact_sum(side.get(place, 0) for side in (direct, taken, nobodys)) == amount, (view, place)
        assert not {place for place, amount in taken.items() if amount} - bill_by_day.keys()
    _check_statements(lines, basis[0])
    assert [check for check in invariants.check_statements(None) if not check.holds] == []


def _forget():
    """The example before: hypothesis runs them all in one transaction."""
    for model in (Statement, MonthTotal, ChargebackPeriod, Allocation, Split, MetricValue):
        model.objects.all().delete()
    DeliveryMonth.objects.update(is_current=False)


def _rules(drawn, teams, pools):
    targets = [{"team": team.pk} for team in teams] + [{"team": None, "pool": pool.pk} for pool in pools]
    rules = []
    for number, conditions in enumerate(drawn):
        if "tag_value" in conditions and "tag_key" not in conditions:
            conditions = {**conditions, "tag_value": ""}
        rules.append(OwnerRule(label=f"rule {number}", **targets[-1 - number % len(targets)], **conditions))
    return rules


def _split(how, pools, one, other):
    metric, _ = Metric.objects.get_or_create(name="requests")
    for team, value in ((one, "1"), (other, "2.000001")):
        MetricValue.objects.create(metric=metric, team=team, day="2026-03-09", value=Decimal(value))
    for number, (method, feeds) in enumerate(how):
        if not method:
            continue
        split = Split.objects.create(pool=pools[number], method=method, metric=metric if method == "metric" else None)
        shares = iter(["33.333333", "33.333333", "33.333334"] if feeds and number < 2 else ["12.5", "87.5"])
        parts = [{"team": one}, {"team": other}]
        if feeds and number < 2 and method != "metric":
            parts.append({"into": pools[number + 1]})
        elif method == "fixed":
            shares = iter(["12.5", "87.5"])
        for part in parts:
            share = Decimal(next(shares)) if method == "fixed" else None
            SplitPart.objects.create(split=split, share=share, **part)


def _by_day(rows, view, day="charge_date"):
    sums = defaultdict(Decimal)
    for place in rows.order_by().values("currency", day).annotate(amount=Sum(view)):
        sums[place["currency"], place[day]] = place["amount"] or Decimal(0)
    return sums


def _check_statements(lines, view):
    bill = dict(lines.order_by().values_list("currency").annotate(Sum(view)))
    for total in MonthTotal.objects.all():
        assert exact_sum([total.direct, total.shared, total.unallocated, total.unowned]) == total.bill
        assert total.bill == bill.pop(total.currency)
        charged = exact_sum(Statement.objects.filter(currency=total.currency).values_list("total", flat=True))
        assert EXACT.add(charged, EXACT.add(total.unallocated, total.unowned)) == total.bill
    assert not any(bill.values())

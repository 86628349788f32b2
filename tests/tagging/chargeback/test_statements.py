"""Drafts follow the books; a closed month stays as it is, and what changes later is a correction that names it."""

from datetime import date
from decimal import Decimal

import pytest

from costs.ingest.withdraw import withdraw_delivery
from costs.models import DayRollup, Pool
from finops_site.celery import app
from finops_site.lib.periods import Month
from finops_site.models import Team
from tagging.calc import pool_splits
from tagging.calc.unit_costs import MetricEntry
from tagging.chargeback import allocation, closing, draft_statements, splits
from tagging.models import (
    Allocation,
    ChargebackPeriod,
    Metric,
    MetricValue,
    OwnershipRule,
    Split,
    Statement,
    StatementLine,
)
from tagging.unit_costs import business_metrics
from tests.shared_fixtures import shared
from tests.tagging.chargeback.helpers import (
    MARCH,
    NOW,
    bill,
    books,
    charge,
    company,
    drafts,
    split_support,
    totals,
    usual,
)

pytestmark = pytest.mark.django_db


@shared
def support(people):
    return company()


def close(period, user, **more):
    return closing.close_month(period, user, **{"seen": period.fingerprint, "now": NOW, **more})


def test_a_draft_says_direct_shared_and_unowned_and_they_are_the_bill(support, tmp_path):
    split_support(support)
    bill(tmp_path, usual())
    march = drafts()[MARCH]
    bill_sum, parts = books(march)
    assert bill_sum == parts == Decimal("187.100000000000000001")
    assert sum(totals(march).values()) == bill_sum - 7
    payments = Statement.objects.get(team__name="Payments")
    assert payments.number is None
    lines = {line.key: line for line in payments.lines.all()}
    assert lines["direct:Amazon EC2"].amount == Decimal("100.10")
    shared = lines[f"shared:{support.pk}"]
    assert shared.label == "Support"
    assert shared.formula == "direct cost 100.10 of 150.10 USD: 66.7%"


def test_the_days_of_a_pool_are_allocated_to_the_last_digit(support, tmp_path):
    split_support(support, "even")
    bill(tmp_path, [*usual(), charge("0.000000000000000003", "", "AWS Support", day="09")])
    drafts()
    for day in ("2026-03-01", "2026-03-09"):
        taken = sum(Allocation.objects.filter(day=day).values_list("billed_cost", flat=True))
        assert taken == sum(
            DayRollup.objects.filter(charge_date=day, pool=support).values_list("billed_cost", flat=True)
        )


def test_a_pool_without_a_split_is_visible_and_not_lost(support, tmp_path):
    bill(tmp_path, usual())
    march = drafts()[MARCH]
    assert march.totals.get().unallocated == Decimal("30.000000000000000001")
    assert march.problems == ["Support (USD): No split says who shares this pool: add one."]
    assert books(march)[0] == books(march)[1]


def test_a_draft_is_made_anew_only_where_something_changed(support, tmp_path):
    bill(tmp_path, [*usual(), *usual("2026-02")])
    drafts()
    assert draft_statements.refresh_stale_drafts(NOW) == []
    split_support(support, start=Month.parse(MARCH).start)
    assert draft_statements.refresh_stale_drafts(NOW) == [Month.parse(MARCH)]


def test_a_draft_asks_as_many_questions_for_many_teams_as_for_two(support, tmp_path, django_assert_max_num_queries):
    split_support(support)
    rows = usual()
    for number in range(30):
        team = Team.objects.create(name=f"Team {number}")
        OwnershipRule.objects.create(name=team.name, team=team, tag_key="Team", tag_value=team.name)
        rows.append(charge("1", team.name))
    bill(tmp_path, rows)
    with django_assert_max_num_queries(60):
        draft_statements.refresh_stale_drafts(NOW)
    assert Statement.objects.count() == 32


def test_the_usage_metric_splits_and_its_gaps_are_said(support, tmp_path):
    payments, data = Team.objects.get(name="Payments"), Team.objects.get(name="Data")
    requests = Metric.objects.create(name="requests")
    for day in ("2026-03-05", "2026-03-07"):
        MetricValue.objects.create(metric=requests, team=payments, day=day, value=Decimal(1))
        MetricValue.objects.create(metric=requests, team=data, day=day, value=Decimal(3))
    split_support(support, "metric", metric=requests)
    bill(tmp_path, usual(support="8"))
    march = drafts()[MARCH]
    shared = dict(Statement.objects.values_list("team__name", "shared"))
    assert shared == {"Payments": 2, "Data": 6}
    assert "requests has no value on 5 of 7 days (1 Mar 2026 to 4 Mar 2026, 6 Mar 2026)" in march.problems[0]


def test_a_metric_that_is_loaded_makes_the_drafts_anew_at_once(
    support, tmp_path, fay, django_capture_on_commit_callbacks
):
    requests = Metric.objects.create(name="requests")
    split_support(support, "metric", metric=requests)
    bill(tmp_path, usual(support="8"))
    drafts()
    app.conf.task_always_eager = True
    try:
        with django_capture_on_commit_callbacks(execute=True):
            value = MetricEntry(Team.objects.get(name="Payments").pk, date(2026, 3, 5), Decimal(1))
            business_metrics.save_values(requests, [value], user=fay, now=NOW)
    finally:
        app.conf.task_always_eager = False
    assert dict(Statement.objects.values_list("team__name", "shared")) == {"Payments": 8, "Data": 0}


def test_a_metric_without_a_value_leaves_the_pool_where_it_can_be_seen(support, tmp_path):
    split_support(support, "metric", metric=Metric.objects.create(name="requests"))
    bill(tmp_path, usual(support="8"))
    march = drafts()[MARCH]
    assert march.totals.get().unallocated == 8
    assert "load it" in march.problems[0]


def test_spread_discounts_reprice_covered_usage_and_change_no_sum(support, tmp_path):
    covered = {
        "CommitmentDiscountId": "sp-1",
        "CommitmentDiscountStatus": "Used",
        "PricingCategory": "Committed",
        "BilledCost": "0",
        "EffectiveCost": "60",
    }
    bill(tmp_path, [charge("100", "Payments", **covered), charge("300", "Data")])
    drafts()
    march = ChargebackPeriod.objects.get()
    ChargebackPeriod.objects.update(basis="effective_cost", discounts="spread")
    march = drafts()[MARCH]
    assert totals(march) == {"Payments": 90, "Data": 270}
    assert books(march)[0] == 360
    ChargebackPeriod.objects.update(discounts="used")
    assert totals(drafts()[MARCH]) == {"Payments": 60, "Data": 300}


def test_closing_freezes_numbers_and_writes_one_mail_for_each_lead(support, tmp_path, fay):
    split_support(support)
    bill(tmp_path, usual())
    march = drafts()[MARCH]
    before = totals(march)
    closed = close(march, fay)
    assert [statement.number for statement in closed] == ["2026-03-0001", "2026-03-0002"]
    assert march.closed_by == fay
    bill(tmp_path, usual(payments="200"), name="newer.csv")
    drafts()
    assert totals(ChargebackPeriod.objects.get(billing_month="2026-03-01")) == before


def test_a_month_is_closed_in_order_once_and_only_when_it_is_over(support, tmp_path, fay, max_):
    bill(tmp_path, [*usual("2026-02"), *usual(), *usual("2026-01")])
    periods = drafts()
    with pytest.raises(closing.CannotClose, match="is not over"):
        close(periods[MARCH], fay, now=NOW.replace(month=3))
    close(periods["2026-02"], fay)
    with pytest.raises(closing.AlreadyClosed, match="was closed by Fay"):
        close(periods["2026-02"], fay)
    close(drafts()[MARCH], fay)
    # A month before the first one closed is in nobody's way.
    close(drafts()["2026-01"], fay)
    assert set(Statement.objects.exclude(number=None).values_list("period__billing_month__month", flat=True)) == {
        1,
        2,
        3,
    }


def test_a_month_that_changed_since_it_was_looked_at_is_not_closed(support, tmp_path, fay):
    bill(tmp_path, usual())
    march = drafts()[MARCH]
    bill(tmp_path, usual(payments="1"), name="newer.csv")
    with pytest.raises(closing.DraftOutdated, match="Look at it again"):
        close(march, fay)
    assert not ChargebackPeriod.objects.get().is_closed


def test_a_bill_restated_after_closing_arrives_as_a_correction_that_names_the_statement(support, tmp_path, fay):
    split_support(support)
    bill(tmp_path, usual())
    close(drafts()[MARCH], fay)
    frozen = dict(Statement.objects.values_list("team__name", "total"))
    bill(tmp_path, usual(payments="60.05", nobody="9"), name="newer.csv")
    april = drafts()["2026-04"]
    lines = StatementLine.objects.filter(statement__period=april)
    direct = lines.get(key="correction:2026-03:direct:Amazon EC2")
    assert direct.amount == Decimal("-40.05")
    assert direct.corrects.number == "2026-03-0002"
    assert direct.formula == "corrects statement 2026-03-0002: 100.10 → 60.05 USD"
    corrections = totals(april)
    charged = {name: frozen[name] + corrections[name] for name in frozen}
    today = allocation.allocate_month(Month.parse(MARCH)).totals["USD"]["billed_cost"]
    assert sum(charged.values()) + today.unowned == today.bill == Decimal("149.050000000000000001")


def test_a_correction_that_was_closed_is_not_booked_again_and_is_taken_back_when_the_bill_is(support, tmp_path, fay):
    split_support(support)
    first = usual()
    bill(tmp_path, [*first, *usual("2026-04")])
    close(drafts()[MARCH], fay)
    bill(tmp_path, [*usual(payments="60.10"), *usual("2026-04")], name="newer.csv")
    close(drafts()["2026-04"], fay, now=NOW.replace(month=5))
    key = "correction:2026-03:direct:Amazon EC2"
    may = drafts()["2026-05"]
    assert not StatementLine.objects.filter(statement__period=may).exists()
    bill(tmp_path, [*first, *usual("2026-04")], name="as-it-was.csv")
    drafts()
    booked = StatementLine.objects.filter(key=key).order_by("statement__period__billing_month")
    assert [line.amount for line in booked] == [-40, 40]


def test_a_withdrawn_bill_is_taken_back_from_everybody(support, tmp_path, fay):
    delivery = bill(tmp_path, usual(support="0"))
    close(drafts()[MARCH], fay)
    withdraw_delivery(delivery)
    assert totals(drafts()["2026-04"]) == {"Payments": Decimal("-100.10"), "Data": -50}


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"method": "even"}, "is closed and was split by it"),
        ({"start": "2026-03"}, "is closed: begin and end splits after"),
        ({"end": "2026-03"}, "is closed: begin and end splits after"),
    ],
)
def test_the_split_of_a_closed_month_is_ended_and_not_changed(support, tmp_path, fay, change, says):
    split = split_support(support, start=Month.parse("2026-02").start)
    bill(tmp_path, [*usual(), *usual("2026-02")])
    close(drafts()["2026-02"], fay)
    close(drafts()[MARCH], fay)
    for name, value in change.items():
        setattr(split, name, Month.parse(value).start if name != "method" else value)
    with pytest.raises(pool_splits.BadSplit, match=says):
        splits.save_split(split, {})
    split.refresh_from_db()
    split.end = Month.parse("2026-04").start
    splits.save_split(split, {})
    splits.save_split(Split(pool=support, method="even", start=split.end), {})


def test_splits_of_one_pool_do_not_overlap_and_pools_feed_in_no_circle(support):
    march = Month.parse(MARCH)
    tax = Pool.objects.create(name="Tax")
    split_support(support, "even", {pool_splits.pool(tax.pk): None}, end=march.start)
    with pytest.raises(pool_splits.BadSplit, match="Support is split already from the beginning until 2026-03"):
        split_support(support, start=march.previous.start)
    with pytest.raises(pool_splits.CircleOfPools, match=r"Support → Tax → Support|Tax → Support → Tax"):
        splits.save_split(Split(pool=tax, method="even", end=march.start), {pool_splits.pool(support.pk): None})
    # In months in which they do not hold together there is no circle.
    splits.save_split(Split(pool=tax, method="even", start=march.start), {pool_splits.pool(support.pk): None})
    with pytest.raises(pool_splits.BadSplit, match="make 90%"):
        split_support(support, "fixed", {pool_splits.team(Team.objects.first().pk): Decimal(90)}, start=march.start)


def test_a_preview_shows_who_would_pay_what_and_changes_nothing(support, tmp_path):
    split = split_support(support)
    bill(tmp_path, usual(support="30", payments="100"))
    march = drafts()[MARCH]
    split.method = "even"
    moved, _ = splits.preview_split(split, {}, march)
    assert {change.team: (change.before, change.after) for change in moved} == {"Payments": (20, 15), "Data": (10, 15)}
    assert Split.objects.get().method == "direct"
    assert drafts()[MARCH].fingerprint == march.fingerprint

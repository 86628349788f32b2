"""The savings ledger from real bills: what was approved in March, and what April's bill proves of it.

On paper: a machine costs 2.40 a day on demand and 1.20 under the reservation, so that 1.20 a day are promised from the
21st of March on. Before it 9.60 a day ran on demand, which is what could be covered.
"""

import csv
import io
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from costs import reconciliation
from costs.ingest.load import load_bill
from costs.ingest.receive import receive_bill
from costs.models import DeliveryMonth
from costs.signals import announce_changes
from finops_site.celery import app
from finops_site.lib.periods import Month
from finops_site.models import Team
from finops_site.reports import monthly_report
from reservations import kpis, nightly, tasks
from reservations.calc import realised_savings
from reservations.models import LedgerMonth, Plan, PurchaseRequest, Rate, Utilisation
from reservations.purchases import approvals, buying, demand_and_prices, purchase_requests
from reservations.savings import ledger
from tests import bills
from tests.shared_fixtures import shared

pytestmark = pytest.mark.django_db
NOW = datetime(2026, 3, 21, 12, tzinfo=UTC)
TODAY = date(2026, 5, 1)
POOL = "m5.large Linux in us-east-1"
RATE = {"provider": "AWS", "region": "us-east-1", "instance_type": "m5.large", "source": "list"}
ARN = "arn:aws:ec2:us-east-1:1:reserved-instances/{}"


def on_demand(day, cost, **changes):
    """A day of machines that nothing covers, at 0.10 an hour."""
    return {
        "ChargePeriodStart": f"{day}T00:00:00Z",
        "ChargePeriodEnd": f"{day + timedelta(days=1)}T00:00:00Z",
        "ChargeDescription": "On Demand Linux m5.large Instance Hour",
        "SkuPriceDetails": '{"InstanceType": "m5.large"}',
        "ConsumedQuantity": str(Decimal(cost) * 10),
        **{name: str(cost) for name in ("BilledCost", "EffectiveCost", "ListCost", "ContractedCost")},
        **changes,
    }


def reserved(day, name="ri-77", used=24, idle=0, rate="0.05", price="0.10"):
    """A day of a reservation: hours used, and hours that stand idle, at `rate`; on demand they cost `price`."""
    common = {
        "CommitmentDiscountId": ARN.format(name),
        "CommitmentDiscountType": "Reserved Instance",
        "CommitmentDiscountUnit": "Hours",
        "PricingCategory": "Committed",
        "BilledCost": "0",
    }
    rows = []
    for status, hours, listed in (("Used", used, Decimal(price) * used), ("Unused", idle, 0)):
        amounts = {"EffectiveCost": str(Decimal(rate) * hours), "ListCost": str(listed), "ContractedCost": "0"}
        fields = {"CommitmentDiscountStatus": status, "CommitmentDiscountQuantity": str(hours), **amounts}
        more = {"ConsumedQuantity": str(hours) if status == "Used" else ""}
        rows += [on_demand(day, 0, **common, **fields, **more)] if hours else []
    return rows


def load(folder, month, rows, name="northwind"):
    period = {"BillingPeriodStart": f"{month}-01T00:00:00Z", "BillingPeriodEnd": f"{month.next}-01T00:00:00Z"}
    content = bills.focus_csv(rows, **period)
    (received,) = receive_bill(name, [bills.write(folder, f"{month}-{len(rows)}.csv", content)], is_accepted=True)
    delivery = load_bill(received.delivery)
    assert delivery.status == "current", delivery.message
    tasks.refresh_months([str(month)])


@pytest.fixture
def celery_eager():
    app.conf.task_always_eager = True
    yield
    app.conf.task_always_eager = False


MARCH, APRIL = Month(2026, 3), Month(2026, 4)


@shared
def item(people, tmp_path):
    """Twenty days of March, and the purchase that was worked out from them: two machines, one by one."""
    load(tmp_path, MARCH, [on_demand(date(2026, 3, day), "9.6") for day in range(1, 21)])
    Rate.objects.create(kind="on_demand", hourly=Decimal("0.1"), day=date(2026, 1, 1), **RATE)
    Rate.objects.create(
        kind="ri_standard", hourly=Decimal("0.05"), term_months=12, payment="none", day=date(2026, 1, 1), **RATE
    )
    working = {"pools": [{"pool": POOL}]}
    plan = Plan.objects.create(as_of=NOW.date(), state="ready", created_at=NOW, working=working)
    steps = [{"buy_on": "2026-03-21", "quantity": "1"}, {"buy_on": "2026-04-21", "quantity": "1"}]
    fields = {"provider": "AWS", "kind": "ri_standard", "term_months": 12, "payment": "none", "region": "us-east-1"}
    fields |= {"instance_type": "m5.large", "system": "Linux", "quantity": 2, "unit": "machines", "hourly": "0.1"}
    fields |= {"upfront": 0, "monthly": 73, "on_demand_cost": 1752, "committed_cost": 876, "utilisation": 1}
    row = plan.items.create(
        position=1, rate_source="list", rate_day=date(2026, 1, 1), working={"ladder": steps}, **fields
    )
    row.refresh_from_db()
    return row


def approve(item, eli, fay, batch=1):
    row = purchase_requests.request_purchase(item, user=eli, batch=batch, comment="It runs all the time.", now=NOW)
    return approvals.approve_purchase(row.pk, user=fay, comment="Go", now=NOW)


def buy(item, eli, fay, batch=1, reference="ri-77"):
    row = approve(item, eli, fay, batch)
    buying.export_purchase(row.pk, user=fay, now=NOW)
    return buying.record_purchase(row.pk, reference=reference, user=fay, now=NOW)


def april(*rows_of_a_day):
    """Thirty days, each with the rows that the functions make of it."""
    return [row for n in range(30) for make in rows_of_a_day for row in _rows(make(date(2026, 4, 1 + n)))]


def _rows(made):
    return made if isinstance(made, list) else [made]


def line(month=APRIL, **of):
    return LedgerMonth.objects.get(month=month.start, **of)


def amounts(row):
    return tuple(getattr(row, name) for name in ("promised", "realised", *realised_savings.REASONS))


def test_a_purchase_that_is_used_as_expected_saves_what_was_promised(item, eli, fay, tmp_path):
    row = buy(item, eli, fay)
    load(tmp_path, APRIL, april(reserved, lambda day: on_demand(day, "7.2")))
    row.refresh_from_db()
    assert row.state == "seen"
    # Approved on the 21st: 11 days of March were promised, and no bill shows it there. April is as promised.
    assert amounts(line(MARCH)) == (Decimal("13.2"), 0, Decimal("13.2"), 0, 0, 0, 0)
    assert amounts(line()) == (36, 36, 0, 0, 0, 0, 0)
    assert (line().on_demand, line().paid, line().days) == (72, 36, 30)


def test_idle_hours_are_split_into_what_demand_lost_and_what_was_not_used(item, eli, fay, tmp_path):
    buy(item, eli, fay)
    # 1.80 + 6.84 = 8.64 a day can be covered, a tenth less than 9.60; of 24 hours 18 are used.
    load(tmp_path, APRIL, april(lambda day: reserved(day, used=18, idle=6), lambda day: on_demand(day, "6.84")))
    # 30 x (1.80 - 1.20) = 18; a quarter of 72 was not covered: a tenth of it by demand.
    assert amounts(line()) == (36, 18, 0, Decimal("1.8"), Decimal("16.2"), 0, 0)
    assert line().reason == "utilisation"


def test_machines_that_became_cheaper_on_demand_are_a_reason_of_their_own(item, eli, fay, tmp_path):
    buy(item, eli, fay)
    load(tmp_path, APRIL, april(lambda day: reserved(day, price="0.09"), lambda day: on_demand(day, "7.44")))
    assert amounts(line()) == (36, Decimal("28.8"), 0, 0, 0, 0, Decimal("7.2"))
    assert line().reason == "price"


def test_two_purchases_do_not_count_the_same_hour_twice(item, eli, fay, tmp_path):
    one, other = buy(item, eli, fay), buy(item, eli, fay, batch=2, reference="ri-78")
    # Both could have covered any of the machines; each charge of the bill names one.
    load(
        tmp_path,
        APRIL,
        april(
            reserved,
            lambda day: reserved(day, "ri-78", used=12, idle=12),
            lambda day: on_demand(day, "6"),
        ),
    )
    assert line(request=one).realised == 36
    assert line(request=other).realised == 30 * (Decimal("1.2") - Decimal("1.2"))
    (year,) = ledger.sum_lines(LedgerMonth.objects.filter(month=APRIL.start))
    # What the company saved: on demand (2.40 + 1.20) less what it paid for both (1.20 + 1.20), thirty times.
    assert year["realised"] == 30 * (Decimal("3.6") - Decimal("2.4"))
    assert all(check.holds for check in ledger.ledger_checks(None))


def test_an_older_commitment_that_stands_idle_for_it_is_charged_to_it(item, eli, fay, tmp_path):
    before = [row for day in range(1, 21) for row in reserved(date(2026, 3, day), "old")]
    load(tmp_path, MARCH, [*[on_demand(date(2026, 3, day), "7.2") for day in range(1, 21)], *before])
    buy(item, eli, fay)
    load(
        tmp_path,
        APRIL,
        april(reserved, lambda day: reserved(day, "old", used=16, idle=8), lambda day: on_demand(day, "5.6")),
    )
    # 30 x 8 x 0.05 = 12 more stand idle than before.
    assert amounts(line()) == (36, 24, 0, 0, 0, 12, 0)
    assert line().reason == "displaced"


def test_what_an_older_commitment_loses_for_another_reason_is_not_all_charged_to_it(item, eli, fay, tmp_path):
    before = [row for day in range(1, 21) for row in reserved(date(2026, 3, day), "old", used=2400)]
    load(tmp_path, MARCH, [*[on_demand(date(2026, 3, day), "7.2") for day in range(1, 21)], *before])
    buy(item, eli, fay)
    load(tmp_path, APRIL, april(reserved, lambda day: reserved(day, "old", used=0, idle=2400)))
    # 3,600 stand idle, but the purchase covered 72 and can have taken no more.
    assert line().displaced == 72


def test_a_restated_bill_makes_the_ledger_anew(item, eli, fay, tmp_path):
    buy(item, eli, fay)
    load(tmp_path, APRIL, april(reserved, lambda day: on_demand(day, "7.2")))
    assert line().realised == 36
    total = april(lambda day: reserved(day, used=12, idle=12), lambda day: on_demand(day, "8.4"))
    load(tmp_path, APRIL, total)
    assert (line().realised, line().utilisation) == (0, 36)
    assert LedgerMonth.objects.count() == 2


def test_made_again_from_the_same_bills_it_is_the_same(item, eli, fay, tmp_path):
    buy(item, eli, fay)
    load(tmp_path, APRIL, april(reserved, lambda day: on_demand(day, "7.2")))
    before = [amounts(row) for row in LedgerMonth.objects.order_by("month")]
    assert ledger.refresh_ledger(TODAY) == ledger.refresh_ledger(TODAY) == 2
    assert [amounts(row) for row in LedgerMonth.objects.order_by("month")] == before


def test_a_saving_is_not_promised_for_days_that_nobody_has_billed(item, eli, fay, tmp_path):
    buy(item, eli, fay)
    load(tmp_path, APRIL, april(reserved, lambda day: on_demand(day, "7.2"))[:20])
    # Ten days, each with a reservation and what runs beside it.
    assert amounts(line()) == (12, 12, 0, 0, 0, 0, 0)


def test_what_was_approved_and_never_bought_is_a_promise_that_is_missing(item, eli, fay, tmp_path):
    approve(item, eli, fay)
    load(tmp_path, APRIL, april(lambda day: on_demand(day, "9.6")))
    assert amounts(line()) == (36, 0, 36, 0, 0, 0, 0)
    assert line().reason == "timing"


def test_what_was_taken_back_is_in_no_line(item, eli, fay, tmp_path):
    row = approve(item, eli, fay)
    load(tmp_path, APRIL, april(lambda day: on_demand(day, "9.6")))
    approvals.withdraw_purchase(row.pk, user=eli, comment="", now=NOW)
    assert ledger.refresh_ledger(TODAY) == 0


def test_a_term_is_promised_once_to_the_day(item, eli, fay, tmp_path):
    row = buy(item, eli, fay)
    load(tmp_path, Month(2027, 5), [on_demand(date(2027, 5, 31), "9.6")])
    ledger.refresh_ledger(date(2027, 6, 1))
    (sums,) = LedgerMonth.objects.filter(request=row).sums()
    # 365 days of 1.20, from the 21st of March to the 20th of March a year later.
    assert sums["promised_sum"] == 438
    assert line(Month(2027, 3)).promised == 20 * Decimal("1.2")
    assert not LedgerMonth.objects.filter(month__gt=date(2027, 3, 1)).exists()


def test_a_bill_without_list_prices_proves_nothing(item, eli, fay, tmp_path):
    buy(item, eli, fay)
    silent = [row | {"ListCost": ""} for row in april(reserved)]
    load(tmp_path, APRIL, [*silent, *april(lambda day: on_demand(day, "7.2"))])
    assert Utilisation.objects.filter(on_demand=None).count() == 30
    assert (line().days, line().realised, line().timing) == (0, 0, 36)


def test_what_could_be_covered_is_asked_as_when_it_was_approved(item, eli, fay, tmp_path):
    row = buy(item, eli, fay)
    load(tmp_path, APRIL, april(reserved, lambda day: on_demand(day, "7.2")))
    demand = ledger._Bills([row], TODAY).demand(row, APRIL)
    assert demand == demand_and_prices.demand_a_day(row, APRIL.period)[1] == Decimal("9.6")
    assert Decimal(row.baseline["demand"]) == Decimal("9.6")


def test_many_purchases_ask_as_many_questions_as_one(item, eli, fay, tmp_path):
    row = buy(item, eli, fay)
    load(tmp_path, APRIL, april(reserved, lambda day: on_demand(day, "7.2")))
    with CaptureQueriesContext(connection) as few:
        ledger.refresh_ledger(TODAY)
    for number in range(20):
        copy = PurchaseRequest.objects.get(pk=row.pk)
        copy.pk, copy.commitment, copy.batch, copy.token = None, None, 10 + number, f"{number:032x}"
        copy.save()
    with CaptureQueriesContext(connection) as many:
        assert ledger.refresh_ledger(TODAY) == 42
    assert len(many) == len(few)


@shared
def bought(item, eli, fay, tmp_path):
    """Bought for everybody, used to three quarters, with a tenth less demand."""
    row = buy(item, eli, fay)
    load(tmp_path, APRIL, april(lambda day: reserved(day, used=18, idle=6), lambda day: on_demand(day, "6.84")))
    return row


def test_the_sum_of_the_ledger_is_the_figure_the_report_the_page_and_the_api(bought, max_, client_of):
    summed = sum(row.realised for row in LedgerMonth.objects.all())
    assert summed == 18
    measure = kpis.savings_kpi(max_, TODAY)
    assert (measure.value, measure.target, measure.currency, measure.met) == (summed, 150_000, "USD", False)
    report = monthly_report.make_report(max_, APRIL, TODAY)
    (gate,) = [gate for gate in report.gates if gate.label == "Savings realised"]
    assert (gate.value, gate.verdict) == ("18.00 USD", "Target at least 150,000.00 USD: not met")
    (part,) = [part for part in report.parts if part.name == "savings"]
    assert "In twelve months commitments saved 18.00 USD, of 49.20 USD promised" in part.text[0]
    assert [cell.get("amount") for cell in part.tables[0]["totals"][0]] == [None, Decimal("49.2"), 18, Decimal("31.2")]
    (year,) = client_of(max_).get("/api/v1/savings/year/").json()
    assert Decimal(year["realised"]) == summed
    page = client_of(max_).get(reverse("reservations:savings")).content.decode()
    assert "18.00 <span" in page
    assert "31.20 USD less than promised: 16.20 less because less of it was used than was expected" in page
    assert page.count("% of what was promised") == 1
    assert "of what was promised of" not in page


def test_the_report_of_a_month_knows_nothing_of_later_ones(bought, max_):
    assert kpis.savings_kpi(max_, date(2026, 3, 31)).value == 0
    assert (
        monthly_report.make_report(max_, Month(2026, 2), TODAY).parts
        == monthly_report.make_report(max_, Month(2026, 2), TODAY).parts
    )
    names = [part.name for part in monthly_report.make_report(max_, Month(2026, 2), TODAY).parts]
    assert "savings" not in names


def test_the_books_prove_the_ledger_and_notice_a_line_that_was_touched(bought):
    assert all(check.holds for check in reconciliation.reconcile() if "saving" in check.invariant)
    assert len([check for check in reconciliation.reconcile(APRIL) if "saving" in check.invariant]) == 3
    LedgerMonth.objects.filter(month=APRIL.start).update(realised=19)
    broken = {check.invariant for check in ledger.ledger_checks(None) if not check.holds}
    assert broken == {
        "savings promised - realised = the sum of the reasons",
        "savings realised = on demand - paid - displaced",
    }
    LedgerMonth.objects.filter(month=APRIL.start).update(realised=18, on_demand=55, paid=37)
    (check,) = [check for check in ledger.ledger_checks(APRIL) if not check.holds]
    assert check.left == "on_demand 55, paid 37"
    assert check.right == "on_demand 54, paid 36"


def test_the_night_makes_it_anew_and_says_that_it_adds_up(bought):
    LedgerMonth.objects.update(realised=0)
    assert nightly.check_savings_ledger(TODAY) == "2 lines of the savings ledger, 6 equations hold."
    assert line().realised == 18


def test_a_changed_bill_hands_the_work_to_celery(bought, celery_eager):
    LedgerMonth.objects.all().delete()
    announce_changes(list(DeliveryMonth.objects.current()))
    assert line().realised == 18


def test_whoever_saved_nothing_yet_is_told_what_to_do(people, fay, client_of):
    page = client_of(fay).get(reverse("reservations:savings")).content.decode()
    assert "Nothing has been approved yet" in page
    assert reverse("reservations:recommendations") in page
    assert kpis.savings_kpi(fay, TODAY) is None


def test_what_is_approved_waits_for_a_bill(item, eli, fay, client_of):
    row = approve(item, eli, fay)
    assert "No bill shows it yet" in client_of(fay).get(reverse("reservations:savings")).content.decode()
    # April's bill is late: what it would show nobody knows.
    assert kpis.savings_kpi(fay, TODAY).value is None
    page = client_of(fay).get(reverse("reservations:saved", args=[row.pk])).content.decode()
    assert "No bill has a day after its approval yet" in page


def test_a_purchase_opens_to_its_months_its_promise_and_its_cost_lines(bought, fay, client_of):
    page = client_of(fay).get(reverse("reservations:saved", args=[bought.pk])).content.decode()
    assert "1.20 USD" in page
    assert "/costs/lines/?commitment=arn%3Aaws%3Aec2" in page
    assert "from=2026-04-01&amp;to=2026-04-30" in page


def test_the_csv_has_every_amount_of_the_equation(bought, fay, client_of):
    url = reverse("reservations:savings")
    text = b"".join(client_of(fay).get(f"{url}?_export=csv").streaming_content).decode("utf-8-sig")
    (row,) = [row for row in csv.DictReader(io.StringIO(text)) if row["Month"] == "2026-04"]
    missing = sum(Decimal(row[name]) for name in row if name.startswith("Missing") or name == "Older ones idle")
    assert Decimal(row["Promised"]) - Decimal(row["Realised"]) == missing == 18


def test_a_lead_sees_the_purchases_of_her_teams_only(bought, lea, ola, client_of):
    PurchaseRequest.objects.update(team=Team.objects.get(name="Payments"))
    url = reverse("reservations:saved", args=[bought.pk])
    assert [client_of(user).get(url).status_code for user in (lea, ola)] == [200, 404]
    results = {user.email: client_of(user).get("/api/v1/savings/").json()["results"] for user in (lea, ola)}
    assert [row["month"] for row in results["lea@demo.example"]] == ["2026-04", "2026-03"]
    assert results["ola@demo.example"] == []
    # The aim is the company's, not hers.
    assert kpis.savings_kpi(lea, TODAY).target is None
    assert kpis.savings_kpi(ola, TODAY) is None


def test_the_api_filters_by_month_and_refuses_what_is_none(bought, fay, client_of):
    browser = client_of(fay)
    (row,) = browser.get("/api/v1/savings/", {"from": "2026-04", "to": "2026-04"}).json()["results"]
    assert (row["realised"], row["commitment"], row["purchase"]) == ("18", ARN.format("ri-77"), bought.pk)
    assert browser.get("/api/v1/savings/", {"from": "April"}).status_code == 400

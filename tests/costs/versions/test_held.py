"""A bill that is not whole, judged by the one it would replace, waits for finance; any version can be counted again."""

from datetime import UTC, date, datetime
from decimal import Decimal

import pytest
from django.test import Client
from django.urls import reverse

from costs import reconciliation
from costs.calc.wholeness import CostComparison, Limits, Versions, reasons_to_hold, usual_limits
from costs.ingest.load import load_bill
from costs.ingest.receive import receive_bill
from costs.ingest.withdraw import count_again, withdraw_delivery
from costs.models import CostLine, Delivery, Stream
from finops_site.models import AuditEntry, OutgoingEmail
from tests import bills
from tests.people import signed_in, token_of, waiting_for

LIMITS = Limits(Decimal("0.1"), Decimal("0.5"))


def compared(kind, name, before, after):
    return CostComparison(kind, name, "USD", before if before is None else Decimal(before), after and Decimal(after))


def versions(*rows, **facts):
    return Versions(
        **{
            "compared": rows,
            "last_day_before": date(2026, 3, 20),
            "last_day": date(2026, 3, 31),
            "rows_read": 100,
            "rows_rejected": 0,
            "rejected_share_before": Decimal(0),
            **facts,
        }
    )


@pytest.fixture
def load_months(tmp_path):
    """Loads a file with charges of (month of 2026, cost)."""

    def load(name, *months):
        text = bills.focus_csv(
            {
                "BilledCost": cost,
                "BillingPeriodStart": f"2026-0{month}-01T00:00:00Z",
                "ChargePeriodStart": f"2026-0{month}-05T00:00:00Z",
            }
            for month, cost in months
        )
        (receipt,) = receive_bill("northwind", [bills.write(tmp_path, name, text)])
        return load_bill(receipt.delivery)

    return load


class TestRule:
    def test_a_version_that_goes_on_growing_is_whole(self):
        assert reasons_to_hold(versions(compared("total", "", 100, 101)), LIMITS) == []

    @pytest.mark.parametrize(
        ("after", "words"),
        [
            (89, "Cost on the same days goes from 100.00 to 89.00 USD (-11.0%; 10.0% down is usual)."),
            (151, "Cost on the same days goes from 100.00 to 151.00 USD (+51.0%; 50.0% up is usual)."),
            (None, "Cost on the same days goes from 100.00 to 0.00 USD (-100.0%; 10.0% down is usual)."),
        ],
    )
    def test_a_total_outside_the_limits_holds(self, after, words):
        assert reasons_to_hold(versions(compared("total", "", 100, after)), LIMITS) == [words]

    @pytest.mark.parametrize("after", [90, 100, 150])
    def test_a_total_at_the_limit_does_not(self, after):
        assert reasons_to_hold(versions(compared("total", "", 100, after)), LIMITS) == []

    def test_an_account_that_vanishes_holds_and_a_crumb_does_not(self):
        total = compared("total", "", 100, 98)
        gone, crumb = compared("account", "42", 2, None), compared("account", "43", "0.5", None)
        assert reasons_to_hold(versions(total, gone, crumb), LIMITS) == ["Accounts without any charge: 42 (2.00 USD)."]
        assert reasons_to_hold(versions(total, crumb), LIMITS) == []

    def test_days_missing_at_the_end_and_rows_not_read_hold(self):
        total = compared("total", "", 100, 100)
        assert reasons_to_hold(versions(total, last_day=date(2026, 3, 19)), LIMITS) == [
            "It ends on 19 Mar 2026; the version that counts goes on until 20 Mar 2026."
        ]
        assert reasons_to_hold(versions(total, rows_rejected=2), LIMITS) == ["2 of 100 rows could not be read."]
        share = {"rows_rejected": 2, "rejected_share_before": Decimal("0.02")}
        assert reasons_to_hold(versions(total, **share), LIMITS) == [], "no worse than before"

    def test_a_manifest_that_states_more_rows_holds(self):
        assert reasons_to_hold(versions(expected_rows=140), LIMITS) == [
            "The manifest states 140 rows, and 100 are here."
        ]

    def test_a_calm_stream_is_held_sooner_and_a_lively_one_later(self):
        assert usual_limits([Decimal("0.5")] * 4, LIMITS) == LIMITS, "too few to learn from"
        assert usual_limits([Decimal("0.001")] * 9, LIMITS) == Limits(Decimal("0.02"), Decimal("0.5"))
        assert usual_limits([Decimal("-0.2"), Decimal("0.2")] * 5, LIMITS) == Limits(Decimal("0.6"), Decimal("0.6"))


def rows(*costs, days=1):
    """A row for each cost: one account and service each, and `days` days of them."""
    return [
        {
            "BilledCost": str(cost),
            "SubAccountId": f"account {number}",
            "ChargePeriodStart": f"2026-03-{day:02}T00:00:00Z",
        }
        for number, cost in enumerate(costs)
        for day in range(1, days + 1)
    ]


@pytest.fixture
def deliver(tmp_path, people):
    def deliver(*costs, days=1, **options):
        path = bills.write(tmp_path, "bill.csv", bills.focus_csv(rows(*costs, days=days)))
        (receipt,) = receive_bill("northwind", [path], **options)
        return load_bill(receipt.delivery)

    return deliver


def billed():
    return CostLine.objects.current().totals(["billed_cost"]).get("USD", {}).get("billed_cost")


def load_queued():
    """What the workers do after the commit."""
    for delivery in Delivery.objects.filter(status=Delivery.Status.RECEIVED):
        load_bill(delivery)


def api_of(user):
    return Client(headers={"Authorization": f"Token {token_of(user)}"})


def assert_green():
    assert [check for check in reconciliation.reconcile() if not check.holds] == []


@pytest.mark.django_db
class TestHeld:
    def test_ten_thousand_does_not_become_five_hundred_without_a_question(self, deliver):
        deliver(9500, 500)
        held = deliver(0, 500)
        assert (held.status, billed()) == ("held", 10_000)
        assert held.held_because == [
            "Mar 2026: Cost on the same days goes from 10,000.00 to 500.00 USD (-95.0%; 10.0% down is usual)."
        ]
        assert_green()

    def test_finance_is_mailed_once_and_asked_on_home(self, deliver, people):
        deliver(9500, 500)
        held = deliver(500)
        assert OutgoingEmail.objects.filter(subject="A bill is held: northwind does not look whole").count() == 1
        mail = OutgoingEmail.objects.get(subject__startswith="A bill is held")
        assert mail.to == "fay@demo.example"
        assert waiting_for(people["fay"]) == [f"A bill is held, for it is not whole: northwind #{held.pk}"]
        # A newer one that is held too takes its place, without a second mail.
        newer = deliver(501)
        held.refresh_from_db()
        assert (held.status, newer.status, billed()) == ("superseded", "held", 10_000)
        assert OutgoingEmail.objects.filter(subject__startswith="A bill is held").count() == 1
        assert [waiting_for(people[name]) for name in ("ada", "lea", "max")] == [[], [], []]

    def test_first_deliveries_and_a_growing_month_are_never_held(self, deliver):
        assert deliver(1).status == "current"
        assert deliver(1, days=2).status == "current"
        assert deliver(1, days=31).status == "current"
        assert billed() == 31

    def test_an_account_that_vanishes_is_held_and_the_one_that_comes_is_not(self, deliver):
        deliver(95, 5)
        assert deliver(95, 5, 30).status == "current"
        held = deliver(95, 5)
        assert held.held_because == [
            "Mar 2026: Accounts without any charge: account 2 (30.00 USD).",
            "Mar 2026: Cost on the same days goes from 130.00 to 100.00 USD (-23.1%; 10.0% down is usual).",
        ]

    def test_fay_accepts_and_it_counts(self, deliver, people):
        deliver(9500, 500)
        held = deliver(300)
        fay = signed_in(people["fay"])
        page = fay.get(reverse("costs:delivery", args=[held.pk])).content.decode()
        assert "This bill is held" in page
        assert "What this bill would" in page
        fay.post(reverse("costs:delivery_decide", args=[held.pk]), {"decision": "accept"})
        load_queued()
        held.refresh_from_db()
        assert (held.status, billed(), held.decided_by) == ("current", 300, people["fay"])
        assert AuditEntry.objects.about(held).filter(actor=people["fay"]).exists()
        assert_green()

    def test_fay_rejects_and_may_count_it_later_all_the_same(self, deliver, people):
        good = deliver(9500, 500)
        held = deliver(300)
        fay, decide = signed_in(people["fay"]), reverse("costs:delivery_decide", args=[held.pk])
        fay.post(decide, {"decision": "reject"})
        held.refresh_from_db()
        assert (held.status, billed()) == ("rejected", 10_000)
        fay.post(decide, {"decision": "again"})
        load_queued()
        good.refresh_from_db()
        assert (billed(), good.status) == (300, "superseded")
        assert_green()

    def test_fay_accepts_always_and_the_stream_is_never_held_again(self, deliver, people):
        deliver(9500, 500)
        held = deliver(300)
        signed_in(people["fay"]).post(reverse("costs:delivery_decide", args=[held.pk]), {"decision": "always"})
        load_queued()
        assert billed() == 300
        assert deliver(1).status == "current"
        assert not Stream.objects.get().is_judged
        assert AuditEntry.objects.about(Stream.objects.get()).filter(actor=people["fay"]).exists()

    @pytest.mark.parametrize("name", ["ada", "max", "lea", "eli"])
    def test_nobody_else_decides(self, deliver, people, name):
        deliver(9500, 500)
        held = deliver(300)
        response = signed_in(people[name]).post(
            reverse("costs:delivery_decide", args=[held.pk]), {"decision": "accept"}
        )
        held.refresh_from_db()
        assert (response.status_code, held.status) == (403, "held")

    def test_the_api_decides_too(self, deliver, people):
        deliver(9500, 500)
        held = deliver(300)
        address = f"/api/v1/deliveries/{held.pk}/decide/"
        assert api_of(people["ada"]).post(address, {"decision": "accept"}).status_code == 403
        assert api_of(people["fay"]).post(address, {"decision": "perhaps"}).status_code == 400
        response = api_of(people["fay"]).post(address, {"decision": "reject"}, content_type="application/json")
        assert (response.status_code, response.json()["status"]) == (200, "rejected")
        assert api_of(people["fay"]).post(address, {"decision": "reject"}).status_code == 409

    def test_the_command_line_may_say_that_it_counts(self, deliver):
        deliver(9500, 500)
        assert deliver(300, is_accepted=True).status == "current"
        assert billed() == 300


@pytest.mark.django_db
class TestVersions:
    def test_withdrawing_the_newest_brings_the_one_before_back(self, deliver, people):
        first, second, third = deliver(100), deliver(101), deliver(102)
        assert withdraw_delivery(third, people["fay"])
        load_queued()
        assert billed() == 101
        second.refresh_from_db()
        assert withdraw_delivery(second, people["fay"])
        load_queued()
        assert billed() == 100
        first.refresh_from_db()
        assert withdraw_delivery(first, people["fay"])
        load_queued()
        assert billed() is None
        assert {d.decided_by for d in Delivery.objects.all()} == {people["fay"]}
        assert_green()

    def test_a_month_comes_back_from_a_bill_whose_other_months_count_all_the_time(self, load_months, people):
        both = load_months("both.csv", (3, "10"), (4, "20"))
        april = load_months("april.csv", (4, "21"))
        assert billed() == 31
        withdraw_delivery(april, people["fay"])
        load_queued()
        both.refresh_from_db()
        assert (billed(), both.status) == (30, "current")
        assert_green()

    def test_any_version_may_count_again(self, deliver, people):
        first, second = deliver(100), deliver(101)
        assert count_again(first, people["fay"])
        load_queued()
        second.refresh_from_db()
        assert (billed(), second.status) == (100, "superseded")
        assert deliver(103).status == "current"
        assert billed() == 103, "what comes later counts again"
        assert not count_again(Delivery.objects.latest("pk")), "it counts"

    def test_the_page_offers_it(self, deliver, people):
        first, _second = deliver(100), deliver(101)
        fay = signed_in(people["fay"])
        assert "Count this version again" in fay.get(reverse("costs:delivery", args=[first.pk])).content.decode()
        fay.post(reverse("costs:delivery_decide", args=[first.pk]), {"decision": "again"})
        load_queued()
        assert billed() == 100


@pytest.fixture
def bring(tmp_path, people):
    """Delivers rows (day of March, account, cost) as a file of any name."""

    def bring(*charges, name="bill.csv", **options):
        text = bills.focus_csv(
            {
                "BilledCost": str(cost),
                "SubAccountId": account,
                "ChargePeriodStart": f"2026-03-{day:02}T00:00:00Z",
                "ServiceName": "Credit" if cost < 0 else "Compute",
            }
            for day, account, cost in charges
        )
        (receipt,) = receive_bill("northwind", [bills.write(tmp_path, name, text)], **options)
        return load_bill(receipt.delivery)

    return bring


@pytest.mark.django_db
class TestOddDeliveries:
    def test_a_version_that_was_held_and_never_accepted_does_not_come_back(self, bring, people):
        bring(*((day, "a", 10) for day in range(1, 11)))
        assert bring(*((day, "a", 1) for day in range(1, 11))).status == "held"
        third = bring(*((day, "a", Decimal("10.1")) for day in range(1, 11)))
        assert billed() == 101
        withdraw_delivery(third, people["fay"])
        load_queued()
        assert billed() == 100

    def test_withdrawing_a_file_that_replaced_several_brings_all_of_them_back(self, bring, people):
        bring((1, "a", 100))
        bring((1, "b", 100))
        both = bring((1, "a", 102), (1, "b", 103))
        assert billed() == 205
        withdraw_delivery(both, people["fay"])
        load_queued()
        assert billed() == 200
        assert_green()

    def test_daily_files_whose_last_hours_are_of_the_next_day_do_not_wipe_out_the_days_before(self, bring):
        assert bring((1, "a", 95), (2, "a", 5)).status == "current"
        held = bring((2, "a", 95), (3, "a", 5))
        assert (held.status, billed()) == ("held", 100)
        assert "Mar 2026: Account a has no charge on 1 day on which it had 95.00 USD (1 Mar 2026)." in held.held_because

    def test_days_that_are_missing_in_the_middle_or_of_one_account_hold(self, bring):
        every_day = [(day, account, 10) for day in range(1, 32) for account in "ab"]
        bring(*every_day)
        middle = bring(*(row for row in every_day if row[0] not in (14, 15)))
        assert middle.held_because == [
            "Mar 2026: Account a has no charge on 2 days on which it had 20.00 USD (14 Mar to 15 Mar 2026).",
            "Mar 2026: Account b has no charge on 2 days on which it had 20.00 USD (14 Mar to 15 Mar 2026).",
        ]
        account = bring(*(row for row in every_day if row[:2] != (31, "b")))
        assert account.held_because == [
            "Mar 2026: Account b has no charge on 1 day on which it had 10.00 USD (31 Mar 2026)."
        ]

    def test_a_month_that_credits_bring_to_nothing_is_judged_by_its_charges(self, bring):
        bring((1, "a", 2000), (2, "a", -2000))
        held = bring((1, "a", 11))
        assert (held.status, billed()) == ("held", 0)
        assert any("Services without any charge: Credit" in reason for reason in held.held_because)

    def test_a_held_bill_waits_on_while_another_account_is_delivered(self, bring):
        bring((1, "x", 100))
        bring((1, "y", 100))
        held = bring((1, "x", 50))
        assert bring((1, "y", 101)).status == "current"
        held.refresh_from_db()
        assert held.status == "held"
        assert bring((1, "y", 10)).status == "held"
        held.refresh_from_db()
        assert held.status == "held"
        assert OutgoingEmail.objects.filter(subject__startswith="A bill is held").count() == 2

    def test_a_day_that_was_still_running_may_grow(self, bring):
        first = bring((1, "a", 6))
        Delivery.objects.filter(pk=first.pk).update(received_at=datetime(2026, 3, 1, 6, tzinfo=UTC))
        second = bring((1, "a", 24), (2, "a", 6))
        Delivery.objects.filter(pk=second.pk).update(received_at=datetime(2026, 3, 2, 6, tzinfo=UTC))
        assert (second.status, billed()) == ("current", 30)
        # A fee of the month's last day says nothing about how far the days have come.
        third = bring((1, "a", 24), (2, "a", 24), (3, "a", 24), (4, "a", 5), (31, "a", 1))
        Delivery.objects.filter(pk=third.pk).update(received_at=datetime(2026, 3, 4, 6, tzinfo=UTC))
        fourth = bring((1, "a", 24), (2, "a", 24), (3, "a", 24), (4, "a", 24), (5, "a", 9), (31, "a", 1))
        assert (fourth.status, billed()) == ("current", 106)


@pytest.mark.django_db
class TestWithdrawnWhileItsMonthWaits:
    def test_the_month_is_never_empty_and_the_page_says_what_is_going_on(self, deliver, people):
        first, second = deliver(100), deliver(101)
        fay, page = signed_in(people["fay"]), reverse("costs:delivery", args=[second.pk])
        answer = fay.post(reverse("costs:delivery_withdraw", args=[second.pk]), follow=True).content.decode()
        second.refresh_from_db()
        assert (billed(), second.status) == (101, "withdrawn"), "the worker may be down for long"
        assert f"it counts until delivery {first.pk} is read again" in answer
        assert "Withdrawn; it counts until an earlier version is read again" in answer
        assert_green()
        load_queued()
        assert billed() == 100
        shown = fay.get(page).content.decode()
        assert "it counts until" not in shown
        assert "Count this version again" in shown
        assert_green()

    def test_without_a_version_before_it_goes_at_once(self, deliver, people):
        only = deliver(100)
        assert withdraw_delivery(only, people["fay"])
        assert billed() is None
        assert not withdraw_delivery(only, people["fay"]), "it does not count"

    def test_of_two_months_the_one_without_a_version_before_goes_at_once(self, load_months, people):
        load_months("march.csv", (3, "100"))
        both = load_months("both.csv", (3, "101"), (4, "20"))
        withdraw_delivery(both, people["fay"])
        assert billed() == 101
        load_queued()
        assert billed() == 100
        assert_green()

    def test_fay_takes_it_out_now_and_the_version_before_still_comes(self, deliver, people):
        _first, second = deliver(100), deliver(101)
        address = reverse("costs:delivery_withdraw", args=[second.pk])
        fay = signed_in(people["fay"])
        fay.post(address)
        assert "Take out now" in fay.get(reverse("costs:delivery", args=[second.pk])).content.decode()
        fay.post(address)
        assert billed() is None
        load_queued()
        assert billed() == 100
        assert_green()

    def test_where_it_cannot_be_read_finance_is_mailed_and_tries_again(self, deliver, people):
        first, second = deliver(100), deliver(101)
        file = first.files.get().full_path
        content = file.read_bytes()
        withdraw_delivery(second, people["fay"])
        file.write_bytes(b"damaged")
        load_queued()
        first.refresh_from_db()
        assert (first.status, billed()) == ("failed", 101)
        mail = OutgoingEmail.objects.get(subject__startswith="A withdrawn bill still counts")
        assert mail.to == "fay@demo.example"
        fay = signed_in(people["fay"])
        assert f"delivery {second.pk}" in fay.get(first.get_absolute_url()).content.decode()
        assert "failed" in fay.get(second.get_absolute_url()).content.decode()
        file.write_bytes(content)
        fay.post(reverse("costs:delivery_retry", args=[first.pk]))
        load_queued()
        assert billed() == 100
        assert_green()

    def test_what_comes_meanwhile_counts_and_is_not_measured_by_the_withdrawn_bill(self, deliver, people):
        first, second = deliver(100), deliver(140)
        withdraw_delivery(second, people["fay"])
        third = deliver(99)
        assert (third.status, billed()) == ("current", 99)
        load_queued()
        first.refresh_from_db()
        assert (first.status, billed()) == ("superseded", 99)
        assert_green()

    def test_it_may_count_again_before_the_other_is_read(self, deliver, people):
        first, second = deliver(100), deliver(101)
        withdraw_delivery(second, people["fay"])
        assert count_again(second, people["fay"])
        load_bill(Delivery.objects.get(pk=second.pk))
        load_queued()
        first.refresh_from_db()
        assert (billed(), first.status) == (101, "superseded")
        assert_green()

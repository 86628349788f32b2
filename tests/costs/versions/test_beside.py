"""Bills of the same accounts and days that are no versions of each other, bills without rows, two views in one."""

from decimal import Decimal

import pytest
from django.core.management import call_command
from django.urls import reverse

from costs import reconciliation
from costs.ingest.load import load_bill
from costs.ingest.receive import receive_bill
from costs.ingest.republish import republish_month
from costs.ingest.withdraw import count_again, decide, withdraw_delivery
from costs.models import CostLine, DeliveredAccount, Delivery, DeliveryMonth, MonthRollup, Source
from costs.sources.health import with_last_delivery
from costs.web.delivery_figures import version_history
from finops_site.lib.periods import Month
from finops_site.models import AuditEntry, OutgoingEmail
from finops_site.ops.commands import BadInput
from tests import bills
from tests.costs.versions.test_held import api_of, load_queued
from tests.costs.versions.test_streams import assert_green, azure_csv, azure_manifest, fetch, inbox, put  # noqa: F401
from tests.people import signed_in

pytestmark = pytest.mark.django_db
JULY, AUGUST = "2026-07", "2026-08"


def charge(moment, cost, account="a", month=JULY, **more):
    """A charge at a moment like ``08-01T03``, invoiced in `month`."""
    return {
        "BilledCost": str(cost),
        "EffectiveCost": str(cost),
        "SubAccountId": account,
        "ChargePeriodStart": f"2026-{moment}:00:00Z",
        "BillingPeriodStart": f"{month}-01T00:00:00Z",
        **more,
    }


@pytest.fixture
def load(tmp_path, people):
    """Loads a file of these charges, or of this text, as somebody would upload it."""

    def load(name, *charges, **options):
        text = charges[0] if charges and isinstance(charges[0], bytes) else bills.focus_csv(charges)
        (receipt,) = receive_bill("northwind", [bills.write(tmp_path, name, text)], **options)
        return load_bill(receipt.delivery)

    return load


def billed(month=None, metric="billed_cost", source="northwind"):
    rows = MonthRollup.objects.current().filter(delivery_month__delivery__source__name=source)
    rows = rows.filter(billing_month=Month.parse(month).start) if month else rows
    (sums,) = rows.totals([metric]).values() or ({metric: None},)
    return sums[metric]


def decide_as(user, delivery, decision, **more):
    """What the page sends, and what the workers do then."""
    response = signed_in(user).post(
        reverse("costs:delivery_decide", args=[delivery.pk]), {"decision": decision, **more}
    )
    load_queued()
    delivery.refresh_from_db()
    return response


def page_of(user, delivery):
    return " ".join(signed_in(user).get(delivery.get_absolute_url()).content.decode().split())


class TestViewsThatComeTogether:
    ACTUAL = azure_csv((1, 100), (2, 20))
    AMORTIZED = azure_csv((1, 72), (2, 30)).replace(b"OnDemand", b"Reservation")

    @pytest.fixture
    def together(self, tmp_path, people):
        def together(actual=self.ACTUAL, amortized=self.AMORTIZED):
            paths = [bills.write(tmp_path, "actual.csv", actual), bills.write(tmp_path, "amortized.csv", amortized)]
            (receipt,) = receive_bill("northwind", paths)
            return load_bill(receipt.delivery)

        return together

    def sums(self):
        return billed(), billed(metric="effective_cost")

    def test_the_later_actual_view_alone_leaves_the_amortized_one(self, together, load):
        both = together()
        assert (both.status, self.sums()) == ("current", (120, 102))
        assert set(both.months.values_list("view", "stream__view")) == {
            ("actual", "actual"),
            ("amortized", "amortized"),
        }
        later = load("actual-2.csv", azure_csv((1, 101), (2, 20)))
        assert (later.status, later.held_because, self.sums()) == ("current", [], (121, 102))
        both.refresh_from_db()
        assert both.status == "current"
        assert_green()

    def test_the_later_amortized_view_alone_leaves_the_actual_one(self, together, load):
        together()
        later = load("am-2.csv", azure_csv((1, 73), (2, 30)).replace(b"OnDemand", b"Reservation"))
        assert (later.status, self.sums()) == ("current", (120, 103))

    def test_both_again_replace_both(self, together):
        first = together()
        second = together(actual=azure_csv((1, 100), (2, 21)))
        first.refresh_from_db()
        assert (first.status, second.status, self.sums()) == ("superseded", "current", (121, 102))
        assert_green()

    def test_both_after_one_view_alone_are_compared_view_by_view(self, together, load):
        load("actual-1.csv", self.ACTUAL)
        assert (together().status, self.sums()) == ("current", (120, 102))

    def test_a_view_that_does_not_look_whole_holds_and_is_named(self, together):
        together()
        held = together(amortized=azure_csv((1, 7)).replace(b"OnDemand", b"Reservation"))
        assert (held.status, self.sums()) == ("held", (120, 102))
        assert all(reason.startswith("Mar 2026, amortized view: ") for reason in held.held_because)

    def test_withdrawing_the_later_view_brings_the_first_back(self, together, load, people):
        together()
        later = load("actual-2.csv", azure_csv((1, 101), (2, 20)))
        withdraw_delivery(later, people["fay"])
        load_queued()
        assert self.sums() == (120, 102)
        assert_green()

    def test_its_lines_can_be_made_again_from_its_charges(self, together):
        both = together()
        for month in both.months.all():
            assert republish_month(month) is not None
        assert self.sums() == (120, 102)
        assert_green()


class TestMoments:
    def test_the_last_hours_of_a_month_stand_beside_its_file_that_ends_on_the_same_day(self, load):
        load("july.csv", charge("07-15T00", 100), charge("08-01T02", 3))
        crossover = charge("08-01T03", 2)
        august = load("august.csv", crossover, charge("08-02T00", 80, month=AUGUST))
        assert (august.status, billed(JULY), billed(AUGUST)) == ("current", 105, 80)
        # Its newer version replaces its own hours, and not July's.
        newer = load(
            "august-2.csv", {**crossover, "BilledCost": "4"}, charge("08-02T00", 81, month=AUGUST), is_accepted=True
        )
        assert (newer.status, billed(JULY), billed(AUGUST)) == ("current", 107, 81)
        assert_green()

    def test_in_the_other_order_too(self, load):
        load("august.csv", charge("08-01T03", 2), charge("08-02T00", 80, month=AUGUST))
        july = load("july.csv", charge("07-15T00", 100), charge("08-01T02", 3))
        assert (july.status, billed(JULY), billed(AUGUST)) == ("current", 105, 80)

    def test_a_file_that_goes_on_at_the_hour_where_the_last_one_ended_adds_to_it(self, load):
        load("1.csv", charge("07-01T00", 95), charge("07-02T01", 5))
        assert load("2.csv", charge("07-02T02", 90), charge("07-03T01", 5)).status == "current"
        assert billed() == 195
        assert_green()

    def test_other_hours_of_one_day_are_asked_about(self, load, people):
        load("1.csv", charge("07-01T00", 10), charge("07-01T05", 10))
        held = load("2.csv", charge("07-01T06", 10), charge("07-01T11", 10))
        assert held.held_because == [f"Jul 2026: It bills other hours of the day than delivery {held.pk - 1}."]
        decide_as(people["fay"], held, "beside")
        assert (held.status, billed()) == ("current", 40)

    def test_moments_outlive_lines_that_are_made_again(self, load):
        july = load("july.csv", charge("07-15T00", 100), charge("08-01T02", 3))
        republish_month(july.months.get(is_current=True))
        load("august.csv", charge("08-01T03", 2), charge("08-02T00", 80, month=AUGUST))
        assert billed(JULY) == 105

    def test_without_noted_moments_days_are_compared(self, load):
        july = load("july.csv", charge("07-15T00", 100), charge("08-01T02", 3))
        DeliveredAccount.objects.filter(delivery_month__delivery=july).update(first_moment=None, last_moment=None)
        assert load("august.csv", charge("08-01T03", 2), charge("08-02T00", 80, month=AUGUST)).status == "held"
        for month in july.months.filter(is_current=True):
            republish_month(month)
        assert load("again.csv", charge("08-01T03", 2), charge("08-02T00", 81, month=AUGUST)).status == "current"


class TestBeside:
    @pytest.fixture
    def crossover(self, load):
        """July's file, and August's with hours of July's invoice at the same time: held."""
        july = load("july.csv", charge("07-15T00", 100), charge("08-01T02", 3), charge("08-01T06", 1))
        august = load("august.csv", charge("08-01T03", 2), charge("08-02T00", 80, month=AUGUST))
        assert (august.status, billed(JULY), billed(AUGUST)) == ("held", 104, None)
        return july, august

    def test_the_question_is_put_in_clear_words(self, crossover, people):
        july, august = crossover
        assert august.held_because == [
            "Jul 2026: This file of a later month bills the last hours of the month, "
            f"and delivery {july.pk} bills the same time."
        ]
        page = page_of(people["fay"], august)
        assert "Or are its rows other rows?" in page
        assert f'name="beside" value="{july.pk}" checked' in page
        assert "Or are its rows other rows?" not in page_of(people["ada"], august)

    def test_fay_lets_it_stand_beside(self, crossover, people):
        july, august = crossover
        decide_as(people["fay"], august, "beside", chosen="1", beside=[july.pk])
        assert (august.status, billed(JULY), billed(AUGUST)) == ("current", 106, 80)
        july.refresh_from_db()
        assert july.status == "current"
        assert not august.restatements.exists(), "it changed nothing"
        page = page_of(people["fay"], august)
        assert f"#{july.pk}</a>: other rows of the same accounts and days" in page
        changes = AuditEntry.objects.about(august).filter(actor=people["fay"])
        assert any("to_delivery_id" in entry.changes for entry in changes)
        assert_green()

    def test_fay_may_say_that_it_replaces(self, crossover, people):
        _july, august = crossover
        decide_as(people["fay"], august, "accept")
        assert (august.status, billed(JULY), billed(AUGUST)) == ("current", 2, 80)
        assert_green()

    def test_newer_versions_of_either_stand_beside_as_well(self, crossover, load, people):
        _july, august = crossover
        decide_as(people["fay"], august, "beside")
        newer = load("august-2.csv", charge("08-01T03", 2), charge("08-02T00", 81, month=AUGUST))
        assert (newer.status, billed(JULY), billed(AUGUST)) == ("current", 106, 81)
        july = load("july-2.csv", charge("07-15T00", 101), charge("08-01T02", 3), charge("08-01T06", 1))
        assert (july.status, billed(JULY), billed(AUGUST)) == ("current", 107, 81)
        # And what comes back when one is withdrawn.
        withdraw_delivery(july, people["fay"])
        load_queued()
        assert (billed(JULY), billed(AUGUST)) == (106, 81)
        withdraw_delivery(newer, people["fay"])
        load_queued()
        assert (billed(JULY), billed(AUGUST)) == (106, 80)
        assert_green()

    def test_it_is_withdrawn_and_counted_again_either_way(self, crossover, people):
        july, august = crossover
        decide_as(people["fay"], august, "beside")
        withdraw_delivery(august, people["fay"])
        load_queued()
        assert (billed(JULY), billed(AUGUST)) == (104, None)
        assert f'value="{july.pk}" checked' in page_of(people["fay"], august)
        decide_as(people["fay"], august, "again")
        assert (billed(JULY), billed(AUGUST)) == (106, 80)
        withdraw_delivery(august, people["fay"])
        decide_as(people["fay"], august, "beside", chosen="1")
        assert (billed(JULY), billed(AUGUST)) == (2, 80), "nothing was ticked: it replaces"
        assert_green()

    @pytest.mark.parametrize("name", ["ada", "max", "lea", "eli"])
    def test_nobody_else_may(self, crossover, people, name):
        _july, august = crossover
        assert decide_as(people[name], august, "beside").status_code == 403
        assert august.status == "held"

    def test_the_api_offers_it_and_refuses_what_does_not_bill_the_same(self, crossover, people, load):
        july, august = crossover
        other = load("other.csv", charge("07-15T00", 1, "z"))
        address, fay = f"/api/v1/deliveries/{august.pk}/decide/", api_of(people["fay"])
        assert api_of(people["ada"]).post(address, {"decision": "beside"}).status_code == 403
        body = {"decision": "beside", "beside": [other.pk]}
        assert fay.post(address, body, content_type="application/json").status_code == 409
        body = {"decision": "beside", "beside": [july.pk]}
        assert fay.post(address, body, content_type="application/json").json()["status"] == "received"
        load_queued()
        assert (billed(JULY), billed(AUGUST)) == (107, 80)
        assert fay.get(f"/api/v1/deliveries/{august.pk}/").json()["beside"] == [july.pk]
        assert fay.post(address, body, content_type="application/json").status_code == 409, "it counts"

    def test_load_bill_says_it_and_offers_it(self, crossover, tmp_path, capsys):
        july, _august = crossover
        path, options = str(tmp_path / "august.csv"), {"source": "northwind"}
        call_command("load_bill", path, **options)
        assert f"load it with --beside {july.pk}: both count" in capsys.readouterr().out
        with pytest.raises(BadInput, match="northwind has no delivery 99999"):
            call_command("load_bill", path, beside=[99999], **options)
        call_command("load_bill", path, beside=[july.pk], **options)
        assert (billed(JULY), billed(AUGUST)) == (106, 80)
        assert_green()

    def test_a_bill_of_tax_alone_loses_nothing(self, load, people):
        load("accounts.csv", charge("07-15T00", 50), charge("07-25T00", 50), charge("07-31T00", 10, "b"))
        held = load("tax.csv", charge("07-20T00", 19, ""))
        assert (held.status, billed()) == ("held", 110)
        assert "names accounts and" in held.held_because[0]
        decide_as(people["fay"], held, "beside")
        assert (held.status, billed()) == ("current", 129)
        # A newer version of each replaces that one alone.
        assert load("tax-2.csv", charge("07-20T00", 20, "")).status == "current"
        accounts = [charge("07-15T00", 51), charge("07-25T00", 50), charge("07-31T00", 10, "b")]
        assert load("accounts-2.csv", *accounts).status == "current"
        assert billed() == 131
        assert_green()

    def test_two_files_that_share_one_account_lose_nothing(self, load, people):
        load("one.csv", charge("07-15T00", 1, "one"), charge("07-31T00", 500, "shared"))
        held = load("two.csv", charge("07-15T00", 90, "two"), charge("07-31T00", 520, "shared"))
        assert (held.status, billed()) == ("held", 501)
        assert held.held_because == [
            f"Jul 2026: It shares some accounts with delivery {held.pk - 1}; "
            f"others are in one of them alone (one in delivery {held.pk - 1})."
        ]
        decide_as(people["fay"], held, "beside")
        assert billed() == 1111
        assert load("two-2.csv", charge("07-15T00", 91, "two"), charge("07-31T00", 520, "shared")).status == "current"
        assert billed() == 1112
        assert_green()

    def test_what_stands_beside_one_and_replaces_another_is_ticked_apart(self, load, people):
        first = load("1.csv", charge("07-01T00", 95), charge("07-02T00", 5))
        second = load("2.csv", charge("07-02T00", 90), charge("07-03T00", 5))
        decide_as(people["fay"], second, "beside")
        assert billed() == 195
        corrected = load("2b.csv", charge("07-02T00", 91), charge("07-03T00", 5))
        assert corrected.status == "held"
        decide_as(people["fay"], corrected, "beside", chosen="1", beside=[first.pk])
        assert billed() == 196
        assert_green()


class TestWithoutRows:
    EMPTY = bills.focus_csv([])

    def test_a_new_month_without_rows_is_no_damage_and_no_zero(self, load, people):
        load("july.csv", charge("07-15T00", 100))
        empty = load("august.csv", self.EMPTY)
        assert (empty.status, billed(), DeliveryMonth.objects.count()) == ("empty", 100, 1)
        assert empty.message.startswith("august.csv: no rows.")
        assert "Nothing is known from it. What counted before still counts." in empty.message
        page = page_of(people["fay"], empty)
        assert "no rows. The bill has a header and no charges" in page
        assert "Not loaded." not in page
        (source,) = with_last_delivery(Source.objects.all())
        assert source.last_delivery < empty.received_at, "a bill is still due"
        assert "Without rows" in signed_in(people["fay"]).get(reverse("costs:deliveries")).content.decode()
        assert_green()

    def test_a_part_that_becomes_empty_is_held(self, inbox, people):  # noqa: F811
        put(inbox, {"exp/20260301-20260331/a.csv": azure_csv((1, 70))})
        fetch()
        put(inbox, {"exp/20260301-20260331/a.csv": azure_csv()})
        (held,), problems = fetch()
        assert (held.status, problems, billed(source="fetched")) == ("held", [], 70)
        assert held.held_because == ["Mar 2026: It has no rows any more; the version that counts has 1."]
        assert OutgoingEmail.objects.filter(subject__startswith="A bill is held").count() == 1
        # One with rows takes its place.
        put(inbox, {"exp/20260301-20260331/a.csv": azure_csv((1, 71))})
        fetch()
        held.refresh_from_db()
        assert (held.status, billed(source="fetched")) == ("superseded", 71)

    def test_fay_accepts_that_it_is_empty_and_the_month_is_unknown(self, inbox, people):  # noqa: F811
        put(inbox, {"exp/20260301-20260331/a.csv": azure_csv((1, 70))})
        (first,), _ = fetch()
        put(inbox, {"exp/20260301-20260331/a.csv": azure_csv()})
        (held,), _ = fetch()
        decide_as(people["fay"], held, "accept")
        first.refresh_from_db()
        assert (held.status, first.status, billed(source="fetched")) == ("empty", "superseded", None)
        assert "Nothing is known any more of 20260301-20260331." in held.message
        assert not DeliveryMonth.objects.current().exists()
        assert count_again(first, people["fay"])
        load_queued()
        assert billed(source="fetched") == 70
        assert_green()

    def test_load_bill_says_so_and_is_content(self, tmp_path, capsys):
        call_command("load_bill", str(bills.write(tmp_path, "new.csv", self.EMPTY)), source="northwind")
        assert "no rows" in capsys.readouterr().out


class TestAFolderThatLacksAPart:
    NAMES = ("part_0_0001.csv", "part_1_0001.csv")

    def folder(self, root):
        march, april = "exp/20260301-20260331/202603051200/x", "exp/20260401-20260430/202604051200/y"
        put(root, {f"{march}/{name}": azure_csv((1, 5)) for name in self.NAMES})
        put(root, {f"{march}/manifest.json": azure_manifest("exp", march, *self.NAMES)})
        put(root, {f"{april}/{self.NAMES[0]}": azure_csv((1, 7)).replace(b"03/", b"04/").replace(b"04/31", b"04/30")})
        put(root, {f"{april}/manifest.json": azure_manifest("exp", april, *self.NAMES)})

    def test_what_is_complete_is_loaded_and_the_rest_is_named(self, tmp_path, capsys):
        self.folder(tmp_path)
        with pytest.raises(BadInput, match=r"Not loaded, for it is not complete: .*20260401.*part_1_0001\.csv"):
            call_command("load_bill", str(tmp_path), source="northwind")
        assert "of 2026-03" in capsys.readouterr().out
        assert (billed("2026-03"), billed("2026-04")) == (10, None)
        assert_green()

    def test_a_shard_that_is_missing_leaves_the_others(self, tmp_path):
        for stem, numbers in (("a", (0, 1, 3)), ("b", (0, 1))):
            days = {
                f"{stem}-00000000000{n}.csv": bills.focus_csv([charge(f"07-0{n + 1}T00", 1, stem)]) for n in numbers
            }
            put(tmp_path, days)
        with pytest.raises(BadInput, match="a: part 2 is not there yet"):
            call_command("load_bill", str(tmp_path), source="northwind")
        assert billed() == 2

    def test_a_manifest_that_cannot_be_read_leaves_the_others(self, tmp_path):
        self.folder(tmp_path)
        put(tmp_path, {"exp/20260401-20260430/202604051200/y/manifest.json": b"{"})
        with pytest.raises(BadInput, match="not a readable manifest"):
            call_command("load_bill", str(tmp_path), source="northwind")
        assert billed() == 10

    def test_nothing_complete_is_nothing_received(self, tmp_path):
        run = "exp/20260301-20260331/1"
        put(tmp_path, {f"{run}/manifest.json": azure_manifest("exp", run, "part_0.csv")})
        with pytest.raises(BadInput, match=r"part_0\.csv"):
            call_command("load_bill", str(tmp_path), source="northwind")
        assert not Delivery.objects.exists()


class TestWithdrawingOneOfTwo:
    def test_what_is_missing_then_is_said_and_can_be_put_back(self, load, people):
        replaced = load("whole.csv", charge("07-15T00", 100, "a"), charge("07-15T00", 50, "b"))
        load("a.csv", charge("07-15T00", 101, "a"), is_accepted=True)
        part = load("b.csv", charge("07-15T00", 51, "b"))
        assert (part.status, billed()) == ("current", 152)
        signed_in(people["fay"]).post(reverse("costs:delivery_withdraw", args=[part.pk]))
        load_queued()
        assert billed() == 101
        words = (
            f"Nothing took its place in Jul 2026: the cost of b is missing now. Delivery {replaced.pk} billed it before"
        )
        assert words in page_of(people["fay"], part)
        assert "Count this version again" in page_of(people["fay"], replaced)
        decide_as(people["fay"], replaced, "again")
        assert billed() == 150
        assert_green()

    def test_nothing_is_said_where_the_version_before_comes_back(self, load, people):
        load("a.csv", charge("07-15T00", 100))
        newer = load("b.csv", charge("07-15T00", 101))
        withdraw_delivery(newer, people["fay"])
        newer.refresh_from_db()
        assert "Nothing took its place" not in newer.message


def test_a_decision_that_is_none_changes_nothing(load, people):
    delivery = load("july.csv", charge("07-15T00", 100))
    assert [decide(delivery, name, people["fay"]) for name in ("beside", "perhaps")] == ["", ""]
    assert (billed(), CostLine.objects.current().count()) == (Decimal(100), 1)
    assert [check for check in reconciliation.reconcile() if not check.holds] == []


def test_fay_sees_each_view_of_a_month_against_its_own_version_before(tmp_path, people):
    for actual in (100, 101):
        texts = {
            "actual": azure_csv((1, actual)),
            "amortized": azure_csv((1, 72)).replace(b"OnDemand", b"Reservation"),
        }
        paths = [bills.write(tmp_path, f"{view}.csv", text) for view, text in texts.items()]
        (receipt,) = receive_bill("northwind", paths)
        delivery = load_bill(receipt.delivery)
    (month,) = version_history(delivery)
    newest = {row.row.view: row for row in month.publications if row.delivery == delivery}
    assert [(sums["amount"], sums["before"]) for sums in newest["actual"].amounts] == [(101, 100)]
    page = page_of(people["fay"], delivery)
    assert "actual view" in page
    assert "amortized view" in page

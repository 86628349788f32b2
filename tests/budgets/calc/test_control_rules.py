"""Which machines are dev or test, what stopping saves, how much at once, for how long, and who says yes."""

from datetime import UTC, datetime, time
from decimal import Decimal

import pytest

from budgets.calc.controls import rules
from budgets.calc.controls.rules import Candidate, UsagePart

KEYS = ("Environment", "env")


def why(tags, name="", dev=rules.DEV_VALUES, exempt=()):
    return rules.exemption(tags, name, KEYS, dev, exempt)


@pytest.mark.parametrize("value", ["dev", "Development", " TEST ", "qa", "sandbox"])
def test_what_says_dev_or_test_may_be_stopped(value):
    assert why({"Environment": value}) == ""
    assert why({"ENV": value}) == ""


@pytest.mark.parametrize(
    ("tags", "name"),
    [
        ({"Environment": "Production"}, ""),
        ({"Environment": "prod"}, ""),
        ({"Environment": "dev", "Stack": "prod-eu"}, ""),
        ({"Environment": "dev", "Purpose": "LIVE"}, ""),
        ({"Environment": "dev", "Role": "prodDatabase"}, ""),
        ({"Environment": "dev"}, "web-prod-1"),
        *(({"Environment": "dev"}, name) for name in ("web-prod01", "prod2-db", "webprod", "PRODWEB", "weblive")),
        *(({"Environment": "dev", "Stack": value}, "") for value in ("prod1", "PRD2", "PRODUCTION2", "Produktion")),
        ({"Environment": "dev", "Note": "no, it is not. prod"}, ""),
        ({"Environment": "dev", "Production": "true"}, ""),
        ({"Environment": "dev", "is-prod": "1"}, ""),
        ({"Environment": "dev", "Production": ""}, ""),
        ({"Environment": "dev", "NonProd": "false"}, ""),
    ],
)
def test_what_says_production_anywhere_is_exempt(tags, name):
    assert "says production" in why(tags, name)


@pytest.mark.parametrize(
    "value",
    [
        *("non-prod", "nonprod", "preprod", "pre-production", "product", "delivery", "reproduce"),
        *("NonProd", "my_nonprod_db", "not prod", "webNonProd1", "product-dev", "ProductCatalog", "products", "Oliver"),
    ],
)
def test_what_only_sounds_like_production_does_not_say_it(value):
    assert not rules.mentions_production(value)


@pytest.mark.parametrize("tags", [{}, {"Team": "Payments"}, {"Environment": ""}, {"Environment": None}])
def test_unknown_is_not_dev(tags):
    assert why(tags) == rules.NO_ENVIRONMENT


def test_another_environment_is_named():
    assert why({"Environment": "staging"}) == "its environment is staging, which is none of dev and test"
    assert why({"Environment": "staging"}, dev=["staging"]) == ""


def test_two_keys_that_differ_are_no_dev():
    assert "staging" in why({"Environment": "dev", "env": "staging"})


def test_a_tag_that_denies_production_does_not_say_it():
    assert why({"Environment": "dev", "Production": "false", "NonProd": "true", "ProductOwner": "eli"}) == ""


@pytest.mark.parametrize("keys", [("Environment", "environment"), ("environment", "Environment "), ("ENV", "env")])
def test_of_keys_that_differ_in_case_or_blanks_every_value_counts(keys):
    for values in (("staging", "dev"), ("dev", "staging")):
        assert "staging" in why(dict(zip(keys, values, strict=True)))
    for values in (("yes", "no"), ("no", "yes")):
        kept_tags = dict(zip(("Keep", "keep"), values, strict=True))
        assert why({"Environment": "dev", **kept_tags}, exempt=["Keep=yes"]) == "its tag Keep=yes exempts it"


def test_a_tag_exempts_with_or_without_its_value():
    dev = {"Environment": "dev", "Keep": "Yes "}
    assert why(dev, exempt=["keep"]) == "its tag keep exempts it"
    assert why(dev, exempt=["KEEP = yes"]) == "its tag KEEP = yes exempts it"
    assert why(dev, exempt=["keep=no", "other"]) == ""


def part(cost, running=True, covered=False):
    return UsagePart(None if cost is None else Decimal(cost), running, covered)


def test_only_what_is_paid_by_the_hour_and_by_no_commitment_is_saved():
    assert rules.saving_a_day([part("2.40"), part("1.00", running=False)]) == (Decimal("2.40"), "")
    saved, note = rules.saving_a_day([part("2.40"), part("1.10", covered=True)])
    assert (saved, note) == (Decimal("2.40"), "what a commitment covers of it saves nothing")
    assert rules.saving_a_day([part("1.10", covered=True)])[0] == 0


def test_what_the_bill_does_not_show_is_unknown_and_not_zero():
    assert rules.saving_a_day([part(None)])[0] is None
    assert rules.saving_a_day([part("3", running=False)])[0] is None
    assert rules.saving_a_day([])[0] is None


@pytest.mark.parametrize("unit", ["Hrs", "Hours", "1 Hour", "100 Hours", "seconds", "vCPU-Hours"])
def test_hours_are_running_time(unit):
    assert rules.is_running_time(unit, "")


@pytest.mark.parametrize("unit", ["GB-Mo", "GB", "Requests", "Lambda-GB-Second", "10K"])
def test_storage_and_traffic_are_paid_for_as_before(unit):
    assert not rules.is_running_time(unit, "db.t3.medium")


def test_those_that_save_most_come_first_and_the_rest_is_beyond_the_limits():
    items = [Candidate(name, Decimal(cost), Decimal(cost)) for name, cost in (("a", 1), ("b", 5), ("c", 3))]
    assert rules.within_limits(items, 2, Decimal(100), Decimal(1)) == {"a": "more than 2 at once"}
    assert rules.within_limits(items, 9, Decimal(12), Decimal("0.5")) == {
        "c": "beyond 50% of what the scope costs a day"
    }
    assert set(rules.within_limits(items, 9, Decimal(0), Decimal(1))) == {"a", "b", "c"}


def at(text):
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def test_a_box_lasts_hours_or_until_a_weekday_in_its_own_zone():
    friday = at("2026-03-27T17:00")
    assert rules.box_end(friday, 48, None, None, "UTC") == at("2026-03-29T17:00")
    # The clocks go forward on 29 March: seven in the morning of Monday is five in UTC.
    assert rules.box_end(friday, None, 0, time(7), "Europe/Oslo") == at("2026-03-30T05:00")
    monday = at("2026-03-30T05:00")
    assert rules.box_end(monday, None, 0, time(7), "Europe/Oslo") == at("2026-04-06T05:00")
    assert rules.box_words(None, 0, time(7), "Europe/Oslo") == "until Monday 07:00, Europe/Oslo"


def test_two_people_stand_behind_every_change_set():
    finance = rules.Approver(1, True, False, False)
    assert rules.approver_objection(finance, [2, None]) == ""
    assert "Somebody else" in rules.approver_objection(finance, [2, 1])
    assert "leads the team" in rules.approver_objection(rules.Approver(3, False, False, False), [])
    assert rules.approver_objection(rules.Approver(3, False, True, False), [1]) == ""
    assert "Administrators" in rules.approver_objection(rules.Approver(4, True, True, True), [])


def test_whoever_defined_a_control_does_not_arm_it_and_nobody_for_ever():
    now = at("2026-03-27T17:00")
    assert rules.arming_objection(1, [2], at("2026-04-27T17:00"), now) == ""
    assert "Somebody else" in rules.arming_objection(2, [2], at("2026-04-27T17:00"), now)
    assert "ahead" in rules.arming_objection(1, [2], now, now)
    assert "92 days" in rules.arming_objection(1, [2], at("2026-09-27T17:00"), now)


def test_no_state_is_reached_any_other_way():
    assert rules.next_state("proposed", "approve") == "approved"
    for state in ("proposed", "refused", "expired", "undone"):
        with pytest.raises(rules.CannotControl, match=f"the change set is {state}"):
            rules.next_state(state, "run")

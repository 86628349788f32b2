"""The rules of buying: no way round the second pair of eyes, and nothing a bill says is run by a shell."""

import json
import shlex
import subprocess
from datetime import UTC, datetime
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reservations.calc import purchase_files, purchase_rules
from reservations.calc.purchase_orders import Order
from reservations.calc.purchase_rules import Approver

VERBS = sorted({verb for _, verb in purchase_rules.TRANSITIONS})
SAID = {"requested_by": 1, "standing_by": None, "value": Decimal(100), "currency": "USD"}


def walk(verbs):
    """The states a request passes through; verbs that are not possible change nothing."""
    trail = [purchase_rules.WAITING]
    for verb in verbs:
        try:
            trail.append(purchase_rules.next_state(trail[-1], verb))
        except purchase_rules.CannotBuy:
            continue
    return trail


@settings(max_examples=200)
@given(st.lists(st.sampled_from(VERBS), max_size=20))
def test_nothing_is_bought_that_was_not_approved(verbs):
    trail = walk(verbs)
    if any(state in purchase_rules.SPENT for state in trail):
        assert (
            purchase_rules.APPROVED
            in trail[: next(i for i, state in enumerate(trail) if state in purchase_rules.SPENT)]
        )


@settings(max_examples=200)
@given(st.lists(st.sampled_from(VERBS), max_size=20))
def test_what_has_ended_stays_ended_and_what_was_bought_is_not_bought_again(verbs):
    trail = walk(verbs)
    for state in (*purchase_rules.ENDED, purchase_rules.SEEN):
        if state in trail:
            assert set(trail[trail.index(state) :]) == {state}
    if purchase_rules.BOUGHT in trail:
        assert set(trail[trail.index(purchase_rules.BOUGHT) :]) <= {purchase_rules.BOUGHT, purchase_rules.SEEN}


@settings(max_examples=50)
@given(st.builds(Approver, st.integers(1, 3), st.booleans(), st.booleans(), st.decimals(0, 200), st.just("USD")))
def test_only_somebody_else_of_finance_within_her_limit_approves(approver):
    allowed = not purchase_rules.approver_objection(approver, **SAID)
    assert allowed == (
        approver.identity != 1
        and approver.is_finance
        and not approver.is_administrator
        and approver.limit >= SAID["value"]
    )


def test_whoever_set_up_the_standing_order_does_not_approve_what_it_asks_for():
    fay = Approver(7, True, False, Decimal(1000), "USD")
    expected = purchase_rules.approver_objection(fay, **{**SAID, "requested_by": None, "standing_by": 7})
    assert expected == "Somebody else has to approve what you requested."


def test_prices_and_demand_that_moved_are_said_in_words():
    frozen = {"m5.large": Decimal("0.060")}
    assert purchase_rules.describe_moves(frozen, {"m5.large": Decimal("0.0605")}, Decimal(10), Decimal("9.1")) == []
    assert purchase_rules.describe_moves(frozen, {"m5.large": Decimal("0.070")}, Decimal(10), Decimal(8)) == [
        "The price of m5.large was 0.060 an hour and is 0.070 now.",
        "What it can cover cost 10.00 a day on demand and costs 8.00 now: 20% less.",
    ]
    assert purchase_rules.describe_moves(frozen, {}, Decimal(10), None) == ["m5.large is on no price list any more."]


def test_a_request_lapses_on_the_day_it_says():
    end = datetime(2026, 4, 1, tzinfo=UTC)
    assert purchase_rules.describe_expiry(end, datetime(2026, 3, 31, tzinfo=UTC)) == []
    assert purchase_rules.describe_expiry(end, end) == ["It was to be decided and bought until 1 Apr 2026."]


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, ""),
        ({"is_stopped": True}, "Buying is stopped"),
        ({"is_on": False}, "not switched on"),
        ({"spent": Decimal(1)}, "1.00 of this month's ceiling of 100.00 are spent already"),
    ],
)
def test_the_switch_and_the_ceiling_stop_the_api(changes, expected):
    arguments = {"is_on": True, "is_stopped": False, "ceiling": Decimal(100), "spent": Decimal(0)}
    objection = purchase_rules.api_purchase_objection(**{**arguments, **changes}, value=Decimal(100), currency="USD")
    assert (expected in objection) if expected else objection == ""


def order(**changes):
    expected = {"number": 7, "kind": "ri_standard", "term_months": 12, "payment": "partial", "region": "eu-west-1"}
    expected |= {"instance_type": "m5.large", "system": "Linux", "quantity": Decimal(3), "hourly": Decimal("0.06")}
    expected |= {"upfront": Decimal(600), "currency": "USD", "token": "a-b-c"}
    return Order(**{**expected, **changes})


def shell_words(line):
    """What the shell makes of a line of the script; nothing of a comment."""
    return shlex.split(line.removeprefix("found=$(").removesuffix(")"), comments=True) if "aws " in line else []


@settings(max_examples=25, deadline=None)
@given(st.text(st.characters(codec="utf-8", exclude_characters="\0"), min_size=1, max_size=30))
def test_whatever_stands_in_a_type_is_one_word_to_the_shell(text):
    script = purchase_files.cli_script([order(instance_type=text)])
    assert subprocess.run(["sh", "-n"], input=script.encode(), check=False).returncode == 0
    filters = json.dumps([{"Name": "instance-type", "Values": [text]}])[1:-1]
    assert any(filters in word for line in script.splitlines() for word in shell_words(line))


def test_a_hostile_type_runs_nothing(tmp_path):
    aws = tmp_path / "aws"
    aws.write_text('#!/bin/sh\necho "$@" >>"$0.said"\necho offering-1\n')
    aws.chmod(0o755)
    hostile = f"$(touch {tmp_path}/owned)'; touch {tmp_path}/owned; '"
    for one in (order(instance_type=hostile), order(kind="sp_ec2", instance_type=hostile)):
        path = f"{tmp_path}:/usr/bin:/bin"
        subprocess.run(["sh", "-c", purchase_files.cli_script([one])], input=b"yes\n", env={"PATH": path}, check=True)
    assert not (tmp_path / "owned").exists()
    expected = (tmp_path / "aws.said").read_text()
    assert "--client-token a-b-c" in expected
    assert '--limit-price {"Amount": 606.0, "CurrencyCode": "USD"}' in expected


def test_the_sheet_has_every_digit():
    text = purchase_files.orders_as_csv([order(hourly=Decimal("0.061999999999999999"))])
    assert ",m5.large,Linux,default,3,0.061999999999999999,600,USD,a-b-c" in text

"""Savings count once: no resource saves more than it costs, whatever rules say about it."""

from decimal import Decimal

import duckdb
from hypothesis import given, settings
from hypothesis import strategies as st

from usage.calc.facts import RESOURCE
from usage.calc.resolution import NEEDS, resolve
from usage.calc.rules.base import Effort, Lever, Risk, Rule


def rule(name, lever, excludes=()):
    return Rule(
        name, name, lever, Effort.LOW, Risk.LOW, "", lambda finding: "", lambda finding: (), excludes=tuple(excludes)
    )


DELETE, STOP = rule("delete", Lever.DELETE), rule("stop", Lever.STOP)
SHRINK, ARM = rule("shrink", Lever.RIGHTSIZE, ["other-size"]), rule("arm", Lever.MODERNISE)
OTHER = rule("other-size", Lever.RIGHTSIZE)
RULES = [DELETE, STOP, SHRINK, ARM, OTHER]


def counted(findings, rules=RULES):
    """{key: (what counts, after which)} of findings of one machine, as mappings that say what differs."""
    db = duckdb.connect()
    db.execute(f"CREATE TABLE candidates ({', '.join(f'{name} {kind}' for name, kind in NEEDS.items())})")
    levers = {one.name: int(one.lever) for one in rules}
    usual = {**dict.fromkeys(RESOURCE, "x"), "standing": 1, "part": "", "currency": "USD", "open_cost": Decimal(100)}
    rows = [{**usual, "key": one["rule"], "lever": levers[one["rule"]], **one} for one in findings]
    for row in rows:
        db.execute(f"INSERT INTO candidates VALUES ({', '.join('?' * len(NEEDS))})", [row.get(name) for name in NEEDS])
    resolve(db, rules)
    return {
        key: (amount, after)
        for key, amount, after in db.execute("SELECT key, counted, after_key FROM resolved").fetchall()
    }


def of(name, saving, cost=100, **more):
    amount = None if saving is None else Decimal(saving)
    return {"rule": name, "saving": amount, "monthly_cost": Decimal(cost), **more}


def test_a_smaller_machine_of_the_newer_generation_saves_its_share_of_what_is_left():
    # Half the size leaves 50; a fifth less for Arm is 10 of these, not 20.
    assert counted([of("arm", 20), of("shrink", 50)]) == {"shrink": (50, None), "arm": (10, "shrink")}


def test_what_is_deleted_leaves_nothing_to_save():
    assert counted([of("delete", 100), of("shrink", 50)]) == {"delete": (100, None), "shrink": (0, "delete")}


def test_two_sizes_exclude_one_another_and_the_better_one_counts():
    assert counted([of("shrink", 30), of("other-size", 50)]) == {"other-size": (50, None), "shrink": (0, "other-size")}


def test_a_disk_and_the_machine_it_hangs_on_are_parts_that_save_each_for_itself():
    findings = [of("shrink", 40, 80, part="compute"), of("arm", 10, 20, part="storage")]
    assert counted(findings) == {"shrink": (40, None), "arm": (10, None)}


def test_stopping_all_of_it_counts_what_a_deleted_part_leaves():
    findings = [of("delete", 20, 20, part="storage"), of("stop", 50, 100)]
    # Half of the 80 that the deleted disk leaves.
    assert counted(findings) == {"delete": (20, None), "stop": (40, "delete")}


def test_an_unknown_saving_stays_unknown_and_takes_nothing_from_others():
    assert counted([of("shrink", None), of("arm", 20)]) == {"shrink": (None, None), "arm": (20, None)}


def test_what_was_dismissed_takes_nothing_from_what_may_still_be_done():
    findings = [of("delete", 100, standing=2), of("shrink", 50)]
    assert counted(findings) == {"shrink": (50, None), "delete": (50, "shrink")}


def test_a_machine_that_a_commitment_covers_in_part_saves_no_more_than_is_open():
    assert counted([of("stop", 100, open_cost=Decimal(30))]) == {"stop": (30, None)}


amounts = st.decimals(0, 1000, places=4)
names = st.sampled_from([one.name for one in RULES])
some_findings = st.lists(
    st.tuples(
        names, st.one_of(st.none(), amounts), amounts, st.sampled_from(["", "compute", "storage"]), st.integers(0, 2)
    ),
    max_size=8,
)


@settings(max_examples=25, deadline=None)
@given(st.lists(st.tuples(some_findings, amounts), min_size=1, max_size=12))
def test_no_resource_saves_more_than_its_open_cost_and_nothing_is_negative(resources):
    rows = [
        {
            "key": f"{resource}/{number}",
            "resource": str(resource),
            "rule": name,
            "saving": None if saving is None else min(saving, cost or saving),
            "monthly_cost": cost or None,
            "part": part,
            "standing": standing,
            "open_cost": open_cost,
        }
        for resource, (findings, open_cost) in enumerate(resources)
        for number, (name, saving, cost, part, standing) in enumerate(findings)
    ]
    answer = counted(rows)
    assert len(answer) == len(rows)
    sums = dict.fromkeys(range(len(resources)), Decimal(0))
    for row in rows:
        amount, _after = answer[row["key"]]
        assert (amount is None) == (row["saving"] is None)
        if amount is not None:
            assert 0 <= amount <= row["saving"]
            sums[int(row["resource"])] += amount
    assert all(sums[number] <= open_cost for number, (_, open_cost) in enumerate(resources))


def test_a_saving_of_which_no_cost_is_known_is_unknown():
    assert counted([{**of("delete", 50), "monthly_cost": None, "open_cost": None}]) == {"delete": (None, None)}

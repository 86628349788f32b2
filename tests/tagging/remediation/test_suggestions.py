"""Which value a tag should have, judging by similar resources: pure, so that every rule can be read here."""

import time
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tagging.calc.resource_names import ResourceTags, closest_value, distance, stack, stem
from tagging.calc.suggestions import PastDecisions, suggest_values, wilson


def machine(number, values=None, wrong=None, name=None, **more):
    return ResourceTags(
        key=f"k{number}",
        provider="AWS",
        account=more.pop("account", "1"),
        resource=more.pop("resource", f"i-{number:08x}"),
        name=f"checkout-{number:03}" if name is None else name,
        values=values or {},
        wrong=wrong or {},
        **more,
    )


def one(resources, **options):
    (proposal,) = suggest_values(resources, **options)
    return proposal


@pytest.mark.parametrize(
    ("agree", "total", "bound"),
    [(0, 0, "0"), (0, 5, "0"), (1, 1, "0.3784"), (10, 10, "0.8589"), (20, 20, "0.9241"), (50, 100, "0.4364")],
)
def test_confidence_is_the_lower_bound_of_wilsons_interval(agree, total, bound):
    assert wilson(agree, total) == Decimal(bound)


@settings(max_examples=50)
@given(st.integers(0, 200), st.integers(0, 200))
def test_confidence_lies_below_the_share_and_grows_with_agreement(agree, more):
    total = agree + more
    assert 0 <= wilson(agree, total) <= (Decimal(agree) / total if total else 0)
    assert wilson(agree + 1, total + 1) >= wilson(agree, total)


def test_siblings_that_are_named_alike_say_what_is_missing():
    kin = [machine(n, {"Team": "Payments"}) for n in range(10)]
    proposal = one([*kin, machine(99, wrong={"Team": ""})])
    assert (proposal.value, proposal.confidence) == ("Payments", Decimal("0.8589"))
    assert {reason.kind for reason in proposal.evidence} == {"name", "account"}
    assert (proposal.evidence[0].agree, proposal.evidence[0].total) == (10, 10)


def test_kin_that_disagree_make_it_less_sure_and_the_others_are_named():
    kin = [machine(n, {"Team": "Payments" if n % 3 else "Data"}) for n in range(9)]
    proposal = one([*kin, machine(99, wrong={"Team": ""})])
    assert proposal.value == "Payments"
    assert proposal.confidence < Decimal("0.6")
    assert [value for value, _ in proposal.alternatives] == ["Data"]


def test_nobody_is_guessed_at_where_nobody_can_be_asked():
    assert suggest_values([machine(1, wrong={"Team": ""})]) == []


def test_a_volume_is_its_machines():
    owner = machine(7, {"Team": "Data"}, name="etl-007", resource="i-0abcdef12345678")
    volume = machine(8, wrong={"Team": ""}, name="whatever", resource="vol-0abcdef12345678")
    proposal = one([owner, volume])
    assert (proposal.value, proposal.kind) == ("Data", "related")
    assert proposal.confidence > Decimal("0.9")


def test_a_snapshot_is_its_volumes_as_its_tags_say():
    volume = machine(1, {"Owner": "lea"}, name="a", resource="vol-0123456789abcdef0")
    snapshot = machine(2, wrong={"Owner": ""}, name="b", tags={"source": "vol-0123456789abcdef0"})
    assert one([volume, snapshot]).kind == "related"


def test_a_disk_is_found_by_its_machines_name():
    proposal = one([machine(11, {"Owner": "eli"}), machine(12, wrong={"Owner": ""}, name="checkout-011-data")])
    assert proposal.evidence[0].words == "checkout-011, which it belongs to"


@pytest.mark.parametrize(
    ("tags", "resource", "name"),
    [
        ({"aws:cloudformation:stack-name": "shop"}, "i-1", "AWS/1/shop"),
        ({"kubernetes.io/cluster/blue": "owned"}, "i-1", "AWS/1/blue"),
        ({}, "/subscriptions/1/resourceGroups/Shop/providers/x", "AWS/1/shop"),
        ({"Team": "x"}, "i-1", ""),
    ],
)
def test_a_stack_is_known_by_tags_and_resource_groups(tags, resource, name):
    assert stack(machine(1, tags=tags, resource=resource)) == name


def test_the_stack_is_surer_than_the_account():
    kin = [machine(n, {"Team": "Data"}, name=f"x{n}", tags={"aws:cloudformation:stack-name": "s"}) for n in range(3)]
    others = [machine(n, {"Team": "Payments"}, name=f"y{n}") for n in range(10, 15)]
    bare = machine(99, wrong={"Team": ""}, name="z", tags={"aws:cloudformation:stack-name": "s"})
    assert (one([*kin, *others, bare]).value, one([*kin, *others, bare]).kind) == ("Data", "stack")


def test_the_cost_centre_follows_from_the_team_and_the_team_from_the_owner():
    kin = [machine(n, {"Owner": "lea", "Team": "Payments"}, name="") for n in range(20)]
    proposals = suggest_values(
        [*kin, machine(99, {"Owner": "lea"}, {"CostCenter": "", "Team": ""}, name="")],
        cost_centers={"Payments": "CC-1001"},
    )
    assert [(item.tag, item.value) for item in proposals] == [("Team", "Payments"), ("CostCenter", "CC-1001")]
    # One cannot be surer of the cost centre than of the team it follows from.
    assert proposals[1].confidence < proposals[0].confidence


def test_our_own_rules_know_the_team():
    proposal = one([machine(1, wrong={"Team": ""}, team="Data", name="")])
    assert (proposal.value, proposal.kind) == ("Data", "books")


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("Prodction", "Production"),
        ("prod", "Production"),
        ("Porduction", "Production"),
        ("DEV", "Dev"),
        ("sandbox", None),
    ],
)
def test_a_value_that_is_spelt_otherwise(text, meant):
    closest = closest_value(text, ["Production", "Dev", "Staging"])
    assert (closest and closest[0]) == meant


def test_what_is_as_near_to_two_values_means_neither():
    assert closest_value("Team-X", ["Team-A", "Team-B"]) is None


def test_neighbours_that_changed_places_are_one_edit():
    assert [distance("ab", "ba", 3), distance("abc", "abd", 3), distance("", "abcd", 3)] == [1, 1, 4]


def test_only_values_the_policy_allows_are_proposed():
    kin = [machine(n, {"Environment": "Playground"}) for n in range(9)]
    assert suggest_values([*kin, machine(99, wrong={"Environment": ""})], allowed={"Environment": ["Production"]}) == []


def test_what_was_refused_never_comes_again_for_that_resource():
    kin = [machine(n, {"Team": "Payments"}) for n in range(10)]
    past = PastDecisions(refused=frozenset({("k99", "Team", "Payments")}))
    bare = [machine(99, wrong={"Team": ""}), machine(98, wrong={"Team": ""})]
    assert [proposal.key for proposal in suggest_values([*kin, *bare], past=past)] == ["k98"]


def test_an_accepted_pattern_is_surer_next_time_and_a_refused_one_less():
    kin = [machine(n, {"Team": "Payments"}) for n in range(5)]
    bare = machine(99, wrong={"Team": ""})
    pattern = ("name", "checkout", "Team", "Payments")
    before = one([*kin, bare]).confidence
    assert one([*kin, bare], past=PastDecisions(accepted={pattern: 10})).confidence > before
    lower = one([*kin, bare], past=PastDecisions(declined=dict.fromkeys([pattern], 10)))
    assert next(reason for reason in lower.evidence if reason.group == "checkout").confidence < before


@pytest.mark.parametrize(
    ("name", "expected"),
    [("checkout-011-data", "checkout"), ("northwind-etl-03", "northwind-etl"), ("i-0abc", "i"), ("", ""), ("007", "")],
)
def test_the_stem_of_a_name(name, expected):
    assert stem(name) == expected


@settings(max_examples=50)
@given(st.lists(st.tuples(st.text(max_size=30), st.text(max_size=30)), max_size=12))
def test_names_of_any_letters_do_no_harm(pairs):
    resources = [
        machine(n, name=name, resource=value, tags={name: value}, wrong={"Team": value})
        if n % 2
        else machine(n, {"Team": value or "x"}, name=name, resource=value)
        for n, (name, value) in enumerate(pairs)
    ]
    for proposal in suggest_values(resources, allowed={"Owner": ["a"]}):
        assert 0 < proposal.confidence < 1


def test_ten_thousand_resources_take_seconds():
    resources = [
        machine(n, {"Owner": f"o{n % 40}", "Team": f"t{n % 8}"}, name=f"app{n % 200}-{n}", account=str(n % 20))
        if n % 4
        else machine(n, wrong={"Owner": "", "Team": "", "Environment": ""}, name=f"app{n % 200}-{n}")
        for n in range(10_000)
    ]
    started = time.perf_counter()
    assert len(suggest_values(resources)) >= 2_500
    assert time.perf_counter() - started < 20

"""Three facts of a tag, never mixed; keys under other names; patterns that cannot explode."""

import time
from datetime import date

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tagging.calc.policy_problems import conflicts, problems
from tagging.calc.tag_policy import CaseRule, Policy, PolicyResource, Requirement, State

DAY = date(2026, 3, 31)
ENVIRONMENT = Requirement(
    "Environment",
    values=("Production", "Staging"),
    key_aliases=("env", "user:Environment"),
    value_aliases={"prod": "Production", "stg": "Staging"},
)


def fact(requirement, tags, **place):
    place = {"provider": "AWS", "service": "EC2", "resource_type": "Instance", "on": DAY} | place
    return Policy((requirement,)).facts(tags, **place).get(requirement.key)


@pytest.mark.parametrize(
    ("tags", "state", "key", "meant"),
    [
        ({}, State.MISSING, "", ""),
        ({"Owner": "lea"}, State.MISSING, "", ""),
        ({"Environment": ""}, State.EMPTY, "Environment", ""),
        ({"Environment": " \t"}, State.EMPTY, "Environment", ""),
        ({"Environment": None}, State.EMPTY, "Environment", ""),
        ({"Environment": "Playground"}, State.NOT_ALLOWED, "Environment", ""),
        ({"Environment": "Production"}, State.OK, "Environment", "Production"),
        ({"environment": "PRODUCTION"}, State.OK, "environment", "Production"),
        ({"env": "prod"}, State.OK, "env", "Production"),
        ({"USER:ENVIRONMENT": "STG"}, State.OK, "USER:ENVIRONMENT", "Staging"),
        ({"user:env": "prod"}, State.OK, "user:env", "Production"),
        ({"ENV ": "prod"}, State.OK, "ENV ", "Production"),
    ],
)
def test_a_tag_is_missing_or_empty_or_not_allowed_or_ok(tags, state, key, meant):
    result = fact(ENVIRONMENT, tags)
    assert (result.state, result.key, result.meant) == (state, key, meant)


def test_of_keys_that_differ_only_by_case_the_policys_own_counts_and_the_others_are_told():
    result = fact(ENVIRONMENT, {"environment": "Staging", "Environment": "Production", "ENV": "Production"})
    assert (result.key, result.value, result.others) == ("Environment", "Production", ("environment",))


def test_an_alias_that_says_something_stands_in_for_an_empty_value():
    assert fact(ENVIRONMENT, {"Environment": "", "env": "prod"}).meant == "Production"


@pytest.mark.parametrize(
    ("case", "value", "state"),
    [
        (CaseRule.IGNORE, "STAGING", State.OK),
        (CaseRule.EXACT, "Staging", State.OK),
        (CaseRule.EXACT, "staging", State.NOT_ALLOWED),
    ],
)
def test_whether_capitals_count_is_a_rule(case, value, state):
    assert fact(Requirement("Environment", values=("Staging",), case=case), {"Environment": value}).state is state


def test_small_letters_can_be_asked_for():
    rule = Requirement("Project", case=CaseRule.LOWER)
    assert fact(rule, {"Project": "apollo"}).state is State.OK
    assert fact(rule, {"Project": "Apollo"}).state is State.NOT_ALLOWED


def test_a_pattern_must_match_the_whole_value():
    rule = Requirement("CostCenter", pattern="CC-[0-9]{4}")
    states = [fact(rule, {"CostCenter": value}).state for value in ("CC-1001", "cc-1001", "CC-10011", "x CC-1001")]
    assert states == [State.OK, State.OK, State.NOT_ALLOWED, State.NOT_ALLOWED]


def test_a_pattern_that_would_explode_elsewhere_answers_at_once():
    rule = Requirement("Project", pattern="(a+)+$")
    began = time.monotonic()
    assert fact(rule, {"Project": "a" * 900 + "!"}).state is State.NOT_ALLOWED
    assert time.monotonic() - began < 5


def test_right_to_left_and_emoji_values_are_values_like_any_other():
    rule = Requirement("Owner", values=("צוות תשלומים", "💸 Payments"))
    assert fact(rule, {"Owner": "צוות תשלומים"}).state is State.OK
    assert fact(rule, {"Owner": "💸 payments"}).state is State.OK
    assert fact(rule, {"Owner": "🦄"}).state is State.NOT_ALLOWED
    assert fact(Requirement("Owner", pattern="[^ ]+ Payments"), {"Owner": "💸 Payments"}).state is State.OK


def test_fifty_tags_of_256_characters_are_read():
    tags = {f"Key{number}": "ü" * 256 for number in range(50)}
    assert fact(Requirement("KEY49", pattern="ü+"), tags).state is State.OK


def test_a_rule_applies_to_its_providers_services_types_and_days():
    rule = Requirement("Owner", providers=("aws",), services=("EC2",), resource_types=("instance",), start=DAY)
    assert fact(rule, {}).state is State.MISSING
    assert fact(rule, {}, provider="Azure") is None
    assert fact(rule, {}, service="S3") is None
    assert fact(rule, {}, resource_type="Volume") is None
    assert fact(rule, {}, on=date(2026, 3, 30)) is None
    assert fact(Requirement("Owner", end=DAY), {}) is None


def test_many_resources_are_decided_together():
    policy = Policy((ENVIRONMENT, Requirement("CostCenter", pattern="CC-[0-9]+")))
    decided = policy.decide(
        [PolicyResource({"env": "prod", "CostCenter": "CC-1"}), PolicyResource({"CostCenter": "7"})], DAY
    )
    assert [{key: one_fact.state for key, one_fact in facts.items()} for facts in decided] == [
        {"Environment": State.OK, "CostCenter": State.OK},
        {"Environment": State.MISSING, "CostCenter": State.NOT_ALLOWED},
    ]


@settings(max_examples=50, deadline=None)
@given(
    tags=st.dictionaries(st.sampled_from(["Environment", "environment", "env", "ENV", "Owner"]), st.text(max_size=20)),
)
def test_whatever_the_tags_exactly_one_thing_is_the_case(tags):
    result = fact(ENVIRONMENT, tags)
    own = [value for key, value in tags.items() if key.lower() in ("environment", "env")]
    assert (result.state is State.MISSING) == (not own)
    assert (result.state is State.EMPTY) == (bool(own) and not any(value.strip() for value in own))


@pytest.mark.parametrize(
    ("rule", "where", "says"),
    [
        (Requirement(""), "key", "needs a key"),
        (Requirement("k" * 129), "key", "129 characters"),
        (Requirement("aws:createdBy"), "key", "written by AWS"),
        (Requirement("Owner", key_aliases=("OWNER",)), "key_aliases", "names this tag already"),
        (Requirement("Owner", values=("a",), pattern="a"), "pattern", "not both"),
        (Requirement("Owner", values=("a", "A")), "values", "twice"),
        (Requirement("Owner", values=("v" * 257,)), "values", "257 characters"),
        (Requirement("Owner", pattern="x" * 501), "pattern", "501 characters"),
        (Requirement("Owner", pattern="(a"), "pattern", "Not a regular expression"),
        (Requirement("Owner", pattern="(?=a)"), "pattern", "Not a regular expression"),
        (Requirement("Owner", pattern="((a{1000}){1000}){1000}"), "pattern", "Not a regular expression"),
        (Requirement("E", values=("Test",), value_aliases={"qa": "Quality"}), "value_aliases", "not an allowed value"),
        (Requirement("E", values=("A", "B"), value_aliases={"a": "B"}), "value_aliases", "is an allowed value itself"),
        (Requirement("E", value_aliases={"p": "Prod", "P": "Play"}), "value_aliases", "Play and Prod"),
        (Requirement("E", start=DAY, end=DAY), "end", "before it starts"),
    ],
)
def test_a_rule_that_cannot_work_says_why(rule, where, says):
    by_field = dict(problems(rule))
    assert says in by_field[where]


def test_an_alias_that_names_two_tags_is_refused():
    (conflict,) = conflicts([ENVIRONMENT, Requirement("Owner"), Requirement("Env")])
    assert "'env' would name two tags, Environment and Env" in conflict[0]


def test_two_rules_for_one_tag_may_not_hold_at_once():
    aws = Requirement("Owner", providers=("AWS",))
    assert list(conflicts([aws, Requirement("owner", providers=("Azure",))])) == []
    (conflict,) = conflicts([aws, Requirement("owner", services=("EC2",), start=DAY)])
    assert "Owner has two rules at once for provider AWS; service EC2 from 31 Mar 2026 on" in conflict[0]
    assert list(conflicts([Requirement("Owner", end=DAY), Requirement("Owner", start=DAY)])) == []


def test_the_explorer_learns_the_names_of_a_tag():
    assert Policy((ENVIRONMENT,)).aliases() == {"environment": {"environment", "env", "user:environment"}}

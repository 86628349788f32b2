"""Documents for AWS and Azure keep to their documented grammar and limits."""

import json
import re

import jsonschema
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tagging.calc import prevention
from tagging.calc.tag_policy import CaseRule, Requirement

RULES = [
    Requirement("Owner"),
    Requirement("Environment", values=("Production", "Staging"), key_aliases=("env",)),
    Requirement("CostCenter", pattern="CC-[0-9]{4}"),
    Requirement("Project", values=("apollo",), case=CaseRule.EXACT),
    Requirement("Application", required=False),
    Requirement("Subscription", providers=("Azure",)),
]
TAG_POLICY = {
    "type": "object",
    "additionalProperties": False,
    "required": ["tags"],
    "properties": {
        "tags": {
            "type": "object",
            "additionalProperties": {
                "type": "object",
                "additionalProperties": False,
                "required": ["tag_key"],
                "properties": {
                    "tag_key": {"$ref": "#/$defs/one"},
                    "tag_value": {"$ref": "#/$defs/many"},
                    "enforced_for": {"$ref": "#/$defs/many"},
                },
            },
        }
    },
    "$defs": {
        "one": {
            "type": "object",
            "additionalProperties": False,
            "required": ["@@assign"],
            "properties": {"@@assign": {"type": "string", "minLength": 1, "maxLength": 128}},
        },
        "many": {
            "type": "object",
            "additionalProperties": False,
            "required": ["@@assign"],
            "properties": {"@@assign": {"type": "array", "minItems": 1, "items": {"type": "string", "maxLength": 256}}},
        },
    },
}
TEXTS = {"type": "array", "minItems": 1, "items": {"type": "string"}}
SCP = {
    "type": "object",
    "additionalProperties": False,
    "required": ["Version", "Statement"],
    "properties": {
        "Version": {"const": "2012-10-17"},
        "Statement": {
            "type": "array",
            "items": {
                "type": "object",
                "additionalProperties": False,
                "required": ["Sid", "Effect", "Action", "Resource", "Condition"],
                "properties": {
                    "Sid": {"type": "string", "pattern": "^[A-Za-z0-9]+$"},
                    "Effect": {"const": "Deny"},
                    "Action": TEXTS,
                    "Resource": TEXTS,
                    "Condition": {
                        "type": "object",
                        "minProperties": 1,
                        "propertyNames": {
                            "enum": ["Null", "StringEquals", "StringNotEquals", "StringNotEqualsIgnoreCase"]
                        },
                    },
                },
            },
        },
    },
}
AZURE = {
    "type": "object",
    "additionalProperties": False,
    "required": ["properties"],
    "properties": {
        "properties": {
            "type": "object",
            "additionalProperties": False,
            "required": ["displayName", "policyType", "mode", "policyRule"],
            "properties": {
                "displayName": {"type": "string", "maxLength": 128},
                "description": {"type": "string", "maxLength": 512},
                "policyType": {"const": "Custom"},
                "mode": {"enum": ["All", "Indexed"]},
                "parameters": {"type": "object"},
                "policyRule": {
                    "type": "object",
                    "required": ["if", "then"],
                    "properties": {
                        "if": {
                            "type": "object",
                            "required": ["anyOf"],
                            "properties": {
                                "anyOf": {
                                    "type": "array",
                                    "items": {"type": "object", "required": ["field"], "maxProperties": 2},
                                }
                            },
                        },
                        "then": {"type": "object", "required": ["effect"]},
                    },
                },
            },
        }
    },
}
GRAMMAR = {"aws-tag-policy": TAG_POLICY, "aws-scp": SCP, "azure-policy": AZURE}


def grammar(document):
    return next(schema for name, schema in GRAMMAR.items() if document.kind.startswith(name))


def statements(rules):
    return [statement for document in prevention.scps(rules) for statement in json.loads(document.text)["Statement"]]


def test_every_document_keeps_to_its_grammar_and_its_size():
    for document in prevention.prevention_documents(RULES):
        jsonschema.validate(json.loads(document.text), grammar(document))
        assert document.fits, document.title


def test_the_tag_policy_says_spelling_and_values_and_enforces_listed_ones():
    tags = json.loads(prevention.tag_policies(RULES)[0].text)["tags"]
    assert tags["environment"]["tag_key"] == {"@@assign": "Environment"}
    assert tags["environment"]["tag_value"] == {"@@assign": ["Production", "Staging"]}
    assert "ec2:instance" in tags["environment"]["enforced_for"]["@@assign"]
    assert set(tags["owner"]) == {"tag_key"}
    assert "subscription" not in tags
    assert all(key == rule["tag_key"]["@@assign"].lower() for key, rule in tags.items())


def test_an_scp_refuses_a_missing_tag_each_by_its_own_statement():
    all_statements = statements(RULES)
    needed = [statement for statement in all_statements if statement["Sid"].startswith("Need")]
    assert {next(iter(statement["Condition"]["Null"])) for statement in needed} == {
        f"aws:RequestTag/{key}" for key in ("Owner", "Environment", "CostCenter", "Project")
    }
    assert all(
        len(statement["Condition"]["Null"]) == 1 for statement in all_statements if "Null" in statement["Condition"]
    )
    assert len({statement["Sid"] for statement in all_statements}) == len(all_statements)


def test_an_scp_refuses_values_that_are_not_allowed_by_the_case_rule():
    operators = {
        statement["Sid"]: statement["Condition"]
        for statement in statements(RULES)
        if statement["Sid"].startswith("Values")
    }
    assert "StringNotEqualsIgnoreCase" in operators["ValuesEnvironmentEC2"]
    assert operators["ValuesProjectEC2"]["StringNotEquals"] == {"aws:RequestTag/Project": ["apollo"]}


def test_a_long_policy_becomes_several_that_fit():
    rules = [Requirement(f"Key{n}", values=tuple(f"value-{n}-{v}" for v in range(20))) for n in range(30)]
    for document in [*prevention.scps(rules), *prevention.tag_policies(rules)]:
        assert document.fits
        jsonschema.validate(json.loads(document.text), grammar(document))
    all_statements = statements(rules)
    assert {statement["Sid"] for statement in all_statements if statement["Sid"].startswith("Need")} == {
        f"NeedKey{n}{where}" for n in range(30) for where in ("EC2", "Other")
    }
    assert any("more than the 5" in note for note in prevention.scps(rules)[0].notes)


def test_what_a_document_cannot_say_is_said_beside_it():
    notes = " ".join(note for document in prevention.prevention_documents(RULES) for note in document.notes)
    assert "CostCenter: a tag policy knows no patterns" in notes
    assert "CostCenter: an SCP knows no patterns" in notes
    assert "Azure's `match` is not" in notes
    odd = [Requirement("a/b"), Requirement("naïve <x>")]
    assert "a/b is left out: Azure" in " ".join(prevention.azure_policy(odd).notes)
    assert "naïve <x> is left out: AWS" in " ".join(prevention.tag_policies(odd)[0].notes)


def test_azure_asks_for_its_own_tags_and_audits_first():
    definition = json.loads(prevention.azure_policy(RULES).text)["properties"]
    fields = {condition["field"] for condition in definition["policyRule"]["if"]["anyOf"]}
    assert "tags['Subscription']" in fields
    assert "tags['Application']" not in fields
    assert definition["parameters"]["effect"]["defaultValue"] == "Audit"


@pytest.mark.parametrize(
    ("key", "field"), [("Owner", "tags['Owner']"), ("a'b", "[concat('tags[', '''', 'a''b', '''', ']')]")]
)
def test_quotes_in_a_tags_name_stay_quotes(key, field):
    assert prevention.azure_field(key) == field


@settings(max_examples=50, deadline=None)
@given(
    keys=st.lists(st.text(min_size=1, max_size=128).filter(str.strip), min_size=1, max_size=12, unique_by=str.casefold),
    values=st.lists(st.text(min_size=1, max_size=60), max_size=10, unique_by=str.casefold),
)
def test_whatever_the_policy_the_documents_are_valid(keys, values):
    for document in prevention.prevention_documents([Requirement(key, values=tuple(values)) for key in keys]):
        parsed = json.loads(document.text)
        jsonschema.validate(parsed, grammar(document))
        if document.kind.startswith("aws-scp"):
            assert document.fits
            assert all(re.fullmatch(r"[A-Za-z0-9]+", statement["Sid"]) for statement in parsed["Statement"])

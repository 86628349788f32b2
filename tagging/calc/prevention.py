"""Documents that keep untagged resources from being made, generated from the tag policy. Pure: no Django.

Grammar and limits: AWS Organizations user guide, "Tag policy syntax and examples", "Example SCPs for tagging resources"
and "Quotas" (an SCP has at most 5,120 bytes, a tag policy 10,000 characters, five SCPs fit one account or unit); IAM
user guide, "Multiple keys or values in a condition"; Azure Policy, "definition structure" and "tag governance". What a
document cannot express is written beside it, in `notes`.
"""

import json
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from costs.calc.providers import AWS, AZURE, provider_name
from finops_site.lib.language import gettext as _
from tagging.calc.tag_policy import CaseRule, Requirement

SCP_BYTES = 5_120
TAG_POLICY_CHARACTERS = 10_000
SCPS_OF_A_TARGET = 5
AZURE_NAME = 128
AZURE_DESCRIPTION = 512
# Keys of AWS: letters, digits and spaces of any script and + - = . _ : / @.
AWS_KEY = re.compile(r"[\w .:/=+\-@]{1,128}\Z")
AZURE_FORBIDDEN = set("<>%&\\?/")
AZURE_KEY = 512

# What may be made with tags in the request itself (service authorization reference: `aws:RequestTag` on the action).
# Services that tag in a second step are left out: a rule for them would forbid them altogether.
CREATED: dict[str, tuple[tuple[str, ...], tuple[str, ...], tuple[str, ...]]] = {
    # name: (actions, resources, resource types of a tag policy)
    "EC2": (
        ("ec2:RunInstances", "ec2:CreateVolume"),
        ("arn:aws:ec2:*:*:instance/*", "arn:aws:ec2:*:*:volume/*"),
        ("ec2:instance", "ec2:volume"),
    ),
    "Other": (
        (
            "rds:CreateDBInstance",
            "rds:CreateDBCluster",
            "dynamodb:CreateTable",
            "elasticfilesystem:CreateFileSystem",
            "eks:CreateCluster",
            "secretsmanager:CreateSecret",
        ),
        ("*",),
        ("rds:db", "rds:cluster", "dynamodb:table", "elasticfilesystem:file-system", "secretsmanager:secret"),
    ),
}


@dataclass(frozen=True, slots=True)
class Document:
    """A file for a provider: its text, and what it leaves out."""

    kind: str
    title: str
    text: str
    limit: int
    notes: tuple[str, ...] = ()

    @property
    def size(self) -> int:
        """In bytes, as the provider counts it when it is uploaded as it is."""
        return len(self.text.encode())

    @property
    def fits(self) -> bool:
        return self.size <= self.limit


def prevention_documents(requirements: Sequence[Requirement]) -> list[Document]:
    """Everything that can be made of the rules in force: the tag policy, the SCPs and the Azure Policy."""
    return [*tag_policies(requirements), *scps(requirements), azure_policy(requirements)]


def _of_provider(requirements: Iterable[Requirement], provider: str) -> list[Requirement]:
    """The rules of a provider; of two for one tag the first."""
    rules: dict[str, Requirement] = {}
    for rule in requirements:
        if not rule.providers or provider in map(provider_name, rule.providers):
            rules.setdefault(rule.key.casefold(), rule)
    return list(rules.values())


def _scoped(rules: Iterable[Requirement]) -> Iterator[str]:
    for rule in rules:
        if rule.services or rule.resource_types:
            yield _(
                "{key} is required of every resource here: documents do not know services as bills name them."
            ).format(key=rule.key)


def tag_policies(requirements: Sequence[Requirement]) -> list[Document]:
    """AWS Organizations tag policies: spelling and allowed values of every tag, enforced where values are listed."""
    rules = [rule for rule in _of_provider(requirements, AWS) if AWS_KEY.match(rule.key)]
    notes = [*_scoped(rules), *_tag_policy_notes(requirements, rules)]
    parts = _split_by_size({rule.key.lower(): _tag_policy_rule(rule) for rule in rules})
    return [
        Document(
            kind=_numbered("aws-tag-policy", number, len(parts)),
            title=_title("AWS Organizations tag policy", number, len(parts)),
            text=_text({"tags": part}),
            limit=TAG_POLICY_CHARACTERS,
            notes=tuple(notes),
        )
        for number, part in enumerate(parts, 1)
    ]


def _title(name: str, number: int, of: int) -> str:
    return _("{name}, part {number}").format(name=name, number=number) if of > 1 else name


def _numbered(name: str, number: int, of: int) -> str:
    return f"{name}-{number}" if of > 1 else name


def _tag_policy_rule(rule: Requirement) -> dict[str, Any]:
    entry: dict[str, Any] = {"tag_key": {"@@assign": rule.key}}
    values = [value for value in rule.values if value and "*" not in value]
    if values:
        entry["tag_value"] = {"@@assign": values}
    if rule.required and values:
        entry["enforced_for"] = {"@@assign": [name for _ignored, _ignored, types in CREATED.values() for name in types]}
    return entry


def _tag_policy_notes(requirements: Sequence[Requirement], rules: Sequence[Requirement]) -> Iterator[str]:
    for rule in _of_provider(requirements, AWS):
        if rule not in rules:
            yield _("{key} is left out: AWS has no tag of this name.").format(key=rule.key)
    for rule in rules:
        if rule.pattern:
            yield _(
                "{key}: a tag policy knows no patterns; any value passes here; wrong ones appear on our pages."
            ).format(key=rule.key)
        if any("*" in value for value in rule.values):
            yield _("{key}: values with a star are left out, for a tag policy would read the star as anything.").format(
                key=rule.key
            )


def _split_by_size(entries: dict[str, dict[str, Any]]) -> list[dict[str, Any]]:
    """The entries in as many parts as the size limit asks for; one empty part where there is nothing."""
    parts: list[dict[str, Any]] = [{}]
    for key, entry in entries.items():
        if parts[-1] and len(_text({"tags": {**parts[-1], key: entry}}).encode()) > TAG_POLICY_CHARACTERS:
            parts.append({})
        parts[-1][key] = entry
    return parts


def scps(requirements: Sequence[Requirement]) -> list[Document]:
    """Service control policies that refuse to create what lacks a required tag, or has a value that is not allowed.

    One statement for each tag: conditions inside a statement must all hold, and one missing tag is enough to refuse.
    """
    rules = [rule for rule in _of_provider(requirements, AWS) if rule.required and AWS_KEY.match(rule.key)]
    parts: list[list[dict[str, Any]]] = [[]]
    for statement in (statement for rule in rules for statement in _statements(rule)):
        if parts[-1] and len(_scp_text([*parts[-1], statement]).encode()) > SCP_BYTES:
            parts.append([])
        parts[-1].append(statement)
    notes = [
        _("Test it on one account first: what tags its resources in a second step is refused."),
        *_scoped(rules),
        *(
            _("{key}: an SCP knows no patterns; it checks for the key alone.").format(key=rule.key)
            for rule in rules
            if rule.pattern
        ),
    ]
    if len(parts) > SCPS_OF_A_TARGET:
        notes.append(
            _("{count} policies are more than the {most} that fit one account or unit.").format(
                count=len(parts), most=SCPS_OF_A_TARGET
            )
        )
    return [
        Document(
            kind=_numbered("aws-scp", number, len(parts)),
            title=_title("AWS service control policy", number, len(parts)),
            text=_scp_text(part),
            limit=SCP_BYTES,
            notes=tuple(notes),
        )
        for number, part in enumerate(parts, 1)
    ]


def _statements(rule: Requirement) -> Iterator[dict[str, Any]]:
    tag = f"aws:RequestTag/{rule.key}"
    for where, (actions, resources, _ignored) in CREATED.items():
        place = {"Action": list(actions), "Resource": list(resources)}
        yield {"Sid": _sid("Need", rule.key, where), "Effect": "Deny", **place, "Condition": {"Null": {tag: "true"}}}
        if rule.values:
            # A negated operator alone would hold for a missing key too; the statement above says so more clearly.
            operator = "StringNotEqualsIgnoreCase" if rule.case is CaseRule.IGNORE else "StringNotEquals"
            condition = {operator: {tag: list(rule.values)}, "Null": {tag: "false"}}
            yield {"Sid": _sid("Values", rule.key, where), "Effect": "Deny", **place, "Condition": condition}
        elif not rule.pattern:
            condition = {"StringEquals": {tag: ""}}
            yield {"Sid": _sid("Empty", rule.key, where), "Effect": "Deny", **place, "Condition": condition}


def _sid(verb: str, key: str, where: str) -> str:
    """A statement id: letters and digits of ASCII only, unlike keys."""
    letters = re.sub(r"[^A-Za-z0-9]", "", key) or key.encode().hex()
    return f"{verb}{letters}{where}"


def _scp_text(statements: Sequence[dict[str, Any]]) -> str:
    # Without blanks: they count when it is uploaded by the command line.
    document = {"Version": "2012-10-17", "Statement": list(statements)}
    return json.dumps(document, separators=(",", ":"), ensure_ascii=False)


def azure_policy(requirements: Sequence[Requirement]) -> Document:
    """An Azure Policy definition that refuses resources without a required tag; the effect is a parameter."""
    required = [rule for rule in _of_provider(requirements, AZURE) if rule.required]
    rules = [rule for rule in required if not set(rule.key) & AZURE_FORBIDDEN and len(rule.key) <= AZURE_KEY]
    conditions = [condition for rule in rules for condition in _azure_conditions(rule)]
    notes = [
        *_scoped(rules),
        *(
            _("{key} is left out: Azure allows none of < > % & \\ ? / in a tag's name.").format(key=rule.key)
            for rule in required
            if rule not in rules
        ),
        *(
            _("{key}: the pattern is left out, Azure's `match` is not a regular expression.").format(key=rule.key)
            for rule in rules
            if rule.pattern
        ),
    ]
    definition = {
        "properties": {
            "displayName": "Require the tags of the tag policy"[:AZURE_NAME],
            "description": f"Resources need {', '.join(rule.key for rule in rules) or 'no tag'}."[:AZURE_DESCRIPTION],
            "policyType": "Custom",
            # Indexed: only what supports tags and a location is looked at.
            "mode": "Indexed",
            "parameters": {
                "effect": {
                    "type": "String",
                    "allowedValues": ["Audit", "Deny", "Disabled"],
                    "defaultValue": "Audit",
                    "metadata": {"displayName": "Effect", "description": "Audit first, then deny."},
                }
            },
            "policyRule": {"if": {"anyOf": conditions}, "then": {"effect": "[parameters('effect')]"}},
        }
    }
    return Document("azure-policy", "Azure Policy", _text(definition), 1_048_576, tuple(notes))


def _azure_conditions(rule: Requirement) -> Iterator[dict[str, Any]]:
    tag = azure_field(rule.key)
    yield {"field": tag, "exists": "false"}
    if rule.values:
        yield {"field": tag, "notIn": list(rule.values)}
    else:
        yield {"field": tag, "equals": ""}


def azure_field(key: str) -> str:
    """The alias of a tag; quotes and brackets in its name are written as Azure's functions want them."""
    if "'" in key or "]" in key or "[" in key:
        inner = key.replace("'", "''")
        return f"[concat('tags[', '''', '{inner}', '''', ']')]"
    return f"tags['{key}']"


def _text(document: dict[str, Any]) -> str:
    return json.dumps(document, indent=2, ensure_ascii=False)

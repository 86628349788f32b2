"""Which resources belong together, by their ids, names and tags, and which value a misspelling means. Pure."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

STACK_KEYS = (
    "aws:cloudformation:stack-name",
    "aws:cloudformation:stack-id",
    "elasticbeanstalk:environment-name",
    "aws:autoscaling:groupname",
    "aws:ecs:clustername",
    "eks:cluster-name",
    "aws:eks:cluster-name",
    "app.kubernetes.io/part-of",
    "app.kubernetes.io/instance",
    "kubernetes_namespace",
    "k8s-namespace",
    "aks-managed-cluster-name",
    "goog-k8s-cluster-name",
    "resourcegroup",
    "resource-group",
)
CLUSTER_PREFIX = "kubernetes.io/cluster/"
AZURE_GROUP = re.compile(r"/resourcegroups/([^/]+)", re.I)
REFERENCE = re.compile(
    r"(?<![a-z0-9])(?:i|vol|snap|ami|eni|eipalloc|nat|lb|tgw|fs|subnet)-([0-9a-f]{8,40})(?![0-9a-z])"
)
SEPARATORS = re.compile(r"[-_./: ]+")
# Words of a name that say which part of a thing it is, not whose it is.
PARTS = {"data", "vol", "volume", "root", "snap", "snapshot", "backup", "disk", "eni", "lb", "alb", "nlb", "tg", "sg"}


@dataclass(frozen=True, slots=True)
class ResourceTags:
    """A resource as suggestions look at it.

    `tags` are as delivered, `values` what those that are right mean, `wrong` the current values of the tags that are
    not (empty when missing), `team` the team that the ownership rules name.
    """

    key: str
    provider: str = ""
    account: str = ""
    resource: str = ""
    name: str = ""
    team: str = ""
    tags: Mapping[str, str | None] = field(default_factory=dict)
    values: Mapping[str, str] = field(default_factory=dict)
    wrong: Mapping[str, str] = field(default_factory=dict)


def stem(name: str) -> str:
    """The part of a name that siblings share: without its numbers, hashes and which part of a thing it is.

    ``checkout-011-data`` and ``checkout-012`` have the stem ``checkout``.
    """
    words = [word for word in SEPARATORS.split(name.strip().lower()) if word]
    return "-".join(word for word in words if word not in PARTS and not any(sign.isdigit() for sign in word))


def short_name(resource: ResourceTags) -> str:
    """What people call it: its name, else the last part of its id."""
    return resource.name or re.split(r"[/:]", resource.resource)[-1]


def stack(resource: ResourceTags) -> str:
    """The stack, cluster or resource group it was created in, by its tags or its id; empty when they name none."""
    place = f"{resource.provider}/{resource.account}"
    folded = {key.lower().removeprefix("user:"): (value or "") for key, value in resource.tags.items()}
    for key in STACK_KEYS:
        if folded.get(key):
            return f"{place}/{folded[key]}"
    clusters = sorted(key.removeprefix(CLUSTER_PREFIX) for key in folded if key.startswith(CLUSTER_PREFIX))
    if clusters and clusters[0]:
        return f"{place}/{clusters[0]}"
    group = AZURE_GROUP.search(resource.resource)
    return f"{place}/{group.group(1).lower()}" if group else ""


def handles(resource: ResourceTags) -> set[str]:
    """What others may refer to it by: its id, the hash of its id, its name."""
    names = (resource.resource.lower(), *_hashes(resource.resource), "-".join(_words(resource.name)))
    return {name for name in names if name}


def references(resource: ResourceTags) -> set[str]:
    """Handles of what it belongs to: hashes in its id, name and tags, and its name without the last words."""
    values = [value or "" for value in resource.tags.values()]
    marks = {mark for text in (resource.resource, resource.name, *values) for mark in _hashes(text)}
    marks |= {value.lower() for value in values if value.lower().startswith("arn:")}
    words = _words(short_name(resource))
    return marks | {"-".join(words[:count]) for count in range(max(1, len(words) - 2), len(words)) if count > 1}


def _hashes(text: str) -> list[str]:
    return REFERENCE.findall(text.lower())


def _words(name: str) -> list[str]:
    return [word for word in SEPARATORS.split(name.lower()) if word]


def distance(one: str, other: str, most: int) -> int:
    """Edits (insert, delete, replace, swap of neighbours) from one text to the other; `most` + 1 for anything more."""
    if abs(len(one) - len(other)) > most:
        return most + 1
    before: list[int] = []
    row = list(range(len(other) + 1))
    for i, left in enumerate(one, 1):
        last, row, before = before, [i], row
        for j, right in enumerate(other, 1):
            cost = min(before[j] + 1, row[j - 1] + 1, before[j - 1] + (left != right))
            if i > 1 and j > 1 and left == other[j - 2] and one[i - 2] == right:
                cost = min(cost, last[j - 2] + 1)
            row.append(cost)
        if min(row) > most:
            return most + 1
    return min(row[-1], most + 1)


def closest_value(text: str, allowed: Iterable[str]) -> tuple[str, int] | None:
    """The one allowed value that a text most likely means and its edit distance; None where two are equally near.

    Up to a quarter of its letters may be wrong, three at most; a value that begins with it (``prod``, ``Production``)
    counts as one edit.
    """
    text = text.strip().casefold()
    most = min(3, max(1, len(text) // 4))
    candidates = []
    for value in allowed:
        folded = value.casefold()
        begins = len(text) >= 3 and (folded.startswith(text) or text.startswith(folded))
        edits = 1 if begins and folded != text else distance(text, folded, most)
        if edits <= most:
            candidates.append((edits, value))
    candidates.sort()
    if not candidates or (len(candidates) > 1 and candidates[0][0] == candidates[1][0]):
        return None
    edits, value = candidates[0]
    return value, edits

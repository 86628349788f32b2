"""What a tag should say, judged by a resource's kin. Pure: no Django.

Each kind of evidence puts resources into groups (same stack, same name prefix, same account, ...). Within a group the
delivered tags vote; a tag that we set ourselves never does, or our own guesses would confirm each other. Of `agree`
votes for a value among `total`, the confidence is the lower bound of Wilson's interval at 90 % (one-sided): "with 90 %
certainty at least this share of such resources says so". Kinds that are close to a fact (a volume and its machine)
begin with some votes in favour, see PRIOR. What people accepted or refused before votes too, each once. The strongest
kind decides; kinds are not multiplied, because they are not independent.

E. B. Wilson, "Probable inference, the law of succession, and statistical inference", JASA 22 (1927), 209-212.
"""

import math
import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import ROUND_DOWN, Decimal

Z = 1.2815515655446004
SPELLING, RELATED, STACK, BOOKS, FOLLOWS, NAME, ACCOUNT = (
    "spelling",
    "related",
    "stack",
    "books",
    "follows",
    "name",
    "account",
)
# Votes that a kind of evidence begins with: it is right more often than a count of its few kin could show.
PRIOR = {SPELLING: 20, RELATED: 20, STACK: 6, BOOKS: 30, FOLLOWS: 0, NAME: 0, ACCOUNT: 0}
# On equal confidence the more telling evidence is shown first.
RANK = {kind: number for number, kind in enumerate((RELATED, STACK, SPELLING, BOOKS, FOLLOWS, NAME, ACCOUNT))}
LEAST = Decimal("0.05")
# A name that so many resources share relates nobody.
MOST_RELATED = 50
MOST_ALTERNATIVES = 3
# What usually follows from what, asked in this order: from who owns it, to which team, to what finance books it on.
CHAIN = ("Owner", "Team", "CostCenter", "Project", "Environment")

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
HASHED = "i|vol|snap|ami|eni|eipalloc|nat|lb|tgw|fs|subnet"
REFERENCE = re.compile(rf"(?<![a-z0-9])(?:{HASHED})-([0-9a-f]{{8,40}})(?![0-9a-z])")
SEPARATORS = re.compile(r"[-_./: ]+")
# Words of a name that say which part of a thing it is, not whose it is.
PARTS = {"data", "vol", "volume", "root", "snap", "snapshot", "backup", "disk", "eni", "lb", "alb", "nlb", "tg", "sg"}


@dataclass(frozen=True, slots=True)
class ResourceTags:
    """A resource as suggestions see it: `tags` as delivered, `says` what those that are right mean, `wrong` the rest.

    `said` is what a wrong tag holds now (empty when missing); `team` the team that our ownership rules name.
    """

    key: str
    provider: str = ""
    account: str = ""
    resource: str = ""
    name: str = ""
    team: str = ""
    tags: Mapping[str, str | None] = field(default_factory=dict)
    says: Mapping[str, str] = field(default_factory=dict)
    wrong: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Evidence:
    """One reason for a value: `agree` of `total` votes of a group, and the confidence that this gives."""

    kind: str
    group: str
    agree: int
    total: int
    confidence: Decimal
    words: str


@dataclass(frozen=True, slots=True)
class Proposal:
    """The value a tag of a resource should have, the reasons for it, and what else was thought of."""

    key: str
    tag: str
    value: str
    evidence: tuple[Evidence, ...]
    alternatives: tuple[tuple[str, Decimal], ...] = ()

    @property
    def confidence(self) -> Decimal:
        return self.evidence[0].confidence

    @property
    def kind(self) -> str:
        return self.evidence[0].kind


Pattern = tuple[str, str, str, str]


@dataclass(frozen=True, slots=True)
class PastDecisions:
    """What people answered before: refused (resource, tag, value), and how often each (kind, group, tag, value) was
    accepted and refused."""

    refused: frozenset[tuple[str, str, str]] = frozenset()
    accepted: Mapping[Pattern, int] = field(default_factory=dict)
    declined: Mapping[Pattern, int] = field(default_factory=dict)


def wilson(agree: int, total: int) -> Decimal:
    """Lower bound of the share that agrees, one-sided at 90 %, to four digits; 0 where there is nobody to ask."""
    if total <= 0 or agree <= 0:
        return Decimal(0)
    share, z2 = agree / total, Z * Z
    spread = Z * math.sqrt(share * (1 - share) / total + z2 / (4 * total * total))
    bound = (share + z2 / (2 * total) - spread) / (1 + z2 / total)
    return Decimal(str(max(bound, 0.0))).quantize(Decimal("0.0001"), ROUND_DOWN)


def stem(name: str) -> str:
    """The part of a name that siblings share: without its numbers, hashes and which part of a thing it is.

    ``checkout-011-data`` and ``checkout-012`` have the stem ``checkout``.
    """
    words = [word for word in SEPARATORS.split(name.strip().lower()) if word]
    kept = [word for word in words if word not in PARTS and not any(sign.isdigit() for sign in word)]
    return "-".join(kept)


def short_name(one: ResourceTags) -> str:
    """What people call it: its name, else the last part of its id."""
    return one.name or re.split(r"[/:]", one.resource)[-1]


def stack(one: ResourceTags) -> str:
    """The stack, cluster or resource group it was made in, as its tags or its id say; empty when they do not."""
    folded = {key.lower().removeprefix("user:"): (value or "") for key, value in one.tags.items()}
    for key in STACK_KEYS:
        if folded.get(key):
            return f"{one.provider}/{one.account}/{folded[key]}"
    cluster = next((key for key in sorted(folded) if key.startswith(CLUSTER_PREFIX)), "")
    group = AZURE_GROUP.search(one.resource)
    found = cluster.removeprefix(CLUSTER_PREFIX) or (group.group(1).lower() if group else "")
    return f"{one.provider}/{one.account}/{found}" if found else ""


def names_of(one: ResourceTags) -> set[str]:
    """The handles others may know it by: its id, the hash of its id, its name."""
    return {handle for handle in (one.resource.lower(), *_hashes(one.resource), _plain(one.name)) if handle}


def pointers(one: ResourceTags) -> set[str]:
    """Handles of what it belongs to: hashes in its id, name and tags, and its name without the last words."""
    texts = [one.resource, one.name, *(value or "" for value in one.tags.values())]
    found = {mark for text in texts for mark in _hashes(text)}
    found |= {(value or "").lower() for value in one.tags.values() if (value or "").lower().startswith("arn:")}
    words = [word for word in SEPARATORS.split(_plain(short_name(one))) if word]
    found |= {"-".join(words[:count]) for count in range(max(1, len(words) - 2), len(words)) if count > 1}
    return found


def _hashes(text: str) -> list[str]:
    return REFERENCE.findall(text.lower())


def _plain(name: str) -> str:
    return "-".join(word for word in SEPARATORS.split(name.lower()) if word)


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


def closest_value(said: str, allowed: Iterable[str]) -> tuple[str, int] | None:
    """The one allowed value that `said` most likely means and how many edits away it is; None where two are as near.

    Up to a quarter of its letters may be wrong, three at most; a value that begins with it (``prod``, ``Production``)
    counts as one edit.
    """
    text = said.strip().casefold()
    most = min(3, max(1, len(text) // 4))
    found = []
    for value in allowed:
        folded = value.casefold()
        begins = len(text) >= 3 and (folded.startswith(text) or text.startswith(folded))
        edits = 1 if begins and folded != text else distance(text, folded, most)
        if edits <= most:
            found.append((edits, value))
    found.sort()
    if not found or (len(found) > 1 and found[0][0] == found[1][0]):
        return None
    return found[0][1], found[0][0]


class _Votes:
    """Who says what: {(kind, group, tag): {value: resources}}."""

    def __init__(self, learnt: PastDecisions) -> None:
        self.counts: dict[tuple[str, str, str], Counter[str]] = defaultdict(Counter)
        self.learnt = learnt

    def count(self, kind: str, group: str, says: Mapping[str, str]) -> None:
        for tag, value in says.items():
            self.counts[kind, group, tag][value] += 1

    def evidence(self, kind: str, group: str, tag: str, words: str, sure: Decimal) -> Iterator[tuple[str, Evidence]]:
        """(value, evidence) for every value of the group; `sure` is how sure we are of the group itself."""
        counts = self.counts.get((kind, group, tag))
        for value in counts or ():
            yield value, self.of(kind, group, tag, value, counts or Counter(), words, sure)

    def of(
        self, kind: str, group: str, tag: str, value: str, counts: Counter[str], words: str, sure: Decimal = Decimal(1)
    ) -> Evidence:
        pattern = (kind, group, tag, value)
        accepted, declined = self.learnt.accepted.get(pattern, 0), self.learnt.declined.get(pattern, 0)
        agree, total = counts[value], sum(counts.values())
        bound = wilson(agree + accepted + PRIOR[kind], total + accepted + declined + PRIOR[kind])
        if accepted or declined:
            words = f"{words}; accepted {accepted} and refused {declined} times before"
        return Evidence(kind, group, agree, total, (bound * sure).quantize(Decimal("0.0001"), ROUND_DOWN), words)


def groups_of(one: ResourceTags) -> Iterator[tuple[str, str, str]]:
    """(kind, group, what the group is called) of the kinds that need nobody else to be known."""
    made = stack(one)
    if made:
        yield STACK, made, f"in the stack {made.rsplit('/', 1)[-1]}"
    called = stem(short_name(one))
    if called:
        yield NAME, called, f"named {called}…"
        if one.account:
            yield NAME, f"{called}@{one.account}", f"named {called}… in account {one.account}"
        head = called.split("-")[0]
        if head != called and len(head) > 2:
            yield NAME, head, f"whose names begin with {head}"
    if one.account:
        yield ACCOUNT, f"{one.provider}/{one.account}", f"in account {one.account}"


def suggest(
    resources: Sequence[ResourceTags],
    *,
    allowed: Mapping[str, Sequence[str]] | None = None,
    cost_centers: Mapping[str, str] | None = None,
    learnt: PastDecisions | None = None,
) -> list[Proposal]:
    """A proposal for every wrong tag that has evidence; `allowed` are the policy's values of a tag (none: any).

    `cost_centers` are those our own directory knows for teams. Time grows with resources x tags, not with their pairs.
    """
    return _Judge(resources, allowed or {}, cost_centers or {}, learnt or PastDecisions()).proposals()


class _Judge:
    def __init__(
        self,
        resources: Sequence[ResourceTags],
        allowed: Mapping[str, Sequence[str]],
        cost_centers: Mapping[str, str],
        learnt: PastDecisions,
    ) -> None:
        self.resources, self.allowed, self.cost_centers, self.learnt = resources, allowed, cost_centers, learnt
        self.votes = _Votes(learnt)
        self.known: dict[str, list[ResourceTags]] = defaultdict(list)
        for one in resources:
            self._count(one)

    def _count(self, one: ResourceTags) -> None:
        for handle in names_of(one):
            self.known[handle].append(one)
        for kind, group, _ in groups_of(one):
            self.votes.count(kind, group, one.says)
        for place, source in enumerate(CHAIN):
            if source in one.says:
                following = {tag: one.says[tag] for tag in CHAIN[place + 1 :] if tag in one.says}
                self.votes.count(FOLLOWS, f"{source}={one.says[source]}", following)

    def proposals(self) -> list[Proposal]:
        return [found for one in self.resources if one.wrong for found in self._of(one)]

    def _of(self, one: ResourceTags) -> Iterator[Proposal]:
        """Tags in the order in which they follow from each other: what is proposed for Owner helps to find the Team."""
        believed = {tag: (value, Decimal(1)) for tag, value in one.says.items()}
        related = self._related(one)
        order = sorted(one.wrong, key=lambda tag: (CHAIN.index(tag) if tag in CHAIN else len(CHAIN), tag))
        for tag in order:
            found = self._propose(one, tag, related, believed)
            if found:
                believed[tag] = (found.value, found.confidence)
                yield found

    def _propose(
        self, one: ResourceTags, tag: str, related: Sequence[ResourceTags], believed: Mapping[str, tuple[str, Decimal]]
    ) -> Proposal | None:
        by_value: dict[str, list[Evidence]] = defaultdict(list)
        for value, evidence in self._evidence(one, tag, related, believed):
            if self._may(one, tag, value) and evidence.confidence >= LEAST:
                by_value[value].append(evidence)
        for reasons in by_value.values():
            reasons.sort(key=lambda reason: (-reason.confidence, RANK[reason.kind], reason.group))
        ranked = sorted(by_value, key=lambda value: (-by_value[value][0].confidence, value))
        if not ranked:
            return None
        others = [(value, by_value[value][0].confidence) for value in ranked[1 : 1 + MOST_ALTERNATIVES]]
        return Proposal(one.key, tag, ranked[0], tuple(by_value[ranked[0]]), tuple(others))

    def _may(self, one: ResourceTags, tag: str, value: str) -> bool:
        allowed = self.allowed.get(tag)
        return bool(value) and (one.key, tag, value) not in self.learnt.refused and (not allowed or value in allowed)

    def _evidence(
        self, one: ResourceTags, tag: str, related: Sequence[ResourceTags], believed: Mapping[str, tuple[str, Decimal]]
    ) -> Iterator[tuple[str, Evidence]]:
        yield from self._by_spelling(one, tag)
        yield from self._by_relation(tag, related)
        yield from self._by_books(one, tag, believed)
        for kind, group, words in groups_of(one):
            yield from self.votes.evidence(kind, group, tag, f"resources {words}", Decimal(1))
        for source in CHAIN:
            if source in believed and source != tag:
                value, sure = believed[source]
                words = f"resources with {source} {value}"
                yield from self.votes.evidence(FOLLOWS, f"{source}={value}", tag, words, sure)

    def _by_spelling(self, one: ResourceTags, tag: str) -> Iterator[tuple[str, Evidence]]:
        said = one.wrong[tag]
        found = closest_value(said, self.allowed.get(tag, ())) if said else None
        if found:
            value, edits = found
            # Each edit costs as much as a vote against.
            counts = Counter({value: 0, said: edits})
            words = f"{said!r} is {value!r} spelt otherwise"
            yield value, self.votes.of(SPELLING, said.casefold(), tag, value, counts, words)

    def _related(self, one: ResourceTags) -> list[ResourceTags]:
        found: dict[str, ResourceTags] = {}
        for handle in sorted(pointers(one) | names_of(one)):
            kin = self.known.get(handle, [])
            if len(kin) <= MOST_RELATED:
                found |= {other.key: other for other in kin if other.key != one.key and other.provider == one.provider}
        return list(found.values())

    def _by_relation(self, tag: str, related: Sequence[ResourceTags]) -> Iterator[tuple[str, Evidence]]:
        counts = Counter(other.says[tag] for other in related if tag in other.says)
        for value in counts:
            name = next(short_name(other) for other in related if other.says.get(tag) == value)
            yield value, self.votes.of(RELATED, name, tag, value, counts, f"{name}, which it belongs to")

    def _by_books(
        self, one: ResourceTags, tag: str, believed: Mapping[str, tuple[str, Decimal]]
    ) -> Iterator[tuple[str, Evidence]]:
        """What finance has written down: the team our rules name, and the cost centre of a team."""
        if tag == "Team" and one.team:
            words = f"our ownership rules give it to {one.team}"
            yield one.team, self.votes.of(BOOKS, f"team {one.team}", tag, one.team, Counter(), words)
        if tag == "CostCenter":
            team, sure = believed.get("Team", (one.team, Decimal(1)))
            if self.cost_centers.get(team):
                center = self.cost_centers[team]
                words = f"the cost centre of {team}"
                yield center, self.votes.of(BOOKS, f"cost centre {team}", tag, center, Counter(), words, sure)

"""Which value a missing or wrong tag should have, judging by similar resources. Pure: no Django.

Each kind of evidence puts resources into groups (same stack, same name prefix, same account, ...). Within a group the
delivered tags vote; a tag that we set ourselves never does, or our own guesses would confirm each other. Of `agree`
votes for a value among `total`, the confidence is the lower bound of Wilson's interval at 90 % (one-sided): "with 90 %
certainty at least this share of such resources has this value". Kinds that are close to a fact (a volume and its
machine) begin with some votes in favour, see PRIOR. What people accepted or refused before votes too, each once. The
strongest kind decides; kinds are not multiplied, because they are not independent.

E. B. Wilson, "Probable inference, the law of succession, and statistical inference", JASA 22 (1927), 209-212.
"""

import math
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import ROUND_DOWN, Decimal

from finops_site.lib.language import gettext as _
from tagging.calc.resource_names import ResourceTags, closest_value, handles, references, short_name, stack, stem

Z = 1.2815515655446004
SPELLING, RELATED, STACK, BOOKS = "spelling", "related", "stack", "books"
FOLLOWS, NAME, ACCOUNT = "follows", "name", "account"
# Votes that a kind of evidence begins with: it is right more often than a count of a few resources could show.
PRIOR = {SPELLING: 20, RELATED: 20, STACK: 6, BOOKS: 30, FOLLOWS: 0, NAME: 0, ACCOUNT: 0}
# On equal confidence the more telling evidence is shown first.
RANK = {kind: number for number, kind in enumerate((RELATED, STACK, SPELLING, BOOKS, FOLLOWS, NAME, ACCOUNT))}
LEAST = Decimal("0.05")
# A name that so many resources share relates none of them.
MOST_RELATED = 50
MOST_ALTERNATIVES = 3
# What usually follows from what, in this order: from who owns it, to which team, to what finance books it on.
CHAIN = ("Owner", "Team", "CostCenter", "Project", "Environment")
PLACES = Decimal("0.0001")


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
    """The value that a tag of a resource should have, the evidence for it, and other values with evidence."""

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
    """What people decided before: refused (resource, tag, value), and how often each (kind, group, tag, value) was
    accepted and refused."""

    refused: frozenset[tuple[str, str, str]] = frozenset()
    accepted: Mapping[Pattern, int] = field(default_factory=dict)
    declined: Mapping[Pattern, int] = field(default_factory=dict)


def wilson(agree: int, total: int) -> Decimal:
    """Lower bound of the share that agrees, one-sided at 90 %, to four digits; 0 where there are no votes."""
    if total <= 0 or agree <= 0:
        return Decimal(0)
    share, z2 = agree / total, Z * Z
    spread = Z * math.sqrt(share * (1 - share) / total + z2 / (4 * total * total))
    bound = (share + z2 / (2 * total) - spread) / (1 + z2 / total)
    return Decimal(str(max(bound, 0.0))).quantize(PLACES, ROUND_DOWN)


def groups_of(resource: ResourceTags) -> Iterator[tuple[str, str, str]]:
    """(kind, group, what the group is called) of the kinds that need no other resource to be known."""
    if group := stack(resource):
        yield STACK, group, _("resources in the stack {stack}").format(stack=group.rsplit("/", 1)[-1])
    if name := stem(short_name(resource)):
        yield NAME, name, _("resources named {name}…").format(name=name)
        if resource.account:
            words = _("resources named {name}… in account {account}").format(name=name, account=resource.account)
            yield NAME, f"{name}@{resource.account}", words
        head = name.split("-")[0]
        if head != name and len(head) > 2:
            yield NAME, head, _("resources whose names begin with {head}").format(head=head)
    if resource.account:
        words = _("resources in account {account}").format(account=resource.account)
        yield ACCOUNT, f"{resource.provider}/{resource.account}", words


def suggest_values(
    resources: Sequence[ResourceTags],
    *,
    allowed: Mapping[str, Sequence[str]] | None = None,
    cost_centers: Mapping[str, str] | None = None,
    past: PastDecisions | None = None,
) -> list[Proposal]:
    """A proposal for every wrong tag that has evidence; `allowed` are the policy's values of a tag (none: any).

    `cost_centers` are those our own directory has for teams. Time grows with resources x tags, not with their pairs.
    """
    engine = _Suggestions(resources, allowed or {}, cost_centers or {}, past or PastDecisions())
    return [proposal for resource in resources if resource.wrong for proposal in engine.proposals(resource)]


class _Votes:
    """How many resources of a group have each value: {(kind, group, tag): {value: resources}}."""

    def __init__(self, past: PastDecisions) -> None:
        self.counts: dict[tuple[str, str, str], Counter[str]] = defaultdict(Counter)
        self.past = past

    def add(self, kind: str, group: str, values: Mapping[str, str]) -> None:
        for tag, value in values.items():
            self.counts[kind, group, tag][value] += 1

    def evidence(
        self, kind: str, group: str, tag: str, words: str, certainty: Decimal
    ) -> Iterator[tuple[str, Evidence]]:
        """(value, evidence) for every value of the group; `certainty` is how sure we are of the group itself."""
        counts = self.counts.get((kind, group, tag), Counter())
        for value in counts:
            yield value, self.weigh(kind, group, tag, value, counts, words, certainty)

    def weigh(
        self,
        kind: str,
        group: str,
        tag: str,
        value: str,
        counts: Counter[str],
        words: str,
        certainty: Decimal = Decimal(1),
    ) -> Evidence:
        pattern = (kind, group, tag, value)
        accepted, declined = self.past.accepted.get(pattern, 0), self.past.declined.get(pattern, 0)
        agree, total = counts[value], sum(counts.values())
        bound = wilson(agree + accepted + PRIOR[kind], total + accepted + declined + PRIOR[kind])
        if accepted or declined:
            words = _("{words}; accepted {accepted} and refused {declined} times before").format(
                words=words, accepted=accepted, declined=declined
            )
        return Evidence(kind, group, agree, total, (bound * certainty).quantize(PLACES, ROUND_DOWN), words)


class _Suggestions:
    def __init__(
        self,
        resources: Sequence[ResourceTags],
        allowed: Mapping[str, Sequence[str]],
        cost_centers: Mapping[str, str],
        past: PastDecisions,
    ) -> None:
        self.allowed, self.cost_centers, self.past = allowed, cost_centers, past
        self.votes = _Votes(past)
        self.by_handle: dict[str, list[ResourceTags]] = defaultdict(list)
        for resource in resources:
            for handle in handles(resource):
                self.by_handle[handle].append(resource)
            for kind, group, _ignored in groups_of(resource):
                self.votes.add(kind, group, resource.values)
            for place, source in enumerate(CHAIN):
                if source in resource.values:
                    following = {tag: resource.values[tag] for tag in CHAIN[place + 1 :] if tag in resource.values}
                    self.votes.add(FOLLOWS, f"{source}={resource.values[source]}", following)

    def proposals(self, resource: ResourceTags) -> Iterator[Proposal]:
        """Tags in the order in which they follow from each other: a proposed Owner helps to find the Team."""
        likely = {tag: (value, Decimal(1)) for tag, value in resource.values.items()}
        related = self._related(resource)
        order = sorted(resource.wrong, key=lambda tag: (CHAIN.index(tag) if tag in CHAIN else len(CHAIN), tag))
        for tag in order:
            proposal = self._propose(resource, tag, related, likely)
            if proposal:
                likely[tag] = (proposal.value, proposal.confidence)
                yield proposal

    def _related(self, resource: ResourceTags) -> list[ResourceTags]:
        """The resources that this one names or is named by."""
        related: dict[str, ResourceTags] = {}
        for handle in sorted(references(resource) | handles(resource)):
            others = self.by_handle.get(handle, [])
            if len(others) <= MOST_RELATED:
                same_provider = (other for other in others if other.provider == resource.provider)
                related |= {other.key: other for other in same_provider if other.key != resource.key}
        return list(related.values())

    def _propose(
        self,
        resource: ResourceTags,
        tag: str,
        related: Sequence[ResourceTags],
        likely: Mapping[str, tuple[str, Decimal]],
    ) -> Proposal | None:
        allowed = self.allowed.get(tag)
        by_value: dict[str, list[Evidence]] = defaultdict(list)
        for value, evidence in self._evidence(resource, tag, related, likely):
            may_be_proposed = value and (resource.key, tag, value) not in self.past.refused
            if may_be_proposed and (not allowed or value in allowed) and evidence.confidence >= LEAST:
                by_value[value].append(evidence)
        if not by_value:
            return None
        for reasons in by_value.values():
            reasons.sort(key=lambda reason: (-reason.confidence, RANK[reason.kind], reason.group))
        best, *others = sorted(by_value, key=lambda value: (-by_value[value][0].confidence, value))
        alternatives = tuple((value, by_value[value][0].confidence) for value in others[:MOST_ALTERNATIVES])
        return Proposal(resource.key, tag, best, tuple(by_value[best]), alternatives)

    def _evidence(
        self,
        resource: ResourceTags,
        tag: str,
        related: Sequence[ResourceTags],
        likely: Mapping[str, tuple[str, Decimal]],
    ) -> Iterator[tuple[str, Evidence]]:
        yield from self._by_spelling(resource, tag)
        yield from self._by_relation(tag, related)
        yield from self._by_books(resource, tag, likely)
        for kind, group, words in groups_of(resource):
            yield from self.votes.evidence(kind, group, tag, words, Decimal(1))
        for source in CHAIN:
            if source in likely and source != tag:
                value, certainty = likely[source]
                words = _("resources with {tag} {value}").format(tag=source, value=value)
                yield from self.votes.evidence(FOLLOWS, f"{source}={value}", tag, words, certainty)

    def _by_spelling(self, resource: ResourceTags, tag: str) -> Iterator[tuple[str, Evidence]]:
        current = resource.wrong[tag]
        closest = closest_value(current, self.allowed.get(tag, ())) if current else None
        if closest:
            value, edits = closest
            # Each edit weighs as much as a vote against.
            counts = Counter({value: 0, current: edits})
            words = _("{current!r} is {value!r} spelt otherwise").format(current=current, value=value)
            yield value, self.votes.weigh(SPELLING, current.casefold(), tag, value, counts, words)

    def _by_relation(self, tag: str, related: Sequence[ResourceTags]) -> Iterator[tuple[str, Evidence]]:
        counts = Counter(other.values[tag] for other in related if tag in other.values)
        for value in counts:
            name = next(short_name(other) for other in related if other.values.get(tag) == value)
            yield (
                value,
                self.votes.weigh(RELATED, name, tag, value, counts, _("{name}, which it belongs to").format(name=name)),
            )

    def _by_books(
        self, resource: ResourceTags, tag: str, likely: Mapping[str, tuple[str, Decimal]]
    ) -> Iterator[tuple[str, Evidence]]:
        """What finance has written down: the team that our rules name, and the cost centre of a team."""
        if tag == "Team" and resource.team:
            words = _("our ownership rules give it to {team}").format(team=resource.team)
            yield resource.team, self.votes.weigh(BOOKS, f"team {resource.team}", tag, resource.team, Counter(), words)
        if tag == "CostCenter":
            team, certainty = likely.get("Team", (resource.team, Decimal(1)))
            if center := self.cost_centers.get(team):
                words, group = _("the cost centre of {team}").format(team=team), f"cost centre {team}"
                yield center, self.votes.weigh(BOOKS, group, tag, center, Counter(), words, certainty)

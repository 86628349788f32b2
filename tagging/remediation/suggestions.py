"""Suggestions of tags: rebuilt from the latest month, and what accepting them would make compliant."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from datetime import date
from decimal import Decimal
from typing import Any

from django.db import transaction
from django.db.models import Count, F, Max, Min, QuerySet, Sum

from costs.models import TagSet
from finops_site.lib.periods import Month
from finops_site.models import Team
from finops_site.ops.locks import wait_for
from tagging.calc import suggestions as calculation
from tagging.calc.resource_names import ResourceTags
from tagging.calc.suggestions import PastDecisions, Proposal
from tagging.calc.tag_policy import Facts, Policy, PolicyResource
from tagging.models import ComplianceMonth, Suggestion, SuggestionDecision, TaggedResource, TagRequirement
from tagging.models.remediation import SuggestionQuerySet

# The suggestion's columns that are the resource's own, from TaggedResource.
RESOURCE_FIELDS = (
    *("charge_month", "provider", "sub_account", "service", "region", "resource", "resource_name", "currency"),
)
Row = dict[str, Any]
Signature = tuple[Any, ...]


def latest_month(today: date) -> Month | None:
    """The last charge month that compliance has computed, up to today's."""
    row = ComplianceMonth.objects.filter(charge_month__lte=today).order_by("-charge_month").first()
    return Month.of(row.charge_month) if row else None


def rebuild_suggestions(today: date) -> int:
    """Rebuilds the suggestions from the latest month and returns how many there are.

    A suggestion that is made again keeps its number, so that a page somebody is looking at stays true.
    """
    month = latest_month(today)
    with transaction.atomic():
        wait_for("tag suggestions")
        rows = _suggestions(month) if month else []
        Suggestion.objects.bulk_create(
            rows,
            batch_size=2000,
            update_conflicts=True,
            unique_fields=["resource_key", "tag"],
            update_fields=[
                *(*RESOURCE_FIELDS, "team", "cost", "state", "current_value", "value", "kind", "confidence"),
                *("evidence", "alternatives", "wrong_tags"),
            ],
        )
        current = {(row.resource_key, row.tag) for row in rows}
        stored = Suggestion.objects.values_list("pk", "resource_key", "tag")
        Suggestion.objects.filter(pk__in=[pk for pk, key, tag in stored if (key, tag) not in current]).delete()
    return len(rows)


def _suggestions(month: Month) -> list[Suggestion]:
    policy = TagRequirement.objects.all().as_policy().on(month.period.last_day)
    rows = _resources(month)
    resources, wrong = _resource_tags(rows, policy, month)
    proposals = calculation.suggest_values(
        resources,
        allowed={rule.key: rule.values for rule in policy.requirements},
        cost_centers=dict(Team.objects.exclude(cost_center="").values_list("name", "cost_center")),
        past=past_decisions(),
    )
    return [_suggestion(rows[proposal.key], proposal, wrong[proposal.key]) for proposal in proposals]


def _resources(month: Month) -> dict[str, Row]:
    """{key: the resource}, with all its cost, under the owner of its largest part."""
    rows = TaggedResource.objects.in_month(month).taggable().order_by("key", "cost", "pk")
    fields = ("key", *RESOURCE_FIELDS, "resource_type", "tag_set_id", "owner_id", "owner__name", "cost")
    resources: dict[str, Row] = {}
    for row in rows.values(*fields).iterator(chunk_size=5000):
        before = resources.get(row["key"])
        if before and before["currency"] == row["currency"]:
            row["cost"] += before["cost"]
        resources[row["key"]] = row
    return resources


def _resource_tags(
    rows: dict[str, Row], policy: Policy, month: Month
) -> tuple[list[ResourceTags], dict[str, dict[str, tuple[str, str]]]]:
    """The resources as suggestions look at them, and {key: {tag: (state, current value)}} of what is wrong with each.

    What the bill delivered votes; what counts (with our virtual tags) decides what is still wrong.
    """
    sets = TagSet.objects.filter(pk__in={row["tag_set_id"] for row in rows.values()}).select_related("delivered")
    with_virtual = {tag_set.pk: tag_set.tags for tag_set in sets}
    as_delivered = {tag_set.pk: tag_set.as_delivered for tag_set in sets}
    signatures = {_signature(row) for row in rows.values()}
    delivered = _decide(policy, signatures, as_delivered, month)
    effective = _decide(policy, signatures, with_virtual, month)
    required = {rule.key for rule in policy.requirements if rule.required}
    resources, wrong = [], {}
    for key, row in rows.items():
        signature = _signature(row)
        wrong[key] = {
            tag: (fact.state.value, fact.value)
            for tag, fact in effective[signature].items()
            if tag in required and not fact.is_ok
        }
        resources.append(
            ResourceTags(
                key=key,
                provider=row["provider"],
                account=row["sub_account"],
                resource=row["resource"],
                name=row["resource_name"],
                team=row["owner__name"] or "",
                tags=as_delivered.get(row["tag_set_id"], {}),
                values={tag: fact.meant for tag, fact in delivered[signature].items() if fact.is_ok},
                wrong={tag: value for tag, (_, value) in wrong[key].items()},
            )
        )
    return resources, wrong


def _signature(row: Row) -> Signature:
    return (row["tag_set_id"], row["provider"], row["service"], row["resource_type"])


def _decide(
    policy: Policy, signatures: Iterable[Signature], tags: dict[int, dict[str, str | None]], month: Month
) -> dict[Signature, Facts]:
    """The facts of each distinct (tag set, provider, service, resource type), decided together."""
    signatures = list(signatures)
    resources = [PolicyResource(tags.get(tag_set, {}), *place) for tag_set, *place in signatures]
    return dict(zip(signatures, policy.decide(resources, month.period.last_day), strict=True))


def _suggestion(row: Row, proposal: Proposal, wrong: dict[str, tuple[str, str]]) -> Suggestion:
    state, current_value = wrong[proposal.tag]
    return Suggestion(
        resource_key=row["key"],
        team_id=row["owner_id"],
        cost=row["cost"],
        tag=proposal.tag,
        state=state,
        current_value=current_value[:1024],
        value=proposal.value,
        kind=proposal.kind,
        confidence=proposal.confidence,
        evidence=[asdict(reason) | {"confidence": str(reason.confidence)} for reason in proposal.evidence],
        alternatives=[{"value": value, "confidence": str(bound)} for value, bound in proposal.alternatives],
        wrong_tags=len(wrong),
        **{name: row[name] for name in RESOURCE_FIELDS},
    )


def past_decisions() -> PastDecisions:
    """What people have decided so far, as the calculation reads it."""
    refused, accepted, declined = set(), Counter[Any](), Counter[Any]()
    decisions = SuggestionDecision.objects.values_list("resource_key", "tag", "value", "patterns", "answer")
    for key, tag, value, patterns, answer in decisions.iterator(chunk_size=5000):
        was_accepted = answer == SuggestionDecision.Answer.ACCEPTED
        if not was_accepted:
            refused.add((key, tag, value))
        for kind, group in patterns:
            (accepted if was_accepted else declined)[kind, group, tag, value] += 1
    return PastDecisions(frozenset(refused), accepted, declined)


@dataclass(frozen=True, slots=True)
class PotentialGain:
    """What accepting some suggestions would make compliant: resources, and their cost of the month."""

    suggestions: int
    resources: int
    compliant: int
    costs: dict[str, Decimal]


def potential_gain(suggestions: SuggestionQuerySet) -> PotentialGain:
    """A resource complies when every tag that is wrong with it is among those accepted."""
    rows = suggestions.order_by().values("resource_key", "currency", "cost", "wrong_tags").annotate(n=Count("pk"))
    costs: dict[str, Decimal] = {}
    compliant = 0
    for row in rows.filter(n__gte=F("wrong_tags")):
        compliant += 1
        costs[row["currency"]] = costs.get(row["currency"], Decimal(0)) + row["cost"]
    counts = suggestions.order_by().aggregate(n=Count("pk"), resources=Count("resource_key", distinct=True))
    return PotentialGain(counts["n"], counts["resources"], compliant, dict(sorted(costs.items())))


def by_resource(suggestions: SuggestionQuerySet) -> QuerySet:
    """A row for each resource, the dearest first: its name, `amount` in `code`, `n` suggestions for `wrong` tags, the
    `least` of their confidences.
    """
    named = suggestions.annotate(team_name=F("team__name"), name=F("resource_name"), code=F("currency"))
    rows = named.order_by().values("resource_key", "resource", "team_name", "name", "code")
    figures = {"n": Count("pk"), "wrong": Max("wrong_tags"), "least": Min("confidence"), "amount": Max("cost")}
    return rows.annotate(**figures).order_by("-amount", "resource_key")


def by_evidence(suggestions: SuggestionQuerySet) -> list[dict[str, Any]]:
    """A row for each tag and kind of evidence: how many, and the cost of their resources."""
    groups = suggestions.order_by().values("tag", "kind", "currency")
    rows = groups.annotate(n=Count("pk"), cost=Sum("cost")).order_by("-cost")
    return [{**row, "label": Suggestion.Kind(row["kind"]).label} for row in rows]

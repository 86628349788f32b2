"""Verbs of fixing: what is suggested, accepted, refused, set by hand, ended, undone and claimed."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from auditlog.models import LogEntry
from django.db import transaction
from django.db.models import Count, F, Q, QuerySet, Sum

from costs.models import TagSet
from finops_site.lib.periods import Month
from finops_site.lib.person import Person
from finops_site.models import Team
from finops_site.ops.locks import wait_for
from finops_site.people import audit
from tagging.calc import suggestions as suggesting
from tagging.calc.suggestions import Learnt, Proposal, Seen
from tagging.calc.tag_policy import Facts, Policy, Resource
from tagging.models import (
    ChargebackPeriod,
    ComplianceMonth,
    Suggestion,
    SuggestionDecision,
    TaggedResource,
    TagRequirement,
    VirtualTag,
    VirtualTagBatch,
)
from tagging.models.fixing import tag_problem
from tagging.ownership import rule_application
from tagging.policy import compliance

WRITTEN_AT_ONCE = 2000
# The suggestion's columns that are the resource's own, from TaggedResource.
OF_RESOURCE = ("charge_month", "provider", "sub_account", "service", "region", "resource", "resource_name", "currency")
# PostgreSQL's advisory lock of whoever makes suggestions anew.
LOCK = "tag suggestions"


class CannotFix(ValueError):
    """Why it cannot be done, for a person."""


# What is suggested.


def latest_month(today: date) -> Month | None:
    """The last charge month that compliance has worked out, up to today's."""
    found = ComplianceMonth.objects.filter(charge_month__lte=today).order_by("-charge_month").first()
    return Month.of(found.charge_month) if found else None


def rebuild_suggestions(today: date) -> int:
    """Makes the suggestions of the latest month anew and returns how many there are.

    A suggestion that is made again keeps its number, so that a page somebody is looking at stays true.
    """
    month = latest_month(today)
    with transaction.atomic():
        wait_for(LOCK)
        made = _suggestions(month) if month else []
        Suggestion.objects.bulk_create(
            made,
            batch_size=WRITTEN_AT_ONCE,
            update_conflicts=True,
            unique_fields=["resource_key", "tag"],
            update_fields=[
                *(*OF_RESOURCE, "team", "cost", "state", "said", "value", "kind", "confidence", "evidence"),
                *("alternatives", "wrong_tags"),
            ],
        )
        kept = {(one.resource_key, one.tag) for one in made}
        known = Suggestion.objects.values_list("pk", "resource_key", "tag")
        Suggestion.objects.filter(pk__in=[pk for pk, key, tag in known if (key, tag) not in kept]).delete()
    return len(made)


def _suggestions(month: Month) -> list[Suggestion]:
    policy = TagRequirement.objects.all().as_policy().on(month.period.last_day)
    rows = _resources(month)
    seen, wrong = _seen(rows, policy, month)
    proposals = suggesting.suggest(
        list(seen.values()),
        allowed={each.key: each.values for each in policy.requirements},
        cost_centers=dict(Team.objects.exclude(cost_center="").values_list("name", "cost_center")),
        learnt=learnt(),
    )
    return [_suggestion(rows[found.key], found, wrong[found.key]) for found in proposals]


def _resources(month: Month) -> dict[str, Any]:
    """{key: the resource}, with all its cost, under the owner of its largest part."""
    rows = TaggedResource.objects.in_month(month).taggable().order_by("key", "cost", "pk")
    fields = ("key", *OF_RESOURCE, "resource_type", "tag_set_id", "owner_id", "owner__name", "cost")
    found: dict[str, Any] = {}
    for row in rows.values(*fields).iterator(chunk_size=5000):
        before = found.get(row["key"])
        if before and before["currency"] == row["currency"]:
            row["cost"] += before["cost"]
        found[row["key"]] = row
    return found


def _seen(
    rows: dict[str, Any], policy: Policy, month: Month
) -> tuple[dict[str, Seen], dict[str, dict[str, tuple[str, str]]]]:
    """The resources as suggestions look at them, and {key: {tag: (state, value)}} of what is wrong with each.

    What the bill delivered votes; what counts (with our virtual tags) decides what is still wrong.
    """
    sets = TagSet.objects.filter(pk__in={row["tag_set_id"] for row in rows.values()}).select_related("delivered")
    tags = {each.pk: (each.as_delivered, each.tags) for each in sets}
    none: tuple[dict[str, Any], dict[str, Any]] = ({}, {})
    signatures = {_signature(row): row for row in rows.values()}
    delivered = _decided(policy, signatures, {pk: pair[0] for pk, pair in tags.items()}, month)
    effective = _decided(policy, signatures, {pk: pair[1] for pk, pair in tags.items()}, month)
    required = {each.key for each in policy.requirements if each.required}
    seen, wrong = {}, {}
    for key, row in rows.items():
        mark = _signature(row)
        wrong[key] = {
            tag: (fact.state.value, fact.value)
            for tag, fact in effective[mark].items()
            if tag in required and not fact.is_ok
        }
        seen[key] = Seen(
            key=key,
            provider=row["provider"],
            account=row["sub_account"],
            resource=row["resource"],
            name=row["resource_name"],
            team=row["owner__name"] or "",
            tags=tags.get(row["tag_set_id"], none)[0],
            says={tag: fact.meant for tag, fact in delivered[mark].items() if fact.is_ok},
            wrong={tag: said for tag, (_, said) in wrong[key].items()},
        )
    return seen, wrong


def _signature(row: dict[str, Any]) -> tuple[Any, ...]:
    return row["tag_set_id"], row["provider"], row["service"], row["resource_type"]


def _decided(policy: Policy, signatures: Iterable[Any], tags: dict[int, Any], month: Month) -> dict[Any, Facts]:
    asked = list(signatures)
    resources = [Resource(tags.get(tag_set, {}), *place) for tag_set, *place in asked]
    return dict(zip(asked, policy.decide(resources, month.period.last_day), strict=True))


def _suggestion(row: dict[str, Any], found: Proposal, wrong: dict[str, tuple[str, str]]) -> Suggestion:
    state, said = wrong[found.tag]
    return Suggestion(
        resource_key=row["key"],
        team_id=row["owner_id"],
        cost=row["cost"],
        tag=found.tag,
        state=state,
        said=said[:1024],
        value=found.value,
        kind=found.kind,
        confidence=found.confidence,
        evidence=[
            {
                "kind": reason.kind,
                "words": reason.words,
                "agree": reason.agree,
                "total": reason.total,
                "group": reason.group,
                "confidence": str(reason.confidence),
            }
            for reason in found.evidence
        ],
        alternatives=[{"value": value, "confidence": str(bound)} for value, bound in found.alternatives],
        wrong_tags=len(wrong),
        **{name: row[name] for name in OF_RESOURCE},
    )


def learnt() -> Learnt:
    """What people have answered so far, as suggestions ask for it."""
    refused, accepted, declined = set(), Counter[Any](), Counter[Any]()
    answers = SuggestionDecision.objects.values_list("resource_key", "tag", "value", "patterns", "answer")
    for key, tag, value, patterns, answer in answers.iterator(chunk_size=5000):
        yes = answer == SuggestionDecision.Answer.ACCEPTED
        if not yes:
            refused.add((key, tag, value))
        for kind, group in patterns:
            (accepted if yes else declined)[kind, group, tag, value] += 1
    return Learnt(frozenset(refused), accepted, declined)


@dataclass(frozen=True, slots=True)
class Gain:
    """What accepting some suggestions would make compliant: whole resources, and their cost of the month."""

    suggestions: int
    resources: int
    compliant: int
    costs: dict[str, Decimal]


def gain(suggestions: QuerySet) -> Gain:
    """A resource complies when every tag that is wrong with it is among those accepted."""
    by_resource = (
        suggestions.order_by().values("resource_key", "currency", "cost", "wrong_tags").annotate(n=Count("pk"))
    )
    whole = by_resource.filter(n__gte=F("wrong_tags"))
    costs: dict[str, Decimal] = {}
    compliant = 0
    for row in whole:
        compliant += 1
        costs[row["currency"]] = costs.get(row["currency"], Decimal(0)) + row["cost"]
    counts = suggestions.order_by().aggregate(n=Count("pk"), resources=Count("resource_key", distinct=True))
    return Gain(counts["n"], counts["resources"], compliant, dict(sorted(costs.items())))


def by_evidence(suggestions: QuerySet) -> list[dict[str, Any]]:
    """A row for each tag and kind of evidence: how many, and the cost of their resources."""
    found = suggestions.order_by().values("tag", "kind", "currency")
    rows = found.annotate(n=Count("pk"), cost=Sum("cost")).order_by("-cost")
    return [{**row, "label": Suggestion.Kind(row["kind"]).label} for row in rows]


# What is done with it.


@dataclass(frozen=True, slots=True)
class Accepted:
    """What came of it: the batch (None where nothing was left to do), and how many somebody else had done."""

    batch: VirtualTagBatch | None
    set: int
    too_late: int


@transaction.atomic
def accept(suggestions: QuerySet, *, user: Person, now: datetime, start: date | None = None) -> Accepted:
    """Sets the suggested tags as virtual ones, from `start` or the first day of the month they were made from.

    Of two people who accept the same at once, the second finds nothing left to do: rows are locked, then gone.
    """
    asked = suggestions.count()
    taken = list(suggestions.order_by("pk").select_for_update(of=("self",)))
    if not taken:
        return Accepted(None, 0, asked)
    batch = VirtualTagBatch.objects.create(words=_words(taken), made_by=user, made_at=now)
    tags = [_from_suggestion(one, batch, user, now, start) for one in taken]
    made = _write(tags, user)
    _remember(taken, SuggestionDecision.Answer.ACCEPTED, user, now)
    Suggestion.objects.filter(pk__in=[one.pk for one in taken]).delete()
    return Accepted(batch, made, asked - len(taken))


def _words(taken: Sequence[Suggestion]) -> str:
    if len(taken) == 1:
        return f"{taken[0]}"[:300]
    tags = ", ".join(sorted({one.tag for one in taken}))
    resources = len({one.resource_key for one in taken})
    return f"{len(taken)} suggestions for {resources} resources: {tags}"[:300]


def _from_suggestion(
    one: Suggestion, batch: VirtualTagBatch, user: Person, now: datetime, start: date | None
) -> VirtualTag:
    return VirtualTag(
        **_place(one, one.resource_key),
        team_id=one.team_id,
        key=one.tag,
        value=one.value,
        start=start or one.charge_month,
        evidence=one.evidence,
        confidence=one.confidence,
        batch=batch,
        made_by=user,
        made_at=now,
    )


def _place(row: Any, key: str) -> dict[str, Any]:
    names = ("provider", "sub_account", "resource", "resource_name")
    return {**{name: getattr(row, name) for name in names}, "resource_key": key}


def _write(tags: Sequence[VirtualTag], user: Person) -> int:
    """Writes the tags, each in the place of an open one of the same key; and says so in the audit log."""
    _give_way(tags)
    VirtualTag.objects.bulk_create(tags, batch_size=WRITTEN_AT_ONCE)
    _log(tags, LogEntry.Action.CREATE, "state", "", user)
    return len(tags)


def _give_way(tags: Sequence[VirtualTag]) -> None:
    """Open tags of the same key end where the new ones begin; what would not hold a day any more is undone."""
    new = {(tag.resource_key, tag.key.lower()): tag.start for tag in tags}
    open_ones = VirtualTag.objects.open().filter(resource_key__in={key for key, _ in new}).select_for_update()
    for old in open_ones:
        start = new.get((old.resource_key, old.key.lower()))
        if start is None:
            continue
        if start > old.start:
            old.end = start
        else:
            old.state = VirtualTag.State.UNDONE
        old.save()


def _log(tags: Iterable[VirtualTag], action: int, field: str, before: Any, user: Person) -> None:
    """`bulk_create` and `update` are not seen by the audit log: an entry by hand for each tag, all at once."""
    said = ((tag, {field: (str(before), str(getattr(tag, field))), "value": ("", tag.value)}) for tag in tags)
    audit.record(said, action, user)


def _remember(taken: Sequence[Suggestion], answer: str, user: Person, now: datetime) -> None:
    """Only what decided the value counts as a pattern: the strongest reason."""
    SuggestionDecision.objects.bulk_create(
        [
            SuggestionDecision(
                resource_key=one.resource_key,
                resource_name=one.resource_name or one.resource[-200:],
                team_id=one.team_id,
                tag=one.tag,
                value=one.value,
                patterns=[[reason["kind"], reason["group"]] for reason in one.evidence[:1]],
                answer=answer,
                by=user,
                at=now,
            )
            for one in taken
        ],
        batch_size=WRITTEN_AT_ONCE,
        update_conflicts=True,
        unique_fields=["resource_key", "tag", "value"],
        update_fields=["answer", "by", "at", "patterns"],
    )


@transaction.atomic
def refuse(suggestions: QuerySet, *, user: Person, now: datetime) -> int:
    """Refuses them: these values never come again for these resources. Returns how many."""
    taken = list(suggestions.order_by("pk").select_for_update(of=("self",)))
    _remember(taken, SuggestionDecision.Answer.REFUSED, user, now)
    Suggestion.objects.filter(pk__in=[one.pk for one in taken]).delete()
    return len(taken)


@transaction.atomic
def set_by_hand(
    row: TaggedResource, key: str, value: str, *, start: date, end: date | None, user: Person, now: datetime
) -> VirtualTag:
    """Sets one tag on a resource somebody sees; raises CannotFix where it may not be."""
    problem = tag_problem(key, value)
    if problem:
        raise CannotFix(next(iter(problem.values())))
    if end is not None and end <= start:
        raise CannotFix("It must hold for a day at least: until is after from.")
    words = f"{key}={value} on {row}"[:300]
    batch = VirtualTagBatch.objects.create(words=words, made_by=user, made_at=now)
    tag = VirtualTag(
        **_place(row, row.key),
        team_id=row.owner_id,
        key=key.strip(),
        value=value.strip(),
        start=start,
        end=end,
        evidence=[{"kind": "hand", "words": f"set by {user}"}],
        batch=batch,
        made_by=user,
        made_at=now,
    )
    _write([tag], user)
    Suggestion.objects.filter(resource_key=row.key, tag__iexact=tag.key).delete()
    return tag


@transaction.atomic
def end(pk: int, day: date, *, user: Person, now: datetime) -> VirtualTag:
    """The tag no longer holds from `day` on; a day on or before its first undoes it."""
    tag = VirtualTag.objects.select_for_update().get(pk=pk)
    if tag.state != VirtualTag.State.ACTIVE or (tag.end is not None and tag.end <= day):
        raise CannotFix(f"{tag} is not in force on {day} any more: it is {tag.get_state_display()}.")
    if day <= tag.start:
        tag.state = VirtualTag.State.UNDONE
    else:
        tag.end = day
    tag.decided_by, tag.decided_at = user, now
    tag.save()
    return tag


@transaction.atomic
def undo(batch_pk: int, *, user: Person, now: datetime) -> int:
    """Takes a whole batch back as if it had never been; returns how many tags. What is undone is undone once."""
    batch = VirtualTagBatch.objects.select_for_update().get(pk=batch_pk)
    if batch.undone_at:
        raise CannotFix(f"{batch.undone_by} has undone this on {batch.undone_at:%Y-%m-%d %H:%M} UTC.")
    tags = list(batch.tags.filter(state=VirtualTag.State.ACTIVE))
    batch.undone_by, batch.undone_at, batch.applied_at = user, now, None
    batch.save()
    batch.tags.filter(pk__in=[tag.pk for tag in tags]).update(
        state=VirtualTag.State.UNDONE, decided_by=user, decided_at=now
    )
    for tag in tags:
        tag.state = VirtualTag.State.UNDONE
    _log(tags, LogEntry.Action.UPDATE, "state", VirtualTag.State.ACTIVE, user)
    # What was accepted is open again; it taught us nothing.
    for tag in tags:
        SuggestionDecision.objects.filter(
            resource_key=tag.resource_key, tag=tag.key, value=tag.value, answer=SuggestionDecision.Answer.ACCEPTED
        ).delete()
    return len(tags)


# What nobody owns: a lead says it is ours, finance confirms.


def unowned(text: str) -> QuerySet:
    """The resources nobody owns that are called so, by whole id or whole name, in the month they were last seen."""
    found = TaggedResource.objects.taggable().filter(owner__isnull=True)
    return found.filter(Q(resource=text) | Q(resource_name=text)).order_by("-charge_month", "-cost")


@transaction.atomic
def claim(text: str, team: Team, *, user: Person, now: datetime) -> VirtualTag:
    """A lead says that an unowned resource is her team's; it counts when finance confirms."""
    rows = unowned(text.strip())
    row = rows.first()
    if row is None:
        raise CannotFix("No resource that nobody owns has this id or name: write it exactly as the bill does.")
    if rows.exclude(key=row.key).exists():
        raise CannotFix("Several resources that nobody owns are called so: give the id of the one you mean.")
    waiting = VirtualTag.objects.filter(resource_key=row.key, key="Team", state=VirtualTag.State.WAITING)
    if waiting.exists():
        raise CannotFix(f"{row} is claimed already; finance has not answered yet.")
    batch = VirtualTagBatch.objects.create(words=f"{team} claims {row}"[:300], made_by=user, made_at=now)
    return VirtualTag.objects.create(
        **_place(row, row.key),
        team=team,
        key="Team",
        value=team.name,
        start=row.charge_month,
        evidence=[{"kind": "claim", "words": f"{user} says it is {team}'s"}],
        state=VirtualTag.State.WAITING,
        batch=batch,
        made_by=user,
        made_at=now,
    )


@transaction.atomic
def answer_claim(pk: int, *, confirm: bool, user: Person, now: datetime) -> VirtualTag:
    """Finance's word on a claim; raises CannotFix when it was answered before, or by her who made it."""
    tag = VirtualTag.objects.select_for_update().get(pk=pk)
    if tag.state != VirtualTag.State.WAITING:
        raise CannotFix(f"This claim is answered: it is {tag.get_state_display()}.")
    if confirm and tag.made_by_id == user.pk:
        raise CannotFix("Somebody else has to confirm what you claim.")
    if confirm:
        _give_way([tag])
    tag.state = VirtualTag.State.ACTIVE if confirm else VirtualTag.State.DECLINED
    tag.decided_by, tag.decided_at = user, now
    tag.save()
    return tag


# Into the books.


def months_touched(tags: Iterable[VirtualTag]) -> list[Month]:
    """The open billing months that have charges a tag may change: from the one its first day lies in, on."""
    first = min((tag.start for tag in tags), default=None)
    if first is None:
        return []
    # A charge day is billed in its own month, or in a later one.
    billing = rule_application.open_delivery_months().filter(billing_month__gte=Month.of(first).start)
    return sorted({Month.of(day) for day in billing.values_list("billing_month", flat=True)})


def closed_months_touched(tags: Iterable[VirtualTag]) -> list[Month]:
    """Closed billing months that a tag would have changed: said to the person, left as they are."""
    first = min((tag.start for tag in tags), default=None)
    closed = ChargebackPeriod.objects.closed_months()
    return sorted(month for month in closed if first and month >= Month.of(first))


def apply(batch: VirtualTagBatch, now: datetime) -> int:
    """Lays a batch's tags over the open months; compliance and suggestions follow. Returns how many lines changed.

    Doing it again changes nothing more, so that one that was killed is simply done again.
    """
    done = list(rule_application.reallocate_open_months(months_touched(batch.tags.all())))
    used = {Month.of(date.fromisoformat(day)) for each in done if each.lines for day in each.row.charge_months}
    compliance.refresh(only=used)
    rebuild_suggestions(now.date())
    VirtualTagBatch.objects.filter(pk=batch.pk).update(applied_at=now)
    return sum(each.lines for each in done)

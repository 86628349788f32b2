"""Verbs of change sets: made, reviewed by somebody else, rehearsed, applied through the Resource Groups Tagging API.

Applying may be killed at any moment: what was set is written down after every call, a change that is `ok` is not sent
again, and setting the same tag twice is the same as once.
"""

import logging
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db import transaction
from django.db.models import Count, F, Q

from costs.sources import storage
from costs.sources.storage import StorageProblem
from finops_site.lib.person import Person
from tagging.calc import arns, tag_scripts
from tagging.calc.tag_scripts import TagEdit
from tagging.models import ChangeSet, TagChange, TaggedResource, TaggingAccess, VirtualTag
from tagging.remediation.tag_fixes import RemediationError

logger = logging.getLogger(__name__)

STALLED_AFTER = timedelta(minutes=2)
# How often a resource that AWS was too busy for is tried, and for how long it waits: 1, 2, 4, 8 seconds.
TRIES = 5
FOUND_AT_ONCE = 100
TAGS_AT_ONCE = 50
BUSY = {
    "ThrottlingException",
    "ThrottledException",
    "Throttling",
    "InternalServiceException",
    "TooManyRequestsException",
}
OPEN_RESULTS = (TagChange.Result.WAITING, TagChange.Result.FAILED)
State = ChangeSet.State


# Made and reviewed.


@transaction.atomic
def create_change_set(tags: Iterable[VirtualTag], *, title: str, user: Person, now: datetime) -> ChangeSet:
    """A draft that sets our virtual tags at the provider; raises CannotFix where there are none."""
    tags = [tag for tag in tags if tag.state == VirtualTag.State.ACTIVE]
    if not tags:
        raise RemediationError("None of these virtual tags is in force: there is nothing to set at the provider.")
    made = ChangeSet.objects.create(title=title.strip()[:200] or f"{len(tags)} tags", made_by=user, made_at=now)
    known = _resources({tag.resource_key for tag in tags})
    TagChange.objects.bulk_create(
        [_change(made, tag, known.get(tag.resource_key)) for tag in tags], ignore_conflicts=True, batch_size=2000
    )
    return made


def _resources(keys: set[str]) -> dict[str, TaggedResource]:
    """The latest row of each resource."""
    rows = TaggedResource.objects.filter(key__in=keys).select_related("tag_set__delivered")
    return {row.key: row for row in rows.order_by("charge_month", "cost")}


def _change(made: ChangeSet, tag: VirtualTag, row: TaggedResource | None) -> TagChange:
    service, region = (row.service, row.region) if row else ("", "")
    place = arns.tagging_target(tag.provider, service, tag.resource, tag.sub_account, region)
    delivered = row.tag_set.as_delivered if row and row.tag_set else {}
    return TagChange(
        change_set=made,
        provider=tag.provider,
        sub_account=place.account or tag.sub_account,
        region=place.region or region,
        resource=tag.resource,
        resource_name=tag.resource_name,
        resource_key=tag.resource_key,
        team_id=tag.team_id,
        arn=place.arn,
        key=tag.key,
        before=(delivered.get(tag.key) or "")[:1024],
        after=tag.value,
        result=TagChange.Result.WAITING if place.can else TagChange.Result.UNABLE,
        message=place.problem[:1000],
    )


def _move(pk: int, before: Sequence[str], words: str) -> ChangeSet:
    """The change set, locked; raises CannotFix unless it is in one of the states."""
    row = ChangeSet.objects.select_for_update().get(pk=pk)
    if row.state not in before:
        raise RemediationError(f"It cannot be {words}: it is {row.get_state_display()}.")
    return row


@transaction.atomic
def submit(pk: int, *, user: Person) -> ChangeSet:
    """Asks somebody else for approval."""
    row = _move(pk, (State.DRAFT, State.REJECTED), "sent for approval")
    row.state = State.REVIEW
    row.save()
    return row


@transaction.atomic
def review(pk: int, *, approve: bool, words: str, user: Person, now: datetime) -> ChangeSet:
    """Approves it or sends it back; whoever made it does not approve it."""
    row = _move(pk, (State.REVIEW,), "reviewed")
    if row.made_by_id == user.pk:
        raise RemediationError("Somebody else has to look at what you made.")
    row.state = State.APPROVED if approve else State.REJECTED
    row.reviewed_by, row.reviewed_at, row.review = user, now, words[:1000]
    row.save()
    return row


# As a file.


def as_changes(row: ChangeSet) -> list[TagEdit]:
    return [
        TagEdit(_target(one), one.resource, one.resource_name, one.key, one.before, one.after)
        for one in row.changes.order_by("pk")
    ]


def _target(one: TagChange) -> arns.Target:
    if one.arn:
        return arns.Target(one.arn, one.sub_account, one.region)
    return arns.Target(problem=one.message or "it cannot be tagged by this API")


FILES = {"sh": ("text/x-shellscript", tag_scripts.shell_script), "tf": ("text/plain", tag_scripts.terraform_file)}


# At the provider.


@dataclass(frozen=True, slots=True)
class Place:
    """Where and as whom a client speaks: what costs.sources.storage asks of a source."""

    region: str
    endpoint: str
    credential: Any


def _client(account: str, region: str) -> tuple[Any, int]:
    """(client, resources in a call) for an account's region; raises StorageProblem."""
    access = TaggingAccess.objects.select_related("credential").filter(sub_account=account).first()
    if access is None:
        raise StorageProblem(f"Nobody has said as whom tags are set in account {account}: an administrator does.")
    client = storage.aws_client("resourcegroupstaggingapi", Place(region, access.endpoint, access.credential))
    return client, access.per_call


def _by_place(changes: Iterable[TagChange]) -> dict[tuple[str, str], list[TagChange]]:
    found: dict[tuple[str, str], list[TagChange]] = defaultdict(list)
    for one in changes:
        found[one.sub_account, one.region].append(one)
    return dict(sorted(found.items()))


def dry_run(row: ChangeSet, now: datetime) -> str:
    """Asks the provider what each resource carries now, changes nothing, and says in a line what it found."""
    changes = list(row.changes.filter(result__in=(*OPEN_RESULTS, TagChange.Result.SAME)))
    for (account, region), mine in _by_place(changes).items():
        try:
            _look(account, region, mine)
        except StorageProblem as problem:
            for one in mine:
                one.message = str(problem)[:1000]
    TagChange.objects.bulk_update(changes, ["found", "result", "message"], batch_size=1000)
    same = sum(one.result == TagChange.Result.SAME for one in changes)
    unable = row.changes.filter(result=TagChange.Result.UNABLE).count()
    row.dry_run_at = now
    row.message = f"Dry run: {len(changes) - same} to set, {same} there already, {unable} cannot be set by this API."
    row.save(update_fields=["dry_run_at", "message"])
    return row.message


def _look(account: str, region: str, changes: Sequence[TagChange]) -> None:
    client, _ = _client(account, region)
    there: dict[str, dict[str, str]] = {}
    for part in tag_scripts.chunks(sorted({one.arn for one in changes}), FOUND_AT_ONCE):
        with _words(account):
            for each in client.get_resources(ResourceARNList=part)["ResourceTagMappingList"]:
                there[each["ResourceARN"]] = {tag["Key"]: tag["Value"] for tag in each["Tags"]}
    for one in changes:
        one.message = "" if one.arn in there else "it carries no tags there yet, or it is gone"
        one.found = there.get(one.arn, {}).get(one.key, "")[:1024]
        same = there.get(one.arn, {}).get(one.key) == one.after
        one.result = TagChange.Result.SAME if same else TagChange.Result.WAITING


class _words:
    """Lets an error of boto3 out as a StorageProblem: its own text may hold addresses and tokens."""

    def __init__(self, account: str) -> None:
        self.account = account

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: Any, error: BaseException | None, trace: Any) -> None:
        from botocore.exceptions import BotoCoreError, ClientError

        if isinstance(error, ClientError):
            code = str(error.response.get("Error", {}).get("Code", "an error"))
            raise StorageProblem(f"Account {self.account}: AWS answered {code}.", passing=code in BUSY) from None
        if isinstance(error, BotoCoreError):
            raise StorageProblem(f"Account {self.account}: {type(error).__name__}.", passing=True) from None


def stalled_change_sets(now: datetime) -> Any:
    """Change sets that should be applied and nobody is at it: the task was lost, or its worker was killed."""
    silent = Q(heartbeat_at__lt=now - STALLED_AFTER)
    silent |= Q(heartbeat_at__isnull=True, started_at__lt=now - STALLED_AFTER)
    return ChangeSet.objects.filter(silent, state=State.APPLYING)


def start_applying(pk: int, *, user: Person, now: datetime) -> ChangeSet:
    """Says that it may be applied now; the task does it. Raises CannotFix without approval and a dry run."""
    with transaction.atomic():
        row = _move(pk, (State.APPROVED, State.PARTLY), "applied")
        if row.dry_run_at is None:
            raise RemediationError("First the dry run: look at what would change, then apply it.")
        row.state, row.applied_by, row.started_at, row.heartbeat_at = State.APPLYING, user, now, None
        row.save()
    return row


def apply_change_set(
    row: ChangeSet, *, clock: Callable[[], datetime], wait: Callable[[float], None] = time.sleep
) -> bool:
    """Sets every tag that is not set yet, one call at a time; False when another worker is at it.

    Each result is kept: set, failed with its reason (and tried again next time), or busy and tried again here.
    """
    if not _claim(row, clock()):
        return False
    row.refresh_from_db()
    for (account, region), mine in _by_place(row.changes.filter(result__in=OPEN_RESULTS)).items():
        try:
            client, size = _client(account, region)
        except StorageProblem as problem:
            _keep(row, [_failed(one, str(problem)) for one in mine], clock())
            continue
        for tags, part in _calls(mine, size):
            if not _set(row, client, account, tags, part, clock, wait):
                return False
    return _finish(row, clock())


def _claim(row: ChangeSet, now: datetime) -> bool:
    """Makes this process the one that applies it: an UPDATE that must hit one row."""
    free = Q(heartbeat_at__isnull=True) | Q(heartbeat_at__lt=now - STALLED_AFTER)
    mine = ChangeSet.objects.filter(free, pk=row.pk, state=State.APPLYING)
    return bool(mine.update(heartbeat_at=now, attempt=F("attempt") + 1))


def _calls(changes: Sequence[TagChange], size: int) -> list[tuple[dict[str, str], dict[str, list[TagChange]]]]:
    """What goes into one call: resources that get the same tags, at most `size` of them and 50 tags."""
    by_arn: dict[str, list[TagChange]] = defaultdict(list)
    for one in changes:
        by_arn[one.arn].append(one)
    same: dict[tuple[tuple[str, str], ...], list[str]] = defaultdict(list)
    parts = [
        (arn, many[n : n + TAGS_AT_ONCE]) for arn, many in by_arn.items() for n in range(0, len(many), TAGS_AT_ONCE)
    ]
    for arn, many in parts:
        same[tuple(sorted((one.key, one.after) for one in many))].append(arn)
    calls = []
    for pairs, known in same.items():
        keys = {key for key, _ in pairs}
        for part in tag_scripts.chunks(known, size):
            calls.append((dict(pairs), {arn: [one for one in by_arn[arn] if one.key in keys] for arn in part}))
    return calls


def _set(
    row: ChangeSet,
    client: Any,
    account: str,
    tags: dict[str, str],
    part: dict[str, list[TagChange]],
    clock: Callable[[], datetime],
    wait: Callable[[float], None],
) -> bool:
    """One call, and again for those AWS was too busy for; False when somebody else has taken over."""
    left = dict(part)
    for attempt in range(TRIES):
        refused = _tag(client, account, list(left), tags)
        busy = {arn for arn, (code, _) in refused.items() if code in BUSY and attempt + 1 < TRIES}
        done = [_result(one, refused.get(arn)) for arn, many in left.items() if arn not in busy for one in many]
        waiting = [_failed(one, "AWS is busy; it is tried again") for arn in busy for one in left[arn]]
        if not _keep(row, [*done, *waiting], clock()):
            return False
        left = {arn: left[arn] for arn in busy}
        if not left:
            return True
        wait(2.0**attempt)
    return True


def _tag(client: Any, account: str, found: list[str], tags: dict[str, str]) -> dict[str, tuple[str, str]]:
    """{ARN: (code, why)} of those that were not tagged."""
    try:
        with _words(account):
            said = client.tag_resources(ResourceARNList=found, Tags=tags)["FailedResourcesMap"]
    except StorageProblem as problem:
        code = "ThrottlingException" if problem.passing else "Refused"
        return dict.fromkeys(found, (code, str(problem)))
    return {
        arn: (str(each.get("ErrorCode", "")), str(each.get("ErrorMessage", "")) or f"status {each.get('StatusCode')}")
        for arn, each in said.items()
    }


def _result(one: TagChange, refused: tuple[str, str] | None) -> TagChange:
    if refused:
        return _failed(one, ": ".join(part for part in refused if part))
    one.result, one.message = TagChange.Result.OK, ""
    return one


def _failed(one: TagChange, why: str) -> TagChange:
    one.result, one.message = TagChange.Result.FAILED, why[:1000]
    return one


def _keep(row: ChangeSet, changes: Sequence[TagChange], now: datetime) -> bool:
    """Writes results down, and that we are alive; False when another attempt has taken over."""
    for one in changes:
        one.attempts += 1
        one.done_at = now
    TagChange.objects.bulk_update(changes, ["result", "message", "attempts", "done_at"], batch_size=500)
    mine = ChangeSet.objects.filter(pk=row.pk, attempt=row.attempt, state=State.APPLYING)
    return bool(mine.update(heartbeat_at=now))


def _finish(row: ChangeSet, now: datetime) -> bool:
    counts = count_results(row)
    failed = counts.get(TagChange.Result.FAILED, 0)
    named = {"ok": "set", "same": "there already", "failed": "failed", "unable": "cannot be set by this API"}
    words = ", ".join(f"{counts.get(result, 0)} {said}" for result, said in named.items()) + "."
    ChangeSet.objects.filter(pk=row.pk, attempt=row.attempt).update(
        state=State.PARTLY if failed else State.APPLIED, finished_at=now, heartbeat_at=None, message=words
    )
    row.refresh_from_db()
    return True


def count_results(row: ChangeSet) -> dict[str, int]:
    """{result: changes}."""
    return dict(row.changes.order_by().values_list("result").annotate(n=Count("pk")))

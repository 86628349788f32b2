"""A change set rehearsed and applied at the provider, through the Resource Groups Tagging API.

Applying may be killed at any moment: each result is saved after its call, a change that is `ok` is not sent again, and
setting the same tag twice is the same as once.
"""

import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.utils.translation import gettext as _

from costs.models import Credential
from costs.sources.aws import aws_client
from costs.sources.storage import StorageProblem
from tagging.calc import tag_scripts
from tagging.models import ChangeSet, TagChange, TaggingAccess
from tagging.remediation.change_sets import State, count_results

# How often a resource that AWS was too busy for is tried, after 1, 2, 4 and 8 seconds.
TRIES = 5
RESOURCES_PER_LOOKUP = 100
TAGS_PER_CALL = 50
BUSY = {
    "ThrottlingException",
    "ThrottledException",
    "Throttling",
    "InternalServiceException",
    "TooManyRequestsException",
}
OPEN_RESULTS = (TagChange.Result.WAITING, TagChange.Result.FAILED)


@dataclass(frozen=True, slots=True)
class ClientPlace:
    """The region, endpoint and credential of a client: a costs.sources.storage.CloudAddress."""

    region: str
    endpoint: str
    credential: Credential


# boto3 makes the classes of its clients at run time.
Client = Any


def _client(account: str, region: str) -> tuple[Client, int]:
    """(client, resources in a call) for an account's region; raises StorageProblem."""
    access = TaggingAccess.objects.select_related("credential").filter(sub_account=account).first()
    if access is None:
        raise StorageProblem(
            _("Account {account} has no tagging access: an administrator adds it in the admin.").format(account=account)
        )
    place = ClientPlace(region, access.endpoint, access.credential)
    return aws_client("resourcegroupstaggingapi", place), access.per_call


def _by_place(changes: Iterable[TagChange]) -> dict[tuple[str, str], list[TagChange]]:
    """{(account, region): changes}: one call never crosses either."""
    places: dict[tuple[str, str], list[TagChange]] = defaultdict(list)
    for change in changes:
        places[change.sub_account, change.region].append(change)
    return dict(sorted(places.items()))


@contextmanager
def _plain_errors(account: str) -> Iterator[None]:
    """Turns an error of boto3 into a StorageProblem: its own text may hold addresses and tokens."""
    from botocore.exceptions import BotoCoreError, ClientError

    try:
        yield
    except ClientError as error:
        code = str(error.response.get("Error", {}).get("Code", _("an error")))
        raise StorageProblem(
            _("Account {account}: AWS answered {code}.").format(account=account, code=code), is_temporary=code in BUSY
        ) from None
    except BotoCoreError as error:
        raise StorageProblem(
            _("Account {account}: {name}.").format(account=account, name=type(error).__name__), is_temporary=True
        ) from None


def dry_run_change_set(row: ChangeSet, now: datetime) -> str:
    """Reads which tags each resource carries now, changes nothing there, and returns the outcome in a sentence."""
    changes = list(row.changes.filter(result__in=(*OPEN_RESULTS, TagChange.Result.SAME)))
    for (account, region), here in _by_place(changes).items():
        try:
            _compare(account, region, here)
        except StorageProblem as problem:
            for change in here:
                change.message = str(problem)[:1000]
    TagChange.objects.bulk_update(changes, ["provider_value", "result", "message"], batch_size=1000)
    same = sum(change.result == TagChange.Result.SAME for change in changes)
    unable = row.changes.filter(result=TagChange.Result.UNABLE).count()
    row.dry_run_at = now
    row.message = _("Dry run: {value} to set, {same} there already, {unable} cannot be set by this API.").format(
        value=len(changes) - same, same=same, unable=unable
    )
    row.save(update_fields=["dry_run_at", "message"])
    return row.message


def _compare(account: str, region: str, changes: Sequence[TagChange]) -> None:
    """Fills in what each resource carries at the provider, and whether that is the new value already."""
    client, _ignored = _client(account, region)
    tags_by_arn: dict[str, dict[str, str]] = {}
    for part in tag_scripts.chunks(sorted({change.arn for change in changes}), RESOURCES_PER_LOOKUP):
        with _plain_errors(account):
            for mapping in client.get_resources(ResourceARNList=part)["ResourceTagMappingList"]:
                tags_by_arn[mapping["ResourceARN"]] = {tag["Key"]: tag["Value"] for tag in mapping["Tags"]}
    for change in changes:
        tags = tags_by_arn.get(change.arn, {})
        change.message = "" if change.arn in tags_by_arn else _("it carries no tags there yet, or it is gone")
        change.provider_value = tags.get(change.key, "")[:1024]
        is_same = tags.get(change.key) == change.after
        change.result = TagChange.Result.SAME if is_same else TagChange.Result.WAITING


def apply_change_set(
    row: ChangeSet, *, clock: Callable[[], datetime], wait: Callable[[float], None] = time.sleep
) -> bool:
    """Sets every tag that is not set yet, one call at a time; False when another worker does it.

    Each result is saved: set, failed with its reason (and tried again next time), or busy and tried again here.
    """
    if not ChangeSet.objects.claim(row.pk, clock()):
        return False
    row.refresh_from_db()
    for (account, region), changes in _by_place(row.changes.filter(result__in=OPEN_RESULTS)).items():
        try:
            client, size = _client(account, region)
        except StorageProblem as problem:
            _save_results(row, [_failed(change, str(problem)) for change in changes], clock())
            continue
        for tags, resources in _calls(changes, size):
            if not _set_tags(row, client, account, tags, resources, clock, wait):
                return False
    _finish(row, clock())
    return True


def _calls(changes: Sequence[TagChange], size: int) -> list[tuple[dict[str, str], dict[str, list[TagChange]]]]:
    """What goes into one call: resources that get the same tags, at most `size` of them and 50 tags."""
    by_arn: dict[str, list[TagChange]] = defaultdict(list)
    for change in changes:
        by_arn[change.arn].append(change)
    arns_by_tags: dict[tuple[tuple[str, str], ...], list[str]] = defaultdict(list)
    for arn, of_arn in by_arn.items():
        for start in range(0, len(of_arn), TAGS_PER_CALL):
            tags = sorted((change.key, change.after) for change in of_arn[start : start + TAGS_PER_CALL])
            arns_by_tags[tuple(tags)].append(arn)
    calls = []
    for pairs, arns in arns_by_tags.items():
        keys = {key for key, _ignored in pairs}
        for part in tag_scripts.chunks(arns, size):
            calls.append((dict(pairs), {arn: [change for change in by_arn[arn] if change.key in keys] for arn in part}))
    return calls


def _set_tags(
    row: ChangeSet,
    client: Client,
    account: str,
    tags: dict[str, str],
    resources: Mapping[str, list[TagChange]],
    clock: Callable[[], datetime],
    wait: Callable[[float], None],
) -> bool:
    """One call, and again for the resources AWS was too busy for; False when another worker has taken over."""
    for attempt in range(TRIES):
        errors = _tag_resources(client, account, list(resources), tags)
        busy = {arn for arn, (code, _ignored) in errors.items() if code in BUSY and attempt + 1 < TRIES}
        results = []
        for arn, changes in resources.items():
            if arn in busy:
                results += [_failed(change, _("AWS is busy; it is tried again")) for change in changes]
            elif arn in errors:
                reason = ": ".join(part for part in errors[arn] if part)
                results += [_failed(change, reason) for change in changes]
            else:
                for change in changes:
                    change.result, change.message = TagChange.Result.OK, ""
                results += changes
        if not _save_results(row, results, clock()):
            return False
        resources = {arn: resources[arn] for arn in busy}
        if not resources:
            return True
        wait(2.0**attempt)
    return True


def _tag_resources(client: Client, account: str, arns: list[str], tags: dict[str, str]) -> dict[str, tuple[str, str]]:
    """{ARN: (code, reason)} of those that were not tagged."""
    try:
        with _plain_errors(account):
            failed = client.tag_resources(ResourceARNList=arns, Tags=tags)["FailedResourcesMap"]
    except StorageProblem as problem:
        code = "ThrottlingException" if problem.is_temporary else "Refused"
        return dict.fromkeys(arns, (code, str(problem)))
    return {
        arn: (
            str(error.get("ErrorCode", "")),
            str(error.get("ErrorMessage", "")) or _("status {error}").format(error=error.get("StatusCode")),
        )
        for arn, error in failed.items()
    }


def _failed(change: TagChange, reason: str) -> TagChange:
    change.result, change.message = TagChange.Result.FAILED, reason[:1000]
    return change


def _save_results(row: ChangeSet, changes: Sequence[TagChange], now: datetime) -> bool:
    """Saves results and a heartbeat; False when another attempt has taken over."""
    for change in changes:
        change.attempts += 1
        change.done_at = now
    TagChange.objects.bulk_update(changes, ["result", "message", "attempts", "done_at"], batch_size=500)
    own_attempt = ChangeSet.objects.filter(pk=row.pk, attempt=row.attempt, state=State.APPLYING)
    return bool(own_attempt.update(heartbeat_at=now))


def _finish(row: ChangeSet, now: datetime) -> None:
    counts = count_results(row)
    labels = {
        "ok": _("set"),
        "same": _("there already"),
        "failed": _("failed"),
        "unable": _("cannot be set by this API"),
    }
    ChangeSet.objects.filter(pk=row.pk, attempt=row.attempt).update(
        state=State.PARTLY if counts.get(TagChange.Result.FAILED) else State.APPLIED,
        finished_at=now,
        heartbeat_at=None,
        message=", ".join(f"{counts.get(result, 0)} {label}" for result, label in labels.items()) + ".",
    )
    row.refresh_from_db()

"""Which backups stay: the newest of each of the last days, weeks and months that have one. Pure: no Django."""

import re
from collections.abc import Callable, Hashable, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

NAME = "finops-{:%Y%m%dT%H%M%SZ}.finops"
NAMED = re.compile(r"finops-(\d{8}T\d{6}Z)\.finops\Z")


@dataclass(frozen=True, slots=True)
class KeepRule:
    """For how many days, weeks and months the newest backup stays."""

    daily: int
    weekly: int
    monthly: int


@dataclass(frozen=True, slots=True)
class StoredBackup:
    """A file at the target. `is_good`: it is there as it was written."""

    name: str
    made_at: datetime
    is_good: bool


def read_keep_rule(text: str) -> KeepRule:
    """Three numbers, as `7 4 12`: days, weeks, months. Raises ValueError; at least one is above zero."""
    numbers = [int(part) for part in text.replace(",", " ").split()]
    if len(numbers) != 3 or min(numbers) < 0 or not any(numbers):
        raise ValueError(f"{text!r} is not three numbers like 7 4 12: days, weeks, months")
    return KeepRule(*numbers)


def name_of(made_at: datetime) -> str:
    """The file of a backup that began at `made_at`."""
    return NAME.format(made_at.astimezone(UTC))


def moment_of(name: str) -> datetime | None:
    """When the backup of this name began; None for a file that is none of ours, which nobody touches."""
    match = NAMED.match(name)
    if match is None:
        return None
    try:
        return datetime.strptime(match[1], "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
    except ValueError:
        return None


def no_longer_kept(stored: Iterable[StoredBackup], rule: KeepRule) -> list[StoredBackup]:
    """The backups that may go, oldest first: never the newest good one, and nothing while none is good.

    What is not good takes no good one's place, and stays as long as it is newer than the newest good one.
    """
    by_age = sorted(stored, key=lambda backup: backup.made_at, reverse=True)
    good = [backup for backup in by_age if backup.is_good]
    if not good:
        return []
    staying = {good[0].name}
    for count, span in ((rule.daily, _day), (rule.weekly, _week), (rule.monthly, _month)):
        staying |= _newest_of_each(good, count, span)
    return [backup for backup in reversed(by_age) if backup.name not in staying and backup.made_at < good[0].made_at]


def _newest_of_each(good: Sequence[StoredBackup], count: int, span: Callable[[datetime], Hashable]) -> set[str]:
    newest: dict[Hashable, str] = {}
    for backup in good:
        newest.setdefault(span(backup.made_at), backup.name)
    return set(list(newest.values())[:count])


def _day(moment: datetime) -> Hashable:
    return moment.date()


def _week(moment: datetime) -> Hashable:
    return moment.isocalendar()[:2]


def _month(moment: datetime) -> Hashable:
    return moment.year, moment.month

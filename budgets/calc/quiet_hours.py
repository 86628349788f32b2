"""When somebody may be notified: quiet hours and the hour of the digest, in the reader's time zone. Pure."""

from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

DIGEST_AT = time(8)


def earliest_sending(now: datetime, quiet_from: time | None, quiet_until: time | None, zone: str) -> datetime:
    """`now`, or the end of the quiet hours that `now` lies in; aware UTC. Quiet hours may pass midnight.

    On a day whose clocks jump over the hour they end at, they end when the clocks have jumped.
    """
    if quiet_from is None or quiet_until is None or quiet_from == quiet_until:
        return now
    local = now.astimezone(ZoneInfo(zone))
    clock = local.time()
    if quiet_from < quiet_until:
        return _at(local, quiet_until) if quiet_from <= clock < quiet_until else now
    if clock >= quiet_from:
        return _at(local + timedelta(days=1), quiet_until)
    return _at(local, quiet_until) if clock < quiet_until else now


def next_digest(now: datetime, zone: str) -> datetime:
    """The next time, after `now`, that it is eight in the morning there."""
    local = now.astimezone(ZoneInfo(zone))
    today = _at(local, DIGEST_AT)
    return today if today > now else _at(local + timedelta(days=1), DIGEST_AT)


def _at(local: datetime, clock: time) -> datetime:
    return datetime.combine(local.date(), clock, local.tzinfo).astimezone(UTC)

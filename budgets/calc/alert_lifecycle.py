"""What becomes of an alert from one night to the next. Pure: no Django, no clock.

One alert belongs to a threshold and a period, however often the night is run. People are notified when it opens. They
are notified again only where they believe that it was over: because a newer bill took it back, because it had been
resolved for QUIET_DAYS, or because somebody snoozed it until now.
"""

from dataclasses import dataclass, replace
from datetime import date
from decimal import Decimal

from budgets.calc.breaches import ACTUAL, ANOMALY, DAY, Breach

OPEN, ACKNOWLEDGED, SNOOZED, RESOLVED, REOPENED = "open", "acknowledged", "snoozed", "resolved", "reopened"
OPENED, TAKEN_BACK = "opened", "taken back"
QUIET_DAYS = 7
# What was spent is taken back by a newer bill only; a forecast goes down by itself.
FACTS = (ACTUAL, DAY, ANOMALY)


@dataclass(frozen=True, slots=True)
class AlertStatus:
    """How an alert stands. `was_notified`: somebody was notified of it; `end_was_notified`: and then of its end."""

    kind: str
    state: str
    evaluated_as_of: date
    peak: Decimal
    snoozed_until: date | None = None
    resolved_as_of: date | None = None
    reopened: int = 0
    was_notified: bool = False
    end_was_notified: bool = False


@dataclass(frozen=True, slots=True)
class AlertUpdate:
    """What becomes of an alert tonight: its new status, and the occasion to notify people of, or empty."""

    status: AlertStatus
    occasion: str = ""
    is_new: bool = False
    cancels_queued: bool = False


def open_alert(breach: Breach, as_of: date) -> AlertUpdate | None:
    """A breach without an alert opens one; None where another breach covers it."""
    if not breach.is_news:
        return None
    return AlertUpdate(AlertStatus(breach.rule.kind, OPEN, as_of, breach.value), OPENED, is_new=True)


def update_alert(before: AlertStatus, breach: Breach | None, as_of: date, *, over: bool) -> AlertUpdate | None:
    """What tonight makes of an alert; None where nothing changes or a later night was evaluated already.

    `over`: the breach has ended, and clearly so (`breach_has_ended`).
    """
    if as_of < before.evaluated_as_of:
        return None
    if breach:
        return _keep_or_reopen(before, breach, as_of)
    if over and before.state != RESOLVED:
        # A fact of which people were notified is taken back by mail; what is still queued is cancelled.
        notify = before.kind in FACTS and before.was_notified and not before.end_was_notified
        status = replace(
            before,
            evaluated_as_of=as_of,
            state=RESOLVED,
            resolved_as_of=as_of,
            end_was_notified=before.end_was_notified or notify,
        )
        return AlertUpdate(status, f"{TAKEN_BACK}:{status.reopened}" if notify else "", cancels_queued=True)
    return AlertUpdate(replace(before, evaluated_as_of=as_of)) if as_of > before.evaluated_as_of else None


def _keep_or_reopen(before: AlertStatus, breach: Breach, as_of: date) -> AlertUpdate | None:
    status = replace(before, evaluated_as_of=as_of, peak=max(before.peak, breach.value))
    if before.state == RESOLVED:
        # People believe that it was over: they were notified so, they never heard of it, or it was over for long.
        is_rested = before.resolved_as_of is not None and (as_of - before.resolved_as_of).days >= QUIET_DAYS
        notify = before.end_was_notified or not before.was_notified or is_rested
    elif before.state == SNOOZED and before.snoozed_until is not None and as_of >= before.snoozed_until:
        notify = True
    else:
        return AlertUpdate(status) if status != before else None
    count = before.reopened + 1
    status = replace(
        status, state=REOPENED, reopened=count, snoozed_until=None, resolved_as_of=None, end_was_notified=False
    )
    return AlertUpdate(status, f"{REOPENED}:{count}" if notify else "")

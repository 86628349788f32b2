"""The nightly checks of commitments, of purchases and of the savings ledger."""

from datetime import UTC, date, datetime, time

from finops_site.lib.words import counted
from reservations.inventory import notices
from reservations.purchases import approvals, bill_matching
from reservations.savings import ledger


def check_savings_ledger(as_of: date) -> str:
    """Makes the ledger anew and proves it; raises where an equation does not hold, so that the night says so."""
    lines = ledger.refresh_ledger(as_of)
    checks = list(ledger.ledger_checks(None))
    if broken := [f"{check.invariant}, {check.about}" for check in checks if not check.holds]:
        raise ValueError(f"The savings ledger does not add up: {'; '.join(broken)}.")
    return (
        f"{counted(lines, 'line')} of the savings ledger, {counted(len(checks), 'equation holds', 'equations hold')}."
    )


def check_commitments(as_of: date) -> str:
    """Notices of what ends soon or stands idle, each made and mailed once."""
    ends, low = notices.notice_expiries(as_of), notices.notice_low_weeks(as_of)
    sent = notices.send_notices(notices.unsent_notices())
    expiries, unused = counted(len(ends), "expiry", "expiries"), counted(len(low), "poorly used commitment")
    return f"{expiries} and {unused} noticed, {counted(sent, 'notice')} sent."


def check_purchases(as_of: date) -> str:
    """Requests whose time is over or whose prices moved expire; what was bought is looked for in the bills."""
    now = datetime.combine(as_of, time.min, UTC)
    expired, matched = approvals.expire_open_requests(now), bill_matching.match_purchases_with_bills(now)
    return f"{expired} requests expired, {matched} purchases found in the bills."

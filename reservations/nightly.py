"""The nightly checks of commitments, of purchases and of the savings ledger."""

from datetime import UTC, date, datetime, time

from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from finops_site.lib.words import counted
from finops_site.registry import NightlyCheckFailed
from reservations.inventory import notices
from reservations.purchases import approvals, bill_matching
from reservations.savings import ledger


def check_savings_ledger(as_of: date) -> str:
    """Makes the ledger anew and proves it; raises where an equation does not hold, so that the night says so."""
    lines = ledger.refresh_ledger(as_of)
    checks = list(ledger.ledger_checks(None))
    if broken := [f"{check.invariant}, {check.about}" for check in checks if not check.holds]:
        raise NightlyCheckFailed(_("The savings ledger does not add up: {broken}.").format(broken="; ".join(broken)))
    return _("{lines} of the savings ledger, {equations}.").format(
        lines=counted(lines, "line"), equations=counted(len(checks), "equation holds", "equations hold")
    )


def check_commitments(as_of: date) -> str:
    """Notices of what ends soon or stands idle, each made and mailed once."""
    ends, low = notices.notice_expiries(as_of), notices.notice_low_weeks(as_of)
    sent = notices.send_notices(notices.unsent_notices())
    expiries, unused = counted(len(ends), "expiry", "expiries"), counted(len(low), "poorly used commitment")
    return _("{expiries} and {unused} noticed, {notices} sent.").format(
        expiries=expiries, unused=unused, notices=counted(sent, "notice")
    )


def check_purchases(as_of: date) -> str:
    """Requests whose time is over or whose prices moved expire; what was bought is looked for in the bills."""
    now = datetime.combine(as_of, time.min, UTC)
    expired, matched = approvals.expire_open_requests(now), bill_matching.match_purchases_with_bills(now)
    requests = ngettext("{count} request expired", "{count} requests expired", expired).format(count=expired)
    purchases = ngettext("{count} purchase found in the bills", "{count} purchases found in the bills", matched)
    return f"{requests}, {purchases.format(count=matched)}."

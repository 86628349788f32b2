"""Whether a newer version of a month is whole, judged by the version that counts. Pure: no Django.

A bill that lost rows, accounts or days looks like a cheaper month. Days after those that the older version covers are
left out of the comparison: the running month grows.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from statistics import median

# What is smaller than this share of the month may vanish without a question.
NOTABLE = Decimal("0.01")
# So many versions make a history; before that the limits of the settings hold.
HISTORY = 5
# However calm its history: providers correct small amounts all the time.
CALMEST = Decimal("0.02")


@dataclass(frozen=True, slots=True)
class Limits:
    """By which share of the older version's cost a month may fall or rise on the same days; 0.1 is ten per cent."""

    down: Decimal
    up: Decimal


@dataclass(frozen=True, slots=True)
class CostComparison:
    """The cost of one account, service or currency in both versions, on the days the older one covers.

    None: no charge at all. `name` is empty for the currency's total.
    """

    kind: str
    name: str
    currency: str
    before: Decimal | None
    after: Decimal | None

    @property
    def share(self) -> Decimal | None:
        """The change as a share of what it was; None where that was nothing."""
        if not self.before:
            return None
        return ((self.after or Decimal(0)) - self.before) / abs(self.before)


@dataclass(frozen=True, slots=True)
class Versions:
    """What is known of a delivery and of the version it would replace."""

    compared: Sequence[CostComparison]
    last_day_before: date | None
    last_day: date | None
    rows_read: int
    rows_rejected: int
    rejected_share_before: Decimal
    expected_rows: int | None = None
    lost_metrics: Sequence[str] = ()


def reasons_to_hold(versions: Versions, limits: Limits) -> list[str]:
    """Sentences about what is not as it should be; empty when the newer version may count."""
    totals = {row.currency: row for row in versions.compared if row.kind == "total"}
    reasons = []
    if versions.expected_rows is not None and versions.rows_read < versions.expected_rows:
        reasons.append(f"The manifest states {versions.expected_rows:,} rows, and {versions.rows_read:,} are here.")
    if versions.rows_read:
        unread = Decimal(versions.rows_rejected) / versions.rows_read
        if unread > versions.rejected_share_before + NOTABLE:
            reasons.append(f"{versions.rows_rejected:,} of {versions.rows_read:,} rows could not be read.")
    if versions.last_day_before and versions.last_day and versions.last_day < versions.last_day_before:
        reasons.append(
            f"It ends on {versions.last_day:%-d %b %Y}; the version that counts goes on until "
            f"{versions.last_day_before:%-d %b %Y}."
        )
    reasons += [f"{metric} is not in it any more." for metric in versions.lost_metrics]
    for kind in ("account", "service"):
        gone = [row for row in versions.compared if row.kind == kind and _vanished(row, totals[row.currency])]
        if gone:
            gone.sort(key=lambda row: -abs(row.before or Decimal(0)))
            listed = ", ".join(f"{row.name or 'none'} ({row.before:,.2f} {row.currency})" for row in gone[:5])
            more = f" and {len(gone) - 5} more" if len(gone) > 5 else ""
            reasons.append(f"{'Accounts' if kind == 'account' else 'Services'} without any charge: {listed}{more}.")
    for row in totals.values():
        share = row.share
        if share is None or -limits.down <= share <= limits.up:
            continue
        limit = limits.down if share < 0 else limits.up
        reasons.append(
            f"Cost on the same days goes from {row.before:,.2f} to {row.after or 0:,.2f} {row.currency} "
            f"({share:+.1%}; {limit:.1%} {'down' if share < 0 else 'up'} is usual)."
        )
    return reasons


def _vanished(row: CostComparison, total: CostComparison) -> bool:
    return (
        row.before is not None
        and row.after is None
        and abs(row.before) >= NOTABLE * abs(total.before or Decimal(0)) > 0
    )


def usual_limits(changes: Sequence[Decimal], defaults: Limits) -> Limits:
    """The limits of a stream from the changes of its earlier versions, as shares; the defaults while they are few.

    A calm stream is held sooner when it falls: beyond twice its largest fall so far, but for two per cent at least. It
    may still rise, for support and tax come at the end of a month. A lively one may do three times what is usual.
    """
    if len(changes) < HISTORY:
        return defaults
    usual = 3 * Decimal(median(abs(change) for change in changes))
    fall = max([CALMEST, *(-2 * change for change in changes)])
    return Limits(max(usual, min(defaults.down, fall)), max(usual, defaults.up))

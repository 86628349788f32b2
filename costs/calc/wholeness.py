"""Whether a newer version of a month is whole, judged by the version that counts. Pure: no Django.

A bill that lost rows, accounts or days looks like a cheaper month. Days after those that the older version covers are
left out of the comparison: the running month grows.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from statistics import median

from finops_site.lib.words import counted

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

    None: no charge at all. `name` is empty for the currency's total, and for `gross`, its charges without credits.
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
class MissingDays:
    """Days of an account that the older version has charges of and the newer one has none of."""

    account: str
    currency: str
    days: int
    first: date
    last: date
    cost: Decimal


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
    missing_days: Sequence[MissingDays] = ()


def reasons_to_hold(versions: Versions, limits: Limits) -> list[str]:
    """Sentences about what is not as it should be; empty when the newer version may count."""
    totals = {row.currency: row for row in versions.compared if row.kind == "total"}
    gross = {row.currency: row for row in versions.compared if row.kind == "gross"}
    # A month that credits bring to nothing is measured by its charges without them.
    size = {
        code: max(abs(row.before or Decimal(0)) for row in (totals[code], gross.get(code, totals[code])))
        for code in totals
    }
    reasons = []
    if versions.expected_rows is not None and versions.rows_read < versions.expected_rows:
        reasons.append(
            f"The manifest states {counted(versions.expected_rows, 'row')}, and {versions.rows_read:,} are here."
        )
    if versions.rows_read:
        unread = Decimal(versions.rows_rejected) / versions.rows_read
        if unread > versions.rejected_share_before + NOTABLE:
            reasons.append(f"{versions.rows_rejected:,} of {counted(versions.rows_read, 'row')} could not be read.")
    ends_early = versions.last_day_before and versions.last_day and versions.last_day < versions.last_day_before
    if ends_early:
        reasons.append(
            f"It ends on {versions.last_day:%-d %b %Y}; the version that counts goes on until "
            f"{versions.last_day_before:%-d %b %Y}."
        )
    reasons += [f"{metric} is not in it any more." for metric in versions.lost_metrics]
    for kind in ("account", "service"):
        gone = [row for row in versions.compared if row.kind == kind and _vanished(row, size[row.currency])]
        if gone:
            gone.sort(key=lambda row: -abs(row.before or Decimal(0)))
            listed = ", ".join(f"{row.name or 'none'} ({row.before:,.2f} {row.currency})" for row in gone[:5])
            more = f" and {len(gone) - 5} more" if len(gone) > 5 else ""
            reasons.append(f"{'Accounts' if kind == 'account' else 'Services'} without any charge: {listed}{more}.")
    missing = [] if ends_early else [row for row in versions.missing_days if _is_notable(row.cost, size[row.currency])]
    for lack in sorted(missing, key=lambda row: -abs(row.cost))[:5]:
        span = f"{lack.first:%-d %b %Y}" if lack.days == 1 else f"{lack.first:%-d %b} to {lack.last:%-d %b %Y}"
        reasons.append(
            f"Account {lack.account or 'none'} has no charge on {counted(lack.days, 'day')} on "
            f"which it had {lack.cost:,.2f} {lack.currency} ({span})."
        )
    for code, row in totals.items():
        words = _outside(row, limits, "Cost")
        reasons += [words] if words else []
        if not words and code in gross:
            reasons += filter(None, [_outside(gross[code], limits, "Cost without credits")])
    return reasons


def _outside(row: CostComparison, limits: Limits, what: str) -> str:
    """A sentence when the change is outside the limits; empty otherwise."""
    share = row.share
    if share is None or -limits.down <= share <= limits.up:
        return ""
    limit = limits.down if share < 0 else limits.up
    return (
        f"{what} on the same days goes from {row.before:,.2f} to {row.after or 0:,.2f} {row.currency} "
        f"({share:+.1%}; {limit:.1%} {'down' if share < 0 else 'up'} is usual)."
    )


def _is_notable(cost: Decimal, size: Decimal) -> bool:
    return abs(cost) >= NOTABLE * size > 0


def _vanished(row: CostComparison, size: Decimal) -> bool:
    return row.before is not None and row.after is None and _is_notable(row.before, size)


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

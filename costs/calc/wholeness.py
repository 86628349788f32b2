"""Whether a newer version of a month is whole, judged by the version that counts. Pure: no Django.

A bill that lost rows, accounts or days looks like a cheaper month. Days after those that the older version covers are
left out of the comparison: the running month grows.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from statistics import median

from finops_site.lib.language import gettext as _
from finops_site.lib.periods import day_text, short_day_text
from finops_site.lib.words import counted, number_text, share_text, some_of

# What is smaller than this share of the month may vanish without a question.
NOTABLE = Decimal("0.01")
# So much of the cost may move to other owners, or lose half of what describes it, without a question.
DESCRIBED = Decimal("0.1")
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
    """The cost of one account, service, owner or currency in both versions, on the days the older one covers.

    None: no charge at all. `name` is empty for the currency's total, and for `gross`, its charges without credits; for
    a `metric` it is which of the other costs this is the total of.
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
class DescribedCost:
    """How much of the cost of both versions names a thing such as a region or a tag, regardless of sign, on all days.

    `share_before` and `share_after` are of all the cost of the version.
    """

    name: str
    currency: str
    before: Decimal
    after: Decimal
    all_before: Decimal
    all_after: Decimal

    @property
    def share_before(self) -> Decimal:
        return self.before / self.all_before if self.all_before else Decimal(0)

    @property
    def share_after(self) -> Decimal:
        return self.after / self.all_after if self.all_after else Decimal(0)

    @property
    def is_lost(self) -> bool:
        """Whether nothing names it any more, or less than half of what did.

        The amount counts as well as the share: the days that a month grows by may be described otherwise.
        """
        if not self.all_after or self.share_before < NOTABLE:
            return False
        is_half = 2 * self.after <= self.before and 2 * self.share_after <= self.share_before
        return not self.after or (is_half and self.share_before >= DESCRIBED)


@dataclass(frozen=True, slots=True)
class LargestVersion:
    """The largest version of a month that is over, of those that counted since a person decided about one."""

    currency: str
    metric: str
    received_on: date
    largest: Decimal
    now: Decimal


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
    described: Sequence[DescribedCost] = ()
    largest: Sequence[LargestVersion] = ()
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
            _("The manifest states {rows}, and {rows_read} are here.").format(
                rows=counted(versions.expected_rows, "row"), rows_read=number_text(versions.rows_read)
            )
        )
    if versions.rows_read:
        unread = Decimal(versions.rows_rejected) / versions.rows_read
        if unread > versions.rejected_share_before + NOTABLE:
            reasons.append(
                _("{rows_rejected} of {rows} could not be read.").format(
                    rows_rejected=number_text(versions.rows_rejected), rows=counted(versions.rows_read, "row")
                )
            )
    before, last = versions.last_day_before, versions.last_day
    if before and last and last < before:
        reasons.append(
            _("It ends on {last}; the version that counts goes on until {before}.").format(
                last=day_text(last), before=day_text(before)
            )
        )
    reasons += [_("{metric} is not in it any more.").format(metric=metric) for metric in versions.lost_metrics]
    for kind in ("account", "service"):
        gone = [row for row in versions.compared if row.kind == kind and _vanished(row, size[row.currency])]
        if gone:
            gone.sort(key=lambda row: -abs(row.before or Decimal(0)))
            listed = some_of(
                [f"{row.name or _('none')} ({number_text(row.before or 0, 2)} {row.currency})" for row in gone]
            )
            reasons.append(
                _("Accounts without any charge: {listed}.").format(listed=listed)
                if kind == "account"
                else _("Services without any charge: {listed}.").format(listed=listed)
            )
    ends_early = bool(before and last and last < before)
    missing = [] if ends_early else [row for row in versions.missing_days if _is_notable(row.cost, size[row.currency])]
    for lack in sorted(missing, key=lambda row: -abs(row.cost))[:5]:
        span = (
            f"{day_text(lack.first)}"
            if lack.days == 1
            else _("{first} to {last}").format(first=short_day_text(lack.first), last=day_text(lack.last))
        )
        reasons.append(
            _("Account {account} has no charge on {days} on which it had {cost} {currency} ({span}).").format(
                account=lack.account or _("none"),
                days=counted(lack.days, "day"),
                cost=number_text(lack.cost, 2),
                currency=lack.currency,
                span=span,
            )
        )
    reasons += _lost_descriptions(versions.described)
    for code, row in totals.items():
        of_currency = [other for other in versions.compared if other.currency == code]
        words = _outside(row, limits, _("Cost"))
        if not words and code in gross:
            words = _outside(gross[code], limits, _("Cost without credits"))
        if not words:
            of_metrics = [_outside(other, limits, other.name) for other in of_currency if other.kind == "metric"]
            words = " ".join(filter(None, of_metrics)) or _crept(versions.largest, code, limits)
        reasons += [words] if words else []
        reasons += filter(None, [_moved([other for other in of_currency if other.kind == "owner"], limits)])
    return reasons


def _lost_descriptions(described: Sequence[DescribedCost]) -> list[str]:
    """A sentence for each thing that the newer version lost, the largest first; one where all tags are gone."""
    lost = [row for row in described if row.is_lost]
    all_tags = {row.currency for row in lost if row.name == "Tags"}
    lost = [row for row in lost if not (row.name.startswith("The tag") and row.currency in all_tags)]
    lost.sort(key=lambda row: (-row.before, row.name))
    sentences = []
    for row in lost[:5]:
        if row.name.startswith("The tag"):
            words = _("{name} stood on {before} of the cost in {currency}; {after} of it has it now.")
            none = _("{name} stood on {before} of the cost in {currency}; none of it has it now.")
        else:
            words = _("{name} were on {before} of the cost in {currency}; {after} of it has them now.")
            none = _("{name} were on {before} of the cost in {currency}; none of it has them now.")
        sentences.append(
            (words if row.after else none).format(
                name=row.name,
                before=share_text(row.share_before, 1),
                after=share_text(row.share_after, 1),
                currency=row.currency,
            )
        )
    return sentences


def _moved(owners: Sequence[CostComparison], limits: Limits) -> str:
    """A sentence when much of the cost has left some owners and has come to others; what vanishes does not count."""
    size = sum((abs(row.before or Decimal(0)) for row in owners), Decimal(0))
    changes = {row.name: (row.after or Decimal(0)) - (row.before or Decimal(0)) for row in owners}
    left = sum((-change for change in changes.values() if change < 0), Decimal(0))
    came = sum((change for change in changes.values() if change > 0), Decimal(0))
    moved = min(left, came)
    if not size or moved <= max(DESCRIBED, limits.down) * size:
        return ""
    rows = sorted(owners, key=lambda row: (-abs(changes[row.name]), row.name))[:4]
    listed = ", ".join(
        _("{owner} from {before} to {after}").format(
            owner=row.name, before=number_text(row.before or 0, 2), after=number_text(row.after or 0, 2)
        )
        for row in rows
    )
    return _("{share} of the cost on the same days has another owner: {listed} {currency}.").format(
        share=share_text(moved / size, 1), listed=listed, currency=rows[0].currency
    )


def _crept(largest: Sequence[LargestVersion], currency: str, limits: Limits) -> str:
    """A sentence when small steps have made a month that is over smaller than one step may."""
    for row in largest:
        if row.currency == currency and row.largest > 0 and row.now < row.largest * (1 - limits.down):
            return _(
                "{metric} goes down to {now} {currency} by small steps: the version of {received_on} had "
                "{largest} ({share}; {down} down is usual)."
            ).format(
                metric=row.metric,
                now=number_text(row.now, 2),
                currency=row.currency,
                received_on=day_text(row.received_on),
                largest=number_text(row.largest, 2),
                share=f"{row.now / row.largest - 1:+.1%}",
                down=share_text(limits.down, 1),
            )
    return ""


def _outside(row: CostComparison, limits: Limits, what: str) -> str:
    """A sentence when the change is outside the limits; empty otherwise."""
    share = row.share
    if share is None or -limits.down <= share <= limits.up:
        return ""
    limit = limits.down if share < 0 else limits.up
    if share < 0:
        words = _("{what} on the same days goes from {before} to {after} {currency} ({share}; {limit} down is usual).")
    else:
        words = _("{what} on the same days goes from {before} to {after} {currency} ({share}; {limit} up is usual).")
    return words.format(
        what=what,
        before=number_text(row.before or 0, 2),
        after=number_text(row.after or 0, 2),
        currency=row.currency,
        share=f"{share:+.1%}",
        limit=share_text(limit, 1),
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

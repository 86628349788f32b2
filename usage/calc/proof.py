"""What a mended finding saved, by the bill: pure arithmetic. No Django.

Saved in a month = what the resource cost on demand in the month before it was mended, less what it costs now. What a
commitment covers is left out on both sides: stopping a covered machine frees the commitment and saves nothing yet.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum

from finops_site.lib.language import gettext_noop as _noop
from finops_site.lib.money import EXACT, split
from usage.calc.rules.base import Lever

PLACES = Decimal("1E-10")
# Within a tenth of what was promised is as promised; of what it cost before, it is still there.
NEAR = Decimal("0.1")
# What takes the place of a resource has another id: what it costs is not seen on the old one.
ENDS_THE_RESOURCE = (Lever.DELETE, Lever.STOP)


class Gap(StrEnum):
    """Why a saving differs from its promise; shown in words (GAP_WORDS)."""

    AS_PROMISED = "as-promised"
    MORE = "more"
    LESS = "less"
    STILL_THERE = "still-there"
    GREW = "grew"
    REPLACED = "replaced"
    NO_BEFORE = "no-before"
    NO_PROMISE = "no-promise"


GAP_WORDS = {
    Gap.AS_PROMISED: _noop("as promised"),
    Gap.MORE: _noop("more than promised: it cost more before than when it was measured, or more of it went"),
    Gap.LESS: _noop("less than promised: part of it is still used"),
    Gap.STILL_THERE: _noop("it costs as before: nothing was mended, or it came back"),
    Gap.GREW: _noop("it costs more than before: its use grew"),
    Gap.REPLACED: _noop("not known: it is gone, and what took its place is not known"),
    Gap.NO_BEFORE: _noop("not known: no whole bill shows what it cost before"),
    Gap.NO_PROMISE: _noop("nothing was promised: its price was not known"),
}


@dataclass(frozen=True, slots=True)
class MonthSaving:
    """What was saved in a month, and why it differs from the promise; `amount` is None where it is not known."""

    amount: Decimal | None
    gap: Gap


def month_saving(
    before: Decimal | None, after: Decimal, promised: Decimal | None, lever: int, days_before: int, days_after: int
) -> MonthSaving:
    """The saving of a whole month; `before` is the cost of the whole month before it was mended, in its own days.

    Both are brought to the days of the month that is proved: February saves less than March.
    """
    if before is None:
        return MonthSaving(None, Gap.NO_BEFORE)
    comparable = EXACT.divide(EXACT.multiply(before, Decimal(days_after)), Decimal(days_before)).quantize(PLACES)
    if after == 0 and before > 0 and lever not in ENDS_THE_RESOURCE:
        return MonthSaving(None, Gap.REPLACED)
    saved = EXACT.subtract(comparable, after).quantize(PLACES)
    return MonthSaving(saved, _gap(saved, comparable, promised))


def _gap(saved: Decimal, before: Decimal, promised: Decimal | None) -> Gap:
    if saved < -NEAR * before:
        return Gap.GREW
    if saved <= NEAR * before:
        return Gap.STILL_THERE
    if promised is None:
        return Gap.NO_PROMISE
    if saved < promised * (1 - NEAR):
        return Gap.LESS
    return Gap.MORE if saved > promised * (1 + NEAR) else Gap.AS_PROMISED


def shares_of(saved: Decimal, promises: Sequence[Decimal | None]) -> list[Decimal]:
    """What findings mended on one resource saved together, shared by what each promised; it counts once.

    Where none of them promised anything, each has the same share.
    """
    weights = [max(Decimal(0), promised or Decimal(0)) for promised in promises]
    if not any(weights):
        weights = [Decimal(1)] * len(promises)
    return split(saved, weights, unit=PLACES)


def is_proof(gap: Gap) -> bool:
    """Whether a month proves that the finding was mended."""
    return gap in (Gap.AS_PROMISED, Gap.MORE, Gap.LESS, Gap.NO_PROMISE)


def is_back(gap: Gap) -> bool:
    """Whether a month shows that it was not mended, or is back."""
    return gap in (Gap.STILL_THERE, Gap.GREW)

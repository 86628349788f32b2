"""The arithmetic of the savings ledger: what was promised, what the bill proves, and why they differ. Pure: no Django.

Every charge names at most one commitment and every commitment belongs to at most one purchase, so that what an hour
of use saved is counted once, whoever else could have covered it. What a purchase takes from older commitments is
charged to it (`displaced`). Machines that were switched off saved something too, but no commitment did: they are in no
line.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal, localcontext

from finops_site.lib.language import gettext as _
from finops_site.lib.language import gettext_noop
from finops_site.lib.money import EXACT, formatted, rounded, split
from finops_site.lib.words import labelled

ZERO, ONE = Decimal(0), Decimal(1)
UNIT = Decimal("1e-18")
REASONS = ("timing", "demand", "utilisation", "displaced", "price")


@dataclass(frozen=True, slots=True)
class Promise:
    """What was promised for a day, frozen when the purchase was approved, in one currency.

    `utilisation` is the share that was expected to be used; `demand` what it can cover, a day at on-demand prices.
    """

    on_demand: Decimal
    paid: Decimal
    utilisation: Decimal
    demand: Decimal


@dataclass(frozen=True, slots=True)
class Proof:
    """What a month's bill shows of a purchase: summed over `days` days, where `of_days` had been promised.

    `on_demand`: what ran under it, at on-demand prices; `paid`: effective cost, unused included; `used` and `unused`
    in the commitment's own unit; `demand`: what it could have covered, a day; `displaced`: see `displacement`.
    """

    days: int
    of_days: int
    on_demand: Decimal
    paid: Decimal
    used: Decimal
    unused: Decimal
    demand: Decimal | None
    displaced: Decimal = ZERO


@dataclass(frozen=True, slots=True)
class LedgerLine:
    """One month of one purchase. promised - realised = timing + demand + utilisation + displaced + price, exactly."""

    promised: Decimal
    realised: Decimal
    timing: Decimal
    demand: Decimal
    utilisation: Decimal
    displaced: Decimal
    price: Decimal

    @property
    def gap(self) -> Decimal:
        return EXACT.subtract(self.promised, self.realised)

    @property
    def reason(self) -> str:
        """What the gap is mostly made of; empty where there is none."""
        if not self.gap:
            return ""
        towards = 1 if self.gap > 0 else -1
        return max(REASONS, key=lambda name: towards * getattr(self, name))


def ledger_line(promise: Promise, proof: Proof) -> LedgerLine:
    """A month of the ledger, in the promise's currency, cut at the eighteenth decimal.

    timing: days without it. demand and utilisation: value that idle hours did not cover, as far as demand fell, and
    the rest. displaced: what older commitments lost. price: what is left, other prices than promised.
    """
    # Sums of 18 decimals need more than Python's 28 digits.
    with localcontext(EXACT):
        a_day = promise.on_demand - promise.paid
        promised, active = a_day * proof.of_days, a_day * proof.days
        realised = proof.on_demand - proof.paid - proof.displaced
        idle = _idle(promise, proof)
        # The share by which demand fell under the frozen baseline; none where nobody knows it.
        fall = ZERO
        if proof.demand is not None and promise.demand > 0:
            fall = max(ZERO, ONE - EXACT.divide(max(proof.demand, ZERO), promise.demand))
        fell = _cut(idle * fall)
        timing, gap = promised - active, promised - realised
        rest = gap - timing - idle - proof.displaced
        return LedgerLine(promised, realised, timing, fell, idle - fell, proof.displaced, rest)


def _idle(promise: Promise, proof: Proof) -> Decimal:
    """The value that was promised to be covered and was not, because less of the commitment was used than expected."""
    bought = proof.used + proof.unused
    if not bought or not promise.utilisation:
        return ZERO
    got = EXACT.divide(EXACT.divide(proof.used, bought), promise.utilisation)
    return _cut(promise.on_demand * proof.days * (ONE - got))


def _cut(amount: Decimal) -> Decimal:
    return amount.quantize(UNIT, context=EXACT)


def displacement(unused: Decimal, baseline: Decimal, weights: Sequence[Decimal]) -> list[Decimal]:
    """What older commitments stand idle more than when the purchases were approved, shared among the purchases.

    `unused` and `baseline` are the unused cost of the month and of as many days at the baseline; `weights` what each
    purchase covered, at on-demand prices. No more is shared than was covered: what stands idle beyond it does so
    because usage went away, which no purchase caused. The shares sum to the whole.
    """
    taken = [max(weight, ZERO) for weight in weights]
    with localcontext(EXACT):
        more = min(max(unused - baseline, ZERO), sum(taken, ZERO))
    return split(more, taken) if more else [ZERO] * len(weights)


REASON_NAMES = {
    "timing": gettext_noop("days without it"),
    "demand": gettext_noop("less to cover"),
    "utilisation": gettext_noop("less of it used"),
    "displaced": gettext_noop("older commitments idle"),
    "price": gettext_noop("other prices"),
}
# The text of a reason where it takes from what was promised, and where it adds to it.
REASON_TEXTS = {
    "timing": (
        gettext_noop("the bill does not show it on every day that was promised"),
        gettext_noop("the bill shows it longer than was promised"),
    ),
    "demand": (
        gettext_noop("there was less to cover than when it was approved"),
        gettext_noop("there was more to cover than when it was approved"),
    ),
    "utilisation": (
        gettext_noop("less of it was used than was expected"),
        gettext_noop("more of it was used than was expected"),
    ),
    "displaced": (
        gettext_noop("older commitments stood idle for it"),
        gettext_noop("older commitments stood idle less"),
    ),
    "price": (
        gettext_noop("what ran under it costs less on demand than was promised, or it costs more"),
        gettext_noop("what ran under it costs more on demand than was promised, or it costs less"),
    ),
}


def explain_gap(parts: Mapping[str, Decimal], currency: str) -> str:
    """The gap in words, the largest reason first: `parts` holds each of REASONS, promised less realised.

    What rounds to nothing in the currency is left out.
    """
    with localcontext(EXACT):
        gap = sum((parts[name] for name in REASONS), ZERO)
    if not rounded(gap, currency) and not any(rounded(parts[name], currency) for name in REASONS):
        return _("As promised.")
    head = _("{amount} {currency} less than promised") if gap > 0 else _("{amount} {currency} more than promised")
    head = head.format(amount=formatted(abs(gap), currency), currency=currency)
    if not rounded(gap, currency):
        head = _("As promised in sum")
    towards = -1 if gap < 0 else 1
    names = sorted((name for name in REASONS if rounded(parts[name], currency)), key=lambda n: -towards * parts[n])
    reasons = [
        (_("{amount} less because {reason}") if parts[name] > 0 else _("{amount} more because {reason}")).format(
            amount=formatted(abs(parts[name]), currency), reason=_(REASON_TEXTS[name][parts[name] < 0])
        )
        for name in names
    ]
    return labelled(head, f"{'; '.join(reasons)}.")

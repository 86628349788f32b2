"""The rules of buying with four eyes: states, who may do what, what has moved since. Pure: no Django.

A purchase is requested by one person and approved by another; what was approved is bought by hand from an export, or
through the provider's API. Every step goes through `next_state`, so that no state can be reached any other way.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Final

from finops_site.lib.language import gettext as _
from finops_site.lib.language import gettext_noop
from finops_site.lib.money import EXACT
from finops_site.lib.periods import day_text
from finops_site.lib.words import number_text, share_text
from reservations.calc.terms import HOURS_A_YEAR

WAITING: Final = "waiting"
APPROVED: Final = "approved"
REJECTED: Final = "rejected"
WITHDRAWN: Final = "withdrawn"
EXPIRED: Final = "expired"
EXPORTED: Final = "exported"
BUYING: Final = "buying"
DOUBTFUL: Final = "doubtful"
BOUGHT: Final = "bought"
SEEN: Final = "seen"

STATES: Final = {
    WAITING: gettext_noop("waiting for approval"),
    APPROVED: gettext_noop("approved"),
    REJECTED: gettext_noop("rejected"),
    WITHDRAWN: gettext_noop("withdrawn"),
    EXPIRED: gettext_noop("expired"),
    EXPORTED: gettext_noop("exported to buy by hand"),
    BUYING: gettext_noop("being bought"),
    DOUBTFUL: gettext_noop("outcome unknown"),
    BOUGHT: gettext_noop("bought"),
    SEEN: gettext_noop("seen in a bill"),
}
# (state, verb) -> state: nothing else can happen to a request.
TRANSITIONS: Final = {
    (WAITING, "approve"): APPROVED,
    (WAITING, "reject"): REJECTED,
    (WAITING, "withdraw"): WITHDRAWN,
    (WAITING, "expire"): EXPIRED,
    (APPROVED, "withdraw"): WITHDRAWN,
    (APPROVED, "expire"): EXPIRED,
    (APPROVED, "export"): EXPORTED,
    (APPROVED, "buy"): BUYING,
    (EXPORTED, "record"): BOUGHT,
    (EXPORTED, "withdraw"): WITHDRAWN,
    (BUYING, "record"): BOUGHT,
    (BUYING, "give_back"): APPROVED,
    (BUYING, "expire"): EXPIRED,
    (BUYING, "doubt"): DOUBTFUL,
    (DOUBTFUL, "record"): BOUGHT,
    (DOUBTFUL, "give_back"): APPROVED,
    (BOUGHT, "find"): SEEN,
}
# In these states money is spent, or may be.
SPENT: Final = (EXPORTED, BUYING, DOUBTFUL, BOUGHT, SEEN)
# Approved or further: each of them is bought, or may be.
ACCEPTED: Final = (APPROVED, *SPENT)
# Requested, and in no bill yet: whoever looks at the bills alone does not know of it.
UNBILLED: Final = (WAITING, APPROVED, EXPORTED, BUYING, DOUBTFUL, BOUGHT)
ENDED: Final = (REJECTED, WITHDRAWN, EXPIRED)
REQUEST_LASTS: Final = timedelta(days=14)
# A recommendation that is older is worked out anew before anything is bought from it.
PLAN_LASTS: Final = timedelta(days=35)
# So long AWS may take to show what it sold.
DOUBT_LASTS: Final = timedelta(minutes=15)
# A rate that moved by more, or demand that fell by more, is another decision.
PRICE_MAY_MOVE: Final = Decimal("0.01")
DEMAND_MAY_FALL: Final = Decimal("0.10")


STOPPED: Final = gettext_noop("Buying is stopped by finance.")
DRY_RUN_FIRST: Final = gettext_noop("First the dry run: it looks at the provider's offer and its price.")


# What approvers are told would happen, if demand fell by so much.
FALL: Final = Decimal("0.30")


def saving_after_fall(on_demand: Decimal, committed: Decimal) -> Decimal:
    """What a year saves at worst when what it covers falls by `FALL`: its cost stays. Negative where it costs more."""
    return on_demand * (1 - FALL) - committed


class CannotBuy(ValueError):
    """What keeps a request from its next step, in words for the person who tried it."""


def next_state(state: str, verb: str) -> str:
    """The state a verb leads to; raises CannotBuy where it leads nowhere."""
    following = TRANSITIONS.get((state, verb))
    if following is None:
        raise CannotBuy(_("That cannot be done now: the request is {state}.").format(state=_(STATES[state])))
    return following


def term_value(hourly: Decimal, term_months: int) -> Decimal:
    """What is committed to over the whole term, upfront included, in the currency of `hourly`."""
    return hourly * HOURS_A_YEAR * term_months / 12


@dataclass(frozen=True, slots=True)
class LimitRate:
    """What one unit of another currency is worth in that of a limit, and on which day."""

    value: Decimal
    day: date


@dataclass(frozen=True, slots=True)
class Approver:
    """Who wants to approve: the roles she holds, and up to which whole-term value she may approve.

    `rates` are exchange rates into the currency of her limit, as far as they are known.
    """

    identity: int
    is_finance: bool
    is_administrator: bool
    limit: Decimal
    currency: str
    rates: Mapping[str, LimitRate] = field(default_factory=dict)


def approver_objection(
    approver: Approver, *, requested_by: int | None, standing_by: int | None, value: Decimal, currency: str
) -> str:
    """Why she may not approve it; empty when she may. Whoever made a standing order requested what it requests."""
    if approver.is_administrator:
        return _("Administrators run the system: they do not approve purchases.")
    if not approver.is_finance:
        return _("Only finance approves purchases.")
    if approver.identity in (requested_by, standing_by):
        return _("Somebody else has to approve what you requested.")
    if approver.currency == currency:
        if value <= approver.limit:
            return ""
        return _("It commits {value} {currency} over its term, and you may approve up to {limit}.").format(
            value=number_text(value, 2), currency=currency, limit=number_text(approver.limit, 2)
        )
    rate = approver.rates.get(currency)
    if rate is None:
        return _(
            "Your limit is in {own}, and this costs {currency}: load a newer exchange rate of the "
            "two, so that they can be compared."
        ).format(own=approver.currency, currency=currency)
    converted = EXACT.multiply(value, rate.value)
    if converted <= approver.limit:
        return ""
    own = approver.currency
    return _(
        "It commits {value} {currency} over its term: {converted} {own} at 1 {currency} = {rate} "
        "{own} of {day}, and you may approve up to {limit}."
    ).format(
        value=number_text(value, 2),
        currency=currency,
        converted=number_text(converted, 2),
        own=own,
        rate=number_text(rate.value, 6),
        day=day_text(rate.day),
        limit=number_text(approver.limit, 2),
    )


def describe_moves(
    frozen: Mapping[str, Decimal], now: Mapping[str, Decimal], demand_then: Decimal, demand_now: Decimal | None
) -> list[str]:
    """What has moved since prices and demand were frozen, in sentences; none when nothing has.

    Prices are by their name, an hour each. Demand is on-demand cost a day of what it can cover; None where no bill
    shows it.
    """
    moves = []
    for name, price in frozen.items():
        new = now.get(name)
        if new is None:
            moves.append(_("{name} is on no price list any more.").format(name=name))
        elif price and abs(new - price) > price * PRICE_MAY_MOVE:
            moves.append(
                _("The price of {name} was {price} an hour and is {new} now.").format(
                    name=name, price=f"{price:f}", new=f"{new:f}"
                )
            )
    if demand_now is not None and demand_now < demand_then * (1 - DEMAND_MAY_FALL):
        fell = (demand_then - demand_now) / demand_then
        moves.append(
            _("What it can cover cost {demand_then} a day on demand and costs {demand_now} now: {fell} less.").format(
                demand_then=number_text(demand_then, 2), demand_now=number_text(demand_now, 2), fell=share_text(fell)
            )
        )
    return moves


def describe_expiry(expires_at: datetime, now: datetime) -> list[str]:
    """A sentence where its time is over."""
    return (
        [_("It was to be decided and bought until {expires_at}.").format(expires_at=day_text(expires_at))]
        if now >= expires_at
        else []
    )


def api_purchase_objection(
    *, is_on: bool, is_stopped: bool, ceiling: Decimal, spent: Decimal, value: Decimal, currency: str
) -> str:
    """Why the API must not buy this at this moment; empty when it may. `spent` is what it bought this month."""
    if is_stopped:
        return _(STOPPED)
    if not is_on:
        return _("Buying through the provider's API is not switched on: export it and buy it by hand.")
    if spent + value > ceiling:
        return _(
            "It commits {value} {currency}; {spent} of this month's ceiling of {ceiling} are spent already."
        ).format(
            value=number_text(value, 2), currency=currency, spent=number_text(spent, 2), ceiling=number_text(ceiling, 2)
        )
    return ""

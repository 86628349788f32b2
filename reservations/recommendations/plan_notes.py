"""The sentences that a reader of a recommendation must know: how sure it is, and what it leaves out."""

from collections.abc import Iterator, Sequence
from decimal import Decimal

import numpy as np
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from finops_site.lib.periods import day_text
from finops_site.lib.words import number_text, share_text, some_of
from finops_site.translation import gettext_lazy as _lazy
from reservations.calc.terms import KINDS
from reservations.models import PlanItem
from reservations.optimizer.application import demand_at_turn
from reservations.optimizer.demand import DAILY, HOURLY, SNAPSHOT
from reservations.optimizer.expected_demand import MONTH
from reservations.recommendations.demand_sources import HISTORY_DAYS
from reservations.recommendations.plan_parameters import default_parameters
from reservations.recommendations.plan_prices import price_notes
from reservations.recommendations.solved_plan import SolvedPlan, is_ahead

GRAIN_NOTES = {
    HOURLY: _lazy("From hourly use."),
    DAILY: _lazy(
        "The bill is daily and does not say at which hours machines ran: this is decided on the "
        "worst case, all of them at once. It saves no less in any other, and is weaker than advice "
        "from an hourly bill."
    ),
    SNAPSHOT: _lazy(
        "The bill is a snapshot without history: machines that ran when it was taken are treated as "
        "steady. This is the weakest advice there is; look at a month of hourly use before buying "
        "for three years."
    ),
}
POLICY_CURRENCY = "USD"
NEAR = 1e-6
# Of a plan: what begins to be needed with less than this share is the noise of demand.
LEAST_PART = 0.05
INDICATIVE = _lazy(
    "Prices are indicative: worked out from common discounts, on no price list. Load AWS's offer "
    "files or your own sheet before buying."
)


def build_notes(solved: SolvedPlan, items: Sequence[PlanItem]) -> list[str]:
    grain = GRAIN_NOTES.get(solved.demand.grain)
    notes = [str(grain)] if grain else []
    if any(item.is_indicative for item in items) or (not items and not _has_list(solved)):
        notes.append(str(INDICATIVE))
    prices = price_notes(solved.prices, solved.market.unpriced, solved.plan.currency)
    about = (*_price_notes(solved), *prices, *_solution_notes(solved), *_waiting_notes(solved), *_policy_notes(solved))
    return [*notes, *about, *solved.demand.notes]


def _waiting_notes(solved: SolvedPlan) -> Iterator[str]:
    """What need not be bought before the first commitment ends that covers the same machines until then."""
    demand, quantities = solved.demand, solved.solution.quantities
    if demand.until is None or not is_ahead(demand):
        return
    term = demand.until - demand.start
    ends = [one.until for one in solved.history.held if one.until and demand.start < one.until < demand.until]
    middle = (np.arange(demand.hours) + 0.5) / demand.hours
    end = min(ends, default=demand.start)
    before = middle < (end - demand.start) / term
    after = ~before & (middle < (end - demand.start + MONTH) / term)
    if not before.any() or not after.any():
        return
    for index in np.flatnonzero(quantities):
        offer, quantity = solved.market.offers[index], float(quantities[index])
        level = demand_at_turn(solved.market.problem, quantities, solved.market.problem.options[index].group)
        later = min(quantity, float(level[after].max())) - min(quantity, float(level[before].max()))
        if later < (LEAST_PART * quantity if offer.is_plan else 1 - NEAR):
            continue
        scale = offer.scale if offer.is_plan else 1.0
        of_what = (
            _("{currency} an hour of {kinds}").format(currency=offer.price.currency, kinds=_(KINDS[offer.kind]))
            if offer.is_plan
            else f"× {offer.price.pool}"
        )
        yield (
            _("Wait with {later} of {all} {of_what} until {end}: until then what is owned covers it.").format(
                later=f"{later * scale:.3g}", all=f"{quantity * scale:.3g}", of_what=of_what, end=day_text(end)
            )
        )


def _has_list(solved: SolvedPlan) -> bool:
    """Whether a price list, and not common discounts, says what every commitment costs."""
    return not any(price.is_indicative for price in solved.prices.values())


def _policy_notes(solved: SolvedPlan) -> Iterator[str]:
    """Where the plan goes beyond what finance's policy allows."""
    own, policy = solved.parameters, default_parameters()
    if own.max_upfront and solved.plan.currency != POLICY_CURRENCY:
        yield _("The limit on cash is taken as {currency}, in which the bill is.").format(currency=solved.plan.currency)
    beyond = (
        [_("terms of {count} years").format(count=max(own.terms) // 12)] if max(own.terms) > max(policy.terms) else []
    )
    if _is_above(own.max_upfront, policy.max_upfront):
        beyond.append(_("cash on the first day"))
    if _is_above(own.target_coverage, policy.target_coverage):
        beyond.append(_("coverage"))
    if (own.minimum_utilisation or 0.0) < (policy.minimum_utilisation or 0.0):
        beyond.append(_("expected use"))
    if own.cash_rate < policy.cash_rate:
        beyond.append(_("what cash costs"))
    if beyond:
        yield _("It may go beyond finance's policy in {names}: finance decides on that.").format(
            names=", ".join(beyond)
        )


def _is_above(limit: float | None, allowed: float | None) -> bool:
    """Whether a limit, where None is none, leaves more room than another."""
    return allowed is not None and (limit is None or limit > allowed)


def _price_notes(solved: SolvedPlan) -> Iterator[str]:
    """Where the bill charged another price than the list says, by more than a twentieth; and what has no price."""
    listed, billed = Decimal(0), Decimal(0)
    for pool, price in zip(solved.market.pools, solved.market.problem.on_demand, strict=True):
        hours, cost = solved.history.charged.get(pool, (Decimal(0), Decimal(0)))
        listed, billed = listed + hours * Decimal(str(price)), billed + cost
    if listed and abs(billed - listed) > listed / 20:
        yield (
            _(
                "The bill charges {billed} for hours that cost {listed} by the price list: everything here "
                "is worked out on the list."
            ).format(billed=number_text(billed, 2), listed=number_text(listed, 2))
        )
    if solved.market.unpriced:
        names = some_of(sorted(str(pool) for pool in solved.market.unpriced))
        yield (
            _(
                "No price is known for {names}: they stay on demand and are in no figure here. A family that "
                "is no longer sold, or a list that was not loaded?"
            ).format(names=names)
        )


def _solution_notes(solved: SolvedPlan) -> Iterator[str]:
    """What is left out, how far the solver came, and which limits shaped the plan."""
    parameters, solution = solved.parameters, solved.solution
    if solved.history.covered_hours:
        yield (
            ngettext(
                "{covered_hours} hour of the last {history_days} days was covered by commitments that are "
                "owned already and is left out.",
                "{covered_hours} hours of the last {history_days} days were covered by commitments that are "
                "owned already and are left out.",
                round(solved.history.covered_hours),
            ).format(covered_hours=number_text(solved.history.covered_hours, 0), history_days=HISTORY_DAYS)
        )
    if solution.timed_out:
        yield (
            _(
                "The solver ran out of its {time_limit} s: this is the best plan so far, at most {gap} "
                "dearer than the best there can be."
            ).format(time_limit=f"{solved.time_limit:g}", gap=share_text(solution.gap, 1))
        )
    target, held = parameters.target_coverage, solved.covered.share
    if target is not None and held > NEAR:
        is_reached = not solved.scope().limits.maximum_coverage
        text = (
            _(
                "What is owned, approved or bought covers {held} of all use: the limit “cover at most {target}” is "
                "reached, and nothing more is bought."
            )
            if is_reached
            else _(
                "What is owned, approved or bought covers {held} of all use: it counts towards the limit “cover at "
                "most {target}”."
            )
        )
        yield text.format(held=share_text(held), target=share_text(target))
    if not solution.is_feasible:
        yield _("The coverage asked for cannot be reached within the other limits: this plan stays below it.")
    if parameters.max_upfront == 0:
        yield _("The upfront budget is zero: only offers without upfront were considered.")
    if parameters.negotiated:
        text = _("A negotiated discount of {share} is taken off list prices on demand.")
        if parameters.negotiated_on_commitments:
            text = _("A negotiated discount of {share} is taken off list prices on demand and on commitments.")
        yield text.format(share=share_text(parameters.negotiated, 1))
    if not parameters.is_shared:
        yield _("Accounts do not share commitments: each is advised for itself, and its purchases cover nobody else.")
    if parameters.cash_rate:
        yield (
            _(
                "Cash costs {cash_rate} a year: upfront counts as so much dearer, and the last slice saves "
                "at least that share of what it commits. The costs shown are those of the bill, without it."
            ).format(cash_rate=share_text(parameters.cash_rate, 1))
        )

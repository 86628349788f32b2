"""What plans would change for commitments: how much of them what is held would cover, and coverage afterwards."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from django.urls import reverse
from django.utils.translation import gettext as _

from finops_site.lib.money import EXACT, formatted
from finops_site.lib.periods import Period, day_text
from finops_site.lib.person import Person
from finops_site.registry import PlanEffect, PlannedUse, Unit
from reservations.calc.discount_application import coverage_rate
from reservations.calc.reach import Reach
from reservations.calc.terms import AWS, family_of, service_of_type
from reservations.inventory.metrics import DAYS, CommitmentMetrics, metrics_by_currency, newest_period
from reservations.models import Commitment, Utilisation

HUNDRED = Decimal(100)
ZERO = Decimal(0)
# Days of an average month.
MONTH_DAYS = Decimal(365) / 12
A_MONTH = EXACT.divide(MONTH_DAYS, Decimal(DAYS))
HOURS = "Hrs"


@dataclass(slots=True)
class _SpareCommitment:
    """What a commitment leaves unused in an average month, at on-demand prices of what it covers."""

    reach: Reach
    on_demand: Decimal


def plan_effects(
    user: Person, team: int | None, plans: Sequence[Sequence[PlannedUse]], currency: str, today: date
) -> list[PlanEffect]:
    """What held commitments would cover of each plan, and coverage with it; of what is known of the last 30 days.

    Commitments are shared: they are not the team's. What a plan takes away may have been covered, so that coverage with
    such a plan is not known. Only region, family and service are compared, and the hours that a plan runs.
    """
    if not any(_machines(plan) for plan in plans):
        return []
    period = newest_period(user, today)
    metrics = [one for one in metrics_by_currency(user, period) if one.currency == currency] if period else []
    if period is None or not metrics:
        note = _("No use in {currency} is known that commitments could cover.").format(currency=currency)
        return [PlanEffect(_("Covered by commitments"), None, [None] * len(plans), Unit.PERCENT, note=note)]
    (metric,) = metrics
    unused, without = _unused(user, period, currency, today)
    taken = [_covered(plan, unused) for plan in plans]
    left = sum((one.on_demand for one in unused), ZERO)
    note = _("At on-demand prices, of the 30 days to {day}; unused now: {unused} {currency} a month.").format(
        day=day_text(period.last_day), unused=formatted(left, currency), currency=currency
    )
    if without:
        note += " " + _("Of some commitments nothing states what they cover: they count as covering nothing.")
    url = reverse("reservations:overview")
    return [
        PlanEffect(
            _("Covered by commitments that are held, a month"),
            None,
            [_known(plan, amount) for plan, amount in zip(plans, taken, strict=True)],
            Unit.MONEY,
            currency,
            note,
            url,
        ),
        PlanEffect(
            _("Coverage by commitments"),
            _percent(metric.coverage),
            [_coverage(metric, plan, amount) for plan, amount in zip(plans, taken, strict=True)],
            Unit.PERCENT,
            note=metric.why_unknown or _("Of all use that commitments could cover, at on-demand prices."),
            url=url,
        ),
    ]


def _machines(plan: Sequence[PlannedUse]) -> list[PlannedUse]:
    """What commitments could cover: machines by the hour."""
    return [one for one in plan if one.unit == HOURS]


def _is_known(plan: Sequence[PlannedUse]) -> bool:
    return all(one.on_demand is not None and one.on_demand >= 0 for one in _machines(plan))


def _known(plan: Sequence[PlannedUse], amount: Decimal) -> Decimal | None:
    return amount if _is_known(plan) else None


def _unused(user: Person, period: Period, currency: str, today: date) -> tuple[list[_SpareCommitment], int]:
    """What is left of each commitment, those of one family first as they are applied, and of how many nobody knows."""
    days = Utilisation.objects.visible_to(user).within(period).filter(currency=currency, unused_cost__gt=0)
    sums = {row["commitment"]: row for row in days.sums("commitment")}
    held, without = [], 0
    for row in Commitment.objects.in_force(today).filter(pk__in=sums):
        day = sums[row.pk]
        used = day["paid_sum"] - day["unused_cost_sum"]
        if used <= 0 or not day["on_demand_sum"]:
            without += 1
            continue
        worth = EXACT.divide(EXACT.multiply(day["unused_cost_sum"], day["on_demand_sum"]), used)
        held.append(_SpareCommitment(row.reach, EXACT.multiply(worth, A_MONTH)))
    return sorted(held, key=lambda one: (not one.reach.family, not one.reach.region)), without


def _covered(plan: Sequence[PlannedUse], unused: Sequence[_SpareCommitment]) -> Decimal:
    """How much of a plan what is unused would cover: of what runs half of the hours, in half of them."""
    rest = [one.on_demand for one in unused]
    together = ZERO
    for use in _machines(plan):
        left = ZERO if use.is_committed else max(use.on_demand or ZERO, ZERO)
        described = {
            "provider": use.provider or AWS,
            "service": use.service or service_of_type(use.item),
            "region": use.region,
            "family": family_of(use.item),
            "owner": None,
        }
        for number, one in enumerate(unused):
            if left > 0 and one.reach.covers(described):
                part = min(left, EXACT.multiply(rest[number], use.hours_share))
                rest[number] -= part
                left -= part
                together += part
    return together


def _coverage(metric: CommitmentMetrics, plan: Sequence[PlannedUse], taken: Decimal) -> Decimal | None:
    if metric.coverage is None or not _is_known(plan):
        return None
    machines = _machines(plan)
    more = sum((one.on_demand or ZERO for one in machines), ZERO)
    own = sum((one.on_demand or ZERO for one in machines if one.is_committed), ZERO)
    covered, eligible = (EXACT.multiply(amount, A_MONTH) for amount in (metric.covered, metric.eligible))
    return _percent(coverage_rate(covered + own + taken, eligible + more))


def _percent(share: Decimal | None) -> Decimal | None:
    return None if share is None else EXACT.multiply(share, HUNDRED)

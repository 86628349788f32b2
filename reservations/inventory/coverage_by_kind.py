"""Coverage of reservations and of plans apart: in hours, in normalised units and at on-demand prices.

AWS's definitions: what plans cover is not eligible for reservations, and what reservations cover is not eligible for
plans, which come after them. Each kind of plan has a pool of services of its own.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from django.utils.translation import gettext as _

from finops_site.lib.periods import Period
from finops_site.lib.person import Person
from finops_site.translation import gettext_lazy as _lazy
from reservations.calc.discount_application import coverage_rate
from reservations.calc.terms import FARGATE, LAMBDA, PLAN_SERVICES, SAGEMAKER, provider_of
from reservations.models import Coverage

ZERO = Decimal(0)
MEASURES = ("hours", "units", "cost")
# Nobody sells reservations of these.
NEVER_RESERVED = (FARGATE, LAMBDA, SAGEMAKER)
PLAN_NAMES = {
    "sp_compute": _lazy("Savings plans: EC2, Fargate, Lambda"),
    "sp_sagemaker": _lazy("Savings plans: SageMaker"),
    "sp_database": _lazy("Savings plans: databases"),
    "azure_plan": _lazy("Azure savings plans"),
    "gcp_flexible": _lazy("Flexible committed use discounts"),
}


@dataclass(frozen=True, slots=True)
class KindCoverage:
    """How much of what a kind of commitment could cover it covers; None where there is nothing, or no price."""

    name: str
    currency: str
    hours: Decimal | None
    units: Decimal | None
    cost: Decimal | None
    covered: Decimal | None
    eligible: Decimal | None


def coverage_by_kind(user: Person, period: Period, currency: str) -> list[KindCoverage]:
    """Reservations, each kind of plan, and all commitments together, as far as there is anything they could cover."""
    rows = Coverage.objects.visible_to(user).within(period).filter(currency=currency).sums("provider", "service")
    kinds = [_kind(_("Reservations"), rows, currency, _can_be_reserved, own="reserved", others="planned")]
    for plan, name in PLAN_NAMES.items():
        provider, services = PLAN_SERVICES[plan]

        def is_within(row: Mapping[str, Any], provider: str = provider, services: Any = services) -> bool:
            of_provider = provider_of(row["provider"]) == provider
            return of_provider and (services is None or row["service"] in services)

        # What plans cover of a pool may also be another plan's: databases have none that everybody could buy.
        kinds.append(_kind(name, rows, currency, is_within, own="planned", others="reserved"))
    kinds.append(_kind(_("All commitments"), rows, currency, lambda row: True, own="covered", others=""))
    return [kind for kind in kinds if kind.eligible is None or kind.eligible > 0]


def _can_be_reserved(row: Mapping[str, Any]) -> bool:
    return row["service"] not in NEVER_RESERVED


def _kind(
    name: str,
    rows: Iterable[Mapping[str, Any]],
    currency: str,
    is_within: Callable[[Mapping[str, Any]], bool],
    *,
    own: str,
    others: str,
) -> KindCoverage:
    within = [row for row in rows if is_within(row)]

    def total(column: str) -> Decimal:
        return sum((row[f"{column}_sum"] or ZERO for row in within), ZERO)

    covered = {measure: total(f"{own}_{measure}") for measure in MEASURES}
    eligible = {
        measure: total(f"eligible_{measure}") - (total(f"{others}_{measure}") if others else ZERO)
        for measure in MEASURES
    }
    rates = {measure: coverage_rate(covered[measure], eligible[measure]) for measure in MEASURES}
    if any(row["unpriced_sum"] for row in within):
        return KindCoverage(name, currency, rates["hours"], rates["units"], None, None, None)
    return KindCoverage(
        name, currency, rates["hours"], rates["units"], rates["cost"], covered["cost"], eligible["cost"]
    )

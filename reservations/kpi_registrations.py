"""What the programme says of the KPIs of commitments: definition, formula, target and baseline of the plan."""

from decimal import Decimal

from finops_site.registry import Kpi, KpiArea, Unit
from finops_site.translation import gettext_lazy as _lazy
from reservations import kpis as figures
from reservations.savings import ledger

NO_USE = _lazy("No bill is here with use that a commitment could cover.")
NOTHING_COMMITTED = _lazy("Nothing is committed, so nothing can be used of it.")


def kpis(see: str, see_savings: str) -> list[Kpi]:
    """The KPIs for those who hold the permission `see`, and `see_savings` those of the savings ledger."""
    return [
        Kpi(
            "savings-realised",
            _lazy("Savings realised"),
            figures.savings_kpi,
            see_savings,
            59,
            KpiArea.COMMITMENTS,
            _lazy("What commitments saved in the twelve months up to now, by the bills and not by a promise."),
            _lazy("sum of the savings ledger: on-demand cost of what was covered - paid - what stands idle for it"),
            _lazy("Savings realized from commitment-based discounts"),
            unit=Unit.MONEY,
            target=ledger.TARGET,
            baseline=Decimal(0),
            currency=ledger.TARGET_CURRENCY,
            why_unknown=NO_USE,
        ),
        Kpi(
            "monthly-savings",
            _lazy("Savings of a month"),
            figures.monthly_savings_kpi,
            see_savings,
            59,
            KpiArea.COMMITMENTS,
            _lazy("What commitments saved in the newest month that is over and whose bills are all there."),
            _lazy("savings ledger of the month"),
            unit=Unit.MONEY,
            target=figures.MONTHLY_TARGET,
            baseline=Decimal(0),
            currency=ledger.TARGET_CURRENCY,
            why_unknown=NO_USE,
        ),
        Kpi(
            "commitment-coverage",
            _lazy("Commitment coverage"),
            figures.coverage_kpi,
            see,
            60,
            KpiArea.COMMITMENTS,
            _lazy("The share of what commitments could cover that they do, over the 30 newest days of the bills."),
            _lazy("covered / eligible, both at on-demand prices"),
            _lazy("Percent of compute spend covered by commitment discounts"),
            target=figures.COVERAGE_TARGET,
            baseline=Decimal(0),
            why_unknown=NO_USE,
        ),
        Kpi(
            "commitment-utilisation",
            _lazy("Commitment utilisation"),
            figures.utilisation_kpi,
            see,
            61,
            KpiArea.COMMITMENTS,
            _lazy("The share of what was paid for commitments that was used, over the 30 newest days of the bills."),
            _lazy("(paid for commitments - unused) / paid for commitments"),
            _lazy("Commitment discount utilization rate"),
            target=figures.UTILISATION_TARGET,
            why_unknown=NOTHING_COMMITTED,
        ),
        Kpi(
            "effective-savings-rate",
            _lazy("Effective savings rate"),
            figures.savings_rate_kpi,
            see,
            62,
            KpiArea.COMMITMENTS,
            _lazy("What was saved of on-demand prices, with all that commitments cost, over the 30 newest days."),
            _lazy("1 - paid / the same at on-demand prices"),
            _lazy("Effective Savings Rate (ESR)"),
            why_unknown=NO_USE,
        ),
    ]

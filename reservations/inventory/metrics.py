"""How well commitments work: utilisation, coverage, effective savings rate and unused cost, from stored days."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

from django.db.models import Max
from django.db.models.functions import TruncMonth
from django.utils.translation import gettext as _

from costs.query.known_until import bills_of, last_known_day
from finops_site.lib.periods import Month, Period
from finops_site.lib.person import Person
from finops_site.lib.words import counted, number_text
from reservations.calc.discount_application import coverage_rate, effective_savings_rate, utilisation_rate
from reservations.models import Commitment, Coverage, Utilisation
from reservations.querysets import UtilisationQuerySet

DAYS = 30
# The targets of the programme.
TARGET_COVERAGE = Decimal("0.70")
TARGET_UTILISATION = Decimal("0.80")
DIMENSIONS = {"account": "account", "service": "service", "family": "family", "region": "region", "team": "owner__name"}
ZERO = Decimal(0)


@dataclass(frozen=True, slots=True)
class CommitmentMetrics:
    """The sums of a period in one currency, and the ratios they make; None where there is nothing to divide by.

    `unpriced` covered cost lines have no on-demand price in their bill. `eligible` and `covered` lack them, so that
    ratios at on-demand prices are not known. Of `listed` ones the price is a loaded price list's.
    """

    currency: str
    eligible: Decimal
    covered: Decimal
    paid: Decimal
    unused_cost: Decimal
    committed: Decimal
    eligible_hours: Decimal
    covered_hours: Decimal
    unpriced: int = 0
    listed: int = 0

    @property
    def why_unknown(self) -> str:
        """Why the ratios at on-demand prices are not known; empty where they are."""
        if not self.unpriced:
            return ""
        return _("not known: the bills state no on-demand price for {unpriced} covered cost lines").format(
            unpriced=number_text(self.unpriced)
        )

    @property
    def price_note(self) -> str:
        """Whose prices they are where the bill states none; empty where it states all."""
        return (
            _("{counted} at the prices of the loaded list").format(counted=counted(self.listed, "covered cost line"))
            if self.listed
            else ""
        )

    @property
    def coverage(self) -> Decimal | None:
        """Of on-demand cost."""
        return None if self.unpriced else coverage_rate(self.covered, self.eligible)

    @property
    def coverage_hours(self) -> Decimal | None:
        return coverage_rate(self.covered_hours, self.eligible_hours)

    @property
    def utilisation(self) -> Decimal | None:
        """Of what was paid for commitments, in money, so that different units add up."""
        return utilisation_rate(self.committed - self.unused_cost, self.unused_cost) if self.committed else None

    @property
    def savings_rate(self) -> Decimal | None:
        return None if self.unpriced else effective_savings_rate(self.paid, self.eligible)


def newest_usage_day(user: Person, today: date) -> date | None:
    """The newest day that has any use and that all bills have delivered: after it, use is unknown and not zero."""
    newest: date | None = Coverage.objects.visible_to(user).aggregate(day=Max("day"))["day"]
    if newest is None:
        return None
    known = last_known_day(bills_of(user, Month.of(newest).period, {}, today), today)
    return min(newest, known) if known else newest


def newest_period(user: Person, today: date, days: int = DAYS) -> Period | None:
    """The `days` days that end with the newest known; None while there is no use at all."""
    newest = newest_usage_day(user, today)
    return None if newest is None else period_ending_on(newest, days)


def period_ending_on(newest: date, days: int = DAYS) -> Period:
    """The `days` days of which `newest` is the last."""
    return Period(newest - timedelta(days=days - 1), newest + timedelta(days=1))


def metrics_by_currency(user: Person, period: Period) -> list[CommitmentMetrics]:
    """One for each currency, the largest first."""
    paid = {row["currency"]: row["paid_sum"] for row in _usage_days(user, period).sums()}
    rows = Coverage.objects.visible_to(user).within(period).sums()
    metrics = [_build_metrics(row, paid.get(row["currency"], ZERO)) for row in rows]
    return sorted(metrics, key=lambda metric: -metric.eligible)


def _usage_days(user: Person, period: Period) -> UtilisationQuerySet:
    return Utilisation.objects.visible_to(user).within(period)


def _build_metrics(row: Mapping[str, Any], committed: Decimal) -> CommitmentMetrics:
    return CommitmentMetrics(
        row["currency"],
        row["eligible_cost_sum"] or ZERO,
        row["covered_cost_sum"] or ZERO,
        row["paid_sum"] or ZERO,
        row["unused_cost_sum"] or ZERO,
        committed,
        row["eligible_hours_sum"] or ZERO,
        row["covered_hours_sum"] or ZERO,
        row["unpriced_sum"] or 0,
        row["listed_sum"] or 0,
    )


def metrics_by_dimension(user: Person, period: Period, dimension: str) -> list[dict[str, Any]]:
    """A row for each value of account, service, family, region or team, the most that runs on demand first."""
    field = DIMENSIONS[dimension]
    rows = Coverage.objects.visible_to(user).within(period).sums(field)
    groups = []
    for row in rows:
        metrics = _build_metrics(row, ZERO)
        groups.append(
            {
                "name": row[field] or (_("unowned") if dimension == "team" else "—"),
                "currency": metrics.currency,
                "eligible": None if metrics.unpriced else metrics.eligible,
                "covered": None if metrics.unpriced else metrics.covered,
                "on_demand": metrics.eligible - metrics.covered,
                "unused": metrics.unused_cost,
                "coverage": metrics.coverage,
                "savings_rate": metrics.savings_rate,
            }
        )
    return sorted(groups, key=lambda group: -group["on_demand"])


def metrics_by_day(user: Person, period: Period, currency: str) -> list[dict[str, Any]]:
    """Coverage and utilisation of each day."""
    rows = Coverage.objects.visible_to(user).within(period).filter(currency=currency).sums("day")
    paid = {row["day"]: row for row in _usage_days(user, period).filter(currency=currency).sums("day")}
    return [_ratios(row["day"], row, paid.get(row["day"], {})) for row in rows]


def metrics_by_month(user: Person, period: Period, currency: str) -> list[dict[str, Any]]:
    """Coverage and utilisation of each month, with their sums."""
    rows = Coverage.objects.visible_to(user).within(period).filter(currency=currency)
    paid = _usage_days(user, period).filter(currency=currency).annotate(month=TruncMonth("day")).sums("month")
    known = {row["month"]: row for row in paid}
    return [
        _ratios(row["month"], row, known.get(row["month"], {}))
        for row in rows.annotate(month=TruncMonth("day")).sums("month")
    ]


def _ratios(moment: date, row: Mapping[str, Any], paid: Mapping[str, Any]) -> dict[str, Any]:
    metrics = _build_metrics(row, paid.get("paid_sum") or ZERO)
    return {
        "moment": moment,
        "currency": metrics.currency,
        "coverage": metrics.coverage,
        "utilisation": metrics.utilisation,
        "savings_rate": metrics.savings_rate,
        "eligible": None if metrics.unpriced else metrics.eligible,
        "covered": None if metrics.unpriced else metrics.covered,
        "unused": metrics.unused_cost,
        "paid": metrics.paid,
    }


def idle_commitments(user: Person, period: Period, limit: int = 10) -> list[dict[str, Any]]:
    """Commitments with unused cost in the period, the dearest first: each named and priced."""
    rows = _usage_days(user, period).sums("commitment")
    known = Commitment.objects.in_bulk([row["commitment"] for row in rows if row["unused_cost_sum"]])
    named = [
        {
            "pk": row["commitment"],
            "name": str(known[row["commitment"]]),
            "currency": row["currency"],
            "unused": row["unused_cost_sum"],
            "utilisation": utilisation_rate(row["paid_sum"] - row["unused_cost_sum"], row["unused_cost_sum"]),
        }
        for row in rows
        if row["unused_cost_sum"]
    ]
    return sorted(named, key=lambda row: -row["unused"])[:limit]

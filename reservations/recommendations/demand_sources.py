"""Where demand comes from: the charges of the whole company, or the cost lines of a team."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

from django.db.models import Q, Sum

from costs.models import CostLine
from costs.query.known_until import bills_of, is_month_known, last_known_day
from finops_site.lib.periods import Month, Period
from finops_site.lib.person import WholeCompany
from finops_site.models import Team
from reservations.calc.terms import MULTI_AZ, SYSTEM_WORDS, MachinePool, service_of_type, system_of
from reservations.inventory.period_charges import midnight, query_charges
from reservations.optimizer.demand import NONE, Demand, MachineUse, build_demand

HISTORY_DAYS = 395
ZERO = Decimal(0)


@dataclass(frozen=True, slots=True)
class CollectedDemand:
    """Demand that no commitment covers, what the bill charged for it, and how many hours were covered or spot."""

    demand: Demand
    charged: Mapping[MachinePool, tuple[Decimal, Decimal]]
    covered_hours: Decimal
    spot_hours: Decimal


def newest_billed_day(today: date) -> date:
    """The day after the newest use that a bill can know: today, or the end of the last month that has a bill."""
    newest = (
        CostLine.objects.current()
        .filter(charge_category="Usage")
        .order_by("-charge_date")
        .values_list("charge_date", flat=True)
        .first()
    )
    return today if newest is None else min(today, Month.of(newest).next.start)


def collect_demand(as_of: date, days: int, team: Team | None = None) -> CollectedDemand:
    """The hours of `days` days before `as_of` of the whole company, or of a team (daily, from its cost lines).

    They end where a bill that is late ends: what is not delivered is no machine that was switched off.
    """
    start = as_of - timedelta(days=days)
    filters = {"team": [str(team.pk)]} if team else {}
    bills = bills_of(WholeCompany(), Period(start, as_of), filters, as_of)
    last_month = Month.of(as_of - timedelta(days=1))
    # A month that is over and lacks nothing is known to its end, be its charges all of the first day (an inventory).
    is_over = last_month.next.start <= as_of and is_month_known(bills, last_month, as_of)
    known = None if is_over else last_known_day(bills, as_of)
    period = Period(start, max(start, min(as_of, known + timedelta(days=1))) if known else as_of)
    rows = _team_use(team, period) if team else _company_use(period)
    open_rows = [row for row in rows if not row["covered"] and not row["spot"]]
    charged: dict[MachinePool, tuple[Decimal, Decimal]] = {}
    for row in open_rows:
        hours, cost = charged.get(_pool(row), (ZERO, ZERO))
        charged[_pool(row)] = (hours + (row["hours"] or 0), cost + (row["cost"] or 0))
    uses = (
        MachineUse(
            _pool(row),
            row["start"],
            row["end"] or row["start"] + timedelta(days=1),
            row["hours"] or ZERO,
            row["machines"],
        )
        for row in open_rows
    )
    return CollectedDemand(
        _without_silent_ends(build_demand(uses, midnight(period.start), midnight(period.end))),
        charged,
        covered_hours=_sum_hours(row for row in rows if row["covered"]),
        spot_hours=_sum_hours(row for row in rows if row["spot"] and not row["covered"]),
    )


def _sum_hours(rows: Iterable[Mapping[str, Any]]) -> Decimal:
    return sum((row["hours"] or ZERO for row in rows), ZERO)


def _company_use(period: Period) -> list[dict[str, Any]]:
    """Of a bill in two halves only the actual one is read, for both hold the same hours."""
    from reservations.calc import charge_queries

    query = charge_queries.machine_use(midnight(period.start), midnight(period.end), [list(SYSTEM_WORDS), [MULTI_AZ]])
    return query_charges(period, query, without_view="amortized")


def _team_use(team: Team, period: Period) -> list[dict[str, Any]]:
    lines = (
        CostLine.objects.current()
        .filter(owner__in=Team.objects.below(team).values("pk"), charge_category="Usage")
        .filter(Q(unit__istartswith="h") | Q(unit__icontains="hour") | Q(unit__icontains="hrs"))
        .exclude(instance_type="")
        .exclude(commitment_status="Unused")
        .charged_in(period)
    )
    names = ("provider", "region", "instance_type", "charge_description", "commitment", "pricing_category", "currency")
    days = lines.values("charge_date", *names).annotate(hours=Sum("quantity"), cost=Sum("effective_cost"))
    return [
        {
            **row,
            "start": midnight(row["charge_date"]),
            "end": midnight(row["charge_date"]) + timedelta(days=1),
            "type": row["instance_type"],
            "operation": "",
            "description": row["charge_description"],
            "covered": bool(row["commitment"]) or row["pricing_category"] == "Committed",
            "spot": row["pricing_category"] == "Dynamic",
            "machines": 0,
        }
        for row in days.order_by()
    ]


def _pool(row: Mapping[str, Any]) -> MachinePool:
    system = system_of(row["operation"], row["description"])
    provider = "AWS" if row["provider"] and row["provider"].lower().startswith(("aws", "amazon")) else row["provider"]
    return MachinePool(provider or "", row["region"] or "", row["type"], system, service=service_of_type(row["type"]))


def _without_silent_ends(demand: Demand) -> Demand:
    """Without the hours before the first use and after the last, of which the bill shows nothing yet."""
    if demand.grain == NONE:
        return demand
    used = demand.machines.sum(axis=0).nonzero()[0]
    first, past = int(used[0]), int(used[-1]) + 1
    return replace(demand, machines=demand.machines[:, first:past], start=demand.start + timedelta(hours=first))


def restrict_to_last_days(demand: Demand, days: int) -> Demand:
    """The last `days` days of demand, without pools that did not run in them."""
    machines = demand.machines[:, -days * 24 :]
    ran = machines.sum(axis=1) > 0
    pools = [pool for pool, has_run in zip(demand.pools, ran, strict=True) if has_run]
    start = demand.start + timedelta(hours=demand.hours - machines.shape[1])
    return Demand(pools, machines[ran], start, demand.grain if pools else NONE, demand.notes)

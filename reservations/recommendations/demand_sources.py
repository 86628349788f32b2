"""Where demand comes from: the charges of the whole company, or the cost lines of a team."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import Any

from django.db.models import Q, Sum

from costs.models import CostLine, DeliveryMonth
from costs.query.query_backends import charges_in
from finops_site.lib.periods import Month, Period
from finops_site.models import Team
from reservations.calc.terms import MULTI_AZ, SYSTEM_WORDS, MachinePool, system_of
from reservations.optimizer.demand import NONE, Demand, MachineUse, build_demand

HISTORY_DAYS = 395


@dataclass(frozen=True, slots=True)
class CollectedDemand:
    """Demand that no commitment covers, what the bill charged for it, and how many hours were covered or spot."""

    demand: Demand
    charged: Mapping[MachinePool, tuple[Decimal, Decimal]]
    covered_hours: Decimal
    spot_hours: Decimal


def newest_billed_day(today: date) -> date:
    """The day after the newest use that a bill can know: today, or the end of the last month that has a bill."""
    last = (
        CostLine.objects.current().filter(charge_category="Usage").order_by("-charge_date").values_list("charge_date")
    ).first()
    if last is None:
        return today
    month = Month.of(last[0])
    return min(today, month.next.start)


def collect_demand(as_of: date, days: int, team: Team | None = None) -> CollectedDemand:
    """The hours of `days` days before `as_of` of the whole company, or of a team (daily, from its cost lines)."""
    period = Period(as_of - timedelta(days=days), as_of)
    rows = _of_team(team, period) if team else _of_company(period)
    own = [row for row in rows if not row["covered"] and not row["spot"]]
    demand = build_demand((_use(row) for row in own), _midnight(period.start), _midnight(period.end))
    return CollectedDemand(
        _trimmed(demand), _charged(own), _hours(rows, "covered"), _hours([r for r in rows if not r["covered"]], "spot")
    )


def _hours(rows: Iterable[Mapping[str, Any]], flag: str) -> Decimal:
    return sum((row["hours"] or Decimal(0) for row in rows if row[flag]), Decimal(0))


def _midnight(day: date) -> datetime:
    return datetime.combine(day, time())


def _of_company(period: Period) -> list[dict[str, Any]]:
    from costs.charges import charge_queries as ask

    globs = [month.charges_glob for month in _months(period)]
    if not globs:
        return []
    question = ask.machine_use(_midnight(period.start), _midnight(period.end), [list(SYSTEM_WORDS), [MULTI_AZ]])
    with charges_in(*globs, threads=2) as charges:
        return charges.ask(question)


def _months(period: Period) -> list[DeliveryMonth]:
    """Publications that count and touch the period; of a bill in two halves the actual one, for both tell the hours."""
    first, last = str(Month.of(period.start).start), str(period.last_day)
    return [
        month
        for month in DeliveryMonth.objects.current().exclude(view="amortized").select_related("delivery")
        if any(first <= charged <= last for charged in month.charge_months)
    ]


def _of_team(team: Team, period: Period) -> list[dict[str, Any]]:
    lines = (
        CostLine.objects.current()
        .filter(owner__in=Team.objects.below(team).values("pk"), charge_category="Usage")
        .filter(Q(unit__istartswith="h") | Q(unit__icontains="hour") | Q(unit__icontains="hrs"))
        .exclude(instance_type="")
        .exclude(commitment_status="Unused")
    )
    names = ("provider", "region", "instance_type", "charge_description", "commitment", "pricing_category", "currency")
    found = (
        lines.charged_in(period)
        .values("charge_date", *names)
        .annotate(hours=Sum("quantity"), cost=Sum("effective_cost"))
    )
    return [_as_use(row) for row in found.order_by()]


def _as_use(row: Mapping[str, Any]) -> dict[str, Any]:
    start = _midnight(row["charge_date"])
    return {
        **row,
        "start": start,
        "end": start + timedelta(days=1),
        "type": row["instance_type"],
        "operation": "",
        "description": row["charge_description"],
        "covered": bool(row["commitment"]) or row["pricing_category"] == "Committed",
        "spot": row["pricing_category"] == "Dynamic",
        "machines": 0,
    }


def _pool(row: Mapping[str, Any]) -> MachinePool:
    system = system_of(row["operation"], row["description"])
    provider = "AWS" if row["provider"] and row["provider"].lower().startswith(("aws", "amazon")) else row["provider"]
    return MachinePool(provider or "", row["region"] or "", row["type"], system)


def _use(row: Mapping[str, Any]) -> MachineUse:
    end = row["end"] or row["start"] + timedelta(days=1)
    return MachineUse(_pool(row), row["start"], end, row["hours"] or Decimal(0), row["machines"])


def _charged(rows: Iterable[Mapping[str, Any]]) -> dict[MachinePool, tuple[Decimal, Decimal]]:
    """{pool: (hours, effective cost)} as billed."""
    found: dict[MachinePool, tuple[Decimal, Decimal]] = {}
    for row in rows:
        hours, cost = found.get(_pool(row), (Decimal(0), Decimal(0)))
        found[_pool(row)] = (hours + (row["hours"] or 0), cost + (row["cost"] or 0))
    return found


def _trimmed(demand: Demand) -> Demand:
    """Without the hours before the first use and after the last: there the bill says nothing yet."""
    if demand.grain == NONE:
        return demand
    used = demand.machines.sum(axis=0).nonzero()[0]
    first, past = int(used[0]), int(used[-1]) + 1
    return replace(demand, machines=demand.machines[:, first:past], start=demand.start + timedelta(hours=first))


def restrict_to_last_days(demand: Demand, days: int) -> Demand:
    """The last `days` days of demand, without pools that did not run in them."""
    machines = demand.machines[:, -days * 24 :]
    used = machines.sum(axis=1) > 0
    pools = [pool for pool, kept in zip(demand.pools, used, strict=True) if kept]
    start = demand.start + timedelta(hours=demand.hours - machines.shape[1])
    return Demand(pools, machines[used], start, demand.grain if pools else NONE, demand.notes)

"""Where demand comes from: the charges of the whole company, or the cost lines of a team."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import numpy as np
from django.db import connection
from django.db.models import Q, Sum
from django.utils.translation import gettext as _
from numpy.typing import NDArray

from costs.calc.known_until import knowledge_of
from costs.calc.system_words import SYSTEM_WORDS
from costs.models import CostLine
from costs.query.known_until import bills_of, is_delivered, is_month_known, last_known_day, rules
from finops_site.lib.periods import Month, Period
from finops_site.lib.person import WholeCompany
from finops_site.lib.words import number_text, some_of
from finops_site.models import Team
from finops_site.translation import gettext_lazy as _lazy
from reservations.calc.machine_pools import ENGINE_WORDS, read_use, service_of
from reservations.calc.terms import (
    AWS,
    DYNAMODB,
    EC2,
    ELASTICACHE,
    FARGATE,
    LAMBDA,
    MEMORYDB,
    RDS,
    MachinePool,
    provider_of,
)
from reservations.inventory.period_charges import midnight, query_charges
from reservations.optimizer.demand import Demand, MachineUse, build_demand
from reservations.optimizer.expected_demand import expected_demand
from reservations.optimizer.held_capacity import HeldCapacity, without_held
from reservations.pricing import price_book
from reservations.recommendations.held_commitments import HeldCommitments, PoolUse, held_commitments, holds_anything

HISTORY_DAYS = 395
# The newest days that are known say what a commitment covers, and which part of that is a team's.
LATELY = 14
ZERO = Decimal(0)
SERVERLESS = {FARGATE: _lazy("containers (ECS, EKS and Fargate)"), LAMBDA: "Lambda", DYNAMODB: "DynamoDB"}


@dataclass(frozen=True, slots=True)
class CollectedDemand:
    """What is left to cover, what the bill charged for what no commitment covered, and hours covered or spot.

    `demand` is `gross`, all use that a commitment can cover, less what is `held`, as if that were in force all along.
    `net` is what the bill charges on demand as a share of the list price, where it states both.
    """

    demand: Demand
    charged: Mapping[MachinePool, tuple[Decimal, Decimal]]
    covered_hours: Decimal
    spot_hours: Decimal
    gross: Demand
    held: Sequence[HeldCapacity] = ()
    currency: str = "USD"
    net: Mapping[MachinePool, Decimal] = field(default_factory=dict)

    def expected(self, months: int, days: int, *, with_held: bool = False) -> Demand:
        """What is left to cover in the months to come, from a lookback of `days`; see optimizer.expected_demand.

        `months` is the longest term that may be bought: a time of more than a year has no growth in it. Of a daily bill
        `machines` is the worst case, on which to decide, and `even` the best: what is saved lies between what the two
        save. The notes say what was assumed. `with_held` is all use, of which nothing is taken off: in the same hours.
        """
        ahead = expected_demand(self.gross, self.held, months=months, days=days, with_held=with_held)
        return replace(ahead, notes=list(dict.fromkeys([*self.demand.notes, *ahead.notes])))


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


def collect_demand(as_of: date, days: int, team: Team | None = None, *, is_shared: bool = True) -> CollectedDemand:
    """The hours of `days` days before `as_of` of the whole company, or of a team (daily, from its cost lines).

    What no bill tells is in none of its columns: an hour that is not delivered is no machine that was switched off.
    What is owned, approved, handed out or bought is taken off every hour. Of a daily bill `demand.machines` has the
    hours of a day all at once, the worst case for a commitment, and `demand.even` one after another, the best. Where
    accounts do not share (`is_shared`), each account's machines are pools of their own.
    """
    period = Period(as_of - timedelta(days=days), as_of)
    known = _known_days(period, team)
    rows, unnamed = _with_pools(_team_use(team, period, is_shared) if team else _company_use(period, is_shared))
    if team:
        unnamed += [*_without_servers(team, period), *_systems_taken(rows)]
    currency = _main_currency(row for row in rows if not row["spot"])
    rows, apart = _in_currency(rows, currency)
    eligible = [row for row in rows if not row["spot"]]
    charged: dict[MachinePool, tuple[Decimal, Decimal]] = {}
    for row in eligible:
        if not row["covered"]:
            hours, cost = charged.get(row["pool"], (ZERO, ZERO))
            charged[row["pool"]] = (hours + (row["hours"] or 0), cost + (row["cost"] or 0))
    uses = [
        MachineUse(
            row["pool"],
            row["start"],
            row["end"] or row["start"] + timedelta(days=1),
            row["hours"] or ZERO,
            row["machines"],
        )
        for row in eligible
    ]
    gross = build_demand(uses, midnight(period.start), midnight(period.end), _known_hours(known, period, rows))
    # Where nothing is covered and nothing held there is no need to read the bill once more.
    has_any = any(row["covered"] for row in rows) or holds_anything()
    held = _held(gross, as_of, team, currency, is_shared) if gross.pools and has_any else HeldCommitments()
    left = without_held(gross, held.capacities)
    return CollectedDemand(
        replace(left, notes=[*gross.notes, *unnamed, *apart, *held.notes]),
        charged,
        covered_hours=_sum_hours(row for row in rows if row["covered"]),
        spot_hours=_sum_hours(row for row in rows if row["spot"] and not row["covered"]),
        gross=gross,
        held=held.capacities,
        currency=currency,
        net=_net_shares(eligible),
    )


def _net_shares(rows: Iterable[Mapping[str, Any]]) -> dict[MachinePool, Decimal]:
    """Contracted cost / list cost of what no commitment covers; 1 at most, for a list price is never exceeded."""
    sums: dict[MachinePool, tuple[Decimal, Decimal]] = {}
    for row in rows:
        if not row["covered"] and row.get("listed"):
            pool = replace(row["pool"], account="", zone="")
            listed, contracted = sums.get(pool, (ZERO, ZERO))
            sums[pool] = listed + row["listed"], contracted + (row["contracted"] or ZERO)
    return {pool: min(contracted / listed, Decimal(1)) for pool, (listed, contracted) in sums.items() if contracted > 0}


def _in_currency(rows: Iterable[dict[str, Any]], currency: str) -> tuple[list[dict[str, Any]], list[str]]:
    """The rows of one currency, for a plan has one; and what others cost, in sentences."""
    own, costs = [], dict[str, Decimal]()
    for row in rows:
        if row["currency"] in (currency, None, ""):
            own.append(row)
        elif not row["spot"] and not row["covered"]:
            costs[row["currency"]] = costs.get(row["currency"], ZERO) + (row["cost"] or ZERO)
    return own, [
        _("{cost} {other} are on bills in {other}: this advice is for what is billed in {currency}.").format(
            cost=number_text(cost, 2), other=other, currency=currency
        )
        for other, cost in sorted(costs.items())
        if cost
    ]


def _main_currency(rows: Iterable[Mapping[str, Any]]) -> str:
    """That of most of the cost; USD where nothing costs anything."""
    costs: dict[str, Decimal] = {}
    for row in rows:
        if row["currency"]:
            costs[row["currency"]] = costs.get(row["currency"], ZERO) + abs(row["cost"] or ZERO)
    return max(costs, key=lambda currency: (costs[currency], currency), default="USD")


def _known_days(period: Period, team: Team | None) -> list[bool]:
    """Of each day of the period, whether every bill that should tell of it is delivered."""
    filters = {"team": [str(team.pk)]} if team else {}
    bills = bills_of(WholeCompany(), period, filters, period.end)
    knowledge = knowledge_of(bills, period, period.end, rules())
    last_month = Month.of(period.last_day)
    # A month that is over and lacks nothing is known to its end, be its charges all of the first day (an inventory).
    is_over = last_month.next.start <= period.end and is_month_known(bills, last_month, period.end)
    until = None if is_over else last_known_day(bills, period.end)
    delivered = {month: is_delivered(bills, month) for month in period.months()}
    return [
        delivered[Month.of(day)]
        and (until is None or day <= until)
        and not any(gap.first <= day <= gap.last for gap in knowledge.gaps)
        for day in period.each_day()
    ]


def _known_hours(known: Sequence[bool], period: Period, rows: Iterable[Mapping[str, Any]]) -> NDArray[np.bool_]:
    """The hours of the known days; of the last of them, where its month goes on, those until the last billed one."""
    hours = np.repeat(np.array(known, dtype=bool), 24)
    last = max((index for index, is_known in enumerate(known) if is_known), default=None)
    if (last is not None and last + 1 < len(known)) or Month.of(period.last_day).next.start > period.end:
        newest = max((row["end"] or row["start"] + timedelta(days=1) for row in rows), default=None)
        if newest is not None and last is not None:
            billed = int((newest - midnight(period.start)) / timedelta(hours=1))
            if last * 24 < billed:
                hours[billed:] = False
    return hours


def _held(gross: Demand, as_of: date, team: Team | None, currency: str, is_shared: bool) -> HeldCommitments:
    """What the company holds, for these pools; the use of the last days says what it covers, and whose that is."""
    past = int(gross.hours_after_start[-1]) + 1
    first = max(past - LATELY * 24, 0)
    begin, end = (midnight(gross.start.date()) + timedelta(hours=hours) for hours in (first, past - 1))
    use = _pool_use(Period(begin.date(), end.date() + timedelta(days=1)), is_shared)
    prices = price_book.prices_of(gross.pools, as_of, currency)
    machines = (gross.machines if gross.even is None else gross.even)[:, gross.hours_after_start >= first]
    team_hours = dict(zip(gross.pools, machines.sum(axis=1).tolist(), strict=True)) if team else None
    return held_commitments(use, gross.pools, prices, as_of=as_of, team=team, team_hours=team_hours, currency=currency)


def _with_pools(rows: Iterable[dict[str, Any]]) -> tuple[list[dict[str, Any]], list[str]]:
    """The rows with the pool of each, without fees; and what the bill says of machines that nobody can name."""
    read = [(row, read_use(row)) for row in rows]
    costs: dict[str, Decimal] = {}
    for row, use in read:
        if use.pool is None and not use.is_fee and not row.get("spot"):
            currency = row.get("currency") or ""
            costs[currency] = costs.get(currency, ZERO) + (row["cost"] or ZERO)
    notes = [
        _(
            "{cost} {currency} are hours of machines whose type the bill does not name: they are in no "
            "figure here. An export with SkuPriceDetails or usage types names them."
        ).format(cost=number_text(cost, 2), currency=currency)
        for currency, cost in costs.items()
        if cost
    ]
    return [{**row, "pool": use.pool} for row, use in read if use.pool], notes


def _sum_hours(rows: Iterable[Mapping[str, Any]]) -> Decimal:
    return sum((row["hours"] or ZERO for row in rows), ZERO)


def _company_use(period: Period, is_shared: bool) -> list[dict[str, Any]]:
    """Of a bill in two halves only the actual one is read, for both hold the same hours."""
    from reservations.calc import charge_queries

    by_zone = price_book.has_zonal_prices()
    query = charge_queries.machine_use(
        midnight(period.start), midnight(period.end), by_account=not is_shared, by_zone=by_zone
    )
    return query_charges(period, query, without_view="amortized")


def _pool_use(period: Period, is_shared: bool) -> list[PoolUse]:
    from reservations.calc import charge_queries

    by_zone = price_book.has_zonal_prices()
    query = charge_queries.pool_use(
        midnight(period.start), midnight(period.end), by_account=not is_shared, by_zone=by_zone
    )
    rows, _ignored = _with_pools(query_charges(period, query, without_view="amortized"))
    return [
        PoolUse(
            row["pool"],
            row["commitment"],
            row["covered"],
            row["hours"] or ZERO,
            row["cost"] or ZERO,
            row["listed"] or ZERO,
            row["first"],
            row["last"],
        )
        for row in rows
    ]


def _without_servers(team: Team, period: Period) -> Iterator[str]:
    """What a team pays for use that is metered in no machines, in sentences: a cost line has no usage type to read."""
    lines = (
        CostLine.objects.current()
        .filter(owner__in=Team.objects.below(team).values("pk"), charge_category="Usage")
        .exclude(commitment_status="Unused")
        .charged_in(period)
    )
    costs: dict[tuple[str, str], Decimal] = {}
    for row in lines.order_by().values("provider", "service", "currency").annotate(cost=Sum("effective_cost")):
        own = service_of(row["service"]) if provider_of(row["provider"]) == AWS else None
        if own in (FARGATE, LAMBDA, DYNAMODB) and row["cost"]:
            key = (SERVERLESS[own], row["currency"])
            costs[key] = costs.get(key, ZERO) + row["cost"]
    for (name, currency), cost in sorted(costs.items()):
        yield (
            _(
                "{cost} {currency} of {name} are in no figure here: a team's cost lines do not say which "
                "part of it a commitment covers. The company's recommendation has it."
            ).format(cost=number_text(cost, 2), currency=currency, name=name)
        )


def _systems_taken(rows: Iterable[Mapping[str, Any]]) -> Iterator[str]:
    """Machines of a team whose system no description names, in a sentence: cost lines have no operation."""
    words = ("linux", *SYSTEM_WORDS, *ENGINE_WORDS)
    silent = {
        _("{type} as {value}").format(
            type=row["pool"].type, value=row["pool"].system or _("of no engine that is known")
        )
        for row in rows
        if row["pool"].service in (EC2, RDS, ELASTICACHE, MEMORYDB)
        and provider_of(row["provider"]) == AWS
        and not any(word in row["description"].lower() for word in words)
    }
    if silent:
        yield (
            _(
                "A team's cost lines do not name the system of these machines: {machines}. The company's "
                "recommendation reads it from the bill."
            ).format(machines=some_of(sorted(silent)))
        )


def _team_use(team: Team, period: Period, is_shared: bool) -> list[dict[str, Any]]:
    lines = (
        CostLine.objects.current()
        .filter(owner__in=Team.objects.below(team).values("pk"), charge_category="Usage")
        .filter(Q(unit__istartswith="h") | Q(unit__icontains="hour") | Q(unit__icontains="hrs"))
        .exclude(instance_type="")
        .exclude(commitment_status="Unused")
        .charged_in(period)
    )
    names = (
        *("provider", "service", "region", "instance_type", "charge_description", "commitment"),
        *("pricing_category", "currency", *(() if is_shared else ("sub_account",))),
    )
    by_machine = lines.order_by().values("charge_date", *names, "resource")
    sql, params = (by_machine.annotate(hours=Sum("quantity"), cost=Sum("effective_cost")).query).sql_with_params()
    columns = ", ".join(("charge_date", *names))
    # Machines that ran for equally many hours are one row, as `charge_queries.machine_use` has them.
    with connection.cursor() as cursor:
        cursor.execute(
            f"""SELECT {columns}, sum(hours), sum(cost), count(*) FILTER (WHERE resource <> '' AND hours > 0)
            FROM ({sql}) machines GROUP BY {columns}, ceil(hours) ORDER BY {columns}, ceil(hours)""",
            params,
        )
        rows = [dict(zip((*("day", *names), "hours", "cost", "machines"), row, strict=True)) for row in cursor]
    return [
        {
            **row,
            "start": midnight(row["day"]),
            "end": midnight(row["day"]) + timedelta(days=1),
            "type": row["instance_type"],
            "account": row.get("sub_account", ""),
            "usage_type": "",
            "operation": "",
            "description": row["charge_description"],
            "covered": bool(row["commitment"]) or row["pricing_category"] == "Committed",
            "spot": row["pricing_category"] == "Dynamic",
        }
        for row in rows
    ]

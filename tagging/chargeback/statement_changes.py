"""Why a team's statement changed against the month before, with the largest things of each reason.

A running month is compared with the same days of the month before, as the home page of the company does
(`costs/query/trends.py`): whoever reads the statement reads one comparison.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from typing import Any

from django.db.models import F, Max, Q, Sum
from django.db.models.functions import Coalesce
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from costs.calc import change_parts
from costs.calc.change_parts import ChangePart, PeriodCost
from costs.calc.charge_kinds import CREDIT
from costs.models import CostLine, DayRollup
from costs.query import trends
from costs.query.trends import Comparison
from finops_site.lib.money import EXACT, STORED_UNIT, exact_sum, rounded
from finops_site.lib.periods import Month
from finops_site.lib.person import WholeCompany
from finops_site.translation import gettext_lazy as _lazy
from tagging.calc.rounded_sets import rounded_set
from tagging.calc.statement_change import KIND_LABELS, NOT_CHARGED, explain_statement_change
from tagging.chargeback.allocation import NOT_BY_SERVICE
from tagging.chargeback.cost_queries import current_rows_of_month
from tagging.models import Allocation, ChargebackPeriod, Statement

ZERO = Decimal(0)
SHOWN_THINGS = 5
AGAINST_LAST_MONTH = _lazy("against last month")
AGAINST_SET_ASIDE = _lazy("against last month (set aside)")
ROUNDING = _lazy("Rounding")
# The cost of a resource in a month: service, charge_category, resource, resource_name, unit, currency, cost, ...
ResourceCost = Mapping[str, Any]
CostsByTeam = Mapping[int, Sequence[ResourceCost]]
# {(team, currency): amount}.
TeamSums = dict[tuple[int, str], Decimal]
# {(resource, currency): its owners}.
Owners = dict[tuple[str, str], set[int | None]]


@dataclass(frozen=True, slots=True)
class StatementChange:
    """The change against last month, in whole cents: its reasons with their largest things sum to `amount` exactly.

    `against` is what it is compared with, in words; a reason is {label, amount, rows [{label, amount}], more, rest}.
    """

    before: Decimal
    after: Decimal
    reasons: list[dict[str, Any]]
    against: str = field(default_factory=lambda: str(AGAINST_LAST_MONTH))

    @property
    def amount(self) -> Decimal:
        return EXACT.subtract(self.after, self.before)


@dataclass(frozen=True, slots=True)
class MonthsBeside:
    """What the statements of a month are explained from: what resources cost in both months, and what was charged.

    `before` is what each (team, currency) is compared with, in whole cents, and `sums_before` the same exactly by the
    names direct, shared and booked. `now` and `sums_now` are the same of a running month of which some bills brought
    more days than all of them did; None where the statements are what is compared. `owners` are those of what is new,
    in the month before, and of what is gone, now.
    """

    costs_before: CostsByTeam
    costs_now: CostsByTeam
    before: TeamSums
    sums_before: Mapping[tuple[int, str], Mapping[str, Decimal]]
    owners: tuple[Owners, Owners]
    against: str
    now: TeamSums | None = None
    sums_now: Mapping[tuple[int, str], Mapping[str, Decimal]] | None = None
    # Whether the month before is set aside: whatever its statements were when they were drafts, nobody paid them.
    is_set_aside: bool = False


def draft_comparison(period: ChargebackPeriod, today: date) -> Comparison | None:
    """The days by which a draft is compared with the month before, for every reader; None for a closed month."""
    return None if period.is_closed else trends.compare(WholeCompany(), period.month, today)


def resource_costs(
    teams: Collection[int], month: Month, basis: str, until: date | None = None
) -> dict[int, list[ResourceCost]]:
    """{team: what each of its resources cost in a billing month, per unit of its quantity}, by today's cost data.

    With `until`, of the charge days before it.
    """
    reference = Coalesce("contracted_cost", "list_cost", basis)
    saved = Sum(reference - F(basis), filter=Q(commitment_status="Used"))
    rows = current_rows_of_month(CostLine, month).filter(owner__in=teams)
    if until:
        rows = rows.filter(charge_date__lt=until)
    names = ("owner", "service", "charge_category", "resource", "resource_name", "unit", "currency")
    costs: dict[int, list[ResourceCost]] = defaultdict(list)
    for row in rows.values(*names).annotate(cost=Sum(basis), amount=Sum("quantity"), saved=saved):
        costs[row["owner"]].append(row)
    return dict(costs)


def months_beside(
    period: ChargebackPeriod, teams: Collection[int], costs_now: CostsByTeam, comparison: Comparison | None
) -> MonthsBeside:
    """What the statements of these teams are explained from, in as many queries for many teams as for one."""
    month, until = period.month.previous, same_days_of(comparison)
    last = ChargebackPeriod.objects.filter(billing_month=month.start).first()
    if last and last.is_set_aside:
        return MonthsBeside({}, costs_now, {}, {}, ({}, {}), against_of(last, comparison), is_set_aside=True)
    costs_before = resource_costs(teams, month, (last or period).basis, until)
    now = charged_so_far(period, comparison)
    if now is not None and comparison:
        costs_now = resource_costs(teams, period.month, period.basis, comparison.now.end)
    statements = Statement.objects.filter(team__in=teams, period__billing_month=month.start)
    charged = {(row.team_id, row.currency): row for row in statements}
    if until:
        direct: TeamSums = defaultdict(Decimal)
        for team, rows in costs_before.items():
            for row in rows:
                direct[team, row["currency"]] = EXACT.add(direct[team, row["currency"]], row["cost"] or ZERO)
        sums = _sums_until(last, direct, charged.values(), until) if last else {}
        before = {key: rounded(exact_sum(parts.values()), key[1]) for key, parts in sums.items()}
    else:
        sums = {key: _sums(row) for key, row in charged.items()}
        before = {key: row.document_total for key, row in charged.items()}
    had, has = _resources(costs_before), _resources(costs_now)
    # Whose they were matters of what is new, and whose they are of what is gone.
    new, gone = {name for _owner, name, _currency in has - had}, {name for _owner, name, _currency in had - has}
    owners = (_owners_of(new, month), _owners_of(gone, period.month))
    against = against_of(last, comparison, is_cut=now is not None)
    return MonthsBeside(
        costs_before, costs_now, before, sums, owners, against, None if now is None else in_cents(now), now
    )


def against_of(last: ChargebackPeriod | None, comparison: Comparison | None, *, is_cut: bool = False) -> str:
    """What the statements of a draft are compared with, in words; `last` is the month before it.

    `is_cut`: only its first days are compared, because some bills have more of them than others.
    """
    if last and last.is_set_aside:
        return str(AGAINST_SET_ASIDE)
    if comparison is None or same_days_of(comparison) is None:
        return str(AGAINST_LAST_MONTH)
    return (
        ngettext("of the first day, {against}", "of the first {days} days, {against}", comparison.now.days).format(
            days=comparison.now.days, against=comparison.against
        )
        if is_cut
        else comparison.against
    )


def charged_until(last: ChargebackPeriod, until: date) -> TeamSums:
    """{(team, currency): its cost of the charge days of a billing month before `until`, in whole cents}."""
    statements = last.statements.exclude(spread=0)
    return in_cents(_sums_until(last, _direct_until(last, until), statements, until))


def charged_so_far(
    period: ChargebackPeriod, comparison: Comparison | None
) -> dict[tuple[int, str], dict[str, Decimal]] | None:
    """What the days that a running month is compared by cost its teams, with all that is booked in it.

    None where no bill brought a later day, so that the statements are what is compared.
    """
    if same_days_of(comparison) is None or comparison is None:
        return None
    until = comparison.now.end
    latest = current_rows_of_month(DayRollup, period.month).aggregate(day=Max("charge_date"))["day"]
    if latest is None or latest < until:
        return None
    statements = list(period.statements.all())
    days = (min(latest, period.month.period.last_day) - period.billing_month).days + 1
    sums = _sums_until(period, _direct_until(period, until), statements, until, days)
    for row in statements:
        parts = sums.setdefault((row.team_id, row.currency), {"direct": ZERO, "shared": ZERO})
        parts["booked"] = _sums(row)["booked"]
    return sums


def in_cents(sums: Mapping[tuple[int, str], Mapping[str, Decimal]]) -> TeamSums:
    """What the parts of (team, currency) make, in whole cents."""
    return {key: rounded(exact_sum(parts.values()), key[1]) for key, parts in sums.items()}


def _direct_until(period: ChargebackPeriod, until: date) -> TeamSums:
    rows = current_rows_of_month(DayRollup, period.month).filter(owner__isnull=False, charge_date__lt=until)
    sums = rows.values_list("owner", "currency").annotate(cost=Sum(period.basis))
    return {(team, code): cost or ZERO for team, code, cost in sums}


def same_days_of(comparison: Comparison | None) -> date | None:
    """The first day of last month that a running month is not compared with; None where the whole month counts."""
    return None if comparison is None or comparison.has_full_month else comparison.before.end


def explain_change_of(statement: Statement, months: MonthsBeside) -> StatementChange:
    """The change against what the team was charged for the month before, or for the same days of it; against nothing
    where nobody was charged for it.
    """
    team, code = statement.team_id, statement.currency
    if months.is_set_aside:
        after = statement.document_total
        parts = [ChangePart(NOT_CHARGED, statement.total)] if statement.total else []
        return StatementChange(ZERO, after, _reasons(parts, {}, code, after), months.against)
    rows_before, rows_now = months.costs_before.get(team, ()), months.costs_now.get(team, ())
    was, now = _period_costs(rows_before, code), _period_costs(rows_now, code)
    resources = {row["resource"] for row in (*rows_before, *rows_now) if row["resource"]}
    of_others = [{name for name in resources if owners.get((name, code), set()) - {team}} for owners in months.owners]
    parts = explain_statement_change(
        change_parts.explain_change(was, now, (of_others[0], of_others[1])),
        months.sums_before.get((team, code), {}),
        _sums(statement) if months.sums_now is None else months.sums_now.get((team, code), {}),
        (exact_sum(cost.cost for cost in was), exact_sum(cost.cost for cost in now)),
    )
    names = {_thing(row): row["resource_name"] or _thing(row) for row in (*rows_before, *rows_now)}
    before = months.before.get((team, code), ZERO)
    after = statement.document_total if months.now is None else months.now.get((team, code), ZERO)
    reasons = _reasons(parts, names, code, EXACT.subtract(after, before))
    return StatementChange(before, after, reasons, months.against)


def _sums_until(
    last: ChargebackPeriod,
    direct: Mapping[tuple[int, str], Decimal],
    charged: Iterable[Statement],
    until: date,
    days: int | None = None,
) -> dict[tuple[int, str], dict[str, Decimal]]:
    """Direct and shared cost of the days before `until`; of spread discounts, which have no day, the days' share.

    These are of the first `days` of the month; without `days`, of all of it. Corrections and adjustments belong to no
    day of it: they are left out.
    """
    taken = Allocation.objects.filter(billing_month=last.billing_month, team__isnull=False, day__lt=until)
    rows = taken.exclude(pool=None).order_by().values_list("team", "currency").annotate(cost=Sum(last.basis))
    shared: TeamSums = {(team, code): cost for team, code, cost in rows}
    days = days or last.month.period.days
    part = EXACT.divide(Decimal(min((until - last.billing_month).days, days)), Decimal(days))
    for statement in charged:
        key = (statement.team_id, statement.currency)
        spread = EXACT.multiply(statement.spread, part).quantize(STORED_UNIT, context=EXACT)
        shared[key] = EXACT.add(shared.get(key, ZERO), spread)
    return {
        key: {"direct": direct.get(key, ZERO), "shared": shared.get(key, ZERO), "booked": ZERO}
        for key in {*direct, *shared}
    }


def _resources(costs: CostsByTeam) -> set[tuple[int, str, str]]:
    """(team, resource, currency) of costs that name their resource."""
    return {(team, row["resource"], row["currency"]) for team, rows in costs.items() for row in rows if row["resource"]}


def _owners_of(resources: Collection[str], month: Month) -> Owners:
    """{(resource, currency): the teams that own it in a billing month}, None for nobody or a pool."""
    owners: Owners = defaultdict(set)
    if not resources:
        return owners
    rows = current_rows_of_month(CostLine, month).filter(resource__in=resources)
    for resource, code, owner in rows.values_list("resource", "currency", "owner").distinct():
        owners[resource, code].add(owner)
    return dict(owners)


def _period_costs(rows: Iterable[ResourceCost], code: str) -> list[PeriodCost]:
    return [
        PeriodCost(
            _thing(row),
            row["unit"],
            row["cost"] or ZERO,
            row["amount"],
            row["saved"] or ZERO,
            row["charge_category"] == CREDIT,
        )
        for row in rows
        if row["currency"] == code
    ]


def _thing(row: ResourceCost) -> str:
    """The name of a resource; a charge without one is named by its service and category."""
    return row["resource"] or f"{row['service'] or NOT_BY_SERVICE}, {row['charge_category'].lower()}"


def _sums(statement: Statement) -> dict[str, Decimal]:
    return {
        "direct": statement.direct,
        "shared": EXACT.add(statement.shared, statement.spread),
        "booked": EXACT.add(statement.corrections, statement.adjustments),
    }


def _reasons(parts: Sequence[ChangePart], names: Mapping[str, str], code: str, change: Decimal) -> list[dict[str, Any]]:
    """The sum of each kind of change and its largest things, rounded together so that they make the change."""
    sums = change_parts.sum_by_kind(parts)
    if not sums:
        return [_reason(str(ROUNDING), change, {}, names, code)] if change else []
    amounts = rounded_set(list(sums.values()), code, total=change)
    by_kind: dict[str, dict[str, Decimal]] = {kind: defaultdict(Decimal) for kind in sums}
    for part in parts:
        by_kind[part.kind][part.thing] = EXACT.add(by_kind[part.kind][part.thing], part.amount)
    return [
        _reason(_(KIND_LABELS[kind]), amount, by_kind[kind], names, code)
        for kind, amount in zip(sums, amounts, strict=True)
    ]


def _reason(
    label: str, amount: Decimal, sums: Mapping[str, Decimal], names: Mapping[str, str], code: str
) -> dict[str, Any]:
    """{label, amount, rows [{label, amount}] of the largest things, more: how many others, rest: what these make}."""
    things = sorted((thing for thing in sums if thing), key=lambda thing: -abs(sums[thing]))
    shown, others = things[:SHOWN_THINGS], things[SHOWN_THINGS:]
    # What has no name is the statement's own: it is no row, and part of the sum all the same.
    rest = exact_sum([*(sums[thing] for thing in others), sums.get("", ZERO)])
    *amounts, rest = rounded_set([*(sums[thing] for thing in shown), rest], code, total=amount)
    rows = [{"label": names.get(thing, thing), "amount": part} for thing, part in zip(shown, amounts, strict=True)]
    return {"label": label, "amount": amount, "rows": rows, "more": len(others), "rest": rest}

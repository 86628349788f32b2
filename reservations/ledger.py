"""The savings ledger: each purchase month by month, made again from the days that bills prove."""

from collections import defaultdict
from dataclasses import replace
from datetime import date
from decimal import Decimal
from typing import Any

from django.db import transaction
from django.db.models import Count, Sum

from finops_site.money import EXACT
from finops_site.periods import Month, Period
from reservations import buying, purchasing
from reservations.models import Coverage, LedgerMonth, PurchaseRequest, Utilisation
from reservations.proving import ZERO, Promise, Proof, displacement, line

TARGET = Decimal(150_000)
YEAR_DAYS = Decimal(365)


@transaction.atomic
def refresh(today: date) -> int:
    """Makes the ledger anew, from each purchase's first month to the last that has a bill; returns its lines."""
    bought = list(PurchaseRequest.objects.filter(state__in=(buying.BOUGHT, buying.SEEN)).order_by("approved_at", "pk"))
    LedgerMonth.objects.all().delete()
    lines = [each for month in _months(bought, today) for each in _month(month, bought)]
    return len(LedgerMonth.objects.bulk_create(lines))


def _months(bought: list[PurchaseRequest], today: date) -> list[Month]:
    """Months with a bill since the first purchase: of a month without one nothing is known."""
    if not bought:
        return []
    newest = purchasing.newest(Coverage)
    last = min(today, newest.last_day) if newest else None
    month, found = Month.of(min(row.executed_at.date() for row in bought)), []
    while last and month.start <= last:
        found.append(month)
        month = month.next
    return found


def _month(month: Month, bought: list[PurchaseRequest]) -> list[LedgerMonth]:
    active = [row for row in bought if Month.of(row.executed_at.date()).start <= month.start < _end(row)]
    proofs = {row.pk: _proof(row, month) for row in active}
    taken = _displaced(active, proofs, month)
    return [_kept(row, month, proofs[row.pk], taken.get(row.pk, ZERO)) for row in active]


def _end(row: PurchaseRequest) -> date:
    """The first day of the month after the one the term ends in."""
    return Month.of(row.executed_at.date()).plus(row.term_months + 1).start


def _proof(row: PurchaseRequest, month: Month) -> Proof:
    period = month.period
    days = Utilisation.objects.within(period).filter(commitment=row.commitment_id, currency=row.currency)
    said = days.aggregate(
        n=Count("day", distinct=True),
        on_demand=Sum("on_demand"),
        paid=Sum("paid"),
        used=Sum("used"),
        unused=Sum("unused"),
    )
    sums = {name: said[name] or ZERO for name in ("on_demand", "paid", "used", "unused")}
    _uncovered, whole = purchasing.demand(row, period)
    return Proof(said["n"], month.days, demand=whole, **sums)


def _displaced(active: list[PurchaseRequest], proofs: dict[int, Proof], month: Month) -> dict[int, Decimal]:
    """What older commitments stand idle more than before the first of these purchases, charged to them."""
    found: dict[int, Decimal] = {}
    groups: dict[str, list[PurchaseRequest]] = defaultdict(list)
    for row in active:
        if proofs[row.pk].days:
            groups[row.currency].append(row)
    for currency, rows in groups.items():
        first = rows[0]
        older = Utilisation.objects.within(month.period).filter(
            currency=currency, commitment__purchase=None, commitment__first_seen__lte=first.approved_at.date()
        )
        unused = older.aggregate(idle=Sum("unused_cost"))["idle"] or ZERO
        baseline = Decimal(first.baseline.get("idle") or 0) * proofs[first.pk].of_days
        shares = displacement(unused, baseline, [proofs[row.pk].on_demand for row in rows])
        found |= {row.pk: share for row, share in zip(rows, shares, strict=True)}
    return found


def promise_of(row: PurchaseRequest) -> Promise:
    """A day of what was approved, from the frozen baseline."""
    a_day = [
        EXACT.divide(each, YEAR_DAYS).quantize(Decimal("1e-18"), context=EXACT)
        for each in (row.on_demand_cost, row.committed_cost)
    ]
    return Promise(*a_day, utilisation=row.utilisation, demand=Decimal(row.baseline.get("demand") or 0))


def _kept(row: PurchaseRequest, month: Month, proof: Proof, taken: Decimal) -> LedgerMonth:
    found = line(promise_of(row), replace(proof, displaced=taken))
    return LedgerMonth(
        request=row,
        month=month.start,
        currency=row.currency,
        days=proof.days,
        on_demand=proof.on_demand,
        paid=proof.paid,
        reason=found.reason,
        **{name: getattr(found, name) for name in ("promised", "realised", "timing", "demand", "utilisation")},
        **{name: getattr(found, name) for name in ("displaced", "price")},
    )


def year(user: Any, as_of: date) -> dict[str, dict[str, Decimal]]:
    """Sums of the twelve months up to `as_of` by currency, of what the user may see: what the KPI shows."""
    month = Month.of(as_of)
    rows = LedgerMonth.objects.visible_to(user).within(Period(month.plus(-11).start, month.next.start))
    return {row["currency"]: {n: row[f"{n}_sum"] for n in ("promised", "realised")} for row in rows.sums()}

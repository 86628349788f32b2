"""The savings ledger: each accepted purchase month by month, made again from the days that bills prove.

A purchase promises from the day it was approved, for one term. Of each month only the days count that bills
show: for a day that is not billed yet no saving is promised, and none is proved.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from decimal import Decimal, localcontext
from functools import cached_property
from typing import Any, cast

from django.db import transaction
from django.db.models import Count, Max, QuerySet, Sum
from django.db.models.functions import TruncMonth

from costs.query.known_until import books_are_whole
from costs.reconciliation import Check
from finops_site.lib.money import EXACT, exact_text
from finops_site.lib.periods import Month, Period, last_months, months_later
from finops_site.lib.person import Person
from finops_site.ops.locks import wait_for
from reservations.calc import purchase_rules
from reservations.calc.realised_savings import REASONS, UNIT, ZERO, Promise, Proof, displacement, ledger_line
from reservations.models import Commitment, Coverage, LedgerMonth, PurchaseRequest, Utilisation
from reservations.querysets import LedgerQuerySet

# The target of the programme: saved by commitments in twelve months, in this currency.
TARGET = Decimal(150_000)
TARGET_CURRENCY = "USD"
YEAR_DAYS = Decimal(365)
MEASURES = ("on_demand", "paid", "used", "unused")


@transaction.atomic
def refresh_ledger(today: date) -> int:
    """Makes the ledger anew, from each purchase's first month to the newest day that has a bill; returns its lines."""
    # Two at once would write every line twice.
    wait_for("savings ledger")
    accepted = list(PurchaseRequest.objects.filter(state__in=purchase_rules.ACCEPTED).order_by("approved_at", "pk"))
    bills = _Bills(accepted, today)
    LedgerMonth.objects.all().delete()
    lines = [line for month in bills.months() for line in _lines_of_month(month, bills)]
    return len(LedgerMonth.objects.bulk_create(lines, batch_size=2_000))


@dataclass(frozen=True)
class _Bills:
    """What bills show of all accepted purchases: a query for each measure, however many purchases there are."""

    accepted: Sequence[PurchaseRequest]
    today: date

    @cached_property
    def known(self) -> Period | None:
        """The days since the first purchase was approved that are in the bills."""
        newest_days = [model.objects.aggregate(day=Max("day"))["day"] for model in (Coverage, Utilisation)]
        newest = max((day for day in newest_days if day), default=None)
        if newest is None or not self.accepted:
            return None
        past = min(newest, self.today) + timedelta(days=1)
        start = Month.of(min(_start(row) for row in self.accepted)).start
        return Period(start, past) if start < past else None

    def months(self) -> list[Month]:
        return self.known.months() if self.known else []

    @cached_property
    def use(self) -> dict[tuple[int, date, str], dict[str, Any]]:
        """{(commitment, month, currency): sums}; a day without an on-demand price in its bill proves nothing."""
        rows = self._of(Utilisation).filter(commitment__in=[row.commitment_id for row in self.accepted])
        sums = {f"{name}_sum": Sum(name) for name in MEASURES}
        groups = rows.filter(on_demand__isnull=False).values("commitment", "month", "currency")
        return {
            (row["commitment"], row["month"], row["currency"]): {name: row[f"{name}_sum"] for name in MEASURES}
            | {"days": row["n"]}
            for row in groups.annotate(n=Count("day", distinct=True), **sums)
        }

    def _of(self, model: type[Coverage] | type[Utilisation]) -> QuerySet:
        # Only months of `known` are asked for.
        return model.objects.within(cast(Period, self.known)).annotate(month=TruncMonth("day")).order_by()

    @cached_property
    def eligible(self) -> dict[tuple[date, str], list[dict[str, Any]]]:
        """{(month, currency): at on-demand prices, by region, family and team}."""
        groups: dict[tuple[date, str], list[dict[str, Any]]] = defaultdict(list)
        rows = self._of(Coverage).values("month", "currency", "provider", "service", "region", "family", "owner")
        for row in rows.annotate(total=Sum("eligible_cost")):
            groups[row["month"], row["currency"]].append(row)
        return groups

    @cached_property
    def covered_days(self) -> dict[date, int]:
        rows = self._of(Coverage).values("month").annotate(n=Count("day", distinct=True))
        return {row["month"]: row["n"] for row in rows}

    @cached_property
    def older(self) -> list[dict[str, Any]]:
        """Unused cost of commitments that are no purchase of the ledger: by month, currency and when first seen."""
        rows = self._of(Utilisation).filter(commitment__purchase=None)
        return list(rows.values("month", "currency", "commitment__first_seen").annotate(idle=Sum("unused_cost")))

    def demand(self, row: PurchaseRequest, month: Month) -> Decimal | None:
        """What it could have covered, a day at on-demand prices; None in a month without use."""
        days = self.covered_days.get(month.start)
        if not days:
            return None
        groups = self.eligible[month.start, row.currency]
        within_reach = (group["total"] for group in groups if row.reach.covers(group))
        return EXACT.divide(sum(within_reach, ZERO), days)

    def idle(self, currency: str, month: Month, before: date) -> Decimal:
        """Unused cost in the month of commitments that bills showed before a day."""
        rows = (row for row in self.older if (row["month"], row["currency"]) == (month.start, currency))
        seen = (row for row in rows if row["commitment__first_seen"] and row["commitment__first_seen"] <= before)
        return sum((row["idle"] for row in seen), ZERO)


def _start(row: PurchaseRequest) -> date:
    if row.approved_at is None:
        raise ValueError(f"request {row.pk} is {row.state} and nobody approved it")
    return row.approved_at.date()


def _promised_days(row: PurchaseRequest, month: Month, known: Period) -> int:
    """Days of the month that were promised, as far as they are in the bills; the promise ends a term after approval."""
    start = _start(row)
    end = months_later(start, row.term_months)
    first, past = max(start, month.start), min(end, month.next.start, known.end)
    return max((past - first).days, 0)


def _lines_of_month(month: Month, bills: _Bills) -> list[LedgerMonth]:
    proofs: dict[int, Proof] = {}
    for row in bills.accepted:
        use = bills.use.get((row.commitment_id or 0, month.start, row.currency), {})
        sums = {name: use.get(name) or ZERO for name in MEASURES}
        promised = _promised_days(row, month, bills.known) if bills.known else 0
        proofs[row.pk] = Proof(use.get("days", 0), promised, demand=bills.demand(row, month), **sums)
    active = [row for row in bills.accepted if proofs[row.pk].of_days or proofs[row.pk].days]
    displaced = _displaced(active, proofs, month, bills)
    return [_build_line(row, month, proofs[row.pk], displaced.get(row.pk, ZERO)) for row in active]


def _displaced(
    active: list[PurchaseRequest], proofs: dict[int, Proof], month: Month, bills: _Bills
) -> dict[int, Decimal]:
    """What older commitments stand idle more than before the first of these purchases, charged to them."""
    groups: dict[str, list[PurchaseRequest]] = defaultdict(list)
    for row in active:
        if proofs[row.pk].days:
            groups[row.currency].append(row)
    displaced: dict[int, Decimal] = {}
    for currency, rows in groups.items():
        first = rows[0]
        days = len([day for day in month.period.each_day() if bills.known and day in bills.known])
        baseline = EXACT.multiply(Decimal(first.baseline.get("idle") or 0), days)
        unused = bills.idle(currency, month, _start(first))
        shares = displacement(unused, baseline, [proofs[row.pk].on_demand for row in rows])
        displaced |= {row.pk: share for row, share in zip(rows, shares, strict=True)}
    return displaced


def promise_of(row: PurchaseRequest) -> Promise:
    """A day of what was approved, from the frozen baseline."""
    on_demand, committed = (
        EXACT.divide(amount, YEAR_DAYS).quantize(UNIT, context=EXACT)
        for amount in (row.on_demand_cost, row.committed_cost)
    )
    return Promise(on_demand, committed, utilisation=row.utilisation, demand=Decimal(row.baseline.get("demand") or 0))


def _build_line(row: PurchaseRequest, month: Month, proof: Proof, displaced: Decimal) -> LedgerMonth:
    line = ledger_line(promise_of(row), replace(proof, displaced=displaced))
    return LedgerMonth(
        request=row,
        month=month.start,
        currency=row.currency,
        days=proof.days,
        on_demand=proof.on_demand,
        paid=proof.paid,
        reason=line.reason,
        **{name: getattr(line, name) for name in ("promised", "realised", *REASONS)},
    )


# What pages, the report, the figure of the programme and the API show: all of it from `sums`.


def lines_until(user: Person, as_of: date) -> LedgerQuerySet:
    """The lines that were known by a day, of purchases the user may see.

    A line is of a month: the running one of then counts only where the bills have brought no later day of it since.
    """
    month = Month.of(as_of)
    later = Period(as_of + timedelta(days=1), month.next.start)
    goes_on = later.days > 0 and any(model.objects.within(later).exists() for model in (Coverage, Utilisation))
    return LedgerMonth.objects.visible_to(user).filter(month__lt=month.start if goes_on else month.next.start)


def lines_of_year(user: Person, as_of: date) -> LedgerQuerySet:
    """The same of the twelve months up to that of `as_of`."""
    return lines_until(user, as_of).within(last_months(12, as_of))


def is_nothing(user: Person, as_of: date) -> bool:
    """Whether commitments are known to have saved nothing in a year: the ledger has no line, and the bills are whole.

    Only of the whole company; a team without a purchase has no such figure.
    """
    return (
        user.sees_whole_company
        and not lines_of_year(user, as_of).exists()
        and books_are_whole(user, last_months(12, as_of), as_of)
    )


def sum_lines(rows: LedgerQuerySet, *by: str) -> list[dict[str, Any]]:
    """A row for each value of `by` and currency: promised, realised, gap, and the reasons that sum to it."""
    names = (*by, "currency")
    totals = []
    for row in rows.sums(*by):
        amounts = {name: row[f"{name}_sum"] for name in LedgerQuerySet.NAMES}
        gap = EXACT.subtract(amounts["promised"], amounts["realised"])
        totals.append({name: row[name] for name in names} | amounts | {"gap": gap})
    return totals


def savings_of_year(user: Person, as_of: date) -> dict[str, dict[str, Decimal]]:
    """{currency: promised and realised} of twelve months: what the KPI shows."""
    return {
        row["currency"]: {n: row[n] for n in ("promised", "realised")} for row in sum_lines(lines_of_year(user, as_of))
    }


# Proved with the reconciliation.


def ledger_checks(month: Month | None) -> Iterator[Check]:
    """The equations of the ledger, of the month asked for or of all, added up line by line."""
    rows = LedgerMonth.objects.within(month.period) if month else LedgerMonth.objects.all()
    by_month: dict[tuple[Month, str], list[LedgerMonth]] = defaultdict(list)
    for row in rows.order_by("month", "currency", "request"):
        by_month[Month.of(row.month), row.currency].append(row)
    for (of_month, code), lines in by_month.items():
        yield from _check_equations(f"{of_month}, {code}", lines)
        yield _check_against_bills(of_month, code, lines)


def _check_equations(about: str, lines: list[LedgerMonth]) -> Iterator[Check]:
    added = {name: _added(lines, name) for name in LedgerQuerySet.NAMES}
    with localcontext(EXACT):
        gap, reasons = added["promised"] - added["realised"], sum((added[name] for name in REASONS), ZERO)
        proved = added["on_demand"] - added["paid"] - added["displaced"]
    yield Check("savings promised - realised = the sum of the reasons", about, str(exact_text(gap)), _text(reasons))
    yield Check("savings realised = on demand - paid - displaced", about, _text(added["realised"]), _text(proved))


def _check_against_bills(month: Month, code: str, lines: list[LedgerMonth]) -> Check:
    """The ledger against the days of the bills: an hour that two purchases claimed would be in it twice."""
    owned = Commitment.objects.filter(purchase__in=[line.request_id for line in lines])
    days = Utilisation.objects.within(month.period).filter(commitment__in=owned, currency=code, on_demand__isnull=False)
    billed = days.aggregate(on_demand=Sum("on_demand"), paid=Sum("paid"))
    left = ", ".join(f"{name} {_text(_added(lines, name))}" for name in ("on_demand", "paid"))
    right = ", ".join(f"{name} {_text(billed[name] or ZERO)}" for name in ("on_demand", "paid"))
    return Check("the savings ledger = the days of its commitments in the bills", f"{month}, {code}", left, right)


def _added(lines: Iterable[LedgerMonth], name: str) -> Decimal:
    with localcontext(EXACT):
        return sum((getattr(line, name) for line in lines), ZERO)


def _text(amount: Decimal) -> str:
    return str(exact_text(amount))

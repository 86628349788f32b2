"""Invariants of splits and statements, checked together with those of the cost data: exact on both sides."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from decimal import Decimal

from django.db.models import Q, QuerySet, Sum

from costs.models import DayRollup
from costs.reconciliation import Check
from finops_site.lib.money import EXACT, exact_sum, exact_text
from finops_site.lib.periods import Month
from tagging.chargeback.allocation import VIEWS, allocate_month
from tagging.chargeback.cost_queries import current_rows_of_month
from tagging.chargeback.periods import month_fingerprints, open_period, period_fingerprints
from tagging.chargeback.statement_entries import OWN_KINDS
from tagging.models import Allocation, ChargebackPeriod, MonthTotal, Statement, StatementLine

ZERO = Decimal(0)
KINDS = StatementLine.Kind
Sums = Mapping[str | int, Decimal]


def check_statements(month: Month | None) -> Iterator[Check]:
    """Of every month that is charged back (or of one): its allocations, its equation, its statements, corrections."""
    by_month = month_fingerprints()
    periods = list(ChargebackPeriod.objects.order_by("billing_month"))
    wanted = period_fingerprints(periods, by_month)
    opened = open_period()
    # Whether the open month has booked the corrections that closed months need.
    corrected = any(period.fingerprint == wanted[period.pk] for period in periods if opened and period.pk == opened.pk)
    for period in periods:
        if month and period.month != month:
            continue
        # A draft that is out of date shows older cost data: it is no error, and proves nothing.
        if period.is_closed or period.fingerprint == wanted[period.pk]:
            if not period.is_closed or period.fingerprint == by_month.get(period.month):
                yield from _pool_checks(period)
            yield from _statement_checks(period)
        if period.is_closed and corrected:
            yield _corrections_check(period, is_unchanged=period.fingerprint == by_month.get(period.month))


def _pool_checks(period: ChargebackPeriod) -> Iterator[Check]:
    """For each view, currency and charge day: what pools hold = what teams took + what nobody can take."""
    views = [Sum(view) for view in VIEWS]
    rows = current_rows_of_month(DayRollup, period.month).exclude(pool=None)
    held = _sums_by_day(rows.values_list("charge_date", "currency").annotate(*views))
    given = Allocation.objects.filter(billing_month=period.billing_month, into=None).exclude(pool=None).order_by()
    taken = _sums_by_day(given.values_list("day", "currency").annotate(*views))
    name = "allocations of pools = what the bills put into them, by day"
    yield Check(name, str(period), _many(taken), _many(held))
    spread = Allocation.objects.filter(billing_month=period.billing_month, pool=None).aggregate(Sum("effective_cost"))
    moved = _text(spread["effective_cost__sum"] or ZERO)
    yield Check("spreading discounts moves nothing in sum", str(period), moved, "0")


def _sums_by_day(rows: Iterable[tuple]) -> Sums:
    return {
        f"{day} {currency} {view}": amount
        for day, currency, *amounts in rows
        for view, amount in zip(VIEWS, amounts, strict=True)
        if amount
    }


def _statement_checks(period: ChargebackPeriod) -> Iterator[Check]:
    about = str(period)
    for total in period.totals.all():
        yield Check(
            "direct + shared + unallocated + unowned = the bill charged back",
            f"{about}, {total.currency}",
            _text(exact_sum([total.direct, total.shared, total.unallocated, total.unowned])),
            _text(total.bill),
        )
    lines = _sums(StatementLine.objects.filter(statement__period=period), "statement", "amount")
    totals = _sums(Statement.objects.filter(period=period).exclude(total=0), "pk", "total")
    yield Check("lines of a statement = its total", about, _many(lines), _many(totals))
    documents = _sums(StatementLine.objects.filter(statement__period=period), "statement", "document_amount")
    in_cents = _sums(Statement.objects.filter(period=period).exclude(document_total=0), "pk", "document_total")
    yield Check("lines of a document = its total, in whole cents", about, _many(documents), _many(in_cents))
    yield _documents_check(period)
    by_currency = _sums(Statement.objects.filter(period=period), "currency", "total")
    equation: dict[str | int, Decimal] = {}
    for total in MonthTotal.objects.filter(period=period):
        charged = exact_sum([total.direct, total.shared, total.corrections, -total.given_back])
        if charged:
            equation[total.currency] = charged
    name = "statements = direct + shared + corrections - given back"
    yield Check(name, about, _many(by_currency), _many(equation))


def _documents_check(period: ChargebackPeriod) -> Check:
    """All documents of a month and what nobody is charged are its bill and what is booked, as both are shown."""
    charged: dict[str | int, Decimal] = defaultdict(Decimal)
    charged |= _sums(Statement.objects.filter(period=period), "currency", "document_total")
    wanted: dict[str | int, Decimal] = {}
    for total in MonthTotal.objects.filter(period=period):
        nobody = [total.document_unallocated, total.document_unowned, total.document_rounding]
        charged[total.currency] = exact_sum([charged[total.currency], *nobody])
        booked = [total.document_bill, total.document_corrections, -total.document_given_back]
        wanted[total.currency] = exact_sum(booked)
    name = "documents + charged to nobody = bill + corrections - given back, in whole cents"
    sides = ({code: amount for code, amount in side.items() if amount} for side in (charged, wanted))
    return Check(name, str(period), *map(_many, sides))


def _corrections_check(period: ChargebackPeriod, *, is_unchanged: bool) -> Check:
    """What a closed month was charged, with its corrections and what nobody is charged today, is today's bill.

    Nothing is corrected while its bills, splits and metrics are those it was closed with (`is_unchanged`): what nobody
    is charged is then as it was frozen. Rates that were loaded later would share a pool that was not shared.
    """
    today = allocate_month(period.month, discounts=period.discounts)
    own = StatementLine.objects.filter(statement__period=period, kind__in=OWN_KINDS)
    corrections = StatementLine.objects.filter(kind=KINDS.CORRECTION, of_period=period)
    charged: dict[str | int, Decimal] = defaultdict(Decimal)
    for rows in (own, corrections):
        for code, amount in _sums(rows, "statement__currency", "amount").items():
            charged[code] = EXACT.add(charged[code], amount)
    is_frozen = is_unchanged and not corrections.exists()
    frozen = {total.currency: total for total in period.totals.all()} if is_frozen else {}
    bills: dict[str | int, Decimal] = {}
    for code, views in today.totals.items():
        equation = views[period.basis]
        nobody = frozen.get(code, equation)
        charged[code] = exact_sum([charged[code], nobody.unallocated, nobody.unowned])
        bills[code] = equation.bill
    name = "statements + corrections + unowned = the bill of a closed month"
    sides = ({code: amount for code, amount in side.items() if amount} for side in (charged, bills))
    return Check(name, str(period), *map(_many, sides))


def _sums(rows: QuerySet, key: str, amount: str) -> Sums:
    return dict(rows.order_by().values_list(key).annotate(Sum(amount)).filter(~Q(**{f"{amount}__sum": 0})))


def _many(sums: Sums) -> str:
    return "; ".join(f"{key} {_text(sums[key])}" for key in sorted(sums, key=str))


def _text(amount: Decimal) -> str:
    return str(exact_text(amount))

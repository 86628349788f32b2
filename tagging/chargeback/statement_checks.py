"""Invariants of splits and statements, checked with the books: exact on both sides."""

from collections import defaultdict
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

from django.db.models import Q, Sum

from costs.models import DayRollup
from costs.reconciliation import Check
from finops_site.lib.money import EXACT, exact_sum, exact_text
from finops_site.lib.periods import Month
from tagging.chargeback import allocation, statements
from tagging.chargeback.allocation import VIEWS
from tagging.models import Allocation, ChargebackPeriod, MonthTotal, Statement, StatementLine

ZERO = Decimal(0)
KINDS = StatementLine.Kind
Sums = dict[Any, Decimal]


def check_statements(month: Month | None) -> Iterator[Check]:
    """Of every month that is charged back (or of one): its allocations, its equation, its statements, corrections."""
    marks = allocation.month_fingerprints()
    periods = list(ChargebackPeriod.objects.order_by("billing_month"))
    wanted = statements.period_fingerprints(periods, marks)
    for period in periods:
        if month and period.month != month:
            continue
        # A draft that waits to be made anew says what the books said: it is no error, and proves nothing.
        if period.is_closed or period.books == wanted[period.pk]:
            yield from _of_one(period, by_today=period.books == marks.get(period.month) or not period.is_closed)
        if period.is_closed:
            yield from _with_corrections(period, all_made=_is_made(periods, wanted))


def _is_made(periods: list[ChargebackPeriod], wanted: dict[int, str]) -> bool:
    """Whether the open month has booked what closed months need."""
    opened = statements.open_period()
    return opened is not None and any(each.pk == opened.pk and each.books == wanted.get(each.pk) for each in periods)


def _of_one(period: ChargebackPeriod, *, by_today: bool) -> Iterator[Check]:
    about = str(period)
    if by_today:
        yield from _pools(period, about)
    for total in period.totals.all():
        yield Check(
            "direct + shared + unallocated + unowned = the bill charged back",
            f"{about}, {total.currency}",
            _text(exact_sum([total.direct, total.shared, total.unallocated, total.unowned])),
            _text(total.bill),
        )
    yield from _statements(period, about)


def _pools(period: ChargebackPeriod, about: str) -> Iterator[Check]:
    """For each view, currency and charge day: what pools hold = what teams took + what nobody can take."""
    rows = allocation.current_rows_of_month(DayRollup, period.month).exclude(pool=None)
    held = _by_day(rows.values_list("charge_date", "currency").annotate(*(Sum(view) for view in VIEWS)))
    given = Allocation.objects.filter(billing_month=period.billing_month, into=None).exclude(pool=None).order_by()
    taken = _by_day(given.values_list("day", "currency").annotate(*(Sum(view) for view in VIEWS)))
    yield Check("allocations of pools = what the bills put into them, by day", about, _many(taken), _many(held))
    spread = Allocation.objects.filter(billing_month=period.billing_month, pool=None).aggregate(Sum("effective_cost"))
    yield Check("spreading discounts moves nothing in sum", about, _text(spread["effective_cost__sum"] or ZERO), "0")


def _by_day(rows: Any) -> Sums:
    found: Sums = {}
    for day, currency, *amounts in rows:
        for view, amount in zip(VIEWS, amounts, strict=True):
            if amount:
                found[f"{day} {currency} {view}"] = amount
    return found


def _statements(period: ChargebackPeriod, about: str) -> Iterator[Check]:
    lines = _sums(StatementLine.objects.filter(statement__period=period), "statement", "amount")
    totals = _sums(Statement.objects.filter(period=period).exclude(total=0), "pk", "total")
    yield Check("lines of a statement = its total", about, _many(lines), _many(totals))
    by_currency = _sums(Statement.objects.filter(period=period), "currency", "total")
    equation: Sums = {}
    for total in MonthTotal.objects.filter(period=period):
        charged = exact_sum([total.direct, total.shared, total.corrections, -total.given_back])
        if charged:
            equation[total.currency] = charged
    name = "statements = direct + shared + corrections - given back"
    yield Check(name, about, _many(by_currency), _many(equation))


def _with_corrections(period: ChargebackPeriod, *, all_made: bool) -> Iterator[Check]:
    """What a closed month was charged, with its corrections and what nobody is charged today, is today's bill."""
    if not all_made:
        return
    today = allocation.allocate_month(period.month, discounts=period.discounts)
    own = StatementLine.objects.filter(statement__period=period, kind__in=statements.OWN_KINDS)
    corrections = StatementLine.objects.filter(kind=KINDS.CORRECTION, of_period=period)
    charged: Sums = defaultdict(Decimal)
    for rows in (own, corrections):
        for code, amount in _sums(rows, "statement__currency", "amount").items():
            charged[code] = EXACT.add(charged[code], amount)
    bills: Sums = {}
    for code, views in today.totals.items():
        equation = views[period.basis]
        charged[code] = exact_sum([charged[code], equation.unallocated, equation.unowned])
        bills[code] = equation.bill
    nonzero = {code: amount for code, amount in charged.items() if amount}
    name = "statements + corrections + unowned = the bill of a closed month"
    yield Check(name, str(period), _many(nonzero), _many({code: amount for code, amount in bills.items() if amount}))


def _sums(rows: Any, key: str, amount: str) -> Sums:
    found = rows.order_by().values_list(key).annotate(Sum(amount)).filter(~Q(**{f"{amount}__sum": 0}))
    return dict(found)


def _many(sums: Sums) -> str:
    return "; ".join(f"{key} {_text(sums[key])}" for key in sorted(sums, key=str))


def _text(amount: Decimal) -> str:
    return str(exact_text(amount))

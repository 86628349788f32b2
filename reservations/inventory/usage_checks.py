"""The days of commitments against the bills: what check_books proves of utilisation, from other rows than made it.

The days are made from charges in files; here they are held against the cost lines, which the reconciliation holds
against the delivery. `paid` of a commitment's days of a month = effective cost of its usage and purchases in it. Taxes,
credits and adjustments that name a commitment are no part of what it costs: nothing is covered by them.
"""

from collections import defaultdict
from collections.abc import Iterator
from decimal import Decimal

from django.db.models import Sum
from django.db.models.functions import TruncMonth

from costs.models import CostLine
from costs.reconciliation import Check
from finops_site.lib.money import EXACT, exact_text
from finops_site.lib.periods import Month
from reservations.models import Coverage, Utilisation

ZERO = Decimal(0)
# What a commitment costs stands in charges of these categories; the effective cost of a purchase is mostly 0.
COUNTED = ("Usage", "Purchase")
Key = tuple[str, str, str]


def commitment_checks(month: Month | None) -> Iterator[Check]:
    """For each month of use that was worked out, and each currency: what is paid, by commitment."""
    worked_out = (
        Coverage.objects.order_by().annotate(month=TruncMonth("day")).values_list("month", flat=True).distinct()
    )
    for start in sorted(worked_out):
        if month is None or month.start == start:
            yield from _check_month(Month.of(start))


def _check_month(month: Month) -> Iterator[Check]:
    days = Utilisation.objects.within(month.period).order_by()
    billed = (
        CostLine.objects.current()
        .charged_in(month.period)
        .filter(charge_category__in=COUNTED, effective_cost__isnull=False)
        .exclude(commitment="")
        .order_by()
    )
    names = ("commitment__provider", "commitment__commitment_id", "currency")
    paid = {tuple(row[:3]): row[3] for row in days.values_list(*names).annotate(Sum("paid"))}
    lines = {
        tuple(row[:3]): row[3]
        for row in billed.values_list("provider", "commitment", "currency").annotate(Sum("effective_cost"))
        if row[3]
    }
    currencies: dict[str, set[Key]] = defaultdict(set)
    for key in (*paid, *lines):
        currencies[key[2]].add(key)
    for code, keys in sorted(currencies.items()):
        differing = sorted(key for key in keys if (paid.get(key) or ZERO) != lines.get(key, ZERO))
        left, right = ([_text(sums, keys), *(_named(sums, key) for key in differing[:5])] for sums in (paid, lines))
        yield Check(
            "paid on the days of commitments = effective cost of what names them in the bill",
            f"{month}, {code}",
            ", ".join(left),
            ", ".join(right),
        )


def _text(sums: dict[Key, Decimal], keys: set[Key]) -> str:
    total = ZERO
    for key in keys:
        total = EXACT.add(total, sums.get(key) or ZERO)
    return str(exact_text(total))


def _named(sums: dict[Key, Decimal], key: Key) -> str:
    return f"{key[1].rpartition('/')[2]} {exact_text(sums.get(key) or ZERO)}"

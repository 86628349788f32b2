"""The books: every layer of every month that counts must sum to the same, to the last stored digit."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, dataclass
from datetime import date
from decimal import Decimal
from functools import reduce
from typing import Any

from django.conf import settings
from django.db.models import Count, Sum

from costs.charges.duckdb_session import duckdb_session
from costs.charges.totals import stored_totals, totals_as_text
from costs.formats.base import literal
from costs.models import CostLine, DayRollup, Delivery, DeliveryMonth, MonthRollup, Source
from costs.querysets import METRICS, SIDES
from finops_site.lib.money import EXACT, exact_text
from finops_site.lib.periods import Month

VIEWS = ("billed_cost", "effective_cost")
LAYERS = (CostLine, MonthRollup, DayRollup)


@dataclass(frozen=True, slots=True)
class Check:
    """One invariant: its two sides as exact text, and whether they are equal."""

    invariant: str
    about: str
    left: str
    right: str

    @property
    def holds(self) -> bool:
        return self.left == self.right

    def figures(self) -> dict[str, Any]:
        return asdict(self) | {"holds": self.holds}


# What pillars derive from the books and prove on the same page; called with the month asked for, or None.
MORE: list[Callable[[Month | None], Iterable[Check]]] = []


def register_checks(checks: Callable[[Month | None], Iterable[Check]]) -> None:
    """Lets a pillar's invariants be checked with the books: call it from AppConfig.ready()."""
    if checks not in MORE:
        MORE.append(checks)


def reconcile(month: Month | None = None) -> list[Check]:
    """Every invariant of the current publications, of one billing month or of all."""
    rows = DeliveryMonth.objects.current().select_related("delivery__source").order_by("billing_month", "pk")
    if month:
        rows = rows.filter(billing_month=month.start)
    own = [*_layers(rows), *_deliveries(rows), *_one_bill_a_month(month)]
    return [*own, *(check for more in MORE for check in more(month))]


def _layers(rows: Any) -> Iterator[Check]:
    """As delivered = charges = cost lines = rollups, and direct + shared + unowned = the bill."""
    with duckdb_session(threads=settings.DUCKDB_THREADS, memory_limit=settings.DUCKDB_MEMORY_LIMIT) as db:
        sums = {model: _sums_by_month(model, rows) for model in LAYERS}
        counts = dict(_of(CostLine, rows).order_by().values_list("delivery_month").annotate(Sum("charges")))
        owned = _owned_sums(rows)
        for row in rows:
            about = f"{row.delivery}, {Month.of(row.billing_month)}"
            charges = totals_as_text(stored_totals(db, f"read_parquet({literal(row.charges_glob)})"))
            yield Check("charges in Parquet = totals noted at load", about, _text(charges), _text(row.totals))
            for model, by_month in sums.items():
                name = f"{model._meta.verbose_name}s = charges"
                yield Check(name, about, _text(by_month.get(row.pk, {})), _text(charges))
            yield Check(
                "charges counted in cost lines = rows of the bill", about, str(counts.get(row.pk, 0)), str(row.charges)
            )
            yield Check(
                "direct + shared + unowned = the bill", about, _text(owned.get(row.pk, {})), _text(_views(row.totals))
            )


def _of(model: Any, rows: Any) -> Any:
    """A model's rows of these publications, with the span of days that lets the database skip partitions."""
    days = [date.fromisoformat(day) for row in rows for day in row.charge_months]
    found = model.objects.filter(delivery_month__in=[row.pk for row in rows])
    if model is CostLine and days:
        found = found.filter(charge_date__gte=min(days), charge_date__lt=Month.of(max(days)).next.start)
    return found


def _sums_by_month(model: Any, rows: Any) -> dict[int, dict[str, dict[str, str | None]]]:
    sums = {metric: Sum(metric) for metric in METRICS}
    result: dict[int, dict[str, dict[str, str | None]]] = {}
    for found in _of(model, rows).order_by().values("delivery_month", "currency").annotate(**sums):
        amounts = {metric: exact_text(found[metric]) for metric in METRICS}
        result.setdefault(found["delivery_month"], {})[found["currency"]] = amounts
    return result


def _owned_sums(rows: Any) -> dict[int, dict[str, dict[str, str | None]]]:
    """What teams own, what they share and what nobody owns, added up here from the three sides the pages show."""
    sides = {f"{metric}_{side}": Sum(metric, filter=which) for metric in VIEWS for side, which in SIDES.items()}
    result: dict[int, dict[str, dict[str, str | None]]] = {}
    for found in _of(CostLine, rows).order_by().values("delivery_month", "currency").annotate(**sides):
        amounts = {metric: reduce(_plus, [exact_text(found[f"{metric}_{side}"]) for side in SIDES]) for metric in VIEWS}
        result.setdefault(found["delivery_month"], {})[found["currency"]] = amounts
    return result


def _views(totals: dict[str, dict[str, str | None]]) -> dict[str, dict[str, str | None]]:
    return {code: {metric: sums[metric] for metric in VIEWS} for code, sums in totals.items()}


def _deliveries(rows: Any) -> Iterator[Check]:
    """The control totals from the text = what is stored + the residual of storing."""
    whole = Delivery.objects.filter(pk__in={row.delivery_id for row in rows}).prefetch_related("months")
    for delivery in whole:
        latest = {
            (each.billing_month, each.view): each for each in sorted(delivery.months.all(), key=lambda each: each.pk)
        }
        kept = added(delivery.residual, *(each.totals for each in latest.values()))
        yield Check("control totals = stored + residual", str(delivery), _text(delivery.totals), _text(kept))


def added(*sums: dict[str, dict[str, str | None]]) -> dict[str, dict[str, str | None]]:
    """Totals summed by currency and metric; the first may be a residual, which alone makes no metric known."""
    result: dict[str, dict[str, str | None]] = {}
    for each in sums:
        for code, amounts in each.items():
            mine = result.setdefault(code, {})
            for metric, text in amounts.items():
                mine[metric] = _plus(mine.get(metric), text)
    # A residual of a metric the bill does not have adds nothing to nothing.
    known = {code: {m for each in sums[1:] for m, t in each.get(code, {}).items() if t is not None} for code in result}
    return {
        code: {m: (t if m in known[code] else None) for m, t in amounts.items()} for code, amounts in result.items()
    }


def _plus(one: str | None, other: str | None) -> str | None:
    if one is None or other is None:
        return one or other
    return exact_text(EXACT.add(Decimal(one), Decimal(other)))


def _one_bill_a_month(month: Month | None) -> Iterator[Check]:
    """A source that replaces has one current bill for each month."""
    months = DeliveryMonth.objects.current().filter(delivery__source__delivery_mode=Source.Mode.REPLACE)
    if month:
        months = months.filter(billing_month=month.start)
    by_view = months.order_by().values("delivery__source__name", "billing_month", "view")
    twice = by_view.annotate(n=Count("pk")).filter(n__gt=1)
    yield Check("months that count twice", "all sources that replace", str(len(twice)), "0")
    whole = set(months.filter(view="").values_list("delivery__source", "billing_month"))
    both = whole & set(months.exclude(view="").values_list("delivery__source", "billing_month"))
    yield Check("months that count whole and by halves", "all sources that replace", str(len(both)), "0")


def totals(month: Month | None = None) -> list[dict[str, Any]]:
    """The exact totals of what counts, per source, billing month and currency, as stored."""
    rows = DeliveryMonth.objects.current().select_related("delivery__source")
    rows = rows.filter(billing_month=month.start) if month else rows
    found: dict[tuple[str, str], dict[str, dict[str, str | None]]] = {}
    for row in rows.order_by("delivery__source__name", "billing_month"):
        key = (row.delivery.source.name, str(Month.of(row.billing_month)))
        found[key] = added({}, found.get(key, {}), row.totals)
    return [
        {"source": source, "month": name, "currency": code} | {metric: amounts.get(metric) for metric in METRICS}
        for (source, name), sums in found.items()
        for code, amounts in sums.items()
    ]


def _text(sums: dict[str, dict[str, str | None]]) -> str:
    return "; ".join(
        f"{code} " + ", ".join(f"{metric} {sums[code][metric]}" for metric in METRICS if metric in sums[code])
        for code in sorted(sums)
    )

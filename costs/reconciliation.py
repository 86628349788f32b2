"""Reconciliation: every layer of every month that counts must sum to the same, to the last stored digit."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import date
from decimal import Decimal
from functools import reduce
from typing import Any

from django.db.models import Aggregate, Count, QuerySet, Sum

from costs.charges.totals import stored_totals, totals_as_text
from costs.formats.sql import literal
from costs.ingest.publications import ROLLUPS
from costs.ingest.workspace import limited_duckdb
from costs.models import CostLine, Delivery, DeliveryMonth, InvoiceCost
from costs.models.lines import Cost
from costs.querysets import METRICS, SIDES
from costs.versions.streams import count_twice
from finops_site.files.places import FilesUnreachable
from finops_site.lib.money import EXACT, exact_text
from finops_site.lib.periods import Month

VIEWS = ("billed_cost", "effective_cost")
LAYERS = (CostLine, *ROLLUPS)
# {currency: {metric: exact text}}; an amount that no charge states is None.
TextTotals = dict[str, dict[str, str | None]]


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


# Invariants of the apps above; called with a billing month, or None for all of them.
MORE: list[Callable[[Month | None], Iterable[Check]]] = []


def register_checks(checks: Callable[[Month | None], Iterable[Check]]) -> None:
    """Lets an app's own invariants be checked with those of the bills: call it from AppConfig.ready()."""
    if checks not in MORE:
        MORE.append(checks)


def reconcile(month: Month | None = None) -> list[Check]:
    """Every invariant of the current publications, of one billing month or of all."""
    rows = DeliveryMonth.objects.current().select_related("delivery__source").order_by("billing_month", "pk")
    if month:
        rows = rows.filter(billing_month=month.start)
    publications = list(rows)
    own = [*_check_layers(publications), *_check_deliveries(publications), *_check_one_bill_a_month(month)]
    return [*own, *(check for checks in MORE for check in checks(month))]


def _check_layers(rows: Sequence[DeliveryMonth]) -> Iterator[Check]:
    """As delivered = charges = cost lines = rollups, and direct + shared + unowned = the bill."""
    with limited_duckdb() as db:
        layers = {
            model: {
                pk: {
                    currency: {metric: exact_text(sums[metric]) for metric in METRICS}
                    for currency, sums in by_currency.items()
                }
                for pk, by_currency in _sums(model, rows, {metric: Sum(metric) for metric in METRICS}).items()
            }
            for model in LAYERS
        }
        counts = dict(_rows_of(CostLine, rows).order_by().values_list("delivery_month").annotate(Sum("charges")))
        owned, invoiced = _owned_sums(rows), _invoiced_sums(rows)
        for row in rows:
            about = f"{row.delivery}, {Month.of(row.billing_month)}"
            if row.delivery.files_removed_at:
                yield Check(
                    "charges in Parquet = totals noted at load", about, "files removed by retention", _text(row.totals)
                )
                continue
            try:
                charges = totals_as_text(stored_totals(db, f"read_parquet({literal(row.charges_glob)})"))
            except FilesUnreachable as error:
                unknown = f"not known: {error}"
                yield Check("charges in Parquet = totals noted at load", about, unknown, _text(row.totals))
                continue
            yield Check("charges in Parquet = totals noted at load", about, _text(charges), _text(row.totals))
            for model, by_month in layers.items():
                name = f"{model._meta.verbose_name}s = charges"
                yield Check(name, about, _text(by_month.get(row.pk, {})), _text(charges))
            yield Check(
                "charges counted in cost lines = rows of the bill", about, str(counts.get(row.pk, 0)), str(row.charges)
            )
            named = {code: {"billed_cost": sums["billed_cost"]} for code, sums in row.totals.items()}
            yield Check("billed cost by invoice = the bill", about, _text(invoiced.get(row.pk, {})), _text(named))
            bill = {code: {metric: sums[metric] for metric in VIEWS} for code, sums in row.totals.items()}
            yield Check("direct + shared + unowned = the bill", about, _text(owned.get(row.pk, {})), _text(bill))


def _rows_of(model: type[Cost], rows: Sequence[DeliveryMonth]) -> QuerySet:
    """A model's rows of these publications, with the span of days that lets the database skip partitions."""
    days = [date.fromisoformat(day) for row in rows for day in row.charge_months]
    matches = model.objects.filter(delivery_month__in=[row.pk for row in rows])
    if model is CostLine and days:
        matches = matches.filter(charge_date__gte=min(days), charge_date__lt=Month.of(max(days)).next.start)  # type: ignore[misc]
    return matches


def _sums(
    model: type[Cost], rows: Sequence[DeliveryMonth], sums: Mapping[str, Aggregate]
) -> dict[int, dict[str, dict[str, Any]]]:
    """{publication: {currency: the sums}}."""
    result: dict[int, dict[str, dict[str, Any]]] = {}
    for row in _rows_of(model, rows).order_by().values("delivery_month", "currency").annotate(**sums):
        result.setdefault(row["delivery_month"], {})[row["currency"]] = row
    return result


def _owned_sums(rows: Sequence[DeliveryMonth]) -> dict[int, TextTotals]:
    """What teams own, what they share and what nobody owns, added up here from the three sides the pages show."""
    sides = {f"{metric}_{side}": Sum(metric, filter=which) for metric in VIEWS for side, which in SIDES.items()}
    return {
        pk: {
            currency: {
                metric: reduce(_plus, [exact_text(sums[f"{metric}_{side}"]) for side in SIDES]) for metric in VIEWS
            }
            for currency, sums in by_currency.items()
        }
        for pk, by_currency in _sums(CostLine, rows, sides).items()
    }


def _invoiced_sums(rows: Sequence[DeliveryMonth]) -> dict[int, TextTotals]:
    """Billed cost of all invoices that the charges name, and of those that name none."""
    result: dict[int, TextTotals] = {}
    costs = InvoiceCost.objects.filter(delivery_month__in=[row.pk for row in rows]).order_by()
    for pk, currency, billed in costs.values_list("delivery_month", "currency").annotate(Sum("billed_cost")):
        result.setdefault(pk, {})[currency] = {"billed_cost": exact_text(billed)}
    return result


def _check_deliveries(rows: Sequence[DeliveryMonth]) -> Iterator[Check]:
    """The control totals from the text = what is stored + the residual of storing."""
    deliveries = Delivery.objects.filter(pk__in={row.delivery_id for row in rows}).prefetch_related("months")
    for delivery in deliveries:
        months = sorted(delivery.months.all(), key=lambda month: month.pk)
        latest = {(month.billing_month, month.view): month for month in months}
        stored = add_totals(delivery.residual, *(month.totals for month in latest.values()))
        yield Check("control totals = stored + residual", str(delivery), _text(delivery.totals), _text(stored))


def add_totals(first: TextTotals, *others: TextTotals) -> TextTotals:
    """Totals summed by currency and metric; `first` may be a residual, which alone makes no metric known."""
    result: TextTotals = {}
    for totals in (first, *others):
        for code, amounts in totals.items():
            sums = result.setdefault(code, {})
            for metric, text in amounts.items():
                sums[metric] = _plus(sums.get(metric), text)
    # A residual of a metric the bill does not have adds nothing to nothing.
    known = {
        (code, metric)
        for totals in others
        for code, sums in totals.items()
        for metric, text in sums.items()
        if text is not None
    }
    return {
        code: {metric: (text if (code, metric) in known else None) for metric, text in sums.items()}
        for code, sums in result.items()
    }


def _plus(one: str | None, other: str | None) -> str | None:
    if one is None or other is None:
        return one or other
    return exact_text(EXACT.add(Decimal(one), Decimal(other)))


def _check_one_bill_a_month(month: Month | None) -> Iterator[Check]:
    """A part of a stream has one current version of a month, and loose files do not bill a day of an account twice."""
    months = DeliveryMonth.objects.current()
    if month:
        months = months.filter(billing_month=month.start)
    loose = months.filter(stream__export="", delivery__part="").select_related("delivery", "stream")
    parts = months.exclude(delivery__part="").order_by().values("stream", "delivery__part", "billing_month")
    twice = parts.annotate(n=Count("pk")).filter(n__gt=1).count()
    yield Check("months that count twice", "all streams", str(twice + count_twice(loose)), "0")


def current_totals(month: Month | None = None) -> list[dict[str, Any]]:
    """The exact totals of what counts, per source, billing month and currency, as stored."""
    rows = DeliveryMonth.objects.current().select_related("delivery__source")
    rows = rows.filter(billing_month=month.start) if month else rows
    totals: dict[tuple[str, str], TextTotals] = {}
    for row in rows.order_by("delivery__source__name", "billing_month"):
        key = (row.delivery.source.name, str(Month.of(row.billing_month)))
        totals[key] = add_totals({}, totals.get(key, {}), row.totals)
    return [
        {"source": source, "month": name, "currency": code} | {metric: amounts.get(metric) for metric in METRICS}
        for (source, name), sums in totals.items()
        for code, amounts in sums.items()
    ]


def _text(sums: dict[str, dict[str, str | None]]) -> str:
    return "; ".join(
        f"{code} " + ", ".join(f"{metric} {sums[code][metric]}" for metric in METRICS if metric in sums[code])
        for code in sorted(sums)
    )

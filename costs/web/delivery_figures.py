"""Figures of one delivery: how far its load is, its totals, and which bill replaced which."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any
from urllib.parse import urlencode

from django.conf import settings
from django.urls import reverse
from django.utils.translation import gettext as _

from costs.models import Delivery, DeliveryMonth, Source
from costs.querysets import METRICS
from costs.web.delivery_tables import STATES
from finops_site.lib.money import EXACT, exact_figure
from finops_site.lib.words import counted
from finops_site.translation import gettext_lazy as _lazy

METRIC_WORDS = {
    "billed_cost": (_lazy("Billed cost"), _lazy("on the invoice")),
    "effective_cost": (_lazy("Effective cost"), _lazy("amortised over the term of what was bought")),
    "list_cost": (_lazy("List cost"), _lazy("at public on-demand prices")),
    "contracted_cost": (_lazy("Contracted cost"), _lazy("at negotiated prices")),
}


@dataclass(slots=True)
class Publication:
    """One delivery's version of a billing month, and the amounts of the version it came after."""

    row: DeliveryMonth
    before: Mapping[str, Mapping[str, str | None]] = field(default_factory=dict)

    @property
    def delivery(self) -> Delivery:
        return self.row.delivery

    @property
    def lines_url(self) -> str:
        """The cost lines of the billing month, over all the days its charges were used."""
        used = sorted(day[:7] for day in self.row.charge_months)
        query = {"billing_month": f"{self.row.billing_month:%Y-%m}", "from": used[0], "to": used[-1]}
        return f"{reverse('costs:lines')}?{urlencode(query)}"

    @property
    def amounts(self) -> list[dict[str, Any]]:
        """Billed cost by currency, with those of the version before it."""
        return [
            {"currency": code, "amount": _billed(self.row.totals, code), "before": _billed(self.before, code)}
            for code in sorted({*self.row.totals, *self.before})
        ]


def _billed(totals: Mapping[str, Mapping[str, str | None]], code: str) -> Decimal | None:
    return Decimal(totals.get(code, {}).get("billed_cost") or 0) if totals else None


@dataclass(slots=True)
class MonthHistory:
    """Every version of one billing month that its source delivered, the newest first."""

    billing_month: date
    publications: list[Publication]


def version_history(delivery: Delivery) -> list[MonthHistory]:
    """For each of the delivery's months what came before it and what replaced it."""
    months = []
    for month, rows in _publications(delivery).items():
        versions = [Publication(row) for row in rows]
        if delivery.source.delivery_mode == Source.Mode.REPLACE:
            # Each view of the bill is compared with its own version before.
            before: dict[str, Publication] = {}
            for version in versions:
                if version.row.view in before:
                    version.before = before[version.row.view].row.totals
                before[version.row.view] = version
        months.append(MonthHistory(month, versions[::-1]))
    return months


def _publications(delivery: Delivery) -> dict[date, list[DeliveryMonth]]:
    """The source's publications of the delivery's months, the oldest first; loads under way have none to show."""
    rows = (
        DeliveryMonth.objects.filter(
            delivery__source=delivery.source_id, billing_month__in=delivery.months.values("billing_month")
        )
        .exclude(delivery__status__in=[Delivery.Status.LOADING, Delivery.Status.FAILED])
        .select_related("delivery__received_by", "delivery__source")
        .order_by("billing_month", "delivery_id", "id")
    )
    # Lines made anew for other owners leave, for a moment, two publications of one delivery: the later one stands.
    latest = {(row.billing_month, row.delivery_id, row.view): row for row in rows}
    months: dict[date, list[DeliveryMonth]] = {}
    for row in latest.values():
        months.setdefault(row.billing_month, []).append(row)
    return months


def total_figures(delivery: Delivery) -> list[dict[str, Any]]:
    """For each currency its four sums with all their digits, and what of them storing cannot keep."""
    return [
        {
            "currency": code,
            "metrics": [
                _metric_figures(metric, sums.get(metric), delivery.residual.get(code, {}).get(metric))
                for metric in METRICS
            ],
        }
        for code, sums in sorted(delivery.totals.items())
    ]


def _metric_figures(metric: str, amount: str | None, residual: str | None) -> dict[str, Any]:
    label, meaning = METRIC_WORDS[metric]
    figures = {"label": label, "meaning": meaning, "amount": amount}
    if amount is None or not residual or not Decimal(residual):
        return figures
    stored = EXACT.subtract(Decimal(amount), Decimal(residual))
    return {**figures, "residual": exact_figure(Decimal(residual)), "stored": exact_figure(stored)}


def load_progress(delivery: Delivery, now: datetime) -> dict[str, Any]:
    """The context of includes/progress.html: how far the load is, or how it ended."""
    waits = delivery.status == Delivery.Status.RECEIVED
    failed = delivery.status == Delivery.Status.FAILED
    return {
        "url": reverse("costs:delivery_progress", args=[delivery.pk]),
        "percent": None if waits else round(100 * delivery.progress),
        "label": _("Queued") if waits else delivery.stage.capitalize() or STATES[Delivery.Status(delivery.status)][0],
        "detail": _detail(delivery, now),
        "done": not delivery.is_open and not failed,
        "failed": failed,
        "message": delivery.message if failed else "",
    }


def _detail(delivery: Delivery, now: datetime) -> str:
    since = _("Received {age} ago.").format(age=elapsed(now - delivery.received_at))
    if delivery.status == Delivery.Status.RECEIVED:
        return _("{since} It loads as soon as a worker is free; nothing is lost if you leave this page.").format(
            since=since
        )
    silent = timedelta(seconds=settings.LOAD_STALLED_AFTER_SECONDS)
    if delivery.heartbeat_at and now - delivery.heartbeat_at > silent:
        return _("{since} The worker stopped answering; the load is started again within a minute.").format(since=since)
    return since


def elapsed(span: timedelta) -> str:
    """``34 seconds``, ``2 min 5 s``, ``1 h 3 min``."""
    seconds = max(0, int(span.total_seconds()))
    if seconds < 60:
        return counted(seconds, "second")
    minutes, seconds = divmod(seconds, 60)
    return (
        _("{minutes} min {seconds} s").format(minutes=minutes, seconds=seconds)
        if minutes < 60
        else _("{hours} h {minutes} min").format(hours=minutes // 60, minutes=minutes % 60)
    )

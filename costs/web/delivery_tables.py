"""What pages say about deliveries: their tables and filters, how far a load is, and which bill replaced which."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from decimal import Decimal
from itertools import pairwise
from typing import Any
from urllib.parse import urlencode

import django_filters
import django_tables2
from django.conf import settings
from django.template.defaultfilters import pluralize
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from drf_spectacular.utils import extend_schema_field

from costs.models import Delivery, DeliveryMonth, Reject, Source
from costs.querysets import METRICS
from costs.web.tables import BilledTotalsColumn, OwnerColumn
from finops_site.lib.money import EXACT, exact_text
from finops_site.lib.periods import moment_text
from finops_site.ui.figures import month_text
from finops_site.ui.filters import MonthFilter
from finops_site.ui.tables import BaseTable, ChangeColumn, MoneyColumn, MonthColumn, NumberColumn, status_html

STATES = {
    Delivery.Status.RECEIVED: ("Queued", "warn", "clock"),
    Delivery.Status.LOADING: ("Loading", "busy", "loader-2"),
    Delivery.Status.CURRENT: ("Current", "good", "circle-check"),
    Delivery.Status.SUPERSEDED: ("Superseded", "calm", "history"),
    Delivery.Status.WITHDRAWN: ("Withdrawn", "calm", "ban"),
    Delivery.Status.FAILED: ("Failed", "bad", "alert-circle"),
}
METRIC_WORDS = {
    "billed_cost": ("Billed cost", "on the invoice"),
    "effective_cost": ("Effective cost", "amortised over the term of what was bought"),
    "list_cost": ("List cost", "at public on-demand prices"),
    "contracted_cost": ("Contracted cost", "at negotiated prices"),
}
SHOWN_OF_A_VALUE = 120
MONTHS_NAMED = 3


class DeliveryFilter(django_filters.FilterSet):
    source = django_filters.ModelMultipleChoiceFilter(queryset=Source.objects.all())
    status = django_filters.MultipleChoiceFilter(choices=[(state, words[0]) for state, words in STATES.items()])
    month = MonthFilter(label="Billing month", method="in_month")

    class Meta:
        model = Delivery
        fields = ["source", "status", "month"]

    @extend_schema_field({"type": "string", "pattern": r"^\d{4}-\d{2}$", "example": "2025-11"})
    def in_month(self, deliveries: Any, _name: str, month: Any) -> Any:
        if month is None:
            return deliveries
        return deliveries.filter(pk__in=DeliveryMonth.objects.filter(billing_month=month.start).values("delivery"))


ASKS_AGAIN = {
    "hx-get": lambda record: reverse("costs:delivery_row", args=[record.pk]),
    "hx-select": lambda record: f"#delivery-{record.pk}",
    "hx-trigger": lambda record: "load delay:2s",
    "hx-target": lambda record: "this",
    "hx-swap": lambda record: "outerHTML",
    "hx-push-url": lambda record: "false",
}


def _while_open(attribute: Callable[[Delivery], str]) -> Callable[[Delivery], str | None]:
    """The row of an open delivery, and no other, is drawn anew until its load has ended."""
    return lambda record: attribute(record) if record.is_open else None


class DeliveryTable(BaseTable):
    source = django_tables2.Column("Delivery", accessor="source__name")
    number = django_tables2.Column("Number", accessor="pk", visible=False)
    months = django_tables2.Column("Billing months", accessor="billing_months", orderable=False)
    format = django_tables2.Column(empty_values=())
    status = django_tables2.Column()
    rows_read = NumberColumn("Rows")
    rows_rejected = NumberColumn("Rows not read", visible=False)
    totals = BilledTotalsColumn("Billed cost", orderable=False)
    received_at = django_tables2.Column("Received")
    received_by = django_tables2.Column("Received by", visible=False)

    class Meta(BaseTable.Meta):
        order_by = "-received_at"
        row_attrs = {
            "id": lambda record: f"delivery-{record.pk}",
            **{name: _while_open(attribute) for name, attribute in ASKS_AGAIN.items()},
        }

    caption = "Deliveries"

    def render_source(self, value: str, record: Delivery) -> SafeString:
        address = reverse("costs:delivery", args=[record.pk])
        return format_html('<a href="{}">{} <span class="text-secondary">#{}</span></a>', address, value, record.pk)

    def value_source(self, value: str) -> str:
        return value

    def value_number(self, value: int) -> int:
        return value

    def render_months(self, value: list[str]) -> SafeString | str:
        return months_text(value)

    def value_status(self, record: Delivery) -> str:
        return STATES[record.status][0]

    def value_months(self, value: list[str]) -> str:
        return " ".join(value)

    def render_format(self, value: str, record: Delivery) -> SafeString | str:
        if not value:
            return "—"
        return format_html('{}<div class="small text-secondary">{}</div>', value, record.provider)

    def value_format(self, value: str) -> str:
        return value

    def render_status(self, value: str, record: Delivery) -> SafeString:
        text, tone, icon = STATES[record.status]
        loads = record.status == Delivery.Status.LOADING
        return status_html(f"{text} {record.progress:.0%}" if loads else text, tone, icon)

    def render_rows_read(self, value: int, record: Delivery) -> SafeString | str:
        return rows_text(record) if value else "—"

    def value_rows_read(self, value: int) -> int:
        return value

    def render_received_at(self, value: datetime, record: Delivery) -> SafeString:
        by = record.brought_by
        return format_html(
            '<span class="text-nowrap" title="{} UTC">{}</span><div class="small text-secondary">by {}</div>',
            f"{value:%Y-%m-%d %H:%M:%S}",
            moment_text(value),
            by,
        )

    def value_received_at(self, value: datetime) -> str:
        return value.isoformat(timespec="seconds")

    def value_received_by(self, value: Any) -> str:
        return str(value)


def months_text(months: list[str]) -> SafeString | str:
    """Sep 2025, Oct 2025; many are told by the first and the last of them."""
    if len(months) <= MONTHS_NAMED:
        return ", ".join(month_text(month) for month in months) or "—"
    return format_html(
        '<span class="text-nowrap">{} – {}</span><div class="small text-secondary">{} months</div>',
        month_text(months[0]),
        month_text(months[-1]),
        len(months),
    )


def rows_text(delivery: Delivery) -> str:
    """``84,000 read, 3 not read``: never silent about what is missing."""
    read = f"{delivery.rows_read:,} read"
    return f"{read}, {delivery.rows_rejected:,} not read" if delivery.rows_rejected else read


class RejectTable(BaseTable):
    where = django_tables2.Column(accessor="line", orderable=False, exclude_from_export=True, empty_values=())
    file = django_tables2.Column(visible=False)
    line = NumberColumn(visible=False)
    column = django_tables2.Column(orderable=False)
    value = django_tables2.Column(orderable=False)
    reason = django_tables2.Column("Why", orderable=False)

    caption = "Rows that were not read"

    class Meta(BaseTable.Meta):
        model = Reject
        fields = ["where", "file", "line", "column", "value", "reason"]

    def render_where(self, value: int | None, record: Reject) -> SafeString:
        place = "a line we cannot number" if value is None else f"line {value:,}"
        return format_html('{}<div class="small text-secondary fw-normal text-break">{}</div>', place, record.file)

    def render_value(self, value: str) -> SafeString:
        short = value if len(value) <= SHOWN_OF_A_VALUE else value[: SHOWN_OF_A_VALUE - 1] + "…"
        return format_html('<code class="text-break">{}</code>', short)

    def value_value(self, value: str) -> str:
        return value


WHOLE_WORDS = {"td": {"class": "nowrap"}}


class ChangeTable(BaseTable):
    """What a bill changed in one it replaced; the CSV has every digit and effective cost too."""

    month = MonthColumn("Billing month", accessor="restatement__billing_month", orderable=False)
    service = django_tables2.Column(orderable=False, attrs=WHOLE_WORDS)
    sub_account = django_tables2.Column("Account", orderable=False, attrs=WHOLE_WORDS)
    owner = OwnerColumn("Team", accessor="owner__name", pool="pool.name", orderable=False)
    billed_before = MoneyColumn("Before", orderable=False)
    billed_after = MoneyColumn("After", orderable=False)
    difference = ChangeColumn("Difference", before="billed_before", orderable=False)
    billed_new = MoneyColumn("New days", orderable=False)
    effective_before = MoneyColumn("Effective before", visible=False)
    effective_after = MoneyColumn("Effective after", visible=False)
    effective_difference = MoneyColumn("Effective difference", visible=False)
    effective_new = MoneyColumn("Effective, new days", visible=False)
    currency = django_tables2.Column(visible=False)

    caption = "What this bill changed"

    class Meta(BaseTable.Meta):
        pass


class CorrectionTable(BaseTable):
    """Charges invoiced later than in the month they belong to."""

    billing_month = MonthColumn("Invoiced in", orderable=False)
    used = django_tables2.Column("Belongs to", empty_values=(), orderable=False)
    service = django_tables2.Column(orderable=False)
    sub_account = django_tables2.Column("Account", orderable=False)
    team = OwnerColumn(pool="pool_name", orderable=False)
    billed = MoneyColumn("Billed cost", orderable=False)
    effective = MoneyColumn("Effective cost", orderable=False)
    currency = django_tables2.Column(visible=False)

    caption = "Adjustments of earlier months"

    class Meta(BaseTable.Meta):
        pass

    def render_used(self, record: Mapping[str, Any]) -> str:
        return month_text(date(record["charge_date__year"], record["charge_date__month"], 1))

    def value_used(self, record: Mapping[str, Any]) -> str:
        return f"{record['charge_date__year']}-{record['charge_date__month']:02}"


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
        asked = {"billing_month": f"{self.row.billing_month:%Y-%m}", "from": used[0], "to": used[-1]}
        return f"{reverse('costs:lines')}?{urlencode(asked)}"

    @property
    def amounts(self) -> list[dict[str, Any]]:
        """Billed cost by currency, with what the version before it said."""
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


def history(delivery: Delivery) -> list[MonthHistory]:
    """For each of the delivery's months what came before it and what replaced it."""
    found = []
    for month, rows in _publications(delivery).items():
        versions = [Publication(row) for row in rows]
        if delivery.source.delivery_mode == Source.Mode.REPLACE:
            for older, newer in pairwise(versions):
                newer.before = older.row.totals
        found.append(MonthHistory(month, versions[::-1]))
    return found


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
    latest = {(row.billing_month, row.delivery_id): row for row in rows}
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
    return {**figures, "residual": residual, "stored": exact_text(stored)}


def progress(delivery: Delivery, now: datetime) -> dict[str, Any]:
    """The context of includes/progress.html: how far the load is, or how it ended."""
    waits = delivery.status == Delivery.Status.RECEIVED
    failed = delivery.status == Delivery.Status.FAILED
    return {
        "url": reverse("costs:delivery_progress", args=[delivery.pk]),
        "percent": None if waits else round(100 * delivery.progress),
        "label": "Queued" if waits else delivery.stage.capitalize() or STATES[delivery.status][0],
        "detail": _detail(delivery, now),
        "done": not delivery.is_open and not failed,
        "failed": failed,
        "message": delivery.message if failed else "",
    }


def _detail(delivery: Delivery, now: datetime) -> str:
    since = f"Received {elapsed(now - delivery.received_at)} ago."
    if delivery.status == Delivery.Status.RECEIVED:
        return f"{since} It loads as soon as a worker is free; nothing is lost if you leave this page."
    silent = timedelta(seconds=settings.LOAD_STALLED_AFTER_SECONDS)
    if delivery.heartbeat_at and now - delivery.heartbeat_at > silent:
        return f"{since} The worker stopped answering; the load is started again within a minute."
    return since


def elapsed(span: timedelta) -> str:
    """``34 seconds``, ``2 min 5 s``, ``1 h 3 min``."""
    seconds = max(0, int(span.total_seconds()))
    if seconds < 60:
        return f"{seconds} second{pluralize(seconds)}"
    minutes, seconds = divmod(seconds, 60)
    return f"{minutes} min {seconds} s" if minutes < 60 else f"{minutes // 60} h {minutes % 60} min"

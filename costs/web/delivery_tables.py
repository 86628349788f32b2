"""Tables of deliveries, of rows that were not read, and of what a bill changed."""

from collections.abc import Callable, Mapping
from datetime import date, datetime
from typing import Any

import django_tables2
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _

from costs.models import Delivery, Reject
from costs.web.conformance_tables import delivery_score
from costs.web.tables import WHOLE_WORDS, BilledTotalsColumn, OwnerColumn
from finops_site.lib.periods import moment_text
from finops_site.lib.words import number_text
from finops_site.translation import gettext_lazy as _lazy
from finops_site.ui.figures import month_text
from finops_site.ui.tables import BaseTable, ChangeColumn, MoneyColumn, MonthColumn, NumberColumn, status_html

STATES = {
    Delivery.Status.RECEIVED: (_lazy("Queued"), "warn", "clock"),
    Delivery.Status.LOADING: (_lazy("Loading"), "busy", "loader-2"),
    Delivery.Status.CURRENT: (_lazy("Current"), "good", "circle-check"),
    Delivery.Status.SUPERSEDED: (_lazy("Superseded"), "calm", "history"),
    Delivery.Status.WITHDRAWN: (_lazy("Withdrawn"), "calm", "ban"),
    Delivery.Status.FAILED: (_lazy("Failed"), "bad", "alert-circle"),
    Delivery.Status.HELD: (_lazy("Held"), "warn", "alert-triangle"),
    Delivery.Status.REJECTED: (_lazy("Rejected"), "calm", "ban"),
    Delivery.Status.EMPTY: (_lazy("Without rows"), "calm", "info-circle"),
}
SHOWN_OF_A_VALUE = 120
MONTHS_NAMED = 3


ASKS_AGAIN = {
    "hx-get": lambda record: reverse("costs:delivery_row", args=[record.pk]),
    "hx-select": lambda record: f"#delivery-{record.pk}",
    "hx-trigger": lambda record: "load delay:2s",
    "hx-target": lambda record: "this",
    "hx-swap": lambda record: "outerHTML",
    "hx-push-url": lambda record: "false",
}


def while_open(attribute: Callable[[Delivery], str]) -> Callable[[Delivery], str | None]:
    """The row of an open delivery, and no other, is drawn anew until its load has ended."""
    return lambda record: attribute(record) if record.is_open else None


class DeliveryTable(BaseTable):
    source = django_tables2.Column(_lazy("Delivery"), accessor="source__name")
    number = django_tables2.Column(_lazy("Number"), accessor="pk", visible=False)
    months = django_tables2.Column(_lazy("Billing months"), accessor="billing_months", orderable=False)
    format = django_tables2.Column(_lazy("Format"), empty_values=())
    status = django_tables2.Column(_lazy("Status"))
    rows_read = NumberColumn(_lazy("Rows"))
    rows_rejected = NumberColumn(_lazy("Rows not read"), visible=False)
    conformance = NumberColumn(_lazy("Keeps FOCUS"), orderable=False, empty_values=())
    totals = BilledTotalsColumn(_lazy("Billed cost"), orderable=False)
    received_at = django_tables2.Column(_lazy("Received"))
    received_by = django_tables2.Column(_lazy("Received by"), visible=False)

    class Meta(BaseTable.Meta):
        phone_facts = ("months", "status")
        order_by = "-received_at"
        row_attrs = {
            "id": lambda record: f"delivery-{record.pk}",
            **{name: while_open(attribute) for name, attribute in ASKS_AGAIN.items()},
        }

    caption = _lazy("Deliveries")

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
        return STATES[Delivery.Status(record.status)][0]

    def value_months(self, value: list[str]) -> str:
        return " ".join(value)

    def render_format(self, value: str, record: Delivery) -> SafeString | str:
        if not value:
            return "—"
        return format_html('{}<div class="small text-secondary">{}</div>', value, record.provider)

    def value_format(self, value: str) -> str:
        return value

    def render_status(self, value: str, record: Delivery) -> SafeString:
        text, tone, icon = STATES[Delivery.Status(record.status)]
        loads = record.status == Delivery.Status.LOADING
        return status_html(f"{text} {record.progress:.0%}" if loads else text, tone, icon)

    def render_rows_read(self, value: int, record: Delivery) -> SafeString | str:
        return rows_text(record) if value else "—"

    def value_rows_read(self, value: int) -> int:
        return value

    def render_conformance(self, record: Delivery) -> str:
        return delivery_score(record)

    def value_conformance(self, record: Delivery) -> str:
        share = record.conforming_share
        return "" if share is None else f"{share:f}"

    def render_received_at(self, value: datetime, record: Delivery) -> SafeString:
        by = _("by {person}").format(person=record.brought_by)
        return format_html(
            '<span class="text-nowrap" title="{} UTC">{}</span><div class="small text-secondary">{}</div>',
            f"{value:%Y-%m-%d %H:%M:%S}",
            moment_text(value),
            by,
        )

    def value_received_at(self, value: datetime) -> str:
        return value.isoformat(timespec="seconds")

    def value_received_by(self, value: Any) -> str:
        return str(value)


def months_text(months: list[str]) -> SafeString | str:
    """Sep 2025, Oct 2025; of many the first and the last."""
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
    read = _("{rows_read} read").format(rows_read=number_text(delivery.rows_read))
    return (
        _("{read}, {rows_rejected} not read").format(read=read, rows_rejected=number_text(delivery.rows_rejected))
        if delivery.rows_rejected
        else read
    )


class RejectTable(BaseTable):
    where = django_tables2.Column(
        _lazy("Where"), accessor="line", orderable=False, exclude_from_export=True, empty_values=()
    )
    file = django_tables2.Column(visible=False)
    line = NumberColumn(visible=False)
    column = django_tables2.Column(_lazy("Column"), orderable=False)
    value = django_tables2.Column(_lazy("Value"), orderable=False)
    reason = django_tables2.Column(_lazy("Why"), orderable=False)

    caption = _lazy("Rows that were not read")

    class Meta(BaseTable.Meta):
        model = Reject
        fields = ["where", "file", "line", "column", "value", "reason"]

    def render_where(self, value: int | None, record: Reject) -> SafeString:
        place = _("a line we cannot number") if value is None else _("line {line}").format(line=number_text(value))
        return format_html('{}<div class="small text-secondary fw-normal text-break">{}</div>', place, record.file)

    def render_value(self, value: str) -> SafeString:
        short = value if len(value) <= SHOWN_OF_A_VALUE else value[: SHOWN_OF_A_VALUE - 1] + "…"
        return format_html('<code class="text-break">{}</code>', short)

    def value_value(self, value: str) -> str:
        return value


class ChangeTable(BaseTable):
    """What a bill changed in one it replaced; the CSV has every digit and effective cost too."""

    month = MonthColumn(_lazy("Billing month"), accessor="restatement__billing_month", orderable=False)
    service = django_tables2.Column(_lazy("Service"), orderable=False, attrs=WHOLE_WORDS)
    sub_account = django_tables2.Column(_lazy("Account"), orderable=False, attrs=WHOLE_WORDS)
    owner = OwnerColumn(_lazy("Team"), accessor="owner__name", pool="pool.name", orderable=False, attrs=WHOLE_WORDS)
    billed_before = MoneyColumn(_lazy("Before"), orderable=False)
    billed_after = MoneyColumn(_lazy("After"), orderable=False)
    difference = ChangeColumn(_lazy("Difference"), before="billed_before", orderable=False)
    billed_new = MoneyColumn(_lazy("New days"), orderable=False)
    effective_before = MoneyColumn(_lazy("Effective before"), visible=False)
    effective_after = MoneyColumn(_lazy("Effective after"), visible=False)
    effective_difference = MoneyColumn(_lazy("Effective difference"), visible=False)
    effective_new = MoneyColumn(_lazy("Effective, new days"), visible=False)
    currency = django_tables2.Column(visible=False)

    caption = _lazy("Cost before and after this bill")

    class Meta(BaseTable.Meta):
        pass


class CorrectionTable(BaseTable):
    """Charges invoiced later than in the month they belong to."""

    billing_month = MonthColumn(_lazy("Invoiced in"), orderable=False)
    used = django_tables2.Column(_lazy("Belongs to"), empty_values=(), orderable=False)
    service = django_tables2.Column(_lazy("Service"), orderable=False)
    sub_account = django_tables2.Column(_lazy("Account"), orderable=False)
    team = OwnerColumn(pool="pool_name", orderable=False)
    billed = MoneyColumn(_lazy("Billed cost"), orderable=False)
    effective = MoneyColumn(_lazy("Effective cost"), orderable=False)
    currency = django_tables2.Column(visible=False)

    caption = _lazy("Adjustments of earlier months")

    class Meta(BaseTable.Meta):
        pass

    def render_used(self, record: Mapping[str, Any]) -> str:
        return month_text(date(record["charge_date__year"], record["charge_date__month"], 1))

    def value_used(self, record: Mapping[str, Any]) -> str:
        return f"{record['charge_date__year']}-{record['charge_date__month']:02}"

"""Tables of recommendations and of what they show."""

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any, cast

import django_tables2
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString

from finops_site.lib.periods import day_text, moment_text
from finops_site.ui.tables import (
    BaseTable,
    DayColumn,
    MoneyColumn,
    NumberColumn,
    PercentColumn,
    StatusColumn,
)
from reservations.calc.purchase_titles import counted_text
from reservations.models import Plan, PlanItem, PurchaseRequest
from reservations.titles import title_in_two_lines

PLAN_STATES: dict[str, tuple[str, str, str]] = {
    Plan.State.WAITING: ("Queued", "warn", "clock"),
    Plan.State.RUNNING: ("Being worked out", "busy", "loader-2"),
    Plan.State.READY: ("Ready", "good", "circle-check"),
    Plan.State.FAILED: ("Failed", "bad", "alert-circle"),
}


CONFIDENCES: dict[str, tuple[str, str, str]] = {
    Plan.Confidence.HOURLY: ("Hourly use", "good", "gauge"),
    Plan.Confidence.DAILY: ("Daily use: weaker", "warn", "gauge"),
    Plan.Confidence.SNAPSHOT: ("A snapshot: weakest", "warn", "alert-triangle"),
    Plan.Confidence.NONE: ("No use found", "calm", "circle-dashed"),
}


class PlanTable(BaseTable):
    plan = django_tables2.Column("Recommendation", accessor="pk", orderable=False)
    state = StatusColumn(states=PLAN_STATES, orderable=False)
    confidence = StatusColumn("Stands on", states=CONFIDENCES, orderable=False)
    cost_before = MoneyColumn("A year on demand", orderable=False)
    cost_after = MoneyColumn("With the plan", orderable=False)
    saving = MoneyColumn("Saving", orderable=False)
    gap = PercentColumn("Gap", places=2, orderable=False)
    requested = django_tables2.Column("Requested", accessor="created_at", orderable=False)

    caption = "Recommendations"

    class Meta(BaseTable.Meta):
        pass

    def render_plan(self, record: Plan) -> SafeString:
        name = f"{record.team or 'Whole company'}, {day_text(record.as_of)}"
        return format_html('<a href="{}">{}</a>', record.get_absolute_url(), name)

    def value_plan(self, record: Plan) -> str:
        return str(record)

    def render_requested(self, value: datetime, record: Plan) -> str:
        return f"{moment_text(value)} by {record.requested_by or 'the system'}"


class PurchaseTermsTable(BaseTable):
    """What is bought, in two lines with a link, and how much of it."""

    what = django_tables2.Column("Buy", accessor="pk", orderable=False)
    quantity = NumberColumn("Quantity", orderable=False)

    class Meta(BaseTable.Meta):
        pass

    def address(self, record: PlanItem | PurchaseRequest) -> str:
        return str(cast(PurchaseRequest, record).get_absolute_url())

    def render_what(self, record: PlanItem | PurchaseRequest) -> SafeString:
        return title_in_two_lines(self.address(record), record.thing, record.how)

    def value_what(self, record: PlanItem | PurchaseRequest) -> str:
        return str(record)

    def render_quantity(self, value: Decimal, record: PlanItem | PurchaseRequest) -> str:
        return counted_text(value.quantize(Decimal("0.0001")), record.unit)


class ItemTable(PurchaseTermsTable):
    committed_cost = MoneyColumn("Committed, a year", orderable=False)
    saving = MoneyColumn("Saving, a year", orderable=False)
    upfront = MoneyColumn("Upfront", orderable=False)
    monthly = MoneyColumn("A month", orderable=False)
    utilisation = PercentColumn("Expected use", orderable=False)
    break_even_months = NumberColumn("Pays off, months", orderable=False)

    request_it = django_tables2.Column("Request", accessor="pk", orderable=False)

    caption = "What to buy"

    class Meta(BaseTable.Meta):
        # The title has it.
        exclude = ("quantity",)

    def __init__(
        self, *args: Any, may_request: bool = False, requests: Sequence[PurchaseRequest] = (), **kwargs: Any
    ) -> None:
        """`requests`: those there are of the plan; who may not request sees them only."""
        self.may_request = may_request
        self.requested = {row.position: row for row in requests}
        super().__init__(*args, **kwargs)

    def render_request_it(self, record: PlanItem) -> SafeString | str:
        """The button that asks for this purchase, or how far the last request of it is."""
        if row := self.requested.get(record.position):
            return format_html('<a href="{}">{}</a>', row.get_absolute_url(), row.get_state_display())
        if not self.may_request:
            return "—"
        url = reverse("reservations:purchase_ask", args=[record.plan_id, record.position])
        button = '<a class="btn btn-sm btn-outline" href="{}" aria-label="Request {}">Request</a>'
        return format_html(button, url, record)

    def address(self, record: PlanItem) -> str:
        return reverse("reservations:recommended_item", args=[record.plan_id, record.position])

    def render_break_even_months(self, value: Decimal) -> str:
        return f"{value:.1f}" if value else "at once"


class ComparisonTable(BaseTable):
    name = django_tables2.Column("Only")
    cost = MoneyColumn("A year")
    saving = MoneyColumn("Saving")
    coverage = PercentColumn("Coverage")
    utilisation = PercentColumn("Utilisation")
    discount = PercentColumn("Discount on what is covered")
    upfront = MoneyColumn("Upfront")
    monthly = MoneyColumn("A month")
    gap = PercentColumn("Gap", places=2)

    caption = "The same demand by each kind of commitment"

    class Meta(BaseTable.Meta):
        orderable = False


class RiskTable(BaseTable):
    name = django_tables2.Column("If")
    on_demand = MoneyColumn("A year on demand")
    cost = MoneyColumn("With the plan")
    saving = MoneyColumn("Saving")

    caption = "What if demand changes"

    class Meta(BaseTable.Meta):
        orderable = False


class BacktestTable(BaseTable):
    strategy = django_tables2.Column("Decide by")
    saving = PercentColumn("Saving on what came")

    caption = "The past replayed"

    class Meta(BaseTable.Meta):
        orderable = False


class BatchTable(BaseTable):
    buy_on = DayColumn("Buy on")
    quantity = NumberColumn("Buy")
    total = NumberColumn("Then held")
    committed_cost = MoneyColumn("Committed, a year")
    saving = MoneyColumn("Saves more, a year")
    earned = PercentColumn("Return", accessor="return")
    utilisation = PercentColumn("Expected use")
    upfront = MoneyColumn("Upfront")
    ends_on = DayColumn("Ends on")

    caption = "In monthly batches"

    class Meta(BaseTable.Meta):
        orderable = False

    def render_quantity(self, value: str) -> str:
        return str(value)

    def render_total(self, value: str) -> str:
        return str(value)


class SliceTable(BaseTable):
    """Plans from little to the one that is recommended: what each slice adds, and what it returns."""

    name = django_tables2.Column("Up to")
    committed = MoneyColumn("Committed, a year")
    upfront = MoneyColumn("Cash on the first day")
    saving = MoneyColumn("Saves, a year")
    worst = MoneyColumn("If demand falls by 30%")
    more = MoneyColumn("This slice saves")
    earned = PercentColumn("And returns", accessor="return")

    caption = "Slice by slice"

    class Meta(BaseTable.Meta):
        orderable = False


class LimitCostTable(BaseTable):
    name = django_tables2.Column("With")
    saving = MoneyColumn("Saves more, a year")
    committed = MoneyColumn("Commits more, a year")
    upfront = MoneyColumn("More cash on the first day")
    earned = PercentColumn("Return on that", accessor="return")

    caption = "What the limits cost"

    class Meta(BaseTable.Meta):
        orderable = False

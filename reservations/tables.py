"""Tables of commitments, recommendations and prices."""

from decimal import Decimal
from typing import Any
from urllib.parse import urlencode

import django_tables2
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString

from finops_site.lib.money import exact_text
from finops_site.lib.periods import Month, moment_text
from finops_site.ui.tables import (
    BaseTable,
    DayColumn,
    ExactColumn,
    MoneyColumn,
    MonthColumn,
    NumberColumn,
    PercentColumn,
    StatusColumn,
    status_html,
)
from reservations.models import Commitment, LedgerMonth, Plan, Rate

STATES = {
    "active": ("Active", "good", "circle-check"),
    "ending": ("Ends within 90 days", "warn", "hourglass"),
    "ended": ("Ended", "calm", "history"),
    "future": ("Not started", "calm", "clock"),
    "unknown": ("End not known", "warn", "help"),
}
PLAN_STATES = {
    Plan.State.WAITING: ("Queued", "warn", "clock"),
    Plan.State.RUNNING: ("Being worked out", "busy", "loader-2"),
    Plan.State.READY: ("Ready", "good", "circle-check"),
    Plan.State.FAILED: ("Failed", "bad", "alert-circle"),
}
CONFIDENCES = {
    Plan.Confidence.HOURLY: ("Hourly use", "good", "gauge"),
    Plan.Confidence.DAILY: ("Daily use: weaker", "warn", "gauge"),
    Plan.Confidence.SNAPSHOT: ("A snapshot: weakest", "warn", "alert-triangle"),
    Plan.Confidence.NONE: ("No use found", "calm", "circle-dashed"),
}


class CommitmentTable(BaseTable):
    name = django_tables2.Column("Commitment", accessor="commitment_id", orderable=False)
    kind = django_tables2.Column("Kind")
    region = django_tables2.Column("Region")
    instance_type = django_tables2.Column("Type or family")
    utilisation = PercentColumn("Used, 30 days", orderable=False)
    unused = MoneyColumn("Unused, 30 days", orderable=False)
    end = DayColumn("Ends")
    state = django_tables2.Column("State", empty_values=(), orderable=False)
    owner = django_tables2.Column("Owner")

    caption = "Commitments"

    class Meta(BaseTable.Meta):
        model = Commitment
        fields = ["name", "kind", "region", "instance_type", "utilisation", "unused", "end", "state", "owner"]

    def __init__(self, data: Any, *args: Any, today: Any = None, **kwargs: Any) -> None:
        self.today = today
        super().__init__(data, *args, **kwargs)

    def render_name(self, record: Commitment) -> SafeString:
        return format_html('<a class="breakable" href="{}">{}</a>', record.get_absolute_url(), record)

    def value_name(self, record: Commitment) -> str:
        return record.commitment_id

    def render_state(self, record: Commitment) -> SafeString:
        return status_html(*STATES[record.state(self.today)])

    def value_state(self, record: Commitment) -> str:
        return record.state(self.today)


class PlanTable(BaseTable):
    plan = django_tables2.Column("Recommendation", accessor="pk", orderable=False)
    state = StatusColumn(states=PLAN_STATES, orderable=False)
    confidence = StatusColumn("Stands on", states=CONFIDENCES, orderable=False)
    cost_before = MoneyColumn("A year on demand", orderable=False)
    cost_after = MoneyColumn("With the plan", orderable=False)
    saving = MoneyColumn("Saving", orderable=False)
    gap = PercentColumn("Gap", places=2, orderable=False)
    asked = django_tables2.Column("Asked", accessor="created_at", orderable=False)

    caption = "Recommendations"

    class Meta(BaseTable.Meta):
        pass

    def render_plan(self, record: Plan) -> SafeString:
        name = f"{record.team or 'Whole company'}, {record.as_of}"
        return format_html('<a href="{}">{}</a>', record.get_absolute_url(), name)

    def value_plan(self, record: Plan) -> str:
        return str(record)

    def render_asked(self, value: Any, record: Plan) -> str:
        return f"{moment_text(value)} by {record.requested_by or 'the system'}"


class BoughtTable(BaseTable):
    """What is bought, in two lines with a link, and how much of it."""

    what = django_tables2.Column("Buy", accessor="pk", orderable=False)
    quantity = NumberColumn("Quantity", orderable=False)

    class Meta(BaseTable.Meta):
        pass

    def address(self, record: Any) -> str:
        return str(record.get_absolute_url())

    def render_what(self, record: Any) -> SafeString:
        lines = '<a href="{}">{}</a><div class="small text-secondary nowrap">{}</div>'
        return format_html(lines, self.address(record), record.where or "everywhere", record.how)

    def value_what(self, record: Any) -> str:
        return str(record)

    def render_quantity(self, value: Any, record: Any) -> str:
        return f"{exact_text(value.quantize(Decimal('0.0001')))} {record.unit}"


class ItemTable(BoughtTable):
    on_demand_cost = MoneyColumn("On demand, a year", orderable=False)
    committed_cost = MoneyColumn("Committed, a year", orderable=False)
    saving = MoneyColumn("Saving, a year", orderable=False)
    upfront = MoneyColumn("Upfront", orderable=False)
    monthly = MoneyColumn("A month", orderable=False)
    utilisation = PercentColumn("Expected use", orderable=False)
    break_even_months = NumberColumn("Breaks even, months", orderable=False)

    caption = "What to buy"

    class Meta(BaseTable.Meta):
        pass

    def __init__(self, data: Any, *args: Any, currency: str = "USD", **kwargs: Any) -> None:
        super().__init__(data, *args, **kwargs)

    def address(self, record: Any) -> str:
        return reverse("reservations:recommended_item", args=[record.plan_id, record.position])

    def render_break_even_months(self, value: Any) -> str:
        return f"{value:.1f}" if value else "at once"


class RateTable(BaseTable):
    instance_type = django_tables2.Column("Type")
    system = django_tables2.Column("System")
    region = django_tables2.Column("Region")
    kind = django_tables2.Column("Option")
    term_months = NumberColumn("Months")
    payment = django_tables2.Column("Payment")
    hourly = ExactColumn("An hour")
    upfront = ExactColumn("Upfront")
    currency = django_tables2.Column("Currency")
    source = django_tables2.Column("Source")
    day = DayColumn("Since")

    caption = "Prices"

    class Meta(BaseTable.Meta):
        model = Rate
        orderable = False
        fields = [
            *("instance_type", "system", "region", "kind", "term_months", "payment", "hourly", "upfront"),
            *("currency", "source", "day"),
        ]


class StandingTable(BaseTable):
    name = django_tables2.Column("Name")
    eligible = MoneyColumn("At on-demand prices")
    covered = MoneyColumn("Covered")
    on_demand = MoneyColumn("Runs on demand")
    coverage = PercentColumn("Coverage")
    savings_rate = PercentColumn("Savings rate")
    unused = MoneyColumn("Unused")

    caption = "Coverage"

    class Meta(BaseTable.Meta):
        orderable = False


class MonthTable(BaseTable):
    moment = django_tables2.Column("Month")
    eligible = MoneyColumn("At on-demand prices")
    paid = MoneyColumn("Paid")
    coverage = PercentColumn("Coverage")
    utilisation = PercentColumn("Utilisation")
    savings_rate = PercentColumn("Savings rate")
    unused = MoneyColumn("Unused")

    caption = "By month"

    class Meta(BaseTable.Meta):
        orderable = False

    def render_moment(self, value: Any) -> str:
        return f"{value:%b %Y}"


class DayUseTable(BaseTable):
    day = DayColumn("Day")
    used = ExactColumn("Used")
    unused = ExactColumn("Unused")
    unit = django_tables2.Column("Unit")
    paid = MoneyColumn("Paid")
    unused_cost = MoneyColumn("Paid for nothing")
    on_demand = MoneyColumn("On demand instead")

    caption = "Day by day"

    class Meta(BaseTable.Meta):
        orderable = False


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


class LadderTable(BaseTable):
    buy_on = django_tables2.Column("Buy on")
    quantity = NumberColumn("Buy")
    total = NumberColumn("Then held")
    ends_on = django_tables2.Column("Ends on")

    caption = "In batches"

    class Meta(BaseTable.Meta):
        orderable = False

    def render_quantity(self, value: Any) -> str:
        return str(value)

    def render_total(self, value: Any) -> str:
        return str(value)


class SavedTable(BaseTable):
    """What each purchase promised and saved, with the reasons for the difference in words."""

    purchase = django_tables2.Column("Purchase", accessor="request")
    promised = MoneyColumn("Promised")
    realised = MoneyColumn("Realised")
    gap = MoneyColumn("Missing")
    why = django_tables2.Column("Why", attrs={"td": {"class": "breakable"}})

    caption = "Each purchase, promised and realised"

    class Meta(BaseTable.Meta):
        orderable = False

    def render_purchase(self, record: Any) -> SafeString:
        url = reverse("reservations:saved", args=[record["request"].pk])
        return format_html('<a href="{}">{}</a>', url, record["request"])


class LedgerTable(BaseTable):
    """The lines of the ledger, with every amount of the equation."""

    month = MonthColumn("Month")
    purchase = django_tables2.Column("Purchase", accessor="request", orderable=False)
    promised = MoneyColumn("Promised")
    on_demand = MoneyColumn("On demand instead")
    paid = MoneyColumn("Paid")
    displaced = MoneyColumn("Older ones idle")
    realised = MoneyColumn("Realised")
    timing = MoneyColumn("Missing: days")
    demand = MoneyColumn("Missing: demand")
    utilisation = MoneyColumn("Missing: use")
    price = MoneyColumn("Missing: prices")
    days = NumberColumn("Days in the bill")

    caption = "The ledger, line by line"

    class Meta(BaseTable.Meta):
        model = LedgerMonth
        phone = "scroll"
        fields = [
            *("month", "purchase", "promised", "on_demand", "paid", "displaced", "realised"),
            *("timing", "demand", "utilisation", "price", "days"),
        ]

    def render_month(self, value: Any, record: LedgerMonth) -> SafeString:
        return format_html('<a href="{}">{}</a>', lines_of(record), f"{value:%b %Y}")

    def value_month(self, value: Any) -> str:
        return str(Month.of(value))

    def render_purchase(self, record: LedgerMonth) -> SafeString:
        url = reverse("reservations:saved", args=[record.request_id])
        return format_html('<a href="{}">{}</a>', url, record.request)

    def value_purchase(self, record: LedgerMonth) -> str:
        return f"{record.request_id} {record.request}"


def lines_of(record: LedgerMonth) -> str:
    """The cost lines that prove a month of a purchase; the purchase itself until a bill shows it."""
    commitment = record.request.commitment
    if commitment is None:
        return str(record.request.get_absolute_url())
    period = Month.of(record.month).period
    asked = {"commitment": commitment.commitment_id, "from": period.start, "to": period.last_day}
    return f"{reverse('costs:lines')}?{urlencode(asked)}"

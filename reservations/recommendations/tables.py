"""Tables of recommendations and of what they show."""

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any, cast

import django_tables2
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import pgettext

from finops_site.lib.periods import day_text, moment_text
from finops_site.translation import gettext_lazy as _lazy
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
    Plan.State.WAITING: (_lazy("Queued"), "warn", "clock"),
    Plan.State.RUNNING: (_lazy("Being worked out"), "busy", "loader-2"),
    Plan.State.READY: (_lazy("Ready"), "good", "circle-check"),
    Plan.State.FAILED: (_lazy("Failed"), "bad", "alert-circle"),
}


CONFIDENCES: dict[str, tuple[str, str, str]] = {
    Plan.Confidence.HOURLY: (_lazy("Hourly use"), "good", "gauge"),
    Plan.Confidence.DAILY: (_lazy("Daily use: weaker"), "warn", "gauge"),
    Plan.Confidence.SNAPSHOT: (_lazy("A snapshot: weakest"), "warn", "alert-triangle"),
    Plan.Confidence.NONE: (_lazy("No use found"), "calm", "circle-dashed"),
}


class PlanTable(BaseTable):
    plan = django_tables2.Column(_lazy("Recommendation"), accessor="pk", orderable=False)
    state = StatusColumn(_lazy("State"), states=PLAN_STATES, orderable=False)
    confidence = StatusColumn(_lazy("Stands on"), states=CONFIDENCES, orderable=False)
    cost_before = MoneyColumn(_lazy("A year on demand"), orderable=False)
    cost_after = MoneyColumn(_lazy("With the plan"), orderable=False)
    saving = MoneyColumn(_lazy("Saving"), orderable=False)
    gap = PercentColumn(_lazy("Gap"), places=2, orderable=False)
    requested = django_tables2.Column(_lazy("Requested"), accessor="created_at", orderable=False)

    caption = _lazy("Recommendations")

    class Meta(BaseTable.Meta):
        pass

    def render_plan(self, record: Plan) -> SafeString:
        name = f"{record.team or _('Whole company')}, {day_text(record.as_of)}"
        return format_html('<a href="{}">{}</a>', record.get_absolute_url(), name)

    def value_plan(self, record: Plan) -> str:
        return str(record)

    def render_requested(self, value: datetime, record: Plan) -> str:
        return _("{moment} by {person}").format(
            moment=moment_text(value), person=record.requested_by or _("the system")
        )


class PurchaseTermsTable(BaseTable):
    """What is bought, in two lines with a link, and how much of it."""

    what = django_tables2.Column(_lazy("Buy"), accessor="pk", orderable=False)
    quantity = NumberColumn(_lazy("Quantity"), orderable=False)

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
    committed_cost = MoneyColumn(_lazy("Committed, a year"), orderable=False)
    saving = MoneyColumn(_lazy("Saving, a year"), orderable=False)
    upfront = MoneyColumn(_lazy("Upfront"), orderable=False)
    monthly = MoneyColumn(_lazy("A month"), orderable=False)
    utilisation = PercentColumn(_lazy("Expected use"), orderable=False)
    break_even_months = NumberColumn(_lazy("Pays off, months"), orderable=False)

    request_it = django_tables2.Column(_lazy("Request"), accessor="pk", orderable=False)

    caption = _lazy("What to buy")

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
        button = '<a class="btn btn-sm btn-outline" href="{}" aria-label="{}">{}</a>'
        return format_html(button, url, _("Request {what}").format(what=record), pgettext("verb", "Request"))

    def address(self, record: PlanItem) -> str:
        return reverse("reservations:recommended_item", args=[record.plan_id, record.position])

    def render_break_even_months(self, value: Decimal) -> str:
        return f"{value:.1f}" if value else _("at once")


class ComparisonTable(BaseTable):
    name = django_tables2.Column(_lazy("Only"))
    cost = MoneyColumn(_lazy("A year"))
    saving = MoneyColumn(_lazy("Saving"))
    coverage = PercentColumn(_lazy("Coverage"))
    utilisation = PercentColumn(_lazy("Utilisation"))
    discount = PercentColumn(_lazy("Discount on what is covered"))
    upfront = MoneyColumn(_lazy("Upfront"))
    monthly = MoneyColumn(_lazy("A month"))
    gap = PercentColumn(_lazy("Gap"), places=2)

    caption = _lazy("The same demand by each kind of commitment")

    class Meta(BaseTable.Meta):
        orderable = False

    def render_name(self, value: str) -> str:
        return _(value)


class RiskTable(BaseTable):
    name = django_tables2.Column(_lazy("If"))
    on_demand = MoneyColumn(_lazy("A year on demand"))
    cost = MoneyColumn(_lazy("With the plan"))
    saving = MoneyColumn(_lazy("Saving"))

    caption = _lazy("What if demand changes")

    class Meta(BaseTable.Meta):
        orderable = False

    def render_name(self, value: str) -> str:
        """As it was said when the plan was made, which is mostly one of ours."""
        return _(value)


class BacktestTable(BaseTable):
    strategy = django_tables2.Column(_lazy("Decide by"))
    saving = PercentColumn(_lazy("Saving on what came"))

    caption = _lazy("The past replayed")

    class Meta(BaseTable.Meta):
        orderable = False

    def render_strategy(self, value: str) -> str:
        return _(value)


class BatchTable(BaseTable):
    buy_on = DayColumn(_lazy("Buy on"))
    quantity = NumberColumn(_lazy("Buy"))
    total = NumberColumn(_lazy("Then held"))
    committed_cost = MoneyColumn(_lazy("Committed, a year"))
    saving = MoneyColumn(_lazy("Saves more, a year"))
    earned = PercentColumn(_lazy("Return"), accessor="return")
    utilisation = PercentColumn(_lazy("Expected use"))
    upfront = MoneyColumn(_lazy("Upfront"))
    ends_on = DayColumn(_lazy("Ends on"))

    caption = _lazy("In monthly batches")

    class Meta(BaseTable.Meta):
        orderable = False

    def render_quantity(self, value: str) -> str:
        return str(value)

    def render_total(self, value: str) -> str:
        return str(value)


class SliceTable(BaseTable):
    """Plans from little to the one that is recommended: what each slice adds, and what it returns."""

    name = django_tables2.Column(_lazy("Up to"))
    committed = MoneyColumn(_lazy("Committed, a year"))
    upfront = MoneyColumn(_lazy("Cash on the first day"))
    saving = MoneyColumn(_lazy("Saves, a year"))
    worst = MoneyColumn(_lazy("If demand falls by 30%"))
    more = MoneyColumn(_lazy("This slice saves"))
    earned = PercentColumn(_lazy("And returns"), accessor="return")

    caption = _lazy("Slice by slice")

    class Meta(BaseTable.Meta):
        orderable = False


class LimitCostTable(BaseTable):
    name = django_tables2.Column(_lazy("With"))
    saving = MoneyColumn(_lazy("Saves more, a year"))
    committed = MoneyColumn(_lazy("Commits more, a year"))
    upfront = MoneyColumn(_lazy("More cash on the first day"))
    earned = PercentColumn(_lazy("Return on that"), accessor="return")

    caption = _lazy("What the limits cost")

    class Meta(BaseTable.Meta):
        orderable = False

    def render_name(self, value: str) -> str:
        return _(value)

"""Tables of purchases, of their steps, of prices then and now, of approvers and of standing orders."""

from datetime import date, datetime
from typing import Any

import django_tables2
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString

from finops_site.lib.periods import day_text, month_text
from finops_site.ui.tables import (
    BaseTable,
    DayColumn,
    ExactColumn,
    MomentColumn,
    MoneyColumn,
    PercentColumn,
    StatusColumn,
)
from reservations.calc import purchase_rules
from reservations.models import ApproverLimit, PurchaseEvent, PurchaseRequest, StandingOrder
from reservations.recommendations.tables import PurchaseTermsTable

# Of each state the tone and the icon of its badge.
LOOKS = {
    purchase_rules.WAITING: ("warn", "hourglass"),
    purchase_rules.APPROVED: ("good", "check"),
    purchase_rules.REJECTED: ("bad", "x"),
    purchase_rules.WITHDRAWN: ("calm", "arrow-back-up"),
    purchase_rules.EXPIRED: ("calm", "clock"),
    purchase_rules.EXPORTED: ("busy", "file-export"),
    purchase_rules.BUYING: ("busy", "loader-2"),
    purchase_rules.DOUBTFUL: ("bad", "help"),
    purchase_rules.BOUGHT: ("good", "circle-check"),
    purchase_rules.SEEN: ("good", "receipt-2"),
}
PURCHASE_STATES = {state: (purchase_rules.STATES[state].capitalize(), *look) for state, look in LOOKS.items()}
VERBS = {
    "ask": "Requested",
    "approve": "Approved",
    "reject": "Rejected",
    "withdraw": "Withdrawn",
    "expire": "Expired",
    "export": "Exported to buy by hand",
    "dry_run": "Dry run",
    "buy": "Sent to the provider",
    "doubt": "Outcome unknown",
    "look": "Asked AWS again",
    "record": "Bought",
    "give_back": "Not bought",
    "find": "Seen in a bill",
    "late": "AWS answered late",
}
ORDER_STATES = {"True": ("Active", "good", "player-play"), "False": ("Paused", "calm", "player-pause")}


def requester_name(row: PurchaseRequest) -> str:
    if row.requested_by:
        return str(row.requested_by)
    return f"standing order {row.standing_order}" if row.standing_order else "nobody"


class PurchaseTable(PurchaseTermsTable):
    state = StatusColumn(states=PURCHASE_STATES, orderable=False)
    value = MoneyColumn("Over its term")
    saving = MoneyColumn("Saving, a year", orderable=False)
    requested = django_tables2.Column("Requested by", accessor="requested_at", orderable=False)
    approved = django_tables2.Column("Approved by", accessor="approved_by", orderable=False)

    caption = "Purchases"

    class Meta(BaseTable.Meta):
        model = PurchaseRequest
        fields = ["what", "quantity", "state", "value", "saving", "requested", "approved"]

    def render_requested(self, value: datetime, record: PurchaseRequest) -> SafeString:
        return format_html(
            '{}<div class="small text-secondary nowrap">{}</div>', requester_name(record), day_text(value)
        )

    def value_requested(self, record: PurchaseRequest) -> str:
        return requester_name(record)


class PurchaseEventTable(BaseTable):
    at = MomentColumn(verbose_name="When")
    verb = django_tables2.Column("What")
    by = django_tables2.Column("Who", empty_values=())
    comment = django_tables2.Column("Comment")

    caption = "What happened"

    class Meta(BaseTable.Meta):
        model = PurchaseEvent
        orderable = False
        fields = ["at", "verb", "by", "comment"]

    def render_verb(self, value: str) -> str:
        return VERBS.get(value, value)

    def render_by(self, record: PurchaseEvent) -> str:
        return str(record.by or "the system")

    def render_comment(self, value: str) -> SafeString:
        return format_html('<span class="breakable">{}</span>', value)


class PriceMoveTable(BaseTable):
    name = django_tables2.Column("Price")
    then = ExactColumn("Requested")
    approved = ExactColumn("Approved")
    now = ExactColumn("Now")
    change = PercentColumn("Change")

    caption = "Prices then and now"

    class Meta(BaseTable.Meta):
        orderable = False


class LimitTable(BaseTable):
    user = django_tables2.Column("Approver")
    limit = MoneyColumn("Approves up to")
    set_by = django_tables2.Column("Set by")

    caption = "Limits of approvers"

    class Meta(BaseTable.Meta):
        model = ApproverLimit
        orderable = False
        fields = ["user", "limit", "set_by"]

    def render_user(self, record: ApproverLimit) -> SafeString:
        url = reverse("reservations:approver_limit", args=[record.pk])
        return format_html('<a href="{}">{}</a>', url, record.user)


class StandingOrderTable(BaseTable):
    name = django_tables2.Column("Order")
    team = django_tables2.Column("For", empty_values=())
    state = StatusColumn(states=ORDER_STATES, accessor="is_active")
    minimum_utilisation = PercentColumn("While used at least", places=0)
    last_request_month = DayColumn("Last request")
    last_result = django_tables2.Column("What it did last")
    made_by = django_tables2.Column("Made by")

    caption = "Standing orders"

    class Meta(BaseTable.Meta):
        model = StandingOrder
        orderable = False
        fields = ["name", "team", "state", "minimum_utilisation", "last_request_month", "last_result", "made_by"]

    def __init__(self, *args: Any, edits: bool = False, **kwargs: Any) -> None:
        self.edits = edits
        super().__init__(*args, **kwargs)

    def render_name(self, record: StandingOrder) -> str:
        if not self.edits:
            return record.name
        url = reverse("reservations:standing_order", args=[record.pk])
        return format_html('<a href="{}">{}</a>', url, record.name)

    def render_team(self, record: StandingOrder) -> str:
        return str(record.team or "the whole company")

    def render_last_request_month(self, value: date) -> str:
        return month_text(value)

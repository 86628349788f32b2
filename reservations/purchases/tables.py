"""Tables of purchases, of their steps, of prices then and now, of approvers and of standing orders."""

from datetime import date, datetime
from typing import Any

import django_tables2
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _

from finops_site.lib.periods import day_text, month_text
from finops_site.translation import gettext_lazy as _lazy
from finops_site.translation import pgettext_lazy
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

# Of each state its badge: the text, the tone and the icon.
PURCHASE_STATES = {
    purchase_rules.WAITING: (_lazy("Waiting for approval"), "warn", "hourglass"),
    purchase_rules.APPROVED: (_lazy("Approved"), "good", "check"),
    purchase_rules.REJECTED: (_lazy("Rejected"), "bad", "x"),
    purchase_rules.WITHDRAWN: (_lazy("Withdrawn"), "calm", "arrow-back-up"),
    purchase_rules.EXPIRED: (_lazy("Expired"), "calm", "clock"),
    purchase_rules.EXPORTED: (_lazy("Exported to buy by hand"), "busy", "file-export"),
    purchase_rules.BUYING: (_lazy("Being bought"), "busy", "loader-2"),
    purchase_rules.DOUBTFUL: (_lazy("Outcome unknown"), "bad", "help"),
    purchase_rules.BOUGHT: (_lazy("Bought"), "good", "circle-check"),
    purchase_rules.SEEN: (_lazy("Seen in a bill"), "good", "receipt-2"),
}
VERBS = {
    "ask": _lazy("Requested"),
    "approve": _lazy("Approved"),
    "reject": _lazy("Rejected"),
    "withdraw": _lazy("Withdrawn"),
    "expire": _lazy("Expired"),
    "export": _lazy("Exported to buy by hand"),
    "dry_run": _lazy("Dry run"),
    "buy": _lazy("Sent to the provider"),
    "doubt": _lazy("Outcome unknown"),
    "look": _lazy("Asked AWS again"),
    "record": _lazy("Bought"),
    "give_back": _lazy("Not bought"),
    "find": _lazy("Seen in a bill"),
    "late": _lazy("AWS answered late"),
}
ORDER_STATES = {"True": (_lazy("Active"), "good", "player-play"), "False": (_lazy("Paused"), "calm", "player-pause")}


def requester_name(row: PurchaseRequest) -> str:
    if row.requested_by:
        return str(row.requested_by)
    return (
        _("standing order {standing_order}").format(standing_order=row.standing_order)
        if row.standing_order
        else _("nobody")
    )


class PurchaseTable(PurchaseTermsTable):
    state = StatusColumn(_lazy("State"), states=PURCHASE_STATES, orderable=False)
    value = MoneyColumn(_lazy("Over its term"))
    saving = MoneyColumn(_lazy("Saving, a year"), orderable=False)
    requested = django_tables2.Column(_lazy("Requested by"), accessor="requested_at", orderable=False)
    approved = django_tables2.Column(_lazy("Approved by"), accessor="approved_by", orderable=False)

    caption = _lazy("Purchases")

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
    at = MomentColumn(verbose_name=_lazy("When"))
    verb = django_tables2.Column(_lazy("What"))
    by = django_tables2.Column(_lazy("Who"), empty_values=())
    comment = django_tables2.Column(_lazy("Comment"))

    caption = _lazy("What happened")

    class Meta(BaseTable.Meta):
        model = PurchaseEvent
        orderable = False
        fields = ["at", "verb", "by", "comment"]

    def render_verb(self, value: str) -> str:
        return VERBS.get(value, value)

    def render_by(self, record: PurchaseEvent) -> str:
        return str(record.by or _("the system"))

    def render_comment(self, value: str) -> SafeString:
        return format_html('<span class="breakable">{}</span>', value)


class PriceMoveTable(BaseTable):
    name = django_tables2.Column(_lazy("Price"))
    then = ExactColumn(_lazy("Requested"))
    approved = ExactColumn(_lazy("Approved"))
    now = ExactColumn(_lazy("Now"))
    change = PercentColumn(_lazy("Change"))

    caption = _lazy("Prices then and now")

    class Meta(BaseTable.Meta):
        orderable = False


class LimitTable(BaseTable):
    user = django_tables2.Column(_lazy("Approver"))
    limit = MoneyColumn(_lazy("Approves up to"))
    set_by = django_tables2.Column(_lazy("Set by"))

    caption = _lazy("Limits of approvers")

    class Meta(BaseTable.Meta):
        model = ApproverLimit
        orderable = False
        fields = ["user", "limit", "set_by"]

    def render_user(self, record: ApproverLimit) -> SafeString:
        url = reverse("reservations:approver_limit", args=[record.pk])
        return format_html('<a href="{}">{}</a>', url, record.user)


class StandingOrderTable(BaseTable):
    name = django_tables2.Column(pgettext_lazy("standing order", "Order"))
    team = django_tables2.Column(_lazy("For"), empty_values=())
    state = StatusColumn(_lazy("State"), states=ORDER_STATES, accessor="is_active")
    minimum_utilisation = PercentColumn(_lazy("While used at least"), places=0)
    last_request_month = DayColumn(_lazy("Last request"))
    last_result = django_tables2.Column(_lazy("What it did last"))
    made_by = django_tables2.Column(_lazy("Made by"))

    caption = _lazy("Standing orders")

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
        return str(record.team or _("the whole company"))

    def render_last_request_month(self, value: date) -> str:
        return month_text(value)

"""Tables of chargeback: months, teams of a month, splits and disputes."""

from collections.abc import Sequence
from datetime import date
from typing import Any

import django_tables2
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.text import capfirst
from django.utils.translation import gettext as _

from costs.models import Pool
from costs.query.trends import Comparison
from finops_site.lib.money import exact_sum
from finops_site.lib.periods import Month
from finops_site.lib.words import in_sentence, labelled
from finops_site.translation import gettext_lazy as _lazy
from finops_site.ui.figures import month_text
from finops_site.ui.tables import BaseTable, ChangeColumn, DayColumn, MoneyColumn, MonthColumn, StatusColumn, total_rows
from tagging.calc.journal import JournalEntry
from tagging.chargeback.month_figures import TeamRow
from tagging.chargeback.splits import split_months
from tagging.chargeback.statement_changes import against_of
from tagging.models import ChargebackPeriod, Dispute, Split

PERIOD_STATES: dict[str, tuple[str, str, str]] = {
    ChargebackPeriod.State.DRAFT: (_lazy("Draft"), "busy", "pencil"),
    ChargebackPeriod.State.CLOSED: (_lazy("Closed"), "good", "lock"),
    ChargebackPeriod.State.ASIDE: (_lazy("Set aside"), "calm", "archive"),
}
DISPUTE_STATES: dict[str, tuple[str, str, str]] = {
    Dispute.State.OPEN: (_lazy("Open"), "warn", "flag"),
    Dispute.State.PROPOSED: (_lazy("Waits for a second person"), "warn", "users"),
    Dispute.State.ANSWERED: (_lazy("Answered"), "calm", "checks"),
    Dispute.State.CORRECTED: (_lazy("Corrected"), "good", "circle-check"),
}


class MonthTable(BaseTable):
    """Months of the whole company."""

    billing_month = MonthColumn(_lazy("Billing month"))
    state = StatusColumn(_lazy("State"), states=PERIOD_STATES)
    bill: MoneyColumn | None = MoneyColumn(_lazy("Bill"))
    direct = MoneyColumn(_lazy("Direct"))
    shared = MoneyColumn(_lazy("Shared"))
    to_nobody: MoneyColumn | None = MoneyColumn(_lazy("Charged to nobody"))
    corrections: MoneyColumn | None = MoneyColumn(_lazy("Corrections"))

    class Meta(BaseTable.Meta):
        orderable = False
        caption = _lazy("Months of chargeback")

    def render_billing_month(self, value: date) -> SafeString:
        url = reverse("tagging:chargeback_month", args=[str(Month.of(value))])
        return format_html('<a href="{}">{}</a>', url, month_text(value))


class TeamMonthTable(MonthTable):
    """Months of somebody's own teams."""

    bill = None
    to_nobody = None
    corrections = None
    spread = MoneyColumn(_lazy("Spread discounts"))
    booked = MoneyColumn(_lazy("Corrections and adjustments"))
    total = MoneyColumn(_lazy("Total"))

    class Meta(MonthTable.Meta):
        caption = _lazy("Your teams' months")

    @classmethod
    def of(cls, rows: Sequence[dict[str, Any]]) -> "TeamMonthTable":
        """The table of the months; spread discounts are a part of their own where a month has any."""
        return cls(rows, request=None, exclude=() if any(row["spread"] for row in rows) else ("spread",))


class TeamsOfMonthTable(BaseTable):
    team = django_tables2.Column(_lazy("Team"))
    direct = MoneyColumn(_lazy("Direct"))
    shared = MoneyColumn(_lazy("Shared"))
    spread = MoneyColumn(_lazy("Spread discounts"))
    booked = MoneyColumn(_lazy("Corrections, adjustments"))
    total = MoneyColumn(_lazy("Total"))
    change = ChangeColumn(_lazy("Against last month"), before="before")
    with_below = MoneyColumn(_lazy("With teams below"))
    number = django_tables2.Column(_lazy("Statement"), attrs={"td": {"class": "nowrap"}})

    class Meta(BaseTable.Meta):
        orderable = False
        caption = _lazy("Teams")

    def render_team(self, record: dict[str, Any]) -> SafeString | str:
        name = format_html('<span class="tree-{}">{}</span>', min(record["depth"], 4), record["team"])
        return format_html('<a href="{}">{}</a>', record["url"], name) if record["url"] else name

    @classmethod
    def of(
        cls, rows: Sequence[TeamRow], period: ChargebackPeriod, comparison: Comparison | None
    ) -> "TeamsOfMonthTable":
        """The table of the teams of a month, with their sums in each currency."""
        names = ("direct", "shared", "spread", "booked", "total")
        records = [
            {
                # As it was called when the month was closed.
                "team": row.statement.team_name if row.statement else row.team.name,
                "depth": row.depth,
                "url": reverse("tagging:statement", args=[str(period.month), row.team.pk]) if row.statement else "",
                "currency": row.currency,
                "before": row.before,
                "change": row.change,
                "with_below": row.with_below,
                "number": (row.statement.number or in_sentence(period.get_state_display())) if row.statement else "—",
                **{name: getattr(row, name) for name in names},
            }
            for row in rows
        ]
        sums = {
            code: {name: exact_sum(getattr(row, name) for row in rows if row.currency == code) for name in names}
            for code in {row.currency for row in rows}
        }
        # Where no team has teams below, the column would repeat every total.
        hidden = ["with_below"] if all(row.with_below == row.total for row in rows) else []
        if not any(row.spread for row in rows):
            hidden.append("spread")
        table = cls(records, totals=total_rows(sums), request=None, exclude=hidden)
        frozen = [row.statement.figures["change"]["against"] for row in rows if row.statement and row.statement.figures]
        last = ChargebackPeriod.objects.filter(billing_month=period.month.previous.start).first()
        against = against_of(last, comparison, is_cut=any(row.after != row.total for row in rows))
        table.columns["change"].column.verbose_name = capfirst(frozen[0] if frozen else against)
        return table


class SplitTable(BaseTable):
    pool = django_tables2.Column(_lazy("Pool"))
    method = django_tables2.Column(_lazy("Split"))
    parts = django_tables2.Column(_lazy("Among"), accessor="pk")
    dates = django_tables2.Column(_lazy("Billing months"), accessor="pk")

    class Meta(BaseTable.Meta):
        orderable = False
        caption = _lazy("Splits of pools")

    def render_pool(self, value: Pool, record: Split) -> SafeString | str:
        if self.request and self.request.user.has_perm("tagging.change_split"):
            return format_html('<a href="{}">{}</a>', reverse("tagging:split", args=[record.pk]), value)
        return str(value)

    def render_method(self, value: str, record: Split) -> str:
        return labelled(value, record.metric) if record.metric else value

    def render_parts(self, record: Split) -> str:
        parts = [str(part) + (" (pool)" if part.into_id else "") for part in record.parts.all()]
        everybody = (
            _("every team with {metric}").format(metric=record.metric)
            if record.metric
            else _("every team with direct cost")
        )
        return ", ".join(parts) or everybody

    def render_dates(self, record: Split) -> str:
        return split_months(record)


class SharedCostChangeTable(BaseTable):
    team = django_tables2.Column(_lazy("Team"))
    before = MoneyColumn(_lazy("Shared cost now"))
    after = MoneyColumn(_lazy("After"))
    difference = ChangeColumn(_lazy("Moves"), before="before")

    class Meta(BaseTable.Meta):
        orderable = False
        caption = _lazy("What saving would move")


class DisputeTable(BaseTable):
    line = django_tables2.Column(_lazy("Line"), accessor="line.label")
    team = django_tables2.Column(_lazy("Team"), accessor="line.statement.team_name")
    month = MonthColumn(_lazy("Billing month"), accessor="line.statement.period.month")
    amount = MoneyColumn(_lazy("Amount"), accessor="line.document_amount", currency="line.statement.currency")
    state = StatusColumn(_lazy("State"), states=DISPUTE_STATES)
    raised_by = django_tables2.Column(_lazy("Raised by"))
    raised_at = DayColumn(_lazy("Raised at"))

    class Meta(BaseTable.Meta):
        orderable = False
        caption = _lazy("Disputes")

    def render_line(self, value: str, record: Dispute) -> SafeString:
        return format_html('<a href="{}">{}</a>', record.get_absolute_url(), value)


class JournalTable(BaseTable):
    document = django_tables2.Column(_lazy("Document"), attrs={"td": {"class": "nowrap"}})
    posted = DayColumn(verbose_name=_lazy("Posting date"))
    account = django_tables2.Column(_lazy("Account"))
    cost_center = django_tables2.Column(_lazy("Cost centre"))
    debit = MoneyColumn(_lazy("Debit"), default="")
    credit = MoneyColumn(_lazy("Credit"), default="")
    text = django_tables2.Column(_lazy("Text"))

    class Meta(BaseTable.Meta):
        orderable = False
        caption = _lazy("Entries")

    @classmethod
    def of(cls, entries: Sequence[JournalEntry]) -> "JournalTable":
        """A row for each entry; the side of it that is zero stays empty."""
        names = ("document", "posted", "account", "cost_center", "currency", "text")
        rows = [
            {
                **{name: getattr(entry, name) for name in names},
                "debit": entry.debit or None,
                "credit": entry.credit or None,
            }
            for entry in entries
        ]
        return cls(rows, request=None)

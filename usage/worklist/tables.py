"""Tables of findings."""

from typing import Any

from django.db.models import Case, F, IntegerField, QuerySet, Value, When
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django_tables2.columns import Column

from costs.query.scope import UNOWNED, UNOWNED_IN_FILES
from finops_site.lib.periods import day_text
from finops_site.translation import gettext_lazy as _lazy
from finops_site.ui.figures import money_html
from finops_site.ui.tables import BaseTable, DayColumn, MoneyColumn, PickColumn, pick_box, status_html
from usage.models import Finding
from usage.worklist.finding_texts import CONFIDENCES, LEVELS, RISKS, STATES, explanation, name_of
from usage.worklist.rule_names import title_of

SECOND = '{}<span class="second-line">{}</span>'
NOT_KNOWN = _lazy("not known")


class SavingColumn(MoneyColumn):
    """A saving; None is not known, and stands after all that is known whichever way it is sorted."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **{"default": NOT_KNOWN, **kwargs})

    def order(self, queryset: QuerySet, is_descending: bool) -> tuple[QuerySet, bool]:
        by = F(self.accessor or "counted_saving")
        ordered = by.desc(nulls_last=True) if is_descending else by.asc(nulls_last=True)
        return queryset.order_by(ordered, "pk"), True


class RankColumn(Column):
    """Low, medium and high, in that order."""

    def order(self, queryset: QuerySet, is_descending: bool) -> tuple[QuerySet, bool]:
        ranks = [When(**{self.accessor: value}, then=Value(rank)) for rank, value in enumerate(LEVELS)]
        by = Case(*ranks, default=Value(9), output_field=IntegerField())
        return queryset.order_by(by.desc() if is_descending else by.asc(), "pk"), True


class FindingTable(BaseTable):
    pick = PickColumn()
    rule = Column(_lazy("What"))
    resource = Column(_lazy("Resource"), visible=False)
    owner = Column(_lazy("Team"), accessor="owner__name", default=UNOWNED)
    assignee = Column(_lazy("Assigned to"), visible=False, default="")
    counted_saving = SavingColumn(_lazy("Saving a month"), accessor="counted_saving")
    saving = SavingColumn(_lazy("Saving alone"), accessor="saving", visible=False)
    monthly_cost = MoneyColumn(_lazy("Monthly cost"), default=NOT_KNOWN, visible=False)
    confidence = Column(_lazy("Confidence"))
    effort = RankColumn(_lazy("Effort"), accessor="effort")
    risk = RankColumn(_lazy("Risk"), accessor="risk")
    provider = Column(_lazy("Provider"), visible=False)
    account = Column(_lazy("Account"), attrs={"td": {"class": "nowrap"}})
    region = Column(_lazy("Region"), visible=False)
    environment = Column(_lazy("Environment"), visible=False)
    evidence = Column(_lazy("Evidence"), accessor="pk", orderable=False, visible=False)
    state = Column(_lazy("State"))
    first_seen = DayColumn(_lazy("First seen"), visible=False)
    due_day = DayColumn(_lazy("Until"), visible=False)

    class Meta(BaseTable.Meta):
        model = Finding
        fields = ()
        caption = _lazy("Findings")
        phone_name = "rule"
        phone_amount = "counted_saving"
        phone_facts = ("state", "owner")

    may_pick = False

    def render_pick(self, record: Finding) -> SafeString | str:
        return pick_box(name_of(record), record.pk, record.counted_saving, record.currency) if self.may_pick else ""

    def render_rule(self, record: Finding) -> SafeString:
        link = format_html('<a href="{}">{}</a>', record.get_absolute_url(), title_of(record.rule))
        return format_html('{}<span class="second-line" dir="auto">{}</span>', link, name_of(record))

    def value_rule(self, record: Finding) -> str:
        return title_of(record.rule)

    def render_owner(self, record: Finding) -> SafeString | str:
        team = str(record.owner) if record.owner else str(UNOWNED)
        return format_html(SECOND, team, record.assignee) if record.assignee else team

    def value_owner(self, record: Finding) -> str:
        return str(record.owner) if record.owner else UNOWNED_IN_FILES

    def render_counted_saving(self, record: Finding) -> SafeString:
        amount = money_html(record.counted_saving, record.currency)
        if record.saving is None or record.saving == record.counted_saving:
            return amount
        alone = money_html(record.saving, record.currency)
        return format_html(SECOND, amount, format_html(_("alone {amount}"), amount=alone))

    def render_confidence(self, value: str) -> SafeString:
        return status_html(*CONFIDENCES.get(value, (value, "calm", "point")))

    def value_confidence(self, value: str) -> str:
        return value

    def render_effort(self, value: str) -> str:
        return str(LEVELS.get(value, value))

    def value_effort(self, value: str) -> str:
        return value

    def render_risk(self, value: str) -> SafeString:
        return status_html(*RISKS.get(value, (value, "calm", "point")))

    def value_risk(self, value: str) -> str:
        return value

    def render_account(self, record: Finding) -> SafeString:
        return format_html(SECOND, record.account or "—", record.environment or record.provider)

    def value_account(self, record: Finding) -> str:
        return record.account

    def value_evidence(self, record: Finding) -> str:
        return explanation(record)

    def render_state(self, record: Finding) -> SafeString:
        badge = status_html(*STATES[record.state])
        day = record.snoozed_until if record.state == Finding.State.SNOOZED else record.due_day
        return format_html(SECOND, badge, _("until {day}").format(day=day_text(day))) if day else badge

    def value_state(self, record: Finding) -> str:
        return record.state

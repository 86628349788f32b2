"""Tables and filters of controls, change sets, their steps and what happened to them."""

from typing import Any

import django_filters
import django_tables2
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString

from budgets.calc.controls import actions as control_actions
from budgets.calc.controls import rules as control_rules
from budgets.models import Control, ControlChangeSet, ControlEvent, ControlStep
from finops_site.lib.periods import moment_text
from finops_site.models import Team
from finops_site.people.signed_in import signed_in_user
from finops_site.ui.tables import BaseTable, MomentColumn, MoneyColumn, StatusColumn, status_html

# Of each state the tone and the icon of its badge.
LOOKS = {
    control_rules.PROPOSED: ("warn", "hourglass"),
    control_rules.APPROVED: ("good", "check"),
    control_rules.REFUSED: ("bad", "x"),
    control_rules.RUNNING: ("busy", "loader-2"),
    control_rules.DONE: ("good", "circle-check"),
    control_rules.PARTLY_DONE: ("bad", "alert-triangle"),
    control_rules.UNDONE: ("calm", "arrow-back-up"),
    control_rules.EXPIRED: ("calm", "clock"),
}
CHANGE_STATES = {state: (control_rules.STATES[state].capitalize(), *look) for state, look in LOOKS.items()}
Result = ControlStep.Result
RESULT_LOOKS = {
    Result.WAITING: ("calm", "hourglass"),
    Result.READY: ("good", "check"),
    Result.SAME: ("calm", "circle-check"),
    Result.GONE: ("calm", "x"),
    Result.CHANGED: ("warn", "alert-triangle"),
    Result.RUNNING: ("busy", "loader-2"),
    Result.DONE: ("good", "circle-check"),
    Result.FAILED: ("bad", "x"),
    Result.UNKNOWN: ("bad", "help"),
    Result.UNDOING: ("busy", "loader-2"),
    Result.UNDONE: ("calm", "arrow-back-up"),
    Result.NOT_UNDONE: ("bad", "alert-triangle"),
}
STEP_RESULTS = {str(name): (Result(name).label.capitalize(), *look) for name, look in RESULT_LOOKS.items()}
VERBS = {
    "propose": "Proposed",
    "armed": "Armed",
    "not_armed": "Waits for approval",
    "approve": "Approved",
    "refuse": "Refused",
    "expire": "Expired",
    "dry_run": "Dry run",
    "run": "Begun",
    "finish": "Done",
    "finish_partly": "Partly done",
    "give_back": "Nothing done",
    "box_ended": "Time is over",
    "undo": "Undo begun",
    "put_back": "Undone",
    "settle": "Somebody looked",
    "look": "Asked AWS",
}


class ControlTable(BaseTable):
    name = django_tables2.Column("Control")
    when = django_tables2.Column("Proposed by", orderable=False)
    action = django_tables2.Column("What it does", accessor="what", orderable=False)
    box = django_tables2.Column("For", accessor="box_words", orderable=False)
    state = django_tables2.Column("State", empty_values=(), orderable=False)

    class Meta(BaseTable.Meta):
        model = Control
        fields = ()
        caption = "Controls"

    def render_name(self, value: str, record: Control) -> SafeString:
        return format_html('<a href="{}">{}</a>', record.get_absolute_url(), value)

    def value_name(self, value: str) -> str:
        return value

    def render_action(self, value: str) -> str:
        return value[:1].upper() + value[1:]

    def render_state(self, record: Control) -> SafeString:
        return control_badge(record)

    def value_state(self, record: Control) -> str:
        return control_state(record)[0]


def control_state(control: Control) -> tuple[str, str, str]:
    """Text, tone and icon: armed, proposes, or switched off."""
    if not control.is_active:
        return "Switched off", "calm", "player-pause"
    if control.is_armed(timezone.now()):
        return f"Armed until {moment_text(control.armed_until)}", "warn", "shield-lock"
    return "Proposes", "good", "bell"


def control_badge(control: Control) -> SafeString:
    return status_html(*control_state(control))


class ChangeSetTable(BaseTable):
    proposed_at = MomentColumn(verbose_name="Proposed")
    control = django_tables2.Column("Control", accessor="control__name", orderable=False)
    why = django_tables2.Column("Why", orderable=False)
    state = StatusColumn(states=CHANGE_STATES, orderable=False)
    ends_at = MomentColumn(verbose_name="Until", orderable=False)
    saved = MoneyColumn("Saved", currency="saved_currency", default="not known yet", orderable=False)
    approved_by = django_tables2.Column("Approved by", orderable=False)

    class Meta(BaseTable.Meta):
        model = ControlChangeSet
        fields = ()
        caption = "Change sets"

    def render_control(self, value: str, record: ControlChangeSet) -> SafeString:
        return format_html('<a href="{}">{}</a>', record.get_absolute_url(), value)

    def value_control(self, value: str) -> str:
        return value


class StepTable(BaseTable):
    target = django_tables2.Column("What")
    account = django_tables2.Column("Where")
    before = django_tables2.Column("State before")
    cost = MoneyColumn("Cost a day", default="not known")
    saving = MoneyColumn("Saves a day", default="not known")
    result = StatusColumn(states=STEP_RESULTS)

    class Meta(BaseTable.Meta):
        model = ControlStep
        orderable = False
        fields = ()
        caption = "Steps"

    def render_target(self, record: ControlStep) -> SafeString:
        environment = f", {record.environment}" if record.environment else ""
        return format_html(
            '{}<span class="second-line breakable">{} {}{}</span>',
            record.name or record.target,
            record.label,
            record.target,
            environment,
        )

    def value_target(self, record: ControlStep) -> str:
        return f"{record.label} {record.target}"

    def render_account(self, record: ControlStep) -> SafeString:
        return format_html('{}<span class="second-line">{}</span>', record.account, record.region or record.group)

    def value_account(self, record: ControlStep) -> str:
        return record.account

    def render_result(self, record: ControlStep) -> SafeString:
        badge = status_html(*STEP_RESULTS[record.result])
        if not record.message:
            return badge
        return format_html('{}<span class="second-line breakable">{}</span>', badge, record.message)

    def render_saving(self, value: Any, record: ControlStep, column: MoneyColumn) -> SafeString:
        amount = column.render(value, record)
        if not record.saving_note:
            return amount
        return format_html('{}<span class="second-line">{}</span>', amount, record.saving_note)


class ControlEventTable(BaseTable):
    at = MomentColumn(verbose_name="When")
    verb = django_tables2.Column("What")
    by = django_tables2.Column("Who", empty_values=())
    comment = django_tables2.Column("Comment")

    class Meta(BaseTable.Meta):
        model = ControlEvent
        orderable = False
        fields = ()
        caption = "What happened"

    def render_verb(self, value: str) -> str:
        return VERBS.get(value, value)

    def render_by(self, record: ControlEvent) -> str:
        return str(record.by or "the system")

    def render_comment(self, value: str) -> SafeString:
        return format_html('<span class="breakable">{}</span>', value)


class ControlFilter(django_filters.FilterSet):
    action = django_filters.MultipleChoiceFilter(label="Action", choices=list(control_actions.ACTIONS.items()))
    name = django_filters.CharFilter(label="Name", lookup_expr="icontains")

    class Meta:
        model = Control
        fields: list[str] = []


class ChangeSetFilter(django_filters.FilterSet):
    state = django_filters.MultipleChoiceFilter(label="State", choices=list(control_rules.STATES.items()))
    control = django_filters.CharFilter(label="Control", field_name="control__name", lookup_expr="icontains")
    team = django_filters.ModelChoiceFilter(label="Team", queryset=None)

    class Meta:
        model = ControlChangeSet
        fields: list[str] = []

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.filters["team"].queryset = Team.objects.visible_to(signed_in_user(self.request))

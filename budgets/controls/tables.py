"""Tables and filters of controls, change sets, their steps and what happened to them."""

from typing import Any

import django_filters
import django_tables2
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.text import capfirst
from django.utils.translation import gettext as _

from budgets.calc.controls import actions as control_actions
from budgets.calc.controls import rules as control_rules
from budgets.models import Control, ControlChangeSet, ControlEvent, ControlStep
from finops_site.lib.periods import moment_text
from finops_site.models import Team
from finops_site.people.signed_in import signed_in_user
from finops_site.translation import gettext_lazy as _lazy
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
CHANGE_STATES = {state: (capfirst(_lazy(control_rules.STATES[state])), *look) for state, look in LOOKS.items()}
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
STEP_RESULTS = {str(name): (capfirst(Result(name).label), *look) for name, look in RESULT_LOOKS.items()}
VERBS = {
    "propose": _lazy("Proposed"),
    "armed": _lazy("Armed"),
    "not_armed": _lazy("Waits for approval"),
    "approve": _lazy("Approved"),
    "refuse": _lazy("Refused"),
    "expire": _lazy("Expired"),
    "dry_run": _lazy("Dry run"),
    "run": _lazy("Begun"),
    "finish": _lazy("Done"),
    "finish_partly": _lazy("Partly done"),
    "give_back": _lazy("Nothing done"),
    "box_ended": _lazy("Time is over"),
    "undo": _lazy("Undo begun"),
    "put_back": _lazy("Undone"),
    "settle": _lazy("Somebody looked"),
    "look": _lazy("Asked AWS"),
}


class ControlTable(BaseTable):
    name = django_tables2.Column(_lazy("Control"))
    when = django_tables2.Column(_lazy("Proposed by"), orderable=False)
    action = django_tables2.Column(_lazy("What it does"), accessor="what", orderable=False)
    box = django_tables2.Column(_lazy("For"), accessor="box_words", orderable=False)
    state = django_tables2.Column(_lazy("State"), empty_values=(), orderable=False)

    class Meta(BaseTable.Meta):
        model = Control
        fields = ()
        caption = _lazy("Controls")

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
        return _("Switched off"), "calm", "player-pause"
    if control.is_armed(timezone.now()):
        return (
            _("Armed until {armed_until}").format(armed_until=moment_text(control.armed_until)),
            "warn",
            "shield-lock",
        )
    return _("Proposes"), "good", "bell"


def control_badge(control: Control) -> SafeString:
    return status_html(*control_state(control))


class ChangeSetTable(BaseTable):
    proposed_at = MomentColumn(verbose_name=_lazy("Proposed"))
    control = django_tables2.Column(_lazy("Control"), accessor="control__name", orderable=False)
    why = django_tables2.Column(_lazy("Why"), orderable=False)
    state = StatusColumn(_lazy("State"), states=CHANGE_STATES, orderable=False)
    ends_at = MomentColumn(verbose_name=_lazy("Until"), orderable=False)
    saved = MoneyColumn(_lazy("Saved"), currency="saved_currency", default=_lazy("not known yet"), orderable=False)
    approved_by = django_tables2.Column(_lazy("Approved by"), orderable=False)

    class Meta(BaseTable.Meta):
        model = ControlChangeSet
        fields = ()
        caption = _lazy("Change sets")

    def render_control(self, value: str, record: ControlChangeSet) -> SafeString:
        return format_html('<a href="{}">{}</a>', record.get_absolute_url(), value)

    def value_control(self, value: str) -> str:
        return value


class StepTable(BaseTable):
    target = django_tables2.Column(_lazy("What"))
    account = django_tables2.Column(_lazy("Where"))
    before = django_tables2.Column(_lazy("State before"))
    cost = MoneyColumn(_lazy("Cost a day"), default=_lazy("not known"))
    saving = MoneyColumn(_lazy("Saves a day"), default=_lazy("not known"))
    result = StatusColumn(_lazy("Result"), states=STEP_RESULTS)

    class Meta(BaseTable.Meta):
        model = ControlStep
        orderable = False
        fields = ()
        caption = _lazy("Steps")

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
    at = MomentColumn(verbose_name=_lazy("When"))
    verb = django_tables2.Column(_lazy("What"))
    by = django_tables2.Column(_lazy("Who"), empty_values=())
    comment = django_tables2.Column(_lazy("Comment"))

    class Meta(BaseTable.Meta):
        model = ControlEvent
        orderable = False
        fields = ()
        caption = _lazy("What happened")

    def render_verb(self, value: str) -> str:
        return VERBS.get(value, value)

    def render_by(self, record: ControlEvent) -> str:
        return str(record.by or _("the system"))

    def render_comment(self, value: str) -> SafeString:
        return format_html('<span class="breakable">{}</span>', value)


class ControlFilter(django_filters.FilterSet):
    action = django_filters.MultipleChoiceFilter(
        label=_lazy("Action"), choices=[(name, _lazy(words)) for name, words in control_actions.ACTIONS.items()]
    )
    name = django_filters.CharFilter(label=_lazy("Name"), lookup_expr="icontains")

    class Meta:
        model = Control
        fields: list[str] = []


class ChangeSetFilter(django_filters.FilterSet):
    state = django_filters.MultipleChoiceFilter(
        label=_lazy("State"), choices=[(name, _lazy(words)) for name, words in control_rules.STATES.items()]
    )
    control = django_filters.CharFilter(label=_lazy("Control"), field_name="control__name", lookup_expr="icontains")
    team = django_filters.ModelChoiceFilter(label=_lazy("Team"), queryset=None)

    class Meta:
        model = ControlChangeSet
        fields: list[str] = []

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.filters["team"].queryset = Team.objects.visible_to(signed_in_user(self.request))

"""Tables of suggestions, virtual tags and change sets."""

from typing import Any

import django_tables2
from django.urls import reverse
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from costs.query.scope import UNOWNED
from finops_site.lib.periods import day_text
from finops_site.ui.figures import icon_html
from finops_site.ui.tables import BaseTable, DayColumn, MoneyColumn, NumberColumn, PercentColumn, status_html, tag_chip
from tagging.models import ChangeSet, Suggestion, TagChange, VirtualTag

STATES = {
    "active": ("in force", "good", "circle-check"),
    "waiting": ("waits for finance", "busy", "hourglass"),
    "declined": ("declined", "bad", "circle-x"),
    "undone": ("undone", "calm", "arrow-back-up"),
}
CHANGE_SET_STATES = {
    "draft": ("draft", "calm", "pencil"),
    "review": ("waits for approval", "busy", "hourglass"),
    "approved": ("approved", "good", "check"),
    "rejected": ("sent back", "warn", "arrow-back-up"),
    "applying": ("being applied", "busy", "loader-2"),
    "applied": ("applied", "good", "checks"),
    "partly": ("applied in part", "warn", "alert-triangle"),
}
RESULTS = {
    "waiting": ("not yet", "calm", "circle-dashed"),
    "ok": ("set", "good", "circle-check"),
    "same": ("there already", "good", "equal"),
    "failed": ("failed", "bad", "circle-x"),
    "unable": ("cannot be set by this API", "warn", "ban"),
}


def _resource_cell(record: Suggestion | VirtualTag | TagChange) -> SafeString:
    name = record.resource_name or record.resource.rsplit("/", 1)[-1]
    url = reverse("tagging:resource", args=[record.resource_key])
    second = (
        format_html('<span class="second-line breakable">{}</span>', record.resource) if name != record.resource else ""
    )
    return format_html('<a href="{}" dir="auto">{}</a>{}', url, name, second)


def _checkbox(record: Suggestion | VirtualTag) -> SafeString:
    html = '<input class="form-check-input" type="checkbox" name="pick" value="{}" aria-label="{}">'
    return format_html(html, record.pk, f"Select {record}"[:200])


class SuggestionTable(BaseTable):
    pick = django_tables2.Column(
        format_html('<span class="visually-hidden">Select</span>'),
        accessor="pk",
        orderable=False,
        exclude_from_export=True,
        attrs={"td": {"class": "pick"}},
    )
    resource = django_tables2.Column(orderable=False)
    proposal = django_tables2.Column("Suggestion", accessor="tag", orderable=False)
    value = django_tables2.Column(visible=False)
    evidence = django_tables2.Column("Why", orderable=False)
    confidence = PercentColumn("Confidence")
    team = django_tables2.Column("Team", default=UNOWNED, orderable=False)
    cost = MoneyColumn("Cost in the month")
    answer = django_tables2.Column("", accessor="pk", orderable=False, exclude_from_export=True)

    class Meta(BaseTable.Meta):
        model = Suggestion
        fields = ()
        caption = "Suggestions"

    def render_pick(self, record: Suggestion) -> SafeString | str:
        return _checkbox(record) if self.request.user.has_perm("tagging.decide_suggestion") else ""

    def render_resource(self, record: Suggestion) -> SafeString:
        return _resource_cell(record)

    def value_resource(self, record: Suggestion) -> str:
        return record.resource

    def render_proposal(self, record: Suggestion) -> SafeString:
        now = "key missing" if record.state == "missing" else "value empty"
        if record.current_value:
            now = f"now {record.current_value}"
        chip = tag_chip(record.tag, record.value, virtual=True)
        return format_html('{}<span class="second-line" dir="auto">{}</span>', chip, now)

    def value_proposal(self, record: Suggestion) -> str:
        return record.tag

    def render_evidence(self, value: list[dict[str, Any]], record: Suggestion) -> SafeString:
        first = format_html('<span class="evidence">{}</span>', _reason(value[0]))
        more = format_html_join("", "<li>{} ({})</li>", ((_reason(reason), _percent(reason)) for reason in value[1:6]))
        others = ", ".join(f"{other['value']} ({_percent(other)})" for other in record.alternatives)
        if others:
            more = format_html("{}<li>otherwise {}</li>", more, others)
        if not more:
            return first
        return format_html('{}<details class="more-tags"><summary>more</summary><ul>{}</ul></details>', first, more)

    def value_evidence(self, value: list[dict[str, Any]]) -> str:
        return "; ".join(_reason(reason) for reason in value)

    def render_answer(self, record: Suggestion) -> SafeString | str:
        if not self.request.user.has_perm("tagging.decide_suggestion"):
            return ""
        label = str(record)[:200]
        button = '<button class="btn btn-sm btn-{}" name="{}" value="{}" aria-label="{} {}">{}</button>'
        yes = format_html(button, "outline", "accept", record.pk, "Accept", label, icon_html("check"))
        no = format_html(button, "ghost", "refuse", record.pk, "Refuse", label, icon_html("x"))
        return format_html('<span class="row-actions">{}{}</span>', yes, no)


SECOND = '{}<span class="second-line">{}</span>'


def _reason(reason: dict[str, Any]) -> str:
    """``10 of 10: resources named checkout…``"""
    votes = f"{reason['agree']} of {reason['total']}: " if reason.get("total") else ""
    return f"{votes}{reason['words']}"


def _percent(evidence: dict[str, Any]) -> str:
    return f"{float(evidence['confidence']):.0%}"


class VirtualTagTable(BaseTable):
    pick = django_tables2.Column(
        format_html('<span class="visually-hidden">Select</span>'),
        accessor="pk",
        orderable=False,
        exclude_from_export=True,
        attrs={"td": {"class": "pick"}},
    )
    resource = django_tables2.Column(orderable=False)
    tag = django_tables2.Column("Virtual tag", accessor="key", orderable=False)
    value = django_tables2.Column(visible=False)
    team = django_tables2.Column("Team", default=UNOWNED, orderable=False)
    start = DayColumn("From", orderable=False, visible=False)
    end = DayColumn("Until", orderable=False, visible=False)
    evidence = django_tables2.Column("Why", orderable=False)
    made_by = django_tables2.Column("Set by", orderable=False)
    state = django_tables2.Column(orderable=False)
    answer = django_tables2.Column("", accessor="pk", orderable=False, exclude_from_export=True)

    class Meta(BaseTable.Meta):
        model = VirtualTag
        fields = ()
        caption = "Virtual tags"

    def render_pick(self, record: VirtualTag) -> SafeString | str:
        may_pick = record.state == VirtualTag.State.ACTIVE and self.request.user.has_perm("tagging.add_changeset")
        return _checkbox(record) if may_pick else ""

    def render_resource(self, record: VirtualTag) -> SafeString:
        return _resource_cell(record)

    def value_resource(self, record: VirtualTag) -> str:
        return record.resource

    def render_tag(self, record: VirtualTag) -> SafeString:
        days = f"from {day_text(record.start)}" + (f" until {day_text(record.end)}" if record.end else "")
        return format_html(SECOND, tag_chip(record.key, record.value, virtual=True), days)

    def value_tag(self, record: VirtualTag) -> str:
        return record.key

    def render_evidence(self, value: list[dict[str, Any]]) -> SafeString:
        return format_html('<span class="evidence">{}</span>', self.value_evidence(value))

    def value_evidence(self, value: list[dict[str, Any]]) -> str:
        return _reason({"agree": 0, **value[0]})

    def render_made_by(self, record: VirtualTag) -> SafeString:
        return format_html(SECOND, record.made_by, day_text(record.made_at))

    def value_made_by(self, record: VirtualTag) -> str:
        return str(record.made_by)

    def render_state(self, record: VirtualTag) -> SafeString:
        return status_html(*STATES[record.state])

    def value_state(self, record: VirtualTag) -> str:
        return record.state

    def render_answer(self, record: VirtualTag) -> SafeString | str:
        has_perm = self.request.user.has_perm
        buttons: list[tuple[str, int, str]] = []
        if record.state == VirtualTag.State.WAITING and has_perm("tagging.confirm_virtualtag"):
            buttons = [("confirm", record.pk, "Confirm"), ("decline", record.pk, "Decline")]
        elif record.state == VirtualTag.State.ACTIVE and record.end is None and has_perm("tagging.add_virtualtag"):
            buttons = [("end", record.pk, "End today")]
        if not buttons:
            return ""
        html = format_html_join("", '<button class="btn btn-sm btn-outline" name="{}" value="{}">{}</button>', buttons)
        return format_html('<span class="row-actions">{}</span>', html)


class ChangeSetTable(BaseTable):
    title = django_tables2.Column("Change set", linkify=True)
    n = NumberColumn("Tags")
    made_by = django_tables2.Column("Made by")
    made_at = DayColumn("Made")
    reviewed_by = django_tables2.Column("Reviewed by", default="—")
    state = django_tables2.Column()
    message = django_tables2.Column("Outcome", default="—")

    class Meta(BaseTable.Meta):
        model = ChangeSet
        fields = ()
        orderable = False
        caption = "Change sets"

    def render_state(self, record: ChangeSet) -> SafeString:
        return status_html(*CHANGE_SET_STATES[record.state])

    def value_state(self, record: ChangeSet) -> str:
        return record.state


class TagChangeTable(BaseTable):
    resource = django_tables2.Column()
    place = django_tables2.Column("Account and region", accessor="sub_account")
    key = django_tables2.Column("Tag")
    before = django_tables2.Column("In the bill", default="—")
    provider_value = django_tables2.Column("At the provider", default="—")
    after = django_tables2.Column("New value")
    result = django_tables2.Column()
    message = django_tables2.Column(visible=False)
    arn = django_tables2.Column("ARN", visible=False)

    class Meta(BaseTable.Meta):
        model = TagChange
        fields = ()
        orderable = False
        caption = "Tags to set"

    def render_resource(self, record: TagChange) -> SafeString:
        return _resource_cell(record)

    def value_resource(self, record: TagChange) -> str:
        return record.resource

    def render_place(self, record: TagChange) -> SafeString:
        return format_html('{}<span class="second-line">{}</span>', record.sub_account, record.region)

    def value_place(self, record: TagChange) -> str:
        return f"{record.sub_account} {record.region}"

    def render_after(self, value: str) -> SafeString:
        return format_html('<span class="breakable" dir="auto">{}</span>', value)

    def value_after(self, value: str) -> str:
        return value

    def render_result(self, record: TagChange) -> SafeString:
        words = format_html('<span class="second-line breakable">{}</span>', record.message) if record.message else ""
        return format_html("{}{}", status_html(*RESULTS[record.result]), words)

    def value_result(self, record: TagChange) -> str:
        return f"{record.get_result_display()}. {record.message}".strip()

"""Tables of suggestions, virtual tags and change sets."""

from collections.abc import Mapping, Sequence
from typing import Any

import django_tables2
from django.urls import reverse
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from costs.query.scope import UNOWNED
from finops_site.lib.periods import day_text
from finops_site.translation import gettext_lazy as _lazy
from finops_site.ui.figures import icon_html, percent_text
from finops_site.ui.tables import (
    BaseTable,
    DayColumn,
    MoneyColumn,
    NumberColumn,
    PercentColumn,
    PickColumn,
    pick_box,
    status_html,
    tag_chip,
)
from tagging.models import ChangeSet, Suggestion, TagChange, VirtualTag

STATES = {
    "active": (_lazy("in force"), "good", "circle-check"),
    "waiting": (_lazy("waits for finance"), "busy", "hourglass"),
    "declined": (_lazy("declined"), "bad", "circle-x"),
    "undone": (_lazy("undone"), "calm", "arrow-back-up"),
}
CHANGE_SET_STATES = {
    "draft": (_lazy("draft"), "calm", "pencil"),
    "review": (_lazy("waits for approval"), "busy", "hourglass"),
    "approved": (_lazy("approved"), "good", "check"),
    "rejected": (_lazy("sent back"), "warn", "arrow-back-up"),
    "applying": (_lazy("being applied"), "busy", "loader-2"),
    "applied": (_lazy("applied"), "good", "checks"),
    "partly": (_lazy("applied in part"), "warn", "alert-triangle"),
}
RESULTS = {
    "waiting": (_lazy("not yet"), "calm", "circle-dashed"),
    "ok": (_lazy("set"), "good", "circle-check"),
    "same": (_lazy("there already"), "good", "equal"),
    "failed": (_lazy("failed"), "bad", "circle-x"),
    "unable": (_lazy("cannot be set by this API"), "warn", "ban"),
}


def resource_html(key: str, name: str, resource: str) -> SafeString:
    """A resource's name, which leads to it, above its id."""
    name = name or resource.rsplit("/", 1)[-1]
    url = reverse("tagging:resource", args=[key])
    second = format_html('<span class="second-line breakable">{}</span>', resource) if name != resource else ""
    return format_html('<a href="{}" dir="auto">{}</a>{}', url, name, second)


def _resource_cell(record: VirtualTag | TagChange) -> SafeString:
    return resource_html(record.resource_key, record.resource_name, record.resource)


class SuggestionTable(BaseTable):
    """One suggestion a row, as files have them; the page shows them by resource."""

    resource = django_tables2.Column(_lazy("Resource"))
    proposal = django_tables2.Column(_lazy("Suggestion"), accessor="tag")
    value = django_tables2.Column(_lazy("Value"))
    evidence = django_tables2.Column(_lazy("Why"))
    confidence = PercentColumn(_lazy("Confidence"))
    team = django_tables2.Column(_lazy("Team"), default=UNOWNED)
    cost = MoneyColumn(_lazy("Cost in the month"))

    class Meta(BaseTable.Meta):
        model = Suggestion
        fields = ()
        caption = _lazy("Suggestions")

    def value_resource(self, record: Suggestion) -> str:
        return record.resource

    def value_evidence(self, value: list[dict[str, Any]]) -> str:
        return "; ".join(_reason(reason) for reason in value)


class SuggestedResourceTable(BaseTable):
    """A resource with all that is suggested for it: rows of suggestions.by_resource, and `suggestions` by its key."""

    pick = PickColumn("resource_key")
    resource = django_tables2.Column(_lazy("Resource"), orderable=False)
    tags = django_tables2.Column(
        _lazy("Suggestions"), accessor="resource_key", orderable=False, attrs={"td": {"class": "all-suggested"}}
    )
    outcome = django_tables2.Column(_lazy("With them"), accessor="n", orderable=False)
    confidence = PercentColumn(_lazy("Least sure"), accessor="least", places=0, visible=False)
    cost = MoneyColumn(_lazy("Cost in the month"), accessor="amount", currency="code")
    answer = django_tables2.Column("", accessor="resource_key", orderable=False)

    class Meta(BaseTable.Meta):
        caption = _lazy("Suggestions by resource")
        phone_facts = ("outcome", "tags")

    suggestions: Mapping[str, Sequence[Suggestion]] = {}
    may_decide = False

    def _of(self, record: dict[str, Any]) -> Sequence[Suggestion]:
        return self.suggestions.get(record["resource_key"], ())

    def _ids(self, record: dict[str, Any]) -> str:
        return ",".join(str(suggestion.pk) for suggestion in self._of(record))

    def render_pick(self, record: dict[str, Any]) -> SafeString:
        return pick_box(record["name"] or record["resource"], self._ids(record), record["amount"], record["code"])

    def render_resource(self, record: dict[str, Any]) -> SafeString:
        name = resource_html(record["resource_key"], record["name"], record["resource"])
        return format_html('{}<span class="second-line">{}</span>', name, record["team_name"] or UNOWNED)

    def render_tags(self, record: dict[str, Any]) -> SafeString:
        return format_html_join("", "{}", ((self._suggestion(row),) for row in self._of(record)))

    def _suggestion(self, row: Suggestion) -> SafeString:
        now = _("key missing") if row.state == "missing" else _("value empty")
        now = _("now {current_value}").format(current_value=row.current_value) if row.current_value else now
        buttons: SafeString | str = ""
        if self.may_decide and len(self.suggestions.get(row.resource_key, ())) > 1:
            buttons = _answers(str(row.pk), str(row)[:200])
        return format_html(
            '<div class="suggested">{} {}<div class="suggested-why" dir="auto">{}, {}. {}</div></div>',
            tag_chip(row.tag, row.value, virtual=True),
            buttons,
            now,
            _("{confidence} sure").format(confidence=percent_text(row.confidence, 0)),
            _evidence(row),
        )

    def render_outcome(self, record: dict[str, Any]) -> SafeString:
        badge = status_html(
            _("{n} of {wrong} tags").format(n=record["n"], wrong=record["wrong"]), "warn", "alert-triangle"
        )
        if record["n"] >= record["wrong"]:
            badge = status_html(_("complies"), "good", "circle-check")
        return format_html(SECOND, badge, _("{least} sure at least").format(least=percent_text(record["least"], 0)))

    def render_answer(self, record: dict[str, Any]) -> SafeString | str:
        if not self.may_decide:
            return ""
        tags = ngettext("its tag", "its {n} tags", record["n"]).format(n=record["n"])
        complies = _("{tags} → complies").format(tags=tags) if record["n"] >= record["wrong"] else tags
        return _answers(
            self._ids(record),
            _("for {value}").format(value=record["name"] or record["resource"])[:200],
            _("Accept {complies}").format(complies=complies),
        )


def _answers(ids: str, label: str, words: str = "") -> SafeString:
    """The buttons that accept and refuse suggestions; in words, or as a tick and a cross."""
    button = '<button class="btn btn-sm btn-{}" name="{}" value="{}" aria-label="{} {}">{}{}</button>'
    yes = format_html(button, "outline", "accept", ids, words or _("Accept"), label, icon_html("check"), words)
    no = format_html(button, "ghost", "refuse", ids, _("Refuse"), label, icon_html("x"), "")
    return format_html('<span class="row-actions">{}{}</span>', yes, no)


def _evidence(row: Suggestion) -> SafeString:
    first = _reason(row.evidence[0]) if row.evidence else ""
    more = format_html_join(
        "", "<li>{} ({})</li>", ((_reason(reason), _percent(reason)) for reason in row.evidence[1:6])
    )
    others = ", ".join(f"{other['value']} ({_percent(other)})" for other in row.alternatives)
    if others:
        more = format_html("{}<li>{}</li>", more, _("otherwise {values}").format(values=others))
    if not more:
        return format_html("{}", first)
    folded = '{}<details class="more-tags"><summary>{}</summary><ul>{}</ul></details>'
    return format_html(folded, first, _("more"), more)


SECOND = '{}<span class="second-line">{}</span>'


def _reason(reason: dict[str, Any]) -> str:
    """``10 of 10: resources named checkout…``"""
    if not reason.get("total"):
        return str(reason["words"])
    return _("{agree} of {total}: {reason}").format(
        agree=reason["agree"], total=reason["total"], reason=reason["words"]
    )


def _percent(evidence: dict[str, Any]) -> str:
    return f"{float(evidence['confidence']):.0%}"


class VirtualTagTable(BaseTable):
    pick = PickColumn()
    resource = django_tables2.Column(_lazy("Resource"), orderable=False)
    tag = django_tables2.Column(_lazy("Virtual tag"), accessor="key", orderable=False)
    value = django_tables2.Column(visible=False)
    team = django_tables2.Column(_lazy("Team"), default=UNOWNED, orderable=False)
    start = DayColumn(_lazy("From"), orderable=False, visible=False)
    end = DayColumn(_lazy("Until"), orderable=False, visible=False)
    evidence = django_tables2.Column(_lazy("Why"), orderable=False)
    made_by = django_tables2.Column(_lazy("Set by"), orderable=False)
    state = django_tables2.Column(_lazy("State"), orderable=False)
    answer = django_tables2.Column("", accessor="pk", orderable=False, exclude_from_export=True)

    class Meta(BaseTable.Meta):
        model = VirtualTag
        fields = ()
        caption = _lazy("Virtual tags")

    def render_pick(self, record: VirtualTag) -> SafeString | str:
        may_pick = record.state == VirtualTag.State.ACTIVE and self.request.user.has_perm("tagging.add_changeset")
        return pick_box(record, record.pk) if may_pick else ""

    def render_resource(self, record: VirtualTag) -> SafeString:
        return _resource_cell(record)

    def value_resource(self, record: VirtualTag) -> str:
        return record.resource

    def render_tag(self, record: VirtualTag) -> SafeString:
        days = _("from {start}").format(start=day_text(record.start)) + (
            _(" until {end}").format(end=day_text(record.end)) if record.end else ""
        )
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
            buttons = [("confirm", record.pk, _("Confirm")), ("decline", record.pk, _("Decline"))]
        elif record.state == VirtualTag.State.ACTIVE and record.end is None and has_perm("tagging.add_virtualtag"):
            buttons = [("end", record.pk, _("End today"))]
        if not buttons:
            return ""
        html = format_html_join("", '<button class="btn btn-sm btn-outline" name="{}" value="{}">{}</button>', buttons)
        return format_html('<span class="row-actions">{}</span>', html)


class ChangeSetTable(BaseTable):
    title = django_tables2.Column(_lazy("Change set"), linkify=True)
    n = NumberColumn(_lazy("Tags"))
    made_by = django_tables2.Column(_lazy("Made by"))
    made_at = DayColumn(_lazy("Made"))
    reviewed_by = django_tables2.Column(_lazy("Reviewed by"), default="—")
    state = django_tables2.Column(_lazy("State"))
    message = django_tables2.Column(_lazy("Outcome"), default="—")

    class Meta(BaseTable.Meta):
        model = ChangeSet
        fields = ()
        orderable = False
        caption = _lazy("Change sets")

    def render_state(self, record: ChangeSet) -> SafeString:
        return status_html(*CHANGE_SET_STATES[record.state])

    def value_state(self, record: ChangeSet) -> str:
        return record.state


class TagChangeTable(BaseTable):
    resource = django_tables2.Column(_lazy("Resource"))
    place = django_tables2.Column(_lazy("Account and region"), accessor="sub_account")
    key = django_tables2.Column(_lazy("Tag"))
    before = django_tables2.Column(_lazy("In the bill"), default="—")
    provider_value = django_tables2.Column(_lazy("At the provider"), default="—")
    after = django_tables2.Column(_lazy("New value"))
    result = django_tables2.Column(_lazy("Result"))
    message = django_tables2.Column(visible=False)
    arn = django_tables2.Column(_lazy("ARN"), visible=False)

    class Meta(BaseTable.Meta):
        model = TagChange
        fields = ()
        orderable = False
        caption = _lazy("Tags to set")

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

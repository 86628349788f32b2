"""Tables of resources, of the tag policy and of exceptions from it."""

from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from urllib.parse import urlencode

import django_tables2
from django.urls import reverse
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _

from costs.models import Dimension
from costs.query.scope import UNOWNED
from costs.web.tables import OwnerColumn
from finops_site.lib.periods import day_text
from finops_site.lib.words import counted
from finops_site.translation import gettext_lazy as _lazy
from finops_site.ui.tables import (
    BaseTable,
    DayColumn,
    MoneyColumn,
    MonthColumn,
    PickColumn,
    TagColumn,
    pick_box,
    status_html,
)
from tagging.models import TagException, TaggedResource, TagRequirement
from tagging.policy.explanations import Explainer, TagStatus


class ResourceTable(BaseTable):
    """Resources with what is wrong with each of their tags."""

    pick = PickColumn()
    resource = django_tables2.Column(_lazy("Resource"), empty_values=(None,))
    charge_month = MonthColumn(_lazy("Month"), visible=False)
    owner = OwnerColumn(_lazy("Team"), pool="pool")
    sub_account = django_tables2.Column(_lazy("Account and region"))
    region = django_tables2.Column(visible=False)
    provider = django_tables2.Column(visible=False)
    service = django_tables2.Column(_lazy("Service and type"))
    resource_type = django_tables2.Column(visible=False)
    wrong = django_tables2.Column(_lazy("What to fix"), accessor="verdict", default="—", empty_values=())
    tags = TagColumn(_lazy("Tags"), accessor="tag_set__tags", visible=False)
    first_day = DayColumn(visible=False)
    last_day = DayColumn(visible=False)
    cost = MoneyColumn(_lazy("Cost in the month"))
    billed_cost = MoneyColumn(visible=False)
    effective_cost = MoneyColumn(visible=False)
    currency = django_tables2.Column(visible=False)

    class Meta(BaseTable.Meta):
        phone_facts = ("owner", "wrong")
        model = TaggedResource
        fields = ()
        caption = _lazy("Resources")

    # {key: how many suggestions}, and whether boxes to tick are drawn: set by the page that acts on rows.
    suggestions: Mapping[str, int] = {}
    may_pick = False

    def render_pick(self, record: TaggedResource) -> SafeString | str:
        return pick_box(record, record.pk, record.cost, record.currency) if self.may_pick else ""

    @cached_property
    def explainer(self) -> Explainer:
        return Explainer()

    @cached_property
    def account_names(self) -> dict[str, str]:
        labelled = Dimension.objects.filter(name="sub_account").exclude(label="")
        return dict(labelled.values_list("value", "label")[:5000])

    def render_resource(self, value: str, record: TaggedResource) -> SafeString | str:
        if not value:
            return record.get_why_not_display()
        name = record.resource_name or value.rsplit("/", 1)[-1]
        second = format_html('<span class="second-line breakable">{}</span>', value) if name != value else ""
        month = f"{record.charge_month:%Y-%m}"
        return format_html('<a href="{}?month={}">{}</a>{}', record.get_absolute_url(), month, name, second)

    def value_resource(self, value: str, record: TaggedResource) -> str:
        return value or record.get_why_not_display()

    def render_sub_account(self, value: str, record: TaggedResource) -> SafeString:
        name = self.account_names.get(value, value)
        return format_html('<span title="{}">{}</span><span class="second-line">{}</span>', value, name, record.region)

    def value_sub_account(self, value: str) -> str:
        return value

    def render_service(self, value: str, record: TaggedResource) -> SafeString:
        return format_html('{}<span class="second-line">{}</span>', value, record.resource_type)

    def value_service(self, value: str) -> str:
        return value

    def render_wrong(self, record: TaggedResource) -> SafeString | str:
        if record.why_not:
            return status_html(_("cannot carry tags"), "calm", "ban")
        statuses = self.explainer.wrong(record)
        if not statuses:
            return status_html(_("complies"), "good", "circle-check")
        badges = format_html_join("", "{}", _badges(statuses))
        count = self.suggestions.get(record.key, 0)
        url = f"{reverse('tagging:suggestions')}?{urlencode({'q': record.resource})}"
        words = format_html('<a href="{}">{}</a>', url, counted(count, "suggestion")) if count else ""
        return format_html('<span class="facts-wrong">{}{}</span>', badges, words)

    def value_wrong(self, record: TaggedResource) -> str:
        return "; ".join(status.short for status in self.explainer.wrong(record))


def _badges(statuses: Sequence[TagStatus]) -> Iterator[tuple[SafeString]]:
    """A badge for each kind of fault with its tags: four badges for one missing key each make a tall row."""
    by_label: dict[str, list[TagStatus]] = {}
    for status in statuses:
        by_label.setdefault(status.label, []).append(status)
    for label, alike in by_label.items():
        tags = ", ".join(status.with_value for status in alike)
        yield (status_html(_("{label}: {text}").format(label=label, text=tags), alike[0].tone, alike[0].icon),)


class ExceptionTable(BaseTable):
    """Exceptions from the policy."""

    resource = django_tables2.Column(_lazy("Resource"))
    tag = django_tables2.Column(_lazy("Tag"), empty_values=(None,))
    team = django_tables2.Column(_lazy("Team"), default=UNOWNED)
    owner = django_tables2.Column(_lazy("Answers for it"))
    reason = django_tables2.Column(_lazy("Reason"))
    expires_on = DayColumn(_lazy("Until"))
    state = django_tables2.Column(_lazy("State"))

    class Meta(BaseTable.Meta):
        orderable = False
        caption = _lazy("Exceptions")

    def render_resource(self, value: str, record: TagException) -> SafeString:
        return format_html('<a href="{}">{}</a>', record.get_absolute_url(), record.resource_name or value)

    def value_resource(self, value: str) -> str:
        return value

    def render_tag(self, value: str) -> str:
        return value or _("every tag")

    def render_state(self, value: str, record: TagException) -> SafeString:
        state = record.state_on(self.request.today)
        text, tone, icon = EXCEPTION_STATES[state]
        return status_html(text, tone, icon)

    def value_state(self, record: TagException) -> str:
        return record.state_on(self.request.today)


EXCEPTION_STATES = {
    "requested": (_lazy("waits for finance"), "busy", "hourglass"),
    "approved": (_lazy("in force"), "good", "circle-check"),
    "declined": (_lazy("declined"), "bad", "circle-x"),
    "ended": (_lazy("ended early"), "calm", "ban"),
    "expired": (_lazy("expired: counts again"), "warn", "alarm"),
}


class RequirementTable(BaseTable):
    """The policy, as people read it."""

    key = django_tables2.Column(_lazy("Tag"))
    is_required = django_tables2.Column(_lazy("Required"))
    values = django_tables2.Column(_lazy("Allowed values"), accessor="pk")
    key_aliases = django_tables2.Column(_lazy("Also known as"), default="—")
    scope = django_tables2.Column(_lazy("Applies to"), accessor="pk")
    since = django_tables2.Column(_lazy("From"), accessor="pk")

    class Meta(BaseTable.Meta):
        phone_facts = ("is_required", "values")
        orderable = False
        caption = _lazy("Tag policy")

    def render_key(self, value: str, record: TagRequirement) -> SafeString:
        if self.request.user.has_perm("tagging.change_tagrequirement"):
            url = reverse("tagging:requirement", args=[record.pk])
            value = format_html('<a href="{}">{}</a>', url, value)
        return format_html('{}<span class="second-line">{}</span>', value, record.description)

    def value_key(self, value: str) -> str:
        return value

    def render_is_required(self, value: bool, record: TagRequirement) -> SafeString:
        return status_html(_("required"), "busy", "flag") if record.is_required else status_html(_("optional"))

    def value_is_required(self, record: TagRequirement) -> str:
        return "required" if record.is_required else "optional"

    def render_values(self, record: TagRequirement) -> str:
        rule = record.as_requirement()
        allowed = ", ".join(rule.values) or (
            _("matches {pattern}").format(pattern=rule.pattern) if rule.pattern else _("anything but nothing")
        )
        aliases = ", ".join(f"{alias} = {meant}" for alias, meant in rule.value_aliases.items())
        text = f"{allowed}; {aliases}" if aliases else allowed
        return text if rule.case.value == "ignore" else f"{text} ({record.get_case_rule_display()})"

    def render_key_aliases(self, value: list[str]) -> str:
        return ", ".join(value)

    def render_scope(self, record: TagRequirement) -> str:
        scopes = [f"{name} {', '.join(words)}" for name, words in record.as_requirement().scopes if words]
        return "; ".join(scopes) or _("everything that can carry tags")

    def render_since(self, record: TagRequirement) -> str:
        start = day_text(record.starts_on) if record.starts_on else _("always")
        return (
            _("{start} until {ends_on}").format(start=start, ends_on=day_text(record.ends_on))
            if record.ends_on
            else start
        )

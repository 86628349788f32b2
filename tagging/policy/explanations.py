"""What is wrong with the tags of a resource, and what to do about it."""

from dataclasses import dataclass
from datetime import date

from django.utils.translation import gettext as _

from finops_site.lib.words import labelled
from finops_site.translation import gettext_lazy as _lazy
from tagging.calc.tag_policy import Policy, Requirement, State
from tagging.models import TaggedResource, TagRequirement

STATE_LABELS = {
    State.MISSING: _lazy("key missing"),
    State.EMPTY: _lazy("value empty"),
    State.NOT_ALLOWED: _lazy("value not allowed"),
    State.OK: _lazy("right"),
}
TONES = {State.MISSING: "bad", State.EMPTY: "warn", State.NOT_ALLOWED: "warn", State.OK: "good"}
# In charts: two kinds of a wrong value have one colour.
PATTERNS = {State.MISSING: "stripes", State.EMPTY: "dots", State.NOT_ALLOWED: "lines"}
ICONS = {
    State.MISSING: "circle-x",
    State.EMPTY: "circle-dashed",
    State.NOT_ALLOWED: "alert-triangle",
    State.OK: "circle-check",
}


@dataclass(frozen=True, slots=True)
class TagStatus:
    """One tag of a resource: its state, the key and value it has, and what to do."""

    tag: str
    required: bool
    state: State
    key: str = ""
    value: str = ""
    todo: str = ""

    @property
    def label(self) -> str:
        return STATE_LABELS[self.state]

    @property
    def tone(self) -> str:
        return TONES[self.state]

    @property
    def icon(self) -> str:
        return ICONS[self.state]

    @property
    def with_value(self) -> str:
        """``Environment (Playground)``"""
        return self.tag + (f" ({self.value})" if self.state is State.NOT_ALLOWED else "")

    @property
    def short(self) -> str:
        """``Environment: value not allowed (Playground)``"""
        value = f" ({self.value})" if self.state is State.NOT_ALLOWED else ""
        return labelled(self.tag, f"{self.label}{value}")


class Explainer:
    """Explains many resources by one reading of the policy."""

    def __init__(self) -> None:
        self.policy = TagRequirement.objects.all().as_policy()
        self._policies: dict[date, Policy] = {}

    def statuses(self, row: TaggedResource) -> list[TagStatus]:
        """Every tag the policy has for a resource, in the policy's order."""
        if row.verdict is None:
            return []
        day = row.last_day_of_month
        if day not in self._policies:
            self._policies[day] = self.policy.on(day)
        policy = self._policies[day]
        current = policy.current_values(row.tag_set.tags if row.tag_set else {})
        place = (row.provider, row.service, row.resource_type)
        rules = {rule.key: rule for rule in policy.requirements if rule.applies_to(*place)}
        order = {key: number for number, key in enumerate(rules)}
        facts = sorted(row.verdict.facts.items(), key=lambda item: order.get(item[0], len(order)))
        return [
            TagStatus(tag, required, State(state), *current.get(tag, ("", "")), _todo(tag, state, rules.get(tag)))
            for tag, (state, required) in facts
        ]

    def wrong(self, row: TaggedResource) -> list[TagStatus]:
        """The required tags that are not right."""
        return [status for status in self.statuses(row) if status.required and status.state is not State.OK]


def _todo(tag: str, state: str, rule: Requirement | None) -> str:
    """What to do, in a sentence; nothing for what is right."""
    if state == State.OK:
        return ""
    verb = {
        State.MISSING: _("Add the tag {tag}"),
        State.NOT_ALLOWED: _("Change the value of {tag}"),
    }.get(State(state), _("Give the tag {tag} a value"))
    verb = verb.format(tag=tag)
    if rule is None:
        return f"{verb}."
    if rule.values:
        values = ", ".join(rule.values[:6]) + (", …" if len(rule.values) > 6 else "")
        return _("{what}: one of {values}.").format(what=verb, values=values)
    if rule.pattern:
        return _("{what}: it must match {pattern}.").format(what=verb, pattern=rule.pattern)
    return labelled(verb, f"{rule.description.rstrip('.')}.") if rule.description else f"{verb}."

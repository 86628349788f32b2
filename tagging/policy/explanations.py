"""What is wrong with the tags of a resource, in words a person can act on."""

from dataclasses import dataclass
from typing import Any

from tagging.calc.tag_policy import Policy, Requirement, State
from tagging.models import TaggedResource, TagRequirement

STATE_LABELS = {
    State.MISSING: "key missing",
    State.EMPTY: "value empty",
    State.NOT_ALLOWED: "value not allowed",
    State.OK: "right",
}
TONES = {State.MISSING: "bad", State.EMPTY: "warn", State.NOT_ALLOWED: "warn", State.OK: "good"}
ICONS = {
    State.MISSING: "circle-x",
    State.EMPTY: "circle-dashed",
    State.NOT_ALLOWED: "alert-triangle",
    State.OK: "circle-check",
}


@dataclass(frozen=True, slots=True)
class TagStatus:
    """One tag of a resource: what is the case, what stands there, and what to do."""

    tag: str
    required: bool
    state: State
    key: str = ""
    value: str = ""
    todo: str = ""

    @property
    def words(self) -> str:
        return STATE_LABELS[self.state]

    @property
    def tone(self) -> str:
        return TONES[self.state]

    @property
    def icon(self) -> str:
        return ICONS[self.state]

    @property
    def said(self) -> str:
        """``Environment (Playground)``"""
        return self.tag + (f" ({self.value})" if self.state is State.NOT_ALLOWED else "")

    @property
    def short(self) -> str:
        """``Environment: value not allowed (Playground)``"""
        return f"{self.tag}: {self.words}" + (f" ({self.value})" if self.state is State.NOT_ALLOWED else "")


class Explainer:
    """Explains many resources by one reading of the policy."""

    def __init__(self) -> None:
        self.policy = TagRequirement.objects.all().as_policy()
        self._on: dict[Any, Policy] = {}

    def policy_of(self, row: TaggedResource) -> Policy:
        day = row.last_day_of_month
        if day not in self._on:
            self._on[day] = self.policy.on(day)
        return self._on[day]

    def lines(self, row: TaggedResource) -> list[TagStatus]:
        """Every tag the policy asks of a resource, in the policy's order."""
        if row.verdict is None:
            return []
        policy = self.policy_of(row)
        found = policy.found(row.tag_set.tags if row.tag_set else {})
        rules = {each.key: each for each in policy.requirements if _applies(each, row)}
        order = {key: number for number, key in enumerate(rules)}
        facts = sorted(row.verdict.facts.items(), key=lambda item: order.get(item[0], len(order)))
        return [_line(tag, State(state), required, found, rules.get(tag)) for tag, (state, required) in facts]

    def wrong(self, row: TaggedResource) -> list[TagStatus]:
        return [line for line in self.lines(row) if line.required and line.state is not State.OK]


def _applies(rule: Requirement, row: TaggedResource) -> bool:
    return rule.applies_to(row.provider, row.service, row.resource_type)


def _line(
    tag: str, state: State, required: bool, found: dict[str, tuple[str, str]], rule: Requirement | None
) -> TagStatus:
    key, value = found.get(tag, ("", ""))
    return TagStatus(tag, required, state, key, value, _todo(tag, state, rule))


def _todo(tag: str, state: State, rule: Requirement | None) -> str:
    """What to do, in a sentence; nothing for what is right."""
    if state is State.OK:
        return ""
    verb = f"Add the tag {tag}" if state is State.MISSING else f"Give the tag {tag} a value"
    if state is State.NOT_ALLOWED:
        verb = f"Change the value of {tag}"
    if rule is None:
        return f"{verb}."
    return f"{verb}{_wanted(rule)}."


def _wanted(rule: Requirement) -> str:
    if rule.values:
        shown = ", ".join(rule.values[:6]) + (", …" if len(rule.values) > 6 else "")
        return f": one of {shown}"
    if rule.pattern:
        return f": it must match {rule.pattern}"
    return f": {rule.description.rstrip('.')}" if rule.description else ""

"""What a person should do, as the pillars registered it: decisions that wait for her, and the rest."""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from django.urls import reverse
from django.utils.translation import gettext as _

from finops_site.lib.person import Person
from finops_site.registry import PendingDecision, PendingDecisionSource, ToDo, ToDoSource, Urgency, registry
from finops_site.ui.pending_decisions import count_rows

# On home; the page of all of them has as many of each source as `MOST_OF_A_SOURCE`.
SHOWN = 7
SHOWN_OF_A_SOURCE = 2
MOST_OF_A_SOURCE = 50


@dataclass(frozen=True, slots=True)
class Task:
    """Something to do, and what it is: the label and the icon of its source."""

    label: str
    icon: str
    item: ToDo


@dataclass(frozen=True, slots=True)
class Group:
    """What one source has: `count` rows, of which the first are listed; `url` is the list of all of them."""

    label: str
    icon: str
    count: int
    items: Sequence[ToDo]
    url: str = ""

    @property
    def more(self) -> int:
        return max(0, self.count - len(self.items))


@dataclass(frozen=True, slots=True)
class ToDoList:
    """What there is to do: the decisions, and every group of the rest."""

    decisions: Sequence[PendingDecision]
    groups: Sequence[Group]

    @property
    def count(self) -> int:
        return len(self.decisions) + sum(group.count for group in self.groups)

    @property
    def first(self) -> list[Task]:
        """What comes first: decisions, then the urgent, then the most money; not all of one kind."""
        decisions = [
            Task(_("Decision"), "scale", ToDo(row.text, row.url, row.amount, row.currency, row.note))
            for row in self.decisions
        ]
        rest = [
            Task(group.label, group.icon, item) for group in self.groups for item in group.items[:SHOWN_OF_A_SOURCE]
        ]
        return [*decisions, *sorted(rest, key=_rank)][:SHOWN]

    @property
    def more(self) -> int:
        return self.count - len(self.first)


def _rank(task: Task) -> tuple[Urgency, bool, Decimal]:
    return task.item.urgency, task.item.amount is None, -abs(task.item.amount or Decimal(0))


def find_to_do(user: Person, role: str, *, most: int = MOST_OF_A_SOURCE) -> ToDoList:
    """Everything that this person may decide or should see to now; one question where there is nothing."""
    decisions = registry.allowed(PendingDecisionSource, user)
    sources = [source for source in registry.allowed(ToDoSource, user) if not source.roles or role in source.roles]
    to_decide, to_see_to = ([source.rows(user) for source in kind] for kind in (decisions, sources))
    counts = list(count_rows(user, [*to_decide, *to_see_to]))
    waiting = [
        item
        for source, rows, count in zip(decisions, to_decide, counts[: len(decisions)], strict=True)
        if count
        for item in source.items(user, rows)
    ]
    groups = [
        _group(user, source, rows, count, most)
        for source, rows, count in zip(sources, to_see_to, counts[len(decisions) :], strict=True)
        if count
    ]
    return ToDoList(waiting, [group for group in groups if group.items])


def _group(user: Person, source: ToDoSource, rows: Any, count: int, most: int) -> Group:
    url = reverse(source.url_name) if source.url_name else ""
    return Group(source.label, source.icon, count, source.items(user, rows, most), url)

"""Verbs of the tag policy: keep ended months as they were, change it, and say beforehand what would change."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import date
from decimal import Decimal
from typing import Any

from django.db import transaction
from django.db.models import Count, Sum

from finops_site.lib.periods import Month
from finops_site.lib.person import Person
from finops_site.ops.queues import hand_over
from tagging.calc.tag_policy import Policy, Requirement, Resource
from tagging.models import TaggedResource, TagRequirement
from tagging.policy import compliance_figures
from tagging.policy.compliance import is_compliant_outcome
from tagging.policy.compliance_figures import COMPLIANT, WRONG, Tally


def first_of_month(today: date) -> date:
    return Month.of(today).start


def rewrites_the_past(old: Requirement | None, new: Requirement | None, today: date) -> list[Month]:
    """The ended months that are worked out and in which `new` instead of `old` would decide differently."""
    ended = [month for month in compliance_figures.computed_months() if month.next.start <= today]
    return [month for month in ended if _in(old, month) != _in(new, month)]


def _in(rule: Requirement | None, month: Month) -> Requirement | None:
    """What a rule says in a month; nothing where it does not hold."""
    if rule is None or not rule.holds_on(month.next.start.replace(day=1) - ONE_DAY):
        return None
    return replace(rule, description="", start=None, end=None)


ONE_DAY = date(2000, 1, 2) - date(2000, 1, 1)


@transaction.atomic
def save_requirement(row: TagRequirement, *, keep_past: bool, today: date) -> TagRequirement:
    """Saves a new or changed rule; to keep ended months, the old one ends this month and the changed one begins."""
    old = TagRequirement.objects.select_for_update().filter(pk=row.pk).first() if row.pk else None
    first = first_of_month(today)
    before = old.as_requirement() if old else None
    if keep_past and rewrites_the_past(before, row.as_requirement(), today):
        row.starts_on = max(first, row.starts_on or first)
        if old:
            old.ends_on = first
            old.save()
            row.pk, row._state.adding = None, True
    row.save()
    transaction.on_commit(queue_refresh)
    return row


@transaction.atomic
def remove_requirement(row: TagRequirement, *, keep_past: bool, today: date) -> None:
    """Takes a rule out of the policy: from this month on, or of ended months too."""
    if keep_past and rewrites_the_past(row.as_requirement(), None, today):
        row.ends_on = first_of_month(today)
        row.save()
    else:
        row.delete()
    transaction.on_commit(queue_refresh)


def queue_refresh() -> None:
    """Has the months worked out whose figures are no longer true; without a broker the sweep does it."""
    from tagging.tasks import refresh_compliance

    hand_over(refresh_compliance)


@dataclass(frozen=True, slots=True)
class ChangePreview:
    """Compliance of a month before and after a change of the policy, excepted resources left out of both."""

    month: Month
    before: Tally
    after: Tally

    @property
    def rows(self) -> list[dict[str, Any]]:
        """{label, before, after} by resources, then by cost for each currency."""
        rows = [_row("Resources that comply", self.before.by_resources, self.after.by_resources)]
        for code in sorted({*self.before.currencies, *self.after.currencies}):
            rows.append(_row(f"Cost that complies, {code}", self.before.by_cost(code), self.after.by_cost(code)))
        return rows

    @property
    def newly_wrong(self) -> int:
        """How many more resources are to fix; negative where fewer are."""
        return self.after.count(WRONG) - self.before.count(WRONG)


def _row(label: str, before: Decimal | None, after: Decimal | None) -> dict[str, Any]:
    return {"label": label, "before": before, "after": after}


def preview_change(user: Person, changed: Policy, month: Month, today: date) -> ChangePreview:
    """What compliance of a month, of what `user` sees, would be under `changed`; nothing is saved."""
    found = list(_signatures(user, month, today))
    asked = [Resource(tags, *place) for *place, tags, _, _, _, _ in found]
    day = month.next.start - ONE_DAY
    decided = changed.decide(asked, day)
    before, after = Tally(), Tally()
    current = changed.on(day)
    for (*_, was, currency, resources, cost), facts in zip(found, decided, strict=True):
        before.add(COMPLIANT if was else WRONG, currency, resources, cost)
        after.add(COMPLIANT if is_compliant_outcome(current, facts) else WRONG, currency, resources, cost)
    return ChangePreview(month, before, after)


def _signatures(user: Person, month: Month, today: date) -> Iterable[tuple[Any, ...]]:
    """Each distinct thing to decide, with how many resources it is and what they cost."""
    mine = TaggedResource.objects.visible_to(user).in_month(month).taggable().with_state(today)
    names = ("provider", "service", "resource_type", "tag_set__tags", "verdict__is_compliant", "currency")
    sums = mine.exclude(state="excepted").order_by().values(*names, "tag_set")
    return sums.annotate(resources=Count("pk"), amount=Sum("cost")).values_list(*names, "resources", "amount")


def with_change(row: TagRequirement) -> Policy:
    """The policy as it would be with a rule added, changed or left out."""
    others = [each.as_requirement() for each in TagRequirement.objects.exclude(pk=row.pk)]
    return Policy((*others, row.as_requirement()))

"""Services of the tag policy: change it, keep ended months as they were, and preview what would change."""

from dataclasses import dataclass
from datetime import date
from typing import Any

from django.db import transaction
from django.db.models import Count, Sum
from django.utils.translation import gettext as _

from finops_site.celery import task
from finops_site.lib.periods import Month
from finops_site.lib.person import Person
from tagging.calc.tag_policy import Policy, PolicyResource, Requirement
from tagging.models import TaggedResource, TagRequirement
from tagging.policy import compliance_figures
from tagging.policy.compliance import is_compliant
from tagging.policy.compliance_figures import COMPLIANT, WRONG, Tally


def rewrites_the_past(old: Requirement | None, new: Requirement | None, today: date) -> list[Month]:
    """The ended months that are computed and in which `new` instead of `old` would decide differently."""

    def deciding(rule: Requirement | None, month: Month) -> tuple[Requirement, ...]:
        return Policy((rule,)).on(month.period.last_day).deciding() if rule else ()

    ended = [month for month in compliance_figures.computed_months() if month.next.start <= today]
    return [month for month in ended if deciding(old, month) != deciding(new, month)]


@transaction.atomic
def save_requirement(row: TagRequirement, *, keep_past: bool, today: date) -> TagRequirement:
    """Saves a new or changed rule; to keep ended months, the old one ends this month and the changed one begins."""
    old = TagRequirement.objects.select_for_update().filter(pk=row.pk).first() if row.pk else None
    first = Month.of(today).start
    before = old.as_requirement() if old else None
    if keep_past and rewrites_the_past(before, row.as_requirement(), today):
        row.starts_on = max(first, row.starts_on or first)
        if old:
            old.ends_on = first
            old.save()
            row.pk, row._state.adding = None, True
    row.save()
    queue_refresh()
    return row


@transaction.atomic
def remove_requirement(row: TagRequirement, *, keep_past: bool, today: date) -> None:
    """Takes a rule out of the policy: from this month on, or of ended months too."""
    if keep_past and rewrites_the_past(row.as_requirement(), None, today):
        row.ends_on = Month.of(today).start
        row.save()
    else:
        row.delete()
    queue_refresh()


def queue_refresh() -> None:
    """Has the months recomputed whose bills or policy have changed."""
    task("tagging.tasks.refresh_compliance").delay_on_commit()


@dataclass(frozen=True, slots=True)
class ChangePreview:
    """Compliance of a month before and after a change of the policy, excepted resources left out of both."""

    month: Month
    before: Tally
    after: Tally

    @property
    def rows(self) -> list[dict[str, Any]]:
        """{label, before, after} by resources, then by cost for each currency."""
        figures = [(_("Resources that comply"), self.before.by_resources, self.after.by_resources)]
        for code in sorted({*self.before.currencies, *self.after.currencies}):
            figures.append(
                (_("Cost that complies, {code}").format(code=code), self.before.by_cost(code), self.after.by_cost(code))
            )
        return [{"label": label, "before": before, "after": after} for label, before, after in figures]

    @property
    def newly_wrong(self) -> int:
        """How many more resources are to fix; negative where fewer are."""
        return self.after.count(WRONG) - self.before.count(WRONG)


def preview_change(user: Person, changed: Policy, month: Month, today: date) -> ChangePreview:
    """What compliance of a month, of what `user` sees, would be under `changed`; nothing is saved."""
    visible = TaggedResource.objects.visible_to(user).in_month(month).taggable().with_state(today)
    # Each distinct thing to decide, with how many resources it is and what they cost.
    names = ("provider", "service", "resource_type", "tag_set__tags", "verdict__is_compliant", "currency")
    groups = visible.exclude(state="excepted").order_by().values(*names, "tag_set")
    sums = groups.annotate(resources=Count("pk"), amount=Sum("cost")).values_list(*names, "resources", "amount")
    signatures = list(sums)
    day = month.period.last_day
    decided = changed.decide(
        [PolicyResource(tags, *place) for *place, tags, _ignored, _ignored, _ignored, _ignored in signatures], day
    )
    before, after = Tally(), Tally()
    policy = changed.on(day)
    for (*_ignored, was_compliant, currency, resources, cost), facts in zip(signatures, decided, strict=True):
        before.add(COMPLIANT if was_compliant else WRONG, currency, resources, cost)
        after.add(COMPLIANT if is_compliant(policy, facts) else WRONG, currency, resources, cost)
    return ChangePreview(month, before, after)


def with_change(row: TagRequirement) -> Policy:
    """The policy as it would be with a rule added or changed."""
    others = [other.as_requirement() for other in TagRequirement.objects.exclude(pk=row.pk)]
    return Policy((*others, row.as_requirement()))

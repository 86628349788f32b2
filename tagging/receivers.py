"""What tagging does when a bill is loaded, and when the tag policy changes."""

from collections.abc import Sequence
from typing import Any

from django.db.models.signals import post_delete, post_save
from django.dispatch import receiver
from django.utils.translation import gettext as _

from costs.charges.build_cost_lines import MonthLines
from costs.models import DeliveryMonth
from costs.signals import cost_data_changed, delivery_loaded
from finops_site.celery import task
from tagging.models import OwnershipRule, TagRequirement
from tagging.ownership import rule_application
from tagging.policy import policy_changes


@receiver(delivery_loaded)
def allocate_loaded_lines(sender: Any, *, lines: MonthLines, **_ignored: Any) -> None:
    rules, tags = rule_application.rules_and_tags_in_force()
    lines.apply_virtual_tags(tags)
    lines.assign_owners(rules)


@receiver(cost_data_changed)
def reallocate_if_rules_changed(sender: Any, *, rows: Sequence[DeliveryMonth], **_ignored: Any) -> None:
    """A bill that was loading while rules were applied may have been allocated by the rules before."""
    if rule_application.rules_changed_during_load(rows):
        rule_application.queue_application(reason=_("Rules changed while a bill was loaded"))


@receiver(cost_data_changed)
def refresh_drafts(sender: Any, **_ignored: Any) -> None:
    task("tagging.tasks.refresh_chargeback").delay_on_commit()


@receiver(cost_data_changed)
def recompute_compliance(sender: Any, **_ignored: Any) -> None:
    policy_changes.queue_refresh()


@receiver([post_save, post_delete], sender=TagRequirement)
def reallocate_by_new_aliases(sender: Any, instance: TagRequirement, **_ignored: Any) -> None:
    """What the policy calls one tag is one for ownership rules: owners are assigned again, and no bill is loaded."""
    if OwnershipRule.objects.filter(is_active=True).exclude(tag_key="").exists():
        rule_application.queue_application(reason=_("The tag policy of {instance} changed").format(instance=instance))

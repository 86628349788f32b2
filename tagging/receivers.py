"""What tagging does when a bill is loaded."""

from typing import Any

from django.dispatch import receiver

from costs.signals import cost_data_changed, delivery_loaded
from tagging import queues
from tagging.chargeback import queues as chargeback_queues
from tagging.ownership import rule_application
from tagging.policy import policy_changes


@receiver(delivery_loaded)
def name_owners(sender: Any, *, lines: Any, **_: Any) -> None:
    rules, tags = rule_application.rules_and_tags_in_force()
    lines.apply_virtual_tags(tags)
    lines.assign_owners(rules)


@receiver(cost_data_changed)
def catch_up(sender: Any, *, rows: Any, **_: Any) -> None:
    """A bill that was loading while rules were applied is asked again: it may know only the rules before."""
    if rule_application.rules_changed_during_load(rows):
        queues.apply(reason="Rules changed while a bill was loaded")


@receiver(cost_data_changed)
def make_drafts_anew(sender: Any, **_: Any) -> None:
    chargeback_queues.refresh_chargeback()


@receiver(cost_data_changed)
def recompute_compliance(sender: Any, **_: Any) -> None:
    policy_changes.queue_refresh()

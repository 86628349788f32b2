"""Saving, removing and reordering ownership rules. Every door (page, API, CSV, admin) comes through here.

Each change counts the version of the rule and queues the application of all rules to the open months.
"""

from collections.abc import Iterable

from django.db import transaction
from django.utils.translation import gettext as _

from finops_site.models import User
from tagging.models import OwnershipRule
from tagging.ownership.rule_application import queue_application


class StaleVersion(Exception):
    """Somebody else saved or removed the rule after it was read: nothing was written."""


@transaction.atomic
def save_rule(rule: OwnershipRule, user: User | None, *, read_version: int | None = None) -> None:
    """Saves a new or changed rule. Raises StaleVersion unless `read_version`, where given, is still the current one."""
    reason = _("{rule} was saved").format(rule=rule.name) if rule.pk else _("{rule} was added").format(rule=rule.name)
    store_version(rule, read_version=read_version)
    queue_application(user, reason)


def store_version(rule: OwnershipRule, *, read_version: int | None = None) -> None:
    """Writes the rule as its next version, inside the transaction of a caller that queues the application."""
    if rule.pk:
        stored = OwnershipRule.objects.select_for_update().filter(pk=rule.pk)
        current = stored.values_list("version", flat=True).first()
        if current is None or read_version not in (None, current):
            raise StaleVersion
        rule.version = current + 1
    rule.save()


@transaction.atomic
def delete_rules(rules: Iterable[OwnershipRule], user: User | None) -> None:
    """Removes rules, one by one, so that the audit log has an entry for each."""
    for rule in rules:
        reason = _("{rule} was removed").format(rule=rule.name)
        rule.delete()
        queue_application(user, reason)


@transaction.atomic
def move_rule(rule: OwnershipRule, before: OwnershipRule | None, user: User | None) -> None:
    """Puts a rule in front of another (None: behind all), and numbers the list again by tens."""
    listed = [other for other in OwnershipRule.objects.select_for_update().order_by("order", "pk") if other != rule]
    at = listed.index(before) if before in listed else len(listed)
    listed.insert(at, rule)
    for order, moved in enumerate(listed, 1):
        if moved.order != order * 10:
            moved.order, moved.version = order * 10, moved.version + 1
            # Saved one by one, so that the audit log has an entry for each.
            moved.save(update_fields=["order", "version"])
    queue_application(user, _("{rule} was moved").format(rule=rule.name))

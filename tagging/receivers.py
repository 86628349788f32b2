"""What tagging does when a bill is loaded."""

from typing import Any

from django.dispatch import receiver

from costs.signals import delivery_loaded
from tagging import services


@receiver(delivery_loaded)
def name_owners(sender: Any, *, lines: Any, **_: Any) -> None:
    rules, tags = services.decision()
    lines.tag(tags)
    lines.own(rules)

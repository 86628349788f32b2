"""What tagging does when a bill is loaded."""

from typing import Any

from django.dispatch import receiver

from costs.signals import delivery_loaded
from tagging.models import OwnershipRule


@receiver(delivery_loaded)
def name_owners(sender: Any, *, lines: Any, **_: Any) -> None:
    lines.own(OwnershipRule.objects.as_rules())

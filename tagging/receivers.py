"""What tagging does when a bill is loaded."""

from typing import Any

from django.dispatch import receiver

from costs.signals import books_changed, delivery_loaded
from tagging import queues
from tagging.models import OwnershipRule


@receiver(delivery_loaded)
def name_owners(sender: Any, *, lines: Any, **_: Any) -> None:
    lines.own(OwnershipRule.objects.as_rules())


@receiver(books_changed)
def make_drafts_anew(sender: Any, **_: Any) -> None:
    queues.refresh_chargeback()

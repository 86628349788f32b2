"""What tags, owners and chargeback wait for people to decide: the rows, and the words for them."""

from typing import Any

from django.urls import reverse

from finops_site.lib.person import Person
from finops_site.registry import PendingDecision
from finops_site.ui.pending_decisions import decision_items
from tagging.models import ChangeSet, Dispute, TagException, VirtualTag


def disputes(user: Person) -> Any:
    return Dispute.objects.visible_to(user).open().select_related("line__statement__period", "line__statement__team")


def disputed(user: Person, rows: Any) -> list[PendingDecision]:
    return decision_items(rows, "A lead disputes a line", "lines are disputed", reverse("tagging:disputes"))


def exceptions(user: Person) -> Any:
    return TagException.objects.visible_to(user).filter(state=TagException.State.REQUESTED)


def excepted(user: Person, rows: Any) -> list[PendingDecision]:
    return decision_items(rows, "An exception is asked for", "exceptions are asked for", reverse("tagging:exceptions"))


def claims(user: Person) -> Any:
    """Tags by which teams claim resources as their own."""
    return VirtualTag.objects.visible_to(user).filter(state=VirtualTag.State.WAITING)


def claimed(user: Person, rows: Any) -> list[PendingDecision]:
    number, url = rows.count(), f"{reverse('tagging:virtual_tags')}?state={VirtualTag.State.WAITING}"
    words = "1 virtual tag waits" if number == 1 else f"{number} virtual tags wait"
    return [PendingDecision(f"{words} for your word", url)]


def change_sets(user: Person) -> Any:
    """Tags for the provider that somebody else prepared."""
    return ChangeSet.objects.visible_to(user).filter(state=ChangeSet.State.REVIEW).exclude(made_by=user)


def prepared(user: Person, rows: Any) -> list[PendingDecision]:
    url = reverse("tagging:change_sets")
    return decision_items(rows, "A change set waits for your review", "change sets wait for your review", url)

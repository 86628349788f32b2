"""Decisions that tagging and chargeback wait for: the rows, and how the home page lists them."""

from decimal import Decimal

from django.db.models import QuerySet
from django.urls import reverse
from django.utils.translation import gettext as _

from finops_site.lib.person import Person
from finops_site.lib.words import counted
from finops_site.registry import PendingDecision
from finops_site.ui.pending_decisions import decision_items
from tagging.models import ChangeSet, Dispute, TagException, VirtualTag


def open_disputes(user: Person) -> QuerySet:
    return Dispute.objects.visible_to(user).open().select_related("line__statement__period", "line__statement__team")


def list_disputes(user: Person, rows: QuerySet) -> list[PendingDecision]:
    url = reverse("tagging:disputes")
    return decision_items(rows, _("A lead disputes a line"), _("lines are disputed"), url, amount_of=_disputed)


def _disputed(dispute: Dispute) -> tuple[Decimal | None, str, str]:
    return dispute.line.document_amount, dispute.line.statement.currency, _("the disputed line")


def _proposed(dispute: Dispute) -> tuple[Decimal | None, str, str]:
    return dispute.proposed_amount, dispute.line.statement.currency, _("the correcting entry")


def proposed_corrections(user: Person) -> QuerySet:
    """Correcting entries above the disputed line that somebody else proposed."""
    rows = Dispute.objects.visible_to(user).proposed().exclude(proposed_by=user).exclude(raised_by=user)
    return rows.select_related("line__statement__period", "line__statement__team")


def list_corrections(user: Person, rows: QuerySet) -> list[PendingDecision]:
    url = reverse("tagging:disputes")
    one, many = _("A correcting entry waits for a second person"), _("correcting entries wait")
    return decision_items(rows, one, many, url, amount_of=_proposed)


def requested_exceptions(user: Person) -> QuerySet:
    return TagException.objects.visible_to(user).filter(state=TagException.State.REQUESTED)


def list_exceptions(user: Person, rows: QuerySet) -> list[PendingDecision]:
    return decision_items(
        rows, _("An exception is requested"), _("exceptions are requested"), reverse("tagging:exceptions")
    )


def waiting_claims(user: Person) -> QuerySet:
    """Tags by which teams claim resources as their own."""
    return VirtualTag.objects.visible_to(user).filter(state=VirtualTag.State.WAITING)


def list_claims(user: Person, rows: QuerySet) -> list[PendingDecision]:
    number, url = rows.count(), f"{reverse('tagging:virtual_tags')}?state={VirtualTag.State.WAITING}"
    waiting = counted(number, "virtual tag waits", "virtual tags wait")
    return [PendingDecision(_("{waiting} for your confirmation").format(waiting=waiting), url)]


def change_sets_in_review(user: Person) -> QuerySet:
    """Tags for the provider that somebody else prepared."""
    return ChangeSet.objects.visible_to(user).filter(state=ChangeSet.State.REVIEW).exclude(made_by=user)


def list_change_sets(user: Person, rows: QuerySet) -> list[PendingDecision]:
    url = reverse("tagging:change_sets")
    return decision_items(rows, _("A change set waits for your review"), _("change sets wait for your review"), url)

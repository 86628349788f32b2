"""Change sets that wait for somebody else's approval, as the home page lists them."""

from django.db.models import QuerySet
from django.urls import reverse
from django.utils.translation import gettext as _

from finops_site.lib.person import Person
from finops_site.registry import PendingDecision
from finops_site.ui.pending_decisions import decision_items
from usage.models import FixSet


def waiting_change_sets(user: Person) -> QuerySet:
    """Those of her teams that somebody else made."""
    return FixSet.objects.visible_to(user).filter(state=FixSet.State.REVIEW).exclude(made_by=user.pk)


def list_change_sets(user: Person, rows: QuerySet) -> list[PendingDecision]:
    one, many = _("Fixes of findings wait for a second person"), _("change sets of findings wait")
    return decision_items(rows, one, many, reverse("usage:change_sets"))

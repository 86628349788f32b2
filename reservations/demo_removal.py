"""What commitments take away of the demo company: its commitments, recommendations, purchases and what they saved."""

from django.db.models import Q, QuerySet
from django.utils.translation import gettext as _

from finops_site.people.demo_rows import counted_rows, delete_unless_held, demo_people, demo_rows
from reservations.models import ApproverLimit, Commitment, Coverage, Plan, PurchaseRequest, StandingOrder


def counts() -> list[tuple[str, int, int]]:
    return [
        counted_rows(_("commitments"), demo_rows(Commitment)),
        counted_rows(_("recommendations"), _plans()),
        counted_rows(_("purchases"), _requests()),
    ]


def _plans() -> QuerySet[Plan]:
    return Plan.objects.filter(Q(pk__in=demo_rows(Plan)) | Q(requested_by__in=demo_people()))


def _requests() -> QuerySet[PurchaseRequest]:
    return PurchaseRequest.objects.filter(Q(pk__in=demo_rows(PurchaseRequest)) | Q(requested_by__in=demo_people()))


def remove_commitments() -> None:
    """Coverage and use of the months that stay are worked out again when the bills have gone."""
    _requests().delete()
    _plans().delete()
    StandingOrder.objects.filter(Q(pk__in=demo_rows(StandingOrder)) | Q(made_by__in=demo_people())).delete()
    demo_rows(ApproverLimit).delete()
    demo_rows(Coverage).delete()
    delete_unless_held(demo_rows(Commitment))

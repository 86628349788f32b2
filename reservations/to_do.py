"""What people of teams should see to about commitments: answers to what they requested, and what is recommended."""

from datetime import timedelta

from django.db.models import F, QuerySet
from django.utils import timezone
from django.utils.translation import gettext as _

from finops_site.lib.person import Person
from finops_site.lib.words import counted
from finops_site.registry import ToDo, Urgency
from reservations.calc import purchase_rules
from reservations.models import Plan, PurchaseEvent, PurchaseRequest
from reservations.querysets import RecommendationQuerySet

# An answer is news for so long.
NEWS = timedelta(days=14)
ANSWERS = {"approve": purchase_rules.APPROVED, "reject": purchase_rules.REJECTED}


def answered_requests(user: Person) -> QuerySet[PurchaseEvent]:
    """What somebody else decided of late about a purchase that she requested."""
    rows = PurchaseEvent.objects.filter(
        request__in=PurchaseRequest.objects.visible_to(user).filter(requested_by=user.pk),
        verb__in=list(ANSWERS),
        at__gte=timezone.now() - NEWS,
    )
    return rows.exclude(by=user.pk)


def list_answers(user: Person, rows: QuerySet[PurchaseEvent], most: int) -> list[ToDo]:
    return [
        ToDo(
            _("{request}: your purchase was {state}").format(
                request=row.request, state=_(purchase_rules.STATES[ANSWERS[row.verb]])
            ),
            row.request.get_absolute_url(),
            row.request.value,
            row.request.currency,
            row.comment or _("over the whole term"),
            Urgency.SOME_DAY,
        )
        for row in rows.select_related("request").order_by("-at")[:most]
    ]


def newest_recommendation(user: Person) -> RecommendationQuerySet:
    """The newest one that is ready for her, where it saves anything."""
    newest = Plan.objects.ready_for(user).order_by("-created_at", "-id").values("pk")[:1]
    rows: RecommendationQuerySet = Plan.objects.filter(pk__in=newest, cost_after__lt=F("cost_before"))
    return rows


def list_recommendations(user: Person, rows: RecommendationQuerySet, most: int) -> list[ToDo]:
    return [
        ToDo(
            _("Commit to what runs all the time, for {whose}: {purchases}").format(
                whose=plan.whose, purchases=counted(plan.item_count(), "purchase")
            ),
            plan.get_absolute_url(),
            plan.saving / 12 if plan.saving else None,
            plan.currency,
            _("saved a month, at indicative prices") if plan.is_indicative else _("saved a month"),
            Urgency.SOME_DAY,
        )
        for plan in rows.select_related("team")[:most]
    ]

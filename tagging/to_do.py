"""What people of teams should see to: a new statement, answers to their disputes, resources that lack tags."""

from datetime import timedelta

from django.db.models import QuerySet
from django.utils import timezone
from django.utils.translation import gettext as _

from finops_site.lib.periods import Month
from finops_site.lib.person import Person
from finops_site.lib.words import in_sentence, some_of
from finops_site.models import Membership
from finops_site.registry import ToDo, Urgency
from finops_site.ui.figures import month_text
from finops_site.ui.request_memo import request_memo
from tagging.models import ChargebackPeriod, Dispute, Statement, TaggedResource
from tagging.models.policy import TaggedResourceQuerySet
from tagging.policy import compliance_figures
from tagging.policy.explanations import Explainer

# A statement, or an answer, is news for so long.
NEWS = timedelta(days=14)


def new_statements(user: Person) -> QuerySet[Statement]:
    """The statements of the month that was closed last, of the teams she leads, while they are new."""
    led = Membership.objects.filter(user=user.pk, role=Membership.Role.LEAD).values("team")
    last = ChargebackPeriod.objects.closed().order_by("-billing_month").values("pk")[:1]
    return Statement.objects.filter(team__in=led, period=last, period__closed_at__gte=timezone.now() - NEWS)


def list_statements(user: Person, rows: QuerySet[Statement], most: int) -> list[ToDo]:
    return [
        ToDo(
            _("{team_name}: statement of {month_text}").format(
                team_name=row.team_name, month_text=month_text(row.period.billing_month, "long")
            ),
            row.get_absolute_url(),
            row.document_total,
            row.currency,
            _("charged to your team: dispute a line that is wrong"),
        )
        for row in rows.select_related("period").order_by("-document_total", "pk")[:most]
    ]


def answered_disputes(user: Person) -> QuerySet[Dispute]:
    """What finance answered of late to what she disputed."""
    states = (Dispute.State.ANSWERED, Dispute.State.CORRECTED)
    return Dispute.objects.visible_to(user).filter(
        raised_by=user.pk, state__in=states, resolved_at__gte=timezone.now() - NEWS
    )


def list_answers(user: Person, rows: QuerySet[Dispute], most: int) -> list[ToDo]:
    return [
        ToDo(
            _("{line}: your dispute was {state}").format(
                line=row.line.label, state=in_sentence(row.get_state_display())
            ),
            row.get_absolute_url(),
            row.line.document_amount,
            row.line.statement.currency,
            _("disputed in {statement}").format(statement=row.line.statement),
            Urgency.SOME_DAY,
        )
        for row in rows.select_related("line__statement__period").order_by("-resolved_at")[:most]
    ]


def resources_without_tags(user: Person) -> TaggedResourceQuerySet:
    """The resources of the latest month that do not comply."""
    today = timezone.now().date()
    month = _latest_month(user)
    rows = TaggedResource.objects.visible_to(user)
    none: TaggedResourceQuerySet = rows.none()
    return rows.in_month(month).wrong(today) if month else none


def _latest_month(user: Person) -> Month | None:
    today = timezone.now().date()
    return request_memo(user, "month of tags", lambda: compliance_figures.month_for("", today))


def list_resources(user: Person, rows: TaggedResourceQuerySet, most: int) -> list[ToDo]:
    """The dearest first."""
    explainer, month = Explainer(), _latest_month(user)
    dearest = rows.select_related("verdict", "tag_set").order_by("-cost", "-id")[:most]
    return [
        ToDo(
            _("{row}: {value} to tag").format(
                row=row, value=some_of([status.tag for status in explainer.wrong(row)], 3)
            ),
            f"{row.get_absolute_url()}?month={month}",
            row.cost,
            row.currency,
            _("in {month_text} without right tags").format(month_text=month_text(row.charge_month)),
            Urgency.SOME_DAY,
        )
        for row in dearest
    ]

"""What tagging takes away of the demo company: rules, splits, metrics, statements, fixes of tags."""

from django.db.models import Model, Q, QuerySet
from django.utils.translation import gettext as _

from finops_site.people.audit import is_changed_by_people
from finops_site.people.demo_rows import counted_rows, delete_unless_held, demo_people, demo_rows, demo_teams
from tagging.chargeback import draft_statements
from tagging.models import (
    Adjustment,
    Allocation,
    ChangeSet,
    ChargebackPeriod,
    ComplianceMonth,
    ComplianceRollup,
    Dispute,
    Metric,
    MetricValue,
    OwnershipRule,
    Split,
    Statement,
    StatementDocument,
    StatementLine,
    Suggestion,
    SuggestionDecision,
    TagDigest,
    TagException,
    TaggedResource,
    TagIssue,
    TagRequirement,
    VirtualTag,
    VirtualTagBatch,
)
from tagging.ownership import rule_application
from tagging.policy import compliance


def counts() -> list[tuple[str, int, int]]:
    return [
        counted_rows(_("ownership rules"), demo_rows(OwnershipRule)),
        counted_rows(_("splits"), demo_rows(Split)),
        counted_rows(_("metrics"), demo_rows(Metric)),
        _closed_months(),
        counted_rows(_("virtual tags"), _of_demo(VirtualTag, "made_by")),
    ]


def _closed_months() -> tuple[str, int, int]:
    closed = ChargebackPeriod.objects.filter(state=ChargebackPeriod.State.CLOSED)
    goes = closed.filter(pk__in=_periods()).count()
    return _("closed months"), goes, closed.count() - goes


def _of_demo(model: type[Model], *by: str) -> QuerySet:
    """What the demo made and what its people did since."""
    condition = Q(pk__in=demo_rows(model))
    for name in by:
        condition |= Q(**{f"{name}__in": demo_people()})
    return model._base_manager.filter(condition)


def _periods() -> QuerySet[ChargebackPeriod]:
    """Months that the demo or its people closed or set aside, and drafts: those are written again from the bills."""
    draft = ChargebackPeriod.objects.filter(state=ChargebackPeriod.State.DRAFT)
    return _of_demo(ChargebackPeriod, "closed_by", "set_aside_by") | draft


def remove_rules_and_statements() -> None:
    periods = list(_periods().values_list("pk", flat=True))
    statements = Statement.objects.filter(period__in=periods)
    lines = StatementLine.objects.filter(
        Q(statement__in=statements) | Q(of_period__in=periods) | Q(corrects__in=statements)
    )
    delete_unless_held(Adjustment.objects.filter(Q(period__in=periods) | Q(dispute__line__in=lines)))
    delete_unless_held(Dispute.objects.filter(line__in=lines))
    StatementDocument.objects.filter(period__in=periods).delete()
    lines.exclude(disputes__isnull=False).delete()
    delete_unless_held(Statement.objects.filter(period__in=periods))
    delete_unless_held(ChargebackPeriod.objects.filter(pk__in=periods))
    closed = ChargebackPeriod.objects.closed().values("billing_month")
    Allocation.objects.exclude(billing_month__in=closed).delete()
    for model in (TagIssue, TagDigest, Suggestion, MetricValue, Split, Metric, OwnershipRule):
        delete_unless_held(demo_rows(model)) if model is Metric else demo_rows(model).delete()
    delete_unless_held(_of_demo(ChangeSet, "made_by"))
    delete_unless_held(_of_demo(VirtualTag, "made_by"))
    delete_unless_held(_of_demo(VirtualTagBatch, "made_by"))
    SuggestionDecision.objects.filter(pk__in=_of_demo(SuggestionDecision, "by")).delete()
    TagException.objects.filter(Q(pk__in=_of_demo(TagException, "owner")) | Q(team__in=demo_teams())).delete()
    if not is_changed_by_people(TagRequirement):
        # What the demo asks for is its teams and cost centres: back to the policy that the product starts with.
        TagRequirement.objects.filter(key__in=["Environment", "Team", "CostCenter"]).update(
            allowed_values=[], value_aliases={}, pattern=""
        )


def assign_owners_again() -> None:
    """Real bills without the demo's rules, and compliance and drafts without its bills."""
    for _month in rule_application.reallocate_open_months():
        pass
    for model in (TaggedResource, ComplianceRollup, ComplianceMonth):
        rows = model._base_manager.all()
        rows._raw_delete(rows.db)
    compliance.refresh_compliance()
    draft_statements.refresh_stale_drafts()

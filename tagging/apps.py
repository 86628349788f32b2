from typing import Any

from celery.schedules import crontab

from finops_site.people.roles import ADMINISTRATOR, ENGINEERING, EVERYBODY, FINANCE
from finops_site.pillars import PillarConfig
from finops_site.registry import (
    AdviceSource,
    DemoStep,
    Kpi,
    NavItem,
    NavSection,
    NightlyCheck,
    Panel,
    PendingDecisionSource,
    ReportSection,
    registry,
)

SECTION = "Tags and owners"
RULE_OWNERSHIP = {
    "tagging.change_fixer",
    "tagging.add_ownershiprule",
    "tagging.change_ownershiprule",
    "tagging.delete_ownershiprule",
}
# Splits say who shares a pool, closing makes a month final: both are finance's alone.
CHARGE_BACK = {
    "tagging.add_split",
    "tagging.change_split",
    "tagging.delete_split",
    "tagging.close_chargebackperiod",
    "tagging.change_dispute",
    "tagging.change_journalaccount",
}
FIX_TAGS = {"tagging.decide_suggestion", "tagging.add_virtualtag", "tagging.add_changeset", "tagging.approve_changeset"}
RULE_TAGS = {
    "tagging.add_tagrequirement",
    "tagging.change_tagrequirement",
    "tagging.delete_tagrequirement",
    "tagging.decide_tagexception",
}


class TaggingConfig(PillarConfig):
    name = "tagging"
    urls = "tagging.urls"
    api_urls = "tagging.api_urls"
    permissions = {
        # What every role sees, each in its own rows.
        EVERYBODY: {
            "tagging.view_statement",
            "tagging.view_dispute",
            "tagging.view_split",
            "tagging.view_tagrequirement",
            "tagging.view_tagexception",
            "tagging.view_suggestion",
            "tagging.view_virtualtag",
            "tagging.view_changeset",
            "tagging.view_metric",
        },
        ADMINISTRATOR: {
            "tagging.view_ownershiprule",
            "tagging.view_taggingaccess",
            "tagging.add_taggingaccess",
            "tagging.change_taggingaccess",
            "tagging.delete_taggingaccess",
        },
        FINANCE: CHARGE_BACK
        | RULE_OWNERSHIP
        | RULE_TAGS
        | FIX_TAGS
        | {
            "tagging.view_ownershiprule",
            "tagging.confirm_virtualtag",
            "tagging.add_metric",
            "tagging.change_metric",
        },
        # Whoever leads the team may dispute: leading is a membership, not a role.
        ENGINEERING: FIX_TAGS
        | {
            "tagging.view_ownershiprule",
            "tagging.add_dispute",
            "tagging.add_tagexception",
            "tagging.apply_changeset",
        },
    }
    never_for_administrators = CHARGE_BACK | RULE_OWNERSHIP | RULE_TAGS
    schedule = {
        "resume-applications-of-rules-every-minute": {
            "task": "tagging.tasks.resume_applications",
            "schedule": crontab(),
        },
        # What the signal and the commit hand over at once, and a lost broker must not lose.
        "draft-statements-every-ten-minutes": {
            "task": "tagging.tasks.refresh_chargeback",
            "schedule": crontab(minute="*/10"),
        },
        "statements-to-leads-every-ten-minutes": {
            "task": "tagging.tasks.post_statements",
            "schedule": crontab(minute="5-59/10"),
        },
        "resume-remediation-every-minute": {
            "task": "tagging.tasks.resume_remediation",
            "schedule": 60,
        },
        "suggest-tags-every-hour": {
            "task": "tagging.tasks.suggest_tags",
            "schedule": crontab(minute=23),
        },
        "refresh-tag-compliance-every-five-minutes": {
            "task": "tagging.tasks.refresh_compliance",
            "schedule": crontab(minute="*/5"),
        },
        "tag-digests-every-monday": {
            "task": "tagging.tasks.post_tag_digests",
            "schedule": crontab(hour=7, minute=30, day_of_week=1),
        },
    }
    enum_names = {"ChargebackState": "tagging.models.chargeback.ChargebackPeriod.State"}

    def ready(self) -> None:
        from auditlog.registry import auditlog

        from costs import reconciliation
        from tagging import pending_decisions, receivers  # noqa: F401
        from tagging.chargeback import panels as chargeback_panels
        from tagging.chargeback import statement_checks

        for name in ("OwnershipRule", "Fixer", "Split", "SplitPart", "Dispute", "Adjustment", "JournalAccount"):
            auditlog.register(self.get_model(name))
        # What is computed is no decision of anybody.
        auditlog.register(self.get_model("ChargebackPeriod"), exclude_fields=["books", "problems", "computed_at"])

        for name in (
            "VirtualTag",
            "VirtualTagBatch",
            "SuggestionDecision",
            "ChangeSet",
            "TaggingAccess",
            "Metric",
            "MetricValue",
        ):
            auditlog.register(self.get_model(name))

        reconciliation.register_checks(statement_checks.check_statements)
        registry.add(
            NavSection(SECTION, 30),
            PendingDecisionSource(
                "disputes", pending_decisions.disputes, pending_decisions.disputed, "tagging.change_dispute", 40
            ),
            PendingDecisionSource(
                "exceptions",
                pending_decisions.exceptions,
                pending_decisions.excepted,
                "tagging.decide_tagexception",
                41,
            ),
            PendingDecisionSource(
                "claims", pending_decisions.claims, pending_decisions.claimed, "tagging.confirm_virtualtag", 42
            ),
            PendingDecisionSource(
                "change sets",
                pending_decisions.change_sets,
                pending_decisions.prepared,
                "tagging.approve_changeset",
                43,
            ),
        )
        may_see = "tagging.view_statement"
        registry.add(
            NavItem("Chargeback", "tagging:chargeback", "receipt-2", may_see, 48, SECTION),
            Panel("statement", "tagging/panels/statement.html", chargeback_panels.statement_panel, may_see, 45),
            ReportSection(
                "chargeback", "Chargeback", "tagging/panels/report.html", chargeback_panels.report_section, may_see, 60
            ),
            # After the bills, the splits and the metrics.
            DemoStep("chargeback", _make_demo_chargeback, 80),
        )
        for name in ("TagRequirement", "TagException"):
            auditlog.register(self.get_model(name))

        self._register_remediation()
        registry.add(
            NavItem("Ownership", "tagging:ownership", "hierarchy-2", "tagging.view_ownershiprule", 47, SECTION),
            # Before the bills: owners are named while a bill is loaded.
            DemoStep("ownership rules", _make_demo_rules, 40),
        )
        self._register_policy()

    def _register_policy(self) -> None:
        """The tag policy: its pages, its figures, and its names of tags for the explorer."""
        from costs.query import spend
        from tagging.models import TagRequirement
        from tagging.policy import panels as policy_panels
        from tagging.policy import reminders

        may_see = "costs.view_costline"
        spend.aliases_from(TagRequirement.objects.key_aliases)
        registry.add(
            NavItem("Tag compliance", "tagging:overview", "tags", may_see, 40, SECTION),
            NavItem("Resources to fix", "tagging:resources", "clipboard-check", may_see, 41, SECTION),
            NavItem("Tag policy", "tagging:policy", "certificate", "tagging.view_tagrequirement", 46, SECTION),
            NavItem("Exceptions", "tagging:exceptions", "clock", may_see, 45, SECTION),
            Panel("tags", "tagging/panels/to_fix.html", policy_panels.resources_to_fix, may_see, 45),
            Kpi("tag-compliance", "Tag compliance", policy_panels.compliance_kpi, may_see, 20),
            ReportSection(
                "tags", "Tag compliance", "tagging/report.html", policy_panels.compliance_report, may_see, 40
            ),
            AdviceSource("tags", policy_panels.tagging_advice, may_see, 60),
            NightlyCheck("tags", reminders.nightly_check, 30),
            DemoStep("tag policy", _make_demo_policy, 55),
        )

    def _register_remediation(self) -> None:
        """Suggestions, virtual tags, change sets and unit costs."""
        registry.add(
            NavItem("Suggestions", "tagging:suggestions", "bulb", "tagging.view_suggestion", 42, SECTION),
            NavItem("Virtual tags", "tagging:virtual_tags", "sparkles", "tagging.view_virtualtag", 43, SECTION),
            NavItem("Change sets", "tagging:change_sets", "cloud-upload", "tagging.view_changeset", 44, SECTION),
            NavItem("Unit costs", "tagging:unit_costs", "scale", "tagging.view_metric", 49, SECTION),
            DemoStep("tag suggestions and counts", _make_demo_suggestions, 65),
        )


def _make_demo_suggestions(say: Any, *, as_of: Any) -> None:
    from tagging.remediation import demo as remediation_demo

    remediation_demo.make_suggestions_and_metrics(say, as_of=as_of)


def _make_demo_rules(say: Any, *, as_of: Any) -> None:
    from tagging.ownership import demo as ownership_demo

    ownership_demo.make_ownership_rules(say, as_of=as_of)


def _make_demo_chargeback(say: Any, *, as_of: Any) -> None:
    from tagging.chargeback import demo as chargeback_demo

    chargeback_demo.make_chargeback(say, as_of=as_of)


def _make_demo_policy(say: Any, *, as_of: Any) -> None:
    from tagging.policy import demo as policy_demo

    policy_demo.make_tag_policy(say, as_of=as_of)

from typing import Any

from django.apps import AppConfig

from finops_site.registry import Advice, DemoStep, Kpi, NavItem, Panel, PendingDecisions, ReportSection, registry

SECTION = "Tags and owners"


class TaggingConfig(AppConfig):
    name = "tagging"

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

        reconciliation.also_check(statement_checks.check_statements)
        registry.add(
            PendingDecisions(
                "disputes", pending_decisions.disputes, pending_decisions.disputed, "tagging.change_dispute", 40
            ),
            PendingDecisions(
                "exceptions",
                pending_decisions.exceptions,
                pending_decisions.excepted,
                "tagging.decide_tagexception",
                41,
            ),
            PendingDecisions(
                "claims", pending_decisions.claims, pending_decisions.claimed, "tagging.confirm_virtualtag", 42
            ),
            PendingDecisions(
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

        self._bring_fixes()
        registry.add(
            NavItem("Ownership", "tagging:ownership", "hierarchy-2", "tagging.view_ownershiprule", 47, SECTION),
            # Before the bills: owners are named while a bill is loaded.
            DemoStep("ownership rules", _make_demo_rules, 40),
        )
        self._bring_tags()

    def _bring_tags(self) -> None:
        """The tag policy: its pages, its figures, and its names of tags for the explorer."""
        from costs.query import spend
        from tagging.policy import panels as policy_panels
        from tagging.policy.tag_aliases import aliases

        may_see = "costs.view_costline"
        spend.aliases_from(aliases)
        registry.add(
            NavItem("Tag compliance", "tagging:overview", "tags", may_see, 40, SECTION),
            NavItem("Resources to fix", "tagging:resources", "clipboard-check", may_see, 41, SECTION),
            NavItem("Tag policy", "tagging:policy", "certificate", "tagging.view_tagrequirement", 46, SECTION),
            NavItem("Exceptions", "tagging:exceptions", "clock", may_see, 45, SECTION),
            Panel("tags", "tagging/panels/to_fix.html", policy_panels.to_fix, may_see, 45),
            Kpi("tag-compliance", "Tag compliance", policy_panels.compliance_kpi, may_see, 20),
            ReportSection("tags", "Tag compliance", "tagging/report.html", policy_panels.report, may_see, 40),
            Advice("tags", policy_panels.advice, may_see, 60),
            DemoStep("tag policy", _make_demo_policy, 55),
        )

    def _bring_fixes(self) -> None:
        """Suggestions, virtual tags, change sets and unit costs."""
        registry.add(
            NavItem("Suggestions", "tagging:suggestions", "bulb", "tagging.view_suggestion", 42, SECTION),
            NavItem("Virtual tags", "tagging:virtual_tags", "sparkles", "tagging.view_virtualtag", 43, SECTION),
            NavItem("Change sets", "tagging:change_sets", "cloud-upload", "tagging.view_changeset", 44, SECTION),
            NavItem("Unit costs", "tagging:unit_costs", "scale", "tagging.view_metric", 49, SECTION),
            DemoStep("tag suggestions and counts", _make_demo_fixes, 65),
        )


def _make_demo_fixes(say: Any, *, as_of: Any) -> None:
    from tagging.remediation import demo as remediation_demo

    remediation_demo.make(say, as_of=as_of)


def _make_demo_rules(say: Any, *, as_of: Any) -> None:
    from tagging.ownership import demo as ownership_demo

    ownership_demo.make_ownership_rules(say, as_of=as_of)


def _make_demo_chargeback(say: Any, *, as_of: Any) -> None:
    from tagging.chargeback import demo as chargeback_demo

    chargeback_demo.make_chargeback(say, as_of=as_of)


def _make_demo_policy(say: Any, *, as_of: Any) -> None:
    from tagging.policy import demo as policy_demo

    policy_demo.make(say, as_of=as_of)

from typing import Any

from django.apps import AppConfig

from finops_site.registry import DemoStep, NavItem, Panel, ReportSection, registry


class TaggingConfig(AppConfig):
    name = "tagging"

    def ready(self) -> None:
        from auditlog.registry import auditlog

        from costs import books
        from tagging import chargeback_books, chargeback_panels, receivers  # noqa: F401

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
            "MetricValue",
        ):
            auditlog.register(self.get_model(name))

        books.also_check(chargeback_books.checks)
        may_see = "tagging.view_statement"
        registry.add(
            NavItem("Chargeback", "tagging:chargeback", "receipt-2", may_see, 60, "Tags and owners"),
            Panel("statement", "tagging/panels/statement.html", chargeback_panels.statement, may_see, 45),
            ReportSection(
                "chargeback", "Chargeback", "tagging/panels/report.html", chargeback_panels.report, may_see, 60
            ),
            # After the bills, the splits and the metrics.
            DemoStep("chargeback", _make_demo_chargeback, 80),
        )

        # Before the bills: owners are named while a bill is loaded.
        registry.add(NavItem("Ownership", "tagging:ownership", "hierarchy-2", "tagging.view_ownershiprule", 30))
        registry.add(DemoStep("ownership rules", _make_demo_rules, 40))


def _make_demo_rules(say: Any, *, as_of: Any) -> None:
    from tagging import demo

    demo.make_ownership_rules(say, as_of=as_of)


def _make_demo_chargeback(say: Any, *, as_of: Any) -> None:
    from tagging import demo_chargeback

    demo_chargeback.make(say, as_of=as_of)

from typing import Any

from django.apps import AppConfig

from finops_site.registry import DemoStep, NavItem, registry


class TaggingConfig(AppConfig):
    name = "tagging"

    def ready(self) -> None:
        from auditlog.registry import auditlog

        from tagging import receivers  # noqa: F401

        for name in ("OwnershipRule", "ChargebackPeriod", "Fixer"):
            auditlog.register(self.get_model(name))

        for name in (
            "VirtualTag",
            "VirtualTagBatch",
            "SuggestionDecision",
            "ChangeSet",
            "TaggingAccess",
            "MetricValue",
        ):
            auditlog.register(self.get_model(name))

        self._bring_fixes()
        # Before the bills: owners are named while a bill is loaded.
        registry.add(NavItem("Ownership", "tagging:ownership", "hierarchy-2", "tagging.view_ownershiprule", 30))
        registry.add(DemoStep("ownership rules", _make_demo_rules, 40))

    def _bring_fixes(self) -> None:
        """Suggestions, virtual tags, change sets and unit costs."""
        section = "Tags and owners"
        registry.add(
            NavItem("Suggestions", "tagging:suggestions", "bulb", "tagging.view_suggestion", 44, section),
            NavItem("Virtual tags", "tagging:virtual_tags", "sparkles", "tagging.view_virtualtag", 45, section),
            NavItem("Change sets", "tagging:change_sets", "cloud-upload", "tagging.view_changeset", 46, section),
            NavItem("Unit costs", "tagging:unit_costs", "scale", "tagging.view_metric", 49, section),
            DemoStep("tag suggestions and counts", _make_demo_fixes, 65),
        )


def _make_demo_fixes(say: Any, *, as_of: Any) -> None:
    from tagging import demo_fixing

    demo_fixing.make(say, as_of=as_of)


def _make_demo_rules(say: Any, *, as_of: Any) -> None:
    from tagging import demo

    demo.make_ownership_rules(say, as_of=as_of)

from typing import Any

from django.apps import AppConfig

from finops_site.registry import (
    DemoStep,
    HealthCheck,
    Kpi,
    NavItem,
    NightlyCheck,
    Panel,
    ReportMonths,
    ReportSection,
    registry,
)


class CostsConfig(AppConfig):
    name = "costs"

    def ready(self) -> None:
        from auditlog.registry import auditlog

        from costs import health
        from costs.web import panels, report_section

        auditlog.register(self.get_model("Pool"))

        may_see = "costs.view_costline"
        registry.add(
            NavItem("Costs", "costs:explorer", "chart-bar", may_see, 20, "Costs"),
            NavItem("Cost lines", "costs:lines", "list-details", may_see, 21, "Costs"),
            NavItem("Teams", "costs:teams", "users-group", may_see, 22, "Costs"),
            NavItem("Deliveries", "costs:deliveries", "file-invoice", "costs.view_delivery", 23, "Bills"),
            NavItem("Sources", "costs:sources", "plug", "costs.view_source", 24, "Bills"),
            NavItem("Exchange rates", "costs:rates", "exchange", "costs.view_source", 25, "Bills"),
            Panel("spending", "costs/panels/spending.html", panels.spending, may_see, 10),
            Panel("course", "costs/panels/course.html", panels.course, may_see, 20),
            Panel("changed", "costs/panels/changed.html", panels.changed, may_see, 30),
            Panel("by-team", "costs/panels/by_team.html", panels.by_team, may_see, 40),
            Panel("my-teams", "costs/panels/my_teams.html", panels.my_teams, may_see, 41),
            Panel("deliveries", "costs/panels/deliveries.html", panels.deliveries, "costs.view_delivery", 50),
            Kpi("owned-cost", "Cost with an owner", report_section.owned_share, "costs.view_company", 10),
            ReportMonths("costs", report_section.months, may_see, newest=report_section.newest),
            ReportSection("spend", "Spend", "", report_section.spending, may_see, 10),
            ReportSection("by-team", "By team", "", report_section.by_team, may_see, 11),
            ReportSection("by-service", "By service", "", report_section.by_service, may_see, 12),
            ReportSection("changed", "What changed", "", report_section.changed, may_see, 13),
            NightlyCheck("books", health.reconcile_nightly, 10),
            HealthCheck("sources", "Sources of bills", health.sources, 20),
            DemoStep("bills", _load_demo_bills, 50),
        )


def _load_demo_bills(say: Any, *, as_of: Any) -> None:
    from costs.ingest import demo

    demo.load_demo_bills(say, as_of=as_of)

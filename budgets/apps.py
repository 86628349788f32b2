from typing import Any

from django.apps import AppConfig

from finops_site.registry import BudgetSource, DemoStep, Kpi, NavItem, Panel, PendingDecisions, ReportSection, registry


class BudgetsConfig(AppConfig):
    name = "budgets"

    def ready(self) -> None:
        from auditlog.registry import auditlog

        from budgets import panels, receivers  # noqa: F401

        for name in ("Budget", "BudgetPeriod", "Threshold", "Recipient", "Anomaly"):
            auditlog.register(
                self.get_model(name),
                exclude_fields=["judged_as_of"] if name == "Budget" else [],
                # The address of a channel is as good as a key.
                mask_fields=["url"] if name == "Recipient" else [],
                mask_callable="budgets.alerts.masking.only_the_host" if name == "Recipient" else None,
            )
        may_see, table = "budgets.view_budget", "budgets/panels/budgets.html"
        registry.add(
            NavItem("Budgets", "budgets:budgets", "target", may_see, 30, "Budgets"),
            NavItem("Alerts", "budgets:alerts", "bell", "budgets.view_alert", 31, "Budgets"),
            NavItem("Anomalies", "budgets:anomalies", "trending-up", "budgets.view_alert", 31, "Budgets"),
            NavItem("Year", "budgets:finance", "report-money", may_see, 32, "Budgets"),
            Panel("budgets", table, panels.budgets, may_see, 15),
            Kpi("budget-variance", "Budget variance", panels.variance_measure, may_see, 20),
            Kpi("alert-response", "Alert response time", panels.response_measure, "budgets.view_alert", 21),
            ReportSection("budgets", "Budgets", table, panels.report, may_see, 20),
            BudgetSource("budgets", panels.of_team, may_see),
            PendingDecisions("budgets", panels.proposed, panels.proposals, "budgets.approve_budget", 30),
            DemoStep("budgets", _make_demo_budgets, 70),
        )


def _make_demo_budgets(say: Any, *, as_of: Any) -> None:
    from budgets import demo

    demo.make_budgets(say, as_of=as_of)

from collections.abc import Callable
from datetime import date

from django.apps import AppConfig

from finops_site.registry import (
    BudgetSource,
    DemoStep,
    Kpi,
    NavItem,
    NightlyCheck,
    Panel,
    PendingDecisions,
    ReportSection,
    registry,
)


class BudgetsConfig(AppConfig):
    name = "budgets"

    def ready(self) -> None:
        from auditlog.registry import auditlog

        from budgets import nightly_checks, panels, receivers  # noqa: F401

        for name in ("Budget", "BudgetPeriod", "Threshold", "Recipient", "Anomaly"):
            auditlog.register(
                self.get_model(name),
                exclude_fields=["evaluated_as_of"] if name == "Budget" else [],
                # The address of a channel is as secret as a key.
                mask_fields=["url"] if name == "Recipient" else [],
                mask_callable="budgets.alerts.masking.only_the_host" if name == "Recipient" else None,
            )
        may_see, table = "budgets.view_budget", "budgets/panels/budgets.html"
        registry.add(
            NavItem("Budgets", "budgets:budgets", "target", may_see, 30, "Budgets"),
            NavItem("Alerts", "budgets:alerts", "bell", "budgets.view_alert", 31, "Budgets"),
            NavItem("Anomalies", "budgets:anomalies", "trending-up", "budgets.view_alert", 31, "Budgets"),
            NavItem("Annual plan", "budgets:annual_plan", "report-money", may_see, 32, "Budgets"),
            Panel("budgets", table, panels.budgets_panel, may_see, 15),
            Kpi("budget-variance", "Budget variance", panels.variance_measure, may_see, 20),
            Kpi("alert-response", "Alert response time", panels.response_measure, "budgets.view_alert", 21),
            ReportSection("budgets", "Budgets", table, panels.budgets_report, may_see, 20),
            BudgetSource("budgets", panels.team_budgets, may_see),
            PendingDecisions(
                "budgets", panels.proposed_budgets, panels.proposal_decisions, "budgets.approve_budget", 30
            ),
            NightlyCheck("budgets", nightly_checks.evaluate_budgets, 20),
            NightlyCheck("anomalies", nightly_checks.detect_new_anomalies, 21),
            DemoStep("budgets", make_demo_budgets, 70),
        )


def make_demo_budgets(say: Callable[[str], object], *, as_of: date) -> None:
    from budgets import demo

    demo.make_budgets(say, as_of=as_of)

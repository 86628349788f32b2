from collections.abc import Callable
from datetime import date

from celery.schedules import crontab

from finops_site.people.roles import ENGINEERING, EVERYBODY, FINANCE
from finops_site.pillars import PillarConfig
from finops_site.registry import (
    BudgetSource,
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

CHANGE_BUDGETS = {
    "budgets.add_budget",
    "budgets.change_budget",
    "budgets.approve_budget",
    "budgets.propose_budget",
    "budgets.change_alert",
}


class BudgetsConfig(PillarConfig):
    name = "budgets"
    urls = "budgets.urls"
    api_urls = "budgets.api.urls"
    permissions = {
        # What every role sees, each in its own rows.
        EVERYBODY: {"budgets.view_budget", "budgets.view_alert"},
        FINANCE: CHANGE_BUDGETS,
        # A proposal is for a team she leads; anybody who sees an alert may acknowledge it.
        ENGINEERING: {"budgets.propose_budget", "budgets.change_alert"},
    }
    never_for_administrators = CHANGE_BUDGETS
    schedule = {
        "send-alert-notifications-every-ten-minutes": {
            "task": "budgets.tasks.send_notifications",
            "schedule": crontab(minute="5-59/10"),
        },
        "escalate-alerts-every-hour": {
            "task": "budgets.tasks.escalate_alerts",
            "schedule": crontab(minute=17),
        },
        "notify-of-ignored-thresholds-every-week": {
            "task": "budgets.tasks.notify_of_ignored_thresholds",
            "schedule": crontab(hour=7, minute=30, day_of_week="mon"),
        },
    }

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
            NavSection("Budgets", 20),
            NavItem("Budgets", "budgets:budgets", "target", may_see, 30, "Budgets"),
            NavItem("Alerts", "budgets:alerts", "bell", "budgets.view_alert", 31, "Budgets"),
            NavItem("Anomalies", "budgets:anomalies", "trending-up", "budgets.view_alert", 31, "Budgets"),
            NavItem("Annual plan", "budgets:annual_plan", "report-money", may_see, 32, "Budgets"),
            Panel("budgets", table, panels.budgets_panel, may_see, 15),
            Kpi("budget-variance", "Budget variance", panels.variance_measure, may_see, 21),
            Kpi("alert-response", "Alert response time", panels.response_measure, "budgets.view_alert", 22),
            ReportSection("budgets", "Budgets", table, panels.budgets_report, may_see, 20),
            BudgetSource("budgets", panels.team_budgets, may_see),
            PendingDecisionSource(
                "budgets", panels.proposed_budgets, panels.proposal_decisions, "budgets.approve_budget", 30
            ),
            NightlyCheck("budgets", nightly_checks.evaluate_budgets, 20),
            NightlyCheck("anomalies", nightly_checks.detect_new_anomalies, 21),
            DemoStep("budgets", make_demo_budgets, 70),
        )


def make_demo_budgets(say: Callable[[str], object], *, as_of: date) -> None:
    from budgets import demo

    demo.make_budgets(say, as_of=as_of)

from typing import Any

from celery.schedules import crontab

from finops_site.people.roles import ENGINEERING, EVERYBODY, FINANCE
from finops_site.pillars import PillarConfig
from finops_site.registry import (
    AdviceSource,
    DemoStep,
    KnownChangeSource,
    Kpi,
    NavItem,
    NavSection,
    NightlyCheck,
    PendingDecisionSource,
    ReportSection,
    registry,
)

# Asked for by one, approved by another, and bought by finance alone.
BUY = {
    "reservations.add_purchaserequest",
    "reservations.approve_purchaserequest",
    "reservations.buy_purchaserequest",
    "reservations.change_buyingpolicy",
    "reservations.view_approverlimit",
    "reservations.add_approverlimit",
    "reservations.change_approverlimit",
    "reservations.add_standingorder",
    "reservations.change_standingorder",
}


class ReservationsConfig(PillarConfig):
    name = "reservations"
    urls = "reservations.urls"
    api_urls = "reservations.api.urls"
    permissions = {
        # What every role sees, each in its own rows.
        EVERYBODY: {
            "reservations.view_commitment",
            "reservations.view_plan",
            "reservations.view_rate",
            "reservations.view_purchaserequest",
            "reservations.view_standingorder",
            "reservations.view_ledgermonth",
        },
        FINANCE: BUY | {"reservations.add_commitment", "reservations.add_plan", "reservations.add_rate"},
        ENGINEERING: {"reservations.add_plan", "reservations.add_purchaserequest"},
    }
    never_for_administrators = BUY
    schedule = {
        "refresh-commitments-every-ten-minutes": {
            "task": "reservations.tasks.refresh_commitments",
            "schedule": crontab(minute="*/10"),
        },
        "sweep-purchases-every-minute": {
            "task": "reservations.tasks.sweep_purchases",
            "schedule": crontab(),
        },
        "run-standing-orders-every-morning": {
            "task": "reservations.tasks.run_standing_orders",
            "schedule": crontab(hour=6, minute=40),
        },
    }
    enum_names = {"CommitmentKind": "reservations.calc.terms.KIND_CHOICES"}

    def ready(self) -> None:
        from auditlog.registry import auditlog

        from costs import reconciliation
        from reservations import panels, receivers  # noqa: F401
        from reservations.inventory import known_changes
        from reservations.savings import ledger

        auditlog.register(self.get_model("Commitment"))
        auditlog.register(self.get_model("Rate"))
        for name in ("BuyingPolicy", "ApproverLimit", "StandingOrder"):
            auditlog.register(self.get_model(name))
        # What a worker notes while it buys is no decision of anybody.
        auditlog.register(self.get_model("PurchaseRequest"), exclude_fields=["heartbeat_at", "asked_on", "baseline"])
        reconciliation.register_checks(ledger.checks)
        nav, saved = "Commitments", "reservations.view_ledgermonth"
        see, plans = "reservations.view_commitment", "reservations.view_plan"
        registry.add(
            NavSection(nav, 40),
            NavItem("Overview", "reservations:overview", "gauge", see, 60, "Commitments"),
            NavItem("Recommendations", "reservations:recommendations", "bulb", plans, 61, "Commitments"),
            NavItem("Purchases", "reservations:purchases", "credit-card", "reservations.view_purchaserequest", 62, nav),
            NavItem("Owned", "reservations:commitments", "certificate", see, 63, "Commitments"),
            NavItem("Expiry calendar", "reservations:expiries", "calendar-month", see, 64, "Commitments"),
            NavItem("Prices", "reservations:prices", "receipt-2", "reservations.view_rate", 65, "Commitments"),
            NavItem("Savings ledger", "reservations:savings", "report-money", saved, 66, nav),
            Kpi("savings-realised", "Savings realised", panels.savings, saved, 59),
            Kpi("commitment-coverage", "Commitment coverage", panels.coverage, see, 60),
            Kpi("commitment-utilisation", "Commitment utilisation", panels.utilisation, see, 61),
            Kpi("effective-savings-rate", "Effective savings rate", panels.savings_rate, see, 62),
            AdviceSource("commitments", panels.advice, plans, 61),
            PendingDecisionSource(
                "purchases",
                panels.to_decide,
                panels.purchases_waiting,
                "reservations.approve_purchaserequest",
                60,
            ),
            KnownChangeSource("commitments", known_changes.changes, 60),
            NightlyCheck("commitments", panels.nightly, 60),
            NightlyCheck("purchases", panels.purchases, 61),
            NightlyCheck("savings-ledger", panels.ledger_night, 62),
            ReportSection("savings", "Savings ledger", "", panels.savings_report, saved, 59),
            ReportSection("commitments", "Commitments", "reservations/report.html", panels.report, see, 61),
            DemoStep("recommendation", _recommend, 81),
            DemoStep("purchases", _ask_to_buy, 82),
        )


def _recommend(say: Any, *, as_of: Any) -> None:
    from reservations import demo

    demo.recommend(say, as_of=as_of)


def _ask_to_buy(say: Any, *, as_of: Any) -> None:
    from reservations import demo

    demo.ask_to_buy(say, as_of=as_of)

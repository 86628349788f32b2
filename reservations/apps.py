from typing import Any

from django.apps import AppConfig

from finops_site.registry import (
    Advice,
    DemoStep,
    KnownChanges,
    Kpi,
    NavItem,
    NightlyCheck,
    PendingDecisions,
    ReportSection,
    registry,
)


class ReservationsConfig(AppConfig):
    name = "reservations"

    def ready(self) -> None:
        from auditlog.registry import auditlog

        from costs import reconciliation
        from reservations import (
            kpis,
            nightly,
            panels,
            reports,  # noqa: F401
        )
        from reservations.inventory import known_changes
        from reservations.savings import ledger

        auditlog.register(self.get_model("Commitment"))
        auditlog.register(self.get_model("Rate"))
        for name in ("BuyingPolicy", "ApproverLimit", "StandingOrder"):
            auditlog.register(self.get_model(name))
        # What a worker notes while it buys is no decision of anybody.
        auditlog.register(self.get_model("PurchaseRequest"), exclude_fields=["heartbeat_at", "request_snapshot", "baseline"])
        reconciliation.also_check(ledger.ledger_checks)
        nav, saved = "Commitments", "reservations.view_ledgermonth"
        see, plans = "reservations.view_commitment", "reservations.view_plan"
        registry.add(
            NavItem("Overview", "reservations:overview", "gauge", see, 60, "Commitments"),
            NavItem("Recommendations", "reservations:recommendations", "bulb", plans, 61, "Commitments"),
            NavItem("Purchases", "reservations:purchases", "credit-card", "reservations.view_purchaserequest", 62, nav),
            NavItem("Owned", "reservations:commitments", "certificate", see, 63, "Commitments"),
            NavItem("Expiry calendar", "reservations:expiries", "calendar-month", see, 64, "Commitments"),
            NavItem("Prices", "reservations:prices", "receipt-2", "reservations.view_rate", 65, "Commitments"),
            NavItem("Savings ledger", "reservations:savings", "report-money", saved, 66, nav),
            Kpi("savings-realised", "Savings realised", kpis.savings_kpi, saved, 59),
            Kpi("commitment-coverage", "Commitment coverage", kpis.coverage_kpi, see, 60),
            Kpi("commitment-utilisation", "Commitment utilisation", kpis.utilisation_kpi, see, 61),
            Kpi("effective-savings-rate", "Effective savings rate", kpis.savings_rate_kpi, see, 62),
            Advice("commitments", panels.commitment_advice, plans, 60),
            PendingDecisions(
                "purchases",
                panels.purchases_to_decide,
                panels.purchases_waiting,
                "reservations.approve_purchaserequest",
                60,
            ),
            KnownChanges("commitments", known_changes.commitment_changes, 60),
            NightlyCheck("commitments", nightly.check_commitments, 60),
            NightlyCheck("purchases", nightly.check_purchases, 61),
            NightlyCheck("savings-ledger", nightly.check_savings_ledger, 62),
            ReportSection("savings", "Savings ledger", "", reports.savings_report, saved, 59),
            ReportSection(
                "commitments", "Commitments", "reservations/report.html", reports.commitments_report, see, 60
            ),
            DemoStep("recommendation", _recommend, 80),
            DemoStep("purchases", _ask_to_buy, 81),
        )


def _recommend(say: Any, *, as_of: Any) -> None:
    from reservations import demo

    demo.recommend(say, as_of=as_of)


def _ask_to_buy(say: Any, *, as_of: Any) -> None:
    from reservations import demo

    demo.ask_to_buy(say, as_of=as_of)

from typing import Any

from django.apps import AppConfig

from finops_site.registry import Advice, DemoStep, KnownChanges, Kpi, NavItem, NightlyCheck, ReportSection, registry


class ReservationsConfig(AppConfig):
    name = "reservations"

    def ready(self) -> None:
        from auditlog.registry import auditlog

        from reservations import foreseeing, signposts

        auditlog.register(self.get_model("Commitment"))
        auditlog.register(self.get_model("Rate"))
        see, plans = "reservations.view_commitment", "reservations.view_plan"
        registry.add(
            NavItem("Overview", "reservations:overview", "gauge", see, 60, "Commitments"),
            NavItem("Recommendations", "reservations:recommendations", "bulb", plans, 61, "Commitments"),
            NavItem("Owned", "reservations:commitments", "certificate", see, 62, "Commitments"),
            NavItem("Expiry calendar", "reservations:expiries", "calendar-month", see, 63, "Commitments"),
            NavItem("Prices", "reservations:prices", "receipt-2", "reservations.view_rate", 64, "Commitments"),
            Kpi("commitment-coverage", "Commitment coverage", signposts.coverage, see, 60),
            Kpi("commitment-utilisation", "Commitment utilisation", signposts.utilisation, see, 61),
            Kpi("effective-savings-rate", "Effective savings rate", signposts.savings_rate, see, 62),
            Advice("commitments", signposts.advice, plans, 60),
            KnownChanges("commitments", foreseeing.changes, 60),
            NightlyCheck("commitments", signposts.nightly, 60),
            ReportSection("commitments", "Commitments", "reservations/report.html", signposts.report, see, 60),
            DemoStep("recommendation", _recommend, 80),
        )


def _recommend(say: Any, *, as_of: Any) -> None:
    from reservations import demo

    demo.recommend(say, as_of=as_of)

from collections.abc import Callable
from datetime import date
from functools import partial

from celery.schedules import crontab

from finops_site.people.roles import ENGINEERING, EVERYBODY, EXECUTIVE, FINANCE
from finops_site.pillars import Ability, PillarConfig
from finops_site.registry import (
    AdviceSource,
    DemoPart,
    DemoStep,
    HomeFigure,
    KnownChangeSource,
    NavItem,
    NavTab,
    NightlyCheck,
    NotificationKind,
    PendingDecisionSource,
    PeriodSection,
    PlanEffectSource,
    ProgressCount,
    ReportSection,
    SavingsEvidenceSource,
    SearchSource,
    ToDoSource,
    UnitPriceSource,
    registry,
)
from finops_site.translation import gettext_lazy as _lazy
from reservations.audited import AUDITED, NOT_AUDITED

# Requested by one, approved by another, and bought by finance alone.
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
    audited = AUDITED
    not_audited = NOT_AUDITED
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

    abilities = (
        Ability(
            "see-commitments",
            _lazy("See commitments, prices, recommendations, purchases and savings"),
            tuple(
                f"reservations.view_{what}"
                for what in ("commitment", "plan", "rate", "purchaserequest", "standingorder", "ledgermonth")
            ),
        ),
        Ability(
            "load-commitments",
            _lazy("Load commitments and prices"),
            ("reservations.add_commitment", "reservations.add_rate"),
        ),
        Ability("recommend", _lazy("Work out recommendations"), ("reservations.add_plan",)),
        Ability("ask-purchases", _lazy("Ask for purchases"), ("reservations.add_purchaserequest",)),
        Ability(
            "approve-purchases",
            _lazy("Approve purchases that others ask for"),
            ("reservations.approve_purchaserequest",),
        ),
        Ability("buy", _lazy("Buy what is approved"), ("reservations.buy_purchaserequest",)),
        Ability(
            "buying-policy",
            _lazy("Set the buying policy, limits and standing orders"),
            (
                *("reservations.change_buyingpolicy", "reservations.view_approverlimit"),
                *("reservations.add_approverlimit", "reservations.change_approverlimit"),
                *("reservations.add_standingorder", "reservations.change_standingorder"),
            ),
        ),
    )

    schedule = {
        "refresh-commitments-every-ten-minutes": {
            "task": "reservations.tasks.refresh_commitments",
            "schedule": crontab(minute="*/10"),
        },
        "queue-lost-purchases-every-minute": {
            "task": "reservations.tasks.queue_lost_purchases",
            "schedule": crontab(),
        },
        "end-stopped-recommendations-every-minute": {
            "task": "reservations.tasks.end_stopped_recommendations",
            "schedule": crontab(),
        },
        "request-for-standing-orders-every-morning": {
            "task": "reservations.tasks.request_for_standing_orders",
            "schedule": crontab(hour=6, minute=40),
        },
    }
    enum_names = {"CommitmentKind": "reservations.models.choices.KIND_CHOICES"}

    def ready(self) -> None:
        from costs import reconciliation
        from reservations import receivers  # noqa: F401
        from reservations.inventory import usage_checks
        from reservations.savings import ledger

        reconciliation.register_checks(ledger.ledger_checks)
        reconciliation.register_checks(usage_checks.commitment_checks)
        self.register_panels()

    def register_panels(self) -> None:
        """What commitments add to the pages, the nights and the reports of the site."""
        from reservations import demo_removal, kpi_registrations, kpis, nightly, panels, reports, search, to_do
        from reservations.inventory import known_changes, plan_effects
        from reservations.pricing import unit_prices
        from reservations.savings import ledger
        from reservations.savings.evidence import ledger_evidence

        nav, saved, purchases = (
            "reservations:overview",
            "reservations.view_ledgermonth",
            "reservations.view_purchaserequest",
        )
        see, plans = "reservations.view_commitment", "reservations.view_plan"
        decides = "reservations.approve_purchaserequest"
        registry.add(
            NavItem(
                _lazy("Commitments"), nav, "certificate", see, 60, _lazy("Improve"), tab=_lazy("Overview"), key="m"
            ),
            NavTab(_lazy("Recommendations"), "reservations:recommendations", nav, plans, 10),
            NavTab(_lazy("Purchases"), "reservations:purchases", nav, purchases, 20),
            NavTab(_lazy("Owned"), "reservations:commitments", nav, see, 30),
            NavTab(_lazy("Expiry calendar"), "reservations:expiries", nav, see, 40),
            NavTab(_lazy("Prices"), "reservations:prices", nav, "reservations.view_rate", 50),
            NavTab(_lazy("Savings ledger"), "reservations:savings", nav, saved, 60),
            SearchSource("commitments", _lazy("Commitments"), "certificate", search.find_commitments, see, 75),
            ProgressCount("commitments-bought", _lazy("Reservations bought"), kpis.count_bought, 60),
            *kpi_registrations.kpis(see, saved),
            AdviceSource("commitments", panels.commitment_advice, plans, 61),
            SavingsEvidenceSource(
                "savings-ledger", _lazy("Savings ledger"), "commitments", ledger_evidence, 10, ledger.is_nothing
            ),
            NotificationKind("purchase-asked", _lazy("Purchases to approve"), decides, 40),
            NotificationKind("purchase-decided", _lazy("Purchases that were decided"), purchases, 41),
            NotificationKind("commitment-notice", _lazy("Commitments that end or are poorly used"), see, 42),
            PendingDecisionSource("purchases", panels.purchases_to_decide, panels.purchases_waiting, decides, 60),
            HomeFigure("savings", kpis.savings_figure, saved, 59, (EXECUTIVE,)),
            ToDoSource(
                "requested-purchases",
                _lazy("Answer"),
                "check",
                to_do.answered_requests,
                to_do.list_answers,
                purchases,
                42,
                (ENGINEERING,),
                "reservations:purchases",
            ),
            ToDoSource(
                "recommendation",
                _lazy("Advice"),
                "bulb",
                to_do.newest_recommendation,
                to_do.list_recommendations,
                plans,
                60,
                (ENGINEERING,),
                "reservations:recommendations",
            ),
            UnitPriceSource("price-lists", unit_prices.unit_prices),
            PlanEffectSource("commitments", plan_effects.plan_effects, "reservations.view_commitment", 30),
            KnownChangeSource("commitments", known_changes.commitment_changes, 60),
            NightlyCheck("commitments", nightly.check_commitments, 60, _lazy("commitments")),
            NightlyCheck("purchases", nightly.check_purchases, 61, _lazy("purchases")),
            NightlyCheck("savings-ledger", nightly.check_savings_ledger, 62, _lazy("savings ledger")),
            ReportSection("savings", _lazy("Savings ledger"), "", reports.savings_report, saved, 59),
            ReportSection(
                "commitments", _lazy("Commitments"), "reservations/report.html", reports.commitments_report, see, 61
            ),
            PeriodSection("commitments", _lazy("Commitments"), reports.commitments_of_period, see, 41, in_update=True),
            DemoStep("owned commitments", partial(run_demo_step, "own_commitments"), 78, "commitments"),
            DemoPart("commitments", _lazy("Commitments"), demo_removal.counts, demo_removal.remove_commitments, 10),
            DemoStep("recommendation", partial(run_demo_step, "recommend"), 81),
            DemoStep("purchases", partial(run_demo_step, "request_purchases"), 82),
            DemoStep("savings ledger", partial(run_demo_step, "prove_savings"), 83, "commitments"),
        )


def run_demo_step(name: str, say: Callable[[str], object], *, as_of: date) -> None:
    """Imported when it runs, for it brings the optimiser with it."""
    from reservations import demo

    getattr(demo, name)(say, as_of=as_of)

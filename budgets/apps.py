from collections.abc import Callable
from datetime import date

from celery.schedules import crontab

from budgets.audited import AUDITED, NOT_AUDITED
from finops_site.people.roles import ADMINISTRATOR, ENGINEERING, EVERYBODY, EXECUTIVE, FINANCE
from finops_site.pillars import Ability, PillarConfig
from finops_site.registry import (
    BudgetSource,
    CostForecaster,
    DemoPart,
    DemoStep,
    HealthCheck,
    MessageQueue,
    NavItem,
    NavTab,
    NightlyCheck,
    NotificationKind,
    OutgoingEmailCheck,
    Panel,
    PendingDecisionSource,
    PeriodSection,
    ReportSection,
    SavingsEvidenceSource,
    SearchSource,
    SetupStep,
    ToDoSource,
    registry,
)
from finops_site.translation import gettext_lazy as _lazy

CHANGE_BUDGETS = {
    "budgets.add_budget",
    "budgets.change_budget",
    "budgets.approve_budget",
    "budgets.propose_budget",
    "budgets.change_alert",
    "budgets.change_companyyear",
}
# Proposed by one, approved by another; defined and armed by finance alone.
APPROVE_CONTROLS = {
    "budgets.add_controlchangeset",
    "budgets.approve_controlchangeset",
    "budgets.run_controlchangeset",
}
DEFINE_CONTROLS = {
    "budgets.add_control",
    "budgets.change_control",
    "budgets.arm_control",
    "budgets.change_controlpolicy",
}


class BudgetsConfig(PillarConfig):
    name = "budgets"
    urls = "budgets.urls"
    api_urls = "budgets.api.urls"
    audited = AUDITED
    not_audited = NOT_AUDITED
    begins_with = {"budgets.Night"}
    permissions = {
        # What every role sees, each in its own rows.
        EVERYBODY: {
            "budgets.view_budget",
            "budgets.view_knowncharge",
            "budgets.view_alert",
            "budgets.view_control",
            "budgets.view_controlchangeset",
        },
        # As whom controls act in an account, and which actions, is the administrator's.
        ADMINISTRATOR: {
            "budgets.view_controlaccess",
            "budgets.add_controlaccess",
            "budgets.change_controlaccess",
            "budgets.delete_controlaccess",
        },
        FINANCE: CHANGE_BUDGETS | DEFINE_CONTROLS | APPROVE_CONTROLS,
        # A proposal is for a team she leads; anybody who sees an alert may acknowledge it. What a control proposes is
        # approved by whoever leads its team, and run by its engineers.
        ENGINEERING: {"budgets.propose_budget", "budgets.change_alert"} | APPROVE_CONTROLS,
    }
    never_for_administrators = CHANGE_BUDGETS | DEFINE_CONTROLS | APPROVE_CONTROLS

    abilities = (
        Ability(
            "see-budgets",
            _lazy("See budgets, alerts and cost controls"),
            tuple(f"budgets.view_{what}" for what in ("budget", "knowncharge", "alert", "control", "controlchangeset")),
        ),
        Ability(
            "change-budgets",
            _lazy("Make and change budgets, and the company's year"),
            ("budgets.add_budget", "budgets.change_budget", "budgets.change_companyyear"),
        ),
        Ability("approve-budgets", _lazy("Approve budgets that others propose"), ("budgets.approve_budget",)),
        Ability("propose-budgets", _lazy("Propose budgets"), ("budgets.propose_budget",)),
        Ability("answer-alerts", _lazy("Acknowledge alerts and answer unusual costs"), ("budgets.change_alert",)),
        Ability("define-controls", _lazy("Define and arm cost controls"), tuple(sorted(DEFINE_CONTROLS))),
        Ability("propose-controls", _lazy("Propose what a cost control does"), ("budgets.add_controlchangeset",)),
        Ability("approve-controls", _lazy("Approve what a cost control does"), ("budgets.approve_controlchangeset",)),
        Ability("run-controls", _lazy("Run what a cost control does"), ("budgets.run_controlchangeset",)),
        Ability(
            "allow-controls",
            _lazy("Allow cost controls in an account"),
            tuple(f"budgets.{verb}_controlaccess" for verb in ("view", "add", "change", "delete")),
        ),
    )

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
        "run-and-end-controls-every-minute": {
            "task": "budgets.tasks.run_controls",
            "schedule": crontab(),
        },
    }

    def ready(self) -> None:
        from budgets import (  # noqa: F401
            demo_removal,
            kpis,
            nightly_checks,
            panels,
            receivers,
            savings_evidence,
            search,
            to_do,
        )
        from budgets.alerts import notifications, unsent
        from budgets.controls import panels as control_panels
        from budgets.forecast.cost_forecast import forecast_spans

        may_see, table = "budgets.view_budget", "budgets/panels/budgets.html"
        registry.add(
            NavItem(_lazy("Budgets"), "budgets:budgets", "target", may_see, 30, _lazy("Spend"), key="b"),
            NavTab(_lazy("Annual plan"), "budgets:annual_plan", "budgets:budgets", may_see, 10),
            NavTab(_lazy("All amounts"), "budgets:grid", "budgets:budgets", "budgets.change_budget", 20),
            NavTab(_lazy("Controls"), "budgets:controls", "budgets:budgets", "budgets.view_control", 30),
            NavItem(_lazy("Alerts"), "budgets:alerts", "bell", "budgets.view_alert", 31, _lazy("Spend"), key="a"),
            NavTab(_lazy("Anomalies"), "budgets:anomalies", "budgets:alerts", "budgets.view_alert", 10),
            Panel("budgets", table, panels.budgets_panel, may_see, 15, {EXECUTIVE: None, ADMINISTRATOR: None}),
            # Whose home begins with what there is to do finds them there, one by one.
            Panel(
                "anomalies",
                "budgets/panels/anomalies.html",
                panels.anomalies_panel,
                "budgets.view_alert",
                42,
                dict.fromkeys((ENGINEERING, EXECUTIVE, ADMINISTRATOR)),
            ),
            ToDoSource(
                "alerts",
                _lazy("Over budget"),
                "bell-ringing",
                to_do.periods_with_alerts,
                to_do.list_alerts,
                "budgets.change_alert",
                10,
                (ENGINEERING,),
                "budgets:alerts",
            ),
            ToDoSource(
                "anomalies",
                _lazy("Anomaly"),
                "trending-up",
                to_do.open_anomalies,
                to_do.list_anomalies,
                "budgets.view_alert",
                30,
                (ENGINEERING,),
                "budgets:anomalies",
            ),
            ToDoSource(
                "proposed-budgets",
                _lazy("Answer"),
                "check",
                to_do.answered_proposals,
                to_do.list_answers,
                "budgets.propose_budget",
                40,
                (ENGINEERING,),
                "budgets:budgets",
            ),
            *kpis.KPIS,
            ReportSection("budgets", _lazy("Budgets"), table, panels.budgets_report, may_see, 20),
            PeriodSection(
                "budgets", _lazy("Budgets and alerts"), panels.budgets_of_period, may_see, 60, in_update=True
            ),
            SearchSource("budgets", _lazy("Budgets"), "target", search.find_budgets, may_see, 30),
            BudgetSource("budgets", panels.team_budgets, may_see),
            CostForecaster("budgets", forecast_spans, may_see),
            PendingDecisionSource(
                "budgets", panels.proposed_budgets, panels.proposal_decisions, "budgets.approve_budget", 30
            ),
            PendingDecisionSource(
                "budget changes", panels.changes_to_decide, panels.change_decisions, "budgets.approve_budget", 30
            ),
            PendingDecisionSource(
                "controls",
                control_panels.proposed_changes,
                control_panels.changes_waiting,
                "budgets.approve_controlchangeset",
                31,
            ),
            ReportSection(
                "controls", _lazy("Cost controls"), "", control_panels.controls_report, "budgets.view_control", 21
            ),
            SavingsEvidenceSource(
                "controls",
                _lazy("Cost controls"),
                "alerts",
                savings_evidence.control_evidence,
                20,
                savings_evidence.switched_off_nothing,
            ),
            SavingsEvidenceSource(
                "avoided-overruns",
                _lazy("Avoided overruns"),
                "alerts",
                savings_evidence.avoided_overruns,
                90,
                savings_evidence.avoided_nothing,
            ),
            MessageQueue(
                "alerts", _lazy("Messages of alerts"), unsent.state, unsent.unsent, unsent.retry, unsent.may_retry, 20
            ),
            NotificationKind("budget-alert", _lazy("Budget alerts"), "budgets.view_alert", 10),
            NotificationKind(
                "alert-escalated",
                _lazy("Alerts that nobody acknowledged"),
                "budgets.view_alert",
                11,
                _lazy("Who was notified before you did not answer, and you are the next in line."),
            ),
            NotificationKind("anomalies", _lazy("Unusual costs"), "budgets.view_alert", 12),
            NotificationKind(
                "alerts-ignored", _lazy("Thresholds that nobody acknowledges"), "budgets.change_budget", 13
            ),
            NotificationKind("budgets-quiet", _lazy("Budgets without any cost"), "budgets.change_budget", 14),
            NotificationKind(
                "control-proposed", _lazy("Cost controls to approve"), "budgets.view_controlchangeset", 15
            ),
            NotificationKind(
                "control-decided", _lazy("Cost controls approved or refused"), "budgets.view_controlchangeset", 16
            ),
            NotificationKind(
                "budget-change-decided", _lazy("Answers to your budget proposals"), "budgets.view_budget", 19
            ),
            NotificationKind("control-ran", _lazy("Cost controls that ran"), "budgets.view_controlchangeset", 17),
            NotificationKind("control-undo", _lazy("Cost controls to undo"), "budgets.view_controlchangeset", 18),
            OutgoingEmailCheck("alerts", "alert ", notifications.why_not_sent),
            HealthCheck("budgets", _lazy("Budgets"), nightly_checks.budgets_health, 40),
            NightlyCheck("budgets", nightly_checks.evaluate_budgets, 20, _lazy("budgets")),
            NightlyCheck("anomalies", nightly_checks.detect_new_anomalies, 21, _lazy("anomalies")),
            NightlyCheck("controls", nightly_checks.measure_controls, 22, _lazy("controls")),
            SetupStep(
                "budgets",
                _lazy("First budgets"),
                _lazy("Whoever holds one hears of an overrun while there is still time to act."),
                "budgets:proposals",
                panels.has_own_budget,
                "budgets.add_budget",
                60,
                minutes=5,
            ),
            DemoPart("budgets", _lazy("Budgets"), demo_removal.counts, demo_removal.remove_budgets, 20),
            DemoStep("budgets", make_demo_budgets, 70),
        )


def make_demo_budgets(say: Callable[[str], object], *, as_of: date) -> None:
    from budgets import demo

    demo.make_budgets(say, as_of=as_of)

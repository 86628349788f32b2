from celery.schedules import crontab
from django.urls import reverse

from finops_site.people.roles import ADMINISTRATOR, ENGINEERING, EVERYBODY, EXECUTIVE, FINANCE
from finops_site.pillars import Ability, PillarConfig
from finops_site.registry import (
    DemoPart,
    DemoStep,
    KpiArchive,
    NavTab,
    NightlyCheck,
    NotificationKind,
    OutgoingEmailCheck,
    PeriodSection,
    Possession,
    registry,
)
from finops_site.translation import gettext_lazy as _lazy
from programme.audited import AUDITED, NOT_AUDITED

# Finance decides what is aimed at, and administrators never do: who makes the accounts decides on no money.
DECIDES = {"programme.change_kpi", "programme.change_assumption"}
COMMENTS = {"programme.add_kpicomment"}
SEE_SCHEDULES = "programme.view_reportschedule"
RUNS_SCHEDULES = {
    SEE_SCHEDULES,
    "programme.add_reportschedule",
    "programme.change_reportschedule",
    "programme.delete_reportschedule",
    "programme.send_madereport",
}
# The savings model is of the whole company.
READ_SAVINGS = {"programme.view_assumption", "programme.view_assumptionchange"}
# The plan is finance's; who owns a milestone ticks it.
PLAN = {"programme.add_programme", "programme.change_programme"}
DECIDE, SIGN = "programme.decide_decisionpoint", "programme.sign_decisionpoint"
TICK = "programme.tick_milestone"


class ProgrammeConfig(PillarConfig):
    """The programme stands above the pillars: it asks only what they register."""

    name = "programme"
    urls = "programme.urls"
    api_urls = "programme.api.urls"
    audited = AUDITED
    not_audited = NOT_AUDITED
    begins_with = {"programme.KpiDay"}
    as_delivered = {"programme.MadeReport"}
    permissions = {
        EVERYBODY: {
            *("programme.view_kpi", "programme.view_programme", "programme.view_decisionpoint"),
            "programme.view_madereport",
        },
        FINANCE: DECIDES | COMMENTS | PLAN | READ_SAVINGS | RUNS_SCHEDULES | {DECIDE, SIGN, TICK},
        EXECUTIVE: COMMENTS | READ_SAVINGS | {DECIDE, SIGN, TICK, SEE_SCHEDULES},
        ENGINEERING: {SIGN, TICK},
        ADMINISTRATOR: READ_SAVINGS | {SEE_SCHEDULES},
    }
    never_for_administrators = DECIDES | PLAN | {DECIDE, SIGN, TICK} | RUNS_SCHEDULES - {SEE_SCHEDULES}

    abilities = (
        Ability(
            "see-programme",
            _lazy("See KPIs, the programme and reports"),
            tuple(f"programme.view_{what}" for what in ("kpi", "programme", "decisionpoint", "madereport")),
        ),
        Ability(
            "see-savings-model",
            _lazy("See the savings model and the schedules of reports"),
            (*sorted(READ_SAVINGS), SEE_SCHEDULES),
        ),
        Ability("targets", _lazy("Change targets and the savings model"), tuple(sorted(DECIDES))),
        Ability("comment-kpis", _lazy("Comment on KPIs"), tuple(COMMENTS)),
        Ability("plan", _lazy("Plan the programme"), tuple(sorted(PLAN))),
        Ability("milestones", _lazy("Tick milestones"), (TICK,)),
        Ability("sign", _lazy("Sign decisions of the programme"), (SIGN,)),
        Ability("decide", _lazy("Record decisions of the programme"), (DECIDE,)),
        Ability("schedules", _lazy("Send reports by schedule"), tuple(sorted(RUNS_SCHEDULES - {SEE_SCHEDULES}))),
    )

    schedule = {
        # Five past, so that a report that is due at eight is there soon after.
        "scheduled-reports-every-five-minutes": {
            "task": "programme.tasks.make_due_reports",
            "schedule": crontab(minute="*/5"),
        },
        "remove-old-reports-every-night": {
            "task": "programme.tasks.remove_old_reports",
            "schedule": crontab(hour=3, minute=50),
        },
    }

    def ready(self) -> None:
        self.register_kpis()
        self.register_roadmap()
        self.register_savings_model()
        self.register_reports()

    def register_reports(self) -> None:
        from programme.reports import demo, letters, schedules, sections

        made, reports = "programme.view_madereport", "reports"
        registry.add(
            NavTab(_lazy("Reviews and updates"), "programme:reports", reports, made, 10),
            NavTab(_lazy("Schedules"), "programme:report_schedules", reports, SEE_SCHEDULES, 20),
            PeriodSection(
                "promises", _lazy("Promised and achieved"), sections.promises_section, "costs.view_company", 10
            ),
            PeriodSection("risks", _lazy("Risks and decisions"), sections.risks_section, "costs.view_company", 85),
            PeriodSection(
                "decisions",
                _lazy("Decisions asked"),
                sections.decisions_section,
                "costs.view_company",
                90,
                in_update=True,
            ),
            NotificationKind("scheduled-report", _lazy("Scheduled reports"), made, 50),
            NotificationKind("report-not-sent", _lazy("Reports that somebody did not get"), SEE_SCHEDULES, 51),
            DemoStep("reports", demo.make_reports, 96),
            DemoPart("reports", _lazy("Reports"), demo.counts, demo.remove_reports, 8),
            Possession(
                "report-schedules",
                _lazy("schedules of reports"),
                schedules.count_of,
                schedules.let_go,
                "programme:report_schedules",
            ),
            OutgoingEmailCheck("scheduled reports", letters.PREFIX, letters.why_not_sent, 50),
        )

    def register_kpis(self) -> None:
        from programme.kpis import demo, nights, targets

        registry.add(
            KpiArchive("kpis", targets.find_targets, targets.find_stored, kpi_url),
            # After all pillars have done their nights.
            NightlyCheck("kpis", nights.run_night, 95, _lazy("KPIs")),
            # After the pillars, findings of usage too, whose figures it stores; removed before them.
            DemoStep("KPIs", demo.make_kpis, 88),
            DemoPart("kpis", "KPIs", demo.counts, demo.remove_kpis, 5),
        )

    def register_roadmap(self) -> None:
        from programme.roadmap.registrations import ROADMAP

        registry.add(*ROADMAP)

    def register_savings_model(self) -> None:
        from programme.savings_model import demo, kpis, period_report

        registry.add(
            NavTab(_lazy("Savings model"), "programme:savings", "programme:overview", "programme.view_assumption", 30),
            *kpis.KPIS,
            PeriodSection(
                "savings-by-pillar",
                _lazy("Savings by pillar"),
                period_report.savings_of_period,
                "programme.view_assumption",
                12,
            ),
            DemoPart("savings-model", _lazy("Savings model"), demo.counts, demo.remove_savings_model, 5),
            # Before the KPIs, which it has two of.
            DemoStep("savings model", demo.make_savings_model, 84),
        )


def kpi_url(name: str) -> str:
    """The page of a KPI."""
    return reverse("programme:kpi", args=[name])

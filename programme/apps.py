from celery.schedules import crontab

from finops_site.people.roles import ADMINISTRATOR, EVERYBODY, EXECUTIVE, FINANCE
from finops_site.pillars import PillarConfig
from finops_site.registry import (
    DemoPart,
    DemoStep,
    NavTab,
    NotificationKind,
    OutgoingEmailCheck,
    PeriodSection,
    registry,
)
from finops_site.translation import gettext_lazy as _lazy

RUNS_SCHEDULES = {
    "programme.view_reportschedule",
    "programme.add_reportschedule",
    "programme.change_reportschedule",
    "programme.delete_reportschedule",
    "programme.send_madereport",
}


class ProgrammeConfig(PillarConfig):
    """The programme stands above the pillars: it asks only what they register."""

    name = "programme"
    urls = "programme.urls"
    api_urls = "programme.api.urls"
    permissions = {
        EVERYBODY: {"programme.view_madereport"},
        FINANCE: RUNS_SCHEDULES,
        EXECUTIVE: {"programme.view_reportschedule"},
        ADMINISTRATOR: {"programme.view_reportschedule"},
    }
    never_for_administrators = RUNS_SCHEDULES - {"programme.view_reportschedule"}
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
        self.register_reports()

    def register_reports(self) -> None:
        from auditlog.registry import auditlog

        from programme.reports import demo, letters, sections

        for name in ("ReportSchedule", "ReportRecipient"):
            auditlog.register(self.get_model(name), exclude_fields=["pause_reason", "url"])
        made, reports = "programme.view_madereport", "reports"
        registry.add(
            NavTab(_lazy("Reviews and updates"), "programme:reports", reports, made, 10),
            NavTab(_lazy("Schedules"), "programme:report_schedules", reports, made, 20),
            PeriodSection(
                "promises", _lazy("Promised and achieved"), sections.promises_section, "costs.view_company", 10
            ),
            PeriodSection(
                "decisions",
                _lazy("Decisions asked"),
                sections.decisions_section,
                "costs.view_company",
                90,
                in_update=True,
            ),
            NotificationKind("scheduled-report", _lazy("Scheduled reports"), made, 50),
            NotificationKind(
                "report-not-sent", _lazy("Reports that somebody did not get"), "programme.view_reportschedule", 51
            ),
            DemoStep("reports", demo.make_reports, 92),
            DemoPart("reports", _lazy("Reports"), demo.counts, demo.remove_reports, 8),
            OutgoingEmailCheck("scheduled reports", letters.PREFIX, letters.why_not_sent, 50),
        )

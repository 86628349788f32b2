from django.urls import reverse

from finops_site.people.roles import ADMINISTRATOR, ENGINEERING, EVERYBODY, EXECUTIVE, FINANCE
from finops_site.pillars import PillarConfig
from finops_site.registry import DemoPart, DemoStep, KpiArchive, NavItem, NavTab, NightlyCheck, registry
from finops_site.translation import gettext_lazy as _lazy

# Finance decides what is aimed at, and administrators never do: who makes the accounts decides on no money.
DECIDES = {"programme.change_kpi", "programme.change_assumption"}
COMMENTS = {"programme.add_kpicomment"}
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
    permissions = {
        EVERYBODY: {"programme.view_kpi", "programme.view_programme", "programme.view_decisionpoint"},
        ADMINISTRATOR: READ_SAVINGS,
        FINANCE: DECIDES | COMMENTS | READ_SAVINGS | PLAN | {DECIDE, SIGN, TICK},
        EXECUTIVE: COMMENTS | READ_SAVINGS | {DECIDE, SIGN, TICK},
        ENGINEERING: {SIGN, TICK},
    }
    never_for_administrators = DECIDES | PLAN | {DECIDE, SIGN, TICK}

    def ready(self) -> None:
        from auditlog.registry import auditlog

        auditlog.register(self.get_model("Kpi"), exclude_fields=["changed_by", "changed_at"])
        self.register_kpis()
        self.register_roadmap()
        self.register_savings_model()

    def register_kpis(self) -> None:
        from programme.kpis import demo, nights, targets

        registry.add(
            NavItem(_lazy("Programme"), "programme:kpis", "flag", "programme.view_kpi", 12, "", tab=_lazy("KPIs")),
            KpiArchive("kpis", targets.find_targets, targets.find_stored, kpi_url),
            # After all pillars have done their nights.
            NightlyCheck("kpis", nights.run_night, 95),
            # After the pillars, whose figures it stores; removed before them.
            DemoStep("KPIs", demo.make_kpis, 85),
            DemoPart("kpis", "KPIs", demo.counts, demo.remove_kpis, 5),
        )

    def register_roadmap(self) -> None:
        from auditlog.registry import auditlog

        from programme.roadmap.registrations import AUDITED, NIGHTLY_FIELDS, ROADMAP

        for name in AUDITED:
            auditlog.register(self.get_model(name), exclude_fields=NIGHTLY_FIELDS.get(name, []))
        registry.add(*ROADMAP)

    def register_savings_model(self) -> None:
        from auditlog.registry import auditlog

        from programme.savings_model import demo, kpis

        for name in ("SavingsModel", "Assumption"):
            auditlog.register(self.get_model(name))
        registry.add(
            NavTab(_lazy("Savings model"), "programme:savings", "programme:kpis", "programme.view_assumption", 40),
            *kpis.KPIS,
            DemoPart("savings-model", _lazy("Savings model"), demo.counts, demo.remove_savings_model, 5),
            DemoStep("savings model", demo.make_savings_model, 95),
        )


def kpi_url(name: str) -> str:
    """The page of a KPI."""
    return reverse("programme:kpi", args=[name])

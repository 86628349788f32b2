from django.urls import reverse

from finops_site.people.roles import EVERYBODY, EXECUTIVE, FINANCE
from finops_site.pillars import PillarConfig
from finops_site.registry import DemoPart, DemoStep, KpiArchive, NavItem, NightlyCheck, registry
from finops_site.translation import gettext_lazy as _lazy

# Finance decides what is aimed at, and administrators never do: who makes the accounts decides on no money.
DECIDES = {"programme.change_kpi"}
COMMENTS = {"programme.add_kpicomment"}


class ProgrammeConfig(PillarConfig):
    """The programme stands above the pillars: it asks only what they register."""

    name = "programme"
    urls = "programme.urls"
    api_urls = "programme.api.urls"
    permissions = {
        EVERYBODY: {"programme.view_kpi"},
        FINANCE: DECIDES | COMMENTS,
        EXECUTIVE: COMMENTS,
    }
    never_for_administrators = DECIDES

    def ready(self) -> None:
        from auditlog.registry import auditlog

        auditlog.register(self.get_model("Kpi"), exclude_fields=["changed_by", "changed_at"])
        self.register_kpis()

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


def kpi_url(name: str) -> str:
    """The page of a KPI."""
    return reverse("programme:kpi", args=[name])

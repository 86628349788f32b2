from django.urls import reverse

from finops_site.people.roles import ADMINISTRATOR, EVERYBODY, EXECUTIVE, FINANCE
from finops_site.pillars import PillarConfig
from finops_site.registry import DemoPart, DemoStep, KpiArchive, NavItem, NavTab, NightlyCheck, registry
from finops_site.translation import gettext_lazy as _lazy

# Finance decides what is aimed at, and administrators never do: who makes the accounts decides on no money.
DECIDES = {"programme.change_kpi", "programme.change_assumption"}
COMMENTS = {"programme.add_kpicomment"}
# The savings model is of the whole company.
READ_SAVINGS = {"programme.view_assumption", "programme.view_assumptionchange"}


class ProgrammeConfig(PillarConfig):
    """The programme stands above the pillars: it asks only what they register."""

    name = "programme"
    urls = "programme.urls"
    api_urls = "programme.api.urls"
    permissions = {
        EVERYBODY: {"programme.view_kpi"},
        ADMINISTRATOR: READ_SAVINGS,
        FINANCE: DECIDES | COMMENTS | READ_SAVINGS,
        EXECUTIVE: COMMENTS | READ_SAVINGS,
    }
    never_for_administrators = DECIDES

    def ready(self) -> None:
        from auditlog.registry import auditlog

        auditlog.register(self.get_model("Kpi"), exclude_fields=["changed_by", "changed_at"])
        for name in ("SavingsModel", "Assumption"):
            auditlog.register(self.get_model(name))
        self.register_kpis()
        self.register_savings_model()

    def register_kpis(self) -> None:
        from programme.kpis import nights, targets

        registry.add(
            NavItem(
                _lazy("Programme"), "programme:kpis", "flag", "programme.view_kpi", 12, "", tab=_lazy("KPIs"), key="p"
            ),
            KpiArchive("kpis", targets.find_targets, targets.find_stored, kpi_url),
            # After all pillars have done their nights.
            NightlyCheck("kpis", nights.run_night, 95),
        )

    def register_savings_model(self) -> None:
        from programme.savings_model import demo, kpis

        registry.add(
            NavTab(_lazy("Savings model"), "programme:savings", "programme:kpis", "programme.view_assumption", 20),
            *kpis.KPIS,
            DemoPart("savings-model", _lazy("Savings model"), demo.counts, demo.remove_savings_model, 5),
            DemoStep("savings model", demo.make_savings_model, 95),
        )


def kpi_url(name: str) -> str:
    """The page of a KPI."""
    return reverse("programme:kpi", args=[name])

from finops_site.people.roles import ADMINISTRATOR, EVERYBODY, EXECUTIVE, FINANCE
from finops_site.pillars import PillarConfig
from finops_site.registry import DemoPart, DemoStep, Kpi, NavItem, registry
from finops_site.translation import gettext_lazy as _lazy

READ_SAVINGS = {"programme.view_assumption", "programme.view_assumptionchange"}
# Who makes the accounts decides on no money.
DECIDE_SAVINGS = {"programme.change_assumption"}


class ProgrammeConfig(PillarConfig):
    """The programme stands above the pillars: it asks only what they register."""

    name = "programme"
    urls = "programme.urls"
    api_urls = "programme.api.urls"
    permissions = {
        EVERYBODY: set(),
        ADMINISTRATOR: READ_SAVINGS,
        FINANCE: READ_SAVINGS | DECIDE_SAVINGS,
        EXECUTIVE: READ_SAVINGS,
    }
    never_for_administrators = DECIDE_SAVINGS

    def ready(self) -> None:
        from auditlog.registry import auditlog

        for name in ("SavingsModel", "Assumption"):
            auditlog.register(self.get_model(name))
        self.register_savings_model()

    def register_savings_model(self) -> None:
        from programme.savings_model import demo, kpis

        see = "programme.view_assumption"
        registry.add(
            NavItem(_lazy("Programme"), "programme:savings", "flag", see, 12, "", tab=_lazy("Savings model")),
            Kpi("roi", _lazy("Return on investment"), kpis.return_measure, see, 90),
            Kpi("payback", _lazy("Payback time"), kpis.payback_measure, see, 91),
            Kpi("cost-avoidance", _lazy("Cost avoidance"), kpis.avoidance_measure, see, 92),
            DemoPart("savings-model", _lazy("Savings model"), demo.counts, demo.remove_savings_model, 5),
            DemoStep("savings model", demo.make_savings_model, 95),
        )

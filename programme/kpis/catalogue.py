"""The KPIs that there are: those that apps register."""

from finops_site.lib.person import Person
from finops_site.registry import Kpi, registry


def find_kpis(user: Person) -> list[Kpi]:
    """Every KPI that `user` may see, in their order."""
    return registry.allowed(Kpi, user)


def all_kpis() -> list[Kpi]:
    """Every KPI that there is, whoever may see it."""
    return registry.of(Kpi)


def find_kpi(user: Person, name: str) -> Kpi | None:
    """The KPI of a name, if `user` may see it."""
    return next((kpi for kpi in find_kpis(user) if kpi.name == name), None)

"""Figures that the programme names and that somebody else measures: they are not known until one is registered."""

from datetime import date
from decimal import Decimal

from finops_site.lib.person import Person
from finops_site.registry import Better, Kpi, KpiArea, Unit, registry
from finops_site.translation import gettext_lazy as _lazy


def nothing_to_measure(user: Person, as_of: date) -> None:
    """Stands for a measure that nobody registered."""
    return None


NOBODY_YET = _lazy("Nothing measures this yet.")
PLANNED = (
    Kpi(
        "roi",
        _lazy("Return on investment"),
        nothing_to_measure,
        order=90,
        area=KpiArea.VALUE,
        definition=_lazy("What the programme saved in twelve months, less what it cost, as a share of what it cost."),
        formula=_lazy("(savings realised - investment) / investment"),
        better=Better.HIGHER,
        target=Decimal(150),
        why_unknown=NOBODY_YET,
    ),
    Kpi(
        "payback",
        _lazy("Payback time"),
        nothing_to_measure,
        order=91,
        area=KpiArea.VALUE,
        definition=_lazy("After how many months the savings have paid back what the programme cost."),
        formula=_lazy("investment / savings realised in a month"),
        unit=Unit.MONTHS,
        better=Better.LOWER,
        target=Decimal(6),
        why_unknown=NOBODY_YET,
    ),
    Kpi(
        "waste-found",
        _lazy("Waste found"),
        nothing_to_measure,
        order=92,
        area=KpiArea.VALUE,
        definition=_lazy("What a month costs of resources that do no work."),
        formula=_lazy("sum of the monthly cost of open findings"),
        foundation_name=_lazy("Workload optimization: waste"),
        unit=Unit.MONEY,
        better=Better.LOWER,
        why_unknown=NOBODY_YET,
    ),
    Kpi(
        "waste-removed",
        _lazy("Waste removed"),
        nothing_to_measure,
        order=93,
        area=KpiArea.VALUE,
        definition=_lazy("What resources without work cost in a month before they were removed, proved by bills."),
        formula=_lazy("sum of the monthly cost of findings that bills show gone, in twelve months"),
        unit=Unit.MONEY,
        better=Better.HIGHER,
        why_unknown=NOBODY_YET,
    ),
)


def find_kpis(user: Person) -> list[Kpi]:
    """Every KPI that `user` may see: those of the pillars, and those that nobody measures yet."""
    names = {kpi.name for kpi in registry.of(Kpi)}
    missing = [kpi for kpi in PLANNED if kpi.name not in names] if user.sees_whole_company else []
    return sorted([*registry.allowed(Kpi, user), *missing], key=lambda kpi: kpi.order)


def all_kpis() -> list[Kpi]:
    """Every KPI that there is, whoever may see it."""
    registered = registry.of(Kpi)
    names = {kpi.name for kpi in registered}
    return sorted([*registered, *(kpi for kpi in PLANNED if kpi.name not in names)], key=lambda kpi: kpi.order)


def find_kpi(user: Person, name: str) -> Kpi | None:
    """The KPI of a name, if `user` may see it."""
    return next((kpi for kpi in find_kpis(user) if kpi.name == name), None)

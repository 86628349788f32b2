"""The figures that milestones and risks are held against: KPIs and counts that pillars register, of the whole company.

A figure is named by its kind and its name: "kpi:commitment-coverage", "count:budgets-in-force".
"""

import logging
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from django.utils.translation import gettext as _

from finops_site.lib.person import Person, WholeCompany
from finops_site.registry import Kpi, ProgressCount, Unit, registry
from finops_site.ui.figures import limit_text, measure_text
from programme.models.kpis import KpiDay
from programme.models.roadmap import FigureCriterion

logger = logging.getLogger(__name__)

KPI, COUNT = "kpi", "count"


@dataclass(frozen=True, slots=True)
class Figure:
    """What a figure was on a day: None where it is not known, with the reason."""

    value: Decimal | None
    unit: str = ""
    currency: str = ""
    reason: str = ""
    url: str = ""


def figure_labels() -> dict[str, str]:
    """{figure: its label} of all that are registered, in their order."""
    kpis = {f"{KPI}:{kpi.name}": str(kpi.label) for kpi in registry.of(Kpi)}
    return kpis | {f"{COUNT}:{count.name}": str(count.label) for count in registry.of(ProgressCount)}


def label_of(figure: str) -> str:
    """The label of a figure; its name where nobody registers it any more."""
    return figure_labels().get(figure, figure.partition(":")[2])


def read_figures(figures: Collection[str], since: date, as_of: date) -> dict[str, Figure]:
    """Each figure as of a day, counts since `since`; one that fails is unknown and in the log, and stops no other.

    A KPI that the night of that day stored is read from there.
    """
    # The same person for all of them: what several figures stand on is worked out once.
    company, nights = WholeCompany(), {row.name: row for row in KpiDay.objects.filter(day=as_of)}
    return {figure: _read(company, figure, since, as_of, nights) for figure in sorted(set(figures))}


def _read(company: Person, figure: str, since: date, as_of: date, nights: Mapping[str, KpiDay]) -> Figure:
    kind, _colon, name = figure.partition(":")
    try:
        if kind == COUNT:
            return _read_count(name, since, as_of)
        if name in nights:
            # As the night of that day stored it: what a later bill says of it is not what was reached then.
            return _of_night(nights[name])
        return _read_kpi(company, name, as_of)
    except Exception:
        logger.exception("figure %s as of %s", figure, as_of)
        return Figure(None, reason=_("It could not be worked out; the log says why."))


def _read_kpi(company: Person, name: str, as_of: date) -> Figure:
    kpi = next((kpi for kpi in registry.of(Kpi) if kpi.name == name), None)
    if kpi is None:
        return Figure(None, reason=_("Nobody works out this figure any more."))
    measure = kpi.measure(company, as_of)
    if measure is None:
        return Figure(None, str(kpi.unit), reason=str(kpi.why_unknown or _("There is nothing to measure yet."))[:300])
    reason = "" if measure.value is not None else str(measure.description)
    return Figure(measure.value, str(measure.unit), measure.currency, reason[:300], measure.url)


def _of_night(row: KpiDay) -> Figure:
    reason = "" if row.value is not None else row.words
    return Figure(row.value, row.unit, row.currency, reason[:300], row.url)


def _read_count(name: str, since: date, as_of: date) -> Figure:
    source = next((source for source in registry.of(ProgressCount) if source.name == name), None)
    if source is None:
        return Figure(None, reason=_("Nobody counts this any more."))
    count = source.count(since, as_of)
    if count is None:
        return Figure(None, COUNT, reason=_("It is not known yet."))
    return Figure(Decimal(count), COUNT)


def is_hidden_money(row: FigureCriterion, reader: Person | None) -> bool:
    """Whether its figure is money of the whole company, which a reader who does not see all of it is not shown."""
    if reader is not None and reader.sees_whole_company:
        return False
    return Unit.MONEY in (row.last_unit, _registered_unit(row.figure))


def not_shown() -> str:
    """What stands in place of it."""
    return _("not shown to you")


def why_unknown_text(row: FigureCriterion, reader: Person | None) -> str:
    """Why a figure has no value; the reason may name money, so that others are told only that it is not known."""
    if not row.why_unknown or (reader is not None and reader.sees_whole_company):
        return row.why_unknown
    return _("It is not known yet.")


def _registered_unit(figure: str) -> str:
    kind, _colon, name = figure.partition(":")
    return next((str(kpi.unit) for kpi in registry.of(Kpi) if kind == KPI and kpi.name == name), "")


def value_text(value: Decimal | None, unit: str, currency: str = "", *, places: int = 1) -> str:
    """``41.2%``, ``3`` or ``1,200.00 USD``, in the reader's language; a dash where it is not known."""
    if value is None:
        return "—"
    known = Unit(unit) if unit in set(Unit) else Unit.COUNT
    return measure_text(value, known, currency, places=places)


def limit_in_words(value: Decimal | None, unit: str, currency: str = "") -> str:
    """The same of a limit or a target, which somebody set by hand: it keeps digits that rounding would lose."""
    if value is None:
        return "—"
    return limit_text(value, Unit(unit) if unit in set(Unit) else Unit.COUNT, currency)

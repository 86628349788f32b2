"""What the books say beside each assumption: the figure that was measured, or why there is none yet."""

from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from finops_site.lib.money import EXACT
from finops_site.lib.periods import Month, Period
from finops_site.lib.person import Person
from finops_site.registry import StatementReadSource, TeamCostSource, TeamMonthCost, registry
from finops_site.ui.request_memo import request_memo
from programme.calc.savings_model import YEAR_MONTHS, AssumptionUnit
from programme.calc.visibility_effect import FEWEST_MONTHS, FEWEST_TEAMS, VisibilityEffect, measure_effect
from programme.models import SavingsModel
from programme.savings_model.realised import RealisedSavings, realised_savings
from programme.savings_model.words import money_text, value_text

# So many months of cost are looked at for the effect of statements, and for the cost that teams answer for.
EFFECT_MONTHS = 24
BASE_MONTHS = 3


@dataclass(frozen=True, slots=True)
class Measurement:
    """What the books say: a value in the unit of its assumption, None where it is not known; and in words."""

    value: Decimal | None
    text: str
    margin: Decimal | None = None


def measured_values(user: Person, model: SavingsModel, as_of: date) -> dict[str, Measurement]:
    """{key of an assumption: what was measured of it}; assumptions that no book knows are not there."""
    realised = realised_savings(user, model.currency, as_of)
    effect = statement_effect(user, model.currency, as_of)
    base = _cost_a_month(user, model.currency, as_of)
    return {
        "commitments-saving": _proved(realised, "commitments", model, as_of),
        "alerts-avoided": _proved(realised, "alerts", model, as_of),
        "tags-base": base,
        "tags-reduction": _reduction(effect, base.value, model.currency),
    }


def _proved(realised: RealisedSavings, lever: str, model: SavingsModel, as_of: date) -> Measurement:
    """What is proved of a lever since the start; it is no year yet, so it is not made one."""
    months = [
        month for month in realised.months if month >= model.month and realised.of_month(month, lever) is not None
    ]
    total = realised.total(lever=lever, first=model.month, last=Month.of(as_of))
    if total is None:
        return Measurement(None, _("Nothing is proved yet."))
    if not months:
        return Measurement(total, _("Nothing was done that could save, and no bill is missing."))
    text = ngettext(
        "{amount} {currency} proved so far, in {count} month.",
        "{amount} {currency} proved so far, in {count} months.",
        len(months),
    )
    return Measurement(
        total, text.format(amount=money_text(total, model.currency), currency=model.currency, count=len(months))
    )


def _cost_a_month(user: Person, currency: str, as_of: date) -> Measurement:
    """The mean cost of the last months that are known to their end, of the whole company, in one currency."""
    sums: dict[Month, Decimal] = defaultdict(Decimal)
    for row in _team_costs(user, currency, as_of):
        sums[row.month] = EXACT.add(sums[row.month], row.amount)
    months = sorted(sums)[-BASE_MONTHS:]
    if not months:
        return Measurement(None, _("No month of cost in {currency} is known to its end.").format(currency=currency))
    mean = sum((sums[month] for month in months), Decimal(0)) / len(months)
    text = ngettext(
        "{amount} a month by the bills, the mean of the last {count} month.",
        "{amount} a month by the bills, the mean of the last {count} months.",
        len(months),
    )
    return Measurement(mean, text.format(amount=f"{money_text(mean, currency)} {currency}", count=len(months)))


def _team_costs(user: Person, currency: str, as_of: date) -> list[TeamMonthCost]:
    def compute() -> list[TeamMonthCost]:
        period = Period(Month.of(as_of).plus(-EFFECT_MONTHS).start, Month.of(as_of).start)
        return [
            row
            for source in registry.of(TeamCostSource)
            for row in source.months(user, period, as_of)
            if row.currency == currency
        ]

    return request_memo(user, ("cost of teams", currency, as_of), compute)


def statement_effect(user: Person, currency: str, as_of: date) -> VisibilityEffect:
    """What teams that have their statement spend less than teams without one."""
    courses: dict[int, dict[Month, Decimal]] = defaultdict(dict)
    for row in _team_costs(user, currency, as_of):
        if row.team is not None:
            courses[row.team][row.month] = row.amount
    since: dict[int, Month] = {}
    for source in registry.of(StatementReadSource):
        for team, day in source.since().items():
            if day <= as_of:
                since[team] = min(Month.of(day), since.get(team, Month.of(day)))
    return measure_effect(courses, since)


def _reduction(effect: VisibilityEffect, base: Decimal | None, currency: str) -> Measurement:
    if effect.reduction is None or effect.margin is None:
        return Measurement(None, _WHY_UNKNOWN[effect.reason](effect))
    measured = value_text(effect.reduction, AssumptionUnit.PERCENT, "")
    margin = value_text(effect.margin, AssumptionUnit.PERCENT, "")
    text = _(
        "Measured so far {measured} against teams without statements, ± {margin} (95 in 100 times): "
        "{teams} teams with one, {others} without."
    ).format(measured=measured, margin=margin, teams=effect.teams_with, others=effect.teams_without)
    if not effect.is_clear:
        text = f"{text} {_('That may be chance: the interval holds zero.')}"
    elif base is not None:
        yearly = EXACT.multiply(EXACT.multiply(base, YEAR_MONTHS), effect.reduction).scaleb(-2)
        a_year = _("By the cost of today that is {amount} {currency} a year.")
        text = f"{text} {a_year.format(amount=money_text(yearly, currency), currency=currency)}"
    return Measurement(effect.reduction, text, effect.margin)


def _too_few_with(effect: VisibilityEffect) -> str:
    return _("Not enough teams to say: {count} teams with cost have a statement, and it takes {fewest}.").format(
        count=effect.teams_with, fewest=FEWEST_TEAMS
    )


def _too_few_without(effect: VisibilityEffect) -> str:
    if not effect.teams_without:
        return _(
            "Not enough teams to say: every team with cost has a statement, and it takes {fewest} without one to "
            "compare with."
        ).format(fewest=FEWEST_TEAMS)
    return _(
        "Not enough teams: only {count} team with cost has no statement, and it takes {fewest} to compare with."
    ).format(count=effect.teams_without, fewest=FEWEST_TEAMS)


def _too_few_months(effect: VisibilityEffect) -> str:
    return _(
        "Not enough months to say: it takes {fewest} whole months before the first statement, and {fewest} after."
    ).format(fewest=FEWEST_MONTHS)


_WHY_UNKNOWN: dict[str, Callable[[VisibilityEffect], str]] = {
    "teams-with": _too_few_with,
    "teams-without": _too_few_without,
    "months": _too_few_months,
}

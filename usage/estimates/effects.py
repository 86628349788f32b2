"""What scenarios change: budgets, the forecast, and what other pillars know: commitments, unit costs."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Context, Decimal

from django.utils.translation import gettext as _

from costs.query.known_until import known_in
from costs.query.question import Question, company_metric
from costs.query.result_cache import cached
from costs.query.scope import filters_of
from costs.web.explorer_forecast import NoForecast, forecast_months
from finops_site.lib.locale_format import in_marks
from finops_site.lib.money import formatted
from finops_site.lib.periods import Month, Period
from finops_site.lib.person import Person
from finops_site.registry import PlanEffect, PlanEffectSource, PlannedUse, SpanForecast, Unit, registry
from finops_site.ui.figures import measure_text, month_text
from usage.calc.facts import MONTH_HOURS
from usage.estimates.figures import ScenarioFigures
from usage.models import Estimate, EstimateLine

# A forecast of what begins later than this says nothing.
MOST_MONTHS_AHEAD = 6


@dataclass(frozen=True, slots=True)
class EffectRow:
    """An effect in texts, empty where it is not known: as it is, and with each scenario, which may be over a budget."""

    effect: PlanEffect
    before: str
    cells: Sequence[tuple[str, bool]]


def effect_rows(person: Person, estimate: Estimate, figures: Sequence[ScenarioFigures], today: date) -> list[EffectRow]:
    """What each scenario would change, beside what is: what is not known is said in the note of its row."""
    budgets = _budgets(person, estimate, figures, today)
    return [_row(effect, effect in budgets) for effect in (*budgets, *_others(person, estimate, figures, today))]


def _row(effect: PlanEffect, is_budget: bool) -> EffectRow:
    def text(value: Decimal | None) -> str:
        if value is not None and effect.unit == Unit.MONEY and 0 < abs(value) < 1:
            # One call may cost a thousandth of a cent.
            return f"{in_marks(f'{Context(prec=4).plus(value).normalize():f}')} {effect.currency}"
        return "" if value is None else measure_text(value, effect.unit, effect.currency)

    return EffectRow(
        effect,
        text(effect.before),
        [(text(value), is_budget and value is not None and value < 0) for value in effect.after],
    )


def _costs(figures: Sequence[ScenarioFigures]) -> list[Decimal | None]:
    """What each scenario costs in an average month; None where a line has no price: it costs more than is known."""
    return [None if one.unpriced else one.cost for one in figures]


def _budgets(person: Person, estimate: Estimate, figures: Sequence[ScenarioFigures], today: date) -> list[PlanEffect]:
    """What the team's budgets of the running month leave, now and after an average month of it."""
    if estimate.team_id is None:
        return []
    effects = []
    for budget in registry.budgets_of(person, estimate.team_id, Month.of(today)):
        if budget.currency == estimate.currency:
            left = budget.amount - budget.spent
            after = [None if cost is None else left - cost for cost in _costs(figures)]
            label = _("{budget}: left this month").format(budget=budget.name)
            note = _("Of {amount} {currency}.").format(
                amount=formatted(budget.amount, budget.currency), currency=budget.currency
            )
            effects.append(PlanEffect(label, left, after, Unit.MONEY, budget.currency, note, budget.url))
    return effects


def _others(person: Person, estimate: Estimate, figures: Sequence[ScenarioFigures], today: date) -> list[PlanEffect]:
    plans = [[_planned(line, estimate.currency) for line in one.lines] for one in figures]
    effects = [_forecast(person, estimate, figures, today)]
    for source in registry.allowed(PlanEffectSource, person):
        effects += source.effects(person, estimate.team_id, plans, estimate.currency, today)
    return effects


def _planned(line: EstimateLine, currency: str) -> PlannedUse:
    hours = line.monthly_quantity
    share = Decimal(1) if hours is None else min(Decimal(1), hours / MONTH_HOURS)
    return PlannedUse(
        line.item,
        line.region,
        line.unit,
        line.cost,
        line.list_cost,
        currency,
        line.provider,
        line.service,
        share,
        bool(line.terms),
    )


def _forecast(person: Person, estimate: Estimate, figures: Sequence[ScenarioFigures], today: date) -> PlanEffect:
    """The forecast of the first whole month from the start on, of the team or of all that she sees."""
    month = max(Month.of(today).next, _first_whole_month(estimate.starts or today))
    label = _("Forecast, {month}").format(month=month_text(month, "long"))
    try:
        span = _span_of(person, estimate, month, today)
    except NoForecast as error:
        return PlanEffect(label, None, [None] * len(figures), Unit.MONEY, estimate.currency, str(error))
    low, high = (formatted(amount, estimate.currency) for amount in (span.low, span.high))
    note = _("Without it eight times in ten {low} to {high}.").format(low=low, high=high)
    after = [None if cost is None else span.likely + cost for cost in _costs(figures)]
    return PlanEffect(label, span.likely, after, Unit.MONEY, estimate.currency, note)


def _first_whole_month(day: date) -> Month:
    month = Month.of(day)
    return month if day == month.start else month.next


def _span_of(person: Person, estimate: Estimate, month: Month, today: date) -> SpanForecast:
    filters = {"team": [str(estimate.team_id)]} if estimate.team_id else filters_of(person)
    metric = company_metric()
    running = Month.of(today)
    question = Question(Period(running.plus(-1).start, month.period.end), (), "", metric, filters)
    until = known_in(person, Period(running.plus(-1).start, running.period.end), today, filters=filters).until

    def forecasts() -> dict[str, list[SpanForecast]]:
        return forecast_months(person, question, estimate.currency, until, today, MOST_MONTHS_AHEAD + 2)

    # The forecast of a day stays what it is while no bill comes: fitting two years of days takes a while.
    key = ("forecast of estimates", question, estimate.currency, until, today)
    spans = cached(person, key, forecasts).get(estimate.currency, [])
    span = next((one for one in spans if one.days.start == month.start), None)
    if span is None:
        raise NoForecast(
            _("There is no forecast of {month} in {currency}.").format(
                month=month_text(month, "long"), currency=estimate.currency
            )
        )
    return span

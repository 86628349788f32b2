"""Return, payback and cost avoidance of the programme: of what is proved, never of the model."""

from datetime import date
from decimal import Decimal

from django.urls import reverse
from django.utils.translation import gettext as _

from finops_site.lib.money import percent
from finops_site.lib.periods import Month
from finops_site.lib.person import Person
from finops_site.registry import Better, Kpi, KpiArea, Measure, MeasureInput, Unit
from finops_site.translation import gettext_lazy as _lazy
from finops_site.translation import text_lazy
from finops_site.ui.figures import month_text
from finops_site.ui.request_memo import request_memo
from programme.savings_model.assumptions import savings_model
from programme.savings_model.figures import SavingsFigures, load_figures
from programme.savings_model.realised import RealisedSavings, realised_savings
from programme.savings_model.template import CURRENCY
from programme.savings_model.words import money_text

RETURN_TARGET = Decimal(193)
PAYBACK_TARGET = Decimal(6)
# The low end of what the plan wants kept from arising in a year, of 12 to 24 thousand.
AVOIDANCE_TARGET = Decimal(12_000)
# The lever whose proofs are of cost that never arose: cost controls and overruns that an alert avoided.
AVOIDANCE = "alerts"
VIEW = "programme.view_assumption"


def _figures(user: Person, as_of: date) -> SavingsFigures | None:
    return request_memo(user, ("savings model", as_of), lambda: load_figures(user, as_of))


def _url() -> str:
    return reverse("programme:savings")


def return_measure(user: Person, as_of: date) -> Measure | None:
    """(realised - paid) / paid since the start, in per cent."""
    figures = _figures(user, as_of)
    if figures is None:
        return None
    words = text_lazy(
        lambda: _why_unknown(figures) or _("of what was paid for the programme, by what is proved since it began")
    )
    value = percent(figures.realised_return, 2)
    return Measure(value, Unit.PERCENT, RETURN_TARGET, Better.HIGHER, words, _url(), inputs=_inputs(figures))


def payback_measure(user: Person, as_of: date) -> Measure | None:
    """The months until what is proved had reached what was paid; unknown until it has."""
    figures = _figures(user, as_of)
    if figures is None:
        return None
    months = figures.payback
    value = None if months is None else Decimal(months)
    words = text_lazy(
        lambda: _why_not_back(figures) if months is None else _("until what is proved had reached what was paid")
    )
    return Measure(value, Unit.MONTHS, PAYBACK_TARGET, Better.LOWER, words, _url(), inputs=_inputs(figures))


def avoidance_measure(user: Person, as_of: date) -> Measure | None:
    """What is proved to have been kept from arising in twelve months, the same money once.

    0 where nothing was done that could and the bills are whole; None where nothing is proved otherwise.
    """
    model = savings_model()
    realised = realised_savings(user, model.currency if model else CURRENCY, as_of)
    first = Month.of(as_of).plus(-11)
    rows = [one for one in realised.counted if one.claim.lever == AVOIDANCE and one.claim.row.month >= first]
    value, currency = realised.total(lever=AVOIDANCE, first=first), realised.currency
    if not rows and value is None:
        return None
    is_aimed_at = user.sees_whole_company and currency == CURRENCY
    left_out = sum((one.left_out for one in rows if one.claim.row.currency == currency), Decimal(0))
    words = text_lazy(lambda: _avoidance_words(value, left_out, currency))
    url = reverse("programme:savings_evidence") if user.has_perm(VIEW) else ""
    target = AVOIDANCE_TARGET if is_aimed_at else None
    inputs = _avoidance_inputs(realised, first, url) if value is not None else ()
    return Measure(value, Unit.MONEY, target, Better.HIGHER, words, url, currency, inputs)


def _avoidance_words(value: Decimal | None, left_out: Decimal, currency: str) -> str:
    """How it is proved, and what of it other proofs show already."""
    if value is None:
        return _("what is proved is in a currency without a rate")
    if left_out:
        return _(
            "proved by bills and forecasts: what controls switched off, and overruns that an alert avoided; {amount} "
            "{currency} of it other proofs show already, and it counts once"
        ).format(amount=money_text(left_out, currency), currency=currency)
    return _("proved by bills and forecasts: what controls switched off, and overruns that an alert avoided")


def _avoidance_inputs(realised: RealisedSavings, first: Month, url: str) -> tuple[MeasureInput, ...]:
    """What of each source counts."""
    sources = sorted({one.claim.source for one in realised.counted if one.claim.lever == AVOIDANCE})
    sums = ((source, realised.total(lever=AVOIDANCE, source=source, first=first)) for source in sources)
    return tuple(
        MeasureInput(str(source), amount, url, Unit.MONEY, realised.currency)
        for source, amount in sums
        if amount is not None
    )


def _inputs(figures: SavingsFigures) -> tuple[MeasureInput, ...]:
    """What is proved and what was paid, each with the page that lists it."""
    currency = figures.model.currency
    proved = _("Proved since {month}").format(month=month_text(figures.model.month))
    return (
        MeasureInput(proved, figures.realised_total, reverse("programme:savings_evidence"), Unit.MONEY, currency),
        MeasureInput(_("Paid for the programme"), figures.paid, _url(), Unit.MONEY, currency),
    )


def _why_unknown(figures: SavingsFigures) -> str:
    if figures.realised_total is None:
        return _("no saving is proved yet")
    if figures.paid is None:
        return _("nobody has entered what was paid for the programme")
    return _("nothing was paid for the programme") if figures.paid == 0 else ""


def _why_not_back(figures: SavingsFigures) -> str:
    if why := _why_unknown(figures):
        return why
    assert figures.realised_total is not None
    assert figures.paid is not None
    currency = figures.model.currency
    return _("{proved} of {paid} {currency} is back so far").format(
        proved=money_text(figures.realised_total, currency),
        paid=money_text(figures.paid, currency),
        currency=currency,
    )


NOT_STARTED = _lazy("There is no savings model yet: finance starts it.")
KPIS = (
    Kpi(
        "roi",
        _lazy("Return on investment"),
        return_measure,
        VIEW,
        90,
        KpiArea.VALUE,
        _lazy("What is proved to be saved since the programme began, less what was paid for it, as a share of that."),
        _lazy("(savings proved - paid) / paid"),
        better=Better.HIGHER,
        target=RETURN_TARGET,
        why_unknown=NOT_STARTED,
    ),
    Kpi(
        "payback",
        _lazy("Payback time"),
        payback_measure,
        VIEW,
        91,
        KpiArea.VALUE,
        _lazy("After how many months what is proved to be saved had reached what was paid for the programme."),
        _lazy("the first month in which the sum of savings proved is at least what was paid"),
        unit=Unit.MONTHS,
        better=Better.LOWER,
        target=PAYBACK_TARGET,
        why_unknown=NOT_STARTED,
    ),
    Kpi(
        "cost-avoidance",
        _lazy("Cost avoidance"),
        avoidance_measure,
        "programme.view_kpi",
        23,
        KpiArea.VALUE,
        _lazy("What cost controls and answered alerts kept from arising in twelve months, as far as it is proved."),
        _lazy("a day of the stopped resources before x the days that they stood still, and overruns that were avoided"),
        _lazy("Cost avoidance"),
        Unit.MONEY,
        target=AVOIDANCE_TARGET,
        currency=CURRENCY,
        why_unknown=_lazy("Of the last twelve months nothing is proved: no control, and no overrun that was avoided."),
    ),
)

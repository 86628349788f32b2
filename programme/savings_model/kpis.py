"""Return, payback and avoided cost of the programme: of what is proved, never of the model."""

from datetime import date
from decimal import Decimal

from django.urls import reverse
from django.utils.translation import gettext as _

from finops_site.lib.money import percent
from finops_site.lib.periods import Month
from finops_site.lib.person import Person
from finops_site.registry import Better, Measure, Unit
from finops_site.ui.request_memo import request_memo
from programme.savings_model.figures import SavingsFigures, load_figures
from programme.savings_model.words import money_text

RETURN_TARGET = Decimal(193)
PAYBACK_TARGET = Decimal(6)
AVOIDANCE_TARGET = Decimal(12_000)
TARGET_CURRENCY = "USD"
YEAR_MONTHS = 12


def _figures(user: Person, as_of: date) -> SavingsFigures | None:
    return request_memo(user, ("savings model", as_of), lambda: load_figures(user, as_of))


def _url() -> str:
    return reverse("programme:savings")


def return_measure(user: Person, as_of: date) -> Measure | None:
    """(realised - paid) / paid since the start, in per cent."""
    figures = _figures(user, as_of)
    if figures is None:
        return None
    words = _why_unknown(figures) or _("of what was paid for the programme, by what is proved since it began")
    value = percent(figures.realised_return, 2)
    return Measure(value, Unit.PERCENT, RETURN_TARGET, Better.HIGHER, words, _url())


def payback_measure(user: Person, as_of: date) -> Measure | None:
    """The months until what is proved had reached what was paid; unknown until it has."""
    figures = _figures(user, as_of)
    if figures is None:
        return None
    months = figures.payback
    value = None if months is None else Decimal(months)
    words = _("until what is proved had reached what was paid") if months is not None else _why_not_back(figures)
    return Measure(value, Unit.MONTHS, PAYBACK_TARGET, Better.LOWER, words, _url())


def avoidance_measure(user: Person, as_of: date) -> Measure | None:
    """What budget alerts and cost controls avoided in twelve months, as far as it is proved."""
    figures = _figures(user, as_of)
    if figures is None:
        return None
    currency, last = figures.model.currency, Month.of(as_of)
    value = figures.realised.total(lever="alerts", first=last.plus(1 - YEAR_MONTHS), last=last)
    words = _("avoided in 12 months by acting on budget alerts, and switched off by cost controls")
    if value is None:
        words = _("nothing is proved yet: no alert that somebody acted on ended below its forecast")
    target = AVOIDANCE_TARGET if currency == TARGET_CURRENCY else None
    return Measure(value, Unit.MONEY, target, Better.HIGHER, words, _url(), currency)


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

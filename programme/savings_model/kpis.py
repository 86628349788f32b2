"""Return and payback of the programme: of what is proved, never of the model."""

from datetime import date
from decimal import Decimal

from django.urls import reverse
from django.utils.translation import gettext as _

from finops_site.lib.money import percent
from finops_site.lib.person import Person
from finops_site.registry import Better, Kpi, KpiArea, Measure, MeasureInput, Unit
from finops_site.translation import gettext_lazy as _lazy
from finops_site.ui.figures import month_text
from finops_site.ui.request_memo import request_memo
from programme.savings_model.figures import SavingsFigures, load_figures
from programme.savings_model.words import money_text

RETURN_TARGET = Decimal(193)
PAYBACK_TARGET = Decimal(6)
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
    words = _why_unknown(figures) or _("of what was paid for the programme, by what is proved since it began")
    value = percent(figures.realised_return, 2)
    return Measure(value, Unit.PERCENT, RETURN_TARGET, Better.HIGHER, words, _url(), inputs=_inputs(figures))


def payback_measure(user: Person, as_of: date) -> Measure | None:
    """The months until what is proved had reached what was paid; unknown until it has."""
    figures = _figures(user, as_of)
    if figures is None:
        return None
    months = figures.payback
    value = None if months is None else Decimal(months)
    words = _("until what is proved had reached what was paid") if months is not None else _why_not_back(figures)
    return Measure(value, Unit.MONTHS, PAYBACK_TARGET, Better.LOWER, words, _url(), inputs=_inputs(figures))


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
)

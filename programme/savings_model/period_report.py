"""Savings by pillar in the quarterly review: what was stated and expected, and what of it is proved."""

from datetime import date
from decimal import Decimal
from typing import Any

from django.urls import reverse
from django.utils.translation import gettext as _

from finops_site.lib import charts
from finops_site.lib.money import EXACT
from finops_site.lib.periods import Month, Period
from finops_site.lib.person import Person
from finops_site.ui.figures import month_text
from programme.calc.savings_model import LEVERS, PILLARS, YEAR_MONTHS, AssumptionUnit
from programme.savings_model.figures import SavingsFigures, load_figures
from programme.savings_model.words import LEVER_LABELS, money_text, range_text

ABSENT = "—"
# {pillar: the assumption in which the plan states it by itself}; of the others it states the sum alone.
STATED = {"tags": "stated-tags"}
STATED_TOTAL = "stated-total"


def savings_of_period(user: Person, period: Period, today: date) -> dict[str, Any] | None:
    """Every pillar of the plan, and usage: stated, expected, proved; None where there was no model by then."""
    day = min(today, period.last_day)
    figures = load_figures(user, day)
    if figures is None:
        return None
    months = period.months()
    rows = [_row(figures, lever, months) for lever in LEVERS]
    sentences = _sentences(figures, months)
    return {
        "text": sentences,
        "charts": [_chart(figures, months)]
        if any(figures.realised.of_month(month) is not None for month in months)
        else [],
        "tables": [
            {
                "title": _("Savings by pillar, {currency}").format(currency=figures.model.currency),
                "head": [
                    _("Pillar"),
                    _("Stated for a year"),
                    _("Expected of these months"),
                    _("Proved in these months"),
                    _("Proved since {month}").format(month=month_text(figures.model.month)),
                ],
                "rows": rows,
                "totals": [_total(figures, months)],
            }
        ],
        "links": [(_("Savings model"), reverse("programme:savings"))],
        "brief": {"text": sentences[:1]},
    }


def _row(figures: SavingsFigures, lever: str, months: list[Month]) -> list[Any]:
    expected = figures.expected.savings.get(lever)
    return [
        str(LEVER_LABELS[lever]),
        _stated(figures, STATED.get(lever, "")) if lever in PILLARS else _("no part of the plan"),
        _amount(figures, _of_months(expected, months), ABSENT if lever not in PILLARS else ""),
        _amount(figures, figures.realised.total(lever=lever, first=months[0], last=months[-1])),
        _amount(figures, figures.realised_of(lever)),
    ]


def _total(figures: SavingsFigures, months: list[Month]) -> list[Any]:
    return [
        _("All pillars"),
        _stated(figures, STATED_TOTAL),
        _amount(figures, _of_months(figures.expected.total, months)),
        _amount(figures, figures.realised.total(first=months[0], last=months[-1])),
        _amount(figures, figures.realised_total),
    ]


def _of_months(yearly: Decimal | None, months: list[Month]) -> Decimal | None:
    """The same part of the expected case of a year."""
    return None if yearly is None else EXACT.divide(EXACT.multiply(yearly, Decimal(len(months))), YEAR_MONTHS)


def _stated(figures: SavingsFigures, key: str) -> str:
    """What the plan claims, from its low end to its high one."""
    values = figures.values.get(key, {})
    pair = (values.get("conservative"), values.get("optimistic"))
    if all(value is None for value in pair):
        return _("not stated")
    return range_text(pair, AssumptionUnit.YEARLY, figures.model.currency)


def _amount(figures: SavingsFigures, amount: Decimal | None, absent: str = "") -> Any:
    if amount is None:
        return absent or _("not known")
    return {"amount": amount, "currency": figures.model.currency}


def _sentences(figures: SavingsFigures, months: list[Month]) -> list[str]:
    currency, expected = figures.model.currency, _of_months(figures.expected.total, months)
    proved = figures.realised.total(first=months[0], last=months[-1])
    if proved is None:
        first = _("What was saved in these months is not known: nothing is proved yet.")
    elif expected is None:
        first = _("{proved} {currency} are proved; what was expected is not known.").format(
            proved=money_text(proved, currency), currency=currency
        )
    else:
        first = _("{proved} of {expected} {currency} that were expected of these months are proved.").format(
            proved=money_text(proved, currency), expected=money_text(expected, currency), currency=currency
        )
    sentences = [first]
    apart = [f"{money_text(amount, code)} {code}" for code, amount in sorted(figures.realised.apart.items())]
    if apart:
        sentences.append(_("In no sum, for want of an exchange rate: {amounts}.").format(amounts=", ".join(apart)))
    effect = figures.measured.get("tags-reduction")
    if effect is not None:
        label = LEVER_LABELS["tags"]
        sentences.append(_("{pillar}, which is measured and not proved: {text}").format(pillar=label, text=effect.text))
    sentences.append(_("The same money counts once, for the strongest proof that there is of it."))
    return sentences


def _chart(figures: SavingsFigures, months: list[Month]) -> dict[str, Any]:
    """Proved by month and pillar; a month without proof has no bar."""
    many = [(lever, [figures.realised.of_month(month, lever) for month in months]) for lever in LEVERS]
    return {
        "id": "period-savings-by-pillar",
        "kind": "bar",
        "title": _("Proved by month, {currency}").format(currency=figures.model.currency),
        "categories": [month_text(month) for month in months],
        "series": [
            charts.series(str(LEVER_LABELS[lever]), values)
            for lever, values in many
            if any(value is not None for value in values)
        ],
        "currency": figures.model.currency,
    }

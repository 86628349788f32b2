"""Figures of commitments for the home page and the programme."""

from collections.abc import Mapping
from datetime import date
from decimal import Decimal
from typing import Any

from django.db.models import Sum, Value
from django.db.models.functions import Coalesce
from django.urls import reverse
from django.utils.translation import gettext as _

from finops_site.lib.money import formatted, percent
from finops_site.lib.periods import Month
from finops_site.lib.person import Person
from finops_site.registry import Better, Measure, MeasureInput, Unit
from finops_site.translation import gettext_lazy as _lazy
from finops_site.translation import text_lazy
from finops_site.ui.figures import month_text
from finops_site.ui.request_memo import request_memo
from reservations.inventory import metrics
from reservations.models import Commitment, LedgerMonth
from reservations.savings import ledger

HUNDRED = Decimal(100)
ZERO = Decimal(0)
COVERAGE_TARGET = metrics.TARGET_COVERAGE * HUNDRED
UTILISATION_TARGET = metrics.TARGET_UTILISATION * HUNDRED
# A twelfth of what the programme wants in a year.
MONTHLY_TARGET = ledger.TARGET / 12
BILLS_MISSING = _lazy(
    "Nothing was bought by the bills that are here, and some are missing: what was saved is not known."
)


def _main(user: Person, as_of: date) -> metrics.CommitmentMetrics | None:
    """The last 30 days in the currency of most cost; three figures stand on it."""

    def compute() -> metrics.CommitmentMetrics | None:
        newest = _newest_day(user, as_of)
        by_currency = metrics.metrics_by_currency(user, metrics.period_ending_on(newest)) if newest else []
        return by_currency[0] if by_currency else None

    return request_memo(user, ("commitments", as_of), compute)


def _newest_day(user: Person, as_of: date) -> date | None:
    return request_memo(user, ("newest day of use", as_of), lambda: metrics.newest_usage_day(user, as_of))


def coverage_kpi(user: Person, as_of: date) -> Measure | None:
    """Covered / eligible at on-demand prices, against 70 %."""
    main = _main(user, as_of)
    if main is None:
        return None
    words = text_lazy(
        lambda: _with_note(
            main.why_unknown or _("of what a commitment could cover, at on-demand prices, over the last 30 days"), main
        )
    )
    overview = reverse("reservations:overview")
    inputs = (
        _money_input(main, _("Could be covered, at on-demand prices"), main.eligible, overview),
        _money_input(main, _("Of it covered"), main.covered, reverse("reservations:commitments")),
    )
    return Measure(percent(main.coverage, 2), Unit.PERCENT, COVERAGE_TARGET, Better.HIGHER, words, overview, "", inputs)


def utilisation_kpi(user: Person, as_of: date) -> Measure | None:
    """Used / bought in money; None while nothing is committed."""
    main = _main(user, as_of)
    if main is None or main.utilisation is None:
        return None
    words = text_lazy(lambda: _("of what is committed was used over the last 30 days"))
    url = reverse("reservations:overview")
    inputs = (
        MeasureInput(_("Paid for commitments"), main.committed, reverse("reservations:commitments"), *_money(main)),
        MeasureInput(_("Of it unused"), main.unused_cost, url, *_money(main)),
    )
    return Measure(
        percent(main.utilisation, 2), Unit.PERCENT, UTILISATION_TARGET, Better.HIGHER, words, url, "", inputs
    )


def savings_rate_kpi(user: Person, as_of: date) -> Measure | None:
    """1 - paid / on-demand equivalent; there is no common target. Without value where bills state no such price."""
    main = _main(user, as_of)
    if main is None or (main.savings_rate is None and not main.unpriced):
        return None
    words = text_lazy(
        lambda: _with_note(main.why_unknown or _("saved on eligible usage, unused commitments included"), main)
    )
    overview = reverse("reservations:overview")
    inputs = (
        _money_input(main, _("At on-demand prices"), main.eligible, overview),
        _money_input(main, _("Paid, unused commitments included"), main.paid, overview),
    )
    return Measure(percent(main.savings_rate, 2), Unit.PERCENT, None, Better.HIGHER, words, overview, "", inputs)


def _with_note(words: str, main: metrics.CommitmentMetrics) -> str:
    """The words, and whose prices they stand on where the bill states none."""
    return f"{words}; {main.price_note}" if main.price_note else words


def savings_kpi(user: Person, as_of: date) -> Measure | None:
    """What commitments saved in the twelve months up to `as_of`: the sum of the ledger, by the bills.

    For the whole company it is 0 while nothing was bought and the bills are whole, and not known where one is missing;
    a team without a purchase has no such figure.
    """
    by_currency = ledger.savings_of_year(user, as_of)
    if not by_currency and (not user.sees_whole_company or _newest_day(user, as_of) is None):
        return None
    url = reverse("reservations:savings")
    if not by_currency and not ledger.is_nothing(user, as_of):
        return Measure(None, Unit.MONEY, ledger.TARGET, Better.HIGHER, BILLS_MISSING, url, ledger.TARGET_CURRENCY)
    is_in_target_currency = ledger.TARGET_CURRENCY in by_currency or not by_currency
    code = ledger.TARGET_CURRENCY if is_in_target_currency else min(by_currency)
    main = by_currency.get(code, {"promised": ZERO, "realised": ZERO})
    words = text_lazy(lambda: _saved_words(by_currency, main["promised"], code))
    # The target is the company's, and in one currency.
    target = ledger.TARGET if code == ledger.TARGET_CURRENCY and user.sees_whole_company else None
    inputs = (
        MeasureInput(_("Promised by purchases"), main["promised"], url, Unit.MONEY, code),
        MeasureInput(_("Proved by bills"), main["realised"], url, Unit.MONEY, code),
    )
    return Measure(main["realised"], Unit.MONEY, target, Better.HIGHER, words, url, code, inputs)


def _saved_words(by_currency: Mapping[str, Mapping[str, Decimal]], promised: Decimal, code: str) -> str:
    """What the savings of a year are of; those in other currencies stand beside it."""
    words = _("proved by the bills of 12 months, of {promised} {code} promised").format(
        promised=formatted(promised, code), code=code
    )
    others = [
        f"{formatted(sums['realised'], other)} {other}" for other, sums in sorted(by_currency.items()) if other != code
    ]
    return _("{words}; and {names}").format(words=words, names=", ".join(others)) if others else words


def monthly_savings_kpi(user: Person, as_of: date) -> Measure | None:
    """What commitments saved in the newest month that is over and whose use is known to its end.

    Not known while no such month is there; 0 for the whole company where one is and nothing was bought.
    """
    newest = _newest_day(user, as_of)
    if newest is None:
        return None
    month = Month.of(newest)
    month = month if newest == month.period.last_day else month.previous
    rows = ledger.sum_lines(LedgerMonth.objects.visible_to(user).within(month.period))
    by_currency = {row["currency"]: row for row in rows}
    if not by_currency and not user.sees_whole_company:
        return None
    is_in_target_currency = ledger.TARGET_CURRENCY in by_currency or not by_currency
    code = ledger.TARGET_CURRENCY if is_in_target_currency else min(by_currency)
    main = by_currency.get(code, {"promised": ZERO, "realised": ZERO})
    target = MONTHLY_TARGET if code == ledger.TARGET_CURRENCY and user.sees_whole_company else None
    url = reverse("reservations:savings")
    inputs = (
        MeasureInput(_("Promised by purchases"), main["promised"], url, Unit.MONEY, code),
        MeasureInput(_("Proved by bills"), main["realised"], url, Unit.MONEY, code),
    )
    words = text_lazy(lambda: _("proved by the bills of {month}").format(month=month_text(month, "long")))
    return Measure(main["realised"], Unit.MONEY, target, Better.HIGHER, words, url, code, inputs)


def _money(main: metrics.CommitmentMetrics) -> tuple[Unit, str]:
    return Unit.MONEY, main.currency


def _money_input(main: metrics.CommitmentMetrics, label: str, amount: Decimal, url: str) -> MeasureInput:
    """An amount at on-demand prices, which are not known of every line."""
    return MeasureInput(label, None if main.unpriced else amount, url, Unit.MONEY, main.currency)


def count_bought(since: date, as_of: date) -> int:
    """Machines that commitments which began from `since` to `as_of` are for; a plan, and what names none, is one."""
    rows = Commitment.objects.filter(start__gte=since, start__lte=as_of).exclude(unit__icontains="unit")
    return int(rows.aggregate(machines=Sum(Coalesce("count", Value(Decimal(1)))))["machines"] or 0)


def savings_figure(user: Person, as_of: date) -> list[dict[str, Any]]:
    """What commitments saved in twelve months against what was promised, as a figure beside spend."""
    measure = savings_kpi(user, as_of)
    if measure is None or measure.value is None:
        return []
    note = _("in 12 months")
    if measure.target is not None:
        note = _("in 12 months, target {target}").format(target=formatted(measure.target, measure.currency))
    return [
        {
            "label": _("Savings realised"),
            "amount": measure.value,
            "currency": measure.currency,
            "note": note,
            "url": measure.url,
            "icon": "discount",
        }
    ]

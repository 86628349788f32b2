"""Figures of commitments for the home page and the programme."""

from datetime import date
from decimal import Decimal

from django.urls import reverse

from finops_site.lib.money import formatted, percent
from finops_site.lib.person import Person
from finops_site.registry import Measure
from finops_site.ui.request_memo import request_memo
from reservations.inventory import metrics
from reservations.savings import ledger

HUNDRED = Decimal(100)


ZERO = Decimal(0)


def _main(user: Person, as_of: date) -> metrics.CommitmentMetrics | None:
    """The last 30 days in the currency of most cost; three figures stand on it."""
    return request_memo(user, ("commitments", as_of), lambda: _standing(user))


def _newest_day(user: Person) -> date | None:
    return request_memo(user, "newest day of use", lambda: metrics.newest_usage_day(user))


def _standing(user: Person) -> metrics.CommitmentMetrics | None:
    newest = _newest_day(user)
    found = metrics.metrics_by_currency(user, metrics.period_ending_on(newest)) if newest else []
    return found[0] if found else None


def coverage_kpi(user: Person, as_of: date) -> Measure | None:
    """Covered / eligible at on-demand prices, against 70 %."""
    found = _main(user, as_of)
    if found is None:
        return None
    words = "of what a commitment could cover, at on-demand prices, over the last 30 days"
    return Measure(percent(found.coverage, 2), "%", Decimal(70), "higher", words, reverse("reservations:overview"))


def utilisation_kpi(user: Person, as_of: date) -> Measure | None:
    """Used / bought in money; None while nothing is committed."""
    found = _main(user, as_of)
    if found is None or found.utilisation is None:
        return None
    words = "of what is committed was used over the last 30 days"
    url = reverse("reservations:overview")
    return Measure(percent(found.utilisation, 2), "%", metrics.TARGET_UTILISATION * HUNDRED, "higher", words, url)


def savings_rate_kpi(user: Person, as_of: date) -> Measure | None:
    """1 - paid / on-demand equivalent; there is no common target."""
    found = _main(user, as_of)
    if found is None or found.savings_rate is None:
        return None
    words = "saved on eligible usage, unused commitments included"
    return Measure(percent(found.savings_rate, 2), "%", None, "higher", words, reverse("reservations:overview"))


def savings_kpi(user: Person, as_of: date) -> Measure | None:
    """What commitments saved in the twelve months up to `as_of`: the sum of the ledger, by the bills.

    For the whole company it is 0 while nothing was bought; a team without a purchase has no such figure.
    """
    found = ledger.savings_of_year(user, as_of)
    if not found and (not user.sees_whole_company or _newest_day(user) is None):
        return None
    code = ledger.TARGET_CURRENCY if ledger.TARGET_CURRENCY in found or not found else min(found)
    mine = found.get(code, {"promised": ZERO, "realised": ZERO})
    others = [f"{formatted(each['realised'], other)} {other}" for other, each in sorted(found.items()) if other != code]
    words = f"proved by the bills of 12 months, of {formatted(mine['promised'], code)} {code} promised"
    words = f"{words}; and {', '.join(others)}" if others else words
    # The aim is the company's, and in one currency.
    aim = ledger.TARGET if code == ledger.TARGET_CURRENCY and user.sees_whole_company else None
    return Measure(mine["realised"], code, aim, "higher", words, reverse("reservations:savings"))

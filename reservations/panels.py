"""What commitments have to say elsewhere: figures of the programme, advice, the night, the report, the demo."""

from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime, time
from decimal import Decimal
from typing import Any

from django.urls import reverse

from finops_site.lib.money import exact_text, formatted, percent
from finops_site.lib.periods import Month
from finops_site.lib.person import Person
from finops_site.registry import AdviceItem, Better, Measure, PendingDecision, Unit
from finops_site.ui.figures import percent_text
from finops_site.ui.pending_decisions import decision_items
from finops_site.ui.request_memo import request_memo
from reservations.calc import purchase_rules, realised_savings
from reservations.inventory import metrics, notices
from reservations.models import Commitment, Plan, PurchaseRequest
from reservations.purchases import purchase_requests
from reservations.savings import ledger

HUNDRED = Decimal(100)
ZERO = Decimal(0)


def _main(user: Person, as_of: date) -> metrics.Standing | None:
    """The last 30 days in the currency of most cost; three figures stand on it."""
    return request_memo(user, ("commitments", as_of), lambda: _standing(user))


def _newest_day(user: Person) -> date | None:
    return request_memo(user, "newest day of use", lambda: metrics.newest_day(user))


def _standing(user: Person) -> metrics.Standing | None:
    newest = _newest_day(user)
    found = metrics.standings(user, metrics.days_until(newest)) if newest else []
    return found[0] if found else None


def coverage(user: Person, as_of: date) -> Measure | None:
    """Covered / eligible at on-demand prices, against 70 %."""
    found = _main(user, as_of)
    if found is None:
        return None
    words = "of what a commitment could cover, at on-demand prices, over the last 30 days"
    return Measure(
        percent(found.coverage, 2), Unit.PERCENT, Decimal(70), Better.HIGHER, words, reverse("reservations:overview")
    )


def utilisation(user: Person, as_of: date) -> Measure | None:
    """Used / bought in money; None while nothing is committed."""
    found = _main(user, as_of)
    if found is None or found.utilisation is None:
        return None
    words = "of what is committed was used over the last 30 days"
    url = reverse("reservations:overview")
    return Measure(
        percent(found.utilisation, 2), Unit.PERCENT, metrics.TARGET_UTILISATION * HUNDRED, Better.HIGHER, words, url
    )


def savings_rate(user: Person, as_of: date) -> Measure | None:
    """1 - paid / on-demand equivalent; there is no common target."""
    found = _main(user, as_of)
    if found is None or found.savings_rate is None:
        return None
    words = "saved on eligible usage, unused commitments included"
    return Measure(
        percent(found.savings_rate, 2), Unit.PERCENT, None, Better.HIGHER, words, reverse("reservations:overview")
    )


def savings(user: Person, as_of: date) -> Measure | None:
    """What commitments saved in the twelve months up to `as_of`: the sum of the ledger, by the bills.

    For the whole company it is 0 while nothing was bought; a team without a purchase has no such figure.
    """
    found = ledger.year(user, as_of)
    if not found and (not user.sees_whole_company or _newest_day(user) is None):
        return None
    code = ledger.TARGET_CURRENCY if ledger.TARGET_CURRENCY in found or not found else min(found)
    mine = found.get(code, {"promised": ZERO, "realised": ZERO})
    others = [f"{formatted(each['realised'], other)} {other}" for other, each in sorted(found.items()) if other != code]
    words = f"proved by the bills of 12 months, of {formatted(mine['promised'], code)} {code} promised"
    words = f"{words}; and {', '.join(others)}" if others else words
    # The aim is the company's, and in one currency.
    aim = ledger.TARGET if code == ledger.TARGET_CURRENCY and user.sees_whole_company else None
    return Measure(mine["realised"], Unit.MONEY, aim, Better.HIGHER, words, reverse("reservations:savings"), code)


def ledger_night(as_of: date) -> str:
    """Makes the ledger anew and proves it; raises where an equation does not hold, so that the night says so."""
    lines = ledger.refresh(as_of)
    checks = list(ledger.checks(None))
    if broken := [f"{check.invariant}, {check.about}" for check in checks if not check.holds]:
        raise ValueError(f"The savings ledger does not add up: {'; '.join(broken)}.")
    return f"{lines} lines of the savings ledger, {len(checks)} equations hold."


def savings_report(user: Person, month: Month) -> dict[str, Any] | None:
    """The ledger in a month: the month and the twelve months up to it, promised, realised, and why they differ."""
    year = ledger.of_year(user, month.period.last_day)
    sums = ledger.sums(year)
    if not sums:
        return None
    now = {row["currency"]: row for row in ledger.sums(year.within(month.period))}
    return {
        "text": [_saved(row, now.get(row["currency"])) for row in sums],
        "tables": [_saved_table(year)],
        "links": [("Savings ledger", reverse("reservations:savings"))],
    }


def _saved(row: Mapping[str, Any], now: Mapping[str, Any] | None) -> str:
    code = row["currency"]
    realised, promised = (f"{formatted(row[name], code)} {code}" for name in ("realised", "promised"))
    text = (
        f"In twelve months commitments saved {realised}, of {promised} promised. {realised_savings.because(row, code)}"
    )
    if now is None:
        return f"{text} No bill tells of this month yet."
    return f"{text} This month: {formatted(now['realised'], code)} of {formatted(now['promised'], code)} {code}."


def _saved_table(rows: Any) -> dict[str, Any]:
    """Every purchase of the twelve months, and their sum in each currency: the figure of the programme."""
    named = PurchaseRequest.objects.in_bulk(rows.values_list("request", flat=True))

    def cells(label: Any, row: Mapping[str, Any]) -> list[Any]:
        amounts = [{"amount": row[name], "currency": row["currency"]} for name in ("promised", "realised", "gap")]
        return [label, *amounts]

    def name(pk: int) -> dict[str, str]:
        return {"text": str(named[pk]), "url": reverse("reservations:saved", args=[pk])}

    return {
        "title": "Purchases, twelve months",
        "head": ["Purchase", "Promised", "Realised", "Missing"],
        "rows": [cells(name(row["request"]), row) for row in ledger.sums(rows, "request")],
        "totals": [cells(f"Total {row['currency']}", row) for row in ledger.sums(rows)],
    }


def to_decide(user: Person) -> Any:
    """The purchases that wait for approval, and those approved that nobody has bought yet."""
    return PurchaseRequest.objects.visible_to(user).filter(state__in=(purchase_rules.WAITING, purchase_rules.APPROVED))


def purchases_waiting(user: Person, rows: Any) -> list[PendingDecision]:
    """Of those that wait for approval, the ones that she may approve."""
    url = reverse("reservations:purchases")
    asked = rows.waiting_for(purchase_requests.approver(user))
    approved = rows.filter(state=purchase_rules.APPROVED)
    return [
        *decision_items(asked, "A purchase waits for your approval", "purchases wait for your approval", url),
        *decision_items(
            approved, "An approved purchase is not bought yet", "approved purchases are not bought yet", url
        ),
    ]


def advice(user: Person, filters: Mapping[str, Sequence[str]], as_of: date) -> list[AdviceItem]:
    """The newest recommendation, where it saves anything; nothing for somebody without a login."""
    if user is None or not user.has_perm("reservations.view_plan"):
        return []
    plan = Plan.objects.visible_to(user).filter(state=Plan.State.READY).first()
    if plan is None or not plan.saving or plan.saving <= 0:
        return []
    note = " (indicative prices)" if plan.is_indicative else ""
    count = plan.item_count()
    what = f"{count} purchase{'s' if count != 1 else ''}{note}"
    if plan.team is None and set(filters) - {"currency"}:
        # What the company saves is no figure for a part of it.
        return [AdviceItem(f"Commit to what runs all the time, for the whole company: {what}", plan.get_absolute_url())]
    text = f"Commit to what runs all the time: {what}"
    return [AdviceItem(text, plan.get_absolute_url(), plan.saving / 12, plan.currency)]


def nightly(as_of: date) -> str:
    """Notices of what ends soon or stands idle, each made and mailed once."""
    ends, low = notices.notice_expiries(as_of), notices.notice_low_weeks(as_of)
    sent = notices.send(notices.unsent())
    return f"{len(ends)} expiries and {len(low)} poorly used commitments noticed, {sent} notices sent."


def purchases(as_of: date) -> str:
    """Requests whose time is over or whose prices moved expire; what was bought is looked for in the bills."""
    now = datetime.combine(as_of, time.min, UTC)
    expired, found = purchase_requests.expire_waiting(now), purchase_requests.find_in_bills(now)
    return f"{expired} requests expired, {found} purchases found in the bills."


def report(user: Person, month: Month) -> dict[str, Any] | None:
    """Commitments in a month: the four figures, what ended, and the newest recommendation."""
    found = metrics.standings(user, month.period)
    if not found:
        return None
    main = found[0]
    ended = Commitment.objects.visible_to(user).ending_in(month.period).count()
    plan = Plan.objects.visible_to(user).filter(state=Plan.State.READY).first()
    text = (
        f"{percent_text(main.coverage) or 'Nothing'} of eligible usage was covered (aim: 70%), "
        f"{exact_text(main.unused_cost.quantize(Decimal('0.01')))} {main.currency} were paid for nothing. "
        f"{ended} commitments ended."
    )
    return {"text": text, "standing": main, "ended": ended, "plan": plan}

"""The sections of the monthly report about commitments and what they saved."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from django.urls import reverse
from django.utils.translation import gettext as _

from finops_site.lib.money import exact_text, formatted
from finops_site.lib.periods import Month
from finops_site.lib.person import Person
from finops_site.ui.figures import percent_text
from reservations.calc import realised_savings
from reservations.inventory import metrics
from reservations.models import Commitment, Plan, PurchaseRequest
from reservations.querysets import LedgerQuerySet
from reservations.savings import ledger


def savings_report(user: Person, month: Month) -> dict[str, Any] | None:
    """The ledger in a month: the month and the twelve months up to it, promised, realised, and why they differ."""
    year = ledger.lines_of_year(user, month.period.last_day)
    sums = ledger.sum_lines(year)
    if not sums:
        return None
    now = {row["currency"]: row for row in ledger.sum_lines(year.within(month.period))}
    return {
        "text": [_savings_text(row, now.get(row["currency"])) for row in sums],
        "tables": [_savings_table(year)],
        "links": [(_("Savings ledger"), reverse("reservations:savings"))],
    }


def _savings_text(row: Mapping[str, Any], now: Mapping[str, Any] | None) -> str:
    code = row["currency"]
    realised, promised = (f"{formatted(row[name], code)} {code}" for name in ("realised", "promised"))
    why = realised_savings.explain_gap(row, code)
    text = _("In twelve months commitments saved {realised}, of {promised} promised. {why}").format(
        realised=realised, promised=promised, why=why
    )
    if now is None:
        return _("{text} No bill shows this month yet.").format(text=text)
    return _("{text} This month: {realised} of {promised} {code}.").format(
        text=text, realised=formatted(now["realised"], code), promised=formatted(now["promised"], code), code=code
    )


def _savings_table(rows: LedgerQuerySet) -> dict[str, Any]:
    """Every purchase of the twelve months, and their sum in each currency: the figure of the programme."""
    requests = PurchaseRequest.objects.in_bulk(rows.values_list("request", flat=True))

    def cells(label: str | dict[str, str], row: Mapping[str, Any]) -> list[Any]:
        amounts = [{"amount": row[name], "currency": row["currency"]} for name in ("promised", "realised", "gap")]
        return [label, *amounts]

    def link(pk: int) -> dict[str, str]:
        return {"text": str(requests[pk]), "url": reverse("reservations:saved", args=[pk])}

    return {
        "title": _("Purchases, twelve months"),
        "head": [_("Purchase"), _("Promised"), _("Realised"), _("Missing")],
        "rows": [cells(link(row["request"]), row) for row in ledger.sum_lines(rows, "request")],
        "totals": [
            cells(_("Total {currency}").format(currency=row["currency"]), row) for row in ledger.sum_lines(rows)
        ],
    }


def commitments_report(user: Person, month: Month) -> dict[str, Any] | None:
    """Commitments in a month: the four figures, what ended, and the newest recommendation."""
    by_currency = metrics.metrics_by_currency(user, month.period)
    if not by_currency:
        return None
    main = by_currency[0]
    ended = Commitment.objects.visible_to(user).ending_in(month.period).count()
    plan = Plan.objects.newest_for(user)
    covered = _("Nothing of eligible usage was covered (target: 70%)")
    if share := percent_text(main.coverage):
        covered = _("{share} of eligible usage was covered (target: 70%)").format(share=share)
    if main.unpriced:
        covered = _("How much of eligible usage was covered is {why}").format(why=main.why_unknown)
    text = _("{covered}, {amount} {currency} were paid for unused commitments. {ended} commitments ended.").format(
        covered=covered,
        amount=exact_text(main.unused_cost.quantize(Decimal("0.01"))),
        currency=main.currency,
        ended=ended,
    )
    return {"text": text, "metrics": main, "ended": ended, "plan": plan}

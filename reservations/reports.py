"""The sections of the monthly report and of the quarterly review about commitments and what they saved."""

from collections.abc import Mapping, Sequence
from datetime import date
from decimal import Decimal
from typing import Any

from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from finops_site.lib import charts
from finops_site.lib.money import exact_text, formatted, percent
from finops_site.lib.periods import Month, Period
from finops_site.lib.person import Person
from finops_site.ui.figures import month_text, percent_text
from reservations.calc import realised_savings
from reservations.inventory import metrics
from reservations.models import Commitment, LedgerMonth, Plan, PurchaseRequest
from reservations.querysets import LedgerQuerySet
from reservations.savings import ledger

ABSENT = "—"


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
    text = ngettext(
        "{covered}, {amount} {currency} were paid for unused commitments. {ended} commitment ended.",
        "{covered}, {amount} {currency} were paid for unused commitments. {ended} commitments ended.",
        ended,
    ).format(
        covered=covered,
        amount=exact_text(main.unused_cost.quantize(Decimal("0.01"))),
        currency=main.currency,
        ended=ended,
    )
    return {"text": text, "metrics": main, "ended": ended, "plan": plan}


def commitments_of_period(user: Person, period: Period, today: date) -> dict[str, Any] | None:
    """A quarter of commitments: what they saved of what was promised, what they covered, and how much was used."""
    may_see_ledger = user.has_perm("reservations.view_ledgermonth")
    saved = LedgerMonth.objects.visible_to(user).within(period) if may_see_ledger else LedgerMonth.objects.none()
    sums, by_currency = ledger.sum_lines(saved), metrics.metrics_by_currency(user, period)
    if not sums and not by_currency:
        return None
    sentences = [*(_saved_text(row) for row in sums), *(_coverage_text(one) for one in by_currency)]
    charts_drawn = []
    if sums:
        charts_drawn = [_saved_chart(saved, max(sums, key=lambda row: row["promised"])["currency"])]
    elif len(months := metrics.metrics_by_month(user, period, by_currency[0].currency)) > 1:
        charts_drawn = [_coverage_chart(months, by_currency[0].currency)]
    return {
        "text": [*sentences, _("What is saved is read from bills, purchase by purchase, never from the plan.")],
        "stats": _coverage_stats(by_currency[0]) if by_currency else [],
        "charts": charts_drawn,
        "tables": [{**_savings_table(saved), "title": _("Purchases")}] if sums else [],
        "links": [(_("Savings ledger"), reverse("reservations:savings"))],
        "brief": {"text": sentences[:2]},
    }


def _saved_text(row: Mapping[str, Any]) -> str:
    code = row["currency"]
    return _("Commitments saved {realised} of {promised} promised. {why}").format(
        realised=f"{formatted(row['realised'], code)} {code}",
        promised=f"{formatted(row['promised'], code)} {code}",
        why=realised_savings.explain_gap(row, code),
    )


def _saved_chart(rows: LedgerQuerySet, code: str) -> dict[str, Any]:
    by_month = [row for row in ledger.sum_lines(rows, "month") if row["currency"] == code]
    return {
        "id": f"period-savings-{code.lower()}",
        "kind": "bar",
        "title": _("Promised and proved by bills, {currency}").format(currency=code),
        "categories": [month_text(row["month"]) for row in by_month],
        "series": [
            charts.series(_("Promised"), [row["promised"] for row in by_month], tone="calm"),
            charts.series(_("Proved"), [row["realised"] for row in by_month], tone="good"),
        ],
        "currency": code,
    }


def _coverage_stats(main: metrics.CommitmentMetrics) -> list[dict[str, Any]]:
    return [
        {"label": _("Covered"), "value": percent_text(main.coverage) or ABSENT, "note": main.why_unknown},
        {"label": _("Used"), "value": percent_text(main.utilisation) or ABSENT},
        {"label": _("Effective savings rate"), "value": percent_text(main.savings_rate) or ABSENT},
        {"label": _("Paid and not used"), "amount": main.unused_cost, "currency": main.currency},
    ]


def _coverage_text(one: metrics.CommitmentMetrics) -> str:
    if one.unpriced:
        return _("How much of eligible usage in {currency} was covered is {why}.").format(
            currency=one.currency, why=one.why_unknown
        )
    return _("Commitments covered {share} of eligible usage in {currency}; {unused} were paid and not used.").format(
        share=percent_text(one.coverage) or ABSENT,
        currency=one.currency,
        unused=f"{formatted(one.unused_cost, one.currency)} {one.currency}",
    )


def _coverage_chart(months: Sequence[Mapping[str, Any]], code: str) -> dict[str, Any]:
    def percents(name: str) -> list[Decimal | None]:
        return [percent(row[name]) for row in months]

    return {
        "id": f"period-coverage-{code.lower()}",
        "kind": "line",
        "title": _("Covered and used, {currency}").format(currency=code),
        "categories": [month_text(row["moment"]) for row in months],
        "series": [
            charts.series(_("Covered"), percents("coverage")),
            charts.series(_("Used"), percents("utilisation")),
            charts.threshold(_("Target"), metrics.TARGET_COVERAGE * 100, len(months), tone="calm"),
        ],
        "unit": "%",
    }

"""What a mail about alerts says: what happened, why, what can be done, who else knows."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date
from decimal import Decimal
from typing import Any

from django.core.mail import EmailMessage
from django.db import transaction
from django.db.models import Sum
from django.urls import reverse

from budgets.alerts import links
from budgets.calc.headlines import CRITICAL, INFORMATION, WARNING, Story, gravity, headline, whole_units
from budgets.evaluation import status
from budgets.models import Alert, AlertDelivery
from costs.models import DayRollup
from costs.web.views.teams import lines_url
from finops_site.lib import chart_svg, charts
from finops_site.lib.money import EXACT, Money, formatted
from finops_site.lib.periods import Period
from finops_site.mail.emails import absolute_url, make_message
from finops_site.models import User
from finops_site.registry import AdviceItem, registry
from finops_site.reports import typst_documents

logger = logging.getLogger(__name__)

DRIVERS, ADVICE, OTHERS = 3, 3, 6
GRAVEST_FIRST = (CRITICAL, WARNING, INFORMATION)


class _Reader:
    """Reads as the budget does: its scope says what it counts, its team among it, so nothing else needs hiding."""

    sees_whole_company = True
    visible_team_ids: Sequence[int] = ()


@dataclass(frozen=True, slots=True)
class Told:
    """An alert as a mail tells it."""

    alert: Alert
    occasion: str
    headline: str
    gravity: str
    facts: list[tuple[str, str]]
    drivers: list[dict[str, Any]]
    advice: list[dict[str, str]]
    others: str
    url: str
    acknowledge_url: str
    change_url: str
    repeats: bool = False


def story_of(alert: Alert) -> Story:
    """What the alert was about when it opened."""
    said = alert.said
    whole = Decimal(said.get("amount") or alert.period.whole)
    return Story(
        alert.budget.name,
        alert.kind,
        alert.period.period,
        whole,
        Decimal(said.get("spent") or alert.value),
        Decimal(said.get("p50") or alert.value),
        alert.value,
        alert.limit,
        alert.budget.currency,
        alert.as_of,
    )


def headline_of(alert: Alert, occasion: str = "opened") -> str:
    """The alert in one line; said again, taken back or passed on it says that first."""
    line = headline(story_of(alert))
    if occasion.startswith("taken back"):
        return f"Taken back: {line}"
    if occasion.startswith("escalated"):
        return f"Nobody has answered: {line}"
    return f"Again: {line}" if occasion.startswith("reopened") else line


def gravity_of(alert: Alert) -> str:
    return gravity(alert.kind, alert.value, story_of(alert).whole)


def order(deliveries: Sequence[AlertDelivery]) -> list[AlertDelivery]:
    """The gravest first; of equals, the one that reached the higher limit. What is of one period stays together."""
    found = sorted(deliveries, key=lambda each: (GRAVEST_FIRST.index(gravity_of(each.alert)), -each.alert.limit))
    places: dict[int, int] = {}
    for each in found:
        places.setdefault(each.alert.period_id, len(places))
    return sorted(found, key=lambda each: places[each.alert.period_id])


def message(deliveries: Sequence[AlertDelivery], *, digest: bool, as_of: date) -> EmailMessage:
    """One mail about what was queued for one address, the gravest first."""
    told = _without_repeats([_told(each, as_of) for each in order(deliveries)])
    address = deliveries[0].address
    subject = told[0].headline
    if len(told) > 1:
        subject = f"{len(told)} alerts of your budgets" if digest else f"{subject} (and {len(told) - 1} more)"
    context = {"told": told, "first": told[0], "digest": digest, "headline": subject, "as_of": as_of}
    images = {"course": _picture(told[0].alert)}
    unsubscribe = absolute_url(reverse("budgets:budget", args=[told[0].alert.budget_id]) + "#recipients")
    return make_message("budget-alert", address, context, images=images, unsubscribe_url=unsubscribe)


def _without_repeats(told: Sequence[Told]) -> list[Told]:
    """What stands under the first alert of a period is not said again under the others of it."""
    seen: set[int] = set()
    found = []
    for each in told:
        repeats = each.alert.period_id in seen
        seen.add(each.alert.period_id)
        period = f"{each.alert.budget} in {each.alert.period.words}"
        short = {
            "headline": f"Crossed as well by {period}: {each.alert.threshold}",
            "facts": [],
            "drivers": [],
            "advice": [],
            "acknowledge_url": "",
        }
        found.append(replace(each, repeats=True, **short) if repeats else each)
    return found


def _told(delivery: AlertDelivery, as_of: date) -> Told:
    alert = delivery.alert
    return Told(
        alert=alert,
        occasion=delivery.occasion,
        headline=headline_of(alert, delivery.occasion),
        gravity=gravity_of(alert),
        facts=_facts(alert),
        drivers=drivers(alert),
        advice=advice(alert, delivery.user, as_of),
        others=_others(delivery),
        url=absolute_url(alert.get_absolute_url()),
        acknowledge_url=links.acknowledge_url(alert, delivery.address) if alert.is_open else "",
        change_url=absolute_url(reverse("budgets:budget", args=[alert.budget_id]) + "#thresholds"),
    )


def _facts(alert: Alert) -> list[tuple[str, str]]:
    said, code = alert.said, alert.budget.currency
    shown = [("Spent so far", said.get("spent")), ("Budget", said.get("amount"))]
    facts = [(name, f"{formatted(Decimal(text), code)} {code}") for name, text in shown if text]
    if said.get("p50"):
        figures = (Decimal(said[name]) for name in ("p10", "p50", "p90", "chance_of_overrun"))
        words = status.landing_of(said.get("method", ""), *figures, story_of(alert).whole, code)
        facts.append(("Forecast", words[0].upper() + words[1:]))
    if said.get("foreseen"):
        facts.append(("Known to come", "; ".join(said["foreseen"])))
    if said.get("complete_until"):
        facts.append(("Bills known until", said["complete_until"]))
    return [*facts, ("Threshold", str(alert.threshold))]


def drivers(alert: Alert) -> list[dict[str, Any]]:
    """The services whose cost grew most since the days before."""
    comparison, changed = status.drivers(_Reader(), alert.period, alert.as_of)
    grown = [each for each in changed if each.change.difference > 0][:DRIVERS]
    filters = {**alert.budget.filters, "currency": [alert.budget.currency]}
    code = alert.budget.currency
    return [
        {
            "label": each.label,
            "kind": each.change.kind,
            "amount": f"+{Money(each.change.difference, code)}",
            "url": absolute_url(lines_url(comparison.now, {**filters, "service": each.change.key})),
        }
        for each in grown
    ]


def advice(alert: Alert, reader: User | None, as_of: date) -> list[dict[str, str]]:
    """What the other pillars say this reader can do about this scope; money first.

    A pillar that fails must not hold up a warning: the mail goes without.
    """
    try:
        with transaction.atomic():
            found = registry.advice(reader, alert.budget.filters, as_of, limit=ADVICE)
    except Exception:
        logger.exception("no advice about %s", alert)
        found = []
    return [{"text": _advised(item), "url": absolute_url(item.url)} for item in found]


def _advised(item: AdviceItem) -> str:
    saves = f", saves {whole_units(item.amount)} {item.currency} a month" if item.amount else ""
    return f"{item.text}{saves}"


def _others(delivery: AlertDelivery) -> str:
    rest = AlertDelivery.objects.filter(alert=delivery.alert, occasion=delivery.occasion).exclude(pk=delivery.pk)
    names = [_name(each) for each in rest.select_related("user").order_by("pk")]
    more = f" and {len(names) - OTHERS} more" if len(names) > OTHERS else ""
    return ", ".join(names[:OTHERS]) + more


def _name(delivery: AlertDelivery) -> str:
    if delivery.channel != "mail":
        return f"the {delivery.recipient or delivery.channel}"
    return str(delivery.user) if delivery.user else delivery.address


def chart(alert: Alert) -> dict[str, Any]:
    """The period's course: what was spent in all by each day and where that leads, against the amount."""
    period = alert.period.period
    spent = _by_day(alert, Period(period.start, min(period.end, max(alert.as_of, period.start))))
    sums, known = [], Decimal(0)
    for day in period.each_day():
        known = EXACT.add(known, spent.get(day, Decimal(0)))
        sums.append(known if day < alert.as_of else None)
    whole = story_of(alert).whole
    return {
        "id": f"alert-{alert.pk}",
        "kind": "line",
        "title": f"{alert.budget}, spent so far against its amount, {alert.budget.currency}",
        "categories": [f"{day:%-d %b}" for day in period.each_day()],
        "series": [
            charts.series("Spent", sums),
            *_likely(alert, sums),
            charts.threshold("Budget", whole, period.days),
        ],
        "currency": alert.budget.currency,
    }


def _likely(alert: Alert, sums: Sequence[Decimal | None]) -> list[dict[str, Any]]:
    """A straight line from the last day known to the likely end as it was seen then; nothing where there is none."""
    end = alert.said.get("p50")
    known = sum(each is not None for each in sums)
    if not end or known >= len(sums):
        return []
    first = max(known - 1, 0)
    start, steps = sums[first] or Decimal(0), len(sums) - 1 - first
    rise = EXACT.subtract(Decimal(end), start)
    line = [start + (rise * number / max(steps, 1)).quantize(Decimal("0.01")) for number in range(steps + 1)]
    return [charts.series("Forecast", [None] * first + line, dashed=True)]


def _by_day(alert: Alert, period: Period) -> dict[date, Decimal]:
    from costs.query import spend

    question = alert.budget.question(period, grain="day")
    rows = spend.filtered(DayRollup.objects.current(), question).exclude(charge_category__in=alert.budget.left_out)
    found = rows.order_by().values_list("charge_date").annotate(Sum(alert.budget.basis))
    return {day: amount or Decimal(0) for day, amount in found}


def _picture(alert: Alert) -> bytes:
    """The chart as a PNG, drawn by what draws the charts of PDFs."""
    return typst_documents.png(chart_svg.svg(chart(alert), width=560, height=220))

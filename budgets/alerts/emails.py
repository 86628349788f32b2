"""The mail about alerts: what happened, why, what can be done, who else was notified."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date
from decimal import Decimal

from django.core.mail import EmailMessage
from django.db import transaction
from django.urls import reverse

from budgets.alerts import links
from budgets.alerts.alert_summary import alert_chart, alert_headline, alert_severity, summary_of
from budgets.calc.headlines import CRITICAL, INFORMATION, WARNING, whole_units
from budgets.forecast import status
from budgets.models import Alert, AlertDelivery
from costs.web.links import lines_url
from finops_site.lib import chart_svg
from finops_site.lib.money import Money, formatted
from finops_site.lib.person import WholeCompany
from finops_site.mail.emails import absolute_url, make_message
from finops_site.models import User
from finops_site.registry import registry
from finops_site.reports import typst_documents

logger = logging.getLogger(__name__)

MOST_DRIVERS, MOST_ADVICE, MOST_OTHERS = 3, 3, 6
SEVEREST_FIRST = (CRITICAL, WARNING, INFORMATION)


@dataclass(frozen=True, slots=True)
class AlertSection:
    """What a mail has about one alert."""

    alert: Alert
    occasion: str
    headline: str
    severity: str
    facts: list[tuple[str, str]]
    drivers: list[dict[str, str]]
    advice: list[dict[str, str]]
    others: str
    url: str
    acknowledge_url: str
    change_url: str
    repeats: bool = False


def severest_first(deliveries: Sequence[AlertDelivery]) -> list[AlertDelivery]:
    """The severest first; of equals, the one that reached the higher limit. What is of one period stays together."""

    def urgency(delivery: AlertDelivery) -> tuple[int, Decimal]:
        return SEVEREST_FIRST.index(alert_severity(delivery.alert)), -delivery.alert.limit

    ordered = sorted(deliveries, key=urgency)
    places: dict[int, int] = {}
    for delivery in ordered:
        places.setdefault(delivery.alert.period_id, len(places))
    return sorted(ordered, key=lambda delivery: places[delivery.alert.period_id])


def build_alert_email(deliveries: Sequence[AlertDelivery], *, digest: bool, as_of: date) -> EmailMessage:
    """One mail about what was queued for one address, the severest first."""
    sections: list[AlertSection] = []
    periods: set[int] = set()
    for delivery in severest_first(deliveries):
        section = _section_of(delivery, as_of)
        # What stands under the first alert of a period is not repeated under the others of it.
        sections.append(_shortened(section) if delivery.alert.period_id in periods else section)
        periods.add(delivery.alert.period_id)
    first, more = sections[0], len(sections) - 1
    subject = first.headline
    if more:
        subject = f"{len(sections)} alerts of your budgets" if digest else f"{subject} (and {more} more)"
    context = {"sections": sections, "first": first, "digest": digest, "headline": subject, "as_of": as_of}
    # The chart as a PNG, drawn by what draws the charts of PDFs.
    images = {"course": typst_documents.render_png(chart_svg.svg(alert_chart(first.alert), width=560, height=220))}
    unsubscribe = absolute_url(reverse("budgets:budget", args=[first.alert.budget_id]) + "#recipients")
    address = deliveries[0].address
    return make_message("budget-alert", address, context, images=images, unsubscribe_url=unsubscribe)


def _section_of(delivery: AlertDelivery, as_of: date) -> AlertSection:
    alert = delivery.alert
    return AlertSection(
        alert=alert,
        occasion=delivery.occasion,
        headline=alert_headline(alert, delivery.occasion),
        severity=alert_severity(alert),
        facts=_facts_of(alert),
        drivers=alert_drivers(alert),
        advice=alert_advice(alert, delivery.user, as_of),
        others=_other_recipients(delivery),
        url=absolute_url(alert.get_absolute_url()),
        acknowledge_url=links.acknowledge_url(alert, delivery.address) if alert.is_open else "",
        change_url=absolute_url(reverse("budgets:budget", args=[alert.budget_id]) + "#thresholds"),
    )


def _shortened(section: AlertSection) -> AlertSection:
    alert = section.alert
    headline = f"Breached as well by {alert.budget} in {alert.period.words}: {alert.threshold}"
    return replace(section, repeats=True, headline=headline, facts=[], drivers=[], advice=[], acknowledge_url="")


def _facts_of(alert: Alert) -> list[tuple[str, str]]:
    figures, code = alert.figures, alert.budget.currency
    amounts = [("Spent so far", figures.get("spent")), ("Budget", figures.get("amount"))]
    facts = [(name, f"{formatted(Decimal(text), code)} {code}") for name, text in amounts if text]
    if figures.get("p50"):
        low, likely, high, chance = (Decimal(figures[name]) for name in ("p10", "p50", "p90", "chance_of_overrun"))
        method, budgeted = figures.get("method", ""), summary_of(alert).budgeted
        text = status.forecast_text_of(method, low, likely, high, chance, budgeted, code)
        facts.append(("At period end", text[0].upper() + text[1:]))
    if figures.get("foreseen"):
        facts.append(("Known changes", "; ".join(figures["foreseen"])))
    if figures.get("complete_until"):
        facts.append(("Bills complete until", figures["complete_until"]))
    return [*facts, ("Threshold", str(alert.threshold))]


def alert_drivers(alert: Alert) -> list[dict[str, str]]:
    """The services whose cost grew most since the days before.

    They are read on nobody's behalf: the budget's scope, its team among it, decides what is counted.
    """
    comparison, changed = status.cost_drivers(WholeCompany(), alert.period, alert.as_of)
    code = alert.budget.currency
    filters = {**alert.budget.filters, "currency": [code]}
    return [
        {
            "label": driver.label,
            "kind": driver.change.kind,
            "amount": f"+{Money(driver.change.difference, code)}",
            "url": absolute_url(lines_url(comparison.now, {**filters, "service": driver.change.key})),
        }
        for driver in [driver for driver in changed if driver.change.difference > 0][:MOST_DRIVERS]
    ]


def alert_advice(alert: Alert, reader: User | None, as_of: date) -> list[dict[str, str]]:
    """What the other pillars advise this reader to do about this scope; the most money first.

    A pillar that fails must not hold up a warning: the mail goes without.
    """
    try:
        with transaction.atomic():
            items = registry.advice(reader, alert.budget.filters, as_of, limit=MOST_ADVICE)
    except Exception:
        logger.exception("no advice about %s", alert)
        items = []
    advice = []
    for item in items:
        saves = f", saves {whole_units(item.amount)} {item.currency} a month" if item.amount else ""
        advice.append({"text": f"{item.text}{saves}", "url": absolute_url(item.url)})
    return advice


def _other_recipients(delivery: AlertDelivery) -> str:
    rest = AlertDelivery.objects.filter(alert=delivery.alert, occasion=delivery.occasion).exclude(pk=delivery.pk)
    names = []
    for other in rest.select_related("user").order_by("pk"):
        person = str(other.user) if other.user else other.address
        names.append(person if other.channel == "mail" else f"the {other.recipient or other.channel}")
    more = f" and {len(names) - MOST_OTHERS} more" if len(names) > MOST_OTHERS else ""
    return ", ".join(names[:MOST_OTHERS]) + more

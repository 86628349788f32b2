"""The mail about alerts: what happened, why, what can be done, who else was notified."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date
from decimal import Decimal

from django.core.mail import EmailMessage
from django.urls import reverse
from django.utils.translation import gettext as _

from budgets.alerts import links
from budgets.alerts.alert_summary import alert_headline, alert_severity, figures_of, summary_of
from budgets.alerts.causes import Cause, budget_url
from budgets.alerts.letter_parts import LetterParts
from budgets.calc.headlines import CRITICAL, INFORMATION, WARNING
from budgets.forecast import status
from budgets.models import Alert, AlertDelivery, Forecast
from finops_site.lib.money import formatted
from finops_site.lib.periods import day_text
from finops_site.mail.emails import absolute_url, make_message

SEVEREST_FIRST = (CRITICAL, WARNING, INFORMATION)
# What stands in one letter; the others of a long digest are counted, and are on the page Alerts.
MOST_SECTIONS = 25


@dataclass(frozen=True, slots=True)
class AlertSection:
    """What a mail has about one alert."""

    alert: Alert
    occasion: str
    headline: str
    severity: str
    note: str
    facts: list[tuple[str, str]]
    drivers: list[Cause]
    culprits: list[Cause]
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


def build_alert_email(
    deliveries: Sequence[AlertDelivery], *, digest: bool, as_of: date, parts: LetterParts | None = None
) -> EmailMessage:
    """One mail about what was queued for one address, the severest first; `parts` are shared by letters of one run."""
    parts = parts or LetterParts([delivery.alert for delivery in deliveries], as_of)
    ordered = severest_first(deliveries)
    sections: list[AlertSection] = []
    periods: set[int] = set()
    for delivery in ordered[:MOST_SECTIONS]:
        # What stands under the first alert of a period is not repeated under the others of it.
        sections.append(section_of(delivery, parts, repeats=delivery.alert.period_id in periods))
        periods.add(delivery.alert.period_id)
    first, more = sections[0], len(ordered) - 1
    subject = first.headline
    if more:
        subject = (
            _("{ordered_count} alerts of your budgets").format(ordered_count=len(ordered))
            if digest
            else _("{subject} (and {more} more)").format(subject=subject, more=more)
        )
    chart = parts.picture(first.alert)
    context = {
        "sections": sections,
        "first": first,
        "digest": digest,
        "headline": subject,
        "as_of": as_of,
        "has_chart": chart is not None,
        "left_out": len(ordered) - len(sections),
        "alerts_url": absolute_url(reverse("budgets:alerts")),
    }
    images = {"course": chart} if chart is not None else {}
    unsubscribe = budget_url(first.alert, "recipients")
    is_escalated = any(delivery.occasion.startswith("escalated") for delivery in ordered)
    return make_message(
        "budget-alert",
        ordered[0].address,
        context,
        images=images,
        unsubscribe_url=unsubscribe,
        kind="alert-escalated" if is_escalated else "",
        url=absolute_url(reverse("budgets:alerts")) if digest and more else first.url,
        about=first.url,
    )


def section_of(delivery: AlertDelivery, parts: LetterParts, *, repeats: bool = False) -> AlertSection:
    """What one message has to say; the short form where another alert of the same period stands above it."""
    alert, occasion, forecast = delivery.alert, delivery.occasion, parts.forecast(delivery.alert)
    section = AlertSection(
        alert=alert,
        occasion=occasion,
        headline=alert_headline(alert, occasion, forecast),
        severity=alert_severity(alert),
        note=_note(alert, occasion, forecast),
        facts=[],
        drivers=[],
        culprits=[],
        advice=[],
        others=parts.others(delivery),
        url=absolute_url(alert.get_absolute_url()),
        acknowledge_url="",
        change_url=budget_url(alert, "thresholds"),
        repeats=repeats,
    )
    if repeats and occasion.startswith("taken back"):
        return section
    if repeats:
        headline = _("Breached as well by {budget} in {words_of}: {threshold}").format(
            budget=alert.budget, words_of=alert.budget.words_of(alert.period.period), threshold=alert.threshold
        )
        return replace(section, headline=headline)
    section = replace(section, facts=alert_facts(alert, forecast, parts.late_bills(alert)))
    if occasion.startswith("taken back"):
        # What grew, and what helps against it, is no news of something that is over.
        return section
    reader = parts.reader_of(delivery)
    return replace(
        section,
        drivers=parts.drivers(alert),
        culprits=parts.culprits(alert, reader),
        advice=parts.advice(alert, reader),
        acknowledge_url=links.acknowledge_url(alert, delivery.address, delivery.user_id) if alert.is_open else "",
    )


def _note(alert: Alert, occasion: str, forecast: Forecast | None) -> str:
    """What a reader must know besides the figures. A correction names no figure that is not true any more."""
    if not occasion.startswith("taken back"):
        return alert.note
    is_raised = summary_of(alert, forecast).budgeted > Decimal(alert.figures.get("amount") or 0)
    why = _("The amount was raised") if is_raised else _("A newer bill shows less")
    return _("{why}: the alert at “{threshold}” is over, and nothing is left to do.").format(
        why=why, threshold=alert.threshold
    )


def alert_facts(
    alert: Alert, forecast: Forecast | None = None, late_bills: Sequence[str] = ()
) -> list[tuple[str, str]]:
    """The figures of the alert's period in words: as they were when it opened, or by a newer forecast."""
    figures, code = figures_of(alert, forecast), alert.budget.currency
    amounts = [(_("Spent so far"), figures.get("spent")), (_("Budget"), figures.get("amount"))]
    facts = [(name, f"{formatted(Decimal(text), code)} {code}") for name, text in amounts if text]
    if figures.get("p50"):
        low, likely, high, chance = (Decimal(figures[name]) for name in ("p10", "p50", "p90", "chance_of_overrun"))
        method, budgeted = figures.get("method", ""), summary_of(alert, forecast).budgeted
        text = status.forecast_text_of(method, low, likely, high, chance, budgeted, code)
        facts.append((_("At period end"), text[0].upper() + text[1:]))
    if figures.get("foreseen"):
        facts.append((_("Known changes"), "; ".join(figures["foreseen"])))
    if figures.get("complete_until"):
        facts.append((_("Bills complete until"), day_text(figures["complete_until"])))
    if late_bills:
        facts.append((_("Waits for the bill of"), ", ".join(late_bills)))
    return [*facts, (_("Threshold"), str(alert.threshold))]

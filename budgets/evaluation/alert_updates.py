"""The alerts of a night: opened where a threshold is breached, updated while it is, resolved when it no longer is."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any

from django.db.models import F, Q
from django.utils.translation import gettext as _

from budgets.alerts.cancellation import cancel_queued
from budgets.alerts.recipients import queue_notifications
from budgets.calc.alert_lifecycle import RESOLVED, AlertStatus, AlertUpdate, open_alert, update_alert
from budgets.calc.breaches import Breach, ThresholdRule, breach_has_ended, find_breaches
from budgets.controls import proposals
from budgets.forecast.period_forecasts import PeriodForecast
from budgets.models import Alert, AlertDelivery, Forecast, Threshold
from finops_site.lib.money import exact_text, formatted

UPDATED = (
    "state",
    "evaluated_as_of",
    "peak",
    "snoozed_until",
    "reopened",
    "resolved_at",
    "resolved_as_of",
    "note",
    "history",
)


@dataclass(slots=True)
class AlertChanges:
    """What a night did to alerts."""

    breaches: list[dict[str, Any]] = field(default_factory=list)
    new: list[tuple[Alert, str]] = field(default_factory=list)
    updated: list[tuple[Alert, AlertUpdate]] = field(default_factory=list)
    alerts_made: int = 0
    mails_queued: int = 0


def update_alerts(forecasts: Sequence[PeriodForecast], now: datetime, *, still_evaluated: timedelta) -> AlertChanges:
    """Compares each period with its budget's thresholds and saves what that changes; the messages are queued."""
    rules: dict[int, list[ThresholdRule]] = defaultdict(list)
    budgets = [forecast.period.budget_id for forecast in forecasts]
    for row in Threshold.objects.filter(budget__in=budgets, is_active=True):
        rules[row.budget_id].append(ThresholdRule(row.pk, row.kind, row.percent, row.amount, row.probability))
    alerts = _alerts_by_threshold([forecast.period.pk for forecast in forecasts])
    night_before = _likeliest_the_night_before(forecasts)
    too_late = _periods_too_late(forecasts, still_evaluated)
    changes = AlertChanges()
    for forecast in forecasts:
        status, period = forecast.status(), forecast.period
        breaches = {breach.rule.id: breach for breach in find_breaches(status, rules[period.budget_id])}
        changes.breaches += [_breach_as_json(forecast, breach) for breach in breaches.values()]
        for rule in rules[period.budget_id]:
            existing, breach = alerts.get((period.pk, rule.id)), breaches.get(rule.id)
            is_closed = existing is None or existing[1].state == RESOLVED
            if (
                breach
                and rule.waits_a_night
                and is_closed
                and not night_before.get(period.pk, breach.limit) > breach.limit
            ):
                # A forecast may be above for one night; whoever wants to hear of that sets a probability.
                continue
            if existing is None:
                if breach and period.pk not in too_late and (update := open_alert(breach, forecast.as_of)):
                    changes.new.append((_new_alert(forecast, breach, now), update.occasion))
            elif update := update_alert(
                existing[1], breach, forecast.as_of, over=_is_over(existing[0], forecast, rule)
            ):
                _apply_update(existing[0], update, forecast, now)
                changes.updated.append((existing[0], update))
    _save_alerts(changes, now)
    return changes


def _is_over(alert: Alert, forecast: PeriodForecast, rule: ThresholdRule) -> bool:
    """Whether a breach has ended, and not because its scope fell silent: only a higher amount ends it then."""
    if forecast.quiet_since and forecast.period.budgeted <= Decimal(alert.figures.get("amount") or 0):
        return False
    return breach_has_ended(forecast.status(), rule)


def _periods_too_late(forecasts: Sequence[PeriodForecast], still_evaluated: timedelta) -> set[int]:
    """Periods that open no alert any more; the alerts they have are still updated.

    A period that is long over and costs what it did when it was last evaluated, or that was over before its budget was
    first evaluated: a new budget warns of what can still be avoided, not of last year. A bill that comes late and
    changes what a period cost does warn, however late.
    """
    over = {forecast.period.pk: forecast for forecast in forecasts if forecast.period.end <= forecast.as_of}
    in_time = Forecast.objects.filter(period__in=over, as_of__lt=F("period__end"))
    evaluated_in_time = set(in_time.values_list("period", flat=True))
    old = {pk: forecast for pk, forecast in over.items() if forecast.period.end <= forecast.as_of - still_evaluated}
    earlier = Forecast.objects.filter(period__in=old, as_of__lt=max((f.as_of for f in old.values()), default=date.min))
    spent = dict(earlier.order_by("as_of").values_list("period", "spent"))
    unchanged = {pk for pk, forecast in old.items() if spent.get(pk) == forecast.spent}
    return (set(over) - evaluated_in_time) | unchanged


def _likeliest_the_night_before(forecasts: Sequence[PeriodForecast]) -> dict[int, Decimal]:
    """{period: what it was most likely to end at} as of the night before, where that was evaluated.

    What was likeliest is the middle of the outcomes: above a limit, it was more likely than not.
    """
    nights = {forecast.period.pk: forecast.as_of - timedelta(days=1) for forecast in forecasts}
    rows = Forecast.objects.filter(period__in=nights, as_of__in=set(nights.values()))
    return {pk: likeliest for pk, as_of, likeliest in rows.values_list("period", "as_of", "p50") if as_of == nights[pk]}


def _alerts_by_threshold(periods: Sequence[int]) -> dict[tuple[int, int], tuple[Alert, AlertStatus]]:
    """{(period, threshold): the alert, and how it stands}."""
    alerts = list(Alert.objects.filter(period__in=periods))
    occasions: dict[int, set[str]] = defaultdict(set)
    # A notice of the end counts as soon as it is queued, so that it is queued once.
    notified = Q(outcome__in=["sent", "unknown"]) | Q(occasion__startswith="taken back")
    for pk, occasion in AlertDelivery.objects.filter(notified, alert__in=alerts).values_list("alert", "occasion"):
        occasions[pk].add(occasion)
    return {
        (alert.period_id, alert.threshold_id): (
            alert,
            AlertStatus(
                kind=alert.kind,
                state=alert.state,
                evaluated_as_of=alert.evaluated_as_of,
                peak=alert.peak,
                snoozed_until=alert.snoozed_until,
                resolved_as_of=alert.resolved_as_of,
                reopened=alert.reopened,
                was_notified=any(not occasion.startswith("taken back") for occasion in occasions[alert.pk]),
                end_was_notified=f"taken back:{alert.reopened}" in occasions[alert.pk],
            ),
        )
        for alert in alerts
    }


def _new_alert(forecast: PeriodForecast, breach: Breach, now: datetime) -> Alert:
    amounts = {
        "amount": forecast.period.budgeted,
        "spent": forecast.spent,
        "p10": forecast.at_period_end(0.1),
        "p50": forecast.at_period_end(0.5),
        "p90": forecast.at_period_end(0.9),
        "chance_of_overrun": forecast.chance_above(forecast.period.budgeted),
    }
    figures = {name: exact_text(amount) for name, amount in amounts.items()} | {
        "currency": forecast.currency,
        "complete_until": forecast.complete_until.isoformat() if forecast.complete_until else "",
        "method": forecast.method,
        "foreseen": forecast.change_texts,
    }
    return Alert(
        budget=forecast.period.budget,
        period=forecast.period,
        threshold_id=breach.rule.id,
        kind=breach.rule.kind,
        as_of=forecast.as_of,
        evaluated_as_of=forecast.as_of,
        figures=figures,
        value=breach.value,
        limit=breach.limit,
        peak=breach.value,
        opened_at=now,
        history=[{"at": now.isoformat(), "what": "opened", "by": ""}],
    )


def _breach_as_json(forecast: PeriodForecast, breach: Breach) -> dict[str, Any]:
    rule, period = breach.rule, forecast.period
    return {
        "budget": period.budget.name,
        "budget_id": period.budget_id,
        "period": {"from": period.start.isoformat(), "to": period.period.last_day.isoformat()},
        "kind": rule.kind,
        "threshold": exact_text(rule.percent if rule.percent is not None else rule.amount),
        "unit": "percent" if rule.percent is not None else forecast.currency,
        "value": exact_text(breach.value),
        "limit": exact_text(breach.limit),
        "currency": forecast.currency,
        "spent": exact_text(forecast.spent),
        "forecast": exact_text(forecast.at_period_end(0.5)),
        "chance_of_overrun": exact_text(forecast.chance_above(period.budgeted)),
    }


def _apply_update(alert: Alert, update: AlertUpdate, forecast: PeriodForecast, now: datetime) -> None:
    """Writes the update into the alert; the caller saves it."""
    status, before = update.status, alert.state
    for name in ("evaluated_as_of", "peak", "snoozed_until", "reopened", "resolved_as_of", "state"):
        setattr(alert, name, getattr(status, name))
    if status.state == before:
        return
    is_resolved = status.state == Alert.State.RESOLVED
    text = _why_resolved(alert, forecast) if is_resolved else _("open again: it is breached once more")
    alert.resolved_at = now if is_resolved else None
    alert.note = text if is_resolved else ""
    alert.add_history(text, now)


def _why_resolved(alert: Alert, forecast: PeriodForecast) -> str:
    currency, budgeted = forecast.currency, forecast.period.budgeted
    if alert.kind == Threshold.Kind.FORECAST:
        return _("resolved: the forecast fell back to {at_period_end} {currency}").format(
            at_period_end=formatted(forecast.at_period_end(0.5), currency), currency=currency
        )
    if budgeted > Decimal(alert.figures.get("amount") or 0):
        return _("resolved: the amount was raised to {budgeted} {currency}").format(
            budgeted=formatted(budgeted, currency), currency=currency
        )
    before, now = formatted(alert.value, currency), formatted(forecast.spent, currency)
    return _(
        "taken back: a newer bill shows {now} {currency}; it was {before} {currency} when this alert opened"
    ).format(now=now, currency=currency, before=before)


def _save_alerts(changes: AlertChanges, now: datetime) -> None:
    Alert.objects.bulk_create([alert for alert, _ignored in changes.new], batch_size=1000)
    changes.alerts_made = len(changes.new)
    Alert.objects.bulk_update([alert for alert, _ignored in changes.updated], UPDATED, batch_size=500)
    ended = [alert.pk for alert, update in changes.updated if update.cancels_queued]
    cancel_queued(ended, _("It was over before it was sent."))
    occasions = [(alert, update.occasion) for alert, update in changes.updated if update.occasion]
    changes.mails_queued = queue_notifications([*changes.new, *occasions], now)
    reopened = [alert for alert, occasion in occasions if occasion.startswith("reopened")]
    proposals.propose_for_alerts([*(alert for alert, _ignored in changes.new), *reopened], now)

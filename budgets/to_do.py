"""What people of teams should see to about budgets: budgets that are over, anomalies, answers to their proposals."""

from collections.abc import Sequence
from datetime import timedelta

from django.db.models import Exists, OuterRef, Prefetch, QuerySet
from django.utils import timezone
from django.utils.translation import gettext as _

from budgets.alerts.alert_summary import alert_headline, alert_severity
from budgets.anomalies.anomaly_words import PATTERNS
from budgets.calc.headlines import CRITICAL, INFORMATION, WARNING, span_text
from budgets.forecast import status
from budgets.models import Alert, Anomaly, Budget, BudgetPeriod, BudgetVersion, Forecast
from finops_site.lib.periods import day_text
from finops_site.lib.person import Person
from finops_site.registry import ToDo, Urgency
from finops_site.translation import gettext_lazy as _lazy
from finops_site.ui.figures import percent_text

# An answer is news for so long.
NEWS = timedelta(days=14)
SEVERITIES = (CRITICAL, WARNING, INFORMATION)
ANSWERS = {"approved": _lazy("approved: it is in force"), "sent back": _lazy("sent back")}


def open_alerts() -> QuerySet[Alert]:
    return Alert.objects.filter(state__in=[Alert.State.OPEN, Alert.State.REOPENED])


def periods_with_alerts(user: Person) -> QuerySet[BudgetPeriod]:
    """Periods with an alert that nobody has acknowledged: a budget with three thresholds over is one thing to do."""
    is_open = Exists(open_alerts().filter(period=OuterRef("pk")))
    return BudgetPeriod.objects.visible_to(user).filter(is_open, budget__state=Budget.State.ACTIVE)


def list_alerts(user: Person, rows: QuerySet[BudgetPeriod], most: int) -> list[ToDo]:
    alerts = open_alerts().select_related("budget", "period", "threshold")
    periods = list(rows.select_related("budget").prefetch_related(Prefetch("alerts", alerts)))
    newest = status.newest_forecasts(periods)
    items = [_alert(period, list(period.alerts.all()), newest.get(period.pk)) for period in periods]
    return sorted(items, key=lambda item: (item.amount is None, -(item.amount or 0)))[:most]


def _alert(period: BudgetPeriod, alerts: Sequence[Alert], forecast: Forecast | None) -> ToDo:
    """The period by its figures now where they are over its amount; else in the words of its worst alert."""
    worst = min(alerts, key=lambda alert: SEVERITIES.index(alert_severity(alert)))
    name, url, code = period.budget.name, worst.get_absolute_url(), period.budget.currency
    whose = _("{period}'s budget").format(period=span_text(period.period))
    amounts = (forecast.known_spent, forecast.p50) if forecast else (None, None)
    texts = (_("{name}: {share} of {whose}"), _("{name}: heading for {share} of {whose}"))
    notes = (_("over its amount so far"), _("over its amount, most likely"))
    for amount, words, note in zip(amounts, texts, notes, strict=True):
        share = status.share_spent(amount, period.budgeted)
        if amount is not None and share is not None and amount > period.budgeted:
            text = words.format(name=name, share=percent_text(share, 0), whose=whose)
            return ToDo(text, url, amount - period.budgeted, code, note, Urgency.NOW)
    return ToDo(alert_headline(worst, forecast=forecast), url, urgency=Urgency.NOW)


def open_anomalies(user: Person) -> QuerySet[Anomaly]:
    return Anomaly.objects.visible_to(user).filter(state=Anomaly.State.OPEN)


def list_anomalies(user: Person, rows: QuerySet[Anomaly], most: int) -> list[ToDo]:
    anomalies = rows.select_related("team").by_money()[:most]  # type: ignore[attr-defined]
    return [
        ToDo(
            _("{scope}: {pattern} since {day}").format(
                scope=row.scope_name, pattern=PATTERNS[row.pattern][0], day=day_text(row.day)
            ),
            row.get_absolute_url(),
            row.difference,
            row.currency,
            _("less than expected") if row.is_drop else _("more than expected"),
        )
        for row in anomalies
    ]


def answered_proposals(user: Person) -> QuerySet[BudgetVersion]:
    """What somebody else decided of late about a budget that she proposed."""
    own = BudgetVersion.objects.filter(budget=OuterRef("budget"), number=1, by=user.pk)
    rows = BudgetVersion.objects.filter(
        Exists(own),
        what__in=list(ANSWERS),
        at__gte=timezone.now() - NEWS,
        budget__in=Budget.objects.visible_to(user),
        budget__state__in=[Budget.State.ACTIVE, Budget.State.DRAFT],
    )
    return rows.exclude(by=user.pk)


def list_answers(user: Person, rows: QuerySet[BudgetVersion], most: int) -> list[ToDo]:
    return [
        ToDo(
            _("{budget}: your proposed budget was {answer}").format(budget=row.budget.name, answer=ANSWERS[row.what]),
            row.budget.get_absolute_url(),
            note=row.why,
            urgency=Urgency.SOON if row.what == "sent back" else Urgency.SOME_DAY,
        )
        for row in rows.select_related("budget").order_by("-at")[:most]
    ]

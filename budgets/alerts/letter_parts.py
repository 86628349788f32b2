"""What the letters of one run say about its alerts: worked out once for all readers, and never a reason to stay silent.

A part that fails (the chart, what grew most, advice) is left out of the letter and noted with its message.
"""

import logging
from collections import defaultdict
from collections.abc import Callable, Hashable, Sequence
from datetime import date
from typing import Any, TypeVar

from django.db import transaction
from django.utils.translation import gettext as _

from budgets.alerts import causes
from budgets.alerts.alert_summary import alert_chart, known_days, summary_of
from budgets.forecast import status
from budgets.forecast.spending import DailyCost, daily_costs
from budgets.models import Alert, AlertDelivery, Forecast
from finops_site.lib import chart_svg
from finops_site.lib.language import get_language
from finops_site.lib.periods import Period, day_text
from finops_site.lib.person import WholeCompany
from finops_site.lib.words import some_of
from finops_site.models import User
from finops_site.reports import typst_documents

logger = logging.getLogger(__name__)
Part = TypeVar("Part")
MOST_OTHERS = 6
CHART_WIDTH, CHART_HEIGHT = 560, 220


class LetterParts:
    """The parts of letters about some alerts. `missing` are those that failed: {alert: {part: why}}."""

    def __init__(self, alerts: Sequence[Alert], as_of: date) -> None:
        self.alerts = {alert.pk: alert for alert in alerts}
        self.as_of = as_of
        self.forecasts = status.newest_forecasts([alert.period for alert in self.alerts.values()])
        self.missing: dict[int, dict[str, str]] = defaultdict(dict)
        self.done: dict[Hashable, Any] = {}
        self.readers: dict[int, User] = {}
        self.costs = self._daily_costs()
        self.notified = self._notified()

    def forecast(self, alert: Alert) -> Forecast | None:
        """The newest forecast of its period."""
        return self.forecasts.get(alert.period_id)

    def chart(self, alert: Alert) -> dict[str, Any] | None:
        """Its chart for a page; None where its costs cannot be read."""
        return self._part(
            alert, _("its chart"), lambda: alert_chart(alert, self.forecast(alert), self.costs.get(alert.pk)), None
        )

    def picture(self, alert: Alert) -> bytes | None:
        """Its chart as a PNG, drawn by what draws the charts of PDFs; None where that fails."""
        chart = self.chart(alert)

        def draw() -> bytes | None:
            svg = chart_svg.svg(chart, width=CHART_WIDTH, height=CHART_HEIGHT) if chart else ""
            return typst_documents.render_png(svg) if svg else None

        return self._part(alert, _("the picture of its chart"), draw, None)

    def late_bills(self, alert: Alert) -> list[str]:
        """``AWS since 13 Mar 2026``: the bills that its period waits for, where they are later than usual."""
        forecast = self.forecast(alert)
        if forecast is None or not status.is_late(forecast):
            return []

        def find() -> list[str]:
            missing = status.known_of_period(WholeCompany(), alert.period, self.as_of).missing
            return sorted(
                {
                    _("{provider} since {first}").format(provider=part.provider, first=day_text(part.first))
                    for part in missing
                }
            )

        return self._part(alert, _("which bills are late"), find, [])

    def drivers(self, alert: Alert) -> list[causes.Cause]:
        return self._part(alert, _("what grew most"), lambda: causes.alert_drivers(alert, self.day_of(alert)), [])

    def culprits(self, alert: Alert, reader: User | None) -> list[causes.Cause]:
        def find() -> list[causes.Cause]:
            return causes.alert_culprits(alert, self.drivers(alert), self.day_of(alert))

        sees = self._part(alert, _("its resources"), lambda: causes.sees_resources(reader, alert), False, by=reader)
        return self._part(alert, _("its resources"), find, []) if sees else []

    def advice(self, alert: Alert, reader: User | None) -> list[dict[str, str]]:
        drivers, culprits = self.drivers(alert), self.culprits(alert, reader)

        def find() -> list[dict[str, str]]:
            return causes.alert_advice(alert, reader, self.as_of, drivers, culprits)

        return self._part(alert, _("what can be done"), find, [], by=reader)

    def day_of(self, alert: Alert) -> date:
        """The night that its figures are of."""
        return summary_of(alert, self.forecast(alert)).as_of

    def reader_of(self, delivery: AlertDelivery) -> User | None:
        """The same object for all messages to one person, so that her teams are asked for once."""
        return self.readers.setdefault(delivery.user.pk, delivery.user) if delivery.user else None

    def others(self, delivery: AlertDelivery) -> str:
        """Who else is notified of the same, in words."""
        names = [
            name
            for address, name in self.notified.get((delivery.alert_id, delivery.occasion), ())
            if address != delivery.address
        ]
        return some_of(names, MOST_OTHERS)

    def problem(self, alerts: Sequence[Alert]) -> str:
        """What letters about these alerts go out without, in a sentence; empty where nothing is missing."""
        missing = {part: why for alert in alerts for part, why in self.missing.get(alert.pk, {}).items()}
        return "; ".join(
            _("It went out without {part}: {why}").format(part=part, why=why) for part, why in missing.items()
        )

    def _part(self, alert: Alert, part: str, find: Callable[[], Part], default: Part, by: User | None = None) -> Part:
        """A part of one alert (and reader, and language), found once; `default` where it cannot be found."""
        key = (alert.pk, part, by.pk if by else None, isinstance(default, bool), get_language())
        if key not in self.done:
            try:
                with transaction.atomic():
                    self.done[key] = find()
            except Exception as error:
                logger.exception("alert %s goes out without %s", alert.pk, part)
                self.missing[alert.pk][part] = f"{type(error).__name__}: {error}"[:300]
                self.done[key] = default
        result: Part = self.done[key]
        return result

    def _daily_costs(self) -> dict[int, DailyCost]:
        """{alert: the daily cost of its scope}, a question for all alerts of the same days.

        Where an odd budget fails it, nothing: then each chart asks for itself, and fails by itself.
        """
        alike: dict[Period, list[Alert]] = defaultdict(list)
        costs = {}
        try:
            for alert in self.alerts.values():
                alike[known_days(alert, self.day_of(alert))].append(alert)
            for period, alerts in alike.items():
                with transaction.atomic():
                    by_budget = daily_costs([alert.budget for alert in alerts], period)
                costs.update({alert.pk: by_budget[alert.budget_id] for alert in alerts})
        except Exception:
            logger.exception("the daily costs of %s alerts together", len(self.alerts))
        return costs

    def _notified(self) -> dict[tuple[int, str], list[tuple[str, str]]]:
        """{(alert, occasion): [(address, name)]} of all that is sent or waits."""
        rows = AlertDelivery.objects.filter(alert__in=self.alerts).exclude(outcome__in=["cancelled", "failed"])
        notified: dict[tuple[int, str], list[tuple[str, str]]] = defaultdict(list)
        for row in rows.select_related("user", "recipient__user").order_by("pk"):
            person = str(row.user) if row.user else row.address
            name = person if row.channel == "mail" else _("the {channel}").format(channel=row.recipient or row.channel)
            notified[(row.alert_id, row.occasion)].append((row.address, name))
        return notified

"""Why a budget's alert is there and what helps: the services and resources that grew most, and advice about them."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from django.db.models import DecimalField, F, Max, Q, Sum, Value
from django.db.models.functions import Coalesce
from django.utils.translation import gettext as _

from budgets.calc.headlines import whole_units
from budgets.calc.remedies import remedy
from budgets.forecast import status
from budgets.models import Alert, Budget
from costs.calc.filters import filter_value
from costs.query import latest_month
from costs.query.question import Question
from costs.query.spend import grouped_rows
from costs.query.tag_keys import tag_keys_of
from costs.query.trends import Comparison, Filters
from costs.web.links import group_filters, lines_url
from finops_site.lib.money import Money
from finops_site.lib.periods import Period
from finops_site.lib.person import Person, WholeCompany
from finops_site.lib.words import labelled
from finops_site.mail.emails import absolute_url
from finops_site.models import User
from finops_site.registry import registry

MOST_DRIVERS, MOST_CULPRITS, MOST_ADVICE = 3, 2, 3
ZERO = Value(Decimal(0), DecimalField(max_digits=38, decimal_places=18))


@dataclass(frozen=True, slots=True)
class Cause:
    """A service, or a resource of one, whose cost grew: by how much, and the address of its cost lines."""

    label: str
    service: str
    kind: str
    difference: Decimal
    currency: str
    url: str

    @property
    def amount(self) -> str:
        return f"+{Money(self.difference, self.currency)}"


def alert_drivers(alert: Alert, as_of: date | None = None) -> list[Cause]:
    """The services whose cost grew most since the days before.

    They are read on nobody's behalf: the budget's scope, its team among it, decides what is counted.
    """
    company = WholeCompany()
    comparison, changed = status.cost_drivers(company, alert.period, _compared_until(company, alert, as_of))
    filters, code = alert.budget.filters, alert.budget.currency
    return [
        Cause(
            driver.label,
            driver.change.key,
            _(driver.change.kind),
            driver.change.difference,
            code,
            _lines_url(comparison, filters, driver.change.key),
        )
        for driver in [driver for driver in changed if driver.change.difference > 0][:MOST_DRIVERS]
    ]


def _lines_url(comparison: Comparison, filters: Filters, *keys: str) -> str:
    """Of a service, and of one of its resources."""
    chosen = group_filters(("service", "resource")[: len(keys)], keys)
    return absolute_url(lines_url(comparison.now, {**filters, **chosen}))


def alert_culprits(alert: Alert, drivers: Sequence[Cause], as_of: date | None = None) -> list[Cause]:
    """The resources of those services whose cost grew most, out of one query; nothing where no service grew."""
    if not drivers:
        return []
    company = WholeCompany()
    comparison, _changed = status.cost_drivers(company, alert.period, _compared_until(company, alert, as_of))
    filters, code = alert.budget.filters, alert.budget.currency
    services = {driver.service: driver.label for driver in drivers}
    grown = [filter_value("service", key) for key in services]
    rows = _growth_by_resource(comparison, {**filters, "service": grown}, alert.budget.basis)
    return [
        Cause(
            name or resource,
            services.get(service, service),
            _("new") if not before else _("grew"),
            more,
            code,
            _lines_url(comparison, filters, service, resource),
        )
        for resource, service, name, before, more in rows
        if resource and more > 0
    ]


def _compared_until(company: WholeCompany, alert: Alert, as_of: date | None) -> date:
    """The last day that counts: all bills of the scope have it, so that a late one hides nothing that grew."""
    day, days = as_of or alert.as_of, alert.period.period
    last = latest_month.compared_until(company, days, day, alert.budget.filters)
    return min(day, last) if last is not None and last >= days.start else day


def _growth_by_resource(
    comparison: Comparison, filters: Filters, metric: str
) -> Sequence[tuple[str, str, str, Decimal, Decimal]]:
    """(resource, service, name, before, growth), the largest growth first; of days, so that cost lines are asked."""
    now, before = comparison.now, comparison.before
    question = Question(Period(before.start, now.end), ("resource", "service"), "day", metric, filters)
    rows = grouped_rows(WholeCompany(), question, tag_keys_of(question.names)).annotate(
        name=Max("resource_name"), then=_sum_in(metric, before), today=_sum_in(metric, now)
    )
    grown = rows.annotate(more=F("today") - F("then")).order_by("-more", "g0")
    return list(grown.values_list("g0", "g1", "name", "then", "more")[: MOST_CULPRITS + 1])[:MOST_CULPRITS]


def _sum_in(metric: str, period: Period) -> Coalesce:
    days = Q(charge_date__gte=period.start, charge_date__lt=period.end)
    return Coalesce(Sum(metric, filter=days), ZERO)


def sees_resources(reader: Person | None, alert: Alert) -> bool:
    """Whether the resources of a budget's scope may be named to this reader.

    Whoever is a recipient sees the services of the scope. Its resources are for those who see the team's cost lines;
    an address without a login is the choice of those who look after the budget.
    """
    return reader is None or reader.sees_whole_company or alert.budget.team_id in reader.visible_team_ids


def alert_advice(
    alert: Alert, reader: User | None, as_of: date, drivers: Sequence[Cause], culprits: Sequence[Cause] = ()
) -> list[dict[str, str]]:
    """What helps against what grew, and what the other pillars know to save on it; theirs only with an amount.

    Advice that saves nothing, tags to add for one, is no remedy of an overrun.
    """
    own = []
    for driver in drivers[:MOST_ADVICE]:
        culprit = next((culprit for culprit in culprits if culprit.service == driver.label), None)
        what = f"{culprit.label} ({driver.label})" if culprit else driver.label
        own.append({"text": labelled(what, remedy(driver.label)), "url": (culprit or driver).url})
    filters = dict(alert.budget.scope_filters)
    if drivers:
        filters["service"] = [driver.service for driver in drivers]
    saving = [item for item in registry.advice(reader, filters, as_of, limit=20) if item.amount and item.amount > 0]
    return [
        *own,
        *(
            {
                "text": _("{text}, saves {whole_units} {currency} a month").format(
                    text=item.text, whole_units=whole_units(item.amount), currency=item.currency
                ),
                "url": absolute_url(item.url),
            }
            for item in saving[:MOST_ADVICE]
            if item.amount
        ),
    ]


def budget_url(alert: Alert, anchor: str) -> str:
    """Where the budget's page has `anchor`, like ``recipients``."""
    return absolute_url(Budget(pk=alert.budget_id).part_url(anchor))

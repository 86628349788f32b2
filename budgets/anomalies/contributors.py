"""What makes up each anomaly: the resources whose cost grew, out of one question to the cost lines."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import date
from decimal import Decimal

from django.db.models import QuerySet, Sum
from django.utils.translation import gettext as _

from budgets.anomalies.cost_scopes import Scope, lines_of_scopes, scope_of, scopes_of
from budgets.calc.anomaly_detection import day_before_jump, explain_jump
from budgets.models import Anomaly
from finops_site.lib.money import EXACT

# Of a service, an account, a resource and a usage.
ContributorKey = tuple[str, ...]


def set_contributors(anomalies: Sequence[Anomaly]) -> None:
    """Compares the days of each anomaly with the same weekdays before it; the parts sum to its excess."""
    if not anomalies:
        return
    signs: dict[tuple[Scope, date], list[tuple[Anomaly, int]]] = defaultdict(list)
    for anomaly in anomalies:
        for day in anomaly.period.each_day():
            signs[(scope_of(anomaly), day)].append((anomaly, 1))
            signs[(scope_of(anomaly), day_before_jump(day, anomaly.day))].append((anomaly, -1))
    differences: dict[int, dict[ContributorKey, Decimal]] = defaultdict(lambda: defaultdict(Decimal))
    names: dict[str, str] = {}
    rows = _cost_by_resource(anomalies, {day for _ignored, day in signs}).iterator(chunk_size=5000)
    for service, account, owner, currency, resource, name, sku, day, amount in rows:
        names[resource] = name or resource
        for scope in scopes_of(service, account, owner, currency):
            for anomaly, sign in signs.get((scope, day), ()):
                sums, key = differences[id(anomaly)], (service, account, resource, sku)
                sums[key] = EXACT.add(sums[key], sign * (amount or Decimal(0)))
    for anomaly in anomalies:
        parts = explain_jump(anomaly.excess, differences[id(anomaly)], falls=anomaly.is_drop)
        anomaly.contributors = [_contributor_as_json(key, amount, names) for key, amount in parts]


def _cost_by_resource(anomalies: Sequence[Anomaly], days: set[date]) -> QuerySet:
    rows = lines_of_scopes({scope_of(anomaly) for anomaly in anomalies}).filter(charge_date__in=sorted(days))
    grouped = rows.values_list(
        "service", "sub_account", "owner", "currency", "resource", "resource_name", "sku", "charge_date"
    )
    return grouped.annotate(Sum("effective_cost"))


def _contributor_as_json(key: ContributorKey, amount: Decimal, names: Mapping[str, str]) -> dict[str, str]:
    service, account, resource, usage = key or ("", "", "", "")
    label = names.get(resource) or usage or _("no resource named")
    return {
        "label": label if key else _("everything else, and what these days were expected to cost more"),
        "service": service,
        "account": account,
        "resource": resource,
        "usage": usage,
        "amount": str(amount),
    }

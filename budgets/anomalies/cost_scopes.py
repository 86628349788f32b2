"""The daily cost of every scope that is checked for anomalies, and how far the bill of every account is complete."""

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, timedelta
from decimal import Decimal

from django.db.models import Max, Q, Sum

from budgets.forecast.period_forecasts import last_complete_day
from budgets.forecast.spending import DailyCost, day_after
from budgets.models import Anomaly
from costs.models import DayRollup
from costs.query.known_until import KnownDays, delivered_bills, known_in, last_known_day, touches
from finops_site.lib.money import exact_sum
from finops_site.lib.periods import Period
from finops_site.lib.person import Person, WholeCompany

HISTORY_DAYS = 200
# No more days than these are caught up.
MOST_DAYS = 14
# The scopes with the highest cost; what is left out costs next to nothing.
MOST_SCOPES = 5000
METRIC = "effective_cost"
USAGE = Q(charge_category="Usage")
# A kind, a team, a service, an account and a currency.
Scope = tuple[str, int | None, str, str, str]


@dataclass(slots=True)
class ScopeCosts:
    """The daily cost of every scope, and the last complete day of every account."""

    span: Period
    daily: dict[Scope, DailyCost] = field(default_factory=lambda: defaultdict(DailyCost))
    complete_until: dict[str, date] = field(default_factory=dict)
    accounts: dict[Scope, set[str]] = field(default_factory=lambda: defaultdict(set))

    def column(self, day: date) -> int:
        return (day - self.span.start).days

    def last_column(self, scope: Scope) -> int:
        """A team's day is complete when the bills of all its accounts are."""
        days = (self.complete_until[account] for account in self.accounts[scope])
        return self.column(min(days, default=self.span.start))

    def first_unchecked_column(self, scope: Scope, checked: Mapping[str, str], as_of: date) -> int:
        """The first day that was not checked: of a team the earliest of its accounts'.

        A new account is checked from its own first complete days on; a team that has it goes on where it was.
        """
        earliest = as_of - timedelta(days=MOST_DAYS)
        days = [date.fromisoformat(checked[account]) for account in self.accounts[scope] if account in checked]
        return self.column(max(day_after(min(days, default=earliest)), earliest))

    def largest_scopes(self) -> list[Scope]:
        def order(scope: Scope) -> tuple[Decimal, str]:
            return -exact_sum(self.daily[scope].amounts.values()), str(scope)

        return sorted(self.daily, key=order)[:MOST_SCOPES]


def load_scope_costs(as_of: date) -> ScopeCosts:
    """The effective cost of usage of the last HISTORY_DAYS, out of two queries."""
    span = Period(as_of - timedelta(days=HISTORY_DAYS - 1), day_after(as_of))
    rows = DayRollup.objects.current().filter(USAGE, charge_date__gte=span.start, charge_date__lt=span.end).order_by()
    costs = ScopeCosts(span)
    bills = delivered_bills(WholeCompany(), as_of)
    for account, payer, stream, day in rows.values_list(
        "sub_account", "billing_account", "delivery_month__stream_id"
    ).annotate(Max("charge_date")):
        # Its bill says how far it is known: an account that has no cost any more is known as far as the others.
        own = [bill for bill in bills if touches(bill, [(stream, account or payer)])]
        known = last_known_day(own, as_of) or day
        complete = last_complete_day(known, as_of)
        costs.complete_until[account] = min(complete, costs.complete_until.get(account, complete))
    grouped = rows.values_list("service", "sub_account", "owner", "currency", "charge_date")
    for service, account, owner, currency, day, amount in grouped.annotate(Sum("effective_cost")).iterator(
        chunk_size=5000
    ):
        for scope in scopes_of(service, account, owner, currency):
            costs.daily[scope].add(day, amount or Decimal(0))
            costs.accounts[scope].add(account)
    return costs


def known_of_checked_days(user: Person, today: date) -> KnownDays:
    """What the bills know of the days that the nights check now: a jump on a day that is missing is not found yet."""
    return known_in(user, Period(today - timedelta(days=MOST_DAYS - 1), day_after(today)), today, metric=METRIC)


def scopes_of(service: str, account: str, owner: int | None, currency: str) -> tuple[Scope, Scope]:
    """The scopes that a cost line counts in: its team's service in the account, and its team."""
    return ("service", owner, service, account, currency), ("team", owner, "", "", currency)


def scope_of(anomaly: Anomaly) -> Scope:
    return anomaly.kind, anomaly.team_id, anomaly.service, anomaly.account, anomaly.currency

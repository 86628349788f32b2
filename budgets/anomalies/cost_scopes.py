"""The daily cost of every scope that is checked for anomalies, and how far the bill of every account is complete."""

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from decimal import Decimal

import numpy as np
from django.db.models import Q, QuerySet, Sum

from budgets.calc.cost_history import Floats
from budgets.forecast.complete_days import last_complete_day
from budgets.forecast.spending import DailyCost, cost_matrix, day_after
from budgets.models import Anomaly
from costs.models import CostLine, DayRollup
from costs.query.known_until import KnownDays, delivered_bills, known_in, last_known_day, touches
from finops_site.lib.money import exact_sum
from finops_site.lib.periods import Period
from finops_site.lib.person import Person, WholeCompany

# Nine months: what comes once a quarter is learnt after two of them.
HISTORY_DAYS = 280
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
    # {account: the streams that bring its bill} and {stream: the days that it has brought anything of}.
    streams: dict[str, set[int]] = field(default_factory=lambda: defaultdict(set))
    delivered: dict[int, set[date]] = field(default_factory=lambda: defaultdict(set))

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

    def matrix(self, scopes: Sequence[Scope]) -> Floats:
        """The daily cost of each; not a number on days that no bill of its accounts covers, which are not zero."""
        matrix = cost_matrix([self.daily[scope] for scope in scopes], self.span)
        days = list(self.span.each_day())
        is_missing = {stream: np.array([day not in known for day in days]) for stream, known in self.delivered.items()}
        by_account = {
            account: np.logical_and.reduce([is_missing[stream] for stream in streams])
            for account, streams in self.streams.items()
        }
        for row, scope in enumerate(scopes):
            missing = np.logical_and.reduce([by_account[account] for account in self.accounts[scope]])
            matrix[row, missing & (matrix[row] == 0)] = np.nan
        return matrix

    def largest_scopes(self) -> list[Scope]:
        def order(scope: Scope) -> tuple[Decimal, str]:
            return -exact_sum(self.daily[scope].amounts.values()), str(scope)

        return sorted(self.daily, key=order)[:MOST_SCOPES]


def load_scope_costs(as_of: date) -> ScopeCosts:
    """The effective cost of usage of the last HISTORY_DAYS, out of one query."""
    span = Period(as_of - timedelta(days=HISTORY_DAYS - 1), day_after(as_of))
    rows = DayRollup.objects.current().filter(USAGE, charge_date__gte=span.start, charge_date__lt=span.end).order_by()
    costs = ScopeCosts(span)
    grouped = rows.values_list(
        *("service", "sub_account", "billing_account", "owner", "currency", "delivery_month__stream_id", "charge_date")
    )
    # {(an account, who pays for it, a stream): its last day}
    last_days: dict[tuple[str, str, int], date] = {}
    for service, account, payer, owner, currency, stream, day, amount in grouped.annotate(
        Sum("effective_cost")
    ).iterator(chunk_size=5000):
        costs.delivered[stream].add(day)
        key = account, payer, stream
        last_days[key] = max(day, last_days.get(key, day))
        for scope in scopes_of(service, account, owner, currency):
            costs.daily[scope].add(day, amount or Decimal(0))
            costs.accounts[scope].add(account)
    bills = delivered_bills(WholeCompany(), as_of)
    for (account, payer, stream), day in last_days.items():
        costs.streams[account].add(stream)
        # Its bill says how far it is known: an account that has no cost any more is known as far as the others.
        own = [bill for bill in bills if touches(bill, [(stream, account or payer)])]
        complete = last_complete_day(last_known_day(own, as_of) or day, as_of)
        costs.complete_until[account] = min(complete, costs.complete_until.get(account, complete))
    return costs


def load_credits(scopes: Collection[Scope], span: Period) -> dict[Scope, DailyCost]:
    """What lines below zero (refunds, corrections, credits that come as usage) took off the days of a few scopes."""
    credits: dict[Scope, DailyCost] = defaultdict(DailyCost)
    if not scopes:
        return credits
    rows = lines_of_scopes(scopes).filter(effective_cost__lt=0, charge_date__gte=span.start, charge_date__lt=span.end)
    grouped = rows.values_list("service", "sub_account", "owner", "currency", "charge_date")
    for service, account, owner, currency, day, amount in grouped.annotate(Sum("effective_cost")):
        for scope in scopes_of(service, account, owner, currency):
            credits[scope].add(day, amount)
    return credits


def lines_of_scopes(scopes: Collection[Scope]) -> QuerySet:
    """The cost lines of usage of a few scopes, in no order."""
    lines = Q(pk__in=[])
    for kind, team, service, account, currency in scopes:
        scope = Q(owner=team) if team else Q(owner__isnull=True)
        if kind == Anomaly.Kind.SERVICE:
            scope &= Q(service=service, sub_account=account)
        lines |= scope & Q(currency=currency)
    return CostLine.objects.current().filter(USAGE, lines).order_by()


def known_of_checked_days(user: Person, today: date) -> KnownDays:
    """What the bills know of the days that the nights check now: a jump on a day that is missing is not found yet."""
    return known_in(user, Period(today - timedelta(days=MOST_DAYS - 1), day_after(today)), today, metric=METRIC)


def scopes_of(service: str, account: str, owner: int | None, currency: str) -> tuple[Scope, Scope]:
    """The scopes that a cost line counts in: its team's service in the account, and its team."""
    return ("service", owner, service, account, currency), ("team", owner, "", "", currency)


def scope_of(anomaly: Anomaly) -> Scope:
    return anomaly.kind, anomaly.team_id, anomaly.service, anomaly.account, anomaly.currency

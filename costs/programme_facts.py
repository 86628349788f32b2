"""What the programme asks of cost: that of teams by month, and the company's exchange rates."""

from datetime import date
from decimal import Decimal

from costs.query.currency_conversion import rate_book
from costs.query.known_until import known_in
from costs.query.question import Question, company_metric
from costs.query.spend import find_spend, find_unknown
from finops_site.lib.periods import Month, Period
from finops_site.lib.person import Person
from finops_site.registry import TeamMonthCost


def team_costs(user: Person, period: Period, as_of: date) -> list[TeamMonthCost]:
    """The cost of teams by month, by charge day; months that a bill does not know to their end are left out."""
    metric = company_metric()
    until = known_in(user, period, as_of, metric=metric).until
    if until is None:
        return []
    question = Question(period, ("team",), "month", metric)
    unknown = {bucket for _, bucket, _ in find_unknown(user, question)}
    costs = []
    for row in find_spend(user, question):
        if row.bucket is None or row.amount is None or row.bucket in unknown:
            continue
        month, owner = Month.of(row.bucket), row.group[0]
        if month.period.last_day <= until:
            costs.append(TeamMonthCost(int(owner) if owner.isdecimal() else None, month, row.amount, row.currency))
    return costs


def exchange_rate(currency: str, target: str, month: Month) -> Decimal | None:
    """What one unit was worth on the average of a month, else on its last day with a rate; None where none is there."""
    rate = rate_book(month.period, (currency, target)).for_month(currency, target, month)
    return rate.value if rate else None

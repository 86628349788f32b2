"""Addresses of the cost lines behind the amounts of chargeback."""

from datetime import date
from typing import Any
from urllib.parse import urlencode

from django.urls import reverse

from costs.calc.filters import filter_value
from finops_site.lib.periods import Month
from finops_site.lib.person import Person
from tagging.chargeback.cost_queries import charge_days_of
from tagging.models import StatementLine

KINDS = StatementLine.Kind


class CostLineLinks:
    """Makes links to the cost lines of billing months; asks the database once for the charge days of each month."""

    def __init__(self) -> None:
        self.charge_days: dict[Month, tuple[date, date]] = {}

    def month(self, month: Month, **filters: Any) -> str:
        """The cost lines of a billing month that meet these filters, between its first and last charge day."""
        if month not in self.charge_days:
            self.charge_days[month] = charge_days_of(month)
        first, last = self.charge_days[month]
        query = {**filters, "billing_month": str(month), "from": first, "to": last}
        return f"{reverse('costs:lines')}?{urlencode(query, doseq=True)}"

    def statement_line(self, line: StatementLine, user: Person | None) -> str:
        """The cost lines behind the amount of a statement's line; empty where this person may not see them.

        Shared cost opens only for those who see the company: the cost lines of a pool belong to no single team.
        """
        statement = line.statement
        month, team, code = statement.period.month, statement.team_id, statement.currency
        service = filter_value("service", line.service)
        if line.kind == KINDS.DIRECT:
            return self.month(month, own_team=team, service=service, currency=code)
        if line.kind == KINDS.SHARED and user is not None and user.sees_whole_company:
            return self.month(month, pool=line.pool_id, currency=code)
        if line.kind == KINDS.CORRECTION and line.of_period and line.service:
            return self.month(line.of_period.month, own_team=team, service=service, currency=code)
        return ""

"""Querysets of bills and costs: which rows count, which a person may see, and what they sum to."""

from collections.abc import Callable, Iterable, Sequence
from decimal import Decimal

from django.db import models
from django.db.models import BigIntegerField, F, Func, Q, Sum, TextField, Value
from django.db.models.expressions import Combinable

from finops_site.lib.periods import Period
from finops_site.lib.person import Person

METRICS = ("billed_cost", "effective_cost", "list_cost", "contracted_cost")
# Whose a row is: each is one of these, and never two of them. A line with both an owner and a pool would count twice
# here, so that `check_books` finds it.
SIDES = {
    "direct": Q(owner__isnull=False),
    "shared": Q(pool__isnull=False),
    "unowned": Q(owner__isnull=True, pool__isnull=True),
}


# What finds the rows of somebody whose role has a scope: it knows filters, which stand above this module.
_of_scopes: list[Callable[["CostQuerySet", Person], "CostQuerySet"]] = []


def scopes_by(visible_rows: Callable[["CostQuerySet", Person], "CostQuerySet"]) -> None:
    """Has the rows of a person with a scope found by this; without it she sees those of her teams."""
    if visible_rows not in _of_scopes:
        _of_scopes.append(visible_rows)


def hash_of(text: Combinable) -> Func:
    """What the index of resources keeps of an id: PostgreSQL's own hash of 64 bits."""
    return Func(text, Value(0), function="hashtextextended", output_field=BigIntegerField())


class DeliveryQuerySet(models.QuerySet):
    def visible_to(self, user: Person) -> "DeliveryQuerySet":
        """Whole bills are for those who see the whole company."""
        return self if user.sees_whole_company else self.none()


class SourceQuerySet(models.QuerySet):
    def visible_to(self, user: Person) -> "SourceQuerySet":
        """Where bills come from is for those who see the whole company."""
        return self if user.sees_whole_company else self.none()


class AccountGroupQuerySet(models.QuerySet):
    def visible_to(self, user: Person) -> "AccountGroupQuerySet":
        """What a group is called is no secret; its cost is that of the lines that one sees."""
        return self


class PoolQuerySet(models.QuerySet):
    def visible_to(self, user: Person) -> "PoolQuerySet":
        """What several teams share is for those who see the whole company; a lead sees her share on her statement."""
        return self if user.sees_whole_company else self.none()


class DeliveryMonthQuerySet(models.QuerySet):
    def current(self) -> "DeliveryMonthQuerySet":
        return self.filter(is_current=True)


class CostQuerySet(models.QuerySet):
    """Cost lines and rollups. Start from `visible_to`: it leaves out what was superseded and what is not yours."""

    def current(self) -> "CostQuerySet":
        """Only rows of publications that count now."""
        return self.filter(delivery_month__is_current=True)

    def visible_to(self, user: Person) -> "CostQuerySet":
        """Current rows that `user` may see: everything, or what her teams and the teams below them own.

        A role may have a scope beside: accounts, a tag or sources whose rows its people see whoever owns them.
        """
        if user.sees_whole_company:
            return self.current()
        if user.cost_scope:
            for visible_rows in _of_scopes:
                return visible_rows(self, user)
        return self.current().filter(owner__in=user.visible_team_ids)

    def of_side(self, side: str) -> "CostQuerySet":
        """Rows that teams own (direct), that pools hold (shared) or that are nobody's (unowned)."""
        return self.filter(SIDES[side])

    def charged_in(self, period: Period) -> "CostQuerySet":
        """Rows used within the period of days (a month rollup counts by its month's first day)."""
        field = "charge_month" if hasattr(self.model, "charge_month") else "charge_date"
        return self.filter(**{f"{field}__gte": period.start, f"{field}__lt": period.end})

    def of_resources(self, resources: Sequence[str]) -> "CostQuerySet":
        """Lines, or sums by resource, of the resources with these ids, found by the index of the hashes of ids.

        An index of the ids themselves would refuse a long one.
        """
        hashes = [hash_of(Value(resource, TextField())) for resource in resources]
        return self.alias(resource_hash=hash_of(F("resource"))).filter(resource_hash__in=hashes, resource__in=resources)

    def totals(self, metrics: Iterable[str] = METRICS) -> dict[str, dict[str, Decimal | None]]:
        """{currency: {metric: exact sum, None where the bills do not say}}."""
        sums = {metric: Sum(metric) for metric in metrics}
        return {row.pop("currency"): row for row in self.order_by().values("currency").annotate(**sums)}

"""Questions to many rows: whose they are, which day they hold, what they sum to."""

from datetime import date
from typing import Any, Protocol, Self

from django.db import models
from django.db.models import Q, Sum

from finops_site.lib.money import EXACT
from finops_site.lib.periods import Period
from finops_site.lib.person import Person
from reservations.calc.purchase_rules import ENDED, WAITING, Approver


class PurchaseOfPlan(Protocol):
    """A purchase of a plan by its position: a recommended one, or a request for it."""

    plan: Any
    position: int


class CommitmentQuerySet(models.QuerySet):
    def visible_to(self, user: Person) -> "CommitmentQuerySet":
        """All of them for who sees the company; else those that her teams and the teams below own."""
        return self if user.sees_whole_company else self.filter(owner__in=user.visible_team_ids)

    def in_force(self, day: date) -> "CommitmentQuerySet":
        """Those that hold on a day; one without dates holds as long as bills show it."""
        started = Q(start__isnull=True) | Q(start__lte=day)
        return self.filter(started, Q(end__isnull=True) | Q(end__gt=day))

    def ending_in(self, period: Period) -> "CommitmentQuerySet":
        return self.filter(end__gte=period.start, end__lt=period.end)


class UtilisationQuerySet(models.QuerySet):
    def visible_to(self, user: Person) -> "UtilisationQuerySet":
        """Days of commitments she may see."""
        return self if user.sees_whole_company else self.filter(commitment__owner__in=user.visible_team_ids)

    def within(self, period: Period) -> "UtilisationQuerySet":
        return self.filter(day__gte=period.start, day__lt=period.end)

    def sums(self, *by: str) -> list[dict[str, Any]]:
        """A row for each value of `by` and currency, with used, unused, paid, unused_cost, on_demand summed.

        Quantities of commitments in different units must not be summed: pass ``unit`` or the commitment in `by`.
        """
        names = ("used", "unused", "paid", "unused_cost", "on_demand")
        groups = (*by, "currency")
        return list(self.order_by(*groups).values(*groups).annotate(**{f"{name}_sum": Sum(name) for name in names}))


class CoverageQuerySet(models.QuerySet):
    NAMES = (
        *("eligible_hours", "covered_hours", "reserved_hours", "planned_hours"),
        *("eligible_units", "covered_units", "reserved_units", "planned_units"),
        *(
            "eligible_cost",
            "covered_cost",
            "reserved_cost",
            "planned_cost",
            "unused_cost",
            "paid",
            "unpriced",
            "listed",
        ),
    )

    def visible_to(self, user: Person) -> "CoverageQuerySet":
        """Usage of everybody for who sees the company; else of her teams and the teams below."""
        return self if user.sees_whole_company else self.filter(owner__in=user.visible_team_ids)

    def within(self, period: Period) -> "CoverageQuerySet":
        return self.filter(day__gte=period.start, day__lt=period.end)

    def sums(self, *by: str) -> list[dict[str, Any]]:
        """A row for each value of `by` and currency with every measure summed as ``<name>_sum``."""
        groups = (*by, "currency")
        sums = {f"{name}_sum": Sum(name) for name in self.NAMES}
        return list(self.order_by(*groups).values(*groups).annotate(**sums))


class PlanQuerySet(models.QuerySet):
    def visible_to(self, user: Person) -> Self:
        """All of them for who sees the company; else those worked out for her teams and the teams below."""
        return self if user.sees_whole_company else self.filter(team__in=user.visible_team_ids)


class RecommendationQuerySet(PlanQuerySet):
    def newest_for(self, user: Person) -> Any:
        """The newest one that is ready: the company's for who sees all of it, else of her teams; None without one.

        What is worked out for one team is no figure of the company.
        """
        return self.ready_for(user).select_related("team").first()

    def ready_for(self, user: Person) -> "RecommendationQuerySet":
        """Those that are ready: the company's for who sees all of it, else of her teams."""
        ready = self.visible_to(user).filter(state="ready")
        return ready.filter(team=None) if user.sees_whole_company else ready


class PurchaseQuerySet(PlanQuerySet):
    """Purchases, seen like the plans they come from."""

    def batches_taken(self, purchase: PurchaseOfPlan) -> set[int]:
        """The monthly batches of a purchase of a plan that are requested already; 0 is all of it."""
        requested = self.filter(plan=purchase.plan, position=purchase.position).exclude(state__in=ENDED)
        return set(requested.values_list("batch", flat=True))

    def waiting_for(self, approver: Approver) -> "PurchaseQuerySet":
        """Those that she may approve now (reservations.calc.purchase_rules.approver_objection, for many at once)."""
        if approver.is_administrator or not approver.is_finance:
            return self.none()
        own = Q(requested_by=approver.identity) | Q(standing_order__made_by=approver.identity)
        within = Q(currency=approver.currency, value__lte=approver.limit)
        for code, rate in approver.rates.items():
            within |= Q(currency=code, value__lte=EXACT.divide(approver.limit, rate.value))
        waiting = self.filter(within, state=WAITING)
        return waiting.exclude(pk__in=self.model._default_manager.filter(own).values("pk"))


class LedgerQuerySet(models.QuerySet):
    NAMES = (*("on_demand", "paid", "promised", "realised"), *("timing", "demand", "utilisation", "displaced", "price"))

    def visible_to(self, user: Person) -> "LedgerQuerySet":
        """All of it for who sees the company; else of purchases for her teams and the teams below."""
        return self if user.sees_whole_company else self.filter(request__team__in=user.visible_team_ids)

    def within(self, period: Period) -> "LedgerQuerySet":
        return self.filter(month__gte=period.start, month__lt=period.end)

    def sums(self, *by: str) -> list[dict[str, Any]]:
        """A row for each value of `by` and currency with every measure summed as ``<name>_sum``."""
        groups = (*by, "currency")
        sums = {f"{name}_sum": Sum(name) for name in self.NAMES}
        return list(self.order_by(*groups).values(*groups).annotate(**sums))

"""How well the company's commitments work, and what happens when they end."""

from decimal import Decimal
from functools import cached_property
from typing import Any

from django.urls import reverse
from django.utils import timezone
from django.views.generic import TemplateView

from finops_site.lib import charts
from finops_site.lib.money import percent
from finops_site.lib.periods import Month, Period
from finops_site.ui.figures import percent_text
from finops_site.ui.pages import Action, Empty, Page
from reservations.inventory import commitment_use, metrics
from reservations.inventory.tables import CoverageTable, MetricsMonthTable
from reservations.models import Commitment, Notice, Plan

WORK_OUT = Action("Work out what to buy", "reservations:recommend", "bulb", "reservations.add_plan", primary=True)
LOAD = Action("Load commitments", "reservations:commitments_load", "upload", "reservations.add_commitment")


class CommitmentsOverview(Page, TemplateView):
    permission_required = "reservations.view_commitment"
    title = "Commitments"
    template_name = "reservations/overview.html"
    actions = (LOAD, WORK_OUT)
    empty = Empty(
        "No running machine in the bills yet",
        "Coverage and utilisation are worked out from bills within minutes of their load. Load one that has machines.",
        "certificate",
        Action("Upload a bill", "costs:delivery_upload", "upload", "costs.add_delivery"),
    )

    @cached_property
    def period(self) -> Period | None:
        return metrics.newest_period(self.request.user)

    @property
    def dimension(self) -> str:
        asked = self.request.GET.get("by", "family")
        return asked if asked in metrics.DIMENSIONS else "family"

    def get_subtitle(self) -> str:
        if self.period is None:
            return ""
        return f"{self.period.start:%d %b} to {self.period.last_day:%d %b %Y}: used, covered, saved, by the bill."

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        if self.period is None:
            return super().get_context_data(is_empty=True, empty=self.empty.for_user(self.request.user), **kwargs)
        user, period = self.request.user, self.period
        found = metrics.metrics_by_currency(user, period)
        code = found[0].currency if found else "USD"
        plans = Plan.objects.visible_to(user).filter(state=Plan.State.READY)
        context = {
            "is_empty": False,
            "blocks": [{"currency": each.currency, "stats": stats(each)} for each in found],
            "chart": day_chart(metrics.metrics_by_day(user, period, code)),
            "months": MetricsMonthTable(metrics.metrics_by_month(user, _thirteen(period), code), request=None),
            "rows": CoverageTable(metrics.metrics_by_dimension(user, period, self.dimension), request=None),
            "dimension": self.dimension,
            "dimensions": list(metrics.DIMENSIONS),
            "idle": metrics.idle_commitments(user, period),
            "owns": Commitment.objects.visible_to(user).exists(),
            "notices": Notice.objects.filter(commitment__in=Commitment.objects.visible_to(user))[:5],
            "plan": plans.first(),
        }
        return super().get_context_data(**{**context, **kwargs})


def _thirteen(period: Period) -> Period:
    return Period(Month.of(period.last_day).plus(-12).start, period.end)


def stats(each: metrics.CommitmentMetrics) -> list[dict[str, Any]]:
    """The four figures of a currency; a ratio of nothing is said in words."""
    used, covered = each.utilisation, each.coverage
    gap = "" if covered is None else f"{'over' if covered >= metrics.TARGET_COVERAGE else 'under'} the 70% aimed for"
    hours = percent_text(each.coverage_hours)
    note = gap + (f"; {hours} of hours" if hours else "")
    return [
        {
            "label": "Coverage",
            "value": percent_text(covered) or "—",
            "note": note,
        },
        {"label": "Utilisation", "value": percent_text(used) or "—", "note": _used(used)},
        {
            "label": "Effective savings rate",
            "value": percent_text(each.savings_rate) or "—",
            "note": "paid, unused included, against on demand",
        },
        {
            "label": "Paid for nothing",
            "amount": each.unused_cost,
            "currency": each.currency,
            "note": "commitments that nobody used",
        },
    ]


def _used(share: Decimal | None) -> str:
    if share is None:
        return "nothing is committed"
    return "of what is committed" if share >= metrics.TARGET_UTILISATION else "of what is committed: under 80%"


def day_chart(rows: list[dict[str, Any]]) -> dict[str, Any]:
    return {
        "id": "by-day",
        "kind": "line",
        "title": "Coverage and utilisation by day",
        "unit": "%",
        "categories": [f"{row['moment']:%d %b}" for row in rows],
        "series": [
            charts.series("Coverage", [percent(row["coverage"], 2) for row in rows]),
            charts.series("Utilisation", [percent(row["utilisation"], 2) for row in rows]),
            charts.series("Aim: 70% covered", [Decimal(70)] * len(rows), dashed=True),
        ],
    }


class Expiries(Page, TemplateView):
    """The calendar of endings, with what the bill does on each day."""

    permission_required = "reservations.view_commitment"
    title = "Expiry calendar"
    subtitle = "What ends in the next 13 months, and what the bill does on that day, by the last 30 days of use."
    template_name = "reservations/expiries.html"
    breadcrumbs = (("Commitments", "reservations:overview"),)
    empty = Empty(
        "Nothing ends in the next 13 months",
        "Bills seldom say when a commitment ends: load a CSV with the column end.",
        "calendar",
        LOAD,
    )

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        today = timezone.now().date()
        period = Period(today, Month.of(today).plus(13).start)
        ending = list(Commitment.objects.visible_to(self.request.user).ending_in(period).order_by("end"))
        months: dict[Month, list[dict[str, Any]]] = {}
        for each in ending:
            left = (each.end - today).days
            figures = commitment_use.cost_after_end(each, today)
            row = {"commitment": each, "left": left, **figures, "currency": each.currency}
            months.setdefault(Month.of(each.end), []).append(row)
        unknown = Commitment.objects.visible_to(self.request.user).filter(end__isnull=True).count()
        context = {
            "months": list(months.items()),
            "unknown": unknown,
            "unknown_url": reverse("reservations:commitments"),
            "empty": self.empty.for_user(self.request.user),
        }
        return super().get_context_data(**{**context, **kwargs})

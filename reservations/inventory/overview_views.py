"""How well the company's commitments work, and what happens when they end."""

from dataclasses import asdict
from decimal import Decimal
from functools import cached_property
from typing import Any

from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.generic import TemplateView

from costs.query.known_until import known_in
from finops_site.lib import charts
from finops_site.lib.money import percent
from finops_site.lib.periods import Month, Period, day_text, short_day_text
from finops_site.translation import gettext_lazy as _lazy
from finops_site.ui.figures import percent_text
from finops_site.ui.pages import Empty, Page
from reservations.actions import LOAD_COMMITMENTS, RECOMMEND, UPLOAD_BILL
from reservations.inventory import commitment_use, metrics
from reservations.inventory.coverage_by_kind import coverage_by_kind
from reservations.inventory.tables import CoverageTable, KindCoverageTable, MetricsMonthTable
from reservations.models import Commitment, Notice, Plan

# A dimension of metrics.DIMENSIONS: its name, and the title of what is grouped by it.
DIMENSION_LABELS = {
    "account": (_lazy("account"), _lazy("By account")),
    "service": (_lazy("service"), _lazy("By service")),
    "family": (_lazy("family"), _lazy("By family")),
    "region": (_lazy("region"), _lazy("By region")),
    "team": (_lazy("team"), _lazy("By team")),
}


class CommitmentsOverview(Page, TemplateView):
    parameters = ("by",)
    parameter_values = {"by": tuple(metrics.DIMENSIONS)}
    permission_required = "reservations.view_commitment"
    title = _lazy("Commitments")
    template_name = "reservations/overview.html"
    actions = (LOAD_COMMITMENTS, RECOMMEND)
    empty = Empty(
        _lazy("No running machine in the bills yet"),
        _lazy(
            "Coverage and utilisation are worked out from bills within minutes of their load. Load one "
            "that has machines."
        ),
        "certificate",
        UPLOAD_BILL,
    )

    @cached_property
    def period(self) -> Period | None:
        return metrics.newest_period(self.person, timezone.now().date())

    @property
    def dimension(self) -> str:
        chosen = self.request.GET.get("by", "family")
        return chosen if chosen in metrics.DIMENSIONS else "family"

    def get_subtitle(self) -> str:
        if self.period is None:
            return ""
        days = _("{start} to {last_day}").format(
            start=short_day_text(self.period.start), last_day=day_text(self.period.last_day)
        )
        return _("{days}: used, covered, saved, by the bill.").format(days=days)

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        if self.period is None:
            return super().get_context_data(is_empty=True, empty=self.empty.for_user(self.person), **kwargs)
        user, period = self.person, self.period
        by_currency = metrics.metrics_by_currency(user, period)
        code = by_currency[0].currency if by_currency else "USD"
        thirteen_months = Period(Month.of(period.last_day).plus(-12).start, period.end)
        context = {
            "is_empty": False,
            "known": known_in(user, Month.of(timezone.now().date()).period, timezone.now().date()),
            "blocks": [{"currency": row.currency, "stats": metric_stats(row)} for row in by_currency],
            "chart": day_chart(metrics.metrics_by_day(user, period, code)),
            "months": MetricsMonthTable(metrics.metrics_by_month(user, thirteen_months, code), request=None),
            "kinds": KindCoverageTable([asdict(kind) for kind in coverage_by_kind(user, period, code)], request=None),
            "rows": CoverageTable(metrics.metrics_by_dimension(user, period, self.dimension), request=None),
            "dimension": self.dimension,
            "dimension_title": DIMENSION_LABELS[self.dimension][1],
            "dimensions": [(name, DIMENSION_LABELS[name][0]) for name in metrics.DIMENSIONS],
            "idle": metrics.idle_commitments(user, period),
            "owns": Commitment.objects.visible_to(user).exists(),
            "notices": Notice.objects.filter(commitment__in=Commitment.objects.visible_to(user))[:5],
            "plan": Plan.objects.newest_for(user),
        }
        return super().get_context_data(**{**context, **kwargs})


def metric_stats(row: metrics.CommitmentMetrics) -> list[dict[str, Any]]:
    """The four figures of a currency; a ratio of nothing is described in words."""
    used, covered = row.utilisation, row.coverage
    of_committed = _("of what is committed") if used is not None else _("nothing is committed")
    if used is not None and used < metrics.TARGET_UTILISATION:
        of_committed = _("of what is committed: under 80%")
    gap = ""
    if covered is not None:
        gap = _("over the target of 70%") if covered >= metrics.TARGET_COVERAGE else _("under the target of 70%")
    hours = percent_text(row.coverage_hours)
    notes = (row.why_unknown or gap, _("{share} of hours").format(share=hours) if hours else "", row.price_note)
    return [
        {
            "label": _("Coverage"),
            "value": percent_text(covered) or "—",
            "note": "; ".join(filter(None, notes)),
        },
        {"label": _("Utilisation"), "value": percent_text(used) or "—", "note": of_committed},
        {
            "label": _("Effective savings rate"),
            "value": percent_text(row.savings_rate) or "—",
            "note": row.why_unknown or _("paid, unused included, against on demand"),
        },
        {
            "label": _("Unused cost"),
            "amount": row.unused_cost,
            "currency": row.currency,
            "note": _("commitments that nobody used"),
        },
    ]


def day_chart(rows: list[dict[str, Any]]) -> dict[str, Any]:
    return {
        "id": "by-day",
        "kind": "line",
        "title": _("Coverage and utilisation by day"),
        "unit": "%",
        "categories": [short_day_text(row["moment"]) for row in rows],
        "series": [
            charts.series(_("Coverage"), [percent(row["coverage"], 2) for row in rows]),
            charts.series(_("Utilisation"), [percent(row["utilisation"], 2) for row in rows]),
            charts.series(_("Target: 70% covered"), [Decimal(70)] * len(rows), dashed=True),
        ],
    }


class ExpiryCalendar(Page, TemplateView):
    """The calendar of endings, with what the bill does on each day."""

    permission_required = "reservations.view_commitment"
    title = _lazy("Expiry calendar")
    subtitle = _lazy("What ends in the next 13 months, and what the bill does on that day, by the last 30 days of use.")
    template_name = "reservations/expiries.html"
    breadcrumbs = ((_lazy("Commitments"), "reservations:overview"),)
    empty = Empty(
        _lazy("Nothing ends in the next 13 months"),
        _lazy(
            "Where a bill does not show when a commitment ends, load its provider's list, or a CSV with the column end."
        ),
        "calendar",
        LOAD_COMMITMENTS,
    )

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        today = timezone.now().date()
        period = Period(today, Month.of(today).plus(13).start)
        ending = list(Commitment.objects.visible_to(self.person).ending_in(period).order_by("end"))
        months: dict[Month, list[dict[str, Any]]] = {}
        for commitment in ending:
            left = (commitment.end - today).days
            figures = commitment_use.cost_after_end(commitment, today)
            row = {"commitment": commitment, "left": left, **figures, "currency": commitment.currency}
            months.setdefault(Month.of(commitment.end), []).append(row)
        unknown = Commitment.objects.visible_to(self.person).filter(end__isnull=True).count()
        context = {
            "months": list(months.items()),
            "unknown": unknown,
            "unknown_url": reverse("reservations:commitments"),
            "empty": self.empty.for_user(self.person),
        }
        return super().get_context_data(**{**context, **kwargs})

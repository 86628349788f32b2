"""The pages of owned commitments: the list, one commitment, and completing them by CSV."""

from datetime import timedelta
from typing import Any, cast

from django.contrib import messages
from django.db.models import OuterRef, Subquery, Sum
from django.http import HttpResponse
from django.urls import reverse_lazy
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from finops_site.lib import charts
from finops_site.lib.money import exact_figure, ratio
from finops_site.lib.periods import short_day_text
from finops_site.lib.words import number_text
from finops_site.translation import gettext_lazy as _lazy
from finops_site.ui.pages import DetailPage, Empty, FormPage, ListPage
from finops_site.ui.tables import BaseTable
from reservations.actions import LOAD_COMMITMENTS, RECOMMEND
from reservations.calc.commitment_lists import BadList
from reservations.calc.stated_terms import GUESS
from reservations.inventory import (
    commitment_csv,
    commitment_usage,
    commitment_use,
    contingency,
    metrics,
    provider_lists,
)
from reservations.inventory.forms import CommitmentFilter, CommitmentsForm
from reservations.inventory.tables import COMMITMENT_STATES, CommitmentTable, DayUseTable
from reservations.models import Commitment, Utilisation
from reservations.querysets import CommitmentQuerySet

SHOWN_DAYS = 60


class CommitmentsPage(ListPage):
    permission_required = "reservations.view_commitment"
    model = Commitment
    title = _lazy("Owned commitments")
    subtitle = _lazy(
        "Found in the bills and completed by lists. Used and unused are of the newest 30 days in the bills."
    )
    breadcrumbs = ((_lazy("Commitments"), "reservations:overview"),)
    table_class = CommitmentTable
    filterset_class = CommitmentFilter
    actions = (LOAD_COMMITMENTS,)
    empty = Empty(
        _lazy("Nothing is committed yet"),
        _lazy(
            "Reserved instances and plans appear here when a bill shows them, or from a CSV. Until then: "
            "what would be worth buying?"
        ),
        "certificate",
        RECOMMEND,
    )

    def get_queryset(self) -> CommitmentQuerySet:
        rows = super().get_queryset().select_related("owner")
        period = metrics.newest_period(self.person, timezone.now().date())
        days = Utilisation.objects.filter(commitment=OuterRef("pk"), currency=OuterRef("currency"))
        days = days.within(period) if period else days.none()
        totals = days.order_by().values("commitment")
        return rows.annotate(
            paid=Subquery(totals.annotate(sum=Sum("paid")).values("sum")),
            unused=Subquery(totals.annotate(sum=Sum("unused_cost")).values("sum")),
        )

    def make_table(self, data: CommitmentQuerySet, **kwargs: Any) -> BaseTable:
        rows = list(data)
        for row in rows:
            # In money: units of two commitments would not compare.
            row.utilisation = ratio(row.paid - row.unused, row.paid) if row.paid else None
        return super().make_table(rows, today=timezone.now().date(), **kwargs)


class CommitmentPage(DetailPage):
    permission_required = "reservations.view_commitment"
    model = Commitment
    template_name = "reservations/commitment.html"
    breadcrumbs = ((_lazy("Commitments"), "reservations:overview"), (_lazy("Owned"), "reservations:commitments"))

    def get_queryset(self) -> CommitmentQuerySet:
        return cast(CommitmentQuerySet, super().get_queryset().select_related("owner"))

    def get_subtitle(self) -> str:
        row = self.object
        return f"{row.get_kind_display()}, {row.provider or _('unknown provider')}, {row.get_source_display()}"

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        commitment, today = self.object, timezone.now().date()
        days = list(reversed(commitment.days.order_by("-day")[:SHOWN_DAYS]))
        last = days[-1].day if days else today
        month = commitment_use.days_before(30, last + timedelta(days=1))
        use = commitment_use.use_of(commitment, month)
        context = {
            "commitment": commitment,
            "state": COMMITMENT_STATES[commitment.state(today)],
            "use": use,
            "after": commitment_use.cost_after_end(commitment, month.end),
            "days": DayUseTable(list(reversed(days))[:31], request=None) if days else None,
            "chart": use_chart(days) if days else None,
            "doubled": " and ".join(commitment_use.sources_of_same_days(commitment, month)),
            "overused": commitment_usage.overused(commitment, days),
            "notices": commitment.notices.all()[:10],
            "contingency": contingency.contingency(commitment, use, today) if use.unused_cost else [],
            "count": exact_figure(commitment.count),
            "kind_is_guessed": commitment.origin_of("kind") == GUESS,
        }
        return super().get_context_data(**{**context, **kwargs})


def use_chart(days: list[Utilisation]) -> dict[str, Any]:
    return {
        "id": "use-by-day",
        "kind": "stacked-bar",
        "title": _("Used and unused by day"),
        "unit": days[-1].unit,
        "categories": [short_day_text(day.day) for day in days],
        "series": [
            charts.series(_("Used"), [day.used for day in days]),
            charts.series(_("Unused"), [day.unused for day in days], other=True),
        ],
    }


class LoadCommitments(FormPage):
    permission_required = "reservations.add_commitment"
    form_class = CommitmentsForm
    title = _lazy("Load commitments")
    subtitle = _lazy("Completes what bills do not show: term, payment, dates, owner. A row for a known id changes it.")
    breadcrumbs = ((_lazy("Commitments"), "reservations:overview"),)
    submit_label = _lazy("Load")
    cancel_url_name = "reservations:commitments"
    success_url = reverse_lazy("reservations:commitments")

    def form_valid(self, form: CommitmentsForm) -> HttpResponse:
        text, more = form.cleaned_data["file"], ""
        try:
            if provider_lists.is_list(text):
                result = provider_lists.load_list(text)
                count, more = result.listed, result.words
            else:
                count = commitment_csv.load_csv(text)
        except (commitment_csv.BadCommitments, BadList) as error:
            form.add_error("file", _("{error} Nothing was changed.").format(error=error))
            return self.form_invalid(form)
        loaded = ngettext("{count} commitment is loaded.", "{count} commitments are loaded.", count)
        messages.success(self.request, f"{loaded.format(count=number_text(count))} {more}".strip())
        return super().form_valid(form)

    def save(self, form: CommitmentsForm) -> None:
        """Done already: what is wrong with a row belongs beside the file."""

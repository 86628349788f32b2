"""What to buy: requested, computed in the background, and opened down to the formula with its numbers."""

from functools import cached_property
from typing import Any, cast

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.generic import TemplateView, View
from django_htmx.http import HttpResponseClientRefresh

from finops_site.lib.periods import day_text
from finops_site.translation import gettext_lazy as _lazy
from finops_site.ui.downloads import csv_download
from finops_site.ui.pages import DetailPage, Empty, FormPage, ListPage, Page
from reservations.actions import RECOMMEND
from reservations.models import Plan, PlanItem
from reservations.querysets import PlanQuerySet
from reservations.recommendations import demand_sources, recommend, stopped_runs
from reservations.recommendations.forms import WHY_CAUTIOUS, PlanForm
from reservations.recommendations.recommendation_figures import (
    batch_rows,
    demand_chart,
    formula_numbers,
    plan_figures,
    plan_progress,
    purchase_rows,
    slice_sheet,
)
from reservations.recommendations.tables import PLAN_STATES, BatchTable, PlanTable

CRUMBS = ((_lazy("Commitments"), "reservations:overview"),)


class RecommendationsPage(ListPage):
    permission_required = "reservations.view_plan"
    model = Plan
    title = _lazy("Recommendations")
    subtitle = _lazy("What to commit to, with the cost that no plan can be below.")
    breadcrumbs = CRUMBS
    table_class = PlanTable
    fragment_template_name = "costs/list_that_waits.html"
    actions = (RECOMMEND,)
    empty = Empty(
        _lazy("No recommendation yet"),
        _lazy("It is worked out from the newest bills in about a minute."),
        "bulb",
        RECOMMEND,
    )

    def get_queryset(self) -> PlanQuerySet:
        return cast(PlanQuerySet, super().get_queryset().select_related("team", "requested_by"))

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        waits = self.get_queryset().filter(state__in=[Plan.State.WAITING, Plan.State.RUNNING]).exists()
        return super().get_context_data(waits=waits, **kwargs)


class Recommend(FormPage):
    permission_required = "reservations.add_plan"
    form_class = PlanForm
    template_name = "reservations/recommend.html"
    title = _lazy("Work out what to buy")
    subtitle = _lazy("Every option at once, within your limits, from what ran and was not covered.")
    breadcrumbs = (*CRUMBS, (_lazy("Recommendations"), "reservations:recommendations"))
    submit_label = _lazy("Work out")
    cancel_url_name = "reservations:recommendations"

    def get_form_kwargs(self) -> dict[str, Any]:
        return {**super().get_form_kwargs(), "user": self.person}

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        return super().get_context_data(why=WHY_CAUTIOUS, **kwargs)

    def save(self, form: PlanForm) -> Plan:
        plan = recommend.request_recommendation(
            self.person,
            form.parameters(),
            as_of=demand_sources.newest_billed_day(timezone.now().date()),
            lookback_days=form.cleaned_data["lookback_days"],
            team=form.cleaned_data["team"],
        )
        messages.success(self.request, _("It is being worked out."))
        return plan


class RecommendationPage(DetailPage):
    exports = ("csv", "slices")
    permission_required = "reservations.view_plan"
    model = Plan
    template_name = "reservations/recommendation.html"
    breadcrumbs = (*CRUMBS, (_lazy("Recommendations"), "reservations:recommendations"))

    def get_queryset(self) -> PlanQuerySet:
        return cast(PlanQuerySet, super().get_queryset().select_related("team", "requested_by"))

    def get(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        """The page, or its purchases or its slices as a sheet (``?_export=csv``, ``=slices``)."""
        sheet = {"csv": purchase_rows, "slices": slice_sheet}.get(request.GET.get("_export", ""))
        plan = self.get_object() if sheet else None
        if sheet and plan and plan.state == Plan.State.READY:
            return csv_download(sheet(plan), f"recommendation-{plan.pk}-{request.GET['_export']}", plan.notes)
        return super().get(request, *args, **kwargs)

    def get_title(self) -> str:
        return _("What to buy for {whose}").format(whose=self.object.whose)

    def get_subtitle(self) -> str:
        return ngettext(
            "As of {as_of}, from the {lookback_days} day before.",
            "As of {as_of}, from the {lookback_days} days before.",
            self.object.lookback_days,
        ).format(as_of=day_text(self.object.as_of), lookback_days=self.object.lookback_days)

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        plan = self.object
        context: dict[str, Any] = {"plan": plan, "state": PLAN_STATES[plan.state], "progress": plan_progress(plan)}
        if plan.state == Plan.State.READY:
            context |= plan_figures(plan, may_request=self.person.has_perm("reservations.add_purchaserequest"))
        context["runs_again"] = plan.state == Plan.State.FAILED and self.person.has_perm(Recommend.permission_required)
        return super().get_context_data(**{**context, **kwargs})

    def post(self, request: HttpRequest, pk: int) -> HttpResponse:
        """Works out again what failed, with the same limits, from the newest bills."""
        plan = self.get_object()
        if not self.person.has_perm(Recommend.permission_required):
            raise PermissionDenied
        if plan.state != Plan.State.FAILED:
            messages.error(request, _("Only what failed is run again: work out a new one instead."))
            return redirect(plan)
        messages.success(request, _("It is being worked out again, from the newest bills."))
        return redirect(stopped_runs.run_again(plan, self.person, timezone.now().date()))


class RecommendationProgress(Page, View):
    """How far it is, polled every two seconds; when it has ended the whole page is drawn anew."""

    permission_required = "reservations.view_plan"

    def get(self, request: HttpRequest, pk: int) -> HttpResponse:
        plan = get_object_or_404(Plan.objects.visible_to(self.person), pk=pk)
        if not plan.is_open:
            return HttpResponseClientRefresh()
        return render(request, "includes/progress.html", {"progress": plan_progress(plan)})


class RecommendedItem(Page, TemplateView):
    """One purchase: the demand with the line drawn in it, and the formula with its numbers."""

    permission_required = "reservations.view_plan"
    template_name = "reservations/recommended_item.html"

    @cached_property
    def plan(self) -> Plan:
        return get_object_or_404(Plan.objects.visible_to(self.person), pk=self.kwargs["pk"])

    @cached_property
    def item(self) -> PlanItem:
        return get_object_or_404(self.plan.items, position=self.kwargs["position"])

    def get_title(self) -> str:
        return str(self.item)

    def get_subtitle(self) -> str:
        text = _("Price: {source}, {day}, indicative.") if self.item.is_indicative else _("Price: {source}, {day}.")
        return text.format(source=self.item.rate_source, day=day_text(self.item.rate_day))

    def get_breadcrumbs(self) -> list[tuple[str, str]]:
        return [*CRUMBS, (_("Recommendation"), self.plan.get_absolute_url())]

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        item, working = self.item, self.item.working
        context = {
            "plan": self.plan,
            "item": item,
            "working": working,
            "numbers": formula_numbers(working),
            "chart": demand_chart(working),
            "batches": BatchTable(batch_rows(item, self.plan.currency), request=None),
            "may_request": self.person.has_perm("reservations.add_purchaserequest"),
            "requests": self.plan.requests.filter(position=item.position).order_by("batch", "pk"),
        }
        return super().get_context_data(**{**context, **kwargs})

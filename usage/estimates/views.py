"""The pages of estimates: the list, one with its scenarios side by side, its forms and its buttons."""

from collections.abc import Callable
from decimal import Decimal
from functools import cached_property
from typing import Any

from django.contrib import messages
from django.db.models import Count, OuterRef, Q, QuerySet, Subquery, Sum
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import get_object_or_404, redirect
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.generic import View

from finops_site.translation import gettext_lazy as _lazy
from finops_site.ui.downloads import csv_download, xlsx_download
from finops_site.ui.figures import percent_text
from finops_site.ui.pages import Action, DetailPage, Empty, FormPage, ListPage, Page
from usage.estimates import estimate_changes
from usage.estimates.effects import effect_rows
from usage.estimates.estimate_changes import CannotEstimate
from usage.estimates.figures import ScenarioFigures, outcome, scenarios_of
from usage.estimates.forms import EstimateForm, NewEstimateForm, ScenarioForm
from usage.estimates.tables import EstimateTable, export_rows
from usage.models import Estimate, EstimateLine, Scenario

SEE, ADD, CHANGE = "usage.view_estimate", "usage.add_estimate", "usage.change_estimate"
NEW = Action(_lazy("New estimate"), "usage:estimate_add", "plus", ADD, primary=True)
CRUMBS = ((_lazy("Estimates"), "usage:estimates"),)


class EstimatesPage(ListPage):
    permission_required = SEE
    title = _lazy("Estimates")
    subtitle = _lazy("What something would cost before it runs, at list prices and at the company's own rates.")
    model = Estimate
    table_class = EstimateTable
    parameters = ("archived",)
    parameter_values = {"archived": ("1",)}
    can_be_saved = False
    export_name = "estimates"
    actions = (NEW,)
    empty = Empty(
        _lazy("No estimate yet"),
        _lazy("Type what you plan, a line for each thing, or upload a Terraform plan: the price is there at once."),
        "scale",
        NEW,
    )

    def get_queryset(self) -> QuerySet:
        is_archived = bool(self.request.GET.get("archived"))
        rows = super().get_queryset().filter(archived_at__isnull=not is_archived).select_related("team", "made_by")
        # The one that was chosen, else the first.
        chosen = Scenario.objects.filter(estimate=OuterRef("pk")).order_by("-is_chosen", "pk").values("pk")[:1]
        lines = EstimateLine.objects.filter(scenario=OuterRef("shown")).order_by().values("scenario")
        unpriced = Count("pk", filter=Q(cost=None))
        return rows.annotate(shown=Subquery(chosen)).annotate(
            monthly=Subquery(lines.annotate(together=Sum("cost")).values("together")),
            unpriced=Subquery(lines.annotate(without=unpriced).values("without")),
        )


class EstimatePage(DetailPage):
    """Scenarios side by side, what they would change, and what came of the chosen one."""

    permission_required = SEE
    model = Estimate
    template_name = "usage/estimate.html"
    exports = ("csv", "xlsx")
    object: Estimate

    def get_breadcrumbs(self) -> Any:
        return CRUMBS

    def get_subtitle(self) -> str:
        parts = [str(self.object.team or ""), _("by {person}").format(person=self.object.made_by)]
        return ", ".join(filter(None, parts))

    @cached_property
    def may_change(self) -> bool:
        try:
            estimate_changes.may_change(self.person, self.object)
        except CannotEstimate:
            return False
        return True

    def get_actions(self) -> list[Action]:
        if not self.may_change or self.object.archived_at:
            return []
        add = Action(_("Another scenario"), "usage:scenario_add", "plus", CHANGE, True, (self.object.pk,))
        return [Action(_("Edit"), "usage:estimate_edit", "pencil", CHANGE, args=(self.object.pk,)), add]

    @cached_property
    def scenarios(self) -> list[ScenarioFigures]:
        return scenarios_of(self.object)

    def get(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        self.object = self.get_object()
        if export := request.GET.get("_export"):
            send = xlsx_download if export == "xlsx" else csv_download
            return send(export_rows(self.object.currency, self.scenarios), f"estimate-{self.object.pk}")
        return super().get(request, *args, **kwargs)

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        today = timezone.now().date()
        chosen = (one for one in self.scenarios if one.scenario.is_chosen)
        shown = next(chosen, self.scenarios[0] if self.scenarios else None)
        came = outcome(self.person, self.object, today)
        return super().get_context_data(
            scenarios=self.scenarios,
            is_compared=len(self.scenarios) > 1,
            shown=shown,
            effects=effect_rows(self.person, self.object, self.scenarios, today),
            outcome=came,
            accuracy=percent_text(came.accuracy / Decimal(100)) if came and came.accuracy is not None else "",
            may_change=self.may_change and not self.object.archived_at,
            may_archive=self.may_change,
            **kwargs,
        )


class _Refusable(FormPage):
    """What the service refuses stands on the form."""

    permission_required = CHANGE

    def form_valid(self, form: Any) -> HttpResponse:
        try:
            return super().form_valid(form)
        except CannotEstimate as error:
            form.add_error(None, str(error))
            return self.form_invalid(form)


class AddEstimate(_Refusable):
    permission_required = ADD
    title = _lazy("New estimate")
    form_class = NewEstimateForm
    submit_label = _lazy("Price it")
    cancel_url_name = "usage:estimates"
    breadcrumbs = CRUMBS

    def get_form_kwargs(self) -> dict[str, Any]:
        return {**super().get_form_kwargs(), "user": self.person}

    def save(self, form: NewEstimateForm) -> Estimate:
        cleaned = form.cleaned_data
        made = estimate_changes.make_estimate(self.person, form.instance, "", cleaned["text"], cleaned["source"])
        unpriced = made.scenarios.get().lines.filter(cost=None).count()
        if unpriced:
            text = ngettext(
                "{count} line has no price: it is in no sum.",
                "{count} lines have no price: they are in no sum.",
                unpriced,
            )
            messages.warning(self.request, text.format(count=unpriced))
        return made


class EditEstimate(_Refusable):
    title = _lazy("Edit an estimate")
    model = Estimate
    form_class = EstimateForm
    breadcrumbs = CRUMBS

    def get_form_kwargs(self) -> dict[str, Any]:
        return {**super().get_form_kwargs(), "user": self.person}

    def save(self, form: EstimateForm) -> Estimate:
        return estimate_changes.save_estimate(self.person, form.instance)


class _OfEstimate(_Refusable):
    form_class = ScenarioForm
    submit_label = _lazy("Price it")

    @cached_property
    def estimate(self) -> Estimate:
        return get_object_or_404(Estimate.objects.visible_to(self.person), pk=self.kwargs["estimate"])

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        if request.user.is_authenticated:
            _ignored = self.estimate
        return super().dispatch(request, *args, **kwargs)

    def get_breadcrumbs(self) -> Any:
        return (*CRUMBS, (str(self.estimate), self.estimate.get_absolute_url()))

    def get_success_url(self) -> str:
        return self.estimate.get_absolute_url()

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        return super().get_context_data(**{"cancel_url": self.estimate.get_absolute_url(), **kwargs})


class AddScenario(_OfEstimate):
    title = _lazy("Another scenario")

    def get_form_kwargs(self) -> dict[str, Any]:
        first = self.estimate.scenarios.first()
        return {
            **super().get_form_kwargs(),
            "instance": Scenario(estimate=self.estimate),
            "initial": {"text": first.text if first else ""},
        }

    def save(self, form: ScenarioForm) -> Scenario:
        cleaned = form.cleaned_data
        return estimate_changes.add_scenario(
            self.person, self.estimate, cleaned["name"], cleaned["text"], cleaned["source"]
        )


class EditScenario(_OfEstimate):
    title = _lazy("Edit a scenario")

    @cached_property
    def scenario(self) -> Scenario:
        return get_object_or_404(self.estimate.scenarios, pk=self.kwargs["pk"])

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        if request.user.is_authenticated:
            _ignored = self.scenario
        return super().dispatch(request, *args, **kwargs)

    def get_form_kwargs(self) -> dict[str, Any]:
        return {**super().get_form_kwargs(), "instance": self.scenario, "initial": {"text": self.scenario.text}}

    def save(self, form: ScenarioForm) -> Scenario:
        cleaned = form.cleaned_data
        return estimate_changes.change_scenario(self.person, self.scenario, cleaned["name"], cleaned["text"])


class _Button(Page, View):
    permission_required = CHANGE
    verbs: dict[str, Callable[..., Any]] = {}

    def act(self, request: HttpRequest, verb: str, estimate: Estimate, row: Any) -> HttpResponse:
        if verb not in self.verbs:
            raise Http404
        try:
            messages.success(request, self.verbs[verb](self.person, row))
        except CannotEstimate as error:
            messages.error(request, str(error))
        return redirect(estimate)


def _archive(person: Any, estimate: Estimate) -> str:
    estimate_changes.archive_estimate(person, estimate)
    return _("It is archived: the list of archived estimates has it.")


def _bring_back(person: Any, estimate: Estimate) -> str:
    estimate_changes.archive_estimate(person, estimate, back=True)
    return _("It is back.")


def _choose(person: Any, scenario: Scenario) -> str:
    estimate_changes.choose_scenario(person, scenario)
    return _("What comes is compared with {name}.").format(name=scenario)


def _price(person: Any, scenario: Scenario) -> str:
    estimate_changes.price_again(person, scenario)
    return _("{name} has the prices of today.").format(name=scenario)


def _delete(person: Any, scenario: Scenario) -> str:
    estimate_changes.delete_scenario(person, scenario)
    return _("{name} is deleted.").format(name=scenario)


class ActOnEstimate(_Button):
    """Archives an estimate, or brings it back."""

    verbs = {"archive": _archive, "back": _bring_back}

    def post(self, request: HttpRequest, pk: int, verb: str) -> HttpResponse:
        estimate = get_object_or_404(Estimate.objects.visible_to(self.person), pk=pk)
        return self.act(request, verb, estimate, estimate)


class ActOnScenario(_Button):
    """Chooses a scenario, prices it anew or deletes it."""

    verbs = {"choose": _choose, "price": _price, "delete": _delete}

    def post(self, request: HttpRequest, estimate: int, pk: int, verb: str) -> HttpResponse:
        row = get_object_or_404(Estimate.objects.visible_to(self.person), pk=estimate)
        return self.act(request, verb, row, get_object_or_404(row.scenarios, pk=pk))

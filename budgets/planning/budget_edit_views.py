"""The forms and buttons that create and change a budget."""

from functools import cached_property
from typing import Any, cast

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseBase, QueryDict
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.generic import View

from budgets.models import Budget
from budgets.permissions import led_teams, may_edit_budget
from budgets.planning import budget_changes
from budgets.planning.budget_changes import StaleBudget, WrongState
from budgets.planning.budget_forms import BudgetForm, CopyForm, ReasonForm
from budgets.planning.budget_preview import scope_preview, suggested_text
from budgets.planning.period_changes import plan_periods
from budgets.planning.suggestions import suggest_amount
from finops_site.lib.money import BadAmount
from finops_site.translation import gettext_lazy as _lazy
from finops_site.ui.pages import FormPage, Page


class EditBudget(FormPage):
    """Creates and changes a budget; the second of two editors gets a warning, and nothing of hers is lost."""

    permission_required = "budgets.view_budget"
    # ?amount=suggested fills the field.
    parameters = ("amount",)
    parameter_values = {"amount": ["suggested"]}
    model = Budget
    form_class = BudgetForm
    template_name = "budgets/form.html"
    breadcrumbs = ((_lazy("Budgets"), "budgets:budgets"),)
    cancel_url_name = "budgets:budgets"
    proposes = False

    @cached_property
    def teams(self) -> set[int] | None:
        user = self.person
        return None if user.has_perm("budgets.change_budget") else led_teams(user)

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        user = self.person
        if user.is_authenticated:
            if self.object is not None:
                allowed = may_edit_budget(user, self.object)
            elif self.proposes:
                allowed = user.has_perm("budgets.propose_budget") and (self.teams is None or bool(self.teams))
            else:
                allowed = user.has_perm("budgets.add_budget")
            if not allowed:
                raise PermissionDenied
        return super().dispatch(request, *args, **kwargs)

    def get_title(self) -> str:
        return (
            _("Edit {object}").format(object=self.object)
            if self.object
            else _("Propose a budget")
            if self.proposes
            else _("New budget")
        )

    def get_form_kwargs(self) -> dict[str, Any]:
        today = timezone.now().date()
        kwargs = {**super().get_form_kwargs(), "user": self.person, "today": today, "teams": self.teams}
        if self.object and self.request.GET.get("amount") and self.request.method == "GET":
            kwargs["initial"] = {"amount": suggested_text(self.object, suggest_amount(self.object, today))}
        return kwargs

    def post(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        return self.render_suggestion() if "suggest" in request.POST else super().post(request, *args, **kwargs)

    def render_suggestion(self) -> HttpResponse:
        """The form again as it was filled in, with what the last months of its scope suggest; nothing is saved."""
        preview = self.preview()
        kwargs = self.get_form_kwargs()
        kwargs["data"] = kwargs["data"].copy()
        if preview["suggested_text"]:
            kwargs["data"]["amount"] = preview["suggested_text"]
        again = self.form_class(**kwargs)
        return self.render_to_response(self.get_context_data(form=again, **preview, has_suggested=True))

    def preview(self) -> dict[str, Any]:
        """What the scope of the form has cost and suggests, as far as it is clear and hers to see."""
        form = self.get_form()
        form.is_valid()
        if not form.scope_is_clear:
            return {"suggestion": None, "suggested_text": "", "preview_of": form.instance}
        return scope_preview(form.instance, timezone.now().date())

    def form_valid(self, form: BudgetForm) -> HttpResponse:
        try:
            if "preview" in self.request.POST:
                plan = plan_periods(form.instance, form.new_amounts)
                return self.render_to_response(self.get_context_data(form=form, plan=plan))
            return super().form_valid(form)
        except WrongState as error:
            form.add_error("way", str(error))
            return self.form_invalid(form)
        except StaleBudget as error:
            form.add_error(None, str(error))
            newest = Budget.objects.get(pk=self.object.pk)
            # What is saved next is a change of the newest, knowingly.
            data = cast(QueryDict, form.data).copy()
            data["version"] = str(newest.version)
            form.data = data
            return self.render_to_response(self.get_context_data(form=form, newest=newest), status=409)

    def save(self, form: BudgetForm) -> Budget:
        return form.save_budget(by=self.person, proposes=self.proposes)

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        pk = [self.object.pk] if self.object else []
        return super().get_context_data(**{"preview_url": reverse("budgets:preview", args=pk), **kwargs})


class PreviewBudget(EditBudget):
    """What the scope of a form has cost and suggests, as a part of the page; nothing is saved."""

    http_method_names = ["post"]
    proposes = True
    template_name = "budgets/includes/scope_preview.html"

    def post(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        return render(request, self.template_name, {**self.preview(), "has_suggested": True})


class ChangeState(Page, View):
    """Approve, send back, archive or bring back: a button with a reason."""

    permission_required = "budgets.approve_budget"
    words = {
        "approve": _lazy("{budget} is approved and in force from now on."),
        "send-back": _lazy("{budget} is sent back."),
        "archive": _lazy("{budget} is archived."),
        "restore": _lazy("{budget} is brought back."),
    }

    def post(self, request: HttpRequest, pk: int, verb: str) -> HttpResponse:
        budget = get_object_or_404(Budget.objects.visible_to(self.person), pk=pk)
        form = ReasonForm(request.POST)
        if verb not in self.words or not form.is_valid():
            messages.error(request, _("Open the budget again and press its button there."))
            return redirect(budget)
        try:
            budget_changes.DECISIONS[verb](budget, **form.cleaned_data, by=self.person)
            messages.success(request, self.words[verb].format(budget=budget))
        except (StaleBudget, WrongState) as error:
            messages.error(request, str(error))
        return redirect(budget)


class CopyBudget(FormPage):
    permission_required = "budgets.change_budget"
    model = Budget
    form_class = CopyForm
    title = _lazy("Copy to next year")
    breadcrumbs = ((_lazy("Budgets"), "budgets:budgets"),)
    submit_label = _lazy("Copy")
    cancel_url_name = "budgets:budgets"

    def get_form_kwargs(self) -> dict[str, Any]:
        kwargs = super().get_form_kwargs()
        kwargs.pop("instance", None)
        initial = {"version": self.object.version, "percent": 0}
        return {**kwargs, "initial": initial, "parts": budget_changes.raised_parts(self.object)}

    def form_valid(self, form: CopyForm) -> HttpResponse:
        try:
            return super().form_valid(form)
        except (BadAmount, StaleBudget, WrongState) as error:
            form.add_error(None, str(error))
            return self.form_invalid(form)

    def save(self, form: CopyForm) -> Budget:
        return budget_changes.copy_to_next_year(self.object, **form.cleaned_data, by=self.person)

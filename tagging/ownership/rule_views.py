"""Pages of ownership rules: the list in its order, one rule with what it would move, and loading rules from a file."""

from functools import cached_property
from typing import Any

from django import forms
from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseBase, QueryDict
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse, reverse_lazy
from django.utils.translation import gettext as _
from django.views.generic import TemplateView, View
from django_htmx.http import HttpResponseClientRefresh

from costs.ingest.reallocate import CostMove
from costs.models import Dimension
from costs.query import filter_choices
from finops_site.lib.words import counted, number_text
from finops_site.translation import gettext_lazy as _lazy
from finops_site.ui.downloads import csv_download
from finops_site.ui.figures import month_text
from finops_site.ui.pages import Action, Empty, FormPage, Page
from tagging.models import BILLED_CONDITIONS, Application, OwnershipRule
from tagging.ownership import ownership_figures, rule_application, rule_csv, rules
from tagging.ownership.forms import RuleForm, RulesFileForm
from tagging.ownership.month_pages import BREADCRUMBS, OwnershipMonthPage

EDIT = "tagging.change_ownershiprule"
PROPOSED = Action(_lazy("Proposed rules"), "tagging:ownership_proposals", "bulb", "tagging.add_ownershiprule")
ADD = Action(_lazy("Add a rule"), "tagging:ownership_add", "plus", "tagging.add_ownershiprule", primary=True)


class OwnershipPage(OwnershipMonthPage, TemplateView):
    """The rules in the order in which they are tried, with the cost that each owns."""

    exports = ("csv",)
    permission_required = "tagging.view_ownershiprule"
    title = _lazy("Ownership")
    template_name = "tagging/ownership.html"
    actions = (PROPOSED, ADD)
    empty = Empty(
        _lazy("No rule yet"),
        _lazy("A rule names the team, or the pool, that cost belongs to: by account, tag, service, region or name."),
        "users-group",
        PROPOSED,
    )

    def get(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        if request.GET.get("_export") == "csv":
            listed = OwnershipRule.objects.visible_to(self.person).listed()
            return csv_download(rule_csv.csv_rows(listed), "ownership-rules")
        return super().get(request, *args, **kwargs)

    def get_subtitle(self) -> str:
        month = month_text(self.month, "long")
        return _("Tried in this order; the first that matches wins. Amounts: {month}, charge days.").format(month=month)

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        rows = ownership_figures.rule_rows(self.person, self.month)
        context = {
            "rows": rows,
            "stats": ownership_figures.allocation_stats(self.person, self.month),
            "dead": sum(row.is_dead for row in rows),
            "shadowed": sum(row.shadow is not None for row in rows),
            "application": ownership_figures.application_progress(Application.objects.first()),
            "may_edit": self.person.has_perm(EDIT),
            "empty": self.empty.for_user(self.person),
        }
        return super().get_context_data(**{**context, **kwargs})


class ApplyProgress(Page, View):
    permission_required = "tagging.view_ownershiprule"

    def get(self, request: HttpRequest) -> HttpResponse:
        application = Application.objects.first()
        if application is None or not application.is_open:
            return HttpResponseClientRefresh()
        context = {"progress": ownership_figures.application_progress(application)}
        return render(request, "includes/progress.html", context)


class ApplyNow(Page, View):
    """Applies the rules in force to the open months again."""

    permission_required = EDIT
    http_method_names = ["post"]

    def post(self, request: HttpRequest) -> HttpResponse:
        rule_application.queue_application(self.person, _("Applied by hand"))
        messages.success(request, _("Today's rules are being applied to the open months."))
        return redirect("tagging:ownership")


class MoveRule(Page, View):
    """Puts a rule one place up or down, or in front of another."""

    permission_required = EDIT
    http_method_names = ["post"]

    def post(self, request: HttpRequest, pk: int) -> HttpResponse:
        rule = get_object_or_404(OwnershipRule.objects.visible_to(self.person), pk=pk)
        before = self._next_rule(rule, request.POST)
        rules.move_rule(rule, before, self.person)
        where = _("in front of {before}").format(before=before.name) if before else _("behind all others")
        messages.success(
            request,
            _("{rule} is tried {where}. The open months are being reallocated.").format(rule=rule.name, where=where),
        )
        return redirect(f"{reverse('tagging:ownership')}#rule-{rule.pk}")

    def _next_rule(self, rule: OwnershipRule, data: QueryDict) -> OwnershipRule | None:
        """The rule that will stand behind `rule`; None puts it last."""
        listed = list(OwnershipRule.objects.listed())
        at = listed.index(rule)
        if data.get("to") == "up":
            return listed[max(at - 1, 0)] if at else (listed[1] if len(listed) > 1 else None)
        if data.get("to") == "down":
            return listed[at + 2] if at + 2 < len(listed) else None
        wanted = data.get("before", "")
        return next((other for other in listed if wanted == str(other.pk) and other != rule), None)


class PreviewedFormPage(FormPage):
    """A form that first shows what it would move, and saves when it is sent again with `save`."""

    moved: dict[str, Any] | None = None

    def post(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        if "save" in request.POST:
            return super().post(request, *args, **kwargs)
        form = self.get_form()
        if form.is_valid():
            self.moved = ownership_figures.summarise_moves(self.preview(form))
        return self.render_to_response(self.get_context_data(form=form))

    def preview(self, form: forms.Form | forms.ModelForm | None) -> list[CostMove]:
        raise NotImplementedError

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        return super().get_context_data(moved=self.moved, **kwargs)


class RulePage(PreviewedFormPage):
    """A new or an existing rule: what it would move is shown before it is saved."""

    parameters = tuple(name for name in RuleForm.Meta.fields if name != "is_active")
    permission_required = ("tagging.add_ownershiprule", EDIT)
    model = OwnershipRule
    form_class = RuleForm
    template_name = "tagging/rule.html"
    breadcrumbs = BREADCRUMBS
    cancel_url_name = "tagging:ownership"
    success_url = reverse_lazy("tagging:ownership")

    def get_title(self) -> str:
        # The form has put the new name into the object; the title is the name that is stored.
        return str(self.stored_name) if self.object else _("Add an ownership rule")

    @cached_property
    def stored_name(self) -> str:
        return str(OwnershipRule.objects.values_list("name", flat=True).get(pk=self.kwargs["pk"]))

    def get_initial(self) -> dict[str, Any]:
        """A new rule may come with conditions in its address: from the page of unowned cost."""
        given = self.request.GET.items()
        return {} if self.object else {name: value for name, value in given if name in self.parameters}

    def preview(self, form: RuleForm) -> list[CostMove]:
        return rule_application.preview_rule_change(form.instance)

    def form_valid(self, form: RuleForm) -> HttpResponse:
        try:
            return super().form_valid(form)
        except rules.StaleVersion:
            form.add_error(None, _("Somebody else saved this rule after you opened it. Open it again to see it."))
            return self.form_invalid(form)

    def save(self, form: RuleForm) -> OwnershipRule:
        rule = form.instance
        rules.save_rule(rule, self.person, read_version=form.read_version)
        messages.success(
            self.request, _("{rule} is saved. The open months are being reallocated.").format(rule=rule.name)
        )
        for warning in rule.warnings():
            messages.warning(self.request, warning)
        return rule

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        form = kwargs.get("form")
        warnings = form.instance.warnings() if self.moved is not None and form is not None else []
        known_values = {name: self._known_values(name) for name in BILLED_CONDITIONS}
        tag_keys = self._known_values("tag")
        return super().get_context_data(warnings=warnings, known_values=known_values, tag_keys=tag_keys, **kwargs)

    def _known_values(self, name: str) -> list[str]:
        return list(Dimension.objects.filter(name=name).values_list("value", flat=True)[: filter_choices.MOST])


class RemoveRule(PreviewedFormPage):
    """Removes a rule, after showing what that moves."""

    permission_required = "tagging.delete_ownershiprule"
    model = OwnershipRule
    form_class = forms.Form
    template_name = "tagging/rule_remove.html"
    breadcrumbs = BREADCRUMBS
    cancel_url_name = "tagging:ownership"
    success_url = reverse_lazy("tagging:ownership")

    def get_title(self) -> str:
        return _("Remove {object}").format(object=self.object)

    def get_form_kwargs(self) -> dict[str, Any]:
        return {name: value for name, value in super().get_form_kwargs().items() if name != "instance"}

    def get(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        self.moved = ownership_figures.summarise_moves(self.preview(None))
        return super().get(request, *args, **kwargs)

    def preview(self, form: forms.Form | None) -> list[CostMove]:
        return rule_application.preview_rule_change(None, removed=self.object.pk)

    def save(self, form: forms.Form) -> OwnershipRule:
        rule = self.object
        rules.delete_rules([rule], self.person)
        messages.success(
            self.request, _("{rule} is removed. The open months are being reallocated.").format(rule=rule.name)
        )
        return rule


class ImportRules(FormPage):
    permission_required = ("tagging.add_ownershiprule", EDIT)
    form_class = RulesFileForm
    title = _lazy("Load rules")
    breadcrumbs = BREADCRUMBS
    submit_label = _lazy("Load")
    cancel_url_name = "tagging:ownership"
    success_url = reverse_lazy("tagging:ownership")

    def form_valid(self, form: RulesFileForm) -> HttpResponse:
        try:
            return super().form_valid(form)
        except rule_csv.InvalidRulesFile as error:
            for problem in error.problems:
                form.add_error("file", problem)
            return self.form_invalid(form)

    def save(self, form: RulesFileForm) -> None:
        text = rule_csv.read_upload(form.cleaned_data["file"])
        added, changed = rule_csv.import_rules(text, self.person)
        counts = _("{rules} added, {changed} changed").format(
            rules=counted(added, "rule"), changed=number_text(changed)
        )
        messages.success(self.request, _("{counts}. The open months are being reallocated.").format(counts=counts))

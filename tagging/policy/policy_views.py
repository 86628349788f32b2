"""The tag policy: read by everybody, edited by finance, with a preview of each change."""

import json
from datetime import date
from functools import cached_property
from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import redirect
from django.urls import reverse_lazy
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.generic import View

from finops_site.lib.periods import day_text
from finops_site.translation import gettext_lazy as _lazy
from finops_site.ui.downloads import JSON, download
from finops_site.ui.pages import Action, Empty, FormPage, ListPage, Page
from tagging.models import TagRequirement
from tagging.policy import compliance_figures, policy_changes
from tagging.policy.forms import RequirementForm
from tagging.policy.tables import RequirementTable

EDIT = "tagging.change_tagrequirement"


class PolicyPage(ListPage):
    exports = ("csv", "xlsx", "json")
    permission_required = "tagging.view_tagrequirement"
    model = TagRequirement
    title = _lazy("Tag policy")
    subtitle = _lazy("The tags every resource should carry. The rules that hold on its last day decide about a month.")
    table_class = RequirementTable
    breadcrumbs = ((_lazy("Tag compliance"), "tagging:overview"),)
    template_name = "tagging/policy.html"
    actions = (
        Action(_lazy("Prevention"), "tagging:prevention", "shield-check"),
        Action(_lazy("Add a tag"), "tagging:requirement_add", "plus", "tagging.add_tagrequirement", primary=True),
    )
    empty = Empty(
        _lazy("No tag is required"),
        _lazy("Without a policy every resource complies. Start with Owner and Environment."),
        "tags",
        Action(_lazy("Add a tag"), "tagging:requirement_add", "plus", "tagging.add_tagrequirement"),
    )

    def get(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        if request.GET.get("_export") == "json":
            return self.as_json()
        return super().get(request, *args, **kwargs)

    def as_json(self) -> HttpResponseBase:
        """The whole policy for programs, as it is stored."""
        names = [field.name for field in TagRequirement._meta.fields if field.name != "id"]
        rows = list(self.get_queryset().order_by("order", "pk").values(*names))
        text = json.dumps(rows, indent=2, ensure_ascii=False, default=date.isoformat)
        return download(text, "tag-policy", "json", JSON)


class RequirementPage(FormPage):
    """Adds a rule, or changes one; `preview` shows what compliance would become and saves nothing."""

    permission_required = EDIT
    model = TagRequirement
    form_class = RequirementForm
    template_name = "tagging/requirement.html"
    breadcrumbs = ((_lazy("Tag compliance"), "tagging:overview"), (_lazy("Tag policy"), "tagging:policy"))
    cancel_url_name = "tagging:policy"
    success_url = reverse_lazy("tagging:policy")

    def get_title(self) -> str:
        return _("Tag {object}").format(object=self.object) if self.object else _("Add a tag")

    def get_form_kwargs(self) -> dict[str, Any]:
        today = timezone.now().date()
        return {"instance": None, **super().get_form_kwargs(), "user": self.person, "today": today}

    def form_valid(self, form: RequirementForm) -> HttpResponse:
        if "preview" in self.request.POST:
            return self.render_to_response(self.get_context_data(form=form, preview=self._preview(form)))
        return super().form_valid(form)

    def _preview(self, form: RequirementForm) -> policy_changes.ChangePreview | None:
        month = compliance_figures.month_for("", form.today)
        if month is None:
            return None
        return policy_changes.preview_change(self.person, policy_changes.with_change(form.instance), month, form.today)

    def save(self, form: RequirementForm) -> TagRequirement:
        row = policy_changes.save_requirement(form.instance, keep_past=form.keep_past, today=form.today)
        since = _(" from {starts_on} on").format(starts_on=day_text(row.starts_on)) if row.starts_on else ""
        messages.success(
            self.request,
            _("The policy has a rule for {row}{since}. Compliance is being recomputed.").format(row=row, since=since),
        )
        return row


class RemoveRequirement(Page, View):
    """Takes a rule out of the policy."""

    permission_required = "tagging.delete_tagrequirement"
    http_method_names = ["post"]

    @cached_property
    def row(self) -> TagRequirement | None:
        return TagRequirement.objects.filter(pk=self.kwargs["pk"]).first()

    def post(self, request: HttpRequest, pk: int) -> HttpResponse:
        if self.row is None:
            messages.info(request, _("This rule is gone already."))
            return redirect("tagging:policy")
        name, keep = str(self.row), request.POST.get("past") != "change"
        policy_changes.remove_requirement(self.row, keep_past=keep, today=timezone.now().date())
        messages.success(
            request, _("The policy no longer has a rule for {name}. Compliance is being recomputed.").format(name=name)
        )
        return redirect("tagging:policy")

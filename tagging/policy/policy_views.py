"""The tag policy: read by everybody, edited by finance, with what it would do before it is saved."""

import json
from functools import cached_property
from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import redirect
from django.urls import reverse_lazy
from django.utils import timezone
from django.views.generic import View

from finops_site.ui.downloads import JSON, download
from finops_site.ui.pages import Action, Empty, FormPage, ListPage, Page
from tagging.models import TagRequirement
from tagging.policy import compliance_figures, policy_changes
from tagging.policy.forms import RequirementForm
from tagging.policy.tables import RequirementTable

EDIT = "tagging.change_tagrequirement"


class PolicyPage(ListPage):
    permission_required = "tagging.view_tagrequirement"
    model = TagRequirement
    title = "Tag policy"
    subtitle = "The tags every resource should carry. A month is judged by the rules that hold on its last day."
    table_class = RequirementTable
    breadcrumbs = (("Tag compliance", "tagging:overview"),)
    template_name = "tagging/policy.html"
    actions = (
        Action("Prevention", "tagging:prevention", "shield-check"),
        Action("Add a tag", "tagging:requirement_add", "plus", "tagging.add_tagrequirement", primary=True),
    )
    empty = Empty(
        "No tag is asked for",
        "Without a policy every resource complies. Start with Owner and Environment.",
        "tags",
        Action("Add a tag", "tagging:requirement_add", "plus", "tagging.add_tagrequirement"),
    )

    def get(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        if request.GET.get("_export") == "json":
            return self.as_json()
        return super().get(request, *args, **kwargs)

    def as_json(self) -> HttpResponseBase:
        """The whole policy for programs, as it is stored."""
        told = [row_as_json(row) for row in self.get_queryset().order_by("order", "pk")]
        return download(json.dumps(told, indent=2, ensure_ascii=False), "tag-policy", "json", JSON)


def row_as_json(row: TagRequirement) -> dict[str, Any]:
    names = [field.name for field in TagRequirement._meta.fields if field.name != "id"]
    told = {name: getattr(row, name) for name in names}
    return told | {name: told[name].isoformat() for name in ("starts_on", "ends_on") if told[name]}


class RequirementPage(FormPage):
    """Adds a rule, or changes one; `preview` shows what would become of compliance and saves nothing."""

    permission_required = EDIT
    model = TagRequirement
    form_class = RequirementForm
    template_name = "tagging/requirement.html"
    breadcrumbs = (("Tag compliance", "tagging:overview"), ("Tag policy", "tagging:policy"))
    cancel_url_name = "tagging:policy"
    success_url = reverse_lazy("tagging:policy")

    def get_title(self) -> str:
        return f"Tag {self.object}" if self.object else "Add a tag"

    def get_form_kwargs(self) -> dict[str, Any]:
        today = timezone.now().date()
        return {"instance": None, **super().get_form_kwargs(), "user": self.request.user, "today": today}

    def form_valid(self, form: RequirementForm) -> HttpResponse:
        if "preview" in self.request.POST:
            return self.render_to_response(self.get_context_data(form=form, preview=self._preview(form)))
        return super().form_valid(form)

    def _preview(self, form: RequirementForm) -> policy_changes.Preview | None:
        month = compliance_figures.month_for("", form.today)
        if month is None:
            return None
        return policy_changes.preview(self.request.user, policy_changes.with_change(form.instance), month, form.today)

    def save(self, form: RequirementForm) -> TagRequirement:
        row = policy_changes.save(form.instance, keep_past=form.keep_past, today=form.today)
        since = f" from {row.starts_on} on" if row.starts_on else ""
        messages.success(self.request, f"The policy asks for {row}{since}. Compliance is being worked out anew.")
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
            messages.info(request, "This rule is gone already.")
            return redirect("tagging:policy")
        name, keep = str(self.row), request.POST.get("past") != "change"
        policy_changes.remove(self.row, keep_past=keep, today=timezone.now().date())
        messages.success(request, f"The policy no longer asks for {name}. Compliance is being worked out anew.")
        return redirect("tagging:policy")

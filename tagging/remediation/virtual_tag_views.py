"""Pages of virtual tags: the list, a tag set by hand, and a claim."""

from functools import cached_property
from typing import Any

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import redirect
from django.utils import timezone
from django.utils.translation import gettext as _

from finops_site.translation import gettext_lazy as _lazy
from finops_site.ui.list_actions import row_id
from finops_site.ui.pages import Action, Empty, FormPage
from tagging.models import TaggedResource, VirtualTag, VirtualTagBatch
from tagging.models.remediation import VirtualTagQuerySet
from tagging.remediation import claims, virtual_tags
from tagging.remediation.change_sets import create_change_set
from tagging.remediation.filters import VirtualTagFilter
from tagging.remediation.forms import ClaimForm, TagForm
from tagging.remediation.list_actions import SET, ActionListPage
from tagging.remediation.tables import VirtualTagTable
from tagging.remediation.virtual_tags import RemediationError

CONFIRM = "tagging.confirm_virtualtag"
CRUMBS = ((_lazy("Tag compliance"), "tagging:overview"), (_lazy("Virtual tags"), "tagging:virtual_tags"))


class VirtualTagsPage(ActionListPage):
    permission_required = "tagging.view_virtualtag"
    model = VirtualTag
    title = _lazy("Virtual tags")
    subtitle = _lazy(
        "Tags we set for our own figures. The provider does not know them until a change set puts them there."
    )
    table_class = VirtualTagTable
    filterset_class = VirtualTagFilter
    orderings = ("-made_at",)
    template_name = "tagging/virtual_tags.html"
    fragment_template_name = "tagging/virtual_tags_list.html"
    breadcrumbs = CRUMBS[:1]
    actions = (Action(_lazy("This is ours"), "tagging:claim", "flag", SET),)
    empty = Empty(
        _lazy("No virtual tags"),
        _lazy("Accept a suggestion, or set a tag by hand on a resource's page."),
        "sparkles",
        Action(_lazy("Suggestions"), "tagging:suggestions", "bulb", primary=True),
    )

    def get_queryset(self) -> VirtualTagQuerySet:
        return VirtualTag.objects.visible_to(self.person).select_related("team", "made_by", "batch")

    def act_on_rows(self, request: HttpRequest) -> None:
        user, now, data = self.person, timezone.now(), request.POST
        if "end" in data:
            self.require(SET)
            tag = virtual_tags.end_virtual_tag(self._visible(data["end"]).pk, now.date(), user=user, now=now)
            self._report(_("{tag} has ended.").format(tag=tag))
        elif "confirm" in data or "decline" in data:
            self.require(CONFIRM)
            pk = self._visible(data.get("confirm") or data["decline"]).pk
            tag = claims.answer_claim(pk, confirm="confirm" in data, user=user, now=now)
            self._report(_("{tag} is {state}.").format(tag=tag, state=tag.get_state_display()))
        elif data.get("verb") in ("change_set", "change_set_all"):
            self.require("tagging.add_changeset")
            self._create_change_set(data.get("title", ""), every=data["verb"] == "change_set_all")

    def _visible(self, text: str) -> VirtualTag:
        tag = VirtualTag.objects.visible_to(self.person).filter(pk=row_id(text)).first()
        if tag is None:
            raise Http404
        return tag

    def _report(self, text: str) -> None:
        messages.success(self.request, _("{text} The figures follow in a moment.").format(text=text))

    def _create_change_set(self, title: str, *, every: bool) -> None:
        """Of those ticked, or of every one that the filters leave."""
        visible = VirtualTag.objects.visible_to(self.person)
        tags = visible.filter(pk__in=self.rows.order_by().values("pk") if every else self.picked_ids())
        change_set = create_change_set(tags, title=title, user=self.person, now=timezone.now())
        messages.success(
            self.request,
            _("Change set made: {change_set}. Look at it under Change sets, and send it for approval.").format(
                change_set=change_set
            ),
        )

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        context = {
            "batches": VirtualTagBatch.objects.visible_to(self.person).select_related("made_by", "undone_by")[:8],
            "may_set": self.person.has_perm(SET),
            "may_change": self.person.has_perm("tagging.add_changeset"),
        }
        return super().get_context_data(**{**context, **kwargs})


class TagByHand(FormPage):
    parameters = ("key",)
    permission_required = SET
    form_class = TagForm
    title = _lazy("Set a virtual tag")
    breadcrumbs = CRUMBS
    submit_label = _lazy("Set it")

    @cached_property
    def row(self) -> TaggedResource:
        visible = TaggedResource.objects.visible_to(self.person).filter(key=self.kwargs["key"])
        row = visible.order_by("-charge_month", "-last_day").first()
        if row is None:
            raise Http404
        return row

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        if request.user.is_authenticated:
            _ignored = self.row
        return super().dispatch(request, *args, **kwargs)

    def get_subtitle(self) -> str:
        return _("{row}, for our own figures").format(row=self.row)

    def get_initial(self) -> dict[str, Any]:
        return {"start": self.row.charge_month, "key": self.request.GET.get("key", "")}

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        return super().get_context_data(**{"cancel_url": self.row.get_absolute_url(), **kwargs})

    def form_valid(self, form: TagForm) -> HttpResponse:
        try:
            tag = virtual_tags.set_virtual_tag(self.row, **form.cleaned_data, user=self.person, now=timezone.now())
        except RemediationError as problem:
            form.add_error(None, str(problem))
            return self.form_invalid(form)
        messages.success(self.request, _("{tag} is set. The figures follow in a moment.").format(tag=tag))
        return redirect(self.row.get_absolute_url())


class ClaimPage(FormPage):
    """A lead claims an unowned resource for her team; finance confirms."""

    permission_required = SET
    form_class = ClaimForm
    title = _lazy("This is ours")
    subtitle = _lazy("An unowned resource becomes your team's when finance confirms.")
    breadcrumbs = CRUMBS
    submit_label = _lazy("Ask finance")
    cancel_url_name = "tagging:virtual_tags"

    def get_form_kwargs(self) -> dict[str, Any]:
        return {**super().get_form_kwargs(), "user": self.person}

    def form_valid(self, form: ClaimForm) -> HttpResponse:
        data = form.cleaned_data
        try:
            tag = claims.claim_resource(data["resource"], data["team"], user=self.person, now=timezone.now())
        except RemediationError as problem:
            form.add_error("resource", str(problem))
            return self.form_invalid(form)
        messages.success(self.request, _("Finance is asked about {tag}.").format(tag=tag))
        return redirect("tagging:virtual_tags")

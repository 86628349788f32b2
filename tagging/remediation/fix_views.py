"""Pages of fixing: suggestions, virtual tags, a tag set by hand, what a team claims."""

from decimal import Decimal, InvalidOperation
from functools import cached_property
from typing import Any

from django import forms
from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import redirect
from django.urls import reverse
from django.utils import timezone

from finops_site.lib.person import Person
from finops_site.models import Team
from finops_site.ui.pages import Action, Empty, FormPage, ListPage
from tagging import queues
from tagging.models import Suggestion, TaggedResource, VirtualTag, VirtualTagBatch
from tagging.models.remediation import tag_problem
from tagging.remediation import change_sets, tag_fixes
from tagging.remediation.filters import SURE, SuggestionFilter, VirtualTagFilter
from tagging.remediation.tables import SuggestionTable, VirtualTagTable
from tagging.remediation.tag_fixes import RemediationError

DECIDE, SET, CONFIRM = "tagging.decide_suggestion", "tagging.add_virtualtag", "tagging.confirm_virtualtag"
COMPLIANCE = (("Tag compliance", "tagging:overview"),)
MOST_PICKED = 5000
RECENT = 8


def picked(request: HttpRequest) -> list[int]:
    """The numbers of the rows that are ticked."""
    return [int(each) for each in request.POST.getlist("pick")[:MOST_PICKED] if each.isdecimal() and len(each) < 19]


def number(text: str) -> int:
    """A row's number out of a button; raises Http404 for anything else."""
    if not text.isdecimal() or len(text) > 18:
        raise Http404
    return int(text)


class PostingList(ListPage):
    """A list whose rows are acted on: a POST does it, then the same list is shown again with what came of it."""

    def post(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        try:
            self.act(request)
        except RemediationError as problem:
            messages.error(request, str(problem))
        if request.htmx:
            # The rows were read before they changed.
            for name in ("rows", "filterset"):
                self.__dict__.pop(name, None)
            return self.get(request, *args, **kwargs)
        return redirect(request.get_full_path())

    def act(self, request: HttpRequest) -> None:
        raise NotImplementedError

    def need(self, permission: str) -> None:
        if not self.request.user.has_perm(permission):
            raise PermissionDenied


class SuggestionsPage(PostingList):
    permission_required = "tagging.view_suggestion"
    model = Suggestion
    title = "Suggestions"
    subtitle = "What missing tags should say, with the evidence. Accepted ones count at once in our numbers."
    table_class = SuggestionTable
    filterset_class = SuggestionFilter
    template_name = "tagging/suggestions.html"
    fragment_template_name = "tagging/suggestions_list.html"
    breadcrumbs = COMPLIANCE
    actions = (Action("Virtual tags", "tagging:virtual_tags", "sparkles"),)
    empty = Empty(
        "No suggestions",
        "Every tag is right, or nothing that is named, placed or owned alike carries the tags that are missing.",
        "circle-check",
        Action("Resources to fix", "tagging:resources", "clipboard-check"),
    )

    def get_queryset(self) -> Any:
        return super().get_queryset().select_related("team")

    def act(self, request: HttpRequest) -> None:
        self.need(DECIDE)
        mine = Suggestion.objects.visible_to(request.user)
        if one := request.POST.get("accept"):
            self._accept(mine.filter(pk=number(one)))
        elif one := request.POST.get("refuse"):
            self._refuse(mine.filter(pk=number(one)))
        elif request.POST.get("verb") == "accept":
            self._accept(mine.filter(pk__in=picked(request)))
        elif request.POST.get("verb") == "refuse":
            self._refuse(mine.filter(pk__in=picked(request)))
        elif request.POST.get("verb") == "accept_all":
            self._accept(mine.filter(pk__in=self.rows.at_least(self._least()).values("pk")))

    def _least(self) -> Decimal:
        try:
            least = Decimal(self.request.POST.get("least", ""))
        except InvalidOperation:
            raise RemediationError("Choose from which confidence on.") from None
        if not (least.is_finite() and 0 <= least <= 1):
            raise RemediationError("A confidence lies between 0 and 1.")
        return least

    def _accept(self, rows: Any) -> None:
        gain = tag_fixes.potential_gain(rows)
        done = tag_fixes.accept_suggestions(rows, user=self.request.user, now=timezone.now())
        if done.batch is None:
            messages.warning(self.request, "Nothing is left to accept here: somebody was faster, or nothing is ticked.")
            return
        transaction.on_commit(lambda: queues.apply_tags(done.batch))
        words = f"{done.set} virtual tags set; {gain.compliant} resources comply with them."
        if closed := tag_fixes.closed_months_touched(done.batch.tags.all()):
            words += f" Closed months stay as they are: {', '.join(map(str, closed))}."
        messages.success(self.request, f"{words} The numbers follow in a moment.")

    def _refuse(self, rows: Any) -> None:
        count = tag_fixes.refuse_suggestions(rows, user=self.request.user, now=timezone.now())
        if count:
            messages.success(self.request, f"{count} refused: they will not be suggested for these resources again.")
        else:
            messages.warning(self.request, "Nothing is left to refuse here: somebody was faster, or nothing is ticked.")

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        steps = [
            {"least": least, "words": words, "gain": tag_fixes.potential_gain(self.rows.at_least(Decimal(least)))}
            for least, words in SURE
        ]
        extra = {
            "groups": tag_fixes.by_evidence(self.rows),
            "gain": tag_fixes.potential_gain(self.rows),
            "steps": [step for step in steps if step["gain"].suggestions],
            "may_decide": self.request.user.has_perm(DECIDE),
            "kinds": dict(Suggestion.Kind.choices),
        }
        return super().get_context_data(**{**extra, **kwargs})


class VirtualTagsPage(PostingList):
    permission_required = "tagging.view_virtualtag"
    model = VirtualTag
    title = "Virtual tags"
    subtitle = "Tags we set for our own numbers. The provider does not know them until a change set puts them there."
    table_class = VirtualTagTable
    filterset_class = VirtualTagFilter
    orderings = ("-made_at",)
    template_name = "tagging/virtual_tags.html"
    fragment_template_name = "tagging/virtual_tags_list.html"
    breadcrumbs = COMPLIANCE
    actions = (
        Action("This is ours", "tagging:claim", "flag", SET),
        Action("Suggestions", "tagging:suggestions", "bulb"),
        Action("Change sets", "tagging:change_sets", "cloud-upload"),
    )
    empty = Empty(
        "No virtual tags",
        "Accept a suggestion, or set a tag by hand on a resource's page.",
        "sparkles",
        Action("Suggestions", "tagging:suggestions", "bulb", primary=True),
    )

    def get_queryset(self) -> Any:
        return super().get_queryset().select_related("team", "made_by", "batch")

    def act(self, request: HttpRequest) -> None:
        user, now = request.user, timezone.now()
        said = request.POST
        if "end" in said:
            self.need(SET)
            tag = tag_fixes.end_virtual_tag(self._mine(said["end"]).pk, now.date(), user=user, now=now)
            self._again(tag.batch, f"{tag} has ended.")
        elif "confirm" in said or "decline" in said:
            self.need(CONFIRM)
            confirm = "confirm" in said
            tag = tag_fixes.answer_claim(
                self._mine(said.get("confirm") or said["decline"]).pk, confirm=confirm, user=user, now=now
            )
            self._again(tag.batch, f"{tag} is {tag.get_state_display()}.")
        elif "undo" in said:
            self.need(SET)
            self._undo(said["undo"])
        elif said.get("verb") in ("change_set", "change_set_all"):
            self.need("tagging.add_changeset")
            self._to_source(said.get("title", ""), every=said["verb"] == "change_set_all")

    def _mine(self, text: str) -> VirtualTag:
        found = VirtualTag.objects.visible_to(self.request.user).filter(pk=number(text)).first()
        if found is None:
            raise Http404
        return found

    def _undo(self, text: str) -> None:
        batch = next((each for each in self.batches(None) if each.pk == number(text)), None)
        if batch is None:
            raise Http404
        count = tag_fixes.undo_batch(batch.pk, user=self.request.user, now=timezone.now())
        self._again(batch, f"{count} virtual tags taken back.")

    def _again(self, batch: VirtualTagBatch, words: str) -> None:
        VirtualTagBatch.objects.filter(pk=batch.pk).update(applied_at=None)
        transaction.on_commit(lambda: queues.apply_tags(batch))
        messages.success(self.request, f"{words} The numbers follow in a moment.")

    def _to_source(self, title: str, *, every: bool) -> None:
        """Of those ticked, or of every one that the filters leave."""
        mine = VirtualTag.objects.visible_to(self.request.user)
        tags = mine.filter(pk__in=self.rows.order_by().values("pk") if every else picked(self.request))
        made = change_sets.create_change_set(tags, title=title, user=self.request.user, now=timezone.now())
        messages.success(
            self.request, f"Change set made: {made}. Look at it under Change sets, and send it for approval."
        )

    def batches(self, limit: int | None = RECENT) -> Any:
        """The batches whose every tag the person may see: those she may take back."""
        found = VirtualTagBatch.objects.select_related("made_by", "undone_by")
        user = self.request.user
        if not user.sees_whole_company:
            others = VirtualTag.objects.exclude(pk__in=VirtualTag.objects.visible_to(user).values("pk"))
            found = found.exclude(pk__in=others.values("batch"))
        return found if limit is None else found[:limit]

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        extra = {
            "batches": self.batches(),
            "may_set": self.request.user.has_perm(SET),
            "may_change": self.request.user.has_perm("tagging.add_changeset"),
        }
        return super().get_context_data(**{**extra, **kwargs})


class TagForm(forms.Form):
    key = forms.CharField(max_length=1000, widget=forms.TextInput({"list": "tag-keys", "autocomplete": "off"}))
    value = forms.CharField(max_length=2000)
    start = forms.DateField(label="From", widget=forms.DateInput({"type": "date"}), help_text="The first charge day.")
    end = forms.DateField(
        label="Until",
        required=False,
        widget=forms.DateInput({"type": "date"}),
        help_text="The first charge day it no longer holds; empty: for good.",
    )

    def clean(self) -> dict[str, Any]:
        said = super().clean() or {}
        for where, words in tag_problem(said.get("key", "x"), said.get("value", "x")).items():
            self.add_error(where, words)
        if said.get("start") and said.get("end") and said["end"] <= said["start"]:
            self.add_error("end", "It must hold for a day at least: until is after from.")
        return said


class TagByHand(FormPage):
    permission_required = SET
    form_class = TagForm
    title = "Set a virtual tag"
    breadcrumbs = (*COMPLIANCE, ("Virtual tags", "tagging:virtual_tags"))
    submit_label = "Set it"

    @cached_property
    def row(self) -> TaggedResource:
        mine = TaggedResource.objects.visible_to(self.request.user).filter(key=self.kwargs["key"])
        row = mine.order_by("-charge_month", "-last_day").first()
        if row is None:
            raise Http404
        return row

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        if request.user.is_authenticated:
            _ = self.row
        return super().dispatch(request, *args, **kwargs)

    def get_subtitle(self) -> str:
        return f"{self.row}, for our own numbers"

    def get_initial(self) -> dict[str, Any]:
        return {"start": self.row.charge_month, "key": self.request.GET.get("key", "")}

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        return super().get_context_data(**{"cancel_url": self.row.get_absolute_url(), **kwargs})

    def form_valid(self, form: TagForm) -> HttpResponse:
        try:
            tag = tag_fixes.set_virtual_tag(self.row, **form.cleaned_data, user=self.request.user, now=timezone.now())
        except RemediationError as problem:
            form.add_error(None, str(problem))
            return self.form_invalid(form)
        transaction.on_commit(lambda: queues.apply_tags(tag.batch))
        messages.success(self.request, f"{tag} is set. The numbers follow in a moment.")
        return redirect(self.row.get_absolute_url())


class ClaimForm(forms.Form):
    resource = forms.CharField(max_length=2000, help_text="Its id or its name, exactly as the bill has it.")
    team = forms.ModelChoiceField(Team.objects.none(), empty_label=None)

    def __init__(self, *args: Any, user: Person, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["team"].queryset = Team.objects.visible_to(user)


class ClaimPage(FormPage):
    """A team says that a resource nobody owns is its own; finance confirms."""

    permission_required = SET
    form_class = ClaimForm
    title = "This is ours"
    subtitle = "A resource that nobody owns becomes your team's when finance confirms."
    breadcrumbs = (*COMPLIANCE, ("Virtual tags", "tagging:virtual_tags"))
    submit_label = "Ask finance"
    cancel_url_name = "tagging:virtual_tags"

    def get_form_kwargs(self) -> dict[str, Any]:
        return {**super().get_form_kwargs(), "user": self.request.user}

    def form_valid(self, form: ClaimForm) -> HttpResponse:
        said = form.cleaned_data
        try:
            tag = tag_fixes.claim_resource(said["resource"], said["team"], user=self.request.user, now=timezone.now())
        except RemediationError as problem:
            form.add_error("resource", str(problem))
            return self.form_invalid(form)
        messages.success(self.request, f"Finance is asked about {tag}.")
        return redirect(reverse("tagging:virtual_tags"))

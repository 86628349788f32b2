"""Pages of change sets: what is to be tagged at the provider, who approved it, and the result of each tag."""

from typing import Any

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.db.models import Count
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import redirect
from django.urls import reverse
from django.utils import timezone
from django.utils.text import slugify
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from costs.change_set_reviews import CannotChange
from finops_site.translation import gettext_lazy as _lazy
from finops_site.ui.downloads import csv_download, download
from finops_site.ui.pages import Action, DetailPage, Empty, FollowedPage, ListPage
from tagging.calc import tag_scripts
from tagging.models import ChangeSet
from tagging.models.remediation import ChangeSetQuerySet
from tagging.remediation import change_sets, provider_tagging
from tagging.remediation.tables import CHANGE_SET_STATES, ChangeSetTable, TagChangeTable

State = ChangeSet.State
CRUMBS = ((_lazy("Tag compliance"), "tagging:overview"),)
PERMISSIONS = {
    "submit": "tagging.add_changeset",
    "approve": "tagging.approve_changeset",
    "reject": "tagging.approve_changeset",
    "dry_run": "tagging.apply_changeset",
    "apply": "tagging.apply_changeset",
}


class ChangeSetsPage(ListPage):
    permission_required = "tagging.view_changeset"
    model = ChangeSet
    title = _lazy("Change sets")
    subtitle = _lazy("Tags to be set at the provider itself: made by one person, approved by another.")
    table_class = ChangeSetTable
    breadcrumbs = CRUMBS
    empty = Empty(
        _lazy("No change sets"),
        _lazy(
            "Tick virtual tags and put them into a change set: it becomes a script, Terraform or a CSV, or is applied."
        ),
        "cloud-upload",
        Action(_lazy("Virtual tags"), "tagging:virtual_tags", "sparkles"),
    )

    def get_queryset(self) -> ChangeSetQuerySet:
        return super().get_queryset().select_related("made_by", "reviewed_by").annotate(n=Count("changes"))


class ChangeSetPage(FollowedPage):
    permission_required = "tagging.view_changeset"
    model = ChangeSet
    template_name = "tagging/change_set.html"
    breadcrumbs = (*CRUMBS, (_lazy("Change sets"), "tagging:change_sets"))

    def progress(self) -> dict[str, Any] | None:
        if self.object.state != State.APPLYING:
            return None
        counts = change_sets.count_results(self.object)
        total = sum(counts.values()) - counts.get("unable", 0)
        done = counts.get("ok", 0) + counts.get("same", 0) + counts.get("failed", 0)
        return {
            "url": f"{self.object.get_absolute_url()}?progress=1",
            "percent": 100 * done // total if total else None,
            "label": _("Being applied"),
            "detail": ngettext("{done} of {total} tag", "{done} of {total} tags", total).format(done=done, total=total),
        }

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        if self.asks_progress:
            return super().get_context_data(**kwargs)
        row, user = self.object, self.person
        table = TagChangeTable(row.changes.select_related("team"), request=None)
        table.request = self.request
        context = {
            "table": table,
            "state": CHANGE_SET_STATES[row.state],
            "tally": change_sets.count_results(row),
            "may": {verb: user.has_perm(name) for verb, name in PERMISSIONS.items()},
            "own": row.made_by_id == user.pk,
            "may_be_sent": row.state in (State.DRAFT, State.REJECTED),
            "may_be_applied": row.state in (State.APPROVED, State.PARTLY),
        }
        return super().get_context_data(**{**context, **kwargs})

    def post(self, request: HttpRequest, pk: int) -> HttpResponse:
        self.object = row = self.get_object()
        verb = request.POST.get("verb", "")
        if verb not in PERMISSIONS:
            raise Http404
        if not request.user.has_perm(PERMISSIONS[verb]):
            raise PermissionDenied
        try:
            messages.success(request, self._do(row, verb))
        except CannotChange as problem:
            messages.error(request, str(problem))
        return redirect(row)

    def _do(self, row: ChangeSet, verb: str) -> str:
        user, now = self.person, timezone.now()
        if verb == "submit":
            change_sets.submit(row.pk)
            return _("It waits for somebody else's approval.")
        if verb in ("approve", "reject"):
            comment = self.request.POST.get("review", "")
            row = change_sets.review(row.pk, approve=verb == "approve", comment=comment, user=user, now=now)
            return _("It is {state}.").format(state=row.get_state_display())
        if verb == "dry_run":
            return provider_tagging.dry_run_change_set(row, now)
        change_sets.start_applying(row.pk, user=user, now=now)
        return _("It is being applied; each tag's result appears below.")


class ChangeSetFile(DetailPage):
    """The change set as a script, as Terraform or as a CSV, once somebody else has approved it."""

    permission_required = "tagging.view_changeset"
    model = ChangeSet

    def get(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        row = self.get_object()
        kind = self.kwargs["kind"]
        if kind == "csv":
            return csv_download(tag_scripts.edits_as_csv(change_sets.as_edits(row)), str(row), for_excel=False)
        if row.state in (State.DRAFT, State.REVIEW, State.REJECTED):
            messages.error(request, _("Somebody else has to approve it before it leaves as a script."))
            return redirect(reverse("tagging:change_set", args=[row.pk]))
        media, write = change_sets.FILES[kind]
        text = write(change_sets.as_edits(row), row.title)
        return download(text, slugify(row.title) or "tags", kind, f"{media}; charset=utf-8")

"""Pages of change sets of findings: what is to be done at the provider, who approved it, and what became of it."""

from typing import Any

import django_tables2
from django.contrib import messages
from django.db.models import Count
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils import timezone
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.generic import View
from django_htmx.http import HttpResponseClientRedirect

from costs.change_set_reviews import CannotChange
from finops_site.lib.words import number_text
from finops_site.translation import gettext_lazy as _lazy
from finops_site.ui.bulk_results import BulkRefused
from finops_site.ui.list_actions import row_id
from finops_site.ui.pages import Action, Empty, FollowedPage, ListPage, Page
from finops_site.ui.tables import BaseTable, MomentColumn, NumberColumn, status_html
from usage.changes import fix_runs, fix_sets
from usage.changes.fix_sets import ADD, APPLY, APPROVE
from usage.changes.verbs import DRY_RUN, VERB_RIGHTS, act
from usage.models import FixSet, FixStep
from usage.models.changes import FixSetQuerySet

State, Result = FixSet.State, FixStep.Result
SEE = "usage.view_fixset"
CRUMBS = ((_lazy("Findings"), "usage:findings"),)
STATES = {
    State.DRAFT: ("calm", "pencil"),
    State.REVIEW: ("busy", "hourglass"),
    State.APPROVED: ("good", "check"),
    State.REJECTED: ("warn", "arrow-back-up"),
    State.APPLYING: ("busy", "loader-2"),
    State.APPLIED: ("good", "checks"),
    State.PARTLY: ("warn", "alert-triangle"),
    State.UNDOING: ("busy", "loader-2"),
    State.UNDONE: ("calm", "arrow-back-up"),
}
RESULTS = {
    Result.WAITING: ("calm", "circle-dashed"),
    Result.READY: ("busy", "circle-dashed"),
    Result.SAME: ("good", "equal"),
    Result.GONE: ("calm", "archive"),
    Result.CHANGED: ("warn", "alert-triangle"),
    Result.RUNNING: ("busy", "loader-2"),
    Result.DONE: ("good", "circle-check"),
    Result.FAILED: ("bad", "x"),
    Result.UNKNOWN: ("warn", "alert-triangle"),
    Result.UNDOING: ("busy", "loader-2"),
    Result.UNDONE: ("calm", "arrow-back-up"),
    Result.NOT_UNDONE: ("warn", "alert-triangle"),
}


class FixSetTable(BaseTable):
    title = django_tables2.Column(_lazy("Change set"), linkify=True)
    state = django_tables2.Column(_lazy("State"))
    n = NumberColumn(verbose_name=_lazy("Findings"))
    made_by = django_tables2.Column(_lazy("Made by"))
    reviewed_by = django_tables2.Column(_lazy("Reviewed by"))
    made_at = MomentColumn(verbose_name=_lazy("Made"))

    class Meta(BaseTable.Meta):
        model = FixSet
        fields = ("title", "state", "n", "made_by", "reviewed_by", "made_at")
        caption = _lazy("Change sets")

    def render_state(self, record: FixSet) -> SafeString:
        return status_html(record.get_state_display(), *STATES[State(record.state)])

    def value_state(self, record: FixSet) -> str:
        return str(record.state)


class ChangeSetsPage(ListPage):
    permission_required = SEE
    title = _lazy("Change sets")
    subtitle = _lazy("Findings to be mended at the provider itself: put together by one person, approved by another.")
    model = FixSet
    table_class = FixSetTable
    breadcrumbs = CRUMBS
    can_be_saved = False
    export_name = "usage-change-sets"
    empty = Empty(
        _lazy("No change sets"),
        _lazy("Tick findings and have them mended by a role: nothing is done before somebody else approves."),
        "cloud-upload",
        Action(_lazy("Findings"), "usage:findings", "list-details"),
    )

    def get_queryset(self) -> FixSetQuerySet:
        return super().get_queryset().select_related("made_by", "reviewed_by").annotate(n=Count("steps"))


class AddChangeSet(Page, View):
    """Makes a draft of the findings that are ticked, or of one."""

    permission_required = ADD
    http_method_names = ["post"]

    def post(self, request: HttpRequest) -> HttpResponse:
        picked = [row_id(text) for text in request.POST.getlist("pick")]
        try:
            fix_set, result = fix_sets.create(picked, user=self.person, now=timezone.now())
        except BulkRefused as problem:
            messages.error(request, str(problem))
            return self._go(request, reverse("usage:findings"))
        words = ngettext("{count} finding is in it.", "{count} findings are in it.", result.count)
        messages.success(request, words.format(count=number_text(result.count)))
        for row in result.left_out:
            messages.warning(request, _("Left out: {name}, {reason}.").format(name=row.name, reason=row.reason))
        return self._go(request, fix_set.get_absolute_url())

    def _go(self, request: HttpRequest, url: str) -> HttpResponse:
        """To another page, from a page or from the bar above a list, which htmx sends."""
        return HttpResponseClientRedirect(url) if request.htmx else redirect(url)  # type: ignore[attr-defined]


class ChangeSetPage(FollowedPage):
    permission_required = SEE
    model = FixSet
    template_name = "usage/change_set.html"
    breadcrumbs = (*CRUMBS, (_lazy("Change sets"), "usage:change_sets"))

    def get_queryset(self) -> FixSetQuerySet:
        return FixSet.objects.visible_to(self.person).select_related("made_by", "reviewed_by", "applied_by")

    def progress(self) -> dict[str, Any] | None:
        row = self.object
        if row.state not in FixSet.UNDER_WAY:
            return None
        counts = fix_sets.count_results(row)
        total = sum(counts.values())
        left = sum(counts.get(result, 0) for result in (Result.READY, Result.RUNNING, Result.UNDOING))
        return {
            "url": f"{row.get_absolute_url()}?progress=1",
            "percent": 100 * (total - left) // total if total and row.state == State.APPLYING else None,
            "label": row.get_state_display(),
            "detail": fix_runs.summary(row),
        }

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        if self.asks_progress:
            return super().get_context_data(**kwargs)
        row, user = self.object, self.person
        steps = list(row.steps.select_related("finding", "finding__owner"))
        may = {name: user.has_perm(permission) for name, permission in VERB_RIGHTS.items()}
        context = {
            "badge": (row.get_state_display(), *STATES[State(row.state)]),
            "steps": [(step, (step.get_result_display(), *RESULTS[Result(step.result)])) for step in steps],
            "may": {**may, "dry_run": user.has_perm(APPLY) or user.has_perm(APPROVE)},
            "own": row.made_by_id == user.pk,
            "may_be_sent": row.state in (State.DRAFT, State.REJECTED),
            "may_be_given_up": row.state in fix_sets.TO_GIVE_UP
            and (row.made_by_id == user.pk or user.has_perm(APPROVE)),
            "may_be_looked_at": row.state not in (*FixSet.UNDER_WAY, State.UNDONE),
            "may_be_applied": row.state in (State.APPROVED, State.PARTLY)
            and any(step.result == Result.READY for step in steps),
            "may_be_undone": row.state in (State.APPLIED, State.PARTLY)
            and any(step.rules.undo and step.result in fix_sets.TO_UNDO for step in steps),
            "warnings": dict.fromkeys(_(step.rules.undo_words) for step in steps if step.rules.undo_words),
            "cannot_be_undone": sum(step.rules.undo is None for step in steps),
        }
        return super().get_context_data(**{**context, **kwargs})

    def post(self, request: HttpRequest, pk: int) -> HttpResponse:
        row = self.get_object()
        verb = request.POST.get("verb", "")
        if verb not in (*VERB_RIGHTS, DRY_RUN):
            raise Http404
        try:
            messages.success(request, act(row.pk, verb, self.person, comment=request.POST.get("review", "")))
        except CannotChange as problem:
            messages.error(request, str(problem))
        return redirect(row)

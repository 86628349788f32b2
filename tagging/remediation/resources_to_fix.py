"""The page of resources to fix, with what is done to many of them at once."""

from datetime import date
from typing import Any

from django.contrib import messages
from django.db.models import Count
from django.http import Http404, HttpRequest
from django.utils import timezone
from django.utils.translation import gettext as _

from finops_site.lib.words import counted
from finops_site.ui.bulk_results import BulkRefused, BulkResult, check_count
from tagging.models import Suggestion, TaggedResource
from tagging.policy import compliance_figures, exceptions, reminders
from tagging.policy.resource_views import ResourcesPage
from tagging.remediation import bulk_actions
from tagging.remediation.list_actions import SET, ActionListPage

# {verb: the permission that it takes}
VERBS = {
    "accept": "tagging.decide_suggestion",
    "tag": SET,
    "except": "tagging.add_tagexception",
    "ask": "tagging.decide_suggestion",
    "change_set": "tagging.add_changeset",
}


class ResourcesToFixPage(ActionListPage, ResourcesPage):
    def act_on_rows(self, request: HttpRequest) -> None:
        verb = request.POST.get("verb", "")
        if verb not in VERBS:
            raise Http404
        self.require(VERBS[verb])
        result, words = getattr(self, f"_{verb}")(self._picked())
        if result.count:
            messages.success(request, words)
        else:
            messages.warning(request, _("None of these was possible."))
        self.keep_outcome(result.batch, result.left_out)

    def _picked(self) -> list[TaggedResource]:
        """The rows that are ticked, or all that the filters leave."""
        if self.request.POST.get("all"):
            rows = self.rows.order_by()
            check_count(rows.count())
        else:
            rows = TaggedResource.objects.visible_to(self.person).filter(pk__in=self.picked_ids())
        return list(rows.select_related("owner", "verdict"))

    def _accept(self, rows: list[TaggedResource]) -> tuple[BulkResult, str]:
        result = bulk_actions.accept_for(rows, user=self.person, now=timezone.now())
        return result, _("{counted} set. The figures follow in a moment.").format(
            counted=counted(result.count, "virtual tag")
        )

    def _tag(self, rows: list[TaggedResource]) -> tuple[BulkResult, str]:
        key, value = (self.request.POST.get(name, "") for name in ("key", "value"))
        result = bulk_actions.set_tag(rows, key, value, user=self.person, now=timezone.now())
        on = counted(result.count, "resource")
        return result, _("{key}={value} is set on {on}. The figures follow in a moment.").format(
            key=key.strip(), value=value.strip(), on=on
        )

    def _except(self, rows: list[TaggedResource]) -> tuple[BulkResult, str]:
        data = self.request.POST
        try:
            day = date.fromisoformat(data.get("expires_on", ""))
        except ValueError:
            raise BulkRefused(_("Say until when they are excepted.")) from None
        tag, reason = data.get("tag", ""), data.get("reason", "")
        result = exceptions.request_exceptions(
            rows, tag=tag, reason=reason, expires_on=day, user=self.person, now=timezone.now()
        )
        return result, _("Finance is asked for {exceptions}. Until then they count.").format(
            exceptions=counted(result.count, "exception")
        )

    def _ask(self, rows: list[TaggedResource]) -> tuple[BulkResult, str]:
        result = reminders.ask_owners(rows, user=self.person, now=timezone.now())
        return result, _("The teams of {resources} are asked by mail.").format(
            resources=counted(result.count, "resource")
        )

    def _change_set(self, rows: list[TaggedResource]) -> tuple[BulkResult, str]:
        title = self.request.POST.get("title", "")
        made, result = bulk_actions.change_set_for(rows, title=title, user=self.person, now=timezone.now())
        return result, _("Change set made: {made}. Look at it under Change sets, and send it for approval.").format(
            made=made
        )

    def get_table(self) -> Any:
        table = super().get_table()
        keys = {row.record.key for row in table.paginated_rows}
        suggestions = Suggestion.objects.visible_to(self.person).filter(resource_key__in=keys).order_by()
        table.suggestions = dict(suggestions.values_list("resource_key").annotate(n=Count("pk")))
        table.may_pick = self.may_act
        if not self.may_act:
            table.columns.hide("pick")
        return table

    @property
    def may_act(self) -> bool:
        return any(self.person.has_perm(name) for name in VERBS.values())

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        may = {verb: self.person.has_perm(name) for verb, name in VERBS.items()}
        extra = {"may": may, "may_act": self.may_act, "tag_keys": list(compliance_figures.requirements())}
        return super().get_context_data(**{**extra, **kwargs})

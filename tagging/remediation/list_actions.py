"""A list page whose rows are acted on, and whose batches of virtual tags can be taken back."""

from django.contrib import messages
from django.http import Http404, HttpRequest
from django.utils import timezone
from django.utils.translation import gettext as _

from finops_site.lib.words import counted
from finops_site.ui import list_actions
from finops_site.ui.bulk_results import BulkRefused
from finops_site.ui.list_actions import row_id
from tagging.models import VirtualTagBatch
from tagging.remediation import virtual_tags
from tagging.remediation.virtual_tags import RemediationError

SET = "tagging.add_virtualtag"


class ActionListPage(list_actions.ActionListPage):
    """Its actions, and the button that undoes the last of them."""

    refusals = (RemediationError, BulkRefused)
    outcome_name = "tagging-outcome"

    def act(self, request: HttpRequest) -> None:
        if "undo" in request.POST:
            self._undo(request.POST["undo"])
        else:
            self.act_on_rows(request)

    def act_on_rows(self, request: HttpRequest) -> None:
        raise NotImplementedError

    def _undo(self, text: str) -> None:
        self.require(SET)
        batch = VirtualTagBatch.objects.visible_to(self.person).filter(pk=row_id(text)).first()
        if batch is None:
            raise Http404
        count = virtual_tags.undo_batch(batch.pk, user=self.person, now=timezone.now())
        messages.success(
            self.request,
            _("{counted} taken back. The figures follow in a moment.").format(counted=counted(count, "virtual tag")),
        )

"""Pages of how pools are split: the list, one split with its preview, removing one."""

from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.urls import reverse_lazy
from django.utils.translation import gettext as _
from django.views.generic import View

from costs.models import Pool
from finops_site.translation import gettext_lazy as _lazy
from finops_site.ui.pages import Action, Empty, FormPage, ListPage, Page
from tagging.calc.pool_splits import BadSplit
from tagging.chargeback import splits
from tagging.chargeback.web.forms import SplitForm
from tagging.chargeback.web.period_pages import BREADCRUMBS
from tagging.chargeback.web.tables import SharedCostChangeTable, SplitTable
from tagging.models import Split
from tagging.models.chargeback import SplitQuerySet

ADD = Action(_lazy("Add a split"), "tagging:split_add", "plus", "tagging.add_split", primary=True)
POOLS = Action(_lazy("Pools"), "tagging:pools", "stack-2", "costs.view_pool")


class SplitsPage(ListPage):
    permission_required = "tagging.view_split"
    model = Split
    title = _lazy("Splits of pools")
    subtitle = _lazy("Cost that several teams share, and who takes how much of it. By billing month.")
    breadcrumbs = BREADCRUMBS
    actions = (POOLS, ADD)
    table_class = SplitTable
    template_name = "tagging/splits.html"
    empty = Empty(
        _lazy("No pool is split yet"),
        _lazy(
            "An ownership rule puts cost into a pool; a split says who shares it. Until then it is charged to nobody."
        ),
        "switch-horizontal",
        ADD,
    )

    def get_queryset(self) -> SplitQuerySet:
        return Split.objects.visible_to(self.person).with_parts()

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        without = Pool.objects.exclude(pk__in=Split.objects.values("pool"))
        return super().get_context_data(without=without, **kwargs)


class SplitPage(FormPage):
    """Adding or changing a split: a look at what it would move comes before saving it."""

    permission_required = "tagging.change_split"
    form_class = SplitForm
    model = Split
    template_name = "tagging/split.html"
    breadcrumbs = (*BREADCRUMBS, (_lazy("Splits of pools"), "tagging:splits"))
    cancel_url_name = "tagging:splits"
    success_url = reverse_lazy("tagging:splits")
    success_message = _lazy("Saved: drafts are computed again; closed months stay as they are.")

    def get_title(self) -> str:
        return str(self.object) if self.object else _("Add a split")

    def form_valid(self, form: SplitForm) -> HttpResponse:
        if "preview" in self.request.POST:
            return self.render_to_response(self.get_context_data(form=form, **self._preview(form)))
        try:
            return super().form_valid(form)
        except BadSplit as error:
            form.add_error(None, str(error))
            return self.form_invalid(form)

    def save(self, form: SplitForm) -> Split:
        return splits.save_split(form.instance, form.parts)

    def _preview(self, form: SplitForm) -> dict[str, Any]:
        period = splits.preview_period(form.instance)
        if period is None:
            return {"preview": True, "no_month": True}
        try:
            changes, problems = splits.preview_split(form.instance, form.parts, period)
        except BadSplit as error:
            form.add_error(None, str(error))
            return {}
        names = ("team", "currency", "before", "after", "difference")
        rows = [{name: getattr(change, name) for name in names} for change in changes]
        table = SharedCostChangeTable(rows, request=None)
        return {"preview": True, "changes": table, "preview_problems": problems, "preview_month": period.month}


class AddSplit(SplitPage):
    permission_required = "tagging.add_split"


class RemoveSplit(Page, View):
    permission_required = "tagging.delete_split"
    http_method_names = ["post"]

    def post(self, request: HttpRequest, pk: int) -> HttpResponse:
        split = get_object_or_404(Split, pk=pk)
        try:
            splits.delete_split(split)
        except BadSplit as error:
            messages.error(request, str(error))
            return redirect("tagging:split", pk)
        messages.success(
            request,
            _("The split of {pool} is removed: without one its cost is charged to nobody.").format(pool=split.pool),
        )
        return redirect("tagging:splits")

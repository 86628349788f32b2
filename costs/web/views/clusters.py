"""Kubernetes: the cost of the machines, by what ran on them, and the files that say so."""

from functools import cached_property
from typing import Any

from django.contrib import messages
from django.urls import reverse_lazy
from django.utils import timezone
from django.utils.translation import gettext as _

from costs.clusters import shares
from costs.clusters.receive import receive_upload
from costs.formats.base import BadBill
from costs.query import latest_month
from costs.query.known_until import KnownDays, known_in
from costs.query.question import company_metric
from costs.web.filters import FilterBar
from costs.web.forms import ClusterFileForm, ClusterQuestionForm
from costs.web.tables import ClusterShareTable
from finops_site.lib.periods import Month
from finops_site.lib.words import counted
from finops_site.translation import gettext_lazy as _lazy
from finops_site.ui.filters import form_problems
from finops_site.ui.pages import Action, Empty, FormPage, ListPage
from finops_site.ui.tables import total_rows

LOAD = Action(_lazy("Load allocations"), "costs:clusters_load", "upload", "costs.add_clusterfile", primary=True)


class ClustersPage(ListPage):
    parameters = tuple(ClusterQuestionForm.base_fields)
    permission_required = "costs.view_costline"
    title = _lazy("Kubernetes")
    actions = (LOAD,)
    template_name = "costs/clusters.html"
    fragment_template_name = "costs/cluster_shares.html"
    subtitle = _lazy("The cost of machines, split among what ran on them. The other pages have it already, by machine.")
    table_class = ClusterShareTable
    empty = Empty(
        _lazy("No shares in this month"),
        _lazy(
            "A file of OpenCost or Kubecost splits the cost of the machines that it names. An AWS report "
            "with split cost allocation data does so as it is loaded."
        ),
        "box",
        LOAD,
    )

    @cached_property
    def form(self) -> ClusterQuestionForm:
        # The address was checked: what stands there is a month.
        chosen = self.request.GET.get("month")
        month = Month.parse(chosen) if chosen else latest_month.month(self.person, timezone.now().date())
        metric = self.request.GET.get("metric") or company_metric()
        names = shares.clusters(self.person, month.period, metric if metric in shares.METRICS else shares.METRICS[0])
        return ClusterQuestionForm(self.request.GET, month=month, clusters=names)

    def get_problems(self) -> list[str]:
        return [] if self.form.is_valid() else form_problems(self.form)

    @cached_property
    def month(self) -> Month:
        return self.form.question["month"]

    @cached_property
    def known(self) -> KnownDays:
        today = timezone.now().date()
        return known_in(self.person, self.month.period, today, metric=self.form.question["metric"])

    @cached_property
    def rows(self) -> list[dict[str, Any]]:
        if self.get_problems():
            return []
        chosen = self.form.question
        split_costs = shares.split(
            self.person, self.month.period, chosen["by"], metric=chosen["metric"], cluster=chosen["cluster"]
        )
        return [
            {"cluster": s.cluster, "key": s.key, "is_idle": s.is_idle, "currency": s.currency, "share": s.amount}
            for s in split_costs
        ]

    def make_table(self, data: Any, **kwargs: Any) -> Any:
        by = self.form.question["by"]
        table = super().make_table(data, **kwargs)
        table.columns["key"].column.verbose_name = shares.GROUPINGS[by][0] if by in shares.GROUPINGS else by
        return table

    def get_totals(self) -> list[dict[str, Any]]:
        chosen = self.form.question
        sums = shares.totals(self.person, self.month.period, metric=chosen["metric"], cluster=chosen["cluster"])
        return total_rows({currency: {"share": amount} for currency, amount in sums.items()})

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        missing = shares.unmatched(self.person, self.month.period, self.form.question["cluster"])
        groupings = [*shares.GROUPINGS, f"{shares.LABEL}app"]
        return super().get_context_data(
            bar=FilterBar(self.form), groupings=groupings, month=self.month.start, unmatched=missing, **kwargs
        )


class LoadAllocations(FormPage):
    permission_required = "costs.add_clusterfile"
    form_class = ClusterFileForm
    title = _lazy("Load allocations")
    breadcrumbs = ((_lazy("Kubernetes"), "costs:clusters"),)
    submit_label = _lazy("Load")
    cancel_url_name = "costs:clusters"
    success_url = reverse_lazy("costs:clusters")

    def form_valid(self, form: Any) -> Any:
        try:
            return super().form_valid(form)
        except BadBill as error:
            form.add_error("files", str(error))
            return self.form_invalid(form)

    def save(self, form: Any) -> Any:
        chosen = form.cleaned_data
        row = receive_upload(chosen["files"], cluster=chosen["cluster"], user=self.person)
        messages.success(
            self.request,
            _("{rows} of {names} loaded. {notes}")
            .format(rows=counted(row.rows, "row"), names=", ".join(row.clusters), notes=row.notes)
            .strip(),
        )
        return row

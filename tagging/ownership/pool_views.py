"""Pages of pools: the list, and one pool."""

from django.contrib import messages
from django.db.models import QuerySet
from django.urls import reverse_lazy
from django.utils.translation import gettext as _

from costs.models import Pool
from finops_site.translation import gettext_lazy as _lazy
from finops_site.ui.pages import Action, Empty, FormPage, ListPage
from tagging.ownership.forms import PoolForm
from tagging.ownership.month_pages import BREADCRUMBS
from tagging.ownership.tables import PoolTable

ADD_POOL = Action(_lazy("Add a pool"), "tagging:pool_add", "plus", "costs.add_pool", primary=True)


class PoolsPage(ListPage):
    permission_required = "costs.view_pool"
    model = Pool
    title = _lazy("Pools")
    subtitle = _lazy("Cost that several teams share. Ownership rules fill pools; chargeback splits them.")
    breadcrumbs = BREADCRUMBS
    actions = (ADD_POOL,)
    table_class = PoolTable
    empty = Empty(
        _lazy("No pool yet"), _lazy("Make one for support or tax, and a rule that fills it."), "stack-2", ADD_POOL
    )

    def get_queryset(self) -> QuerySet[Pool]:
        return super().get_queryset().prefetch_related("ownership_rules")


class PoolPage(FormPage):
    permission_required = ("costs.add_pool", "costs.change_pool")
    model = Pool
    form_class = PoolForm
    breadcrumbs = (*BREADCRUMBS, (_lazy("Pools"), "tagging:pools"))
    cancel_url_name = "tagging:pools"
    success_url = reverse_lazy("tagging:pools")

    def get_title(self) -> str:
        return Pool.objects.get(pk=self.object.pk).name if self.object else _("Add a pool")

    def save(self, form: PoolForm) -> Pool:
        pool = form.save()
        messages.success(self.request, _("{pool} is saved.").format(pool=pool))
        return pool

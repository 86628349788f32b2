"""Standing orders: the list, a new one, a change or a pause."""

from typing import Any

from django.db.models import QuerySet
from django.urls import reverse_lazy
from django.utils.translation import gettext as _

from finops_site.translation import gettext_lazy as _lazy
from finops_site.ui.pages import Action, Empty, FormPage, ListPage
from finops_site.ui.tables import BaseTable
from reservations.models import StandingOrder
from reservations.purchases.forms import StandingOrderForm
from reservations.purchases.standing_orders import save_standing_order
from reservations.purchases.tables import StandingOrderTable

CRUMBS = ((_lazy("Commitments"), "reservations:overview"), (_lazy("Purchases"), "reservations:purchases"))
ADD = Action(
    _lazy("New standing order"),
    "reservations:standing_order_add",
    "plus",
    "reservations.add_standingorder",
    primary=True,
)


class StandingOrdersPage(ListPage):
    permission_required = "reservations.view_standingorder"
    model = StandingOrder
    title = _lazy("Standing orders")
    subtitle = _lazy("Each month they request the newest plan's next batch while what is owned is well used.")
    breadcrumbs = CRUMBS
    table_class = StandingOrderTable
    actions = (ADD,)
    empty = Empty(
        _lazy("No standing order"),
        _lazy(
            "It requests the next batch of the newest recommendation each month; a request is approved as any other."
        ),
        "refresh",
        ADD,
    )

    def get_queryset(self) -> QuerySet[StandingOrder]:
        return super().get_queryset().select_related("team", "made_by")

    def make_table(self, data: QuerySet[StandingOrder], **kwargs: Any) -> BaseTable:
        edits = self.person.has_perm("reservations.change_standingorder")
        return super().make_table(data, edits=edits, **kwargs)


class StandingOrderPage(FormPage):
    permission_required = "reservations.add_standingorder"
    model = StandingOrder
    form_class = StandingOrderForm
    breadcrumbs = (*CRUMBS, (_lazy("Standing orders"), "reservations:standing_orders"))
    subtitle = _lazy("What it requests counts as requested by whoever makes it: somebody else approves that.")
    cancel_url_name = "reservations:standing_orders"
    success_url = reverse_lazy("reservations:standing_orders")
    success_message = _lazy("The standing order is saved.")

    def get_title(self) -> str:
        return _("Standing order {object}").format(object=self.object) if self.object else _("New standing order")

    def get_form_kwargs(self) -> dict[str, Any]:
        return {**super().get_form_kwargs(), "user": self.person}

    def save(self, form: StandingOrderForm) -> StandingOrder:
        return save_standing_order(form.save(commit=False), self.person)

"""Pages of groups of accounts: the list, and one group."""

from django.contrib import messages
from django.db.models import QuerySet
from django.http import HttpResponse
from django.urls import reverse_lazy
from django.utils.translation import gettext as _

from costs.account_groups import BadGroup, remove_group, save_group
from costs.models import AccountGroup
from costs.web.forms import AccountGroupForm
from costs.web.tables import AccountGroupTable
from finops_site.translation import gettext_lazy as _lazy
from finops_site.ui.pages import Action, Empty, FormPage, ListPage

ADD = Action(_lazy("Add a group"), "costs:account_group_add", "plus", "costs.add_accountgroup", primary=True)


class AccountGroupsPage(ListPage):
    permission_required = "costs.view_accountgroup"
    model = AccountGroup
    title = _lazy("Account groups")
    subtitle = _lazy(
        "Accounts that are looked at together. Group or filter cost by “Account group” wherever cost is asked."
    )
    breadcrumbs = ((_lazy("Cost explorer"), "costs:explorer"),)
    actions = (ADD,)
    table_class = AccountGroupTable
    empty = Empty(
        _lazy("No group yet"),
        _lazy("Put the accounts of a customer, or of an organisational unit, together."),
        "box",
        ADD,
    )

    def get_queryset(self) -> QuerySet[AccountGroup]:
        return super().get_queryset().prefetch_related("accounts")


class AccountGroupPage(FormPage):
    permission_required = ("costs.add_accountgroup", "costs.change_accountgroup")
    model = AccountGroup
    form_class = AccountGroupForm
    breadcrumbs = ((_lazy("Account groups"), "costs:account_groups"),)
    cancel_url_name = "costs:account_groups"
    success_url = reverse_lazy("costs:account_groups")

    def get_title(self) -> str:
        return AccountGroup.objects.get(pk=self.object.pk).name if self.object else _("Add a group of accounts")

    def form_valid(self, form: AccountGroupForm) -> HttpResponse:
        try:
            return super().form_valid(form)
        except BadGroup as error:
            form.add_error("accounts", str(error))
            return self.form_invalid(form)

    def save(self, form: AccountGroupForm) -> AccountGroup:
        group: AccountGroup = form.instance
        if form.cleaned_data.get("remove"):
            remove_group(group)
            messages.success(self.request, _("{group} is removed.").format(group=group))
            return group
        save_group(group, form.cleaned_data["accounts"])
        messages.success(self.request, _("{group} is saved.").format(group=group))
        return group

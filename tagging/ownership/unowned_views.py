"""Pages of unowned cost: what no rule matched, and who finds an owner for it."""

from functools import cached_property
from typing import Any

from django.contrib import messages
from django.http import Http404
from django.urls import reverse_lazy
from django.utils.translation import gettext as _
from django.views.generic import TemplateView

from costs.calc.dimensions import TAG, named
from costs.calc.filters import BadFilter, is_tag
from costs.models import Dimension
from costs.query import filter_choices
from finops_site.translation import gettext_lazy as _lazy
from finops_site.ui.figures import month_text
from finops_site.ui.pages import Empty, FormPage
from tagging.models import Fixer
from tagging.ownership import ownership_figures
from tagging.ownership.forms import FixerForm
from tagging.ownership.month_pages import BREADCRUMBS, OwnershipMonthPage


class UnownedPage(OwnershipMonthPage, TemplateView):
    """The cost that no rule matched, and who will find an owner for it."""

    parameters = ("month", "by")
    permission_required = "costs.view_company"
    title = _lazy("Unowned cost")
    template_name = "tagging/unowned.html"
    breadcrumbs = BREADCRUMBS
    empty = Empty(
        _lazy("Everything has an owner"), _lazy("Every cost of the month is a team's or in a pool."), "circle-check"
    )
    GROUPINGS = {
        "account": _lazy("By account"),
        "service": _lazy("By service"),
        "region": _lazy("By region"),
        "charge_category": _lazy("By category"),
    }

    def check_address(self) -> None:
        super().check_address()
        if self.by not in self.GROUPINGS and not is_tag(self.by):
            known = ", ".join(self.GROUPINGS)
            raise BadFilter(
                _("{value!r} is nothing to group by here: use {known} or tag:<Key>.").format(
                    value=self.by[:80], known=known
                )
            )

    @cached_property
    def by(self) -> str:
        """A dimension, or a tag as ``tag:Team``."""
        return self.request.GET.get("by") or "account"

    def get_subtitle(self) -> str:
        return _("Cost of {month_text} that no ownership rule matched, by charge day.").format(
            month_text=month_text(self.month, "long")
        )

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        user = self.person
        tags = [(f"{TAG}{key}", _("By tag {key}").format(key=key)) for key in filter_choices.tag_keys(user)[:40]]
        context = {
            "stats": ownership_figures.allocation_stats(user, self.month),
            "rows": ownership_figures.unowned_rows(user, self.month, self.by),
            "by": self.by,
            "head": named(self.by).label,
            "groupings": [*self.GROUPINGS.items(), *tags],
            "may_name": user.has_perm("tagging.change_fixer"),
            "may_add_rule": user.has_perm("tagging.add_ownershiprule"),
            "condition": self.by if self.by.startswith(TAG) else named(self.by).field,
            "empty": self.empty.for_user(user),
        }
        return super().get_context_data(**{**context, **kwargs})


class FixerPage(FormPage):
    """Names the person who finds an owner for the unowned cost of an account."""

    parameters = ("account",)
    permission_required = "tagging.change_fixer"
    form_class = FixerForm
    breadcrumbs = (*BREADCRUMBS, (_lazy("Unowned cost"), "tagging:unowned"))
    cancel_url_name = "tagging:unowned"
    success_url = reverse_lazy("tagging:unowned")

    @property
    def account(self) -> str:
        account = self.request.GET.get("account", "")
        if not Dimension.objects.filter(name="sub_account", value=account).exists():
            raise Http404
        return account

    def get_title(self) -> str:
        return _("Who fixes account {account_names}").format(
            account_names=ownership_figures.account_names().get(self.account, self.account)
        )

    def get_initial(self) -> dict[str, Any]:
        return {"user": Fixer.objects.filter(sub_account=self.account).values_list("user", flat=True).first()}

    def save(self, form: FixerForm) -> None:
        user = form.cleaned_data["user"]
        if user is None:
            for fixer in Fixer.objects.filter(sub_account=self.account):
                fixer.delete()
        else:
            Fixer.objects.update_or_create(sub_account=self.account, defaults={"user": user})
        messages.success(
            self.request,
            _("{name} will fix it.").format(name=ownership_figures.fixers_of([self.account])[self.account].name),
        )

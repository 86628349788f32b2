"""How buying is done here: the switch, the API, the ceiling, and what each approver may."""

from functools import cached_property
from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.urls import reverse_lazy
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.generic import View

from finops_site.translation import gettext_lazy as _lazy
from finops_site.ui.pages import Action, FormPage, Page
from reservations.calc.purchase_rules import CannotBuy
from reservations.models import ApproverLimit, BuyingPolicy
from reservations.purchases import buying_policy
from reservations.purchases.forms import LimitForm, PolicyForm
from reservations.purchases.tables import LimitTable

CRUMBS = ((_lazy("Commitments"), "reservations:overview"), (_lazy("Purchases"), "reservations:purchases"))
LIMIT = Action(
    _lazy("Set an approver's limit"), "reservations:approver_limit_add", "user-plus", "reservations.add_approverlimit"
)


class BuyingPolicyPage(FormPage):
    permission_required = "reservations.change_buyingpolicy"
    form_class = PolicyForm
    template_name = "reservations/buying_policy.html"
    title = _lazy("Buying policy")
    subtitle = _lazy("Holds for every purchase, whoever requested and whoever approved it.")
    breadcrumbs = CRUMBS
    actions = (LIMIT,)
    success_message = _lazy("The buying policy is saved.")
    success_url = reverse_lazy("reservations:buying_policy")

    @cached_property
    def object(self) -> BuyingPolicy:
        return BuyingPolicy.get()

    def save(self, form: PolicyForm) -> BuyingPolicy:
        return buying_policy.set_policy(self.person, **form.cleaned_data)

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        policy = BuyingPolicy.get()
        rows = ApproverLimit.objects.select_related("user", "set_by")
        context = {
            "policy": policy,
            "used": buying_policy.ceiling_use(policy, timezone.now()),
            "limits": LimitTable(rows, request=None) if rows else None,
        }
        return super().get_context_data(**{**context, **kwargs})


class BuyingSwitch(Page, View):
    """The kill switch: one button, at once."""

    permission_required = "reservations.change_buyingpolicy"
    http_method_names = ["post", "options"]

    def post(self, request: HttpRequest) -> HttpResponse:
        policy = buying_policy.set_buying_switch(stop=request.POST.get("stop") == "1")
        if policy.is_stopped:
            messages.warning(request, _("Buying is stopped. Nothing is bought until somebody of finance resumes it."))
        else:
            messages.success(request, _("Buying is resumed."))
        return redirect("reservations:buying_policy")


class ApproverLimitPage(FormPage):
    """Somebody else's limit: one's own is refused."""

    permission_required = "reservations.change_approverlimit"
    form_class = LimitForm
    breadcrumbs = (*CRUMBS, (_lazy("Buying policy"), "reservations:buying_policy"))
    cancel_url_name = "reservations:buying_policy"
    success_url = reverse_lazy("reservations:buying_policy")

    @cached_property
    def object(self) -> ApproverLimit | None:
        return get_object_or_404(ApproverLimit, pk=self.kwargs["pk"]) if "pk" in self.kwargs else None

    def get_title(self) -> str:
        return _("Limit of {user}").format(user=self.object.user) if self.object else _("Set an approver's limit")

    def form_valid(self, form: LimitForm) -> HttpResponse:
        try:
            buying_policy.set_limit(self.person, form.cleaned_data["user"], form.cleaned_data["limit"])
        except CannotBuy as problem:
            form.add_error("user", str(problem))
            return self.form_invalid(form)
        messages.success(self.request, _("The limit is set."))
        return redirect(self.get_success_url())

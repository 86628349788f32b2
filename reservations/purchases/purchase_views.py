"""Buying with four eyes: requested from a recommendation, decided by somebody else, exported or bought, recorded."""

from collections.abc import Callable, Sequence
from functools import cached_property
from typing import Any, cast

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import get_object_or_404, redirect
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _

from finops_site.lib.periods import months_later
from finops_site.translation import gettext_lazy as _lazy
from finops_site.ui.downloads import csv_download, download
from finops_site.ui.pages import Action, DetailPage, Empty, FollowedPage, FormPage, ListPage
from reservations.actions import RECOMMENDATIONS
from reservations.calc import purchase_files, purchase_rules
from reservations.calc.purchase_rules import CannotBuy
from reservations.models import Plan, PlanItem, PurchaseRequest
from reservations.purchases import approvals, buying, execution, next_steps, purchase_requests, same_demand
from reservations.purchases.forms import PurchaseFilter, PurchaseRequestForm
from reservations.purchases.next_steps import MAY_BUY
from reservations.purchases.purchase_figures import (
    demand_then_and_now,
    demand_url,
    how_to_buy,
    price_moves,
    purchase_progress,
    purchase_stats,
)
from reservations.purchases.purchase_summary import describe_fall
from reservations.purchases.tables import (
    PURCHASE_STATES,
    PriceMoveTable,
    PurchaseEventTable,
    PurchaseTable,
    requester_name,
)
from reservations.querysets import PurchaseQuerySet

SHOWN_PRICES = 6
CRUMBS = ((_lazy("Commitments"), "reservations:overview"),)
ORDERS = Action(_lazy("Standing orders"), "reservations:standing_orders", "refresh", "reservations.view_standingorder")
POLICY = Action(_lazy("Buying policy"), "reservations:buying_policy", "shield-lock", "reservations.change_buyingpolicy")
MAY_DECIDE = "reservations.approve_purchaserequest"
# What each verb of the page needs; who may withdraw her own request the service knows.
PERMISSIONS = {
    "approve": MAY_DECIDE,
    "reject": MAY_DECIDE,
    "withdraw": "reservations.add_purchaserequest",
    "export": MAY_BUY,
    "dry_run": MAY_BUY,
    "buy": MAY_BUY,
    "look": MAY_BUY,
    "record": MAY_BUY,
    "give_back": MAY_BUY,
}


class PurchasesPage(ListPage):
    permission_required = "reservations.view_purchaserequest"
    model = PurchaseRequest
    title = _lazy("Purchases")
    subtitle = _lazy(
        "Requested by one person, approved by another, bought, and followed to the first bill that shows it."
    )
    breadcrumbs = CRUMBS
    table_class = PurchaseTable
    filterset_class = PurchaseFilter
    orderings = ("-requested_at", "value")
    actions = (ORDERS, POLICY)
    empty = Empty(
        _lazy("No purchase is requested"),
        _lazy(
            "Open a recommendation, look at the demand behind one purchase, and request it: somebody else approves it."
        ),
        "credit-card",
        RECOMMENDATIONS,
    )

    def get_queryset(self) -> PurchaseQuerySet:
        rows = super().get_queryset()
        return cast(PurchaseQuerySet, rows.select_related("team", "requested_by", "approved_by", "standing_order"))


class RequestPurchase(FormPage):
    """Requests a recommended purchase, or one monthly batch of it."""

    permission_required = "reservations.add_purchaserequest"
    form_class = PurchaseRequestForm
    template_name = "reservations/purchase_ask.html"
    title = _lazy("Request this purchase")
    submit_label = _lazy("Request approval")
    # What covers the same machines, where that is why it was refused.
    blocking: Sequence[PurchaseRequest] = ()

    @cached_property
    def object(self) -> PlanItem:
        plans = Plan.objects.visible_to(self.person).filter(state=Plan.State.READY)
        plan = get_object_or_404(plans, pk=self.kwargs["pk"])
        return get_object_or_404(plan.items.select_related("plan__team"), position=self.kwargs["position"])

    def get_subtitle(self) -> str:
        return str(self.object)

    def get_breadcrumbs(self) -> list[tuple[str, str]]:
        return [*CRUMBS, (_("Recommendation"), self.object.plan.get_absolute_url())]

    def get_form_kwargs(self) -> dict[str, Any]:
        kwargs = {**super().get_form_kwargs(), "item": self.object}
        kwargs.pop("instance")
        return kwargs

    def form_valid(self, form: PurchaseRequestForm) -> HttpResponse:
        try:
            row = purchase_requests.request_purchase(
                self.object, user=self.person, now=timezone.now(), **form.cleaned_data
            )
        except CannotBuy as problem:
            form.add_error(None, str(problem))
            self.blocking = getattr(problem, "requests", [])
            return self.form_invalid(form)
        text = _("It is requested: finance got an email, and decides.")
        if self.person.has_perm(MAY_DECIDE):
            text = _("It is requested: somebody else of finance got an email, and decides.")
        messages.success(self.request, text)
        return redirect(row)

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        item = self.object
        url = reverse("reservations:recommended_item", args=[item.plan_id, item.position])
        blocking = PurchaseRequest.objects.visible_to(self.person).filter(pk__in=[row.pk for row in self.blocking])
        how = how_to_buy(purchase_requests.build_request(item, 0).order)
        return super().get_context_data(
            **{"item": item, "plan": item.plan, "cancel_url": url, "how": how, **kwargs, "blocking": blocking}
        )


class PurchasePage(FollowedPage):
    permission_required = "reservations.view_purchaserequest"
    model = PurchaseRequest
    template_name = "reservations/purchase.html"
    breadcrumbs = (*CRUMBS, (_lazy("Purchases"), "reservations:purchases"))

    def get_queryset(self) -> PurchaseQuerySet:
        rows = super().get_queryset()
        return cast(
            PurchaseQuerySet,
            rows.select_related("plan", "team", "requested_by", "approved_by", "standing_order", "commitment"),
        )

    def get_subtitle(self) -> str:
        row = self.object
        return _("Request {number}, by {person} for {team}.").format(
            number=row.pk, person=requester_name(row), team=row.team or _("the whole company")
        )

    def progress(self) -> dict[str, Any] | None:
        return purchase_progress(self.object) if self.object.state == purchase_rules.BUYING else None

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        if self.asks_progress:
            return super().get_context_data(**kwargs)
        row, now = self.object, timezone.now()
        undecided = row.state in (purchase_rules.WAITING, purchase_rules.APPROVED)
        twice, blocking = same_demand.blocking_requests(row) if undecided else ("", [])
        steps, moves = next_steps.steps_for(row, self.person, now, twice), price_moves(row, now)
        context = {
            "row": row,
            "requester": requester_name(row),
            "state": PURCHASE_STATES[row.state],
            "stats": purchase_stats(row),
            "demand_url": demand_url(row, self.person),
            "prices": PriceMoveTable(moves[:SHOWN_PRICES], request=None),
            "other_prices": PriceMoveTable(moves[SHOWN_PRICES:], request=None) if moves[SHOWN_PRICES:] else None,
            "demand": demand_then_and_now(row),
            "events": PurchaseEventTable(row.events.select_related("by"), request=None),
            "allowed": [step for step in steps if step.is_allowed and step.verb != "record"],
            "records": any(step.is_allowed and step.verb == "record" for step in steps),
            "refused": [step for step in steps if not step.is_allowed],
            "files": row.state == purchase_rules.EXPORTED and self.person.has_perm(MAY_BUY),
            "how": how_to_buy(row.order),
            "end": months_later((row.executed_at or row.approved_at or now).date(), row.term_months),
            "fall": describe_fall(row),
            "twice": twice,
            "blocking": self._seen_by_her(blocking),
        }
        return super().get_context_data(**{**context, **kwargs})

    def _seen_by_her(self, rows: list[PurchaseRequest]) -> PurchaseQuerySet:
        seen = PurchaseRequest.objects.visible_to(self.person)
        return cast(PurchaseQuerySet, seen.filter(pk__in=[row.pk for row in rows]))

    def post(self, request: HttpRequest, pk: int) -> HttpResponse:
        self.object = row = self.get_object()
        verb = request.POST.get("verb", "")
        if verb not in PERMISSIONS:
            raise Http404
        if not request.user.has_perm(PERMISSIONS[verb]):
            raise PermissionDenied
        try:
            done = self._take_step(row, verb)
        except CannotBuy as problem:
            messages.error(request, str(problem))
        else:
            expired = done.state == purchase_rules.EXPIRED
            text = (
                _("It expired: {message}").format(message=done.message)
                if expired
                else RESULTS[verb].format(done.message).strip()
            )
            messages.add_message(request, messages.WARNING if expired else messages.SUCCESS, text)
        return redirect(row)

    def _take_step(self, row: PurchaseRequest, verb: str) -> PurchaseRequest:
        post, values = self.request.POST, {"user": self.person, "now": timezone.now()}
        if verb in ("export", "buy"):
            return SERVICES[verb](row.pk, **values)
        if verb == "record":
            values["reference"] = post.get("reference", "")
        return SERVICES[verb](row.pk, comment=post.get("comment", ""), **values)


SERVICES: dict[str, Callable[..., PurchaseRequest]] = {
    "approve": approvals.approve_purchase,
    "reject": approvals.reject_purchase,
    "withdraw": approvals.withdraw_purchase,
    "export": buying.export_purchase,
    "dry_run": execution.dry_run_purchase,
    "buy": buying.start_purchase,
    "look": execution.check_outcome,
    "record": buying.record_purchase,
    "give_back": buying.mark_not_bought,
}
RESULTS = {
    "approve": _lazy("It is approved, and can be bought."),
    "reject": _lazy("It is rejected, and whoever requested it gets the reason by email."),
    "withdraw": _lazy("It is withdrawn."),
    "export": _lazy("Buy it as described here, and record the id that the provider gives it."),
    "dry_run": "{}",
    "buy": _lazy("It is being bought."),
    "look": "{}",
    "record": _lazy("It is recorded: the first bill that shows it is found by this id."),
    "give_back": _lazy("It is approved as before, and can be bought."),
}


class PurchaseFile(DetailPage):
    """What is to be bought as a script or as a sheet, while it is exported and not bought yet."""

    permission_required = MAY_BUY
    model = PurchaseRequest

    def get(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        row = self.get_object()
        if row.state != purchase_rules.EXPORTED:
            messages.error(
                request, _("Only an exported purchase can be downloaded as a file, so that it is bought once.")
            )
            return redirect(row)
        if self.kwargs["kind"] == "csv":
            return csv_download(purchase_files.order_rows([row.order]), f"purchase-{row.pk}")
        text = purchase_files.cli_script([row.order])
        return download(text, f"purchase-{row.pk}", "sh", "text/x-shellscript; charset=utf-8")

"""Buying with four eyes: asked for from a recommendation, decided by somebody else, handed out or bought, recorded."""

from functools import cached_property
from typing import Any

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import get_object_or_404, redirect
from django.urls import reverse
from django.utils import timezone

from finops_site.ui.pages import Action, DetailPage, Empty, FollowedPage, FormPage, ListPage
from finops_site.ui.tables import csv_download
from reservations import queues
from reservations.calc import purchase_files, purchase_rules
from reservations.calc.purchase_rules import CannotBuy
from reservations.models import Plan, PlanItem, PurchaseRequest
from reservations.purchases import approvals, buying, execution, next_steps, purchase_requests
from reservations.purchases.forms import AskForm, PurchaseFilter
from reservations.purchases.next_steps import MAY_BUY
from reservations.purchases.purchase_figures import (
    demand_then_and_now,
    demand_url,
    price_moves,
    purchase_progress,
    purchase_stats,
)
from reservations.purchases.tables import (
    PURCHASE_STATES,
    PriceMoveTable,
    PurchaseEventTable,
    PurchaseTable,
    asker,
)

SHOWN_PRICES = 6
CRUMBS = (("Commitments", "reservations:overview"),)
RECOMMENDATIONS = Action("Recommendations", "reservations:recommendations", "bulb", "reservations.view_plan")
ORDERS = Action("Standing orders", "reservations:standing_orders", "refresh", "reservations.view_standingorder")
POLICY = Action("Buying policy", "reservations:buying_policy", "shield-lock", "reservations.change_buyingpolicy")
DECIDES = "reservations.approve_purchaserequest"
# What each verb of the page needs; who may take back what is hers the service knows.
PERMISSIONS = {
    "approve": DECIDES,
    "reject": DECIDES,
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
    title = "Purchases"
    subtitle = "Asked for by one person, approved by another, bought, and followed to the first bill that shows it."
    breadcrumbs = CRUMBS
    table_class = PurchaseTable
    filterset_class = PurchaseFilter
    orderings = ("-requested_at", "value")
    actions = (ORDERS, POLICY)
    empty = Empty(
        "Nothing is asked for",
        "Open a recommendation, look at the proof of one purchase, and ask for it: somebody else approves it.",
        "credit-card",
        RECOMMENDATIONS,
    )

    def get_queryset(self) -> Any:
        rows = super().get_queryset()
        return rows.select_related("team", "requested_by", "approved_by", "standing_order")


class AskPurchase(FormPage):
    """Asks for a recommended purchase, or for one batch of its ladder."""

    permission_required = "reservations.add_purchaserequest"
    form_class = AskForm
    template_name = "reservations/purchase_ask.html"
    title = "Ask for this purchase"
    submit_label = "Ask for approval"

    @cached_property
    def object(self) -> PlanItem:
        plans = Plan.objects.visible_to(self.request.user).filter(state=Plan.State.READY)
        plan = get_object_or_404(plans, pk=self.kwargs["pk"])
        return get_object_or_404(plan.items.select_related("plan__team"), position=self.kwargs["position"])

    def get_subtitle(self) -> str:
        return str(self.object)

    def get_breadcrumbs(self) -> list[tuple[str, str]]:
        return [*CRUMBS, ("Recommendation", self.object.plan.get_absolute_url())]

    def get_form_kwargs(self) -> dict[str, Any]:
        kwargs = {**super().get_form_kwargs(), "item": self.object}
        kwargs.pop("instance")
        return kwargs

    def form_valid(self, form: AskForm) -> HttpResponse:
        said = form.cleaned_data
        try:
            row = purchase_requests.request_purchase(self.object, user=self.request.user, now=timezone.now(), **said)
        except CannotBuy as problem:
            form.add_error(None, str(problem))
            return self.form_invalid(form)
        messages.success(self.request, "It is asked for: somebody else of finance was told, and decides.")
        return redirect(row)

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        item = self.object
        proof = reverse("reservations:recommended_item", args=[item.plan_id, item.position])
        return super().get_context_data(**{"item": item, "plan": item.plan, "cancel_url": proof, **kwargs})


class PurchasePage(FollowedPage):
    permission_required = "reservations.view_purchaserequest"
    model = PurchaseRequest
    template_name = "reservations/purchase.html"
    breadcrumbs = (*CRUMBS, ("Purchases", "reservations:purchases"))

    def get_queryset(self) -> Any:
        rows = super().get_queryset()
        return rows.select_related("plan", "team", "requested_by", "approved_by", "standing_order", "commitment")

    def get_subtitle(self) -> str:
        row = self.object
        return f"Request {row.pk}, asked for by {asker(row)} for {row.team or 'the whole company'}."

    def progress(self) -> dict[str, Any] | None:
        return purchase_progress(self.object) if self.object.state == purchase_rules.BUYING else None

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        if self.asks_progress:
            return super().get_context_data(**kwargs)
        row, now = self.object, timezone.now()
        found, moves = next_steps.steps_for(row, self.request.user, now), price_moves(row, now)
        context = {
            "row": row,
            "asker": asker(row),
            "state": PURCHASE_STATES[row.state],
            "stats": purchase_stats(row),
            "proof": demand_url(row, self.request.user),
            "prices": PriceMoveTable(moves[:SHOWN_PRICES], request=None),
            "other_prices": PriceMoveTable(moves[SHOWN_PRICES:], request=None) if moves[SHOWN_PRICES:] else None,
            "demand": demand_then_and_now(row),
            "events": PurchaseEventTable(row.events.select_related("by"), request=None),
            "allowed": [step for step in found if step.is_allowed and step.verb != "record"],
            "records": any(step.is_allowed and step.verb == "record" for step in found),
            "refused": [step for step in found if not step.is_allowed],
            "files": row.state == purchase_rules.EXPORTED and self.request.user.has_perm(MAY_BUY),
        }
        return super().get_context_data(**{**context, **kwargs})

    def post(self, request: HttpRequest, pk: int) -> HttpResponse:
        self.object = row = self.get_object()
        verb = request.POST.get("verb", "")
        if verb not in PERMISSIONS:
            raise Http404
        if not request.user.has_perm(PERMISSIONS[verb]):
            raise PermissionDenied
        try:
            done = self._do(row, verb)
        except CannotBuy as problem:
            messages.error(request, str(problem))
        else:
            expired = done.state == purchase_rules.EXPIRED
            say = messages.warning if expired else messages.success
            say(request, f"It expired: {done.message}" if expired else SAID[verb].format(done.message).strip())
        return redirect(row)

    def _do(self, row: PurchaseRequest, verb: str) -> PurchaseRequest:
        user, now, said = self.request.user, timezone.now(), self.request.POST
        comment = said.get("comment", "")
        if verb == "record":
            return buying.record_purchase(
                row.pk, reference=said.get("reference", ""), user=user, comment=comment, now=now
            )
        if verb == "export":
            return buying.export_purchase(row.pk, user=user, now=now)
        if verb == "buy":
            done = buying.start_purchase(row.pk, user=user, now=now)
            if done.state == purchase_rules.BUYING:
                transaction.on_commit(lambda: queues.buy(done.pk))
            return done
        return VERBS[verb](row.pk, user=user, comment=comment, now=now)


VERBS: dict[str, Any] = {
    "approve": approvals.approve_purchase,
    "reject": approvals.reject_purchase,
    "withdraw": approvals.withdraw_purchase,
    "give_back": buying.mark_not_bought,
    "dry_run": execution.dry_run_purchase,
    "look": execution.check_outcome,
}
SAID = {
    "approve": "It is approved, and can be bought.",
    "reject": "It is rejected, and whoever asked for it is told why.",
    "withdraw": "It is taken back.",
    "export": "Take the commands or the sheet, buy it, and record the id that AWS gives it.",
    "dry_run": "{}",
    "buy": "It is being bought.",
    "look": "{}",
    "record": "It is recorded: the first bill that shows it is found by this id.",
    "give_back": "It is approved as before, and can be bought.",
}


class PurchaseFile(DetailPage):
    """What is to be bought as a script of the AWS CLI or as a sheet, while it is handed out."""

    permission_required = MAY_BUY
    model = PurchaseRequest

    def get(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        row = self.get_object()
        if row.state != purchase_rules.EXPORTED:
            messages.error(request, "Only what is handed out to be bought leaves as a file, so that it is bought once.")
            return redirect(row)
        if self.kwargs["kind"] == "csv":
            return csv_download(purchase_files.order_rows([row.order]), f"purchase-{row.pk}")
        response = HttpResponse(
            purchase_files.cli_script([row.order]), content_type="text/x-shellscript; charset=utf-8"
        )
        response["Content-Disposition"] = f'attachment; filename="purchase-{row.pk}.sh"'
        return response

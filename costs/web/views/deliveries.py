"""Pages of bills as they arrive: the list, the upload, one delivery, what of it was not read."""

from typing import Any

from django.contrib import messages
from django.db.models import QuerySet
from django.http import FileResponse, Http404, HttpRequest, HttpResponse, HttpResponseBase, JsonResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.functional import cached_property
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.generic import View
from django_htmx.http import HttpResponseClientRefresh

from costs import retention
from costs.formats.base import BadBill
from costs.ingest.load import may_be_retried, retry_delivery
from costs.ingest.withdraw import NOT_COUNTED, decide, what_follows, withdraw_delivery
from costs.models import ConformanceResult, Delivery, DeliveryFile, Stream
from costs.versions import overlaps, restatements
from costs.versions.beside import Neighbour, neighbours_of
from costs.versions.decisions import MAY_STAND_BESIDE, AlreadyDelivered
from costs.web import conformance_tables, delivery_figures, delivery_tables
from costs.web.filters import DeliveryFilter
from costs.web.forms import BillUploadForm
from finops_site.files.product import product_files
from finops_site.lib.periods import moment_text
from finops_site.lib.words import counted, labelled, number_text
from finops_site.translation import gettext_lazy as _lazy
from finops_site.ui.pages import Action, DetailPage, Empty, FormPage, ListPage, Page
from finops_site.ui.tables import BaseTable

UPLOAD = Action(_lazy("Upload a bill"), "costs:delivery_upload", "upload", "costs.add_delivery", primary=True)
REJECTS_ON_THE_PAGE = 10
CHANGES_ON_THE_PAGE = 10


class DeliveriesPage(ListPage):
    permission_required = "costs.view_delivery"
    model = Delivery
    title = _lazy("Deliveries")
    subtitle = _lazy("The bills that came in, and which of them count.")
    actions = (UPLOAD,)
    table_class = delivery_tables.DeliveryTable
    filterset_class = DeliveryFilter
    template_name = "costs/deliveries.html"
    empty = Empty(
        title=_lazy("No bill has been delivered yet"),
        text=_lazy("Upload an export of your provider: FOCUS, an AWS Cost and Usage Report or an inventory."),
        icon="file-invoice",
        action=UPLOAD,
    )

    def get_queryset(self) -> Any:
        return with_columns(super().get_queryset())

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        context = {"overlaps": overlaps.find_overlaps(), "disk": retention.disk_use()}
        return super().get_context_data(**context, **kwargs)


def with_columns(rows: QuerySet[Delivery]) -> QuerySet[Delivery]:
    """Deliveries with what the columns of their table read."""
    return rows.select_related("source", "received_by").prefetch_related("months")


class _OneDelivery(Page):
    """A door to one delivery that the person may see; somebody else's is 404."""

    kwargs: dict[str, Any]
    permission_required = "costs.view_delivery"

    def get_delivery(self) -> Delivery:
        return get_object_or_404(with_columns(Delivery.objects.visible_to(self.person)), pk=self.kwargs["pk"])


class DeliveryRow(_OneDelivery, View):
    """The list's row of a delivery, for a list that waits for it to load."""

    def get(self, request: HttpRequest, pk: int) -> HttpResponse:
        table = delivery_tables.DeliveryTable([self.get_delivery()], request=None)
        table.request = request
        return render(request, "costs/delivery_row.html", {"table": table})


class UploadPage(FormPage):
    permission_required = "costs.add_delivery"
    form_class = BillUploadForm
    template_name = "costs/delivery_upload.html"
    title = _lazy("Upload a bill")
    subtitle = _lazy(
        "It is kept as it came, read, checked to the last digit, and then replaces its months in one step."
    )
    breadcrumbs = ((_lazy("Deliveries"), "costs:deliveries"),)
    submit_label = _lazy("Upload")
    cancel_url_name = "costs:deliveries"

    def form_valid(self, form: BillUploadForm) -> HttpResponseBase:
        try:
            bills = form.deliver(self.person)
        except BadBill as error:
            form.add_error("files", str(error))
            return self.form_invalid(form)
        for received in bills:
            if received.is_new:
                link = delivery_link(received.delivery)
                messages.success(self.request, format_html(_("Received as {delivery}. It is queued."), delivery=link))
            else:
                messages.warning(self.request, already_here(received.delivery))
        address = delivery_url(bills[0].delivery) if len(bills) == 1 else reverse("costs:deliveries")
        return JsonResponse({"redirect": address}) if self._by_script() else redirect(address)

    def form_invalid(self, form: BillUploadForm) -> HttpResponseBase:
        if self._by_script():
            return JsonResponse({"errors": form.errors}, status=400)
        return super().form_invalid(form)

    def _by_script(self) -> bool:
        """Whether upload.js asks: it shows how far the upload is, and keeps the form with its files on an error."""
        return self.request.headers.get("X-Requested-With") == "XMLHttpRequest"


def delivery_url(delivery: Delivery) -> str:
    return reverse("costs:delivery", args=[delivery.pk])


def delivery_link(delivery: Delivery) -> SafeString:
    words = _("delivery {number} of {source}").format(number=delivery.pk, source=delivery.source)
    return format_html('<a href="{}">{}</a>', delivery_url(delivery), words)


def already_here(delivery: Delivery) -> SafeString:
    return format_html(
        _("This bill is already here as {delivery}, received {at}. Nothing was counted twice."),
        delivery=delivery_link(delivery),
        at=moment_text(delivery.received_at),
    )


class DeliveryPage(DetailPage):
    permission_required = "costs.view_delivery"
    model = Delivery
    template_name = "costs/delivery.html"
    breadcrumbs = ((_lazy("Deliveries"), "costs:deliveries"),)

    def get_queryset(self) -> Any:
        return with_columns(super().get_queryset()).prefetch_related("files")

    def get_subtitle(self) -> str:
        delivery = self.object
        known = [part for part in (delivery.format, delivery.provider) if part]
        by = _("received {received_at} by {brought_by}").format(
            received_at=moment_text(delivery.received_at), brought_by=delivery.brought_by
        )
        return ", ".join([*known, by])

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        delivery = self.object
        rejects = list(delivery.rejects.all()[: REJECTS_ON_THE_PAGE + 1])
        context = {
            "delivery": delivery,
            "state": delivery_tables.STATES[delivery.status],
            "progress": delivery_figures.load_progress(delivery, timezone.now()),
            "totals": delivery_figures.total_figures(delivery),
            "history": delivery_figures.version_history(delivery),
            "rejects": delivery_tables.RejectTable(rejects[:REJECTS_ON_THE_PAGE], request=None) if rejects else None,
            "more_rejects": len(rejects) > REJECTS_ON_THE_PAGE,
            "may_retry": may_be_retried(delivery)
            and not delivery.files_removed_at
            and self.person.has_perm("costs.add_delivery"),
            "may_withdraw": (delivery.status == Delivery.Status.CURRENT or delivery.counts_until_replaced)
            and self.person.has_perm("costs.add_delivery"),
            "awaited": delivery.awaited.order_by("pk") if delivery.counts_until_replaced else (),
            "may_count_again": delivery.status in NOT_COUNTED
            and not delivery.files_removed_at
            and self.person.has_perm("costs.accept_delivery"),
            "may_decide": delivery.status == Delivery.Status.HELD and self.person.has_perm("costs.accept_delivery"),
            "neighbours": self._neighbours(delivery),
            "beside": delivery.beside.order_by("pk"),
            "streams": Stream.objects.filter(months__delivery=delivery).distinct(),
            "restated": restatements.restatement_summary(delivery),
            "changes": self._change_table(delivery),
            "cluster_files": delivery.cluster_files.all(),
            "retention": retention.retention_of(delivery),
            "score": conformance_tables.score_figures(delivery),
            "broken_rules": conformance_tables.ConformanceTable(
                delivery.conformance_results.filter(verdict=ConformanceResult.Verdict.BROKEN), request=None
            ),
            "must_know": restatements.people_to_notify(delivery),
        }
        return super().get_context_data(**{**context, **kwargs})

    def _neighbours(self, delivery: Delivery) -> list[Neighbour]:
        """What it may stand beside, for whoever may decide that now."""
        decides = self.person.has_perm("costs.accept_delivery") and not delivery.files_removed_at
        return neighbours_of(delivery) if decides and delivery.status in MAY_STAND_BESIDE else []

    def _change_table(self, delivery: Delivery) -> delivery_tables.ChangeTable:
        """The largest changes, without the columns that say the same of every row: they must fit beside one another."""
        rows = list(restatements.restated_costs(delivery)[:CHANGES_ON_THE_PAGE])
        same = ["month"] if len({row.restatement.billing_month for row in rows}) == 1 else []
        same += [] if any(row.billed_new for row in rows) else ["billed_new"]
        return delivery_tables.ChangeTable(rows, request=None, exclude=same)


class DeliveryProgress(_OneDelivery, View):
    """How far a load is, asked every two seconds; when it has ended the whole page is drawn anew."""

    def get(self, request: HttpRequest, pk: int) -> HttpResponse:
        delivery = self.get_delivery()
        if not delivery.is_open:
            return HttpResponseClientRefresh()
        progress = delivery_figures.load_progress(delivery, timezone.now())
        return render(request, "includes/progress.html", {"progress": progress})


class _ListOfDelivery(ListPage):
    """A list that belongs to one delivery, reached through it."""

    permission_required = "costs.view_delivery"

    @cached_property
    def delivery(self) -> Delivery:
        rows = Delivery.objects.visible_to(self.person).select_related("source")
        return get_object_or_404(rows, pk=self.kwargs["pk"])

    def get_breadcrumbs(self) -> list[tuple[str, str]]:
        return [(_("Deliveries"), "costs:deliveries"), (str(self.delivery), delivery_url(self.delivery))]


class RejectsPage(_ListOfDelivery):
    """Every row of a delivery that was not read, and its CSV."""

    table_class = delivery_tables.RejectTable
    orderings = ("id",)

    def get_queryset(self) -> Any:
        return self.delivery.rejects.all()

    def get_title(self) -> str:
        return _("Rows that were not read")

    def get_export_name(self) -> str:
        return f"rejects of delivery {self.kwargs['pk']}"

    def get_subtitle(self) -> str:
        listed, rejected = self.rows.count(), self.delivery.rows_rejected
        words = _("{rejected} of {rows}.").format(
            rejected=number_text(rejected), rows=counted(self.delivery.rows_read, "row")
        )
        if rejected <= listed:
            return words
        return f"{words} {_('The first {listed} are listed.').format(listed=number_text(listed))}"


class ChangesPage(_ListOfDelivery):
    """Everything a delivery changed in the months it replaced, and its CSV."""

    table_class = delivery_tables.ChangeTable
    title = _lazy("What this bill changed")
    subtitle = _lazy("Against the bill it replaced: the days that both have, and the days that are new.")
    empty = Empty(
        title=_lazy("Nothing was changed"),
        text=_lazy("It replaced no bill, or one with the same amounts."),
        icon="equal",
    )

    def get_queryset(self) -> Any:
        return restatements.restated_costs(self.delivery)

    def get_export_name(self) -> str:
        return f"changes of delivery {self.kwargs['pk']}"


class ConformancePage(_ListOfDelivery):
    """Every rule of FOCUS that a delivery was judged by, and its CSV."""

    table_class = conformance_tables.ConformanceTable
    title = _lazy("Rules of FOCUS")
    empty = Empty(
        title=_lazy("Not judged"), text=_lazy("It was loaded before deliveries were judged."), icon="clipboard-check"
    )

    def get_queryset(self) -> Any:
        return self.delivery.conformance_results.all()

    def get_subtitle(self) -> str:
        score = conformance_tables.delivery_score(self.delivery)
        return _("{score} of its rows keep every rule that counts. A bill is loaded whatever its score.").format(
            score=score
        )

    def get_export_name(self) -> str:
        return f"conformance of delivery {self.kwargs['pk']}"


class ConformanceRulePage(_ListOfDelivery):
    """The largest rows of a delivery that break one rule, and their CSV."""

    # Its columns are those of the bill, and none of them sorts.
    table_class = BaseTable
    empty = Empty(
        title=_lazy("No row to look at"), text=_lazy("No row of this bill breaks the rule."), icon="circle-check"
    )

    @cached_property
    def result(self) -> ConformanceResult:
        return get_object_or_404(self.delivery.conformance_results.all(), rule=self.kwargs["rule"])

    def get_queryset(self) -> Any:
        return self.result.examples.get("rows", [])

    def make_table(self, data: Any, **kwargs: Any) -> Any:
        table = conformance_tables.example_table(self.result, request=None, **kwargs)
        table.request = self.request
        return table

    def get_title(self) -> str:
        return _(self.result.sentence)

    def get_subtitle(self) -> str:
        shown = len(self.get_queryset())
        broken = self.result.rows
        if shown < broken:
            words = ngettext(
                "{broken} of {rows} breaks this rule, the {shown} that cost most.",
                "{broken} of {rows} break this rule, the {shown} that cost most.",
                broken,
            )
        else:
            words = ngettext("{broken} of {rows} breaks this rule.", "{broken} of {rows} break this rule.", broken)
        return words.format(broken=number_text(broken), rows=counted(self.result.judged, "row"), shown=shown)

    def get_breadcrumbs(self) -> list[tuple[str, str]]:
        rules = reverse("costs:delivery_conformance", args=[self.delivery.pk])
        return [*super().get_breadcrumbs(), (_("Rules of FOCUS"), rules)]

    def get_export_name(self) -> str:
        return f"{self.result.rule} in delivery {self.kwargs['pk']}"


class CorrectionsPage(ListPage):
    """Adjustments of months that had been invoiced before, and accounts that arrive twice."""

    permission_required = "costs.view_delivery"
    table_class = delivery_tables.CorrectionTable
    title = _lazy("Adjustments")
    subtitle = _lazy("Charges that were invoiced in a later month than the one they belong to.")
    breadcrumbs = ((_lazy("Deliveries"), "costs:deliveries"),)
    empty = Empty(
        title=_lazy("No late corrections"),
        text=_lazy("Every charge was invoiced in the month of its use."),
        icon="circle-check",
    )

    def get_queryset(self) -> Any:
        return restatements.corrections(self.person)


class WithdrawDelivery(_OneDelivery, View):
    """Takes a bill out of the books; the version before it counts again."""

    permission_required = "costs.add_delivery"
    http_method_names = ["post"]

    def post(self, request: HttpRequest, pk: int) -> HttpResponse:
        delivery = self.get_delivery()
        if withdraw_delivery(delivery, self.person):
            delivery.refresh_from_db()
            messages.success(request, labelled(delivery, what_follows(delivery)))
        else:
            messages.info(
                request, _("{delivery} does not count: there is nothing to withdraw.").format(delivery=delivery)
            )
        return redirect(delivery_url(delivery))


class DecideDelivery(_OneDelivery, View):
    """What finance decides about a bill that does not count: `withdraw.decide` lists the decisions."""

    permission_required = "costs.accept_delivery"
    http_method_names = ["post"]

    def post(self, request: HttpRequest, pk: int) -> HttpResponse:
        delivery, decision = self.get_delivery(), request.POST.get("decision", "")
        # Of an unticked box nothing is sent: the form names itself, so that none ticked is none.
        beside = [int(pk) for pk in request.POST.getlist("beside") if pk.isdigit()]
        try:
            sentence = decide(delivery, decision, self.person, beside if "chosen" in request.POST else None)
        except AlreadyDelivered as error:
            messages.warning(request, already_here(error.delivery))
            return redirect(delivery_url(error.delivery))
        except retention.FilesRemoved as error:
            messages.warning(request, str(error))
            return redirect(delivery_url(delivery))
        if sentence:
            messages.success(request, f"{delivery} {sentence}")
        else:
            messages.info(
                request,
                _("{delivery} is {status}: nothing was changed.").format(
                    delivery=delivery, status=delivery.get_status_display()
                ),
            )
        return redirect(delivery_url(delivery))


class FileDownload(_OneDelivery, View):
    """A file of a bill, byte for byte as it was delivered; never shown by the browser, whatever is in it."""

    def get(self, request: HttpRequest, pk: int, file: int) -> HttpResponseBase:
        delivered = get_object_or_404(
            DeliveryFile.objects.select_related("delivery"), delivery=self.get_delivery(), pk=file
        )
        if delivered.delivery.files_removed_at:
            raise Http404(_("The file was {when}.").format(when=retention.removal_words(delivered.delivery)))
        try:
            stream, _size = product_files().open(delivered.place)
        except FileNotFoundError:
            raise Http404(_("The file is not on this server's disk any more.")) from None
        return FileResponse(
            stream, as_attachment=True, filename=delivered.name, content_type="application/octet-stream"
        )


class RetryDelivery(_OneDelivery, View):
    """Puts a failed delivery back in the queue."""

    permission_required = "costs.add_delivery"
    http_method_names = ["post"]

    def post(self, request: HttpRequest, pk: int) -> HttpResponse:
        delivery = self.get_delivery()
        try:
            queued = retry_delivery(delivery)
        except AlreadyDelivered as error:
            messages.warning(request, already_here(error.delivery))
            return redirect(delivery_url(error.delivery))
        except retention.FilesRemoved as error:
            messages.error(request, str(error))
            return redirect(delivery_url(delivery))
        if queued:
            messages.success(request, _("{delivery} is queued again.").format(delivery=delivery))
        else:
            messages.info(
                request, _("{delivery} has not failed: there is nothing to try again.").format(delivery=delivery)
            )
        return redirect(delivery_url(delivery))

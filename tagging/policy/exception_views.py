"""Exceptions from the tag policy: requested by engineering, decided by finance."""

from functools import cached_property
from typing import Any

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.db import IntegrityError
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import redirect
from django.utils import timezone
from django.utils.translation import gettext as _

from finops_site.translation import gettext_lazy as _lazy
from finops_site.ui.pages import DetailPage, Empty, FormPage, ListPage
from tagging.models import TagException, TaggedResource
from tagging.models.reminders import TagExceptionQuerySet
from tagging.policy import exceptions
from tagging.policy.explanations import Explainer
from tagging.policy.forms import DecisionForm, ExceptionForm
from tagging.policy.tables import EXCEPTION_STATES, ExceptionTable

DECIDE = "tagging.decide_tagexception"
CRUMBS = ((_lazy("Tag compliance"), "tagging:overview"), (_lazy("Exceptions"), "tagging:exceptions"))


class ExceptionsPage(ListPage):
    permission_required = "costs.view_costline"
    model = TagException
    title = _lazy("Exceptions")
    subtitle = _lazy("Resources that may do without a tag for some time. Expired ones count again.")
    table_class = ExceptionTable
    breadcrumbs = CRUMBS[:1]
    empty = Empty(
        _lazy("No exceptions"),
        _lazy("Where a resource cannot be tagged, its team asks for an exception on the resource's page."),
        "clock",
    )

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        request.today = timezone.now().date()  # type: ignore[attr-defined]
        return super().dispatch(request, *args, **kwargs)

    def get_queryset(self) -> TagExceptionQuerySet:
        return TagException.objects.visible_to(self.person).select_related("team", "owner")


class RequestException(FormPage):
    permission_required = "tagging.add_tagexception"
    form_class = ExceptionForm
    title = _lazy("Ask for an exception")
    breadcrumbs = CRUMBS
    submit_label = _lazy("Ask finance")
    success_message = _lazy("Finance is asked. Until somebody answers, the resource counts.")

    @cached_property
    def row(self) -> TaggedResource:
        """The resource as the person sees it, the latest month."""
        visible = TaggedResource.objects.visible_to(self.person).filter(key=self.kwargs["key"])
        row = visible.select_related("owner", "tag_set", "verdict").order_by("-charge_month", "-last_day").first()
        if row is None:
            raise Http404
        return row

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        if request.user.is_authenticated:
            _ignored = self.row
        return super().dispatch(request, *args, **kwargs)

    def get_subtitle(self) -> str:
        return str(self.row)

    def get_form_kwargs(self) -> dict[str, Any]:
        wrong = [status.tag for status in Explainer().wrong(self.row)]
        more = {"user": self.person, "row": self.row, "wrong": wrong, "today": timezone.now().date()}
        return {**super().get_form_kwargs(), **more}

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        return super().get_context_data(**{"cancel_url": self.row.get_absolute_url(), **kwargs})

    def form_valid(self, form: ExceptionForm) -> HttpResponse:
        try:
            return super().form_valid(form)
        except IntegrityError:
            form.add_error(None, _("Somebody has requested this at the same moment: finance has not answered yet."))
            return self.form_invalid(form)

    def save(self, form: ExceptionForm) -> TagException:
        return exceptions.request_exception(form.save(commit=False), self.row)


class ExceptionPage(DetailPage):
    """One exception; who may decide answers it here."""

    permission_required = "costs.view_costline"
    model = TagException
    template_name = "tagging/exception.html"
    breadcrumbs = CRUMBS

    def get_queryset(self) -> TagExceptionQuerySet:
        return TagException.objects.visible_to(self.person).select_related("team", "owner", "decided_by")

    def get_title(self) -> str:
        return self.object.resource_name or self.object.resource or _("Exception")

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        may = self.person.has_perm(DECIDE)
        state = self.object.state_on(timezone.now().date())
        context = {
            "state": EXCEPTION_STATES[state],
            "may_answer": may and state == "requested",
            "may_end": may and state == "approved",
            "form": DecisionForm(),
        }
        return super().get_context_data(**{**context, **kwargs})

    def post(self, request: HttpRequest, pk: int) -> HttpResponse:
        self.object = self.get_object()
        if not request.user.has_perm(DECIDE):
            raise PermissionDenied
        form = DecisionForm(request.POST)
        if not form.is_valid():
            messages.error(request, _("The answer is too long: a thousand characters at most."))
            return redirect(self.object)
        try:
            row = exceptions.decide_exception(
                self.object.pk,
                request.POST.get("verb", ""),
                user=self.person,
                answer=form.cleaned_data["answer"],
                now=timezone.now(),
            )
        except exceptions.CannotDecide as problem:
            messages.error(request, str(problem))
        else:
            messages.success(request, _("The exception is {state}.").format(state=row.get_state_display()))
        return redirect(self.object)

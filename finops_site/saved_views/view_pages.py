"""The pages of saved views: one's list, keeping one, its settings, and the buttons of both."""

from collections.abc import Callable
from functools import cached_property
from typing import Any

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.db.models import Exists, OuterRef, QuerySet
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils import timezone
from django.utils.http import url_has_allowed_host_and_scheme
from django.utils.translation import gettext as _
from django.views.generic import View

from finops_site.lib.words import counted
from finops_site.models import SavedView, ViewMail, ViewPin
from finops_site.saved_views import keep_views
from finops_site.saved_views.forms import SavedViewForm
from finops_site.saved_views.opened_pages import page_label, read_address
from finops_site.saved_views.sharing import CannotSave, NotYours, may_stop_sharing, stop_sharing
from finops_site.saved_views.tables import SavedViewTable
from finops_site.translation import gettext_lazy as _lazy
from finops_site.ui.pages import Action, Empty, FormPage, ListPage, Page

EXPLORE = Action(_lazy("Open the cost explorer"), "costs:explorer", "chart-bar", "costs.view_costline", primary=True)

FIXED_DAYS = _lazy("Its days stay as they are: choose a period by its name for one that moves on. ")


class SavedViewsPage(ListPage):
    """Hers and those shared with her."""

    permission_required = None
    model = SavedView
    title = _lazy("Saved views")
    subtitle = _lazy(
        "A page with its filters, order and grouping under a name. Whoever opens one sees her own rows in it."
    )
    table_class = SavedViewTable
    can_be_saved = False
    empty = Empty(
        _lazy("No saved view yet"),
        _lazy("Set the filters of the cost explorer or of any list as you like them, and choose Views, Save."),
        "bookmark",
        EXPLORE,
    )

    def get_queryset(self) -> QuerySet[SavedView]:
        of_her = {"user": self.person, "view": OuterRef("pk")}
        rows = super().get_queryset().select_related("owner", "team")
        return rows.annotate(
            is_pinned=Exists(ViewPin.objects.filter(**of_her)), is_mailed=Exists(ViewMail.objects.filter(**of_her))
        )


class _ViewForm(FormPage):
    permission_required = None
    model = SavedView
    form_class = SavedViewForm
    breadcrumbs = ((_lazy("Saved views"), "saved_views"),)
    cancel_url_name = "saved_views"

    def get_form_kwargs(self) -> dict[str, Any]:
        return {"instance": None, **super().get_form_kwargs(), "user": self.person}

    def form_valid(self, form: SavedViewForm) -> HttpResponse:
        try:
            return super().form_valid(form)
        except CannotSave as error:
            form.add_error(None, str(error))
            return self.form_invalid(form)

    def save(self, form: SavedViewForm) -> SavedView:
        chosen = form.cleaned_data
        view = keep_views.save_all(
            *(form.instance, self.person, chosen.get("address", ""), chosen["pinned"], form.schedule, timezone.now())
        )
        messages.success(self.request, _("{view} is saved.").format(view=view))
        return view

    def get_success_url(self) -> str:
        return str(self.saved.open_url)


class KeepViewPage(_ViewForm):
    """Keeps what a page shows: `address` is that page's."""

    title = _lazy("Save this view")
    parameters = ("address",)

    def get_initial(self) -> dict[str, Any]:
        return {"address": self.request.GET.get("address", "")}

    def get_subtitle(self) -> str:
        address = self.request.POST.get("address") or self.request.GET.get("address", "")
        try:
            path, query = read_address(self.person, address)
        except CannotSave as error:
            return str(error)
        text = _("{page}. Only you find it, unless you share it.")
        if "from=" in query:
            text = _(
                "{page}. Its days stay as they are: choose a period by its name for one that moves on. "
                "Only you find it, unless you share it."
            )
        return text.format(page=page_label(path))


class ViewSettingsPage(_ViewForm):
    """Name and sharing for its owner; pin and mail for everybody who sees it."""

    template_name = "saved_views/settings.html"

    def get_title(self) -> str:
        return SavedView.objects.get(pk=self.object.pk).name

    def get_subtitle(self) -> str:
        return page_label(self.object.path)

    def get_initial(self) -> dict[str, Any]:
        return keep_views.shown_of(self.object, self.person)

    def get_success_url(self) -> str:
        return reverse("saved_views")

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        stored = SavedView.objects.select_related("owner", "team").get(pk=self.object.pk)
        is_owner = stored.owner_id == self.person.pk
        return super().get_context_data(
            stored=stored,
            is_owner=is_owner,
            can_stop_sharing=stored.is_shared and not is_owner and may_stop_sharing(stored, self.person),
            used_text=used_text(stored) if is_owner else "",
            **kwargs,
        )


def used_text(view: SavedView) -> str:
    """Where else a view is, before it is deleted: ``It is on 2 home pages and 1 dashboard, and goes there too.``"""
    places = [
        counted(view.pins.count(), "home page"),
        counted(view.mails.count(), "mail"),
        counted(view.dashboard_items.count(), "dashboard"),
    ]
    return _("It is in {homes}, {mails} and on {dashboards}, and goes there too.").format(
        homes=places[0], mails=places[1], dashboards=places[2]
    )


class ActOnView(Page, View):
    """The buttons: pin, unpin, keep what the page shows now, stop sharing, delete."""

    permission_required = None

    @cached_property
    def verbs(self) -> dict[str, Callable[[SavedView], str]]:
        return {
            "pin": self._pin,
            "unpin": self._unpin,
            "update": self._update,
            "stop-sharing": self._stop_sharing,
            "delete": self._delete,
        }

    def post(self, request: HttpRequest, pk: int, verb: str) -> HttpResponse:
        view = SavedView.objects.visible_to(self.person).filter(pk=pk).first()
        if view is None or verb not in self.verbs:
            raise Http404
        try:
            messages.success(request, self.verbs[verb](view))
        except NotYours as error:
            raise PermissionDenied(str(error)) from None
        except CannotSave as error:
            messages.error(request, str(error))
        if verb == "update":
            return redirect(SavedView.objects.get(pk=pk).open_url)
        back = request.POST.get("back", "")
        is_ours = url_has_allowed_host_and_scheme(back, allowed_hosts=None) and back.startswith("/")
        return redirect(back if is_ours else reverse("saved_views"))

    def _pin(self, view: SavedView) -> str:
        keep_views.pin(view, self.person, timezone.now())
        return _("{view} is on your home page.").format(view=view)

    def _unpin(self, view: SavedView) -> str:
        keep_views.unpin(view, self.person)
        return _("{view} is not on your home page any more.").format(view=view)

    def _update(self, view: SavedView) -> str:
        keep_views.save_view(view, self.person, self.request.POST.get("address", ""))
        return _("{view} is saved as it is now.").format(view=view)

    def _stop_sharing(self, view: SavedView) -> str:
        stop_sharing(view, self.person)
        return _("{view} is not shared any more.").format(view=view)

    def _delete(self, view: SavedView) -> str:
        keep_views.delete_view(view, self.person)
        return _("{view} is deleted.").format(view=view)

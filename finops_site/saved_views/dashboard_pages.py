"""The pages of dashboards: one's list, a dashboard, and setting what stands on it."""

from typing import Any

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.db.models import Count, QuerySet
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.generic import View

from finops_site.models import Dashboard, DashboardItem, SavedView
from finops_site.registry import Panel, registry
from finops_site.saved_views import dashboards
from finops_site.saved_views.forms import DashboardForm
from finops_site.saved_views.home_panel import PinnedView, view_of
from finops_site.saved_views.sharing import CannotSave, NotYours, may_stop_sharing, stop_sharing
from finops_site.saved_views.tables import DashboardTable
from finops_site.translation import gettext_lazy as _lazy
from finops_site.ui.pages import Action, DetailPage, Empty, FormPage, ListPage, Page

ADD = Action(_lazy("Make a dashboard"), "dashboard_add", "plus", primary=True)


class DashboardsPage(ListPage):
    permission_required = None
    model = Dashboard
    title = _lazy("Dashboards")
    subtitle = _lazy("Saved views and panels of the home page together. Whoever opens one sees her own rows in it.")
    table_class = DashboardTable
    can_be_saved = False
    actions = (ADD,)
    empty = Empty(
        _lazy("No dashboard yet"),
        _lazy("Make one of your saved views and of the panels of the home page, for yourself or for your team."),
        "layout-dashboard",
        ADD,
    )

    def get_queryset(self) -> QuerySet[Dashboard]:
        rows = super().get_queryset().select_related("owner", "team")
        return rows.annotate(item_count=Count("items"))


class DashboardPage(DetailPage):
    """Each item with what this person may see of it; what she may not see is left out, and counted."""

    permission_required = None
    model = Dashboard
    template_name = "saved_views/dashboard.html"
    breadcrumbs = ((_lazy("Dashboards"), "dashboards"),)

    def get_actions(self) -> list[Action]:
        if self.object.owner_id != self.person.pk:
            return []
        return [Action(_("Edit"), "dashboard_edit", "pencil", args=(self.object.pk,))]

    def get_subtitle(self) -> str:
        shared = (
            _("Shared with {whom}.").format(whom=self.object.shared_text)
            if self.object.is_shared
            else _("Only you see it.")
        )
        return (
            shared
            if self.object.owner_id == self.person.pk
            else _("By {owner}. {shared}").format(owner=self.object.owner, shared=shared)
        )

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        items = list(self.object.items.all())
        views = {view.pk: view for view in self._views(items)}
        panels = {panel.name: panel for panel in registry.allowed(Panel, self.person)}
        drawn, hidden = [], 0
        for item in items:
            if item.view_id in views:
                drawn.append(self._view(view_of(self.person, views[item.view_id])))
            elif item.panel in panels:
                drawn.append(self._panel(panels[item.panel]))
            else:
                hidden += 1
        is_owner = self.object.owner_id == self.person.pk
        private = [view for view in views.values() if not view.is_shared] if self.object.is_shared else []
        return super().get_context_data(
            items=[text for text in drawn if text],
            hidden=hidden,
            is_owner=is_owner,
            private=private if is_owner else [],
            can_stop_sharing=self.object.is_shared and not is_owner and may_stop_sharing(self.object, self.person),
            **kwargs,
        )

    def _views(self, items: list[DashboardItem]) -> QuerySet[SavedView]:
        rows = SavedView.objects.visible_to(self.person).filter(pk__in=[item.view_id for item in items if item.view_id])
        return rows.select_related("owner")

    def _view(self, view: PinnedView) -> str:
        return render_to_string("saved_views/view_card.html", {"pinned": view}, request=self.request)

    def _panel(self, panel: Panel) -> str:
        context = panel.context(self.request)
        if context is None:
            return ""
        return render_to_string(panel.template, {"panel": panel, **context}, request=self.request)


class DashboardFormPage(FormPage):
    """Its name and sharing; what stands on it is set beside."""

    permission_required = None
    model = Dashboard
    form_class = DashboardForm
    template_name = "saved_views/dashboard_form.html"
    breadcrumbs = ((_lazy("Dashboards"), "dashboards"),)
    cancel_url_name = "dashboards"

    def get_title(self) -> str:
        return Dashboard.objects.get(pk=self.object.pk).name if self.object else _("Make a dashboard")

    def get_form_kwargs(self) -> dict[str, Any]:
        if self.object and self.object.owner_id != self.person.pk:
            raise PermissionDenied
        return {"instance": None, **super().get_form_kwargs(), "user": self.person}

    def form_valid(self, form: DashboardForm) -> HttpResponse:
        try:
            return super().form_valid(form)
        except CannotSave as error:
            form.add_error(None, str(error))
            return self.form_invalid(form)

    def save(self, form: DashboardForm) -> Dashboard:
        dashboard = dashboards.save_dashboard(form.instance, self.person)
        messages.success(self.request, _("{dashboard} is saved.").format(dashboard=dashboard))
        return dashboard

    def get_success_url(self) -> str:
        name = "dashboard" if self.object else "dashboard_edit"
        return reverse(name, args=[self.saved.pk])

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        if self.object is None:
            return super().get_context_data(**kwargs)
        items = list(self.object.items.select_related("view"))
        rows = [
            (dashboards.item_key(item), item.view.name if item.view else dashboards.panel_label(item.panel))
            for item in items
        ]
        there = {key for key, _ignored in rows}
        offered = [choice for choice in dashboards.item_choices(self.person) if choice[0] not in there]
        return super().get_context_data(rows=rows, offered=offered, **kwargs)


class ActOnDashboard(Page, View):
    """The buttons: add, up, down, remove an item; stop sharing, delete."""

    permission_required = None

    def post(self, request: HttpRequest, pk: int, verb: str) -> HttpResponse:
        dashboard = Dashboard.objects.visible_to(self.person).select_related("owner").filter(pk=pk).first()
        if dashboard is None or verb not in ("add", "up", "down", "remove", "stop-sharing", "delete"):
            raise Http404
        try:
            self._act(dashboard, verb, request.POST.get("item", ""))
        except NotYours as error:
            raise PermissionDenied(str(error)) from None
        except CannotSave as error:
            messages.error(request, str(error))
        if verb in ("delete", "stop-sharing"):
            return redirect("dashboards")
        return redirect(f"{reverse('dashboard_edit', args=[pk])}#items")

    def _act(self, dashboard: Dashboard, verb: str, key: str) -> None:
        if verb == "add":
            dashboards.add_item(dashboard, self.person, key)
        elif verb in ("up", "down"):
            dashboards.move_item(dashboard, self.person, key, -1 if verb == "up" else 1)
        elif verb == "remove":
            dashboards.remove_item(dashboard, self.person, key)
        elif verb == "stop-sharing":
            stop_sharing(dashboard, self.person)
            messages.success(self.request, _("{dashboard} is not shared any more.").format(dashboard=dashboard))
        else:
            dashboards.delete_dashboard(dashboard, self.person)
            messages.success(self.request, _("{dashboard} is deleted.").format(dashboard=dashboard))

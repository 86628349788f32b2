"""Pages of roles: what each may do beside the others, and one that an administrator makes, changes or deletes."""

from functools import cached_property
from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.urls import reverse_lazy
from django.utils.translation import gettext as _
from django.views.generic import TemplateView, View

from finops_site.models import OwnRole, User
from finops_site.own_roles.abilities import RoleColumn, areas, role_columns
from finops_site.own_roles.changes import CannotChangeRole, delete_role, save_role
from finops_site.own_roles.cost_scopes import scope_text
from finops_site.own_roles.forms import OwnRoleForm, shown_scope
from finops_site.people.roles import all_roles, shown_role
from finops_site.translation import gettext_lazy as _lazy
from finops_site.ui.pages import Action, FormPage, Page

PEOPLE = ((_lazy("People"), "people"),)
ADD = Action(_lazy("Make a role"), "role_add", "plus", "finops_site.add_ownrole", primary=True)


def sees_text(column: RoleColumn) -> str:
    """Whose cost the people of a role see."""
    if "company" in column.abilities:
        return _("the whole company")
    scope = scope_text(column.cost_scope)
    return _("what their teams own, and cost {scope}").format(scope=scope) if scope else _("what their teams own")


class RolesPage(Page, TemplateView):
    """Open to who makes roles: what each may do, the built-in ones and her own side by side."""

    template_name = "roles.html"
    permission_required = "finops_site.view_ownrole"
    title = _lazy("Roles")
    subtitle = _lazy("What each role lets its people see and do. A person has one.")
    breadcrumbs = PEOPLE
    actions = (ADD,)

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        columns = role_columns()
        rows = [
            {
                "area": area.name,
                "abilities": [
                    {"label": one.label, "held": [one.name in column.abilities for column in columns]}
                    for one in area.abilities
                ],
            }
            for area in areas()
        ]
        return super().get_context_data(
            columns=[
                {
                    "role": column,
                    "title": shown_role(column.name),
                    "base": shown_role(column.base),
                    "sees": sees_text(column),
                }
                for column in columns
            ],
            areas=rows,
            **kwargs,
        )


class RolePage(FormPage):
    template_name = "role.html"
    permission_required = ("finops_site.add_ownrole", "finops_site.change_ownrole")
    model = OwnRole
    form_class = OwnRoleForm
    breadcrumbs = (*PEOPLE, (_lazy("Roles"), "roles"))
    parameters = ("like",)
    cancel_url_name = "roles"
    success_url = reverse_lazy("roles")
    subtitle = _lazy("Its people have what it says with their next click.")

    def get_title(self) -> str:
        return self.object.group.name if self.object else _("Make a role")

    @property
    def parameter_values(self) -> dict[str, list[str]]:
        """It begins as a copy of any role that there is."""
        return {"like": list(all_roles())}

    @cached_property
    def model_role(self) -> RoleColumn | None:
        """The role that a new one is a copy of."""
        like = "" if self.object else self.request.GET.get("like", "")
        return next((one for one in role_columns() if one.name == like), None) if like else None

    def get_initial(self) -> dict[str, Any]:
        copied = self.model_role
        if copied is None:
            return {}
        return {
            "base": copied.base,
            "abilities": sorted(copied.abilities),
            "description": copied.description,
            **({} if copied.is_built_in else shown_scope(copied.cost_scope)),
        }

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        context = super().get_context_data(**kwargs)
        people = (
            User.objects.filter(groups=self.object.group_id).order_by("email") if self.object else User.objects.none()
        )
        return {**context, "people": people, "copied": shown_role(self.model_role.name) if self.model_role else ""}

    def save(self, form: OwnRoleForm) -> OwnRole | None:
        role = save_role(form.wish(), by=self.person, role=self.object)
        messages.success(self.request, _("The role {role} is saved.").format(role=role.group.name))
        return role

    def form_valid(self, form: Any) -> HttpResponse:
        try:
            return super().form_valid(form)
        except CannotChangeRole as error:
            form.add_error(None, str(error))
            return self.form_invalid(form)


class DeleteRole(Page, View):
    permission_required = "finops_site.delete_ownrole"

    def post(self, request: HttpRequest, pk: int) -> HttpResponse:
        role = get_object_or_404(OwnRole.objects.visible_to(self.person).select_related("group"), pk=pk)
        name = role.group.name
        try:
            delete_role(role, by=self.person)
        except CannotChangeRole as error:
            messages.error(request, str(error))
            return redirect("role", pk)
        messages.success(request, _("The role {role} is deleted.").format(role=name))
        return redirect("roles")

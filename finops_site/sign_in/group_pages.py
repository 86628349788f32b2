"""Pages of what groups of an identity provider give: the list, and one of them."""

import django_tables2
from django.contrib import messages
from django.db.models import QuerySet
from django.urls import reverse, reverse_lazy
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _

from finops_site.models import GroupMapping
from finops_site.people.roles import shown_role
from finops_site.sign_in.group_forms import GroupMappingPageForm, provider_names
from finops_site.sign_in.group_grants import delete_mapping, save_mapping
from finops_site.translation import gettext_lazy as _lazy
from finops_site.ui.pages import Action, Empty, FormPage, ListPage
from finops_site.ui.tables import BaseTable

ADD = Action(_lazy("Add a group"), "group_mapping_add", "plus", "finops_site.add_groupmapping", primary=True)
PEOPLE = ((_lazy("People"), "people"),)


class GroupMappingTable(BaseTable):
    group = django_tables2.Column(_lazy("Group"))
    provider = django_tables2.Column(_lazy("Provider"), empty_values=())
    role = django_tables2.Column(_lazy("Role"), empty_values=())
    team = django_tables2.Column(_lazy("Team"))
    team_role = django_tables2.Column(_lazy("Lead or member"), empty_values=(), orderable=False)

    class Meta(BaseTable.Meta):
        fields = ()
        caption = _lazy("Groups of a sign-in")

    def render_group(self, record: GroupMapping) -> SafeString:
        return format_html('<a href="{}">{}</a>', reverse("group_mapping", args=[record.pk]), record.group)

    def value_group(self, record: GroupMapping) -> str:
        return record.group

    def render_provider(self, record: GroupMapping) -> str:
        return provider_names().get(record.provider, record.provider) or _("every provider")

    def value_provider(self, record: GroupMapping) -> str:
        return record.provider

    def render_role(self, record: GroupMapping) -> str:
        return shown_role(record.role) if record.role else _("none")

    def value_role(self, record: GroupMapping) -> str:
        return record.role

    def render_team_role(self, record: GroupMapping) -> str:
        return record.get_team_role_display() if record.team_id else ""

    def value_team_role(self, record: GroupMapping) -> str:
        return record.team_role if record.team_id else ""


class GroupMappingsPage(ListPage):
    permission_required = "finops_site.view_groupmapping"
    title = _lazy("Groups of a sign-in")
    subtitle = _lazy(
        "What a group of your identity provider gives its people here. It comes and goes with the group at each "
        "sign-in; what was given by hand stays."
    )
    breadcrumbs = PEOPLE
    actions = (ADD,)
    table_class = GroupMappingTable
    export_name = "sign-in-groups"
    empty = Empty(
        _lazy("No group gives anything yet"),
        _lazy("Who signs in by a provider has no role until a group or an administrator gives her one."),
        "users",
        ADD,
    )

    def get_queryset(self) -> QuerySet[GroupMapping]:
        return GroupMapping.objects.select_related("team").order_by("group", "pk")


class GroupMappingPage(FormPage):
    permission_required = ("finops_site.add_groupmapping", "finops_site.change_groupmapping")
    model = GroupMapping
    form_class = GroupMappingPageForm
    breadcrumbs = (*PEOPLE, (_lazy("Groups of a sign-in"), "group_mappings"))
    cancel_url_name = "group_mappings"
    success_url = reverse_lazy("group_mappings")
    subtitle = _lazy("An administrator's role is given by a group that you name here, and by no other.")

    def get_title(self) -> str:
        return GroupMapping.objects.get(pk=self.object.pk).group if self.object else _("Add a group")

    def save(self, form: GroupMappingPageForm) -> GroupMapping:
        mapping: GroupMapping = form.instance
        if form.cleaned_data.get("remove"):
            delete_mapping(GroupMapping.objects.get(pk=mapping.pk))
            messages.success(self.request, _("{group} gives that no more.").format(group=mapping.group))
        else:
            save_mapping(mapping)
            messages.success(self.request, _("{group} is saved.").format(group=mapping.group))
        return mapping

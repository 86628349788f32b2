"""The admin of the site: facts that nobody edits, and people, of whom none may promote herself.

A save in the admin goes through the same service as one on the page: an editable model's admin calls it in its
`save_model` and `delete_model`. tests/test_admin_edits.py edits each of them and sees the effect.
"""

from functools import cached_property
from typing import Any

from allauth.socialaccount.models import SocialAccount, SocialApp, SocialToken
from allauth.usersessions.models import UserSession
from axes.admin import AccessAttemptAdmin as PackagedAccessAttemptAdmin
from axes.models import AccessAttempt
from django import forms
from django.contrib import admin, messages
from django.contrib.auth import admin as _groups_are_registered_there  # noqa: F401
from django.contrib.auth.models import Group
from django.core.paginator import Paginator
from django.db.models import ManyToManyField, Model, QuerySet
from django.http import HttpRequest
from django.utils import timezone
from django.utils.translation import gettext as _
from django_celery_beat.admin import PeriodicTaskAdmin as PackagedPeriodicTaskAdmin
from django_celery_beat.models import PeriodicTask
from unfold.admin import ModelAdmin, TabularInline

from finops_site.lib.person import Person
from finops_site.mail import invitations
from finops_site.models import (
    ApiToken,
    AuditEntry,
    Dashboard,
    GroupMapping,
    Membership,
    OutgoingEmail,
    OwnRole,
    SavedView,
    Team,
    User,
)
from finops_site.own_roles.changes import save_role, why_not_change_role
from finops_site.own_roles.forms import OwnRoleForm
from finops_site.people.leaving import leave
from finops_site.people.roles import ROLES, all_roles, role_of_groups, shown_role
from finops_site.people.signed_in import signed_in_user
from finops_site.sign_in.group_forms import GroupMappingForm
from finops_site.sign_in.group_grants import delete_mapping, save_mapping
from finops_site.translation import gettext_lazy as _lazy

MOST_ROWS = 1_000
# What the packages register is either shown in our style below or, like groups, kept elsewhere (roles.py).
for packaged in (Group, AccessAttempt, PeriodicTask, SocialAccount, SocialApp, SocialToken, UserSession):
    admin.site.unregister(packaged)


class FirstRows(Paginator):
    """Pages over the first rows only: counting millions takes seconds, and so does skipping them."""

    @cached_property
    def count(self) -> int:
        return len(self.object_list.order_by().values_list("pk")[:MOST_ROWS])  # type: ignore[attr-defined]


class FactAdmin(ModelAdmin):
    """Facts are looked at and never edited, by anybody; the role says who may look, `visible_to` at which rows."""

    show_full_result_count = False
    paginator = FirstRows
    list_per_page = 50
    list_max_show_all = 0

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False

    def get_queryset(self, request: HttpRequest) -> QuerySet:
        return self.visible(super().get_queryset(request), signed_in_user(request))

    def visible(self, rows: QuerySet, user: Person) -> QuerySet:
        """What is of whole bills is for those who see the whole company."""
        return rows if user.sees_whole_company else rows.none()


class MembershipInline(TabularInline):
    model = Membership
    extra = 0
    autocomplete_fields = ["user", "team"]


class PersonForm(forms.ModelForm):
    """A person and her role; the passwords of others are not for administrators to know or to set."""

    class Meta:
        model = User
        fields = ["email", "name", "language", "time_zone", "is_active", "groups"]
        widgets = {"groups": forms.CheckboxSelectMultiple}
        labels = {"groups": _lazy("Role")}
        help_texts = {
            "groups": _lazy("Finance: money; engineering: its teams; executives read; administrators run the system.")
        }

    def clean_groups(self) -> QuerySet[Group]:
        """A role that an administrator made stands alone: what it leaves out no other role brings back."""
        groups: QuerySet[Group] = self.cleaned_data["groups"]
        if len(groups) > 1 and any(group.name not in ROLES for group in groups):
            raise forms.ValidationError(_("A role that an administrator made stands alone: choose no other beside it."))
        return groups


@admin.register(User)
class UserAdmin(ModelAdmin):
    """People are invited, given roles and switched off, never deleted: the audit log names them."""

    form = PersonForm
    list_display = ["email", "name", "role", "is_active", "last_login"]
    list_filter = ["groups", "is_active"]
    search_fields = ["email", "name"]
    inlines = [MembershipInline]
    readonly_fields = ["last_login", "date_joined"]
    actions = ["send_link"]

    def get_queryset(self, request: HttpRequest) -> QuerySet:
        return super().get_queryset(request).prefetch_related("groups__own_role")

    @admin.display(description="role")
    def role(self, user: User) -> str:
        return shown_role(role_of_groups(user.groups.all()))

    def get_readonly_fields(self, request: HttpRequest, obj: User | None = None) -> list[str]:
        """Nobody changes her own role or switches herself off; only a superuser touches a superuser."""
        is_fixed = obj is not None and invitations.why_not_change(signed_in_user(request), obj)
        return [*self.readonly_fields, *(["groups", "is_active"] if is_fixed else [])]

    def has_change_permission(self, request: HttpRequest, obj: User | None = None) -> bool:
        above = obj is not None and obj.is_superuser and not signed_in_user(request).is_superuser
        return not above and super().has_change_permission(request, obj)

    def has_delete_permission(self, request: HttpRequest, obj: User | None = None) -> bool:
        return False

    def formfield_for_manytomany(self, db_field: ManyToManyField, request: HttpRequest, **kwargs: Any) -> Any:
        if db_field.name == "groups":
            kwargs["queryset"] = Group.objects.filter(name__in=all_roles()).order_by("name")
        return super().formfield_for_manytomany(db_field, request, **kwargs)

    def save_model(self, request: HttpRequest, obj: User, form: forms.ModelForm, change: bool) -> None:
        if not change:
            obj.set_unusable_password()
        super().save_model(request, obj, form, change)
        if change and "is_active" in form.changed_data and not obj.is_active:
            leave(obj)

    def save_related(self, request: HttpRequest, form: forms.ModelForm, formsets: Any, change: bool) -> None:
        """The mail names her role and her teams, so it is written after them."""
        super().save_related(request, form, formsets, change)
        if not change:
            self._invite(request, [form.instance])

    @admin.action(description=_lazy("Send a link to choose a password"), permissions=["change"])
    def send_link(self, request: HttpRequest, people: QuerySet) -> None:
        self._invite(request, [person for person in people if person.is_active])

    def _invite(self, request: HttpRequest, people: list[User]) -> None:
        for person in people:
            invitations.send_invitation(person, timezone.now())
        names = ", ".join(person.email for person in people) or _("nobody: they are switched off")
        self.message_user(
            request, _("A link to choose a password was sent to {names}.").format(names=names), messages.SUCCESS
        )


@admin.register(Team)
class TeamAdmin(ModelAdmin):
    list_display = ["name", "cost_center", "parent", "leads", "email"]
    list_select_related = ["parent"]
    search_fields = ["name", "cost_center"]
    autocomplete_fields = ["parent"]
    inlines = [MembershipInline]

    def get_queryset(self, request: HttpRequest) -> QuerySet:
        teams = super().get_queryset(request).prefetch_related("memberships__user")
        return teams.visible_to(signed_in_user(request))

    @admin.display(description="leads")
    def leads(self, team: Team) -> str:
        lead = Membership.Role.LEAD
        return ", ".join(str(member.user) for member in team.memberships.all() if member.role == lead)


@admin.register(GroupMapping)
class GroupMappingAdmin(ModelAdmin):
    """What a group of an identity provider gives: saved as on its page, for those who are in the group too."""

    form = GroupMappingForm
    fields = ["provider", "group", "role", "team", "team_role"]
    list_display = ["group", "provider", "role", "team", "team_role"]
    list_select_related = ["team"]
    search_fields = ["group"]

    def save_model(self, request: HttpRequest, obj: GroupMapping, form: GroupMappingForm, change: bool) -> None:
        save_mapping(obj)

    def delete_model(self, request: HttpRequest, obj: GroupMapping) -> None:
        delete_mapping(obj)

    def delete_queryset(self, request: HttpRequest, queryset: QuerySet[GroupMapping]) -> None:
        for mapping in queryset:
            delete_mapping(mapping)


@admin.register(OwnRole)
class OwnRoleAdmin(ModelAdmin):
    """Roles that administrators make: saved as on their page, and deleted while nobody has them."""

    form = OwnRoleForm
    fields = [
        *("name", "description", "base", "abilities"),
        *("accounts", "account_groups", "tag_key", "tag_values", "sources"),
    ]
    list_display = ["group", "base", "description"]
    list_select_related = ["group"]
    search_fields = ["group__name"]
    actions = None

    def has_change_permission(self, request: HttpRequest, obj: OwnRole | None = None) -> bool:
        is_hers = obj is not None and why_not_change_role(signed_in_user(request), obj)
        return not is_hers and super().has_change_permission(request, obj)

    def has_delete_permission(self, request: HttpRequest, obj: OwnRole | None = None) -> bool:
        """On the page and by the API, which say who has it; a list deletes none."""
        return False

    def save_model(self, request: HttpRequest, obj: OwnRole, form: OwnRoleForm, change: bool) -> None:
        saved = save_role(form.wish(), by=signed_in_user(request), role=obj if change else None)
        obj.pk, obj.group = saved.pk, saved.group


@admin.register(ApiToken)
class ApiTokenAdmin(FactAdmin):
    """Which tokens there are, what they may do and when they were used; deleting one ends it."""

    list_display = ["name", "user", "scope", "pillars", "created_at", "expires_at", "last_used_at"]
    list_filter = ["scope"]
    search_fields = ["name", "user__email"]
    list_select_related = ["user"]
    exclude = ["key_hash"]

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return super(FactAdmin, self).has_delete_permission(request, obj)

    def visible(self, rows: QuerySet, user: Person) -> QuerySet:
        return rows if user.has_perm("finops_site.view_apitoken") else rows.none()


@admin.register(SocialAccount)
class SocialAccountAdmin(FactAdmin):
    """Who is tied to which account of a provider; deleting one lets another account have her address."""

    list_display = ["user", "provider", "uid", "date_joined", "last_login"]
    list_filter = ["provider"]
    search_fields = ["user__email", "uid"]
    list_select_related = ["user"]

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return super(FactAdmin, self).has_delete_permission(request, obj)

    def visible(self, rows: QuerySet, user: Person) -> QuerySet:
        return rows if user.has_perm("socialaccount.view_socialaccount") else rows.none()


@admin.register(AccessAttempt)
class AccessAttemptAdmin(PackagedAccessAttemptAdmin, ModelAdmin):
    """Sign-ins that failed; deleting one lets the person try again."""

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False


@admin.register(PeriodicTask)
class PeriodicTaskAdmin(PackagedPeriodicTaskAdmin, ModelAdmin):
    """When the nightly work is done; what it does is written in the code, and no form names another task for it."""

    form = forms.ModelForm
    fieldsets = (
        (None, {"fields": ("name", "task", "enabled", "description")}),
        (_lazy("Schedule"), {"fields": ("interval", "crontab", "crontab_translation", "last_run_at")}),
    )
    readonly_fields = ("name", "task", "crontab_translation", "last_run_at")
    actions = ["enable_tasks", "disable_tasks", "run_tasks"]


@admin.register(OutgoingEmail)
class OutgoingEmailAdmin(FactAdmin):
    """Which email went to whom, and its outcome; its content stays between the two."""

    list_display = ["created_at", "to", "subject", "outcome", "attempts", "sent_at", "server_reply"]
    list_filter = ["outcome"]
    search_fields = ["to", "subject", "key"]
    exclude = ["content"]

    def visible(self, rows: QuerySet, user: Person) -> QuerySet:
        return rows.defer("content")


@admin.register(SavedView, Dashboard)
class SharedAdmin(FactAdmin):
    """Saved views and dashboards as their readers find them: their pages change them."""

    list_display = ["name", "owner", "team", "with_company", "created_at"]
    list_filter = ["with_company"]
    search_fields = ["name"]

    def visible(self, rows: QuerySet, user: Person) -> QuerySet:
        return rows.visible_to(user)  # type: ignore[attr-defined]


@admin.register(AuditEntry)
class AuditEntryAdmin(FactAdmin):
    """Who changed what, from what to what, when and from where; the page /audit/ has it with its search."""

    list_display = ["at", "who", "action", "model", "name", "door", "through", "address"]
    list_filter = ["action", "door"]
    search_fields = ["name", "who", "model"]
    exclude = ["actor", "digest", "hash"]

    def visible(self, rows: QuerySet, user: Person) -> QuerySet:
        return rows.visible_to(user)  # type: ignore[attr-defined]

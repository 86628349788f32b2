"""Who may do what, as Django asks: by role and by nothing else."""

from typing import Any

from allauth.mfa.models import Authenticator
from django.conf import settings
from django.contrib.auth.backends import ModelBackend
from django.contrib.auth.base_user import AbstractBaseUser
from django.contrib.auth.models import Group, Permission
from django.contrib.postgres.expressions import ArraySubquery
from django.core.exceptions import PermissionDenied
from django.db.models import Count, Exists, OuterRef, QuerySet, Subquery
from django.db.models.functions import JSONObject
from django.http import HttpRequest

from finops_site.models import Company, DemoCompany, Notification, OwnRole, User
from finops_site.people.demo_rows import demo_steps

COMPANY = ("name", "currency", "language", "time_zone")


def password_opens_for(email: str) -> bool:
    """Whether somebody may sign in with a password: everybody, or where that is switched off who breaks the glass."""
    return settings.FINOPS_PASSWORD_SIGN_IN or email.lower() in {name.lower() for name in settings.FINOPS_BREAK_GLASS}


class PasswordDoor:
    """Stands before those that look at passwords, and ends the search for whom a password does not open.

    No `BaseBackend`: it knows nobody, and a session that named it would be nobody's.
    """

    def authenticate(self, request: HttpRequest | None, **credentials: Any) -> None:
        address = credentials.get("email") or credentials.get("username") or ""
        if "password" in credentials and not password_opens_for(address):
            raise PermissionDenied


class RoleBackend(ModelBackend):
    """Permissions come with roles (people/roles.py): nobody holds one of her own, so no page asks for any."""

    def get_user(self, user_id: Any) -> User | None:
        """The person of a session, and in the same question what every page asks: her roles, the company, a demo,
        and how many notifications she has not read."""
        unread = Notification.objects.filter(user=OuterRef("pk")).unread().order_by().values("user")
        user = (
            User.objects.filter(pk=user_id)
            .annotate(
                role_names=ArraySubquery(Group.objects.filter(user=OuterRef("pk")).values("name")),
                own_roles=ArraySubquery(
                    OwnRole.objects.filter(group__user=OuterRef("pk"))
                    .order_by("group__name")
                    .values(row=JSONObject(name="group__name", base="base", cost_scope="cost_scope"))
                ),
                company=Subquery(Company.objects.values(row=JSONObject(**{name: name for name in COMPANY}))[:1]),
                has_demo=Exists(DemoCompany.objects.filter(removed_at=None)),
                demo_step=Subquery(demo_steps()),
                has_second_step=Exists(
                    Authenticator.objects.filter(user=OuterRef("pk")).exclude(type=Authenticator.Type.RECOVERY_CODES)
                ),
                unread_notifications=Subquery(unread.values(count=Count("*"))),
            )
            .first()
        )
        return user if user and self.user_can_authenticate(user) else None

    def _get_user_permissions(self, user_obj: AbstractBaseUser) -> QuerySet[Permission]:
        return Permission.objects.none()

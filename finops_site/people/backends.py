"""Who may do what, as Django asks: by role and by nothing else."""

from typing import Any

from django.contrib.auth.backends import ModelBackend
from django.contrib.auth.base_user import AbstractBaseUser
from django.contrib.auth.models import Group, Permission
from django.contrib.postgres.expressions import ArraySubquery
from django.db.models import Count, Exists, OuterRef, QuerySet, Subquery
from django.db.models.functions import JSONObject

from finops_site.models import Company, DemoCompany, Notification, User
from finops_site.people.demo_rows import demo_steps

COMPANY = ("name", "currency", "language", "time_zone")


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
                company=Subquery(Company.objects.values(row=JSONObject(**{name: name for name in COMPANY}))[:1]),
                has_demo=Exists(DemoCompany.objects.filter(removed_at=None)),
                demo_step=Subquery(demo_steps()),
                unread_notifications=Subquery(unread.values(count=Count("*"))),
            )
            .first()
        )
        return user if user and self.user_can_authenticate(user) else None

    def _get_user_permissions(self, user_obj: AbstractBaseUser) -> QuerySet[Permission]:
        return Permission.objects.none()

"""Managers of people and teams."""

from typing import Any

from django.contrib.auth.models import AbstractBaseUser, BaseUserManager
from django.db import models
from django.db.models.expressions import RawSQL

from finops_site.lib.person import Person

# Every team of a member and every team below it, however deep; UNION (not ALL) ends on a circle.
TEAMS_OF_USER = """
    WITH RECURSIVE of_user(id) AS (
        SELECT team_id FROM finops_site_membership WHERE user_id = %s
        UNION
        SELECT team.id FROM finops_site_team team JOIN of_user ON team.parent_id = of_user.id
    ) SELECT id FROM of_user
"""
# Every team of a member and every team above it.
TEAMS_ABOVE_USER = """
    WITH RECURSIVE of_user(id) AS (
        SELECT team_id FROM finops_site_membership WHERE user_id = %s
        UNION
        SELECT team.parent_id FROM finops_site_team team JOIN of_user ON team.id = of_user.id
        WHERE team.parent_id IS NOT NULL
    ) SELECT id FROM of_user
"""
TEAMS_BELOW = """
    WITH RECURSIVE branch(id) AS (
        SELECT %s::bigint
        UNION
        SELECT team.id FROM finops_site_team team JOIN branch ON team.parent_id = branch.id
    ) SELECT id FROM branch
"""


class UserManager(BaseUserManager):
    """Users are known by their e-mail address."""

    use_in_migrations = True

    def create_user(self, email: str, password: str | None = None, **fields: Any) -> AbstractBaseUser:
        if not email:
            raise ValueError("a user needs an e-mail address")
        user = self.model(email=self.normalize_email(email).lower(), **fields)
        user.set_password(password)  # type: ignore[attr-defined]
        user.save(using=self._db)
        return user  # type: ignore[return-value]

    def in_role(self, role: str) -> models.QuerySet:
        """Those who hold a role and may sign in, by address: letters to a role go to them.

        Those of a role that an administrator made of it too, where it sees as much; but whoever makes the accounts is
        the built-in administrator alone.
        """
        from django.contrib.auth.models import Group

        holds = models.Q(name=role)
        if role != "administrator":
            sees = {} if role == "engineering" else {"permissions__codename": "view_company"}
            holds |= models.Q(own_role__base=role, own_role__cost_scope={}, **sees)
        holders = Group.objects.filter(holds).exclude(user=None).values("user")
        return self.filter(pk__in=holders, is_active=True).order_by("email")

    def create_superuser(self, email: str, password: str | None = None, **fields: Any) -> AbstractBaseUser:
        return self.create_user(email, password, **{"is_superuser": True, **fields})

    def get_by_natural_key(self, email: str | None) -> AbstractBaseUser:
        return self.get(email__iexact=email)  # type: ignore[return-value]


class OfCompanyQuerySet(models.QuerySet):
    """Rows about the whole company."""

    def visible_to(self, user: Person) -> "OfCompanyQuerySet":
        """All of them for those who see the whole company, and none for others."""
        return self if user.sees_whole_company else self.none()


class OfAdministratorsQuerySet(models.QuerySet):
    """Rows about who comes in and how."""

    def visible_to(self, user: Person) -> "OfAdministratorsQuerySet":
        """All of them for those who change people, and none for others."""
        return self if user.has_perm("finops_site.change_user") else self.none()


class TeamQuerySet(models.QuerySet):
    def visible_to(self, user: Person) -> "TeamQuerySet":
        """The teams whose cost `user` may see: all of them, or her own and those below."""
        if user.sees_whole_company:
            return self
        return self.filter(pk__in=user.visible_team_ids)

    def below(self, team: models.Model) -> "TeamQuerySet":
        """`team` and every team under it."""
        return self.filter(pk__in=RawSQL(TEAMS_BELOW, [team.pk]))


class SharedQuerySet(models.QuerySet):
    """What people make for themselves and may share: saved views and dashboards."""

    def visible_to(self, user: Person) -> "SharedQuerySet":
        """Her own, those shared with a team that she is in or below, and those of the whole company."""
        with_her_team = models.Q(team__in=RawSQL(TEAMS_ABOVE_USER, [user.pk]))
        return self.filter(models.Q(owner=user.pk) | models.Q(with_company=True) | with_her_team)


class NotificationQuerySet(models.QuerySet):
    def visible_to(self, user: Person) -> "NotificationQuerySet":
        """A person's own, and nobody else's."""
        return self.filter(user=user)

    def unread(self) -> "NotificationQuerySet":
        return self.filter(read_at=None)


class ExportQuerySet(models.QuerySet):
    def visible_to(self, user: Person) -> "ExportQuerySet":
        """A person's own, and nobody else's."""
        return self.filter(person=user)

    def open(self) -> "ExportQuerySet":
        """Those that wait or are being written."""
        return self.filter(state__in=["waiting", "writing"])


class AuditQuerySet(models.QuerySet):
    """Entries of the audit log."""

    def visible_to(self, user: Any) -> "AuditQuerySet":
        """All of it for whoever makes the accounts; for finance what was done with money and by itself, and no
        sign-ins, tokens or files of others."""
        if user.has_perm("finops_site.view_user"):
            return self
        if not user.has_perm("finops_site.view_auditentry"):
            return self.none()
        from finops_site.pillars import installed_pillars

        ours = models.Q(actor=user.pk)
        for label in (pillar.label for pillar in installed_pillars() if pillar.label != "finops_site"):
            ours |= models.Q(model__startswith=f"{label}.")
        return self.filter(ours)

    def about(self, row: models.Model) -> "AuditQuerySet":
        """What was done with one row, and to what else it was joined, the newest first."""
        joins = [field.remote_field.through for field in row._meta.many_to_many]
        made = [model._meta.label_lower for model in joins if model is not None and model._meta.auto_created]
        labels = [row._meta.label_lower, *made]
        return self.filter(model__in=labels, object_pk=str(row.pk)).order_by("-id")

    def of(self, model: type[models.Model]) -> "AuditQuerySet":
        """What was done with the rows of one table, the newest first."""
        return self.filter(model=model._meta.label_lower).order_by("-id")

"""Who may do what: the roles, and what each app's `apps.py` lets them do, kept in Django's groups after every migrate.

Administrators run the system and are not finance: they never hold a permission to budget, to close a month or to
approve a purchase (finops_site.E006 of `manage.py check`). A permission that no installed model declares is an error
too (finops_site.E005).
"""

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from django.db.models import QuerySet

from finops_site.lib.language import gettext_noop
from finops_site.pillars import installed_pillars

if TYPE_CHECKING:
    from finops_site.models import User

ADMINISTRATOR = gettext_noop("administrator")
FINANCE = gettext_noop("finance")
ENGINEERING = gettext_noop("engineering")
EXECUTIVE = gettext_noop("executive")

# The roles, the weightiest first; pages translate their names.
ROLES = (ADMINISTRATOR, FINANCE, ENGINEERING, EXECUTIVE)
# In what an app declares: every role of them.
EVERYBODY = "everybody"


def role_permissions() -> dict[str, set[str]]:
    """Each role and all it may do, put together from what the installed apps declare."""
    declared = [pillar.permissions for pillar in installed_pillars()]
    return {
        role: {name for permissions in declared for key in (EVERYBODY, role) for name in permissions.get(key, ())}
        for role in ROLES
    }


def permission_names(permissions: QuerySet) -> set[str]:
    """The strings, like ``costs.view_costline``, of a queryset of permissions."""
    pairs = permissions.values_list("content_type__app_label", "codename").order_by()
    return {f"{app}.{codename}" for app, codename in pairs}


def sync_roles(**_: Any) -> None:
    """Makes the groups hold what the apps declare, no more and no less; other groups are left alone.

    A permission whose app is not migrated yet is left out: the migrate that brings it syncs again.
    """
    from django.contrib.auth.models import Group, Permission

    known = {
        f"{permission.content_type.app_label}.{permission.codename}": permission
        for permission in Permission.objects.select_related("content_type")
    }
    for role, wanted in role_permissions().items():
        group, _created = Group.objects.get_or_create(name=role)
        group.permissions.set([known[name] for name in sorted(wanted) if name in known])


def role_of(user: "User") -> str:
    """The role to show beside a person's name, the weightiest of several; empty for somebody without one."""
    return weightiest(names_of_groups(user)) if user.is_authenticated else ""


def names_of_groups(user: "User") -> set[str]:
    """The names of somebody's groups; of the person of a request they are known already (RoleBackend)."""
    known = getattr(user, "role_names", None)
    return set(known if known is not None else user.groups.values_list("name", flat=True))


def weightiest(names: Iterable[str]) -> str:
    """The weightiest role among the names of somebody's groups; empty where none is a role."""
    held = set(names)
    return next((role for role in ROLES if role in held), "")


def declared_permissions() -> set[str]:
    """Every permission that an installed model declares, its own and the four of Django."""
    from django.apps import apps
    from django.contrib.auth import get_permission_codename

    names = set()
    for model in apps.get_models():
        options = model._meta
        codenames = [get_permission_codename(verb, options) for verb in options.default_permissions]
        codenames += [codename for codename, _label in options.permissions]
        names |= {f"{options.app_label}.{codename}" for codename in codenames}
    return names


def unknown_permissions() -> list[str]:
    """Permissions of a role that no model declares."""
    return sorted(set().union(*role_permissions().values()) - declared_permissions())


def forbidden_to_administrators() -> list[str]:
    """Permissions that an app keeps from administrators and that they hold all the same."""
    kept_apart = {name for pillar in installed_pillars() for name in pillar.never_for_administrators}
    return sorted(kept_apart & role_permissions()[ADMINISTRATOR])

"""Who may do what: the roles, and what each app's `apps.py` lets them do, kept in Django's groups after every migrate.

Administrators run the system and are not finance: they never hold a permission to budget, to close a month or to
approve a purchase (finops_site.E006 of `manage.py check`). A permission that no installed model declares is an error
too (finops_site.E005).
"""

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from django.db.models import QuerySet

from finops_site.lib.language import gettext, gettext_noop
from finops_site.pillars import installed_pillars

if TYPE_CHECKING:
    from finops_site.models import User

ADMINISTRATOR = gettext_noop("administrator")
FINANCE = gettext_noop("finance")
ENGINEERING = gettext_noop("engineering")
EXECUTIVE = gettext_noop("executive")

# The roles, the weightiest first; pages translate their names.
ROLES = (ADMINISTRATOR, FINANCE, ENGINEERING, EXECUTIVE)
SEES_COMPANY = "costs.view_company"
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
    _take_what_went()


def _take_what_went() -> None:
    """Takes from own roles what an app does not declare any more, or what their base lost; they never get more."""
    from django.db import connection

    from finops_site.models import OwnRole

    if OwnRole._meta.db_table not in connection.introspection.table_names():
        # The migration that makes them was taken back.
        return
    for role in OwnRole.objects.select_related("group"):
        may = may_hold(role.base)
        for permission in role.group.permissions.select_related("content_type"):
            if f"{permission.content_type.app_label}.{permission.codename}" not in may:
                role.group.permissions.remove(permission)


def may_hold(base: str) -> set[str]:
    """What a role that is based on a built-in one may be given: what that one holds, and what executives read.

    So it never adds up what two roles decide: who proposes and who approves stay two. What makes people and roles
    stays with the built-in administrator: who gives roles could give herself any.
    """
    by_role = role_permissions()
    reads = {name for name in by_role[EXECUTIVE] if name.partition(".")[2].startswith("view_")}
    built_in = {
        name
        for pillar in installed_pillars()
        for one in pillar.abilities
        if one.stays_built_in
        for name in one.permissions
    }
    return (by_role[base] | reads) - built_in


def needs_whole_company() -> set[str]:
    """Permissions of pillars that only roles hold which see the whole company: their pages take for granted that who
    comes in sees it."""
    by_role = role_permissions()
    partial = set().union(*(held for held in by_role.values() if SEES_COMPANY not in held))
    site = "finops_site.", "axes.", "django_celery_beat."
    held = set().union(*by_role.values()) - partial - {SEES_COMPANY}
    return {name for name in held if not name.startswith(site) or name == "finops_site.view_auditentry"}


def role_of(user: "User") -> str:
    """The built-in role whose home and pages somebody has, the weightiest of several; empty for nobody's.

    Of a role that an administrator made it is the one that it is based on.
    """
    return weightiest(names_of_groups(user)) if user.is_authenticated else ""


def role_name_of(user: "User") -> str:
    """The name of the role that somebody was given, one of ROLES or that of a role that an administrator made."""
    own = own_roles_of(user)
    return own[0]["name"] if own else role_of(user)


def shown_role(name: str) -> str:
    """The name of a role as the reader calls it: that of an own role is what its maker called it."""
    return gettext(name) if name in ROLES else name


def names_of_groups(user: "User") -> set[str]:
    """The names of somebody's groups, and of the built-in roles that those are based on.

    Of the person of a request they are known already (RoleBackend).
    """
    known = getattr(user, "role_names", None)
    names = set(known if known is not None else user.groups.values_list("name", flat=True))
    # Nobody needs to ask for the roles of somebody who has one of ours and none beside it.
    return names if names <= set(ROLES) else names | {row["base"] for row in own_roles_of(user)}


def own_roles_of(user: "User") -> list[dict[str, Any]]:
    """Name, base and scope of the roles of hers that an administrator made: one, for they stand alone."""
    known = getattr(user, "own_roles", None)
    if known is None:
        from finops_site.models import OwnRole

        rows = OwnRole.objects.filter(group__user=user.pk).order_by("group__name")
        known = [
            {"name": name, "base": base, "cost_scope": scope}
            for name, base, scope in rows.values_list("group__name", "base", "cost_scope")
        ]
    return list(known)


def all_roles() -> dict[str, str]:
    """{name: the built-in role whose home it has} of every role, the weightiest first; a built-in one before those
    that are based on it."""
    from finops_site.models import OwnRole

    own = list(OwnRole.objects.order_by("group__name").values_list("group__name", "base"))
    of_base = {base: [name for name, of in own if of == base] for base in ROLES}
    return {name: base for base in ROLES for name in (base, *of_base[base])}


def weightiest_role(names: Iterable[str]) -> str:
    """The weightiest among names of roles, own ones too; empty where none is a role."""
    held = set(names)
    return weightiest(held) if held <= set(ROLES) else next((name for name in all_roles() if name in held), "")


def role_of_groups(groups: Iterable[Any]) -> str:
    """The same of somebody's groups at hand, which were read with their `own_role`: for lists of people."""
    held = list(groups)
    own = [group.name for group in held if hasattr(group, "own_role")]
    return own[0] if own else weightiest(group.name for group in held)


def role_choices(nobody: str) -> list[tuple[str, str]]:
    """(name, what the reader calls it) of every role, after `nobody` for none."""
    return [("", nobody), *((name, shown_role(name)) for name in all_roles())]


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

"""Making, changing and deleting roles of one's own: the one service of page, API and admin.

A role of one's own is a group of Django with a row beside it. It never holds more than its base and what executives
read (people/roles.py), so that it adds up no two roles' decisions, and gives nobody the means to give herself more.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field

from django.contrib.auth.models import Group
from django.db import transaction
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from finops_site.lib.words import number_text
from finops_site.models import GroupGrant, GroupMapping, OwnRole, User
from finops_site.own_roles.abilities import abilities_by_name, needs_company, permissions_named
from finops_site.own_roles.cost_scopes import BadScope, check_scope
from finops_site.people.roles import EVERYBODY, ROLES, SEES_COMPANY, may_hold, shown_role
from finops_site.translation import gettext_lazy as _lazy
from finops_site.translation import in_every_language

LONGEST_NAME = 80
MOST_NAMES = 10


class CannotChangeRole(ValueError):
    """Why a role cannot be like this, or cannot go; in a sentence."""


@dataclass(frozen=True, slots=True)
class RoleWish:
    """What somebody wants a role to be: `abilities` are names of what it may do, `cost_scope` narrows what it sees."""

    name: str
    base: str
    abilities: Collection[str]
    description: str = ""
    cost_scope: Mapping[str, Sequence[str]] = field(default_factory=dict)


def check_wish(wish: RoleWish, role: OwnRole | None = None) -> None:
    """Raises CannotChangeRole for a role that there cannot be; `role` is the one that is changed."""
    _check_name(wish.name.strip(), role)
    if len(wish.description) > 300:
        raise CannotChangeRole(_("A description has at most 300 characters."))
    if wish.base not in ROLES:
        names = ", ".join(map(shown_role, ROLES))
        raise CannotChangeRole(
            _("{base!r} is no role to begin with: use {names}.").format(base=wish.base[:80], names=names)
        )
    known = abilities_by_name()
    if unknown := sorted(set(wish.abilities) - set(known)):
        raise CannotChangeRole(_("{name!r} is nothing that a role may do.").format(name=unknown[0][:80]))
    chosen = [known[name] for name in known if name in set(wish.abilities)]
    if not chosen:
        raise CannotChangeRole(_("Choose something that the role may do."))
    may = may_hold(wish.base)
    beyond = [one for one in chosen if not set(one.permissions) <= may]
    if beyond:
        raise CannotChangeRole(
            _("A role that is based on {base} cannot have this: {what}.").format(
                base=shown_role(wish.base), what="; ".join(str(one.label) for one in beyond)
            )
        )
    try:
        check_scope(wish.cost_scope)
    except BadScope as error:
        raise CannotChangeRole(str(error)) from None
    sees_company = any(SEES_COMPANY in one.permissions for one in chosen)
    if sees_company and wish.cost_scope:
        raise CannotChangeRole(_("A role sees the whole company, or what its scope names: choose one of them."))
    wide = [] if sees_company else [one for one in chosen if needs_company(one)]
    if wide:
        raise CannotChangeRole(
            _("Only who sees the whole company can do this: {what}.").format(
                what="; ".join(str(one.label) for one in wide)
            )
        )


def _check_name(name: str, role: OwnRole | None) -> None:
    if not name or len(name) > LONGEST_NAME or not name.isprintable():
        raise CannotChangeRole(_("Give the role a name of at most {count} characters.").format(count=LONGEST_NAME))
    # In no language: a pasted list names roles in that of its reader.
    taken = {text.casefold() for one in (*ROLES, EVERYBODY) for text in in_every_language(_lazy(one)).values()}
    if name.casefold() in taken:
        raise CannotChangeRole(_("{name} is a role of the product: choose another name.").format(name=name))
    alike = Group.objects.filter(name__iexact=name)
    if role is not None:
        alike = alike.exclude(pk=role.group_id)
    if alike.exists():
        raise CannotChangeRole(_("There is a role {name} already.").format(name=name))


def why_not_change_role(by: User, role: OwnRole) -> str:
    """Why `by` may not change a role; empty where she may."""
    if by.groups.filter(pk=role.group_id).exists():
        return _("Nobody changes the role that she has herself: another administrator does.")
    return ""


@transaction.atomic
def save_role(wish: RoleWish, *, by: User, role: OwnRole | None = None) -> OwnRole:
    """Makes a role, or changes `role`; its people have what it then says with their next request.

    Raises CannotChangeRole.
    """
    if role is not None:
        role = OwnRole.objects.select_for_update(of=("self",)).select_related("group").get(pk=role.pk)
        if reason := why_not_change_role(by, role):
            raise CannotChangeRole(reason)
    check_wish(wish, role)
    name, known = wish.name.strip(), abilities_by_name()
    group = role.group if role else Group(name=name)
    if group.pk is None or group.name != name:
        _rename(group, name)
    role = role or OwnRole(group=group)
    role.base, role.description = wish.base, wish.description.strip()
    role.cost_scope = {kind: list(values) for kind, values in wish.cost_scope.items() if values}
    role.save()
    group.permissions.set(permissions_named({one for ability in wish.abilities for one in known[ability].permissions}))
    return role


def _rename(group: Group, name: str) -> None:
    """What groups of identity providers give goes by the name."""
    before, group.name = group.name, name
    is_new = group.pk is None
    group.save()
    if not is_new:
        GroupMapping.objects.filter(role=before).update(role=name)
        GroupGrant.objects.filter(role=before).update(role=name)


@transaction.atomic
def delete_role(role: OwnRole, *, by: User) -> None:
    """Deletes a role that nobody has and no group gives. Raises CannotChangeRole, with their names."""
    if reason := why_not_change_role(by, role):
        raise CannotChangeRole(reason)
    group = Group.objects.select_for_update().get(pk=role.group_id)
    people = list(User.objects.filter(groups=group).order_by("email"))
    if people:
        names = [str(person) for person in people[:MOST_NAMES]]
        more = len(people) - len(names)
        if more:
            names.append(ngettext("{count} more", "{count} more", more).format(count=number_text(more)))
        raise CannotChangeRole(
            _("{role} stays: give these people another role first: {names}.").format(role=group, names=", ".join(names))
        )
    mappings = GroupMapping.objects.filter(role=group.name).values_list("group", flat=True)
    if mappings:
        raise CannotChangeRole(
            _("{role} stays: these groups of a sign-in give it: {names}.").format(role=group, names=", ".join(mappings))
        )
    GroupGrant.objects.filter(role=group.name).delete()
    group.delete()

"""What roles may do in everyday words: what the pillars declare, what may be chosen for a role, and who holds what."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field

from django.contrib.auth.models import Group, Permission
from django.db.models import Count, Q, QuerySet
from django.utils.translation import gettext as _

from finops_site.models import OwnRole
from finops_site.people.roles import ROLES, may_hold, needs_whole_company, role_permissions
from finops_site.people.tokens import pillar_names
from finops_site.pillars import Ability, installed_pillars


@dataclass(frozen=True, slots=True)
class Area:
    """The abilities of one pillar under its name."""

    name: str
    abilities: tuple[Ability, ...]


@dataclass(frozen=True, slots=True)
class RoleColumn:
    """A role as it stands beside others: who holds it, and the names of the abilities it has."""

    name: str
    base: str
    description: str
    abilities: frozenset[str]
    pk: int | None = None
    people: int = 0
    cost_scope: Mapping[str, Sequence[str]] = field(default_factory=dict)

    @property
    def is_built_in(self) -> bool:
        return self.pk is None


def areas() -> list[Area]:
    """The abilities of every pillar, and one more for each permission that an app declares and none of them has."""
    names, declared = pillar_names(), set().union(*role_permissions().values())
    listed = [(pillar.label, tuple(pillar.abilities)) for pillar in installed_pillars()]
    of_app = {name for _label, abilities in listed for one in abilities for name in one.permissions}
    rest = sorted(declared - of_app)
    more = {
        label: tuple(Ability(name, name, (name,)) for name in rest if name.startswith(f"{label}.")) for label in names
    }
    return [
        Area(_(names[label]), (*abilities, *more[label])) for label, abilities in listed if abilities or more[label]
    ]


def abilities_by_name() -> dict[str, Ability]:
    return {ability.name: ability for area in areas() for ability in area.abilities}


def may_be_chosen(base: str) -> list[Area]:
    """The abilities that a role of this base may be given."""
    may = may_hold(base)
    chosen = [Area(area.name, tuple(one for one in area.abilities if set(one.permissions) <= may)) for area in areas()]
    return [area for area in chosen if area.abilities]


def needs_company(ability: Ability) -> bool:
    """Whether what it opens takes for granted that one sees the whole company."""
    return bool(set(ability.permissions) & needs_whole_company())


def abilities_held(permissions: Collection[str], by_name: Mapping[str, Ability] | None = None) -> frozenset[str]:
    """The names of the abilities that somebody has who holds these permissions: each of an ability's, or none."""
    known = abilities_by_name() if by_name is None else by_name
    return frozenset(name for name, one in known.items() if set(one.permissions) <= set(permissions))


def permissions_of_groups(groups: QuerySet[Group]) -> dict[int, set[str]]:
    """{group: the strings of its permissions}, out of one query."""
    rows = groups.values_list("pk", "permissions__content_type__app_label", "permissions__codename").order_by()
    held: dict[int, set[str]] = {}
    for pk, app, codename in rows:
        held.setdefault(pk, set())
        if codename:
            held[pk].add(f"{app}.{codename}")
    return held


def permissions_named(names: Collection[str]) -> list[Permission]:
    """The rows of these permissions."""
    codenames = {name.partition(".")[2] for name in names}
    rows = Permission.objects.filter(codename__in=codenames).select_related("content_type")
    return [row for row in rows if f"{row.content_type.app_label}.{row.codename}" in names]


def role_columns() -> list[RoleColumn]:
    """Every role, built-in ones first, with what it may do and how many hold it."""
    by_name, built_in = abilities_by_name(), role_permissions()
    people = holders_of_groups()
    columns = [
        RoleColumn(role, role, "", abilities_held(built_in[role], by_name), None, people.get(role, 0)) for role in ROLES
    ]
    own = OwnRole.objects.select_related("group").order_by("group__name")
    held = permissions_of_groups(Group.objects.filter(own_role__isnull=False))
    return columns + [
        RoleColumn(
            role.group.name,
            role.base,
            role.description,
            abilities_held(held.get(role.group_id, ()), by_name),
            role.pk,
            people.get(role.group.name, 0),
            role.cost_scope,
        )
        for role in own
    ]


def holders_of_groups() -> dict[str, int]:
    """{role: how many hold it and may sign in}."""
    counted = Group.objects.annotate(people=Count("user", filter=Q(user__is_active=True)))
    return dict(counted.values_list("name", "people"))

"""What groups of an identity provider give: roles and places in teams that come and go with the group.

`GroupMapping` says what a group gives; `GroupGrant` remembers what a person has from her groups. What stands in no
grant was given by hand, and stays whatever the provider says.
"""

from collections.abc import Collection

from allauth.socialaccount.models import SocialAccount
from django.contrib.auth.models import Group
from django.core.exceptions import ValidationError
from django.db import transaction
from django.db.models import Q
from django.utils.translation import gettext as _

from finops_site.models import GroupGrant, GroupMapping, Membership, User
from finops_site.people.roles import ROLES, all_roles, shown_role, weightiest_role

# The provider of groups that came by SCIM.
SCIM = "scim"


class BadMapping(ValueError):
    """Why a group cannot give this; the message says what to change."""


def check_mapping(mapping: GroupMapping) -> None:
    """Raises BadMapping for a mapping that gives nothing, or what nobody knows."""
    mapping.group = mapping.group.strip()
    if not mapping.group:
        raise BadMapping(_("Name the group."))
    if not mapping.role and not mapping.team_id:
        raise BadMapping(_("A group gives a role, a place in a team, or both."))
    if mapping.role and mapping.role not in ROLES and mapping.role not in (roles := all_roles()):
        raise BadMapping(
            _("{role!r} is no role: use {names}.").format(
                role=mapping.role[:80], names=", ".join(map(shown_role, roles))
            )
        )
    try:
        mapping.clean_fields()
    except ValidationError as error:
        raise BadMapping(" ".join(error.messages)) from None
    alike = GroupMapping.objects.filter(
        provider=mapping.provider, group=mapping.group, role=mapping.role, team=mapping.team_id
    )
    if alike.exclude(pk=mapping.pk).exists():
        raise BadMapping(_("The group {group} gives that already.").format(group=mapping.group))


@transaction.atomic
def save_mapping(mapping: GroupMapping) -> None:
    """Saves it, and gives and takes at once for those who are in its group. Raises BadMapping."""
    check_mapping(mapping)
    before = GroupMapping.objects.filter(pk=mapping.pk).values_list("group", flat=True).first()
    mapping.save()
    _apply_anew({mapping.group, *([before] if before else [])})


@transaction.atomic
def delete_mapping(mapping: GroupMapping) -> None:
    """Deletes it, and takes at once what it alone gave."""
    mapping.delete()
    _apply_anew({mapping.group})


def _apply_anew(groups: Collection[str]) -> None:
    """For everybody who was in one of these groups when she came last, or is by SCIM."""
    wanted = Q()
    for group in groups:
        wanted |= Q(extra_data__groups__contains=[group])
    for account in SocialAccount.objects.filter(wanted).select_related("user"):
        apply_groups(account.user, account.provider, account.extra_data["groups"])
    members = User.objects.filter(scim_groups__display_name__in=groups).distinct().prefetch_related("scim_groups")
    for person in members:
        apply_groups(person, SCIM, [group.display_name for group in person.scim_groups.all()])


@transaction.atomic
def apply_groups(person: User, provider: str, groups: Collection[str]) -> None:
    """Gives somebody what her groups at a provider give, and takes what they do not give any more."""
    # Two sign-ins at once wait for each other.
    User.objects.select_for_update().get(pk=person.pk)
    mappings = GroupMapping.objects.filter(provider__in=("", provider), group__in=groups).order_by("pk")
    _apply_roles(person, provider, {one.role for one in mappings if one.role})
    parts: dict[int, str] = {}
    for one in mappings:
        if one.team_id and parts.get(one.team_id) != Membership.Role.LEAD:
            parts[one.team_id] = one.team_role
    _apply_teams(person, provider, parts)


def _apply_roles(person: User, provider: str, roles: Collection[str]) -> None:
    """One role by groups, the weightiest, and none beside a role that was given by hand.

    Who makes the accounts decides on no money: the roles of two groups never add up.
    """
    grants = GroupGrant.objects.filter(user=person).exclude(role="")
    held = set(person.groups.filter(name__in=all_roles()).values_list("name", flat=True))
    by_hand = held - set(grants.values_list("role", flat=True))
    if by_hand:
        grants.delete()
        wanted = by_hand
    else:
        grants.filter(provider=provider).exclude(role__in=roles).delete()
        for role in roles:
            GroupGrant.objects.get_or_create(user=person, provider=provider, role=role, team=None)
        role = weightiest_role(grants.all().values_list("role", flat=True))
        wanted = {role} if role else set()
    if wanted != held:
        person.groups.set(Group.objects.filter(name__in=wanted))


def _apply_teams(person: User, provider: str, parts: dict[int, str]) -> None:
    """Places in teams; one that was given by hand stays as it is."""
    grants = GroupGrant.objects.filter(user=person, team__isnull=False)
    from_groups = set(grants.values_list("team_id", flat=True))
    grants.filter(provider=provider).exclude(team__in=parts).delete()
    still_given = set(grants.all().values_list("team_id", flat=True))
    for membership in person.memberships.filter(team__in=from_groups - still_given - set(parts)):
        # One by one, so that the audit log has it.
        membership.delete()
    by_hand = set(person.memberships.values_list("team_id", flat=True)) - from_groups
    for team, part in parts.items():
        if team in by_hand:
            continue
        GroupGrant.objects.get_or_create(user=person, provider=provider, role="", team_id=team)
        Membership.objects.update_or_create(user=person, team_id=team, defaults={"role": part})

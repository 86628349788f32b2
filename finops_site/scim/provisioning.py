"""What SCIM does with people and groups: made, changed, switched off, and given what their groups give."""

from collections.abc import Iterable

from django.conf import settings
from django.core.exceptions import ValidationError
from django.db import transaction
from django.db.models import Q, QuerySet

from finops_site.models import ScimGroup, ScimPerson, User
from finops_site.people.leaving import leave
from finops_site.scim.requests import GroupChange, PersonChange, ScimError
from finops_site.sign_in.group_grants import SCIM, apply_groups


def people() -> QuerySet[User]:
    """Everybody whom a provider may see: all but those it took away."""
    return User.objects.exclude(scim__is_deleted=True).select_related("scim").prefetch_related("scim_groups")


def find_people(attribute: str, value: str) -> QuerySet[User]:
    """Those with a value of an attribute. Raises ScimError for an attribute that nobody filters by."""
    if attribute == "username":
        return (
            people().filter(Q(scim__user_name__iexact=value) | Q(scim__user_name=None, email__iexact=value)).distinct()
        )
    if attribute == "externalid":
        return people().filter(scim__external_id=value)
    if attribute.startswith("emails"):
        return people().filter(email__iexact=value)
    if attribute == "id":
        return (
            people().filter(pk=int(value))
            if value.isascii() and value.isdecimal() and len(value) < 19
            else people().none()
        )
    raise ScimError(f"Nobody filters people by {attribute[:80]}.", 400, "invalidFilter")


@transaction.atomic
def make_person(change: PersonChange) -> User:
    """Somebody new, or who was taken away before. Raises ScimError."""
    email = _address_of(change)
    if not email:
        raise ScimError("A person has a userName or an address that is one of e-mail.", 400, "invalidValue")
    person = User.objects.select_for_update().filter(email__iexact=email).first()
    if person is not None and not ScimPerson.objects.filter(user=person, is_deleted=True).exists():
        raise ScimError(f"{email} is here already.", 409, "uniqueness")
    if person is None:
        person = User(email=email.lower())
        person.set_unusable_password()
    else:
        ScimPerson.objects.filter(user=person).update(is_deleted=False)
        person.is_active = True
    return _save(person, change)


@transaction.atomic
def change_person(person: User, change: PersonChange) -> User:
    """Changes somebody; who is active no more leaves. Raises ScimError."""
    person = User.objects.select_for_update().get(pk=person.pk)
    check_not_kept_by_hand(person)
    return _save(person, change)


@transaction.atomic
def remove_person(person: User) -> None:
    """Somebody leaves, and SCIM knows her no more until she is made anew. Raises ScimError."""
    check_not_kept_by_hand(person)
    ScimPerson.objects.update_or_create(user=person, defaults={"is_deleted": True})
    ScimGroup.members.through.objects.filter(user=person).delete()
    apply_groups(person, SCIM, [])
    leave(person)


def check_not_kept_by_hand(person: User) -> None:
    """Raises ScimError for superusers and who breaks the glass: nobody's mistake at the provider locks them out."""
    if person.is_superuser or person.email.lower() in {name.lower() for name in settings.FINOPS_BREAK_GLASS}:
        raise ScimError(f"{person.email} is kept by hand.", 403, "mutability")


def _address_of(change: PersonChange) -> str:
    named = change.email or change.user_name or ""
    return named if "@" in named else ""


def _save(person: User, change: PersonChange) -> User:
    email = _address_of(change)
    if email and email.lower() != person.email.lower():
        person.email = email.lower()
        if User.objects.filter(email__iexact=email).exclude(pk=person.pk).exists():
            raise ScimError(f"{email} is here already.", 409, "uniqueness")
    domains = {name.lower().lstrip("@") for name in settings.FINOPS_SIGN_IN_DOMAINS}
    if email and domains and person.email.rpartition("@")[2] not in domains:
        raise ScimError(f"{email} is of a domain that nobody signs in from here.", 400, "invalidValue")
    person.name = change.name_after(person.name)[:150]
    leaves = change.is_active is False and (person.is_active or person.pk is None)
    if change.is_active:
        person.is_active = True
    try:
        person.full_clean(exclude=["password"])
    except ValidationError as error:
        raise ScimError(" ".join(error.messages), 400, "invalidValue") from None
    person.save()
    values = {"user_name": change.user_name, "external_id": change.external_id}
    ScimPerson.objects.update_or_create(
        user=person, defaults={name: value[:254] for name, value in values.items() if value is not None}
    )
    if leaves:
        leave(person)
    return people().get(pk=person.pk)


def groups() -> QuerySet[ScimGroup]:
    return ScimGroup.objects.prefetch_related("members")


def find_groups(attribute: str, value: str) -> QuerySet[ScimGroup]:
    """Those with a value of an attribute. Raises ScimError for an attribute that nobody filters by."""
    if attribute == "displayname":
        return groups().filter(display_name__iexact=value)
    if attribute == "externalid":
        return groups().filter(external_id=value)
    raise ScimError(f"Nobody filters groups by {attribute[:80]}.", 400, "invalidFilter")


@transaction.atomic
def save_group(group: ScimGroup, change: GroupChange) -> ScimGroup:
    """Saves it, and gives and takes for those who came into it or left it. Raises ScimError."""
    if change.display_name is not None:
        group.display_name = change.display_name[:200]
    if change.external_id is not None:
        group.external_id = change.external_id[:254]
    if not group.display_name:
        raise ScimError("A group has a displayName.", 400, "invalidValue")
    if ScimGroup.objects.filter(display_name=group.display_name).exclude(pk=group.pk).exists():
        raise ScimError(f"There is a group {group.display_name} already.", 409, "uniqueness")
    group.save()
    before = set(group.members.values_list("pk", flat=True))
    wanted = before if change.members is None else _ids(change.members)
    wanted = (wanted | _ids(change.added)) - _ids(change.removed, may_be_gone=True)
    group.members.set(wanted)
    _apply_for(before | wanted)
    return groups().get(pk=group.pk)


@transaction.atomic
def remove_group(group: ScimGroup) -> None:
    """It gives nobody anything any more."""
    members = set(group.members.values_list("pk", flat=True))
    group.delete()
    _apply_for(members)


def _ids(members: Iterable[str], *, may_be_gone: bool = False) -> set[int]:
    numbers = {int(text) for text in members if text.isascii() and text.isdecimal() and len(text) < 19}
    here = set(people().filter(pk__in=numbers).values_list("pk", flat=True))
    if not may_be_gone and (len(here) < len(numbers) or len(numbers) < len(set(members))):
        raise ScimError("A member is nobody who is here.", 400, "invalidValue")
    return here


def _apply_for(ids: Iterable[int]) -> None:
    for person in User.objects.filter(pk__in=ids).prefetch_related("scim_groups"):
        apply_groups(person, SCIM, [group.display_name for group in person.scim_groups.all()])

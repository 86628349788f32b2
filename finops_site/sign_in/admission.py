"""Whom an identity provider brings in: the person it means, a new one, or nobody, with the reason."""

from dataclasses import dataclass, field
from typing import Any

from allauth.socialaccount.models import SocialAccount
from django.core.exceptions import ValidationError
from django.db import transaction
from django.utils.translation import gettext as _

from finops_site.models import User
from finops_site.sign_in.group_grants import apply_groups
from finops_site.sign_in.providers import IdentityProvider

MOST_GROUPS, LONGEST_GROUP, LONGEST_NAME = 5_000, 200, 150
# Of who somebody is to a provider, as allauth stores it.
LONGEST_SUBJECT = 191


class SignInRefused(Exception):
    """Why somebody does not come in, in a sentence for her."""


@dataclass(frozen=True, slots=True)
class Identity:
    """Who a provider says somebody is; `groups` is None where it does not say in which groups she is."""

    subject: str
    email: str = ""
    is_verified: bool = False
    name: str = ""
    groups: frozenset[str] | None = field(default_factory=frozenset)


def plain_text(value: object, most: int) -> str:
    """A text that a provider sent, as the database stores it; empty for what is none."""
    if not isinstance(value, str):
        return ""
    return value.replace("\0", "").encode(errors="replace").decode().strip()[:most]


def plain_groups(names: list[Any]) -> frozenset[str]:
    """Names of groups that a provider sent; one that would be cut could be that of another group, and is left out."""
    texts = [plain_text(name, LONGEST_GROUP + 1) for name in names[:MOST_GROUPS]]
    return frozenset(text for text in texts if 0 < len(text) <= LONGEST_GROUP)


@transaction.atomic
def admit(identity: Identity, provider: IdentityProvider) -> User:
    """The person, with the roles and teams of her groups. Raises SignInRefused.

    Whom the provider brought before is known by the provider's own name for her. Anybody else is known by an address
    that the provider says is verified, of a domain it is trusted with: an address alone would let whoever may write
    one into her profile take over the account of another.
    """
    if identity.groups is None:
        raise SignInRefused(
            _(
                "{provider} does not say in which groups you are, for they are too many: an administrator limits them "
                "to the groups of this application."
            ).format(provider=provider.name)
        )
    account = SocialAccount.objects.select_related("user").filter(provider=provider.id, uid=identity.subject).first()
    person = account.user if account else _person_of_address(identity, provider)
    if not provider.trusts(identity.email or person.email):
        raise _of_another_domain(provider)
    if not person.is_active:
        raise SignInRefused(_("You were switched off here: an administrator switches you on again."))
    groups = sorted(identity.groups)
    if account is None:
        account = SocialAccount(user=person, provider=provider.id, uid=identity.subject)
    account.extra_data = {"groups": groups}
    account.save()
    if identity.name and not person.name:
        person.name = identity.name
        person.save(update_fields=["name"])
    apply_groups(person, provider.id, groups)
    return person


def _person_of_address(identity: Identity, provider: IdentityProvider) -> User:
    """Who has the address already, or somebody new."""
    if not identity.is_verified:
        raise SignInRefused(
            _("{provider} does not say that your address is verified, so nobody knows whose it is.").format(
                provider=provider.name
            )
        )
    if not provider.trusts(identity.email):
        raise _of_another_domain(provider)
    # The page of the first administrator is there while nobody is: signing in must not close it.
    if not User.objects.filter(is_active=True).exists():
        raise SignInRefused(_("The first administrator is made before anybody signs in by a provider."))
    person = User.objects.select_for_update().filter(email__iexact=identity.email).first()
    if person is None:
        return _new_person(identity, provider)
    if SocialAccount.objects.filter(user=person, provider=provider.id).exists():
        # An address that was given to somebody else brings her nothing of who had it before.
        raise SignInRefused(
            _("Your address belongs to another account of {provider}: an administrator parts them.").format(
                provider=provider.name
            )
        )
    return person


def _new_person(identity: Identity, provider: IdentityProvider) -> User:
    if provider.invited_only:
        raise SignInRefused(_("Nobody invited you yet: ask an administrator."))
    person = User(email=identity.email.lower(), name=identity.name)
    person.set_unusable_password()
    try:
        person.full_clean(exclude=["password"])
    except ValidationError:
        raise SignInRefused(_("Your address is none that can be stored here.")) from None
    person.save()
    return person


def _of_another_domain(provider: IdentityProvider) -> SignInRefused:
    return SignInRefused(
        _("Your address is of a domain that {provider} does not speak for.").format(provider=provider.name)
    )

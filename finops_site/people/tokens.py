"""Tokens that a person's programs sign in with: several, each with a name, what it may do, and a day it ends.

A token is shown once. What is stored is its hash: who reads the database signs in by none.
"""

import secrets
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import sha256

from django.db import transaction
from django.db.models import Q
from django.utils.translation import gettext as _

from finops_site.models import ApiToken, User
from finops_site.pillars import installed_pillars

MOST_TOKENS = 20
LONGEST_DAYS = 366
USUAL_DAYS = 90
# How much of a token is stored to know it by; the rest is longer than anybody guesses.
SHOWN_CHARACTERS = 8
# Its last use is written down at most so often.
NOTE_USE_EVERY = timedelta(minutes=5)


class CannotMakeToken(ValueError):
    """Why there is no such token, in a sentence."""


@dataclass(frozen=True, slots=True)
class TokenWish:
    """What somebody wants a token to be; no pillars are all of them."""

    name: str
    scope: str = ApiToken.Scope.READ
    pillars: tuple[str, ...] = ()
    days: int = USUAL_DAYS


def pillar_names() -> dict[str, str]:
    """{app label: name} of what a token may be limited to."""
    return {pillar.label: str(pillar.verbose_name) for pillar in installed_pillars()}


def hash_of(key: str) -> str:
    """A token is random and long: one round of a hash is enough, and every request needs one."""
    return sha256(key.encode()).hexdigest()


@transaction.atomic
def make_token(user: User, wish: TokenWish, now: datetime, *, asked_by: ApiToken | None = None) -> tuple[ApiToken, str]:
    """A new token and its key, which is never seen again. Raises CannotMakeToken.

    `asked_by`: the token that asks, if one does: it makes none that may do more, or longer, than itself.
    """
    # Two requests at once wait for each other.
    User.objects.select_for_update().get(pk=user.pk)
    name = wish.name.strip()
    if not name or len(name) > 100:
        raise CannotMakeToken(_("Give it a name of at most 100 characters."))
    if user.api_tokens.filter(name__iexact=name).exists():
        raise CannotMakeToken(_("You have a token called {name} already.").format(name=name))
    if user.api_tokens.count() >= MOST_TOKENS:
        raise CannotMakeToken(_("You have {count} tokens: end one of them first.").format(count=MOST_TOKENS))
    if wish.scope not in ApiToken.Scope.values or not 1 <= wish.days <= LONGEST_DAYS:
        raise CannotMakeToken(_("A token reads, or reads and writes, for 1 to {most} days.").format(most=LONGEST_DAYS))
    if unknown := sorted(set(wish.pillars) - set(pillar_names())):
        raise CannotMakeToken(
            _("{name!r} is nothing to limit a token to: use {names}.").format(
                name=unknown[0][:80], names=", ".join(pillar_names())
            )
        )
    ends = now + timedelta(days=wish.days)
    if asked_by is not None and _is_wider(wish, ends, asked_by):
        raise CannotMakeToken(_("A token makes none that may do more, or longer, than itself."))
    return _new_token(user, name, wish.scope, sorted(set(wish.pillars)), ends)


@transaction.atomic
def renew_token(token: ApiToken, now: datetime) -> tuple[ApiToken, str]:
    """The same with another key, until the same day; the one before stops working.

    Whoever got hold of a token does not keep it for ever by making it anew.
    """
    ends = now + timedelta(days=USUAL_DAYS)
    if token.expires_at and not token.has_ended(now):
        ends = token.expires_at
    end_token(token)
    return _new_token(token.user, token.name, token.scope, token.pillars, ends)


def end_token(token: ApiToken) -> None:
    """It works no more."""
    ApiToken.objects.filter(pk=token.pk).delete()


def end_all_tokens(user: User) -> int:
    """Ends every token of a person; returns how many there were."""
    return ApiToken.objects.filter(user=user).delete()[0]


def token_of_key(key: str) -> ApiToken | None:
    """The token, ended or not, of somebody who may sign in; None where there is none."""
    return ApiToken.objects.select_related("user").filter(key_hash=hash_of(key), user__is_active=True).first()


def note_use(token: ApiToken, now: datetime) -> None:
    """Writes down that it was used now."""
    long_ago = Q(last_used_at=None) | Q(last_used_at__lt=now - NOTE_USE_EVERY)
    ApiToken.objects.filter(long_ago, pk=token.pk).update(last_used_at=now)


def _is_wider(wish: TokenWish, ends: datetime, than: ApiToken) -> bool:
    reads_only = than.scope == ApiToken.Scope.READ
    if reads_only and wish.scope != ApiToken.Scope.READ:
        return True
    if than.pillars and not (wish.pillars and set(wish.pillars) <= set(than.pillars)):
        return True
    return than.expires_at is not None and ends > than.expires_at


def _new_token(user: User, name: str, scope: str, pillars: Collection[str], ends: datetime) -> tuple[ApiToken, str]:
    key = secrets.token_hex(32)
    token = ApiToken.objects.create(
        user=user,
        name=name,
        scope=scope,
        pillars=list(pillars),
        key_hash=hash_of(key),
        key_start=key[:SHOWN_CHARACTERS],
        expires_at=ends,
    )
    return token, key

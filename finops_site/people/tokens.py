"""The one token a person's programs sign in with."""

from django.db import transaction
from rest_framework.authtoken.models import Token

from finops_site.models import User


@transaction.atomic
def make_token(user: User) -> Token:
    """A new token; the one before stops working."""
    # Two requests at once must not both insert: the row of the user is the queue.
    User.objects.select_for_update().get(pk=user.pk)
    drop_token(user)
    return Token.objects.create(user=user)


def drop_token(user: User) -> None:
    Token.objects.filter(user=user).delete()

"""The first administrator of an empty site: made by whoever opens it first, and by nobody after that."""

from django.contrib.auth.models import Group
from django.core.exceptions import ValidationError
from django.db import transaction
from django.utils.translation import gettext as _

from finops_site.models import User
from finops_site.ops.locks import wait_for
from finops_site.people.roles import ADMINISTRATOR


class SomebodyIsHere(Exception):
    """The site has people who may sign in: they invite the others."""


def nobody_is_here() -> bool:
    """Whether nobody may sign in, so that a first administrator can be made."""
    return not User.objects.filter(is_active=True).exists()


@transaction.atomic
def make_first_administrator(email: str, name: str, password: str) -> User:
    """Makes the person, once, however many ask at the same moment. The password has been checked by the form.

    Raises SomebodyIsHere when somebody may sign in already, and ValidationError for the address of somebody who was
    switched off.
    """
    wait_for("first administrator")
    if not nobody_is_here():
        raise SomebodyIsHere
    if User.objects.filter(email__iexact=email).exists():
        raise ValidationError({"email": _("This is the address of somebody who was switched off: use another.")})
    user = User(email=email.lower(), name=name)
    user.set_password(password)
    user.full_clean()
    user.save()
    user.groups.add(Group.objects.get(name=ADMINISTRATOR))
    return user

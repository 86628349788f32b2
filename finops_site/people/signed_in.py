"""Who is signed in, for doors that are no `Page`: panels, filters, admin."""

from typing import cast

from django.http import HttpRequest

from finops_site.models import User


def signed_in_user(request: HttpRequest) -> User:
    """The person of a request that somebody signed in for, as the door has made sure."""
    return cast(User, request.user)

"""What every template may use."""

from typing import Any

from django.conf import settings
from django.http import HttpRequest
from django.utils.functional import SimpleLazyObject

from finops_site.models import User
from finops_site.people.demo_rows import demo_company
from finops_site.people.roles import role_name_of, role_of, shown_role
from finops_site.people.signed_in import signed_in_user
from finops_site.translation import gettext_lazy as _lazy
from finops_site.ui.navigation import SITE_SHORTCUTS, navigation


def site(request: HttpRequest) -> dict[str, Any]:
    return {
        "embedded": settings.EMBEDDED,
        "demo_people": SimpleLazyObject(demo_people),
        "has_demo": SimpleLazyObject(lambda: has_demo(request)),
        "demo_step": SimpleLazyObject(lambda: demo_step(request)),
        "nav": SimpleLazyObject(lambda: navigation(request)),
        "site_shortcuts": SITE_SHORTCUTS,
        "role": SimpleLazyObject(lambda: role_of(signed_in_user(request))),
        "role_name": SimpleLazyObject(lambda: shown_role(role_name_of(signed_in_user(request)))),
    }


# Whom the sign-in page of the laptop mode offers; the password stands in the terminal.
DEMO_PEOPLE = (
    ("lea@demo.example", _lazy("leads the team Payments")),
    ("fay@demo.example", _lazy("finance")),
    ("eli@demo.example", _lazy("engineer in Payments")),
    ("max@demo.example", _lazy("executive")),
    ("ola@demo.example", _lazy("leads the team Data")),
    ("ada@demo.example", _lazy("administrator")),
)


def has_demo(request: HttpRequest) -> bool:
    """Whether the demo company is here; the person of a request knows it (RoleBackend)."""
    known = getattr(request.user, "has_demo", None)
    return known if known is not None else demo_company() is not None


def demo_step(request: HttpRequest) -> str:
    """What of the demo company was made last while it is being made; the person of a request knows it (RoleBackend)."""
    return getattr(request.user, "demo_step", "") or ""


def demo_people() -> list[tuple[str, str]]:
    """Those of the demo people who are here and may sign in; nobody where the site serves more than this computer."""
    if not settings.EMBEDDED:
        return []
    addresses = [email for email, _part in DEMO_PEOPLE]
    here = set(User.objects.filter(email__in=addresses, is_active=True).values_list("email", flat=True))
    return [(email, part) for email, part in DEMO_PEOPLE if email in here]

"""What every template may use."""

from typing import Any

from django.conf import settings
from django.http import HttpRequest
from django.urls import reverse
from django.utils.functional import SimpleLazyObject

from finops_site.registry import registry
from finops_site.roles import role_of


def site(request: HttpRequest) -> dict[str, Any]:
    return {
        "embedded": settings.EMBEDDED,
        "demo_people": DEMO_PEOPLE if settings.EMBEDDED else (),
        "nav": SimpleLazyObject(lambda: navigation(request)),
        "role": SimpleLazyObject(lambda: role_of(request.user)),
    }


# Whom the sign-in page of the laptop mode offers; the password stands in the terminal.
DEMO_PEOPLE = (
    ("lea@demo.example", "leads the team Payments"),
    ("fay@demo.example", "finance"),
    ("eli@demo.example", "engineer in Payments"),
    ("max@demo.example", "executive"),
    ("ola@demo.example", "leads the team Data"),
    ("ada@demo.example", "administrator"),
)


def navigation(request: HttpRequest) -> list[dict[str, Any]]:
    """The sidebar's links for this person; the one whose address the page's begins with is current."""
    if not request.user.is_authenticated:
        return []
    links = [{"label": "Home", "url": reverse("home"), "icon": "home"}]
    links += [
        {"label": item.label, "url": reverse(item.url_name), "icon": item.icon}
        for item in registry.nav
        if not item.permission or request.user.has_perm(item.permission)
    ]
    current = max((link["url"] for link in links if request.path.startswith(link["url"])), key=len, default="")
    return [{**link, "current": link["url"] == current and (current != "/" or request.path == "/")} for link in links]

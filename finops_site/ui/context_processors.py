"""What every template may use."""

from typing import Any

from django.conf import settings
from django.http import HttpRequest
from django.urls import reverse
from django.utils.functional import SimpleLazyObject

from finops_site.models import User
from finops_site.people.demo_rows import demo_company
from finops_site.people.roles import role_of
from finops_site.people.signed_in import signed_in_user
from finops_site.registry import NavItem, NavSection, registry


def site(request: HttpRequest) -> dict[str, Any]:
    return {
        "embedded": settings.EMBEDDED,
        "demo_people": SimpleLazyObject(demo_people),
        "has_demo": SimpleLazyObject(lambda: has_demo(request)),
        "demo_step": SimpleLazyObject(lambda: demo_step(request)),
        "nav": SimpleLazyObject(lambda: navigation(request)),
        "role": SimpleLazyObject(lambda: role_of(signed_in_user(request))),
    }


# A group of more links than these begins closed.
OPEN_LINKS = 6

# Whom the sign-in page of the laptop mode offers; the password stands in the terminal.
DEMO_PEOPLE = (
    ("lea@demo.example", "leads the team Payments"),
    ("fay@demo.example", "finance"),
    ("eli@demo.example", "engineer in Payments"),
    ("max@demo.example", "executive"),
    ("ola@demo.example", "leads the team Data"),
    ("ada@demo.example", "administrator"),
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


def navigation(request: HttpRequest) -> list[dict[str, Any]]:
    """The sidebar's groups, each with the links of this person; the link whose address the page's begins with is
    current."""
    if not request.user.is_authenticated:
        return []
    links = [{"label": "Home", "url": reverse("home"), "icon": "home", "section": ""}]
    links += [
        {"label": item.label, "url": reverse(item.url_name), "icon": item.icon, "section": item.section}
        for item in registry.allowed(NavItem, signed_in_user(request))
    ]
    current = max((link["url"] for link in links if request.path.startswith(link["url"])), key=len, default="")
    for link in links:
        link["current"] = link["url"] == current and (current != "/" or request.path == "/")  # type: ignore[assignment]
    # The registered sections in their order, and after them those that nobody registered.
    names = dict.fromkeys(
        [*(section.label for section in registry.of(NavSection)), *(link["section"] for link in links)]
    )
    return [_group(name, group) for name in names if (group := [link for link in links if link["section"] == name])]


def _group(name: str, links: list[dict[str, Any]]) -> dict[str, Any]:
    """A long group is closed until somebody is in it or opens it, so that the groups after it stay in sight."""
    is_open = len(links) <= OPEN_LINKS or any(link["current"] for link in links)
    return {"name": name, "links": links, "is_open": is_open}

"""What people do with dashboards: keep and share them, and put views and panels on them in an order."""

from collections.abc import Sequence

from django.db import transaction
from django.utils.translation import gettext as _

from finops_site.lib.person import Person
from finops_site.models import Dashboard, DashboardItem, SavedView, User
from finops_site.registry import Panel, registry
from finops_site.saved_views.sharing import CannotSave, check_owner, save_row

# Each asks a few questions of the database.
MOST_ITEMS = 12
VIEW, PANEL = "view", "panel"


def panel_label(name: str) -> str:
    """What a panel of home is called: ``by-team`` is By team."""
    return name.replace("-", " ").capitalize()


def item_key(item: DashboardItem) -> str:
    """``view 12`` or ``panel history``: what names the item in the API."""
    return f"{VIEW} {item.view_id}" if item.view_id else f"{PANEL} {item.panel}"


def item_choices(user: Person) -> list[tuple[str, str]]:
    """What she can put on a dashboard: the views that she sees, and the panels of her home page."""
    views = SavedView.objects.visible_to(user)
    return [
        *((f"{VIEW} {view.pk}", view.name) for view in views),
        *(
            (f"{PANEL} {panel.name}", _("{panel}, as on home").format(panel=panel_label(panel.name)))
            for panel in _panels(user)
        ),
    ]


def _panels(user: Person) -> list[Panel]:
    return registry.allowed(Panel, user)


@transaction.atomic
def save_dashboard(dashboard: Dashboard, user: User, keys: Sequence[str] | None = None) -> Dashboard:
    """Keeps a dashboard that is named, with these items in this order; None leaves them. Raises CannotSave."""
    if dashboard.pk is None:
        dashboard.owner = user
    save_row(dashboard, user)
    if keys is not None:
        set_items(dashboard, user, keys)
    return dashboard


def delete_dashboard(dashboard: Dashboard, user: User) -> None:
    """Raises NotYours; its views stay."""
    check_owner(dashboard, user)
    dashboard.delete()


@transaction.atomic
def set_items(dashboard: Dashboard, user: User, keys: Sequence[str]) -> None:
    """These items in this order and no others. Raises CannotSave for one that she cannot see."""
    check_owner(dashboard, user)
    if len(keys) > MOST_ITEMS:
        raise CannotSave(_("A dashboard has room for {most}: take one away first.").format(most=MOST_ITEMS))
    if len(set(keys)) < len(keys):
        raise CannotSave(_("Each view and each panel stands on a dashboard once."))
    here = {item_key(item): item for item in dashboard.items.all()}
    offered = dict(item_choices(user))
    for key in keys:
        if key not in here and key not in offered:
            raise CannotSave(
                _("{key!r} is no view or panel that you see: write view 12 or panel history.").format(key=key[:80])
            )
    for key, item in here.items():
        if key not in keys:
            item.delete()
    for position, key in enumerate(keys):
        kind, _ignored, name = key.partition(" ")
        item = here.get(key) or DashboardItem(dashboard=dashboard)
        item.position = position
        if item.pk is None:
            item.view_id, item.panel = (int(name), "") if kind == VIEW else (None, name)
        item.save()


def add_item(dashboard: Dashboard, user: User, key: str) -> None:
    """Puts a view or a panel at the end. Raises CannotSave."""
    set_items(dashboard, user, [*keys_of(dashboard), key])


def move_item(dashboard: Dashboard, user: User, key: str, by: int) -> None:
    """Moves an item up (-1) or down (1); at either end it stays."""
    keys = keys_of(dashboard)
    check_owner(dashboard, user)
    if key not in keys:
        return
    place = keys.index(key)
    other = place + by
    if 0 <= other < len(keys):
        keys[place], keys[other] = keys[other], keys[place]
        set_items(dashboard, user, keys)


def remove_item(dashboard: Dashboard, user: User, key: str) -> None:
    set_items(dashboard, user, [other for other in keys_of(dashboard) if other != key])


def keys_of(dashboard: Dashboard) -> list[str]:
    return [item_key(item) for item in dashboard.items.all()]

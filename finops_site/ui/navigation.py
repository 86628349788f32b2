"""Where somebody can go: the sidebar's entries, their tabs, and the letters that open them, from what pillars register.

A person's entries and tabs lead only to pages that she may open, so that sidebar, tabs, search, shortcuts and
breadcrumbs agree.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

from django.http import HttpRequest
from django.urls import reverse

from finops_site.lib.person import Person
from finops_site.people.signed_in import signed_in_user
from finops_site.registry import NavItem, NavSection, NavTab, registry
from finops_site.translation import gettext_lazy as _lazy
from finops_site.ui.request_memo import request_memo

HOME = NavItem(_lazy("Home"), "home", "home", key="h")


@dataclass(frozen=True, slots=True)
class NavPage:
    """A page of an entry, called as its tab is."""

    label: str
    url: str


@dataclass(frozen=True, slots=True)
class NavEntry:
    """A link of one person's sidebar, with the pages of it that she may open: at least one, the first is its own."""

    item: NavItem
    pages: Sequence[NavPage]

    @property
    def label(self) -> str:
        return self.item.label

    @property
    def url(self) -> str:
        return self.pages[0].url


@dataclass(frozen=True, slots=True)
class NavGroup:
    """The entries below one heading of the sidebar; the heading may be empty."""

    label: str
    entries: Sequence[NavEntry]


@dataclass(frozen=True, slots=True)
class Shortcut:
    """Keys, pressed one after the other, and where they lead; `attribute` is what a link without an address does."""

    keys: tuple[str, ...]
    label: str
    url: str = ""
    attribute: str = ""

    @property
    def sequence(self) -> str:
        """The keys as shortcuts.js reads them."""
        return " ".join(self.keys)


# What keys do on every page; Cmd does as Ctrl does.
SITE_SHORTCUTS = (
    Shortcut(("/",), _lazy("Search"), attribute="data-open-search"),
    Shortcut(("Ctrl+K",), _lazy("Search, while typing too"), attribute="data-open-search"),
    Shortcut(("?",), _lazy("This list"), attribute="data-open-shortcuts"),
)


def allowed_entries(user: Person) -> list[NavEntry]:
    """The entries of a person, in the order of their items; one of which she may open nothing is left out."""
    tabs, items = registry.allowed(NavTab, user), registry.allowed(NavItem, user)
    entries = []
    for item in [HOME, *registry.of(NavItem)]:
        own = [NavPage(item.tab or item.label, reverse(item.url_name))] if item is HOME or item in items else []
        pages = own + [NavPage(tab.label, reverse(tab.url_name)) for tab in tabs if tab.parent == item.url_name]
        if pages:
            entries.append(NavEntry(item, pages))
    return entries


class Navigation:
    """The navigation of one person on the page at `path`."""

    def __init__(self, entries: Sequence[NavEntry], path: str) -> None:
        self.entries = entries
        self.path = path

    @cached_property
    def current(self) -> NavEntry | None:
        """The entry to which the page belongs: the one with the page whose address is the longest part of its own."""
        by_url = {page.url: entry for entry in self.entries for page in entry.pages}
        # Every address begins with that of home.
        home = reverse(HOME.url_name)
        above = [url for url in by_url if self.path == url or (url != home and self.path.startswith(url))]
        return by_url[max(above, key=len)] if above else None

    @property
    def groups(self) -> list[NavGroup]:
        """The registered sections in their order, and after them those that nobody registered."""
        by_name: dict[str, list[NavEntry]] = {"": [], **{str(section.label): [] for section in registry.of(NavSection)}}
        # Translated here, as the sections are: an entry and its section say the same in every language.
        for entry in self.entries:
            by_name.setdefault(str(entry.item.section), []).append(entry)
        return [NavGroup(name, entries) for name, entries in by_name.items() if entries]

    @property
    def tabs(self) -> Sequence[NavPage]:
        """The tabs at the top of the page: those of its entry, where it is one of several pages of it."""
        pages = self.current.pages if self.current else ()
        return pages if len(pages) > 1 and any(page.url == self.path for page in pages) else ()

    @property
    def shortcuts(self) -> list[Shortcut]:
        """What g and a letter open; of two entries with one letter the first has it."""
        by_key: dict[str, NavEntry] = {}
        for entry in self.entries:
            if entry.item.key:
                by_key.setdefault(entry.item.key, entry)
        return [Shortcut(("G", key.upper()), entry.label, entry.url) for key, entry in by_key.items()]

    def breadcrumbs(self, crumbs: Sequence[tuple[str, str]]) -> list[tuple[str, str]]:
        """(label, address) from the sidebar's entry down to the page's parent.

        The first is the entry, called as in the sidebar; a tab of it is called as its tab is.
        """
        entry = self.current
        if entry is None:
            return list(crumbs)
        labels = {page.url: page.label for page in entry.pages}
        tops = {entry.url, reverse(entry.item.url_name)}
        paths = {url: url.partition("?")[0] for _label, url in crumbs}
        # What the page asks for, as its month, goes along.
        top = next((url for url in paths if paths[url] == entry.url), entry.url)
        below = [(labels.get(paths[url], label), url) for label, url in crumbs if paths[url] not in tops]
        return [*([] if self.path == entry.url else [(entry.label, top)]), *below]


def navigation(request: HttpRequest) -> Navigation:
    """The navigation of this request; nothing is in it where nobody is signed in."""
    if not request.user.is_authenticated:
        return Navigation((), request.path)
    user = signed_in_user(request)
    return request_memo(user, ("navigation", request.path), lambda: Navigation(allowed_entries(user), request.path))

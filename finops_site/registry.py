"""How the site knows the pillars without importing them.

A pillar calls ``registry.add`` in ``AppConfig.ready()``; home, the sidebar, ``seed_demo`` and later reports read what
was registered.
Adding a pillar changes no file of the site.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class NavItem:
    """A link of the sidebar, shown to people who hold `permission` (everybody when it is empty)."""

    label: str
    url_name: str
    icon: str
    permission: str = ""
    order: int = 100


@dataclass(frozen=True, slots=True)
class Panel:
    """A block of the home page: `context(request)` fills `template`, or returns None to stay away."""

    name: str
    template: str
    context: Callable[[Any], dict[str, Any] | None]
    permission: str = ""
    order: int = 100


@dataclass(frozen=True, slots=True)
class DemoStep:
    """One part of the demo organisation: `run(say, as_of=...)` makes it, once; lower orders run first."""

    name: str
    run: Callable[..., None]
    order: int = 100


@dataclass(slots=True)
class Registry:
    nav: list[NavItem] = field(default_factory=list)
    panels: list[Panel] = field(default_factory=list)
    demo_steps: list[DemoStep] = field(default_factory=list)

    def add(self, *things: NavItem | Panel | DemoStep) -> None:
        """Registers each thing in its list, in its order; a thing registered twice is kept once."""
        homes = {NavItem: self.nav, Panel: self.panels, DemoStep: self.demo_steps}
        for thing in things:
            home: list[Any] = homes[type(thing)]  # type: ignore[assignment]
            if thing not in home:
                home.append(thing)
                home.sort(key=lambda known: known.order)


registry = Registry()

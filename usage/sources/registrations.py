"""What sources add to the pages of the site."""

from typing import Any

from finops_site.registry import HealthCheck, NavTab
from finops_site.translation import gettext_lazy as _lazy


def entries() -> list[Any]:
    """Entries of the registry."""
    from usage.sources import health

    return [
        NavTab(_lazy("Imports"), "usage:imports", "usage:overview", "usage.view_factimport", 70),
        NavTab(_lazy("Connections"), "usage:connections", "usage:overview", "usage.view_connection", 72),
        HealthCheck("usage-connections", _lazy("Connections of usage"), health.connections, 23),
    ]

"""What carbon adds to the pages of the site."""

from typing import Any

from finops_site.registry import NavTab
from finops_site.translation import gettext_lazy as _lazy


def entries() -> list[Any]:
    """Entries of the registry."""
    return [NavTab(_lazy("Carbon"), "usage:carbon", "usage:overview", "usage.view_carbonmonth", 80)]

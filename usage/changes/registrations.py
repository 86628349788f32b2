"""What change sets add to the pages of the site."""

from typing import Any

from finops_site.registry import NavTab, PendingDecisionSource
from finops_site.translation import gettext_lazy as _lazy


def entries() -> list[Any]:
    """Entries of the registry."""
    # The worker applies by it; nobody else asks for the module.
    from usage.changes import pending_decisions, tasks  # noqa: F401

    return [
        NavTab(_lazy("Change sets"), "usage:change_sets", "usage:overview", "usage.view_fixset", 20),
        PendingDecisionSource(
            "change sets of findings",
            pending_decisions.waiting_change_sets,
            pending_decisions.list_change_sets,
            "usage.approve_fixset",
            44,
        ),
    ]

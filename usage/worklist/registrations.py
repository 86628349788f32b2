"""What this part adds to the pages, the nights and the reports of the site."""

from typing import Any

from finops_site.people.roles import ENGINEERING, FINANCE
from finops_site.registry import (
    AdviceSource,
    MessageQueue,
    NavItem,
    NavTab,
    NotificationKind,
    Panel,
    SearchSource,
    TeamPanel,
    ToDoSource,
)
from finops_site.translation import gettext_lazy as _lazy

SEE = "usage.view_finding"


def entries() -> list[Any]:
    """Entries of the registry."""
    # The worker makes tickets by it; nobody else asks for the module.
    from usage.worklist import panels, search, tasks, to_do, unsent  # noqa: F401

    nav = "usage:overview"
    return [
        NavItem(_lazy("Usage"), nav, "bulb", SEE, 55, _lazy("Improve"), tab=_lazy("Overview"), key="u"),
        NavTab(_lazy("Findings"), "usage:findings", nav, SEE, 10),
        NavTab(_lazy("Quiet rules"), "usage:quiet_rules", nav, "usage.view_quietrule", 50),
        Panel("usage", "usage/panels/findings.html", panels.findings_panel, SEE, 46, {ENGINEERING: 29, FINANCE: 46}),
        TeamPanel("usage", "usage/panels/team_findings.html", panels.team_findings_panel, SEE, 35),
        ToDoSource(
            "usage",
            _lazy("Usage"),
            "bulb",
            to_do.findings_to_do,
            to_do.list_findings,
            "usage.change_finding",
            45,
            (ENGINEERING,),
            "usage:findings",
        ),
        AdviceSource("usage", panels.usage_advice, SEE, 55),
        SearchSource("findings", _lazy("Findings"), "bulb", search.find_findings, SEE, 62),
        MessageQueue("tickets", _lazy("Tickets"), unsent.state, unsent.unsent, unsent.retry, unsent.may_retry, 30),
        NotificationKind("finding-assigned", _lazy("Findings that you are given"), SEE, 35),
    ]

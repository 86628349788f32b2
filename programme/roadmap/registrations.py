"""What the ninety days add to the site: their tabs, to-dos, decisions, mails, the night, and their part of the demo."""

from finops_site.people.roles import ADMINISTRATOR, ENGINEERING
from finops_site.registry import (
    DemoPart,
    DemoStep,
    NavItem,
    NavTab,
    NightlyCheck,
    NotificationKind,
    OutgoingEmailCheck,
    Panel,
    PendingDecisionSource,
    ToDoSource,
)
from finops_site.translation import gettext_lazy as _lazy
from programme.roadmap import demo, nightly, panels
from programme.roadmap.decisions import MAY_DECIDE
from programme.roadmap.programmes import MAY_SEE
from programme.roadmap.reminders import why_no_reminder

PARENT = "programme:overview"
ROADMAP = (
    NavItem(
        _lazy("Programme"),
        "programme:overview",
        "flag",
        "costs.view_company",
        12,
        "",
        tab=_lazy("Overview"),
        key="n",
    ),
    NavTab(_lazy("KPIs"), "programme:kpis", PARENT, "programme.view_kpi", 5),
    NavTab(_lazy("Ninety days"), "programme:roadmap", PARENT, MAY_SEE, 10),
    NavTab(_lazy("Maturity"), "programme:maturity", PARENT, "costs.view_company", 40),
    Panel(
        "programme",
        "programme/home_panel.html",
        panels.home_panel,
        "costs.view_company",
        16,
        {ADMINISTRATOR: None, ENGINEERING: None},
    ),
    ToDoSource(
        "milestones",
        _lazy("Milestone"),
        "flag",
        panels.own_milestones,
        panels.list_milestones,
        MAY_SEE,
        15,
        url_name="programme:roadmap",
    ),
    PendingDecisionSource("programme", panels.decisions_to_take, panels.list_decisions, MAY_DECIDE, 10),
    OutgoingEmailCheck("milestones", "milestone ", why_no_reminder, 60, is_listed_elsewhere=False),
    OutgoingEmailCheck("decisions of the programme", "decision ", why_no_reminder, 61, is_listed_elsewhere=False),
    NotificationKind("milestone-due", _lazy("Milestones that are due"), MAY_SEE, 50),
    NotificationKind("decision-due", _lazy("Decisions of the programme"), MAY_DECIDE, 51),
    # After the pillars: it reads their figures of the same night.
    NightlyCheck("programme", nightly.check_roadmap, 96, _lazy("programme")),
    DemoStep("programme", demo.make_programme, 95),
    DemoPart("programme", _lazy("The programme"), demo.counts, demo.remove_programmes, 5),
)

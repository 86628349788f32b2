"""The plan of ninety days that comes with the product: three pillars, four phases, three decisions, four risks."""

from typing import Any

from django.utils.translation import gettext as _

AT_LEAST, AT_MOST = ">=", "<="


def ninety_days() -> dict[str, Any]:
    """The plan, in the language of whoever starts it; plans.py says what it holds."""
    lead, finance, platform, executive = _("FinOps lead"), _("Finance"), _("Platform engineering"), _("CFO")
    return {
        "name": _("Ninety days of FinOps"),
        "days": 90,
        "phases": [
            _phase(_("Foundation"), _("See all cost, agree on tags and owners, decide whether to go on."), 1, 14),
            _phase(
                _("First savings"), _("First budgets in force, first reservations bought, half of it tagged."), 15, 45
            ),
            _phase(_("Scale"), _("Coverage to 70%, tags to 95%, every team with a budget and a statement."), 46, 75),
            _phase(_("Hand over"), _("What was reached is proved, and what goes on is somebody's work."), 76, 90),
        ],
        "weeks": [
            {"number": number, "focus": focus}
            for number, focus in enumerate(
                (
                    _("Bills in, owners named, go or no-go"),
                    _("Tag policy and budgets drafted"),
                    _("First budgets in force, teams shown their cost"),
                    _("Alerts answered within a day"),
                    _("Steady machines found, first purchase approved"),
                    _("First reservations bought"),
                    _("Half of the resources tagged, 40% covered"),
                    _("Statements of the first closed month"),
                    _("Second purchase, the rest of the teams"),
                    _("Tags corrected by their owners"),
                    _("Coverage towards 70%"),
                    _("Savings proved by the bills"),
                    _("Handed over to who goes on with it"),
                ),
                1,
            )
        ],
        "milestones": [
            _milestone(
                _("Bills of three months are loaded"),
                5,
                platform,
                _("A source for each account"),
                "count:bill-months",
                3,
            ),
            _milestone(_("Sponsor and owners are named"), 6, executive, _("A name beside each part of the plan")),
            _milestone(
                _("A tag policy is in force"), 12, finance, _("At least three required tags"), "count:required-tags", 3
            ),
            _milestone(_("2 budgets active"), 21, finance, _("The company's and one team's"), "kpi:active-budgets", 2),
            _milestone(_("Every lead has seen her team's cost"), 25, lead, _("A meeting of half an hour with each")),
            _milestone(_("80% of cost has an owner"), 30, lead, _("Rules of ownership"), "kpi:owned-cost", 80),
            _milestone(_("Alerts are answered within a day"), 35, lead, "", "kpi:alert-response", 24, AT_MOST),
            _milestone(
                _("First 10-20 reservations bought"),
                42,
                platform,
                _("Steady machines first"),
                "count:commitments-bought",
                10,
            ),
            _milestone(_("50% of resources tagged"), 44, platform, "", "kpi:tag-compliance", 50),
            _milestone(_("40% coverage"), 45, platform, "", "kpi:commitment-coverage", 40),
            _milestone(
                _("First month charged to teams"), 52, finance, _("Closed statements"), "count:closed-months", 1
            ),
            _milestone(_("5 budgets active"), 60, finance, _("One for each team"), "kpi:active-budgets", 5),
            _milestone(_("Owners correct their own tags"), 65, lead, _("A list for each team, every week")),
            _milestone(_("Budgets are met within 5%"), 75, finance, "", "kpi:budget-variance", 5, AT_MOST),
            _milestone(_("95% of resources tagged"), 85, platform, "", "kpi:tag-compliance", 95),
            _milestone(
                _("12,500 saved in a month, proved"), 88, finance, _("By the bills"), "kpi:monthly-savings", 12500
            ),
            _milestone(_("70% coverage"), 90, platform, "", "kpi:commitment-coverage", 70),
            _milestone(
                _("What goes on has an owner"), 90, executive, _("The plan of the next quarter"), required=False
            ),
        ],
        "risks": [
            {
                "name": _("Reservations that are not used"),
                "trigger": _("80% or less of what is committed is used."),
                "mitigation": _("Buy for steady machines only, one year, in steps of a third of the need."),
                "contingency": _("Stop buying; move machines onto what is bought; exchange or sell what is left."),
                "role": platform,
                **_live("kpi:commitment-utilisation", "80", AT_MOST),
                "from_day": 15,
            },
            {
                "name": _("Teams do not tag"),
                "trigger": _("At day 30, 30% or less of resources are tagged."),
                "mitigation": _("Few tags, set by the pipelines; a list for each team; leads see their rank."),
                "contingency": _("Ownership by account until tags are there; untagged machines are refused."),
                "role": lead,
                **_live("kpi:tag-compliance", "30", AT_MOST),
                "from_day": 30,
            },
            {
                "name": _("Alerts that nobody answers"),
                "trigger": _("An answer takes two days or more on average."),
                "mitigation": _("Few thresholds, one person each, and who is next in line."),
                "contingency": _("The sponsor hears of each alert; thresholds nobody answers are taken away."),
                "role": finance,
                **_live("kpi:alert-response", "48", AT_LEAST),
                "from_day": 21,
            },
            {
                "name": _("Nobody has time for it"),
                "trigger": _("Two milestones in a row are late by a week."),
                "mitigation": _("Half a day a week of each lead is promised by the engineering VP."),
                "contingency": _("Drop what saves least, and tell the sponsor which target goes with it."),
                "role": executive,
            },
        ],
        "decisions": [
            {
                "name": _("Day 7: go or no-go"),
                "question": _("Are bills, owners and a sponsor there, so that the rest is worth beginning?"),
                "day": 7,
                "by_targets": False,
            },
            {
                "name": _("Day 45: go on, or change course"),
                "question": _("Are the first savings real, and do we buy the second step?"),
                "day": 45,
                "by_targets": False,
            },
            {
                "name": _("Day 90: hand over"),
                "question": _("Were the targets reached, and what do we go on with?"),
                "day": 90,
                "by_targets": True,
            },
        ],
        "communications": [
            _news(
                _("CFO and engineering VP"),
                _("Figures against targets, decisions asked"),
                _("every two weeks"),
                _("mail"),
            ),
            _news(_("Team leads"), _("Their cost, their tags, what to do first"), _("every week"), _("mail and chat")),
            _news(
                _("Everybody in engineering"), _("What was reached and what comes next"), _("every month"), _("chat")
            ),
            _news(_("Management"), _("The quarterly business review"), _("at day 90"), _("meeting")),
        ],
    }


def _phase(name: str, goal: str, first: int, last: int) -> dict[str, Any]:
    return {"name": name, "goal": goal, "first": first, "last": last}


def _milestone(
    name: str,
    day: int,
    role: str,
    deliverable: str,
    figure: str = "",
    limit: int = 0,
    comparison: str = AT_LEAST,
    *,
    required: bool = True,
) -> dict[str, Any]:
    live = _live(figure, str(limit), comparison) if figure else {}
    return {"name": name, "deliverable": deliverable, "day": day, "role": role, "is_required": required, **live}


def _live(figure: str, limit: str, comparison: str) -> dict[str, Any]:
    return {"figure": figure, "comparison": comparison, "limit": limit}


def _news(audience: str, what: str, when: str, channel: str) -> dict[str, Any]:
    return {"audience": audience, "what": what, "when": when, "channel": channel, "schedule_name": ""}

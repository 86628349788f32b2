"""What tagging registers with the site: navigation, panels, report sections, decisions, checks and the demo."""

from django.apps import apps

from costs import reconciliation, retention
from costs.query.tag_keys import aliases_from, value_aliases_from
from finops_site.people.roles import ADMINISTRATOR, ENGINEERING, EXECUTIVE
from finops_site.registry import (
    AdviceSource,
    DemoPart,
    DemoStep,
    LineFactSource,
    NavItem,
    NavTab,
    NightlyCheck,
    NotificationKind,
    Panel,
    PendingDecisionSource,
    PeriodSection,
    PlanEffectSource,
    ProgressCount,
    ReportSection,
    SearchSource,
    SetupStep,
    StatementReadSource,
    TeamDocumentSource,
    TeamPanel,
    ToDoSource,
    registry,
)
from finops_site.translation import gettext_lazy as _lazy
from tagging import demo_removal, kpis, pending_decisions, period_report, search, to_do
from tagging.chargeback import demo as chargeback_demo
from tagging.chargeback import invariants, periods
from tagging.chargeback.first_statements import first_statements
from tagging.chargeback.web import panels as chargeback_panels
from tagging.ownership import demo as ownership_demo
from tagging.ownership import ownership_figures
from tagging.policy import demo as policy_demo
from tagging.policy import panels as policy_panels
from tagging.policy import reminders
from tagging.remediation import demo as remediation_demo
from tagging.unit_costs.plan_effects import plan_effects

TAGS = "tagging:overview"
SEE_COSTS = "costs.view_costline"
SEE_STATEMENTS = "tagging.view_statement"


# Every change that a person makes to these has an entry in the audit log.
def register() -> None:
    reconciliation.register_checks(invariants.check_statements)
    retention.register_protection(periods.deliveries_behind_statements)
    policy = apps.get_model("tagging", "TagRequirement").objects
    aliases_from(policy.key_aliases)
    value_aliases_from(policy.value_meanings)
    registry.add(*DECISIONS, *OWNERSHIP, *CHARGEBACK, *POLICY, *REMEDIATION)


DECISIONS = (
    PendingDecisionSource(
        "disputes", pending_decisions.open_disputes, pending_decisions.list_disputes, "tagging.change_dispute", 40
    ),
    PendingDecisionSource(
        "corrections",
        pending_decisions.proposed_corrections,
        pending_decisions.list_corrections,
        "tagging.change_dispute",
        40,
    ),
    PendingDecisionSource(
        "exceptions",
        pending_decisions.requested_exceptions,
        pending_decisions.list_exceptions,
        "tagging.decide_tagexception",
        41,
    ),
    PendingDecisionSource(
        "claims", pending_decisions.waiting_claims, pending_decisions.list_claims, "tagging.confirm_virtualtag", 42
    ),
    PendingDecisionSource(
        "change sets",
        pending_decisions.change_sets_in_review,
        pending_decisions.list_change_sets,
        "tagging.approve_changeset",
        43,
    ),
)
OWNERSHIP = (
    NavItem(
        _lazy("Ownership"),
        "tagging:ownership",
        "hierarchy-2",
        "tagging.view_ownershiprule",
        47,
        _lazy("Improve"),
        tab=_lazy("Rules"),
        key="o",
    ),
    NavTab(_lazy("Unowned cost"), "tagging:unowned", "tagging:ownership", "costs.view_company", 10),
    NavTab(_lazy("Pools"), "tagging:pools", "tagging:ownership", "costs.view_pool", 20),
    SetupStep(
        "ownership",
        _lazy("Ownership rules"),
        _lazy("A rule names the team behind an account or a tag: without one, cost is nobody's."),
        "tagging:ownership_proposals",
        ownership_figures.has_own_rules,
        "tagging.add_ownershiprule",
        50,
        minutes=10,
    ),
    # Before the bills: cost is allocated while a bill is loaded.
    DemoStep("ownership rules", ownership_demo.make_ownership_rules, 40),
    LineFactSource("ownership rule", ownership_figures.rule_of_line, "tagging.view_ownershiprule"),
)
CHARGEBACK = (
    PlanEffectSource("unit costs", plan_effects, "tagging.view_metric", 40),
    StatementReadSource("statements", first_statements),
    SearchSource("statements", _lazy("Statements"), "receipt-2", search.find_statements, SEE_STATEMENTS, 70),
    DemoPart("rules", _lazy("Rules and statements"), demo_removal.counts, demo_removal.remove_rules_and_statements, 30),
    DemoPart("owners", _lazy("Owners of what stays"), lambda: [], demo_removal.assign_owners_again, 50),
    NavItem(
        _lazy("Chargeback"),
        "tagging:chargeback",
        "receipt-2",
        SEE_STATEMENTS,
        38,
        _lazy("Spend"),
        tab=_lazy("Months"),
        key="k",
    ),
    NavTab(_lazy("Disputes"), "tagging:disputes", "tagging:chargeback", "tagging.view_dispute", 10),
    NavTab(_lazy("Splits of pools"), "tagging:splits", "tagging:chargeback", "tagging.view_split", 20),
    NavTab(
        _lazy("Journal accounts"), "tagging:journal_accounts", "tagging:chargeback", "tagging.change_journalaccount", 30
    ),
    Panel(
        "statement",
        "tagging/panels/statement.html",
        chargeback_panels.statement_panel,
        SEE_STATEMENTS,
        45,
        {ENGINEERING: 28, EXECUTIVE: None, ADMINISTRATOR: None},
    ),
    TeamPanel(
        "statement", "tagging/panels/team_statement.html", chargeback_panels.team_statement_panel, SEE_STATEMENTS, 20
    ),
    ToDoSource(
        "statements",
        _lazy("Statement"),
        "receipt-2",
        to_do.new_statements,
        to_do.list_statements,
        SEE_STATEMENTS,
        20,
        (ENGINEERING,),
        "tagging:chargeback",
    ),
    ToDoSource(
        "answered-disputes",
        _lazy("Answer"),
        "check",
        to_do.answered_disputes,
        to_do.list_answers,
        "tagging.view_dispute",
        41,
        (ENGINEERING,),
        "tagging:disputes",
    ),
    ReportSection(
        "chargeback",
        _lazy("Chargeback"),
        "tagging/panels/report.html",
        chargeback_panels.report_section,
        SEE_STATEMENTS,
        60,
    ),
    TeamDocumentSource(
        "statements",
        _lazy("Statements"),
        period_report.team_documents,
        period_report.newest_closed_month,
        SEE_STATEMENTS,
        60,
    ),
    ProgressCount("closed-months", _lazy("Months charged to teams"), chargeback_panels.count_closed_months, 40),
    # After the bills, the splits and the metrics.
    DemoStep("chargeback", chargeback_demo.make_chargeback, 80),
)
POLICY = (
    SearchSource("resources", _lazy("Resources"), "box", search.find_resources, SEE_COSTS, 60),
    SetupStep(
        "policy",
        _lazy("Tag policy"),
        _lazy("Compliance is measured against it: say which values your tags may have."),
        "tagging:policy",
        policy_panels.policy_is_own,
        "tagging.view_tagrequirement",
        40,
        minutes=10,
    ),
    NavItem(_lazy("Tags"), TAGS, "tags", SEE_COSTS, 40, _lazy("Improve"), tab=_lazy("Tag compliance"), key="g"),
    NavTab(_lazy("Resources to fix"), "tagging:resources", TAGS, SEE_COSTS, 10),
    NavTab(_lazy("Exceptions"), "tagging:exceptions", TAGS, SEE_COSTS, 50),
    NavTab(_lazy("Tag policy"), "tagging:policy", TAGS, "tagging.view_tagrequirement", 60),
    TeamPanel("tags", "tagging/panels/team_tags.html", policy_panels.team_tags_panel, SEE_COSTS, 30),
    ToDoSource(
        "tags",
        _lazy("Tags"),
        "tags",
        to_do.resources_without_tags,
        to_do.list_resources,
        SEE_COSTS,
        50,
        (ENGINEERING,),
        "tagging:resources",
    ),
    ProgressCount("required-tags", _lazy("Required tags"), policy_panels.count_required_tags, 30),
    *kpis.KPIS,
    PeriodSection("tags", _lazy("Tags"), period_report.compliance_section, SEE_COSTS, 50, in_update=True),
    PeriodSection("unit-cost", _lazy("What one unit costs"), period_report.unit_cost_section, SEE_COSTS, 30),
    ReportSection(
        "tags", _lazy("Tag compliance"), "tagging/report.html", policy_panels.compliance_report, SEE_COSTS, 40
    ),
    AdviceSource("tags", policy_panels.tagging_advice, SEE_COSTS, 60),
    NotificationKind(
        "statement-closed",
        _lazy("Statements of a closed month"),
        "tagging.view_statement",
        20,
        _lazy("A statement is what a team is charged: it must reach who leads the team."),
    ),
    NotificationKind("dispute-raised", _lazy("Disputes to answer"), "tagging.change_dispute", 21),
    NotificationKind("dispute-resolved", _lazy("Answers to your disputes"), "tagging.view_dispute", 22),
    NotificationKind("correction-proposed", _lazy("Corrections to confirm"), "tagging.change_dispute", 23),
    NotificationKind("correction-rejected", _lazy("Corrections that were turned down"), "tagging.view_dispute", 24),
    NotificationKind("tag-digest", _lazy("Resources without tags, every week"), "costs.view_costline", 30),
    NightlyCheck("tags", reminders.nightly_check, 30, _lazy("tags")),
    DemoStep("tag policy", policy_demo.make_tag_policy, 55),
)
REMEDIATION = (
    NavTab(_lazy("Suggestions"), "tagging:suggestions", TAGS, "tagging.view_suggestion", 20),
    NavTab(_lazy("Virtual tags"), "tagging:virtual_tags", TAGS, "tagging.view_virtualtag", 30),
    NavTab(_lazy("Change sets"), "tagging:change_sets", TAGS, "tagging.view_changeset", 40),
    # Among the costs, whose pages those of another pillar are.
    NavTab(_lazy("Unit costs"), "tagging:unit_costs", "costs:explorer", "tagging.view_metric", 40),
    DemoStep("tag suggestions and counts", remediation_demo.make_suggestions_and_metrics, 65),
)

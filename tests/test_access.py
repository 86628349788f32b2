"""Who may open what: every address of the site and its API stands in this table, for every person.

An address that is missing here fails the test. A status for each of: nobody (not signed in), ada (administrator), fay
(finance), eli (engineer of Payments), lea (lead of Payments), ola (lead of Data), max (executive).
"""

from datetime import date
from decimal import Decimal

import pytest
from django.forms import ChoiceField, ModelChoiceField
from django.urls import get_resolver, reverse
from django.urls.resolvers import URLPattern
from django.utils import timezone
from rest_framework.request import Request
from rest_framework.views import APIView

from budgets.alerts import links
from budgets.evaluation import evaluate
from budgets.models import Alert, Anomaly, AnomalySensitivity, Budget, Control, ControlChangeSet, ProposedChange
from budgets.planning import budget_changes
from costs import focus_export
from costs.ingest.load import load_bill
from costs.ingest.receive import receive_bill
from costs.models import AccountGroup, CostLine, FocusExport, Invoice, InvoiceFile, Pool
from costs.query import drilldown
from costs.query.line_addresses import keys_of
from finops_site.api.base import HoldsPermission
from finops_site.lib.periods import Month, Period
from finops_site.mail import mailbox
from finops_site.mail.emails import make_message
from finops_site.models import AuditEntry, Dashboard, Export, GroupMapping, SavedView, Team
from finops_site.own_roles.changes import RoleWish, save_role
from programme.models import Assumption, MadeReport, ReportDelivery, ReportRun, ReportSchedule
from programme.reports import compose, composed, readers
from programme.reports.leaving import leave_url
from programme.roadmap import plans
from programme.roadmap.seed_plan import ninety_days
from programme.savings_model.assumptions import start_model
from reservations.models import ApproverLimit, Commitment, Plan, PurchaseRequest, StandingOrder
from tagging.chargeback import draft_statements
from tagging.models import (
    Adjustment,
    ChargebackPeriod,
    Dispute,
    Metric,
    OwnershipRule,
    Split,
    StatementLine,
    Suggestion,
    TagException,
    TaggedResource,
    TagRequirement,
)
from tagging.policy import compliance
from tagging.remediation import change_sets, suggestions, virtual_tags
from tests import bills
from tests.page_style import odd_styles
from tests.people import person
from tests.shared_fixtures import shared
from usage.models import Connection, Estimate, FactImport, Finding, FixSet, QuietRule, Scenario

pytestmark = pytest.mark.django_db

# Pages whose help says how a file or a tag writes a day: every other one has one style of days, shares and minus signs.
OTHER_STYLE = {"tagging:metric_upload", "tagging:policy"}
NAMES = ("nobody", "ada", "fay", "eli", "lea", "ola", "max")
# Made and tested by the packages they come from; ours is only that they are there.
OTHERS = ("account_", "mfa_", "admin:", "socialaccount")


def row(nobody, **statuses):
    everybody = statuses.pop("all", None)
    return {"nobody": nobody} | {name: statuses.get(name, everybody) for name in NAMES[1:]}


SIGN_IN, NO_TOKEN = 302, 401
EVERYBODY = row(SIGN_IN, all=200)
WHOLE_COMPANY = row(SIGN_IN, all=403, ada=200, fay=200, max=200)
FINANCE_ONLY = row(SIGN_IN, all=403, fay=200)
BRINGS_BILLS = row(SIGN_IN, all=403, ada=200, fay=200)
POST_ONLY = row(SIGN_IN, all=403, ada=405, fay=405)
FINANCE = row(SIGN_IN, all=403, fay=200)
FINANCE_POSTS = row(SIGN_IN, all=403, fay=405)
API_EVERYBODY = row(NO_TOKEN, all=200)
API_WHOLE_COMPANY = row(NO_TOKEN, all=403, ada=200, fay=200, max=200)
API_POSTS = row(NO_TOKEN, all=405)
API_POSTS_WHOLE_COMPANY = row(NO_TOKEN, all=403, ada=405, fay=405, max=405)
READS_RULES = row(SIGN_IN, all=200, max=403)
API_READS_RULES = row(NO_TOKEN, all=200, max=403)
FINANCE_ONLY = row(SIGN_IN, all=403, fay=200)
LINE_OF_PAYMENTS = row(SIGN_IN, all=200, ola=404)
API_LINE_OF_PAYMENTS = row(NO_TOKEN, all=200, ola=404)
# What lea shares with her team: who sees the whole company is not in it.
OF_PAYMENTS = row(SIGN_IN, all=404, eli=200, lea=200)
API_OF_PAYMENTS = row(NO_TOKEN, all=404, eli=200, lea=200)
MAIL_TO_LEA = row(SIGN_IN, all=404, ada=200, lea=200)

# A plan is everybody's to read and finance's to change; its decisions are those of finance and executives.
ROADMAP = {
    "programme:roadmap": EVERYBODY,
    "programme:programme": EVERYBODY,
    "programme:milestones": EVERYBODY,
    "programme:milestone": EVERYBODY,
    "programme:risk": EVERYBODY,
    "programme:decision": EVERYBODY,
    "programme:maturity": WHOLE_COMPANY,
    "programme:programme_start": FINANCE_ONLY,
    "programme:part_add": FINANCE_ONLY,
    "programme:part_edit": FINANCE_ONLY,
    "programme:move": FINANCE_ONLY,
    "programme:part_remove": FINANCE_POSTS,
    "programme:programme_act": FINANCE_POSTS,
    "programme:risk_act": FINANCE_POSTS,
    "programme:milestone_act": row(SIGN_IN, all=405, ada=403),
    "programme:decision_act": row(SIGN_IN, all=405),
    **{f"api:{kind}-list": API_EVERYBODY for kind in ("programme", "milestone", "risk", "decision-point")},
    **{f"api:{kind}-detail": API_EVERYBODY for kind in ("programme", "milestone", "risk", "decision-point")},
    "api:milestone-tick": row(NO_TOKEN, all=405),
    "api:decision-point-decide": row(NO_TOKEN, all=405),
    "api:maturity": API_WHOLE_COMPANY,
}

# What could cost less, of Payments; its imports are for who brings bills.
USAGE = {
    "usage:overview": EVERYBODY,
    "usage:findings": EVERYBODY,
    "usage:finding": LINE_OF_PAYMENTS,
    "usage:quiet_rules": EVERYBODY,
    "api:usage-finding-list": API_EVERYBODY,
    "api:usage-finding-detail": API_LINE_OF_PAYMENTS,
    "api:usage-finding-answer": API_POSTS,
    "api:usage-finding-ticket": API_POSTS,
    "api:usage-quiet-rule-list": API_EVERYBODY,
    "api:usage-quiet-rule-detail": API_LINE_OF_PAYMENTS,
    "usage:proof": EVERYBODY,
    **dict.fromkeys(("usage:imports", "usage:import_add", "usage:import"), BRINGS_BILLS),
    "usage:import_withdraw": POST_ONLY,
    **dict.fromkeys(("api:usage-import-list", "api:usage-import-detail"), row(NO_TOKEN, all=403, ada=200, fay=200)),
    "api:usage-import-withdraw": row(NO_TOKEN, all=403, ada=405, fay=405),
    "usage:carbon": EVERYBODY,
    "api:usage-carbon": API_EVERYBODY,
    **dict.fromkeys(("usage:connections", "usage:connection_add"), BRINGS_BILLS),
    "usage:connection": row(SIGN_IN, all=404, ada=200, fay=200, max=403),
    "usage:connection_read": POST_ONLY,
    "usage:change_sets": EVERYBODY,
    "usage:change_set": LINE_OF_PAYMENTS,
    "usage:change_set_add": row(SIGN_IN, all=405, ada=403, max=403),
    "api:usage-change-list": API_EVERYBODY,
    "api:usage-change-detail": API_LINE_OF_PAYMENTS,
    "api:usage-change-act": API_POSTS,
    **dict.fromkeys(
        ("api:usage-connection-list", "api:usage-connection-detail"), row(NO_TOKEN, all=403, ada=200, fay=200)
    ),
    **dict.fromkeys(
        ("api:usage-connection-read", "api:usage-connection-test"), row(NO_TOKEN, all=403, ada=405, fay=405)
    ),
    "usage:estimates": EVERYBODY,
    "usage:estimate_add": row(SIGN_IN, all=200, ada=403, max=403),
    "usage:estimate": LINE_OF_PAYMENTS,
    **dict.fromkeys(
        ("usage:estimate_edit", "usage:scenario_add", "usage:scenario_edit"),
        row(SIGN_IN, all=200, ada=403, ola=404, max=403),
    ),
    **dict.fromkeys(("usage:estimate_act", "usage:scenario_act"), row(SIGN_IN, all=405, ada=403, max=403)),
    "api:estimate-list": API_EVERYBODY,
    **dict.fromkeys(("api:estimate-detail", "api:estimate-effects"), API_LINE_OF_PAYMENTS),
    **dict.fromkeys(("api:estimate-scenarios", "api:estimate-archive"), API_POSTS),
}

ACCESS = {
    **ROADMAP,
    **USAGE,
    "home": EVERYBODY,
    "reports": EVERYBODY,
    "search": EVERYBODY,
    "saved_views": EVERYBODY,
    "saved_view_add": EVERYBODY,
    # They are lea's, and shared with Payments.
    "saved_view": OF_PAYMENTS,
    "saved_view_act": row(SIGN_IN, all=405),
    "dashboards": EVERYBODY,
    "dashboard_add": EVERYBODY,
    "dashboard": OF_PAYMENTS,
    "dashboard_edit": row(SIGN_IN, all=404, lea=200, eli=403),
    "dashboard_act": row(SIGN_IN, all=405),
    "api:saved-view-list": API_EVERYBODY,
    "api:saved-view-detail": API_OF_PAYMENTS,
    "api:dashboard-list": API_EVERYBODY,
    "api:dashboard-detail": API_OF_PAYMENTS,
    "to_do": EVERYBODY,
    # A part of home: opened by itself it leads there.
    "programme": row(SIGN_IN, all=403, ada=302, fay=302, max=302),
    "programme:overview": WHOLE_COMPANY,
    **dict.fromkeys(
        ("programme:savings", "programme:savings_changes", "programme:savings_evidence", "programme:assumption"),
        WHOLE_COMPANY,
    ),
    "programme:savings_start": FINANCE_ONLY,
    "programme:assumption_edit": row(SIGN_IN, all=404, ada=403, fay=200, max=403),
    **dict.fromkeys(("api:savings-model", "api:savings-evidence", "api:savings-assumption-list"), API_WHOLE_COMPANY),
    **dict.fromkeys(("api:savings-assumption-change-list", "api:savings-assumption-detail"), API_WHOLE_COMPANY),
    "programme:kpis": EVERYBODY,
    "programme:kpi": EVERYBODY,
    "programme:kpi_edit": FINANCE_ONLY,
    **dict.fromkeys(("api:kpi", "api:kpi-history", "api:kpi-comments"), API_EVERYBODY),
    "report": LINE_OF_PAYMENTS,
    "report_pdf": LINE_OF_PAYMENTS,
    "health": row(SIGN_IN, all=403, ada=200),
    "unsent_messages": EVERYBODY,
    "audit": row(SIGN_IN, all=403, ada=200, fay=200),
    # Of a pool: finance sees what was done with money.
    "audit_entry": row(SIGN_IN, all=403, ada=200, fay=200),
    "notifications": EVERYBODY,
    # One's own alone.
    "notification": row(SIGN_IN, all=404),
    "notification_preferences": EVERYBODY,
    "my_settings": EVERYBODY,
    "my_exports": EVERYBODY,
    "api:export-list": API_EVERYBODY,
    # Of lea, and of nobody else.
    "my_export": row(SIGN_IN, all=404, lea=200),
    "my_export_file": row(SIGN_IN, all=404, lea=302),
    "my_export_act": row(SIGN_IN, all=405),
    "api:export-detail": row(NO_TOKEN, all=404, lea=200),
    "api:export-file": row(NO_TOKEN, all=404, lea=403),
    "typed_text": row(SIGN_IN, all=405),
    "healthz": row(200, all=200),
    "readyz": row(200, all=200),
    # From this machine; tests/finops_site/ops/test_metrics.py asks from others.
    "metrics": row(200, all=200),
    "token": EVERYBODY,
    "my_sessions": EVERYBODY,
    "usersessions_list": row(302, all=302),
    **dict.fromkeys(("token_end", "my_session_end"), row(SIGN_IN, all=405)),
    "person_sessions_end": row(SIGN_IN, all=403, ada=405),
    # It is there only while nobody is.
    "first_administrator": row(404, all=404),
    **dict.fromkeys(
        ("people", "person_invite", "people_paste", "person", "people_teams", "people_team_add"),
        row(SIGN_IN, all=403, ada=200),
    ),
    **dict.fromkeys(("group_mappings", "group_mapping_add"), row(SIGN_IN, all=403, ada=200)),
    "group_mapping": row(SIGN_IN, all=404, ada=200),
    **dict.fromkeys(("roles", "role_add"), row(SIGN_IN, all=403, ada=200)),
    "role": row(SIGN_IN, all=404, ada=200),
    "role_delete": row(SIGN_IN, all=403, ada=405),
    "api:role-list": row(NO_TOKEN, all=403, ada=200),
    "api:role-detail": row(NO_TOKEN, all=403, ada=200),
    "api:group-mapping-list": row(NO_TOKEN, all=403, ada=200),
    "api:group-mapping-detail": row(NO_TOKEN, all=403, ada=200),
    "scim_tokens": row(SIGN_IN, all=403, ada=200),
    "scim_token_end": row(SIGN_IN, all=403, ada=405),
    # It has tokens of its own: nobody's session opens it.
    **dict.fromkeys(
        tuple(f"scim:{kind}" for kind in ("users", "user", "groups", "group", "config", "resource_types", "schemas")),
        row(401, all=401),
    ),
    # No provider is set up.
    **dict.fromkeys(("openid_connect_login", "openid_connect_callback"), row(404, all=404)),
    **dict.fromkeys(
        ("saml_login", "saml_metadata", "saml_acs", "saml_finish_acs", "saml_sls"),
        row(404, all=404),
    ),
    "people_team": row(SIGN_IN, all=403, ada=200, ola=404),
    "people_team_delete": row(SIGN_IN, all=403, ada=405),
    "set_up": BRINGS_BILLS,
    "company": BRINGS_BILLS,
    "test_letter": BRINGS_BILLS,
    "remove_demo": row(SIGN_IN, all=403, ada=200),
    "dev_mail": EVERYBODY,
    "dev_mail_message": MAIL_TO_LEA,
    "dev_mail_html": MAIL_TO_LEA,
    "programme:reports": EVERYBODY,
    "programme:make_report": EVERYBODY,
    # Of Payments.
    **dict.fromkeys(
        ("programme:report", "programme:report_pdf", "programme:made_report", "programme:made_report_pdf"),
        LINE_OF_PAYMENTS,
    ),
    # One's own alone.
    "programme:report_run": row(SIGN_IN, all=404, lea=200),
    "programme:report_schedules": WHOLE_COMPANY,
    "programme:report_schedule": WHOLE_COMPANY,
    "programme:report_schedule_add": FINANCE_ONLY,
    "programme:report_schedule_edit": row(SIGN_IN, all=404, fay=200, ada=403, max=403),
    "programme:report_schedule_act": FINANCE_POSTS,
    "programme:report_send_again": FINANCE_POSTS,
    "api:made-report-list": API_EVERYBODY,
    "api:made-report-detail": API_LINE_OF_PAYMENTS,
    "api:made-report-pdf": API_LINE_OF_PAYMENTS,
    "api:report-schedule-list": API_WHOLE_COMPANY,
    "api:report-schedule-detail": API_WHOLE_COMPANY,
    **dict.fromkeys(
        tuple(f"api:report-schedule-{verb}" for verb in ("pause", "resume", "send", "take-over")),
        row(NO_TOKEN, all=403, ada=405, fay=405, max=405),
    ),
    "budgets:budgets": EVERYBODY,
    "budgets:annual_plan": EVERYBODY,
    "budgets:company_year": FINANCE_ONLY,
    "budgets:budget": LINE_OF_PAYMENTS,
    "budgets:add": FINANCE_ONLY,
    "budgets:grid": FINANCE_ONLY,
    "budgets:import": FINANCE_ONLY,
    "budgets:proposals": FINANCE_ONLY,
    "budgets:propose": row(SIGN_IN, all=403, fay=200, lea=200, ola=200),
    "budgets:preview": row(SIGN_IN, all=403, fay=405, lea=405, ola=405),
    "budgets:edit": row(SIGN_IN, all=403, fay=200, ola=404),
    # Finance changes it at once.
    "budgets:propose_change": row(SIGN_IN, all=403, lea=200, ola=404),
    "budgets:decide_change": row(SIGN_IN, all=405),
    "budgets:copy": row(SIGN_IN, all=403, fay=200, ola=404),
    "budgets:state": row(SIGN_IN, all=403, fay=405),
    "budgets:threshold_add": row(SIGN_IN, all=403, fay=200, ola=404),
    "budgets:threshold": row(SIGN_IN, all=403, fay=200, ola=404),
    "budgets:threshold_act": row(SIGN_IN, all=405),
    "budgets:charge_add": row(SIGN_IN, all=403, fay=200, ola=404),
    "budgets:charge": row(SIGN_IN, all=403, fay=200, ola=404),
    "budgets:charge_remove": row(SIGN_IN, all=405),
    # A lead says who hears of her team's budget.
    "budgets:recipient_add": row(SIGN_IN, all=403, fay=200, lea=200, ola=404),
    "budgets:recipient": row(SIGN_IN, all=403, fay=200, lea=200, ola=404),
    "budgets:recipient_act": row(SIGN_IN, all=405),
    "budgets:follow": row(SIGN_IN, all=403, fay=405),
    "budgets:controls": EVERYBODY,
    "budgets:control": LINE_OF_PAYMENTS,
    "budgets:control_add": FINANCE_ONLY,
    "budgets:control_edit": row(SIGN_IN, all=403, fay=200, ola=404),
    "budgets:control_arm": row(SIGN_IN, all=403, fay=200, ola=404),
    "budgets:control_act": row(SIGN_IN, all=405),
    "budgets:control_policy": FINANCE_ONLY,
    "budgets:control_switch": FINANCE_POSTS,
    "budgets:control_changes": EVERYBODY,
    "budgets:control_change": LINE_OF_PAYMENTS,
    # Those who may run it: a proposal has its checking script.
    "budgets:control_script": row(SIGN_IN, all=403, fay=200, eli=200, lea=200, ola=404),
    "budgets:anomalies": EVERYBODY,
    "budgets:anomaly": LINE_OF_PAYMENTS,
    "budgets:sensitivities": row(SIGN_IN, all=403, fay=200, eli=200, lea=200, ola=200),
    "budgets:sensitivity_add": row(SIGN_IN, all=403, fay=200, lea=200, ola=200),
    "budgets:sensitivity": row(SIGN_IN, all=403, fay=200, lea=200, ola=404),
    "budgets:sensitivity_remove": row(SIGN_IN, all=403, fay=405, eli=405, lea=405, ola=405),
    "budgets:answer": row(SIGN_IN, all=403, fay=405, eli=405, lea=405, ola=405),
    "budgets:alerts": EVERYBODY,
    "budgets:alert": LINE_OF_PAYMENTS,
    "budgets:acknowledge": row(200, all=200),
    "programme:leave_report": row(200, all=200),
    "budgets:act": row(SIGN_IN, all=403, fay=405, eli=405, lea=405, ola=405),
    "api:budget-list": API_EVERYBODY,
    "api:budget-detail": API_LINE_OF_PAYMENTS,
    "api:budget-proposals": row(NO_TOKEN, all=403, fay=200),
    "api:budget-known-charges": row(NO_TOKEN, all=405),
    "api:control-list": API_EVERYBODY,
    "api:control-detail": API_LINE_OF_PAYMENTS,
    "api:control-change-list": API_EVERYBODY,
    "api:control-change-detail": API_LINE_OF_PAYMENTS,
    "api:control-change-script": row(NO_TOKEN, all=400, fay=200, eli=200, lea=200, ola=404),
    **{
        f"api:control-change-{verb}": row(NO_TOKEN, all=405)
        for verb in ("approve", "refuse", "dry-run", "checked", "run", "ran", "undo")
    },
    "api:anomaly-list": API_EVERYBODY,
    "api:anomaly-detail": API_LINE_OF_PAYMENTS,
    "api:sensitivity-list": API_EVERYBODY,
    "api:sensitivity-detail": API_LINE_OF_PAYMENTS,
    "api:alert-list": API_EVERYBODY,
    "api:alert-detail": API_LINE_OF_PAYMENTS,
    "api:alert-acknowledge": row(NO_TOKEN, all=405),
    "api:alert-snooze": row(NO_TOKEN, all=405),
    "costs:explorer": EVERYBODY,
    "costs:compare": EVERYBODY,
    "costs:lines": EVERYBODY,
    "costs:line": LINE_OF_PAYMENTS,
    "costs:charge": LINE_OF_PAYMENTS,
    "costs:teams": EVERYBODY,
    "costs:team": LINE_OF_PAYMENTS,
    "costs:deliveries": WHOLE_COMPANY,
    "costs:delivery": WHOLE_COMPANY,
    "costs:delivery_row": WHOLE_COMPANY,
    "costs:delivery_progress": WHOLE_COMPANY,
    "costs:delivery_rejects": WHOLE_COMPANY,
    "costs:delivery_changes": WHOLE_COMPANY,
    "costs:delivery_conformance": WHOLE_COMPANY,
    "costs:delivery_conformance_rule": WHOLE_COMPANY,
    "costs:delivery_withdraw": POST_ONLY,
    "costs:delivery_decide": row(SIGN_IN, all=403, fay=405),
    "costs:invoices": WHOLE_COMPANY,
    "costs:invoice": row(SIGN_IN, all=403, ada=200, fay=200, max=200),
    "costs:invoice_add": FINANCE_ONLY,
    "costs:invoice_edit": row(SIGN_IN, all=404, ada=403, fay=200, max=403),
    "costs:invoice_file": WHOLE_COMPANY,
    "costs:invoices_upload": FINANCE_ONLY,
    "costs:invoices_template": FINANCE_ONLY,
    "api:invoice-list": API_WHOLE_COMPANY,
    "api:invoice-detail": API_WHOLE_COMPANY,
    "api:invoice-sign-off": row(NO_TOKEN, all=403, ada=405, fay=405, max=405),
    "api:invoice-reopen": row(NO_TOKEN, all=403, ada=405, fay=405, max=405),
    "costs:clusters": EVERYBODY,
    "costs:clusters_load": row(SIGN_IN, all=403, ada=200, fay=200),
    # It needs a month.
    "api:cluster-shares": row(NO_TOKEN, all=400),
    "costs:rates": EVERYBODY,
    "costs:rates_load": row(SIGN_IN, all=403, fay=200),
    "costs:sources": WHOLE_COMPANY,
    "costs:source_add": BRINGS_BILLS,
    "costs:source": row(SIGN_IN, all=404, ada=200, fay=200, max=403),
    "costs:source_sync": POST_ONLY,
    "costs:exports": WHOLE_COMPANY,
    "costs:export_file": WHOLE_COMPANY,
    "tagging:ownership": READS_RULES,
    "tagging:ownership_add": FINANCE_ONLY,
    "tagging:ownership_rule": row(SIGN_IN, all=403, fay=200, max=404),
    "tagging:ownership_remove": row(SIGN_IN, all=403, fay=200, max=404),
    "tagging:ownership_move": row(SIGN_IN, all=403, fay=405),
    "tagging:ownership_proposals": FINANCE_ONLY,
    "tagging:ownership_import": FINANCE_ONLY,
    "tagging:ownership_apply": row(SIGN_IN, all=403, fay=405),
    "tagging:ownership_progress": READS_RULES,
    "tagging:unowned": WHOLE_COMPANY,
    "tagging:unowned_fixer": row(SIGN_IN, all=403, fay=200),
    "costs:account_groups": WHOLE_COMPANY,
    "costs:account_group_add": BRINGS_BILLS,
    "costs:account_group": row(SIGN_IN, all=403, ada=200, fay=200),
    "api:account-group-list": API_WHOLE_COMPANY,
    "api:account-group-detail": API_WHOLE_COMPANY,
    "tagging:pools": WHOLE_COMPANY,
    "tagging:pool_add": FINANCE_ONLY,
    "tagging:pool": row(SIGN_IN, all=404, ada=403, fay=200, max=403),
    "api:ownership-rule-list": API_READS_RULES,
    "api:ownership-rule-detail": row(NO_TOKEN, all=200, max=403),
    "api:ownership-rule-proposals": API_READS_RULES,
    "api:ownership-rule-apply": row(NO_TOKEN, all=405, max=403),
    "api:ownership-rule-preview": row(NO_TOKEN, all=405, max=403),
    "api:focus-export-list": API_WHOLE_COMPANY,
    "api:focus-export-detail": API_WHOLE_COMPANY,
    "api:focus-export-file": API_WHOLE_COMPANY,
    "costs:corrections": WHOLE_COMPANY,
    "costs:delivery_file": WHOLE_COMPANY,
    "costs:delivery_upload": BRINGS_BILLS,
    "costs:delivery_retry": POST_ONLY,
    "reservations:overview": EVERYBODY,
    "reservations:expiries": EVERYBODY,
    "reservations:commitments": EVERYBODY,
    "reservations:commitments_load": row(SIGN_IN, all=403, fay=200),
    "reservations:commitment": LINE_OF_PAYMENTS,
    "reservations:prices": EVERYBODY,
    "reservations:prices_load": row(SIGN_IN, all=403, fay=200),
    "reservations:recommend": row(SIGN_IN, all=200, ada=403, max=403),
    "reservations:recommendations": EVERYBODY,
    "reservations:recommendation": LINE_OF_PAYMENTS,
    "reservations:recommendation_progress": LINE_OF_PAYMENTS,
    "reservations:recommended_item": LINE_OF_PAYMENTS,
    "reservations:purchases": EVERYBODY,
    "reservations:purchase": LINE_OF_PAYMENTS,
    "reservations:purchase_ask": row(SIGN_IN, all=200, ada=403, max=403, ola=404),
    "reservations:purchase_file": row(SIGN_IN, all=403, fay=200),
    "reservations:buying_policy": FINANCE,
    "reservations:buying_switch": FINANCE_POSTS,
    "reservations:approver_limit_add": FINANCE,
    "reservations:approver_limit": FINANCE,
    "reservations:standing_orders": EVERYBODY,
    "reservations:standing_order_add": FINANCE,
    "reservations:standing_order": row(SIGN_IN, all=403, fay=200, ola=404),
    "api:purchase-list": API_EVERYBODY,
    "api:purchase-detail": API_LINE_OF_PAYMENTS,
    "api:purchase-approve": row(NO_TOKEN, all=405),
    "api:purchase-reject": row(NO_TOKEN, all=405),
    "api:purchase-export": row(NO_TOKEN, all=405),
    "reservations:savings": EVERYBODY,
    "reservations:saved": LINE_OF_PAYMENTS,
    "api:saving-list": API_EVERYBODY,
    "api:saving-year": API_EVERYBODY,
    "api:commitment-coverage": API_EVERYBODY,
    "api:commitment-list": API_EVERYBODY,
    "api:commitment-detail": API_LINE_OF_PAYMENTS,
    "api:recommendation-list": API_EVERYBODY,
    "api:recommendation-detail": API_LINE_OF_PAYMENTS,
    "tagging:chargeback": EVERYBODY,
    "tagging:chargeback_month": EVERYBODY,
    "tagging:chargeback_close": FINANCE_POSTS,
    "tagging:chargeback_refresh": FINANCE_POSTS,
    "tagging:chargeback_aside": FINANCE_POSTS,
    "tagging:chargeback_basis": FINANCE,
    "tagging:chargeback_books": FINANCE,
    "tagging:statements_csv": EVERYBODY,
    # Of a draft the accruals: who has no cost centre of nobody books what teams are charged.
    "tagging:journal": FINANCE,
    "tagging:journal_csv": FINANCE,
    "tagging:journal_accounts": FINANCE,
    "tagging:statement": LINE_OF_PAYMENTS,
    "tagging:statement_csv": LINE_OF_PAYMENTS,
    "tagging:statement_pdf": LINE_OF_PAYMENTS,
    "tagging:statements_xlsx": EVERYBODY,
    "tagging:splits": EVERYBODY,
    "tagging:split": FINANCE,
    "tagging:split_add": FINANCE,
    "tagging:split_remove": FINANCE_POSTS,
    "tagging:disputes": EVERYBODY,
    "tagging:dispute": LINE_OF_PAYMENTS,
    "tagging:dispute_add": row(SIGN_IN, all=403, lea=200, ola=404),
    "api:chargeback-list": API_EVERYBODY,
    "api:chargeback-month": API_EVERYBODY,
    "api:chargeback-aside": row(NO_TOKEN, all=405),
    "api:chargeback-take-back": row(NO_TOKEN, all=405),
    "api:chargeback-journal": row(NO_TOKEN, all=403, fay=200),
    "api:journal-layouts": row(NO_TOKEN, all=403, fay=200),
    "api:chargeback-team": API_LINE_OF_PAYMENTS,
    "tagging:overview": EVERYBODY,
    "tagging:resources": EVERYBODY,
    "tagging:resource": LINE_OF_PAYMENTS,
    "tagging:exceptions": EVERYBODY,
    "tagging:exception": LINE_OF_PAYMENTS,
    "tagging:exception_add": row(SIGN_IN, ada=403, fay=403, eli=200, lea=200, ola=404, max=403),
    "tagging:policy": EVERYBODY,
    "tagging:requirement": row(SIGN_IN, all=403, fay=200),
    "tagging:requirement_add": row(SIGN_IN, all=403, fay=200),
    "tagging:requirement_remove": row(SIGN_IN, all=403, fay=405),
    "tagging:prevention": EVERYBODY,
    "tagging:prevention_file": EVERYBODY,
    "tagging:suggestions": EVERYBODY,
    "tagging:virtual_tags": EVERYBODY,
    "tagging:claim": row(SIGN_IN, all=200, ada=403, max=403),
    "tagging:virtual_tag_add": row(SIGN_IN, all=200, ada=403, ola=404, max=403),
    "tagging:change_sets": EVERYBODY,
    "tagging:change_set": LINE_OF_PAYMENTS,
    "tagging:change_set_file": LINE_OF_PAYMENTS,
    "tagging:unit_costs": EVERYBODY,
    "tagging:metric_upload": row(SIGN_IN, all=403, fay=200),
    "tagging:metric_edit": row(SIGN_IN, all=403, fay=200),
    "api:tag-suggestion-list": API_EVERYBODY,
    "api:tag-suggestion-detail": API_LINE_OF_PAYMENTS,
    "api:tag-suggestion-accept": row(NO_TOKEN, all=405),
    "api:tag-suggestion-refuse": row(NO_TOKEN, all=405),
    "api:virtual-tag-list": API_EVERYBODY,
    "api:virtual-tag-detail": API_LINE_OF_PAYMENTS,
    "api:virtual-tag-end": row(NO_TOKEN, all=405),
    "api:virtual-tag-many": row(NO_TOKEN, all=405),
    "api:business-metrics": API_EVERYBODY,
    "api:unit-costs": API_EVERYBODY,
    "api:tag-compliance": API_EVERYBODY,
    "api:tag-resource-list": API_EVERYBODY,
    "api-schema": API_EVERYBODY,
    "api-docs": EVERYBODY,
    "api:me": API_EVERYBODY,
    "api:me-token": row(NO_TOKEN, all=405),
    "api:me-tokens": API_EVERYBODY,
    "api:me-token-detail": row(NO_TOKEN, all=405),
    "api:cost-line-list": API_EVERYBODY,
    "api:cost-line-detail": API_LINE_OF_PAYMENTS,
    # It wants to know of which line.
    "api:charge-list": row(NO_TOKEN, all=400),
    "api:charge-detail": API_LINE_OF_PAYMENTS,
    "api:spend": API_EVERYBODY,
    "api:team-list": API_EVERYBODY,
    "api:team-detail": API_LINE_OF_PAYMENTS,
    "api:delivery-list": API_WHOLE_COMPANY,
    "api:delivery-detail": API_WHOLE_COMPANY,
    "api:delivery-decide": row(NO_TOKEN, all=403, ada=405, fay=405, max=405),
    "api:delivery-changes": API_WHOLE_COMPANY,
    "api:delivery-conformance": API_WHOLE_COMPANY,
    "api:delivery-rejects": API_WHOLE_COMPANY,
    "api:source-list": API_WHOLE_COMPANY,
    "api:source-sync": API_POSTS_WHOLE_COMPANY,
    "api:source-test": API_POSTS_WHOLE_COMPANY,
    "api:delivery-withdraw": API_POSTS_WHOLE_COMPANY,
    "api:delivery-retry": API_POSTS_WHOLE_COMPANY,
    "api:overlaps": API_WHOLE_COMPANY,
    "api:correction-list": API_WHOLE_COMPANY,
    "api:exchange-rate-list": API_EVERYBODY,
    "api:changes": API_EVERYBODY,
    "api:reports": API_EVERYBODY,
    "api:report": API_LINE_OF_PAYMENTS,
    "api:kpis": API_EVERYBODY,
    "api:decisions": API_EVERYBODY,
    "api:to-do": API_EVERYBODY,
    "api:health": row(NO_TOKEN, all=403, ada=200),
    "api:notification-list": API_EVERYBODY,
    "api:notification-read": API_POSTS,
    "api:notification-preferences": API_EVERYBODY,
    "api:audit-list": row(NO_TOKEN, all=403, ada=200, fay=200),
    "api:audit-detail": row(NO_TOKEN, all=403, ada=200, fay=200),
    "api:budget-propose": API_POSTS,
    "api:budget-decide": API_POSTS,
    "api:budget-propose-change": API_POSTS,
    "api:budget-decide-change": API_POSTS,
    "api:budget-thresholds": API_POSTS,
    "api:anomaly-answer": API_POSTS,
    "api:price-list": API_EVERYBODY,
    "api:standing-order-list": API_EVERYBODY,
    "api:tag-rule-list": API_EVERYBODY,
    "api:tag-rule-detail": API_EVERYBODY,
    "api:tag-exception-list": API_EVERYBODY,
    "api:tag-exception-detail": API_LINE_OF_PAYMENTS,
    "api:tag-exception-decide": API_POSTS,
    "api:tag-exception-many": API_POSTS,
    "api:tag-change-set-list": API_EVERYBODY,
    "api:tag-change-set-detail": API_LINE_OF_PAYMENTS,
    "api:tag-change-set-review": API_POSTS,
    "api:pool-list": API_WHOLE_COMPANY,
    "api:pool-detail": API_WHOLE_COMPANY,
    "api:split-list": API_EVERYBODY,
    "api:split-detail": API_EVERYBODY,
    "api:split-preview": API_POSTS,
    "api:dispute-list": API_EVERYBODY,
    "api:dispute-detail": API_LINE_OF_PAYMENTS,
    "api:dispute-resolve": API_POSTS,
    "api:dispute-confirm": API_POSTS,
    "api:dispute-turn-down": API_POSTS,
    "api:adjustment-list": API_EVERYBODY,
    "api:adjustment-detail": API_LINE_OF_PAYMENTS,
    "api:source-detail": API_WHOLE_COMPANY,
}

# What an address needs behind its question mark to lead to the line's account.
QUERIES = {
    "tagging:unowned_fixer": "?account=000000000042",
    "api:control-change-script": "?verb=check",
}


# Pages of other packages, one for monitors and one for mail programs, which add names of their own to an address.
READ_BY_OTHERS = {
    "api-docs",
    "api-schema",
    "healthz",
    "readyz",
    "metrics",
    "budgets:acknowledge",
    "programme:leave_report",
}


CHARGEBACK = {
    name
    for name in ACCESS
    if name.startswith("api:chargeback")
    or name.split(":")[-1].split("_")[0] in ("chargeback", "statements", "statement", "journal", "splits", "split")
    or name.split(":")[-1].split("_")[0] in ("disputes", "dispute")
}


def addresses():
    """Every named address: {name: its pattern}; the names of namespaces are written before a colon."""

    def walk(patterns, prefix=""):
        for entry in patterns:
            if isinstance(entry, URLPattern):
                # allauth leads its addresses of before to those of today.
                if entry.name or not str(entry.pattern).startswith("social/"):
                    yield f"{prefix}{entry.name}"
            else:
                yield from walk(entry.url_patterns, f"{prefix}{entry.namespace}:" if entry.namespace else prefix)

    return {name for name in walk(get_resolver().url_patterns) if not name.startswith(OTHERS)}


@shared
def a_line(people, tmp_path):
    """A line that Payments owns, by a bill of one charge."""
    team = Team.objects.get(name="Payments")
    OwnershipRule.objects.create(name="Tag Team", team=team, tag_key="Team", tag_value="Payments")
    (received,) = receive_bill("northwind", [bills.write(tmp_path, "march.csv", bills.focus_csv([{}]))])
    load_bill(received.delivery)
    return CostLine.objects.get()


def chargeback_arguments(name, line):
    """The line's billing month as a draft, with a statement of its team that is disputed, and a split pool."""
    kind = name.split(":")[-1]
    if kind in ("chargeback", "splits", "split_add", "disputes", "journal_accounts", "chargeback-list"):
        return []
    if kind in ("split", "split_remove"):
        return [Split.objects.create(pool=Pool.objects.create(name="Support"), method="even").pk]
    draft_statements.refresh_stale_drafts()
    month, statement_line = "2026-03", StatementLine.objects.get()
    if kind == "dispute_add":
        return [statement_line.pk]
    if kind == "dispute":
        raised_by = person("lea")
        return [Dispute.objects.create(line=statement_line, raised_by=raised_by, comment="Not ours").pk]
    ours = kind in ("statement", "statement_csv", "statement_pdf", "chargeback-team")
    return [month, line.owner_id] if ours else [month]


def of_shared_cost(name, line):
    """The same for the API of pools, splits, disputes and adjustments."""
    kind, _, part = name.removeprefix("api:").partition("-")
    if part in ("list", "preview"):
        return []
    if kind in ("pool", "split"):
        pool = Pool.objects.create(name="Support")
        return [pool.pk if kind == "pool" else Split.objects.create(pool=pool, method="even").pk]
    (pk,) = chargeback_arguments("tagging:dispute", line)
    if kind == "dispute":
        return [pk]
    moved = {"currency": "USD", "amount": 1, "created_by": person("fay"), "from_team": line.owner}
    return [Adjustment.objects.create(dispute_id=pk, period=ChargebackPeriod.objects.first(), **moved).pk]


def of_fixes(name):
    """The same for virtual tags, suggestions and change sets about the resource of the line."""
    row = TaggedResource.objects.get()
    if name == "virtual_tag_add":
        return [row.key]
    if name == "metric_edit":
        return [Metric.objects.create(name="orders").pk]
    if name in ("change_sets", "tag-change-set-list"):
        return []
    if name.startswith(("tag-suggestion-detail", "virtual-tag-detail", "virtual-tag-end", "change_set", "tag-change")):
        details = {"start": date(2026, 3, 1), "end": None, "user": person("lea"), "now": timezone.now()}
        tag = virtual_tags.set_virtual_tag(row, "Note", "x", **details)
        if name.startswith("tag-suggestion"):
            suggestions.rebuild_suggestions(date(2026, 3, 31))
            return [Suggestion.objects.first().pk]
        if name.startswith("virtual-tag"):
            return [tag.pk]
        made = change_sets.create_change_set([tag], title="x", user=person("lea"), now=timezone.now())
        return [made.pk, "csv"] if name == "change_set_file" else [made.pk]
    return []


OWNERSHIP = ("tagging:ownership", "tagging:unowned", "tagging:pool")
FIXES = ("suggestions", "virtual", "claim", "change", "unit", "metric", "tag-suggestion", "tag-change", "business")


def of_tags(name, line):
    """The same for the addresses of the tag policy."""
    compliance.refresh_compliance()
    resource = TaggedResource.objects.get()
    if name.startswith(FIXES):
        return of_fixes(name)
    if name in ("resource", "exception_add"):
        return [resource.key]
    if name in ("exception", "tag-exception-detail", "tag-exception-decide"):
        details = {"reason": "no tags there", "expires_on": date(2030, 1, 1), "owner": person("eli")}
        return [TagException.objects.create(resource_key=resource.key, team=resource.owner, **details).pk]
    if name in ("requirement", "requirement_remove", "tag-rule-detail"):
        return [TagRequirement.objects.first().pk]
    return ["azure-policy"] if name == "prevention_file" else []


REPORTS = (
    "programme:report",
    "programme:leave_report",
    "programme:made_report",
    "programme:make_report",
    "api:made-report",
    "api:report-schedule",
)


def of_made_reports(kind, line):
    """A report of Payments that was made, lea's that is being made, and a schedule of fay's."""
    if kind in ("reports", "make_report", "report_schedules", "report_schedule_add") or kind.endswith("-list"):
        return []
    days = {"kind": "update", "start": date(2026, 2, 20), "end": date(2026, 3, 6)}
    if kind in ("report", "report_pdf"):
        return ["update", days["end"]]
    if kind.startswith(("made_report", "made-report")):
        figures = {**days, "title": "Two weeks", "as_of": days["end"], "scope_key": "x", "sha256": "x"}
        report = compose.compose(
            "update", readers.scope_of(person("lea")), Period(days["start"], days["end"]), days["end"]
        )
        return [MadeReport.objects.create(**figures, teams=[line.owner_id], figures=composed.to_json(report)).pk]
    if kind == "report_run":
        return [ReportRun.objects.create(**days, due_at=timezone.now(), asked_by=person("lea")).pk]
    schedule = ReportSchedule.objects.create(name="Monthly", kind="monthly", owner=person("fay"), since=days["start"])
    if kind == "report_send_again":
        run = ReportRun.objects.create(**days, due_at=timezone.now(), schedule=schedule)
        return [ReportDelivery.objects.create(run=run, to="lea@demo.example").pk]
    if kind == "leave_report":
        run = ReportRun.objects.create(**days, due_at=timezone.now(), schedule=schedule)
        return [leave_url(ReportDelivery(run=run, to="lea@demo.example")).rstrip("/").rpartition("/")[2]]
    return [schedule.pk, "pause"] if kind == "report_schedule_act" else [schedule.pk]


def arguments(name, line):
    """What the address of `name` takes to lead to the line, its team, its delivery, or a thing of its team."""
    if name.startswith(REPORTS):
        return of_made_reports(name.split(":")[-1], line)
    if name in ROADMAP:
        return roadmap_arguments(name)
    if name in USAGE:
        return usage_arguments(name.split(":")[-1], line)
    if name in CHARGEBACK:
        return chargeback_arguments(name, line)
    if name.startswith(("api:pool", "api:split", "api:dispute", "api:adjustment")):
        return of_shared_cost(name, line)
    if name.startswith(("programme:", "api:kpi", "api:savings-")):
        return of_programme(name.split(":")[-1])
    if name in ("api:audit-detail", "audit_entry"):
        return [AuditEntry.objects.filter(model__startswith="costs.").first().pk]
    if name.startswith(("tagging:", "api:tag-", "api:virtual-", "api:business-")) and not name.startswith(OWNERSHIP):
        return of_tags(name.split(":")[-1], line)
    budget_names = ("budgets:", "api:budget", "api:alert", "api:anomaly", "api:control", "api:sensitivity")
    if name.startswith(budget_names):
        return budget_arguments(name, line)
    delivery = line.delivery_month.delivery
    kind, part = name.split(":")[-1], name.rpartition("-")[2]
    if kind in ("charge", "charge-detail"):
        names = [keys_of([line])[line.pk], drilldown.charges_of(line).rows[0]["key"]]
        return names if kind == "charge" else ["_".join(names)]
    if kind.startswith(("saved_view", "saved-view", "dashboard")):
        return of_views(kind, line)
    if kind in ("person", "people_team", "people_team_delete"):
        return [person("lea").pk if kind == "person" else line.owner_id]
    if kind in ("role", "role_delete", "role-detail"):
        wish = RoleWish("Auditor", "finance", ["see-costs", "company", "audit-log"])
        return [save_role(wish, by=person("ada")).pk]
    if kind in ("group_mapping", "group-mapping-detail"):
        return [GroupMapping.objects.create(group="cloud", role="engineering").pk]
    if kind.startswith(("openid_connect", "saml_")):
        return ["nobody"]
    if name.startswith("scim:"):
        return [1] if kind in ("user", "group") else []
    if kind in ("notification", "scim_token_end", "token_end", "my_session_end", "me-token-detail"):
        return [1]
    if kind == "person_sessions_end":
        return [person("lea").pk]
    if kind in ("report", "report_pdf"):
        return [Month.of(line.charge_date)]
    if kind.startswith("dev_mail_"):
        return [a_mail_to_lea()]
    if kind.startswith("delivery_file"):
        return [delivery.pk, delivery.files.get().pk]
    if kind == "delivery_conformance_rule":
        return [delivery.pk, "charge-category-is-known"]
    if kind in ("ownership_rule", "ownership_remove", "ownership_move", "ownership-rule-detail"):
        return [OwnershipRule.objects.get().pk]
    if kind in ("account_group", "account-group-detail"):
        return [AccountGroup.objects.create(name="Customer A").pk]
    if kind in ("account_groups", "journal-layouts"):
        return []
    if kind == "pool":
        return [Pool.objects.create(name="Support").pk]
    if kind.startswith(("ownership", "unowned", "pool")):
        return []
    if name == "my_exports":
        return []
    if kind.endswith(("-list", "_upload", "_add", "_load")) or kind in (
        "deliveries",
        "lines",
        "teams",
        "explorer",
        "spend",
        "corrections",
    ):
        return []
    if name.startswith(("my_export_", "api:export-")) or name == "my_export":
        job = Export.objects.create(person=person("lea"), address="/costs/lines/?_export=csv", title="Cost lines")
        return [job.pk, "cancel"] if name == "my_export_act" else [job.pk]
    if kind in ("export_file", "focus-export-detail", "focus-export-file"):
        return [focus_export.write_export(FocusExport.objects.create(billing_month=line.billing_month)).pk]
    if kind.startswith("invoice"):
        return of_invoices(kind, line)
    if kind.startswith(("purchase", "buying_", "approver_", "standing_")):
        return of_purchases(kind, line)
    if name.startswith(("reservations:", "api:commitment", "api:recommendation")) and part not in ("list", "coverage"):
        return of_commitments(kind.replace("_", "-").split("-")[0], line)
    ids = {
        "cost": line.pk,
        "line": keys_of([line])[line.pk],
        "team": line.owner_id,
        "source": delivery.source_id,
        "delivery": delivery.pk,
    }
    pk = ids.get(kind.replace("_", "-").split("-")[0])
    return [pk] if pk and (part != "list") else []


def usage_arguments(kind, line):
    """A finding of the line's team, or what a dismissal of it taught."""
    if kind in ("finding", "usage-finding-detail"):
        day = {"first_seen": line.charge_date, "last_seen": line.charge_date}
        return [
            Finding.objects.create(rule="gp3", resource="vol-1", owner=line.owner, currency="USD", key="1", **day).pk
        ]
    if kind in ("change_set", "usage-change-detail", "usage-change-act"):
        day = {"first_seen": line.charge_date, "last_seen": line.charge_date}
        finding = Finding.objects.create(rule="disk_gp2", resource="vol-1", owner=line.owner, key="2", **day)
        fix_set = FixSet.objects.create(title="A disk", made_by=person("eli"))
        fix_set.steps.create(finding=finding, action="disk-gp3", account="1", target="vol-1")
        return [fix_set.pk]
    if kind in ("import", "import_withdraw", "usage-import-detail", "usage-import-withdraw"):
        return [FactImport.objects.create(kind="metrics", source="cpu.csv", sha256="1").pk]
    if kind.startswith(("connection", "usage-connection")) and kind not in ("connections", "connection_add"):
        return [] if kind.endswith("list") else [Connection.objects.create(name="Production").pk]
    if kind.startswith(("estimate", "scenario")) and kind not in ("estimates", "estimate_add", "estimate-list"):
        about = {"team": line.owner, "currency": "USD", "made_by": person("fay")}
        estimate = Estimate.objects.create(name="Shop", **about)
        scenario = Scenario.objects.create(estimate=estimate, name="As planned")
        more = {"scenario_edit": [scenario.pk], "scenario_act": [scenario.pk, "choose"], "estimate_act": ["archive"]}
        return [estimate.pk, *more.get(kind, [])]
    if kind == "usage-quiet-rule-detail":
        return [QuietRule.objects.create(rule="gp3", team=line.owner, account="42", reason="Kept").pk]
    return []


def roadmap_arguments(name):
    """A programme that runs by the plan of the product, and its first milestone, risk or decision."""
    kind = name.split(":")[-1]
    if kind in ("overview", "roadmap", "maturity", "programme_start") or kind.endswith("-list"):
        return []
    programme = plans.start(ninety_days(), timezone.now().date(), by=person("fay"), now=timezone.now())
    milestone = programme.milestones.first().pk
    if kind.startswith("part") or kind == "move":
        return [programme.pk, "milestone", *([] if kind == "part_add" else [milestone])]
    rows = {"milestone": milestone, "risk": programme.risks.first().pk, "decision": programme.decisions.first().pk}
    thing = rows.get(kind.replace("_", "-").split("-")[0], programme.pk)
    verbs = {"programme_act": "begin", "milestone_act": "tick", "risk_act": "over", "decision_act": "sign"}
    return [programme.pk if kind == "milestones" else thing, *([verbs[kind]] if kind in verbs else [])]


def of_programme(kind):
    """A KPI that everybody sees, each of her own teams, or an assumption of the savings model."""
    if kind.startswith("kpi"):
        return ["tag-compliance"] if kind != "kpis" else []
    start_model(user=None, currency="USD", start=Month(2026, 3), now=timezone.now())
    has_key = kind.startswith("assumption") or kind == "savings-assumption-detail"
    return [Assumption.objects.get(key="investment").pk] if has_key else []


def of_views(kind, line):
    """A saved view or a dashboard of lea's that she shares with the line's team."""
    if kind in ("saved_views", "dashboards") or kind.endswith(("_add", "-list")):
        return []
    model = Dashboard if kind.startswith("dashboard") else SavedView
    page = {} if model is Dashboard else {"path": "/costs/"}
    row = model.objects.create(owner=person("lea"), team=line.owner, name="Ours", **page)
    return [row.pk, *(["delete"] if kind.endswith("_act") else [])]


def of_invoices(kind, line):
    """An invoice of the line's account and month, with the file that was kept of it."""
    if kind in ("invoices", "invoices_template", "invoice_add", "invoice-list"):
        return []
    account = {"billing_account": line.billing_account, "billing_month": line.billing_month, "currency": line.currency}
    invoice = Invoice.objects.create(total=1, **account)
    InvoiceFile.objects.create(invoice=invoice, name="march.pdf", content=b"x")
    return [invoice.pk]


def of_purchases(kind, line):
    """A purchase that is handed out, its recommendation, a limit, or a standing order, of the line's team."""
    if kind == "approver_limit":
        return [ApproverLimit.objects.create(user=person("fay"), limit=1).pk]
    if kind == "standing_order":
        return [StandingOrder.objects.create(name="Monthly", team=line.owner).pk]
    if kind == "purchase_ask":
        return of_commitments("recommended", line)
    if kind in ("purchases", "purchase-list") or not kind.startswith("purchase"):
        return []
    amounts = dict.fromkeys(("hourly", "upfront", "monthly", "value", "on_demand_cost", "committed_cost"), 1)
    snapshot = {"prices": {}, "pools": [], "uncovered": None}
    row = PurchaseRequest.objects.create(
        **{"position": 1, "batch": 0, "team": line.owner, "provider": "AWS", "kind": "ri_standard", "term_months": 12},
        **{"payment": "none", "region": "us-east-1", "instance_type": "m5.large", "system": "Linux", "quantity": 1},
        **{"unit": "machines", "utilisation": 1, "currency": "USD", "request_snapshot": snapshot, "state": "exported"},
        **{"requested_by": person("eli"), "approved_by": person("fay"), "expires_at": timezone.now()},
        **amounts,
    )
    return [row.pk, "sh"] if kind == "purchase_file" else [row.pk]


def of_commitments(kind, line):
    """A commitment, or a recommendation with one purchase, of the line's team."""
    if kind == "commitment":
        return [Commitment.objects.create(provider="AWS", commitment_id="arn:1", owner=line.owner).pk]
    if kind == "saved":
        return [an_approved_purchase(line).pk]
    if kind not in ("recommendation", "recommended"):
        return []
    plan = Plan.objects.create(as_of=line.charge_date, team=line.owner, state=Plan.State.READY)
    plan.cost_before, plan.cost_after, plan.lower_bound, plan.gap, plan.confidence = 2, 1, 1, 0, "daily"
    plan.save()
    numbers = dict.fromkeys(("ratio", "committed", "on_demand", "level", "runs", "next"), "1")
    amounts = dict.fromkeys(("hourly", "upfront", "monthly", "on_demand_cost", "committed_cost", "utilisation"), 1)
    plan.items.create(
        position=1,
        kind="sp_ec2",
        term_months=12,
        payment="none",
        quantity=1,
        rate_day=line.charge_date,
        working={**numbers, "days": [], "ladder": [], "unit": "USD", "above": 0, "below": 0, "hours": 0},
        **amounts,
    )
    return [plan.pk, 1] if kind == "recommended" else [plan.pk]


def an_approved_purchase(line):
    amounts = ("quantity", "hourly", "upfront", "monthly", "value", "on_demand_cost", "committed_cost", "utilisation")
    reply = {"kind": "sp_ec2", "term_months": 12, "payment": "none", "currency": "USD", "unit": "USD an hour"}
    return PurchaseRequest.objects.create(
        position=1,
        batch=0,
        team=line.owner,
        state="approved",
        approved_by=person("fay"),
        approved_at=timezone.now(),
        expires_at=timezone.now(),
        **dict.fromkeys(amounts, 1),
        **reply,
    )


def a_mail_to_lea():
    mailbox.FolderBackend().send_messages([make_message("source-late", "lea@demo.example", {})])
    return max(path.stem for path in mailbox.folder().glob("*.eml"))


def control_arguments(kind, budget):
    control = Control.objects.create(
        name="Last resort",
        budget=budget,
        threshold=budget.thresholds.first(),
        action="stop",
        accounts=["000000000042"],
        changed_by=person("fay"),
    )
    if "change" in kind or kind == "control_script":
        now = timezone.now()
        row = ControlChangeSet.objects.create(
            control=control, team=budget.team, proposed_by=person("fay"), proposed_at=now, expires_at=now, why="A test"
        )
        return [row.pk, *(["check"] if kind == "control_script" else [])]
    return [control.pk, *(["disarm"] if kind == "control_act" else [])]


def budget_arguments(name, line):
    kind = name.split(":")[1]
    if kind in (
        "budgets",
        "add",
        "propose",
        "proposals",
        "budget-proposals",
        "preview",
        "grid",
        "import",
        "annual_plan",
        "alerts",
        "anomalies",
        "sensitivities",
        "sensitivity_add",
        "budget-propose",
        "company_year",
    ) or kind.endswith("-list"):
        return []
    if kind in ("controls", "control_add", "control_policy", "control_switch", "control_changes"):
        return []
    budget = budget_changes.create_budget(
        Budget(name="Payments", team_id=line.owner_id, start=line.billing_month),
        {Month.of(line.billing_month).period: Decimal(1)},
        by=None,
    )
    if kind.startswith("control"):
        return control_arguments(kind, budget)
    if kind == "decide_change":
        change = ProposedChange.objects.create(budget=budget, before={}, after={})
        return [budget.pk, change.pk, "approve"]
    if kind.startswith("charge"):
        if kind == "charge_add":
            return [budget.pk]
        charge = budget.known_charges.create(day=line.charge_date, amount=Decimal(5), description="licences")
        return [budget.pk, charge.pk]
    if kind.startswith(("alert", "ac")):
        evaluate.evaluate_nights(line.charge_date, now=timezone.now(), catch_up=False)
        alert = Alert.objects.filter(budget=budget)[0]
        if kind == "acknowledge":
            return [links.acknowledge_url(alert, "lea@demo.example").split("/")[-2]]
        return [alert.pk, *(["acknowledge"] if kind == "act" else [])]
    if kind.startswith("sensitivity"):
        return [AnomalySensitivity.objects.create(team_id=line.owner_id, level="high").pk]
    if kind.startswith(("anomaly", "answer")):
        days = {"day": line.charge_date, "last_day": line.charge_date, "found_as_of": line.charge_date}
        anomaly = Anomaly.objects.create(
            kind="team", team_id=line.owner_id, currency="USD", actual=Decimal(9), expected=Decimal(1), **days
        )
        return [anomaly.pk, *(["expected"] if kind == "answer" else [])]
    if kind in ("threshold", "threshold_act", "follow"):
        line = budget.thresholds.first().pk
        return [line] if kind == "follow" else [budget.pk, line, *(["off"] if kind == "threshold_act" else [])]
    if kind in ("recipient", "recipient_act"):
        return [budget.pk, budget.recipients.get().pk, *(["remove"] if kind == "recipient_act" else [])]
    return [budget.pk, *(["approve"] if kind == "state" else [])]


def answer_to(who, url, people, client, client_of):
    browser = client if who == "nobody" else client_of(people[who])
    return browser.get(url)


def test_every_address_stands_in_the_table():
    assert addresses() == set(ACCESS)


@pytest.mark.parametrize("name", sorted(ACCESS))
def test_an_address_opens_for_those_it_is_for_and_for_nobody_else(name, a_line, people, client, client_of):
    url = reverse(name, args=arguments(name, a_line)) + QUERIES.get(name, "")
    answers = {who: answer_to(who, url, people, client, client_of) for who in NAMES}
    statuses = {who: answer.status_code for who, answer in answers.items()}
    assert statuses == ACCESS[name], url
    pages = [page for page in answers.values() if page.status_code == 200 and "html" in page["Content-Type"]]
    if pages and name not in OTHER_STYLE:
        assert odd_styles(pages[-1].content.decode()) == [], url
    reader = next((who for who in NAMES[1:] if statuses[who] == 200), "")
    if reader and name not in READ_BY_OTHERS:
        with_one_more = f"{url}{'&' if '?' in url else '?'}nobody_reads_this=1"
        status = answer_to(reader, with_one_more, people, client, client_of).status_code
        assert status == 400, f"{url} ignores what it does not know"
    if reader:
        for filter_name in choices_of(answers[reader]):
            one_more = f"{url}{'&' if '?' in url else '?'}{filter_name}=nobody-has-this"
            answer = answer_to(reader, one_more, people, client, client_of)
            # What bills call things may be asked for before any bill has it: the page says that nothing is called so.
            is_said = bool((getattr(answer, "context_data", None) or {}).get("unmatched"))
            assert answer.status_code == 400 or is_said, f"{one_more} is answered as if it were a choice"


def choices_of(answer):
    """The names of those filters of a list that take what they offer alone."""
    filterset = (getattr(answer, "context_data", None) or {}).get("filterset")
    fields = filterset.form.fields.items() if filterset is not None else ()
    # A cost centre may be asked for before a team has it.
    names = [name for name, field in fields if isinstance(field, ChoiceField | ModelChoiceField)]
    return [name for name in names if name != "cost_center"]


CHANGING = {"post", "put", "patch", "delete"}


def changing_views():
    """{name: the view} of the API's addresses by which something can be changed."""
    views = {}
    for pattern in get_resolver("finops_site.api.urls").url_patterns:
        for route in getattr(pattern, "url_patterns", [pattern]):
            view = route.callback
            if HoldsPermission in getattr(getattr(view, "cls", None), "permission_classes", ()):
                methods = getattr(view, "actions", None) or {name for name in CHANGING if hasattr(view.cls, name)}
                if CHANGING & set(methods):
                    views[str(route.pattern)] = view
    return views


def test_every_view_of_the_api_that_changes_something_names_who_may():
    views = changing_views()
    assert len(views) > 30
    unnamed = [
        name
        for name, view in views.items()
        if "write_permission_required" not in view.initkwargs and not hasattr(view.cls, "write_permission_required")
    ]
    assert unnamed == []


def test_a_view_of_the_api_that_names_nobody_who_may_change_lets_nobody_change(ada, rf):
    class Changes(APIView):
        permission_required = "costs.view_delivery"

        def post(self, request: Request) -> None:
            raise AssertionError("nobody comes here")

    request = Request(rf.post("/"))
    request.user = ada
    assert not HoldsPermission().has_permission(request, Changes())


def test_a_lead_sees_her_teams_lines_and_nobody_elses(a_line, lea, ola, fay, client_of):
    counts = {user.email: client_of(user).get("/api/v1/cost-lines/").json()["results"] for user in (lea, ola, fay)}
    assert [len(results) for results in counts.values()] == [1, 0, 1]


def test_a_lead_of_a_team_above_sees_the_teams_below(a_line, ola, client_of):
    Team.objects.filter(name="Payments").update(parent=Team.objects.get(name="Data"))
    url = reverse("costs:line", args=[keys_of([a_line])[a_line.pk]])
    assert client_of(ola).get(url).status_code == 200


def test_unowned_cost_is_for_those_who_see_the_company(a_line, lea, fay, client_of):
    CostLine.objects.update(owner=None)
    url = reverse("costs:line", args=[keys_of([a_line])[a_line.pk]])
    assert client_of(lea).get(url).status_code == 404
    assert client_of(fay).get(url).status_code == 200


@pytest.mark.parametrize(("who", "status"), [("ada", 200), ("fay", 200), ("eli", 200), ("lea", 200), ("max", 302)])
def test_the_admin_opens_by_role(who, status, people, client_of):
    assert client_of(people[who]).get("/admin/").status_code == status


@pytest.mark.parametrize("model", ["costline", "delivery", "deliveryfile", "reject"])
@pytest.mark.parametrize("who", ["ada", "fay", "lea"])
def test_facts_are_read_only_to_everybody(model, who, people, client_of):
    assert client_of(people[who]).get(f"/admin/costs/{model}/add/").status_code in (403, 404)

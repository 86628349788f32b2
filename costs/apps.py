from celery.schedules import crontab

from costs.audited import AUDITED, NOT_AUDITED
from finops_site.people.roles import ADMINISTRATOR, ENGINEERING, EVERYBODY, EXECUTIVE, FINANCE
from finops_site.pillars import Ability, PillarConfig
from finops_site.registry import (
    Better,
    DemoPart,
    DemoStep,
    ExchangeRateSource,
    Freshness,
    HealthCheck,
    HomeFigure,
    Kpi,
    KpiArea,
    NavItem,
    NavTab,
    NightlyCheck,
    NotificationKind,
    Panel,
    PendingDecisionSource,
    PeriodSection,
    ProgressCount,
    ReportMonthSource,
    ReportSection,
    ScopeChoices,
    SearchSource,
    SetupStep,
    TeamCostSource,
    registry,
)
from finops_site.translation import gettext_lazy as _lazy

# Why it changed stands above the months for who acts on it, and an administrator has the health of the system.
CHANGES = {ENGINEERING: 27, ADMINISTRATOR: None}
WHOLE_COMPANY = {
    *("costs.view_company", "costs.view_pool", "costs.view_delivery", "costs.view_source", "costs.view_invoice"),
    *("costs.view_clusterfile", "costs.view_accountgroup"),
}
SETTLE_INVOICES = {
    *("costs.add_invoice", "costs.change_invoice", "costs.delete_invoice", "costs.sign_off_invoice"),
}
GROUP_ACCOUNTS = {"costs.add_accountgroup", "costs.change_accountgroup", "costs.delete_accountgroup"}
BRING_BILLS = {
    *("costs.add_clusterfile", "costs.add_delivery", "costs.change_delivery", "costs.add_source"),
    "costs.change_source",
}


class CostsConfig(PillarConfig):
    name = "costs"
    urls = "costs.web.urls"
    api_urls = "costs.api.urls"
    as_delivered = {
        *("costs.DeliveryFile", "costs.Reject", "costs.DeliveryMonth", "costs.TagSet", "costs.CostLine"),
        *("costs.MonthRollup", "costs.ResourceRollup", "costs.DayRollup", "costs.Dimension", "costs.RestatedCost"),
        *("costs.ClusterUsage", "costs.ConformanceResult", "costs.InvoiceFile", "costs.InvoiceCost"),
    }
    warm_up = "costs.query.drilldown.warm_up"
    audited = AUDITED
    not_audited = NOT_AUDITED
    permissions = {
        # What every role sees, each in its own rows.
        EVERYBODY: {"costs.view_costline", "costs.view_exchangerate"},
        ADMINISTRATOR: WHOLE_COMPANY
        | BRING_BILLS
        | GROUP_ACCOUNTS
        | {
            "costs.view_credential",
            "costs.add_credential",
            "costs.change_credential",
            "costs.delete_credential",
            *("costs.view_exportplace", "costs.add_exportplace", "costs.change_exportplace"),
            "costs.delete_exportplace",
        },
        FINANCE: WHOLE_COMPANY
        | BRING_BILLS
        | SETTLE_INVOICES
        | GROUP_ACCOUNTS
        | {"costs.add_pool", "costs.change_pool", "costs.delete_pool", "costs.add_exchangerate"}
        | {"costs.accept_delivery", "costs.view_stream", "costs.change_stream"},
        EXECUTIVE: WHOLE_COMPANY,
    }
    never_for_administrators = {
        *("costs.add_pool", "costs.change_pool", "costs.delete_pool", "costs.add_exchangerate"),
        *("costs.accept_delivery", "costs.change_stream"),
        *SETTLE_INVOICES,
    }

    abilities = (
        Ability(
            "see-costs",
            _lazy("See costs, and the names of teams"),
            ("costs.view_costline", "costs.view_exchangerate", "finops_site.view_team"),
        ),
        Ability(
            "company",
            _lazy("See the whole company: every team, shared and unowned cost, bills, invoices and sources"),
            tuple(sorted(WHOLE_COMPANY)),
        ),
        Ability("bring-bills", _lazy("Bring bills and connect sources"), tuple(sorted(BRING_BILLS))),
        Ability("group-accounts", _lazy("Group accounts"), tuple(sorted(GROUP_ACCOUNTS))),
        Ability(
            "credentials",
            _lazy("Enter credentials, and the places that FOCUS exports are written to"),
            tuple(
                f"costs.{verb}_{what}"
                for what in ("credential", "exportplace")
                for verb in ("view", "add", "change", "delete")
            ),
        ),
        Ability(
            "accept-bills",
            _lazy("Accept or refuse bills that are held"),
            ("costs.accept_delivery", "costs.view_stream", "costs.change_stream"),
        ),
        Ability("exchange-rates", _lazy("Load exchange rates"), ("costs.add_exchangerate",)),
        Ability("invoices", _lazy("Enter invoices and sign them off"), tuple(sorted(SETTLE_INVOICES))),
        Ability("pools", _lazy("Pool shared cost"), ("costs.add_pool", "costs.change_pool", "costs.delete_pool")),
    )

    schedule = {
        "resume-stalled-deliveries-every-minute": {
            "task": "costs.tasks.resume_stalled_deliveries",
            "schedule": crontab(),
        },
        "look-for-bills-every-hour": {
            "task": "costs.tasks.synchronise_sources",
            "schedule": crontab(minute=7),
        },
        "write-focus-exports-every-night": {
            "task": "costs.tasks.write_scheduled_exports",
            "schedule": crontab(hour=4, minute=20),
        },
        "remove-superseded-charges-every-night": {
            "task": "costs.tasks.remove_superseded_lines",
            "schedule": crontab(hour=3, minute=20),
        },
    }
    enum_names = {
        "ConformanceSeverity": "costs.models.conformance.ConformanceResult.Severity",
        "ConformanceVerdict": "costs.models.conformance.ConformanceResult.Verdict",
        "DeliveryMode": "costs.models.deliveries.Source.Mode",
        "DeliveryStatus": "costs.models.deliveries.Delivery.Status",
        "ExportKind": "costs.models.exports.FocusExport.Kind",
        "FocusVersion": "costs.models.exports.FocusExport.Version",
        "ExportStatus": "costs.models.exports.FocusExport.Status",
        "SourceKind": "costs.models.deliveries.Source.Kind",
    }

    def ready(self) -> None:
        from costs import demo_removal, health, querysets, search
        from costs.clusters import of_bills
        from costs.clusters.invariants import check_shares
        from costs.ingest.demo import load_demo_bills, load_short_bill
        from costs.invoices import pending_decisions
        from costs.invoices.demo import make_invoices
        from costs.metrics import METRICS
        from costs.programme_facts import exchange_rate, team_costs
        from costs.query import result_cache, role_scopes
        from costs.reconciliation import register_checks
        from costs.versions.decisions import held_deliveries
        from costs.web import home_forecast, panels, period_report, report_section

        querysets.scopes_by(role_scopes.visible_rows)
        result_cache.scopes_mean(role_scopes.meaning)
        register_checks(check_shares)
        register_checks(health.audit_checks)

        may_see, costs, bills = "costs.view_costline", "costs:explorer", "costs:deliveries"
        registry.add(
            ScopeChoices(role_scopes.ACCOUNT_GROUP, role_scopes.account_groups),
            ScopeChoices(role_scopes.SOURCE, role_scopes.sources),
            NavItem(_lazy("Costs"), costs, "chart-bar", may_see, 20, _lazy("Spend"), tab=_lazy("Explorer"), key="c"),
            NavTab(_lazy("Cost lines"), "costs:lines", costs, may_see, 10),
            NavTab(_lazy("Kubernetes"), "costs:clusters", costs, may_see, 20),
            NavTab(_lazy("Account groups"), "costs:account_groups", costs, "costs.view_accountgroup", 30),
            NavItem(_lazy("Teams"), "costs:teams", "users-group", may_see, 22, _lazy("Spend"), key="t"),
            NavItem(
                _lazy("Bills"),
                bills,
                "file-invoice",
                "costs.view_delivery",
                80,
                _lazy("System"),
                tab=_lazy("Deliveries"),
                key="l",
            ),
            NavTab(_lazy("Invoices"), "costs:invoices", bills, "costs.view_invoice", 10),
            NavTab(_lazy("Sources"), "costs:sources", bills, "costs.view_source", 20),
            NavTab(_lazy("Exchange rates"), "costs:rates", bills, "costs.view_source", 30),
            NavTab(_lazy("Adjustments"), "costs:corrections", bills, "costs.view_delivery", 40),
            NavTab(_lazy("FOCUS exports"), "costs:exports", bills, "costs.view_delivery", 50),
            Panel("spending", "costs/panels/spending.html", panels.spending_panel, may_see, 10),
            Panel("history", "costs/panels/history.html", panels.history_panel, may_see, 20, {ENGINEERING: 31}),
            Panel("changed", "costs/panels/changed.html", panels.changes_panel, may_see, 30, CHANGES),
            Panel("by-team", "costs/panels/by_team.html", panels.teams_panel, may_see, 40, {ADMINISTRATOR: None}),
            HomeFigure("forecast", home_forecast.forecast_figures, may_see, 10, (EXECUTIVE,)),
            Panel(
                "deliveries",
                "costs/panels/deliveries.html",
                panels.deliveries_panel,
                "costs.view_delivery",
                50,
                {ADMINISTRATOR: 7, EXECUTIVE: None},
            ),
            ProgressCount("bill-months", _lazy("Months of bills"), report_section.count_bill_months, 10),
            Kpi(
                "owned-cost",
                _lazy("Cost with an owner"),
                report_section.owned_share,
                "costs.view_company",
                10,
                KpiArea.OWNERSHIP,
                _lazy("The share of this month's cost that a team answers for."),
                _lazy("cost whose lines have a team / cost of the month, in the currency of most cost"),
                _lazy("Percent of cost allocated"),
                target=report_section.OWNED_TARGET,
                why_unknown=_lazy("No bill of the month is here."),
            ),
            Kpi(
                "unallocated-share",
                _lazy("Unallocated share"),
                report_section.unallocated_share,
                "costs.view_company",
                11,
                KpiArea.OWNERSHIP,
                _lazy("The share of this month's cost that no team answers for."),
                _lazy("100% - cost with an owner"),
                _lazy("Percentage of unallocated cloud cost"),
                better=Better.LOWER,
                target=100 - report_section.OWNED_TARGET,
                why_unknown=_lazy("No bill of the month is here."),
            ),
            ReportMonthSource(
                "costs", report_section.report_months, may_see, newest=report_section.newest_report_month
            ),
            ReportSection("spend", _lazy("Spend"), "", report_section.spending_section, may_see, 10),
            ReportSection("by-team", _lazy("By team"), "", report_section.team_section, may_see, 11),
            ReportSection(
                "by-service", _lazy("By service, and what changed"), "", report_section.service_section, may_see, 12
            ),
            Freshness("bills", period_report.known_text, may_see),
            PeriodSection("spend", _lazy("Spend"), period_report.spend_section, may_see, 20, in_update=True),
            PeriodSection("why", _lazy("Why it changed"), period_report.why_section, may_see, 21, in_update=True),
            PeriodSection("by-team", _lazy("Who spent it"), period_report.team_section, may_see, 22),
            PeriodSection("forecast", _lazy("What comes"), period_report.forecast_section, may_see, 70, in_update=True),
            TeamCostSource("costs", team_costs),
            ExchangeRateSource("costs", exchange_rate),
            PendingDecisionSource(
                "held-bills", held_deliveries, panels.deliveries_to_decide, "costs.accept_delivery", 10
            ),
            NightlyCheck("books", health.reconcile_nightly, 10, _lazy("books")),
            NightlyCheck("clusters", of_bills.split_nightly, 12, _lazy("clusters")),
            NightlyCheck("files", health.prune_nightly, 90, _lazy("files")),
            *METRICS,
            HealthCheck("sources", _lazy("Sources of bills"), health.sources, 20),
            HealthCheck("files", _lazy("Files of bills"), health.bill_files, 21),
            HealthCheck("exports", _lazy("FOCUS exports by schedule"), health.export_places, 22),
            PendingDecisionSource(
                "invoices", pending_decisions.invoices_of, pending_decisions.list_invoices, "costs.sign_off_invoice", 25
            ),
            SearchSource("teams", _lazy("Teams"), "users-group", search.find_teams, may_see, 20),
            SearchSource("services", _lazy("Services"), "cloud", search.find_services, may_see, 40),
            SearchSource("accounts", _lazy("Accounts"), "building", search.find_accounts, may_see, 50),
            NotificationKind("bill-held", _lazy("Bills that are held"), "costs.accept_delivery", 50),
            NotificationKind(
                "bill-not-read-again", _lazy("Bills that could not be read again"), "costs.accept_delivery", 51
            ),
            NotificationKind("source-late", _lazy("Bills that are overdue"), "costs.accept_delivery", 52),
            SearchSource("bills", _lazy("Bills"), "file-invoice", search.find_bills, "costs.view_delivery", 80),
            SetupStep(
                "bill",
                _lazy("First bill"),
                _lazy("Everything else stands on it: upload one, or connect the bucket that your provider writes to."),
                "costs:delivery_upload",
                health.a_bill_counts,
                "costs.add_delivery",
                30,
                minutes=15,
            ),
            DemoPart("bills", _lazy("Bills"), demo_removal.counts, demo_removal.remove_bills, 40),
            DemoPart("pools", _lazy("Pools"), lambda: [], demo_removal.remove_pools, 60),
            DemoStep("bills", load_demo_bills, 50),
            DemoStep("invoices", make_invoices, 51),
            DemoStep("held bill", load_short_bill, 90),
        )

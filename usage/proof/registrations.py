"""What proof adds to the pages, the nights and the reports of the site."""

from datetime import date
from typing import Any

from costs import reconciliation
from finops_site.lib.words import counted
from finops_site.registry import (
    Better,
    Kpi,
    KpiArea,
    NavTab,
    NightlyCheck,
    PeriodSection,
    ReportSection,
    SavingsEvidenceSource,
    Unit,
)
from finops_site.translation import gettext_lazy as _lazy
from usage.proof import checks, figures, reports, saving_months

SEE, SEE_SAVED = "usage.view_finding", "usage.view_savingmonth"
# After the evaluation of the night, before the KPIs that count it.
AFTER_EVALUATION = 71
ONLY_NOW = _lazy("Findings are those of now: what they were on a day that is over cannot be asked any more.")


def entries() -> list[Any]:
    """Entries of the registry; the books are checked with those of the bills."""
    reconciliation.register_checks(checks.saving_checks)
    return [
        NavTab(_lazy("What was saved"), "usage:proof", "usage:overview", SEE_SAVED, 40),
        NightlyCheck("usage-proof", prove_night, AFTER_EVALUATION, _lazy("proof of savings in usage")),
        # Bills prove it, as they prove commitments, and better than a forecast proves an avoided overrun.
        SavingsEvidenceSource(
            "usage-findings", _lazy("Mended findings"), "usage", figures.saving_evidence, 20, figures.mended_nothing
        ),
        ReportSection("usage", _lazy("Usage"), "", reports.usage_report, SEE, 65),
        PeriodSection("usage", _lazy("What could cost less"), reports.usage_of_period, SEE, 45, in_update=True),
        Kpi(
            "waste-share",
            _lazy("Waste share"),
            figures.waste_share_measure,
            SEE,
            70,
            KpiArea.VALUE,
            _lazy("What findings that are certain or likely would save, as a share of all cost."),
            _lazy("sum of counted savings / cost of an average month"),
            _lazy("Percentage of resource waste"),
            better=Better.LOWER,
            why_unknown=_lazy("Nothing was evaluated yet."),
            only_now=ONLY_NOW,
        ),
        Kpi(
            "waste-found",
            _lazy("Waste found"),
            figures.waste_found_measure,
            SEE,
            70,
            KpiArea.VALUE,
            _lazy("What findings that are certain or likely would save in an average month."),
            _lazy("sum of counted savings, each resource once"),
            _lazy("Workload optimization: waste"),
            unit=Unit.MONEY,
            better=Better.LOWER,
            why_unknown=_lazy("Nothing was evaluated yet."),
            only_now=ONLY_NOW,
        ),
        Kpi(
            "waste-removed",
            _lazy("Waste removed"),
            figures.removed_measure,
            SEE_SAVED,
            71,
            KpiArea.VALUE,
            _lazy("What mended findings saved in the newest whole month, by the bill."),
            _lazy("cost before a finding was mended - cost in the month, of what no commitment covers"),
            unit=Unit.MONEY,
            why_unknown=_lazy("No whole month proves a saving yet."),
        ),
    ]


def prove_night(as_of: date) -> str:
    """Works out what mended findings saved, by the bills as they are now."""
    return f"{counted(saving_months.prove(as_of), 'month')} of mended findings measured."

"""What estimates add to the pages, the nights and the reports of the site."""

from typing import Any

from finops_site.registry import Kpi, KpiArea, NavTab
from finops_site.translation import gettext_lazy as _lazy
from usage.estimates import kpis

SEE = "usage.view_estimate"


def entries() -> list[Any]:
    """Entries of the registry."""
    return [
        NavTab(_lazy("Estimates"), "usage:estimates", "usage:overview", SEE, 60),
        Kpi(
            "estimate-accuracy",
            _lazy("Estimate accuracy"),
            kpis.accuracy_measure,
            SEE,
            75,
            KpiArea.OTHER,
            _lazy("How near estimates came to what things cost, of those that run and are recognised by a tag."),
            _lazy("mean of 1 - |came - estimated| / estimated, over whole months"),
            why_unknown=_lazy("No estimate with a start and a tag has a whole month of cost yet."),
        ),
    ]

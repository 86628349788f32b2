"""What this part adds to the pages, the nights and the reports of the site."""

from collections.abc import Callable
from datetime import date
from typing import Any

from finops_site.registry import DemoPart, DemoStep, NightlyCheck
from finops_site.translation import gettext_lazy as _lazy


def entries() -> list[Any]:
    """Entries of the registry."""
    from usage.findings import demo, nightly

    return [
        # After the bills' own checks and the commitments: savings are net of what these cover.
        NightlyCheck("usage", nightly.evaluate_nightly, 70, _lazy("findings of usage")),
        DemoStep("findings of usage", judge_resources, 86),
        DemoPart("findings", _lazy("Findings of usage"), demo.counts, demo.remove_findings, 9),
    ]


def judge_resources(write: Callable[[str], object], *, as_of: date) -> None:
    from usage.findings import demo

    demo.judge_resources(write, as_of=as_of)

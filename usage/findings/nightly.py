"""Every night all resources are judged anew."""

from datetime import date

from finops_site.lib.words import counted, number_text
from finops_site.registry import NightlyCheckFailed
from usage.findings.evaluate import CannotEvaluate, evaluate


def evaluate_nightly(as_of: date) -> str:
    """Stores what could cost less by what is known today; raises where it cannot be judged."""
    try:
        result = evaluate(as_of)
    except CannotEvaluate as error:
        raise NightlyCheckFailed(str(error)) from None
    outcome = result.outcome
    changes = "" if outcome is None else f" {number_text(outcome.new)} new, {number_text(outcome.gone)} gone."
    return f"{counted(result.findings, 'finding')} on {counted(result.resources, 'resource')}.{changes}"

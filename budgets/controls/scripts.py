"""The scripts of a change set: which of its steps stand in each."""

from budgets.calc.controls.scripts import CHECK, RUN, UNDO, script
from budgets.models import ControlChangeSet, ControlStep

Result = ControlStep.Result
# What may have changed something at the provider, so that it is put back.
TO_UNDO = (Result.DONE, Result.UNKNOWN, Result.RUNNING, Result.UNDOING, Result.NOT_UNDONE)
TO_RUN = (Result.READY, Result.FAILED)
# Before anything was done every step is looked at, however often.
TO_CHECK = (Result.WAITING, Result.READY, Result.SAME, Result.GONE, Result.CHANGED, Result.FAILED)
STEPS_OF = {CHECK: TO_CHECK, RUN: TO_RUN, UNDO: TO_UNDO}


def script_of(row: ControlChangeSet, verb: str) -> str:
    """The script that checks, runs or undoes the change set, with the steps that it is about now."""
    steps = [step.for_script(row.wanted) for step in row.steps.filter(result__in=STEPS_OF[verb])]
    if verb != CHECK:
        steps = [step for step in steps if step.before]
    return script(verb, row.pk, row.control.name, steps)

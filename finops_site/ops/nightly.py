"""The nightly run: every registered check once for a day, one that fails stopping no other, and the outcome kept."""

import logging
from collections.abc import Sequence
from datetime import date, timedelta

from django.utils import timezone

from finops_site.models import NightlyRun
from finops_site.registry import NightlyCheck, NightlyCheckFailed, registry

logger = logging.getLogger(__name__)

KEEP_FOR = timedelta(days=90)
LONGEST_SUMMARY = 2000


def run_checks(as_of: date, *, checks: Sequence[NightlyCheck] | None = None) -> list[NightlyRun]:
    """Runs every check that is not done for `as_of` yet; one that failed, or whose worker died, is run again."""
    done = set(
        NightlyRun.objects.filter(as_of=as_of, outcome=NightlyRun.Outcome.DONE).values_list("check_name", flat=True)
    )
    NightlyRun.objects.filter(as_of__lt=as_of - KEEP_FOR).delete()
    all_checks = registry.of(NightlyCheck) if checks is None else checks
    return [run_check(check, as_of) for check in all_checks if check.name not in done]


def run_check(check: NightlyCheck, as_of: date) -> NightlyRun:
    """Runs one check and keeps its summary, or the reason why it failed."""
    started = {"outcome": NightlyRun.Outcome.RUNNING, "started_at": timezone.now(), "ended_at": None, "summary": ""}
    row, _ = NightlyRun.objects.update_or_create(as_of=as_of, check_name=check.name, defaults=started)
    try:
        row.summary, row.outcome = check.run(as_of), NightlyRun.Outcome.DONE
    except Exception as error:
        # Whatever goes wrong in one pillar is written down, and the checks of the others still run.
        logger.exception("the nightly check %s failed", check.name)
        reason = str(error) if isinstance(error, NightlyCheckFailed) else f"{type(error).__name__}: {error}"
        row.summary, row.outcome = reason, NightlyRun.Outcome.FAILED
    row.summary = row.summary[:LONGEST_SUMMARY]
    row.ended_at = timezone.now()
    row.save()
    return row


def latest_runs() -> list[NightlyRun]:
    """The newest run of every check, by name."""
    return list(NightlyRun.objects.order_by("check_name", "-as_of").distinct("check_name"))

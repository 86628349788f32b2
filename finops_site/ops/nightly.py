"""The night: every registered check once for a day, one that fails stopping no other, and what each did kept."""

import logging
from collections.abc import Sequence
from datetime import date, timedelta
from typing import Any

from django.utils import timezone

from finops_site.models import NightlyRun
from finops_site.registry import NightlyCheck, registry

logger = logging.getLogger(__name__)

KEPT = timedelta(days=90)
LONGEST_SAYING = 2000


def run(as_of: date, *, checks: Sequence[NightlyCheck] | None = None) -> list[NightlyRun]:
    """Runs every check that is not done for `as_of` yet; one that failed, or whose worker died, is run again."""
    done = set(
        NightlyRun.objects.filter(as_of=as_of, outcome=NightlyRun.Outcome.DONE).values_list("check_name", flat=True)
    )
    NightlyRun.objects.filter(as_of__lt=as_of - KEPT).delete()
    wanted = registry.nightly_checks if checks is None else checks
    return [_run(check, as_of) for check in wanted if check.name not in done]


def _run(check: NightlyCheck, as_of: date) -> NightlyRun:
    started = {"outcome": NightlyRun.Outcome.RUNNING, "started_at": timezone.now(), "ended_at": None, "summary": ""}
    row, _ = NightlyRun.objects.update_or_create(as_of=as_of, check_name=check.name, defaults=started)
    try:
        row.summary, row.outcome = check.run(as_of)[:LONGEST_SAYING], NightlyRun.Outcome.DONE
    except Exception as error:
        # Whatever goes wrong in one pillar is written down, and the others have their night.
        logger.exception("the nightly check %s failed", check.name)
        row.summary, row.outcome = f"{type(error).__name__}: {error}"[:LONGEST_SAYING], NightlyRun.Outcome.FAILED
    row.ended_at = timezone.now()
    row.save()
    return row


def last() -> Any:
    """The runs of the newest night, in the order of the checks' names."""
    newest = NightlyRun.objects.order_by("-as_of").values_list("as_of", flat=True).first()
    return NightlyRun.objects.filter(as_of=newest).order_by("check_name")

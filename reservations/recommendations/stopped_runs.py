"""Recommendations whose worker died: found by their silence, ended in words, and worked out again on request."""

from datetime import date, datetime, timedelta

from django.db.models import Q, QuerySet

from finops_site.models import User
from finops_site.ops.heartbeats import is_silent
from finops_site.translation import gettext_lazy as _lazy
from reservations.models import Plan
from reservations.recommendations import demand_sources, recommend
from reservations.recommendations.plan_parameters import Parameters

# Each stage of a run gives a sign of life; none takes so long.
SILENT_FOR = timedelta(minutes=15)
# What waits longer is queued again every ten minutes, but nobody waits for it any more.
WAITED_FOR = timedelta(hours=1)
STOPPED = _lazy("The worker stopped before it was worked out: run it again.")


def end_stopped_runs(now: datetime) -> int:
    """Ends every run that is silent: its worker was killed. Returns how many."""
    silent = is_silent("heartbeat_at", now, SILENT_FOR) | Q(heartbeat_at=None, created_at__lt=now - SILENT_FOR)
    running = Plan.objects.filter(silent, state=Plan.State.RUNNING)
    return running.update(state=Plan.State.FAILED, stage="", message=STOPPED)


def is_being_looked_at(plans: QuerySet, now: datetime) -> bool:
    """Whether one of these is alive: a worker is at it, or will soon be."""
    end_stopped_runs(now)
    waiting = Q(state=Plan.State.WAITING, created_at__gte=now - WAITED_FOR)
    return plans.filter(waiting | Q(state=Plan.State.RUNNING)).exists()


def run_again(plan: Plan, user: User | None, today: date) -> Plan:
    """A new recommendation with the limits of one that failed, from the newest bills."""
    return recommend.request_recommendation(
        user,
        Parameters.from_json(plan.parameters),
        as_of=demand_sources.newest_billed_day(today),
        lookback_days=plan.lookback_days,
        team=plan.team,
    )

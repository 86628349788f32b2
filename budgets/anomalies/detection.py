"""The night's anomaly detection: one question for all scopes, one for what makes up the anomalies, one mail a person.

A day is checked once, when its account's bill is complete: what a late bill brings is no jump, and a day that is
restated afterwards opens nothing new. Anomalies that are known already are measured again by the current bill.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import date, datetime, timedelta
from decimal import Decimal

import numpy as np
from django.db import transaction

from budgets.anomalies.anomaly_emails import notify_of_anomalies
from budgets.anomalies.contributors import set_contributors
from budgets.anomalies.cost_scopes import Scope, ScopeCosts, load_scope_costs, scope_of
from budgets.calc.anomaly_detection import CostJump, find_jumps, is_learnt
from budgets.calc.cost_history import CostHistory, Floats
from budgets.evaluation.evaluate import lock_budgets
from budgets.forecast.spending import cost_matrix, day_after
from budgets.models import Anomaly, Night
from finops_site.lib.money import exact_sum, rounded
from finops_site.lib.periods import Period
from finops_site.models import User

LEAST, LEAST_SHARE_OF_COMPANY = 10.0, 0.005
MEASURED_AGAIN_DAYS = 40
LEARNT_DAYS = 180
# A team's jump is no news of its own when its services' jumps explain so much of it.
EXPLAINED = Decimal("0.8")


@transaction.atomic
def detect_anomalies(as_of: date, *, now: datetime) -> int:
    """Checks the days that are complete since the last check; returns how many anomalies are new. Once is enough."""
    lock_budgets([0])
    night, _ = Night.objects.get_or_create(as_of=as_of, defaults={"started_at": now})
    costs = load_scope_costs(as_of)
    if not costs.daily:
        return 0
    # {account: its last day that was checked}
    nights = Night.objects.filter(as_of__lte=as_of).exclude(anomalies_checked={})
    checked: dict[str, str] = dict(nights.values_list("anomalies_checked", flat=True).first() or {})
    recent = Anomaly.objects.filter(last_day__gte=as_of - timedelta(days=MEASURED_AGAIN_DAYS))
    known = list(recent.select_for_update())
    changed = _measure_again(known, costs)
    new, longer = _new_and_longer(costs, checked, known, as_of, now)
    set_contributors([*new, *longer, *changed])
    new = _without_explained_teams(new, known)
    _mark_learnt(new, as_of)
    saved = Anomaly.objects.bulk_create(new)
    Anomaly.objects.bulk_update([*longer, *changed], ["actual", "expected", "last_day", "contributors", "state"])
    notify_of_anomalies([anomaly for anomaly in saved if anomaly.state == Anomaly.State.OPEN], as_of, now)
    complete = {account: day.isoformat() for account, day in costs.complete_until.items()}
    night.anomalies_checked = {**checked, **complete}
    night.save(update_fields=["anomalies_checked"])
    return len(new)


@transaction.atomic
def answer_anomaly(anomaly: Anomaly, *, expected: bool, by: User, why: str, now: datetime) -> Anomaly:
    """Somebody decides whether it was to be expected; the last answer counts."""
    current = Anomaly.objects.select_for_update().get(pk=anomaly.pk)
    current.state = Anomaly.State.EXPECTED if expected else Anomaly.State.UNEXPECTED
    current.is_learnt, current.answered_by, current.answered_at, current.why = False, by, now, why[:500]
    current.save(update_fields=["state", "is_learnt", "answered_by", "answered_at", "why"])
    return current


def _measure_again(known: Sequence[Anomaly], costs: ScopeCosts) -> list[Anomaly]:
    """By newer bills; an anomaly of which they take back more than half is over."""
    changed = []
    for anomaly in known:
        daily = costs.daily.get(scope_of(anomaly))
        actual = daily.total(anomaly.period) if daily else Decimal(0)
        if actual == anomaly.actual or anomaly.state == Anomaly.State.TAKEN_BACK:
            continue
        if actual - anomaly.expected < anomaly.excess / 2:
            anomaly.state = Anomaly.State.TAKEN_BACK
        anomaly.actual = actual
        changed.append(anomaly)
    return changed


def _new_and_longer(
    costs: ScopeCosts, checked: Mapping[str, str], known: Sequence[Anomaly], as_of: date, now: datetime
) -> tuple[list[Anomaly], list[Anomaly]]:
    """Anomalies that begin, and known ones that go on."""
    scopes = costs.largest_scopes()
    history = CostHistory(costs.span.start, cost_matrix([costs.daily[scope] for scope in scopes], costs.span))
    since = [costs.first_unchecked_column(scope, checked, as_of) for scope in scopes]
    until = [costs.last_column(scope) for scope in scopes]
    rows = {scope: row for row, scope in enumerate(scopes)}
    by_day = sorted(known, key=lambda anomaly: anomaly.day)
    latest = {scope_of(anomaly): anomaly for anomaly in by_day if anomaly.state != Anomaly.State.TAKEN_BACK}
    running = {
        rows[scope]: (costs.column(anomaly.day), costs.column(anomaly.last_day))
        for scope, anomaly in latest.items()
        if scope in rows
    }
    existing = {(scope_of(anomaly), anomaly.day) for anomaly in known}
    new, longer = [], []
    for jump in find_jumps(history, _least_excess(scopes, history), since, until, running):
        scope, first = scopes[jump.row], history.day(jump.first)
        before = latest.get(scope)
        if before and before.day == first:
            before.last_day = history.day(jump.last)
            before.expected += rounded(Decimal(repr(jump.expected)), before.currency)
            before.actual = costs.daily[scope].total(before.period)
            longer.append(before)
        elif (scope, first) not in existing:
            new.append(_new_anomaly(scope, jump, costs, as_of, now))
    return new, longer


def _least_excess(scopes: Sequence[Scope], history: CostHistory) -> Floats:
    """By currency: a two hundredth of what the company costs a day, and never less than ten."""
    recent = history.daily[:, -28:].mean(axis=1)
    company: dict[str, float] = defaultdict(float)
    for row, (kind, _, _, _, currency) in enumerate(scopes):
        if kind == Anomaly.Kind.TEAM:
            company[currency] += float(recent[row])
    return np.array([max(LEAST, LEAST_SHARE_OF_COMPANY * company[currency]) for *_, currency in scopes])


def _new_anomaly(scope: Scope, jump: CostJump, costs: ScopeCosts, as_of: date, now: datetime) -> Anomaly:
    kind, team, service, account, currency = scope
    first, last = (costs.span.start + timedelta(days=column) for column in (jump.first, jump.last))
    return Anomaly(
        kind=kind,
        team_id=team,
        service=service,
        account=account,
        currency=currency,
        day=first,
        last_day=last,
        actual=costs.daily[scope].total(Period(first, day_after(last))),
        expected=rounded(Decimal(repr(jump.expected)), currency),
        found_as_of=as_of,
        found_at=now,
    )


def _without_explained_teams(new: Sequence[Anomaly], known: Sequence[Anomaly]) -> list[Anomaly]:
    """A team's jump that its services' jumps explain is reported by these alone."""
    services = [anomaly for anomaly in [*new, *known] if anomaly.kind == Anomaly.Kind.SERVICE]
    remaining = []
    for anomaly in new:
        explained = exact_sum(
            other.excess
            for other in services
            if (other.team_id, other.currency) == (anomaly.team_id, anomaly.currency)
            and other.day <= anomaly.last_day
            and other.last_day >= anomaly.day
        )
        if anomaly.kind != Anomaly.Kind.TEAM or explained < anomaly.excess * EXPLAINED:
            remaining.append(anomaly)
    return remaining


def _mark_learnt(new: Sequence[Anomaly], as_of: date) -> None:
    """Jumps of a kind that somebody called expected are recorded, and nobody is notified."""
    answered: dict[Scope, list[Decimal]] = defaultdict(list)
    since = as_of - timedelta(days=LEARNT_DAYS)
    for anomaly in Anomaly.objects.filter(state="expected", is_learnt=False, day__gte=since) if new else ():
        answered[scope_of(anomaly)].append(anomaly.excess / anomaly.days)
    for anomaly in new:
        if is_learnt(anomaly.excess / anomaly.days, answered[scope_of(anomaly)]):
            anomaly.state, anomaly.is_learnt = Anomaly.State.EXPECTED, True

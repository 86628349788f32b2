"""The night's anomaly detection: one question for all scopes, one for what makes up the anomalies, one mail a person.

A day is checked once, when its account's bill is complete: what a late bill brings is no jump, and a day that is
restated afterwards opens nothing new. Anomalies that are known already are measured again by the current bill.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from decimal import Decimal

import numpy as np
from django.db import transaction

from budgets.anomalies.anomaly_emails import notify_of_anomalies
from budgets.anomalies.contributors import set_contributors
from budgets.anomalies.cost_scopes import Scope, ScopeCosts, load_credits, load_scope_costs, scope_of
from budgets.anomalies.sensitivity import sensitivities_of
from budgets.calc.anomaly_detection import CREEP, DROP, JUMP, CostChange, find_changes, is_learnt
from budgets.calc.cost_history import CostHistory, Floats
from budgets.controls import proposals
from budgets.evaluation.evaluate import lock_budgets
from budgets.forecast.spending import cost_matrix, day_after
from budgets.models import Anomaly, Night
from finops_site.lib.money import exact_sum, rounded
from finops_site.lib.periods import Period
from finops_site.models import User

LEAST, LEAST_SHARE_OF_COMPANY = 10.0, 0.005
# As long as a slow rise is followed, and then as long as it may be taken for a new one.
MEASURED_AGAIN_DAYS = 70
# From so many times the least excess worth reporting: a fiftieth, and a tenth, of what a large company costs a day.
WARNING, CRITICAL = 4.0, 20.0
LEARNT_DAYS = 180
# A team's change is no news of its own when its services' changes explain so much of it.
EXPLAINED = Decimal("0.8")
FIELDS = ["actual", "expected", "last_day", "latest_a_day", "pattern", "severity", "contributors", "state"]


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
    since = as_of - timedelta(days=LEARNT_DAYS)
    answered = Anomaly.objects.filter(day__gte=since).select_for_update()
    known = [row for row in answered if row.last_day >= as_of - timedelta(days=MEASURED_AGAIN_DAYS)]
    changed = _measure_again(known, costs)
    new, longer = _new_and_longer(costs, checked, known, as_of, now)
    set_contributors([*new, *longer, *changed])
    new = _without_explained_teams(new, known)
    _mark_learnt(new, answered)
    saved = Anomaly.objects.bulk_create(new)
    Anomaly.objects.bulk_update([*longer, *changed], FIELDS)
    news = [anomaly for anomaly in saved if _is_news(anomaly, known)]
    notify_of_anomalies(news, as_of, now)
    proposals.propose_for_anomalies([anomaly for anomaly in saved if anomaly.state == Anomaly.State.OPEN], now)
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
        if actual == anomaly.actual or anomaly.state == Anomaly.State.TAKEN_BACK or anomaly.day < costs.span.start:
            continue
        sign = -1 if anomaly.is_drop else 1
        if sign * (actual - anomaly.expected) < anomaly.difference / 2:
            anomaly.state = Anomaly.State.TAKEN_BACK
        anomaly.actual = actual
        changed.append(anomaly)
    return changed


def _new_and_longer(
    costs: ScopeCosts, checked: Mapping[str, str], known: Sequence[Anomaly], as_of: date, now: datetime
) -> tuple[list[Anomaly], list[Anomaly]]:
    """Anomalies that begin, and known ones that go on."""
    scopes = costs.largest_scopes()
    history = CostHistory(costs.span.start, costs.matrix(scopes))
    since = [costs.first_unchecked_column(scope, checked, as_of) for scope in scopes]
    until = [costs.last_column(scope) for scope in scopes]
    rows = {scope: row for row, scope in enumerate(scopes)}
    standing = {
        (rows[scope_of(anomaly)], costs.column(anomaly.day), _family(anomaly.pattern)): anomaly
        for anomaly in known
        if scope_of(anomaly) in rows
    }
    running: dict[int, list[CostChange]] = defaultdict(list)
    for (row, first, _), anomaly in standing.items():
        if anomaly.state != Anomaly.State.TAKEN_BACK:
            last = costs.column(anomaly.last_day)
            running[row].append(CostChange(row, first, last, 0.0, 0.0, anomaly.pattern, first, is_known=True))
    new, longer = [], []
    floors = _least_excess(scopes, history)
    checks = _Checks(floors, since, until, running, sensitivities_of(scopes))
    first_look = checks.changes_in(history, range(len(scopes)))
    # Judged by what was used: where something stands out, what refunds and credits took off is laid on again.
    chosen = sorted({change.row for change in first_look})
    credits = load_credits([scopes[row] for row in chosen], costs.span)
    used = history.daily[chosen] - cost_matrix([credits[scopes[row]] for row in chosen], costs.span)
    for change in checks.changes_in(CostHistory(history.first, used), chosen):
        row = chosen[change.row]
        scope, credit = scopes[row], credits[scopes[row]]
        before = standing.get((row, change.first, _family(change.pattern)))
        expected = rounded(Decimal(repr(change.expected)), scope[-1])
        if before is None:
            new.append(_new_anomaly(scope, change, expected, costs, as_of, now))
            new[-1].expected += credit.total(new[-1].period)
            _set_severity(new[-1], floors[row])
        elif before.state != Anomaly.State.TAKEN_BACK:
            # Of a known one the new days are added; one that began on the same day takes its place.
            added_from = day_after(before.last_day) if change.is_known else before.day
            expected += credit.total(Period(added_from, day_after(history.day(change.last))))
            before.expected = before.expected + expected if change.is_known else expected
            before.last_day, before.pattern = history.day(change.last), change.pattern
            before.latest_a_day = rounded(Decimal(repr(change.latest)), before.currency)
            before.actual = costs.daily[scope].total(before.period)
            _set_severity(before, floors[row])
            longer.append(before)
    return new, longer


def _set_severity(anomaly: Anomaly, least: float) -> None:
    """By what it makes a day, against the least worth reporting: a two hundredth of what the company costs a day."""
    times = abs(float(anomaly.latest_a_day)) / max(least, 1e-9)
    levels = Anomaly.Severity
    anomaly.severity = (
        levels.CRITICAL if times >= CRITICAL else levels.WARNING if times >= WARNING else levels.INFORMATION
    )


@dataclass(frozen=True, slots=True)
class _Checks:
    """What is checked of each scope: the least excess a day, from which column to which, what is known, how closely."""

    floors: Floats
    since: Sequence[int]
    until: Sequence[int]
    running: Mapping[int, Sequence[CostChange]]
    levels: Sequence[str]

    def changes_in(self, history: CostHistory, rows: Sequence[int]) -> list[CostChange]:
        """The changes of `history`, whose rows are these `rows` of the scopes."""
        running = {
            place: [replace(change, row=place) for change in self.running.get(row, ())]
            for place, row in enumerate(rows)
        }
        return find_changes(
            history,
            self.floors[list(rows)],
            [self.since[row] for row in rows],
            [self.until[row] for row in rows],
            {place: changes for place, changes in running.items() if changes},
            sensitivities=[self.levels[row] for row in rows],
        )


def _family(pattern: str) -> str:
    """What a change stays all its life: a jump becomes a shift, and nothing else."""
    return pattern if pattern in (CREEP, DROP) else JUMP


def _least_excess(scopes: Sequence[Scope], history: CostHistory) -> Floats:
    """By currency: a two hundredth of what the company costs a day, and never less than ten."""
    recent = np.nan_to_num(history.daily[:, -28:]).mean(axis=1)
    company: dict[str, float] = defaultdict(float)
    for row, (kind, _, _, _, currency) in enumerate(scopes):
        if kind == Anomaly.Kind.TEAM:
            company[currency] += float(recent[row])
    return np.array([max(LEAST, LEAST_SHARE_OF_COMPANY * company[currency]) for *_, currency in scopes])


def _new_anomaly(
    scope: Scope, change: CostChange, expected: Decimal, costs: ScopeCosts, as_of: date, now: datetime
) -> Anomaly:
    kind, team, service, account, currency = scope
    first, last = (costs.span.start + timedelta(days=column) for column in (change.first, change.last))
    return Anomaly(
        kind=kind,
        pattern=change.pattern,
        team_id=team,
        service=service,
        account=account,
        currency=currency,
        day=first,
        last_day=last,
        actual=costs.daily[scope].total(Period(first, day_after(last))),
        expected=expected,
        latest_a_day=rounded(Decimal(repr(change.latest)), currency),
        found_as_of=as_of,
        found_at=now,
    )


def _without_explained_teams(new: Sequence[Anomaly], known: Sequence[Anomaly]) -> list[Anomaly]:
    """A team's change that its services' changes explain is reported by these alone."""
    services = [anomaly for anomaly in [*new, *known] if anomaly.kind == Anomaly.Kind.SERVICE]
    remaining = []
    for anomaly in new:
        explained = exact_sum(other.difference for other in services if _is_about_the_same(other, anomaly))
        if anomaly.kind != Anomaly.Kind.TEAM or explained < anomaly.difference * EXPLAINED:
            remaining.append(anomaly)
    return remaining


def _is_about_the_same(service: Anomaly, team: Anomaly) -> bool:
    """Whether a service's change is part of its team's: both up or both down, on some of the same days."""
    return (
        (service.team_id, service.currency, service.is_drop) == (team.team_id, team.currency, team.is_drop)
        and service.day <= team.last_day
        and service.last_day >= team.day
    )


def _is_news(anomaly: Anomaly, known: Sequence[Anomaly]) -> bool:
    """Whether people are to hear of it: it is not learnt, and not the larger part of what they heard of its team."""
    if anomaly.state != Anomaly.State.OPEN:
        return False
    teams = (other for other in known if other.kind == Anomaly.Kind.TEAM and other.state != Anomaly.State.TAKEN_BACK)
    return anomaly.kind == Anomaly.Kind.TEAM or not any(
        _is_about_the_same(anomaly, team) and anomaly.difference >= team.difference * EXPLAINED for team in teams
    )


def _mark_learnt(new: Sequence[Anomaly], earlier: Iterable[Anomaly]) -> None:
    """Changes of a kind that somebody called expected are recorded, and nobody is notified."""
    answered: dict[Scope, list[Decimal]] = defaultdict(list)
    for anomaly in earlier:
        if anomaly.state == Anomaly.State.EXPECTED and not anomaly.is_learnt:
            answered[scope_of(anomaly)].append(anomaly.excess / anomaly.days)
    for anomaly in new:
        if is_learnt(anomaly.excess / anomaly.days, answered[scope_of(anomaly)]):
            anomaly.state, anomaly.is_learnt = Anomaly.State.EXPECTED, True

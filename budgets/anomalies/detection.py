"""The night's look for anomalies: one question for all series, one for all that explains them, one mail a person.

A day is looked at once, when its account's bill tells of it wholly: what a late bill brings is no jump, and a day that
is restated afterwards opens nothing new. What is known already is measured again by the current bill.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any

import numpy as np
from django.db import transaction
from django.db.models import Max, Q, Sum
from django.urls import reverse

from budgets.calc import anomaly_detection
from budgets.calc.anomaly_detection import Jump
from budgets.calc.forecast import History
from budgets.evaluation import evaluate, spending
from budgets.evaluation.spending import Days
from budgets.forecast.outlook import LAG_DAYS, SETTLED_DAYS
from budgets.models import Anomaly, Night
from costs.models import CostLine, DayRollup
from finops_site.lib.money import EXACT, Money, exact_sum, rounded
from finops_site.lib.periods import Period
from finops_site.mail import outbox
from finops_site.mail.emails import absolute_url, make_message
from finops_site.models import Membership, User
from finops_site.people.roles import FINANCE

HISTORY_DAYS = 200
# No more days than these are made up for.
MOST_DAYS = 14
# The dearest series; what is left out costs next to nothing.
MOST_SERIES = 5000
LEAST, LEAST_SHARE_OF_COMPANY = 10.0, 0.005
MEASURED_AGAIN_DAYS = 40
LEARNT_DAYS = 180
# So much of a team's jump explained by its services' jumps is no news of its own.
EXPLAINED = Decimal("0.8")
USAGE = Q(charge_category="Usage")
Scope = tuple[str, int | None, str, str, str]


@dataclass(slots=True)
class Books:
    """The daily cost of every scope, and the last whole day of every account."""

    span: Period
    series: dict[Scope, Days] = field(default_factory=lambda: defaultdict(Days))
    whole_until: dict[str, date] = field(default_factory=dict)
    accounts: dict[Scope, set[str]] = field(default_factory=lambda: defaultdict(set))

    def until(self, scope: Scope) -> date:
        """A team's day is whole when the bills of all its accounts have told of it."""
        return min((self.whole_until[account] for account in self.accounts[scope]), default=self.span.start)


@transaction.atomic
def notice(as_of: date, *, now: datetime) -> int:
    """Looks at the days that are whole since the last look; returns how many anomalies are new. Once is enough."""
    evaluate.lock([0])
    night, _made = Night.objects.get_or_create(as_of=as_of, defaults={"started_at": now})
    books = _books(as_of)
    if not books.series:
        return 0
    seen = _seen(as_of)
    known = list(Anomaly.objects.filter(last_day__gte=as_of - timedelta(days=MEASURED_AGAIN_DAYS)).select_for_update())
    changed = _measure_again(known, books)
    new, longer = _find(books, seen, known, as_of, now)
    _explain([*new, *longer, *changed])
    new = _without_explained_teams(new, known)
    _learn(new, as_of)
    made = Anomaly.objects.bulk_create(new)
    Anomaly.objects.bulk_update([*longer, *changed], ["actual", "expected", "last_day", "contributors", "state"])
    _tell([each for each in made if each.state == Anomaly.State.OPEN], as_of, now)
    night.noticed = {**seen, **{account: day.isoformat() for account, day in books.whole_until.items()}}
    night.save(update_fields=["noticed"])
    return len(new)


def _books(as_of: date) -> Books:
    span = Period(as_of - timedelta(days=HISTORY_DAYS - 1), spending.day_after(as_of))
    rows = DayRollup.objects.current().filter(USAGE, charge_date__gte=span.start, charge_date__lt=span.end).order_by()
    books = Books(span)
    last = rows.values_list("sub_account").annotate(Max("charge_date"))
    settled = as_of - timedelta(days=SETTLED_DAYS)
    for account, day in last:
        books.whole_until[account] = max(day - timedelta(days=LAG_DAYS), min(day, settled))
    sums = rows.values_list("service", "sub_account", "owner", "currency", "charge_date").annotate(
        Sum("effective_cost")
    )
    for service, account, owner, currency, day, amount in sums.iterator(chunk_size=5000):
        for scope in (("service", owner, service, account, currency), ("team", owner, "", "", currency)):
            books.series[scope].add(day, amount or Decimal(0))
            books.accounts[scope].add(account)
    return books


def _seen(as_of: date) -> dict[str, str]:
    """{account: its last day that was looked at}."""
    last = Night.objects.filter(as_of__lte=as_of).exclude(noticed={}).values_list("noticed", flat=True).first()
    return dict(last or {})


def _measure_again(known: Sequence[Anomaly], books: Books) -> list[Anomaly]:
    """What newer bills say of it; what they take back by more than half is over."""
    changed = []
    for each in known:
        days = books.series.get(_scope(each))
        actual = days.total(each.period) if days else Decimal(0)
        if actual == each.actual or each.state == Anomaly.State.TAKEN_BACK:
            continue
        if actual - each.expected < each.excess / 2:
            each.state = Anomaly.State.TAKEN_BACK
        each.actual = actual
        changed.append(each)
    return changed


def _scope(each: Anomaly) -> Scope:
    return each.kind, each.team_id, each.service, each.account, each.currency


def _find(
    books: Books, seen: Mapping[str, str], known: Sequence[Anomaly], as_of: date, now: datetime
) -> tuple[list[Anomaly], list[Anomaly]]:
    scopes = _dearest(books)
    history = History(books.span.start, spending.matrix([books.series[scope] for scope in scopes], books.span))
    until = [_column(books, books.until(scope)) for scope in scopes]
    since = [_since(books, scope, seen, as_of) for scope in scopes]
    rows = {scope: row for row, scope in enumerate(scopes)}
    latest = {_scope(each): each for each in sorted(known, key=lambda each: each.day) if each.state != "taken back"}
    running = {
        rows[scope]: (_column(books, each.day), _column(books, each.last_day))
        for scope, each in latest.items()
        if scope in rows
    }
    there = {(_scope(each), each.day) for each in known}
    new, longer = [], []
    for jump in anomaly_detection.jumps(history, _floors(scopes, history), since, until, running):
        scope, first = scopes[jump.row], books.span.start + timedelta(days=jump.first)
        before = latest.get(scope)
        if before and before.day == first:
            _lengthen(before, jump, books)
            longer.append(before)
        elif (scope, first) not in there:
            new.append(_anomaly(scope, jump, books, as_of, now))
    return new, longer


def _dearest(books: Books) -> list[Scope]:
    def size(scope: Scope) -> Decimal:
        return exact_sum(books.series[scope].amounts.values())

    return sorted(books.series, key=lambda scope: (-size(scope), str(scope)))[:MOST_SERIES]


def _column(books: Books, day: date) -> int:
    return (day - books.span.start).days


def _since(books: Books, scope: Scope, seen: Mapping[str, str], as_of: date) -> int:
    """The first day that was not looked at: of a team the earliest of its accounts'."""
    earliest = as_of - timedelta(days=MOST_DAYS)
    found = [date.fromisoformat(seen[account]) for account in books.accounts[scope] if account in seen]
    # A new account is looked at from its own first whole days; a team of it goes on where it was.
    last = min(found, default=earliest)
    return _column(books, max(spending.day_after(last), earliest))


def _floors(scopes: Sequence[Scope], history: History) -> Any:
    """By currency: a two hundredth of what the company costs a day, and never less than ten."""
    recent = history.daily[:, -28:].mean(axis=1)
    company: dict[str, float] = defaultdict(float)
    for row, scope in enumerate(scopes):
        if scope[0] == Anomaly.Kind.TEAM:
            company[scope[4]] += float(recent[row])
    return np.array([max(LEAST, LEAST_SHARE_OF_COMPANY * company[scope[4]]) for scope in scopes])


def _anomaly(scope: Scope, jump: Jump, books: Books, as_of: date, now: datetime) -> Anomaly:
    kind, team, service, account, currency = scope
    first, last = (books.span.start + timedelta(days=column) for column in (jump.first, jump.last))
    return Anomaly(
        kind=kind,
        team_id=team,
        service=service,
        account=account,
        currency=currency,
        day=first,
        last_day=last,
        actual=books.series[scope].total(Period(first, spending.day_after(last))),
        expected=rounded(Decimal(repr(jump.expected)), currency),
        found_as_of=as_of,
        found_at=now,
    )


def _lengthen(each: Anomaly, jump: Jump, books: Books) -> None:
    """`jump` tells of the days that came to it."""
    each.last_day = books.span.start + timedelta(days=jump.last)
    each.expected += rounded(Decimal(repr(jump.expected)), each.currency)
    each.actual = books.series[_scope(each)].total(each.period)


def _explain(found: Sequence[Anomaly]) -> None:
    """Names what makes up each jump, out of one question to the cost lines."""
    if not found:
        return
    wanted: dict[tuple[Any, ...], list[tuple[Anomaly, int]]] = defaultdict(list)
    for each in found:
        for day in each.period.each_day():
            wanted[(*_scope(each), day)].append((each, 1))
            wanted[(*_scope(each), anomaly_detection.undisturbed_day(day, each.day))].append((each, -1))
    differences: dict[int, dict[tuple[str, ...], Decimal]] = defaultdict(lambda: defaultdict(Decimal))
    names: dict[str, str] = {}
    for service, account, owner, currency, resource, name, sku, day, amount in _lines(
        found, {key[-1] for key in wanted}
    ):
        names[resource] = name or resource
        for scope in (("service", owner, service, account, currency), ("team", owner, "", "", currency)):
            for each, sign in wanted.get((*scope, day), ()):
                mine, key = differences[id(each)], (service, account, resource, sku)
                mine[key] = EXACT.add(mine[key], sign * (amount or Decimal(0)))
    for each in found:
        each.contributors = [
            _part(key, amount, names) for key, amount in anomaly_detection.parts(each.excess, differences[id(each)])
        ]


def _lines(found: Iterable[Anomaly], days: set[date]) -> Any:
    scopes = Q(pk__in=[])
    for each in found:
        scope = Q(owner=each.team_id) if each.team_id else Q(owner__isnull=True)
        if each.kind == Anomaly.Kind.SERVICE:
            scope &= Q(service=each.service, sub_account=each.account)
        scopes |= scope & Q(currency=each.currency)
    rows = CostLine.objects.current().filter(USAGE, scopes, charge_date__in=sorted(days)).order_by()
    grouped = rows.values_list(
        "service", "sub_account", "owner", "currency", "resource", "resource_name", "sku", "charge_date"
    )
    return grouped.annotate(Sum("effective_cost")).iterator(chunk_size=5000)


def _part(key: tuple[str, ...], amount: Decimal, names: Mapping[str, str]) -> dict[str, str]:
    service, account, resource, usage = key or ("", "", "", "")
    label = names.get(resource) or usage or "no resource named"
    return {
        "label": label if key else "everything else, and what these days were to cost more anyway",
        "service": service,
        "account": account,
        "resource": resource,
        "usage": usage,
        "amount": str(amount),
    }


def _without_explained_teams(new: Sequence[Anomaly], known: Sequence[Anomaly]) -> list[Anomaly]:
    """A team's jump that its services' jumps explain is told by these alone."""
    services = [each for each in [*new, *known] if each.kind == Anomaly.Kind.SERVICE]
    found = []
    for each in new:
        if each.kind == Anomaly.Kind.TEAM:
            told = [s for s in services if (s.team_id, s.currency) == (each.team_id, each.currency)]
            near = exact_sum(s.excess for s in told if s.day <= each.last_day and s.last_day >= each.day)
            if near >= each.excess * EXPLAINED:
                continue
        found.append(each)
    return found


def _learn(new: Sequence[Anomaly], as_of: date) -> None:
    """Jumps of a kind that somebody called expected are written down and told nobody."""
    answered: dict[Scope, list[Decimal]] = defaultdict(list)
    since = as_of - timedelta(days=LEARNT_DAYS)
    for each in Anomaly.objects.filter(state="expected", is_learnt=False, day__gte=since) if new else ():
        answered[_scope(each)].append(each.excess / each.days)
    for each in new:
        if anomaly_detection.is_learnt(each.excess / each.days, answered[_scope(each)]):
            each.state, each.is_learnt = Anomaly.State.EXPECTED, True


def _tell(found: Sequence[Anomaly], as_of: date, now: datetime) -> None:
    """One mail a night for each lead about her team's, and for finance about all."""
    mine: dict[str, list[Anomaly]] = defaultdict(list)
    leads = Membership.objects.filter(
        role=Membership.Role.LEAD, user__is_active=True, team__in=[f.team_id for f in found if f.team_id]
    )
    by_team: dict[int, set[str]] = defaultdict(set)
    for team, email in leads.values_list("team", "user__email"):
        by_team[team].add(email.lower())
    finance = {user.email.lower() for user in User.objects.in_role(FINANCE)} if found else set()
    for each in found:
        for email in sorted(by_team[each.team_id or 0] | finance):
            mine[email].append(each)
    for email, told in mine.items():
        outbox.queue_email(f"anomalies of {as_of} to {email}", _mail(email, told), now=now)


def _mail(email: str, told: Sequence[Anomaly]) -> Any:
    told = sorted(told, key=lambda each: -each.excess)
    rows = [
        {
            "anomaly": each,
            "excess": str(Money(each.excess, each.currency)),
            "expected": str(Money(each.expected, each.currency)),
            "cause": next((part["label"] for part in each.contributors if part["service"]), ""),
            "url": absolute_url(each.get_absolute_url()),
        }
        for each in told[:20]
    ]
    return make_message(
        "anomalies", email, {"rows": rows, "count": len(told), "url": absolute_url(reverse("budgets:anomalies"))}
    )


@transaction.atomic
def answer(anomaly: Anomaly, *, expected: bool, by: Any, why: str, now: datetime) -> Anomaly:
    """Somebody says whether it was to be expected; the last one counts."""
    found = Anomaly.objects.select_for_update().get(pk=anomaly.pk)
    found.state = Anomaly.State.EXPECTED if expected else Anomaly.State.UNEXPECTED
    found.is_learnt, found.answered_by, found.answered_at, found.why = False, by, now, why[:500]
    found.save(update_fields=["state", "is_learnt", "answered_by", "answered_at", "why"])
    return found

"""Drafts of statements, made anew whenever the books change, and the corrections of months that are closed."""

import hashlib
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from django.db import transaction
from django.db.models import Sum
from django.utils import timezone

from finops_site.lib.money import EXACT, exact_sum, formatted
from finops_site.lib.periods import Month
from finops_site.models import Team
from tagging.chargeback import allocation
from tagging.chargeback.allocation import MonthAllocation
from tagging.models import (
    Adjustment,
    Allocation,
    ChargebackPeriod,
    Dispute,
    MonthTotal,
    Statement,
    StatementLine,
)

ZERO = Decimal(0)
NO_BILL = "no bill"
KINDS = StatementLine.Kind
# What of a statement comes from its own month's books.
OWN_KINDS = (KINDS.DIRECT, KINDS.SHARED, KINDS.SPREAD)
SUM_OF = {
    KINDS.DIRECT: "direct",
    KINDS.SHARED: "shared",
    KINDS.SPREAD: "spread",
    KINDS.CORRECTION: "corrections",
    KINDS.ADJUSTMENT: "adjustments",
}
LINE_FIELDS = ["kind", "label", "service", "pool", "of_period", "corrects", "amount", "formula"]


@dataclass(frozen=True, slots=True)
class StatementEntry:
    """A line to be, of a team in a currency, on its period's basis."""

    team: int
    currency: str
    kind: str
    key: str
    label: str
    amount: Decimal
    service: str = ""
    pool: int | None = None
    of_period: int | None = None
    corrects: int | None = None
    formula: str = ""

    def as_line(self, statement: int) -> StatementLine:
        return StatementLine(
            statement_id=statement,
            kind=self.kind,
            key=self.key,
            label=self.label[:400],
            service=self.service,
            pool_id=self.pool,
            of_period_id=self.of_period,
            corrects_id=self.corrects,
            amount=self.amount,
            formula=self.formula[:500],
        )


def ensure_periods(marks: Mapping[Month, str]) -> None:
    """A draft for every billing month in the books; basis and discounts are those of the latest month before."""
    known = {period.month: period for period in ChargebackPeriod.objects.all()}
    for month in sorted(set(marks) - set(known)):
        before = max((each for each in known if each < month), default=None)
        said = known[before] if before else ChargebackPeriod()
        known[month], _ = ChargebackPeriod.objects.get_or_create(
            billing_month=month.start, defaults={"basis": said.basis, "discounts": said.discounts}
        )
    open_period()


def open_period() -> ChargebackPeriod | None:
    """The draft that follows the last closed month: corrections are booked in it. None while no month is closed."""
    last = ChargebackPeriod.objects.closed().first()
    if last is None:
        return None
    found = ChargebackPeriod.objects.draft().filter(billing_month__gt=last.billing_month).last()
    if found:
        return found
    made, _ = ChargebackPeriod.objects.get_or_create(
        billing_month=last.month.next.start, defaults={"basis": last.basis, "discounts": last.discounts}
    )
    return made


def period_fingerprints(periods: Iterable[ChargebackPeriod], marks: Mapping[Month, str]) -> dict[int, str]:
    """{period: the mark of everything its statements are made of}; a draft that has another one is stale."""
    opened = open_period()
    closed = ChargebackPeriod.objects.closed().order_by("billing_month")
    corrected = [f"{each.month} {marks.get(each.month, NO_BILL)}" for each in closed]
    booked: dict[int, list[str]] = defaultdict(list)
    for period, pk in Adjustment.objects.order_by("pk").values_list("period", "pk"):
        booked[period].append(f"adjustment {pk}")
    found = {}
    for each in periods:
        parts = [marks.get(each.month, NO_BILL), each.basis, each.discounts, *booked[each.pk]]
        parts += corrected if opened and opened.pk == each.pk else []
        found[each.pk] = hashlib.sha256("\n".join(parts).encode()).hexdigest()
    return found


def wanted_mark(period: ChargebackPeriod, marks: Mapping[Month, str]) -> str:
    return period_fingerprints([period], marks)[period.pk]


def stale_drafts(marks: Mapping[Month, str]) -> list[ChargebackPeriod]:
    """Drafts that do not say what the books say."""
    drafts = list(ChargebackPeriod.objects.draft())
    wanted = period_fingerprints(drafts, marks)
    return [each for each in drafts if each.books != wanted[each.pk]]


def refresh_stale_drafts(now: datetime | None = None) -> list[Month]:
    """Makes every draft anew that is stale, the latest first; returns their months. Cheap when there is none."""
    marks = allocation.month_fingerprints()
    ensure_periods(marks)
    done = []
    for period in stale_drafts(marks):
        if refresh_draft(period, now):
            done.append(period.month)
    return done


def refresh_draft(period: ChargebackPeriod, now: datetime | None = None) -> bool:
    """Makes a draft's allocations, totals and statements anew, whole or not at all; False when it is closed."""
    with transaction.atomic():
        mine = ChargebackPeriod.objects.select_for_update().get(pk=period.pk)
        if mine.is_closed:
            return False
        write_statements(mine, now or timezone.now())
    period.refresh_from_db()
    return True


def write_statements(period: ChargebackPeriod, now: datetime) -> MonthAllocation:
    """Writes what the period's statements say by today's books. The caller holds the period's lock."""
    marks = allocation.month_fingerprints()
    mark = wanted_mark(period, marks)
    computed = allocation.allocate_month(period.month, discounts=period.discounts)
    entries = [*_own(period, computed), *_corrections(period, marks), *_adjustments(period)]
    _write_allocations(period, computed.allocations)
    statements = _write_statements(period, entries)
    _write_lines(period, statements, entries)
    _write_totals(period, computed, entries)
    ChargebackPeriod.objects.filter(pk=period.pk).update(books=mark, problems=computed.problems, computed_at=now)
    period.books, period.problems, period.computed_at = mark, computed.problems, now
    return computed


def _own(period: ChargebackPeriod, computed: MonthAllocation) -> Iterator[StatementEntry]:
    for line in computed.lines:
        yield StatementEntry(
            team=line.team,
            currency=line.currency,
            kind=line.kind,
            key=line.key,
            label=line.label,
            amount=line.amounts[period.basis],
            service=line.service,
            pool=line.pool,
            formula=line.formulas.get(period.basis, ""),
        )


Place = tuple[int, str, str]


def _corrections(period: ChargebackPeriod, marks: Mapping[Month, str]) -> Iterator[StatementEntry]:
    """What closed months would say today less what was charged for them; only the open month books it."""
    opened = open_period()
    if opened is None or opened.pk != period.pk:
        return
    booked = _booked()
    for closed in ChargebackPeriod.objects.closed().order_by("billing_month"):
        # A closed month keeps the mark of its own bills, splits and metrics.
        if closed.books != marks.get(closed.month, NO_BILL) or booked.get(closed.pk):
            yield from _differences(closed, booked.get(closed.pk, {}))


def _booked() -> dict[int, dict[Place, Decimal]]:
    """{closed period: {(team, currency, key of the line): corrections charged in months that are closed, too}}."""
    lines = StatementLine.objects.filter(
        kind=KINDS.CORRECTION, statement__period__state=ChargebackPeriod.State.CLOSED
    ).order_by()
    found: dict[int, dict[Place, Decimal]] = defaultdict(dict)
    rows = lines.values_list("of_period", "statement__team", "statement__currency", "key").annotate(Sum("amount"))
    for of_period, team, currency, key, amount in rows:
        found[of_period][team, currency, key.split(":", 2)[2]] = amount
    return found


def _differences(closed: ChargebackPeriod, booked: Mapping[Place, Decimal]) -> Iterator[StatementEntry]:
    frozen = {
        (line.statement.team_id, line.statement.currency, line.key): line
        for line in StatementLine.objects.filter(statement__period=closed, kind__in=OWN_KINDS).select_related(
            "statement"
        )
    }
    numbers = {(each.team_id, each.currency): each for each in closed.statements.all()}
    computed = allocation.allocate_month(closed.month, discounts=closed.discounts)
    today = {(line.team, line.currency, line.key): line for line in computed.lines}
    for place in sorted({*frozen, *today, *booked}):
        was = EXACT.add(frozen[place].amount if place in frozen else ZERO, booked.get(place, ZERO))
        now = today[place].amounts[closed.basis] if place in today else ZERO
        difference = EXACT.subtract(now, was)
        if difference:
            told = today.get(place) or frozen.get(place)
            yield _correction(closed, numbers.get(place[:2]), place, told, difference, was, now)


def _correction(
    closed: ChargebackPeriod,
    statement: Statement | None,
    place: Place,
    told: Any,
    difference: Decimal,
    was: Decimal,
    now: Decimal,
) -> StatementEntry:
    team, currency, key = place
    named = f"statement {statement.number}" if statement else f"{closed.month}, which had no statement"
    return StatementEntry(
        team=team,
        currency=currency,
        kind=KINDS.CORRECTION,
        key=f"correction:{closed.month}:{key}",
        label=f"{told.label if told else key.partition(':')[2]}, {closed.month}",
        amount=difference,
        service=told.service if told else "",
        pool=_pool_of(told),
        of_period=closed.pk,
        corrects=statement.pk if statement else None,
        formula=f"corrects {named}: {formatted(was, currency)} → {formatted(now, currency)} {currency}",
    )


def _pool_of(told: Any) -> int | None:
    return told.pool_id if isinstance(told, StatementLine) else getattr(told, "pool", None)


def _adjustments(period: ChargebackPeriod) -> Iterator[StatementEntry]:
    """Correcting entries of disputes: out of one team's statement, into another's (or back to nobody)."""
    rows = Adjustment.objects.filter(period=period).select_related(
        "dispute__line__statement__period", "from_team", "to_team"
    )
    for each in rows:
        disputed = each.dispute.line.statement
        sides = [(each.from_team_id, -each.amount, f"to {each.to_team or 'nobody'}")]
        if each.to_team_id:
            sides.append((each.to_team_id, each.amount, f"from {each.from_team}"))
        for team, amount, words in sides:
            yield StatementEntry(
                team=team,
                currency=each.currency,
                kind=KINDS.ADJUSTMENT,
                key=f"adjustment:{each.pk}",
                label=f"{each.dispute.line.label}, {disputed.period.month}",
                amount=amount,
                of_period=disputed.period_id,
                corrects=disputed.pk,
                formula=f"moved {words} after dispute {each.dispute_id} of {_name(disputed)}",
            )


def _name(statement: Statement) -> str:
    return f"statement {statement.number}" if statement.number else f"the draft of {statement.period.month}"


def _write_allocations(period: ChargebackPeriod, rows: Sequence[Allocation]) -> None:
    Allocation.objects.filter(billing_month=period.billing_month).delete()
    Allocation.objects.bulk_create(rows, batch_size=5000)


def _write_statements(period: ChargebackPeriod, entries: Sequence[StatementEntry]) -> dict[tuple[int, str], int]:
    """{(team, currency): its statement}, with the sums of the entries; statements without any are removed."""
    teams = Team.objects.in_bulk({entry.team for entry in entries})
    sums: dict[tuple[int, str], dict[str, Decimal]] = defaultdict(lambda: dict.fromkeys(SUM_OF.values(), ZERO))
    for entry in entries:
        mine = sums[entry.team, entry.currency]
        name = SUM_OF[KINDS(entry.kind)]
        mine[name] = EXACT.add(mine[name], entry.amount)
    _remove_statements(period, set(sums))
    made = [
        Statement(
            period=period,
            team_id=team,
            currency=currency,
            team_name=teams[team].name,
            cost_center=teams[team].cost_center,
            total=exact_sum(amounts.values()),
            **amounts,
        )
        for (team, currency), amounts in sums.items()
    ]
    Statement.objects.bulk_create(
        made,
        update_conflicts=True,
        unique_fields=["period", "team", "currency"],
        update_fields=["team_name", "cost_center", "total", *SUM_OF.values()],
    )
    rows = period.statements.order_by().values_list("team", "currency", "pk")
    return {(team, currency): pk for team, currency, pk in rows}


def _remove_statements(period: ChargebackPeriod, wanted: set[tuple[int, str]]) -> None:
    """Those that say nothing any more; a disputed one stays, at zero."""
    gone = [
        pk
        for team, currency, pk in period.statements.order_by().values_list("team", "currency", "pk")
        if (team, currency) not in wanted
    ]
    disputed = Dispute.objects.filter(line__statement__in=gone).values("line__statement")
    Statement.objects.filter(pk__in=gone).exclude(pk__in=disputed).delete()
    Statement.objects.filter(pk__in=gone).update(total=0, **dict.fromkeys(SUM_OF.values(), 0))


def _write_lines(
    period: ChargebackPeriod, statements: Mapping[tuple[int, str], int], entries: Iterable[StatementEntry]
) -> None:
    lines = [entry.as_line(statements[entry.team, entry.currency]) for entry in entries]
    wanted = {(line.statement_id, line.key) for line in lines}
    known = StatementLine.objects.filter(statement__period=period).order_by().values_list("statement", "key", "pk")
    gone = [pk for statement, key, pk in known if (statement, key) not in wanted]
    disputed = Dispute.objects.filter(line__in=gone).values("line")
    StatementLine.objects.filter(pk__in=gone).exclude(pk__in=disputed).delete()
    StatementLine.objects.filter(pk__in=gone).update(amount=0, formula="no longer in the draft")
    StatementLine.objects.bulk_create(
        lines,
        batch_size=5000,
        update_conflicts=True,
        unique_fields=["statement", "key"],
        update_fields=LINE_FIELDS,
    )


def _write_totals(period: ChargebackPeriod, computed: MonthAllocation, entries: Sequence[StatementEntry]) -> None:
    extra: dict[str, dict[str, Decimal]] = defaultdict(lambda: {"corrections": ZERO, "given_back": ZERO})
    for entry in entries:
        mine = extra[entry.currency]
        if entry.kind == KINDS.CORRECTION:
            mine["corrections"] = EXACT.add(mine["corrections"], entry.amount)
        if entry.kind == KINDS.ADJUSTMENT:
            # Between two teams it is zero in sum: what remains went back to nobody.
            mine["given_back"] = EXACT.subtract(mine["given_back"], entry.amount)
    MonthTotal.objects.filter(period=period).delete()
    MonthTotal.objects.bulk_create(
        MonthTotal(period=period, currency=code, **_equation(computed, code, period.basis), **extra[code])
        for code in sorted({*computed.totals, *extra})
    )


def _equation(computed: MonthAllocation, code: str, basis: str) -> dict[str, Decimal]:
    found = computed.totals.get(code, {}).get(basis, allocation.MonthEquation())
    return {name: getattr(found, name) for name in ("bill", "direct", "shared", "unallocated", "unowned")}

"""Drafts of statements, computed again whenever bills, splits, metrics or correcting entries change."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from decimal import Decimal

from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from finops_site.lib.money import EXACT, exact_sum
from finops_site.lib.periods import Month
from finops_site.models import Team
from tagging.calc.rounded_sets import LineKey, MonthDocuments, round_month
from tagging.chargeback import statement_entries
from tagging.chargeback.allocation import MonthAllocation, MonthEquation, allocate_month
from tagging.chargeback.periods import ensure_periods, month_fingerprints, outdated_drafts, period_fingerprint
from tagging.chargeback.statement_entries import StatementEntry
from tagging.models import Allocation, ChargebackPeriod, Dispute, MonthTotal, Statement, StatementLine

ZERO = Decimal(0)
KINDS = StatementLine.Kind
SUM_FIELDS = {
    KINDS.DIRECT: "direct",
    KINDS.SHARED: "shared",
    KINDS.SPREAD: "spread",
    KINDS.CORRECTION: "corrections",
    KINDS.ADJUSTMENT: "adjustments",
}
LINE_FIELDS = [
    "kind",
    "label",
    "service",
    "pool",
    "of_period",
    "corrects",
    "amount",
    "document_amount",
    "tax",
    "formula",
]
SUMS = [*SUM_FIELDS.values(), "total"]
SUMS += [f"document_{name}" for name in SUMS]


def refresh_stale_drafts(now: datetime | None = None) -> list[Month]:
    """Refreshes every draft that is out of date, the latest first; returns their months. Cheap when there is none."""
    by_month = month_fingerprints()
    ensure_periods(by_month)
    return [period.month for period in outdated_drafts(by_month) if refresh_draft(period, now)]


def refresh_draft(period: ChargebackPeriod, now: datetime | None = None) -> bool:
    """Computes a draft's allocations, totals and statements again, in one transaction; False when it is no draft."""
    with transaction.atomic():
        locked = ChargebackPeriod.objects.select_for_update().get(pk=period.pk)
        if not locked.is_draft:
            return False
        write_statements(locked, now or timezone.now())
    period.refresh_from_db()
    return True


def write_statements(period: ChargebackPeriod, now: datetime) -> None:
    """Writes the period's statements as of today's cost data. The caller holds the period's lock."""
    by_month = month_fingerprints()
    fingerprint = period_fingerprint(period, by_month)
    allocation = allocate_month(period.month, discounts=period.discounts)
    entries = [
        *statement_entries.own_entries(period, allocation),
        *statement_entries.correction_entries(period, by_month),
        *statement_entries.adjustment_entries(period),
    ]
    Allocation.objects.filter(billing_month=period.billing_month).delete()
    Allocation.objects.bulk_create(allocation.allocations, batch_size=5000)
    documents = _round_documents(period, allocation, entries)
    statements = _write_sums(period, entries, documents)
    _write_lines(period, statements, entries, documents)
    _write_totals(period, allocation, entries, documents)
    period.fingerprint, period.problems, period.computed_at = fingerprint, allocation.problems, now
    ChargebackPeriod.objects.filter(pk=period.pk).update(
        fingerprint=fingerprint, problems=allocation.problems, computed_at=now
    )


def _round_documents(
    period: ChargebackPeriod, allocation: MonthAllocation, entries: Iterable[StatementEntry]
) -> dict[str, MonthDocuments]:
    """{currency: the month as its documents show it}."""
    lines: dict[str, dict[LineKey, Decimal]] = {code: {} for code in allocation.totals}
    for entry in entries:
        lines.setdefault(entry.currency, {})[entry.team, entry.kind, entry.key] = entry.amount
    documents = {}
    for code, of_currency in lines.items():
        equation = allocation.totals.get(code, {}).get(period.basis, MonthEquation())
        documents[code] = round_month(
            of_currency, code, bill=equation.bill, unallocated=equation.unallocated, unowned=equation.unowned
        )
    return documents


def _write_sums(
    period: ChargebackPeriod, entries: Sequence[StatementEntry], documents: Mapping[str, MonthDocuments]
) -> dict[tuple[int, str], int]:
    """{(team, currency): its statement}, with the sums of the entries.

    A statement without any entry is removed; a disputed one stays, at zero.
    """
    teams = Team.objects.in_bulk({entry.team for entry in entries})
    sums: dict[tuple[int, str], dict[str, Decimal]] = defaultdict(lambda: dict.fromkeys(SUM_FIELDS.values(), ZERO))
    for entry in entries:
        amounts = sums[entry.team, entry.currency]
        name = SUM_FIELDS[KINDS(entry.kind)]
        amounts[name] = EXACT.add(amounts[name], entry.amount)
    known = period.statements.order_by().values_list("team", "currency", "pk")
    obsolete = [pk for team, currency, pk in known if (team, currency) not in sums]
    disputed = Dispute.objects.filter(line__statement__in=obsolete).values("line__statement")
    Statement.objects.filter(pk__in=obsolete).exclude(pk__in=disputed).delete()
    Statement.objects.filter(pk__in=obsolete).update(**dict.fromkeys(SUMS, 0))
    statements = [
        Statement(
            period=period,
            team_id=team,
            currency=currency,
            team_name=teams[team].name,
            cost_center=teams[team].cost_center,
            total=exact_sum(amounts.values()),
            **amounts,
            **_document_sums(documents[currency].statements[team]),
        )
        for (team, currency), amounts in sums.items()
    ]
    Statement.objects.bulk_create(
        statements,
        update_conflicts=True,
        unique_fields=["period", "team", "currency"],
        update_fields=["team_name", "cost_center", *SUMS],
    )
    return {(team, currency): pk for team, currency, pk in known.all()}


def _document_sums(by_kind: Mapping[str, Decimal]) -> dict[str, Decimal]:
    sums = {f"document_{SUM_FIELDS[KINDS(kind)]}": amount for kind, amount in by_kind.items()}
    return {**sums, "document_total": exact_sum(by_kind.values())}


def _write_lines(
    period: ChargebackPeriod,
    statements: Mapping[tuple[int, str], int],
    entries: Iterable[StatementEntry],
    documents: Mapping[str, MonthDocuments],
) -> None:
    lines = [
        entry.as_line(
            statements[entry.team, entry.currency],
            documents[entry.currency].lines[entry.team, entry.kind, entry.key],
        )
        for entry in entries
    ]
    wanted = {(line.statement_id, line.key) for line in lines}
    known = StatementLine.objects.filter(statement__period=period).order_by().values_list("statement", "key", "pk")
    obsolete = [pk for statement, key, pk in known if (statement, key) not in wanted]
    disputed = Dispute.objects.filter(line__in=obsolete).values("line")
    StatementLine.objects.filter(pk__in=obsolete).exclude(pk__in=disputed).delete()
    StatementLine.objects.filter(pk__in=obsolete).update(
        amount=0, document_amount=0, tax=0, formula=_("no longer in the draft")
    )
    StatementLine.objects.bulk_create(
        lines,
        batch_size=5000,
        update_conflicts=True,
        unique_fields=["statement", "key"],
        update_fields=LINE_FIELDS,
    )


def _write_totals(
    period: ChargebackPeriod,
    allocation: MonthAllocation,
    entries: Iterable[StatementEntry],
    documents: Mapping[str, MonthDocuments],
) -> None:
    booked: dict[str, dict[str, Decimal]] = defaultdict(lambda: {"corrections": ZERO, "given_back": ZERO})
    for entry in entries:
        sums = booked[entry.currency]
        if entry.kind == KINDS.CORRECTION:
            sums["corrections"] = EXACT.add(sums["corrections"], entry.amount)
        if entry.kind == KINDS.ADJUSTMENT:
            # Between two teams it is zero in sum: what remains went back to nobody.
            sums["given_back"] = EXACT.subtract(sums["given_back"], entry.amount)
    totals = []
    for code in sorted({*allocation.totals, *booked}):
        equation = allocation.totals.get(code, {}).get(period.basis, MonthEquation())
        parts = {name: getattr(equation, name) for name in ("bill", "direct", "shared", "unallocated", "unowned")}
        in_cents = {f"document_{name}": amount for name, amount in documents[code].month.items()}
        totals.append(MonthTotal(period=period, currency=code, **parts, **booked[code], **in_cents))
    MonthTotal.objects.filter(period=period).delete()
    MonthTotal.objects.bulk_create(totals)

"""The entries of a period's statements: its own costs, corrections of closed months, and adjustments after disputes."""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal

from django.db.models import Max, Sum
from django.utils.translation import gettext as _

from finops_site.lib.money import EXACT, exact_sum, formatted
from finops_site.lib.periods import Month, month_text
from tagging.chargeback.allocation import MonthAllocation, allocate_month
from tagging.chargeback.periods import NO_BILL, open_period
from tagging.models import Adjustment, ChargebackPeriod, Statement, StatementLine
from tagging.models.chargeback import OF_MONTHS

ZERO = Decimal(0)
KINDS = StatementLine.Kind
# The kinds that come from the statement's own month.
OWN_KINDS = (KINDS.DIRECT, KINDS.SHARED, KINDS.SPREAD)
# (team, currency, key of the line).
EntryKey = tuple[int, str, str]
BOOKED_SUMS = (Sum("amount"), Sum("tax"), Sum("document_amount"))


@dataclass(frozen=True, slots=True)
class StatementEntry:
    """A future line of the statement of a team in a currency, on the basis of its period."""

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
    # None where it is not known how much of the amount is tax.
    tax: Decimal | None = ZERO
    # What the documents stated until now of the amount that this corrects, in whole cents; None where it corrects none.
    charged_before: Decimal | None = None

    def as_line(self, statement: int, document_amount: Decimal) -> StatementLine:
        formula = self.formula
        if (was := self.charged_before) is not None:
            becomes = formatted(EXACT.add(was, document_amount), self.currency)
            formula = f"{formula}: {formatted(was, self.currency)} → {becomes} {self.currency}"
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
            document_amount=document_amount,
            tax=self.tax,
            formula=formula[:500],
        )


def own_entries(period: ChargebackPeriod, allocation: MonthAllocation) -> Iterator[StatementEntry]:
    """What the month itself costs each team."""
    for line in allocation.lines:
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
            tax=line.taxes.get(period.basis, ZERO),
        )


def correction_entries(period: ChargebackPeriod, by_month: Mapping[Month, str]) -> Iterator[StatementEntry]:
    """What closed months would charge today less what was charged for them; only the open month books it."""
    opened = open_period()
    if opened is None or opened.pk != period.pk:
        return
    booked = _booked_corrections()
    for closed in ChargebackPeriod.objects.closed().order_by("billing_month"):
        # A closed month keeps the fingerprint of its own bills, splits and metrics.
        if closed.fingerprint != by_month.get(closed.month, NO_BILL) or booked.get(closed.pk):
            yield from _corrections_of(closed, booked.get(closed.pk, {}))


@dataclass(frozen=True, slots=True)
class ChargedAmount:
    """An amount, how much of it is tax (None: not known), and what the documents state of it, in whole cents."""

    amount: Decimal = ZERO
    tax: Decimal | None = ZERO
    document: Decimal = ZERO
    # What corrections that are booked already are about, where neither today's data nor the closed statement has it.
    label: str = ""
    service: str = ""
    pool: int | None = None


def _booked_corrections() -> dict[int, dict[EntryKey, ChargedAmount]]:
    """{closed period: {key: its corrections charged in months that are closed, too}}."""
    lines = StatementLine.objects.filter(
        kind=KINDS.CORRECTION, statement__period__state=ChargebackPeriod.State.CLOSED
    ).order_by()
    booked: dict[int, dict[EntryKey, ChargedAmount]] = defaultdict(dict)
    rows = lines.values_list("of_period", "statement__team", "statement__currency", "key")
    about = (Max("label"), Max("service"), Max("pool"))
    for of_period, team, currency, key, *sums in rows.annotate(*BOOKED_SUMS, *about):
        booked[of_period][team, currency, key.split(":", 2)[2]] = ChargedAmount(*sums)
    return booked


def _corrections_of(closed: ChargebackPeriod, booked: Mapping[EntryKey, ChargedAmount]) -> Iterator[StatementEntry]:
    lines = StatementLine.objects.filter(statement__period=closed, kind__in=OWN_KINDS).select_related("statement")
    frozen = {(line.statement.team_id, line.statement.currency, line.key): line for line in lines}
    statements = {(statement.team_id, statement.currency): statement for statement in closed.statements.all()}
    allocation = allocate_month(closed.month, discounts=closed.discounts)
    today = {(line.team, line.currency, line.key): line for line in allocation.lines}
    for key in sorted({*frozen, *today, *booked}):
        now_line, frozen_line = today.get(key), frozen.get(key)
        before = [
            ChargedAmount(frozen_line.amount, frozen_line.tax, frozen_line.document_amount)
            if frozen_line
            else ChargedAmount(),
            booked.get(key, ChargedAmount()),
        ]
        was = exact_sum(charged.amount for charged in before)
        now = now_line.amounts[closed.basis] if now_line else ZERO
        if was == now:
            continue
        # What the line is about, by today's data or, where that has it no longer, by the closed statement.
        source = now_line or frozen_line or booked[key]
        label = source.label if now_line or frozen_line else OF_MONTHS.sub("", source.label)
        pool = now_line.pool if now_line else frozen_line.pool_id if frozen_line else booked[key].pool
        team, currency, line_key = key
        statement = statements.get((team, currency))
        corrected = (
            _("statement {number}").format(number=statement.number)
            if statement
            else _("{month}, which had no statement").format(month=closed.month)
        )
        yield StatementEntry(
            team=team,
            currency=currency,
            kind=KINDS.CORRECTION,
            key=f"correction:{closed.month}:{line_key}",
            label=f"{label}, {closed.month}",
            amount=EXACT.subtract(now, was),
            service=source.service,
            pool=pool,
            of_period=closed.pk,
            corrects=statement.pk if statement else None,
            formula=_("corrects {corrected}").format(corrected=corrected),
            charged_before=exact_sum(charged.document for charged in before),
            tax=_tax_corrected(now_line.taxes.get(closed.basis, ZERO) if now_line else ZERO, before),
        )


def _tax_corrected(now: Decimal, before: Sequence[ChargedAmount]) -> Decimal | None:
    """The tax of a correction; None where it is not known of what it corrects."""
    known = [charged.tax for charged in before if charged.tax is not None]
    return EXACT.subtract(now, exact_sum(known)) if len(known) == len(before) else None


def adjustment_entries(period: ChargebackPeriod) -> Iterator[StatementEntry]:
    """Correcting entries of disputes: out of one team's statement, into another's (or back to nobody)."""
    rows = Adjustment.objects.filter(period=period).select_related(
        "dispute__line__statement__period", "from_team", "to_team"
    )
    for adjustment in rows:
        line = adjustment.dispute.line
        disputed = line.statement
        sides = [
            (
                adjustment.from_team_id,
                -adjustment.amount,
                _("moved to {team} after dispute {number} of {reference}").format(
                    team=adjustment.to_team or _("nobody"), number=adjustment.dispute_id, reference=_reference(disputed)
                ),
            )
        ]
        if adjustment.to_team_id:
            sides.append(
                (
                    adjustment.to_team_id,
                    adjustment.amount,
                    _("moved from {team} after dispute {number} of {reference}").format(
                        team=adjustment.from_team, number=adjustment.dispute_id, reference=_reference(disputed)
                    ),
                )
            )
        for team, amount, formula in sides:
            yield StatementEntry(
                team=team,
                currency=adjustment.currency,
                kind=KINDS.ADJUSTMENT,
                key=f"adjustment:{adjustment.pk}",
                label=f"{line.label}, {disputed.period.month}",
                amount=amount,
                service=line.service,
                pool=line.pool_id,
                of_period=disputed.period_id,
                corrects=disputed.pk,
                formula=formula,
            )


def _reference(statement: Statement) -> str:
    return (
        _("statement {number}").format(number=statement.number)
        if statement.number
        else _("the draft of {month}").format(month=month_text(statement.period.month, "long"))
    )

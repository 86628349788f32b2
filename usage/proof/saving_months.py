"""After the bill of a month is whole: what each mended finding saved in it, and whether it is proved or back."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from datetime import date
from decimal import Decimal

from django.db import transaction
from django.db.models import F, Q, Sum, Value
from django.db.models.functions import Coalesce, NullIf, TruncMonth

from costs.calc.known_until import Bill
from costs.models import CostLine
from costs.query.known_until import delivered_bills, is_month_known
from finops_site.lib.periods import Month
from finops_site.lib.person import WholeCompany
from usage.calc.proof import Gap, is_back, is_proof, month_saving, shares_of
from usage.models import Finding, FindingEvent, SavingMonth

# What is saved counts for a year after it was mended: later it is how things are.
MONTHS = 12
CHUNK = 1_000
# (provider, account, region, resource): what a finding is about.
Key = tuple[str, str, str, str]
Costs = dict[tuple[Key, date, str], Decimal]
ZERO = Decimal(0)
# What happened to a finding whose proof was withdrawn with its bill, or what had brought it back.
UNPROVED, UNSHOWN = "unproved", "unshown"
COVERED = Q(pricing_category="Committed") | ~Q(commitment="")


def prove(as_of: date) -> int:
    """Works out the saving of every whole month of every mended finding anew; returns how many months are proved.

    Runs every night: a corrected bill corrects it. A month that is not whole is not there, and is not zero.
    """
    bills = delivered_bills(WholeCompany(), as_of)
    mended = Finding.objects.exclude(mended_day=None).filter(mended_day__lte=as_of).order_by("pk")
    proved, keys = 0, sorted(set(mended.values_list("resource_key", flat=True)))
    for start in range(0, len(keys), CHUNK):
        # All findings of a resource together: what it saves is measured once.
        findings = list(mended.filter(resource_key__in=keys[start : start + CHUNK]))
        with transaction.atomic():
            proved += _prove_some(findings, bills, as_of)
    return proved


def _prove_some(findings: Sequence[Finding], bills: Sequence[Bill], as_of: date) -> int:
    spans = {finding.pk: _months(finding, as_of) for finding in findings}
    needed = {month for before, after in spans.values() for month in (before, *after)}
    known_months = {month for month in needed if is_month_known(bills, month, as_of)}
    costs = _costs(findings, known_months)
    by_resource: dict[tuple[str, str], list[Finding]] = defaultdict(list)
    for finding in findings:
        by_resource[finding.resource_key, finding.currency].append(finding)
    rows = [row for group in by_resource.values() for row in _rows(group, known_months, costs, as_of)]
    SavingMonth.objects.filter(finding__in=findings).delete()
    SavingMonth.objects.bulk_create(rows, batch_size=CHUNK)
    _settle(findings, rows)
    return len(rows)


def _months(finding: Finding, as_of: date) -> tuple[Month, list[Month]]:
    """The month before it was mended, and the whole months after: the one in between is part before and part after."""
    assert finding.mended_day is not None
    mended = Month.of(finding.mended_day)
    first = mended if finding.mended_day == mended.start else mended.next
    after = [first.plus(number) for number in range(MONTHS)]
    return mended.plus(-1), [month for month in after if month < Month.of(as_of)]


def _costs(findings: Sequence[Finding], months: Iterable[Month]) -> Costs:
    """What each resource cost in each month on demand, by cost lines: one question for all of them."""
    days = [month.start for month in months]
    if not days:
        return {}
    resources = sorted({finding.resource for finding in findings})
    lines = CostLine.objects.current().of_resources(resources).exclude(COVERED)
    lines = lines.filter(charge_date__gte=min(days), charge_date__lt=Month.of(max(days)).next.start)
    names = ("provider", "account", "region", "resource", "month", "currency")
    # As findings name it: where a bill has no accounts below the payer's.
    account = Coalesce(NullIf("sub_account", Value("")), F("billing_account"))
    sums = lines.order_by().annotate(month=TruncMonth("charge_date"), account=account).values_list(*names)
    return {
        ((provider, account, region, resource), month, currency): cost
        for provider, account, region, resource, month, currency, cost in sums.annotate(cost=Sum("effective_cost"))
        if cost is not None
    }


def _rows(findings: Sequence[Finding], known_months: set[Month], costs: Costs, as_of: date) -> Iterator[SavingMonth]:
    """The months of findings on one resource: what it saves is measured once and shared among those mended by then."""
    spans = [
        (*_months(finding, as_of), finding) for finding in sorted(findings, key=lambda one: (one.mended_day, one.pk))
    ]
    before_month, _after, first = spans[0]
    key: Key = (first.provider, first.account, first.region, first.resource)
    before = costs.get((key, before_month.start, first.currency)) if before_month in known_months else None
    for month in sorted({month for _before, after, _one in spans for month in after} & known_months):
        mended = [finding for _before, after, finding in spans if month in after]
        cost = costs.get((key, month.start, first.currency), ZERO)
        promises = [finding.promised_saving for finding in mended]
        together = sum((one for one in promises if one is not None), ZERO) if any(promises) else None
        lever = min(finding.lever for finding in mended)
        saving = month_saving(before, cost, together, lever, before_month.days, month.days)
        shares = None if saving.amount is None else shares_of(saving.amount, promises)
        for place, finding in enumerate(mended):
            yield SavingMonth(
                finding=finding,
                month=month.start,
                currency=finding.currency,
                cost_before=before,
                cost_after=cost,
                promised=finding.promised_saving,
                amount=None if shares is None else shares[place],
                gap=saving.gap,
            )


def _settle(findings: Sequence[Finding], rows: Sequence[SavingMonth]) -> None:
    """A finding is proved by its newest whole month, or is back: nobody has to look.

    Where the bill that proved it counts no more, and no other does, it waits for proof again.
    """
    newest: dict[int, SavingMonth] = {}
    for row in rows:
        if row.finding_id not in newest or newest[row.finding_id].month < row.month:
            newest[row.finding_id] = row
    states: dict[str, list[Finding]] = defaultdict(list)
    by_bill = _brought_back_by_bill(findings)
    for finding in findings:
        if finding.pk not in newest:
            if finding.state == Finding.State.PROVED or finding.pk in by_bill:
                states[Finding.State.MENDED].append(finding)
            continue
        gap = Gap(newest[finding.pk].gap)
        if is_proof(gap) and (finding.state == Finding.State.MENDED or finding.pk in by_bill):
            states[Finding.State.PROVED].append(finding)
        elif is_back(gap) and finding.state in (Finding.State.MENDED, Finding.State.PROVED):
            states[Finding.State.BACK].append(finding)
    for state, changed in states.items():
        FindingEvent.objects.bulk_create(
            FindingEvent(
                finding=finding,
                verb=_verb(finding.state, state),
                before=finding.state,
                after=state,
                note=newest[finding.pk].gap if finding.pk in newest else "",
            )
            for finding in changed
        )
        Finding.objects.filter(pk__in=[finding.pk for finding in changed]).update(state=state)


def _brought_back_by_bill(findings: Sequence[Finding]) -> set[int]:
    """The keys of those that a whole month brought back, and nothing since: a corrected bill takes it back.

    What days after it was mended show, or a person says, stands on its own.
    """
    back = [finding.pk for finding in findings if finding.state == Finding.State.BACK]
    newest = FindingEvent.objects.filter(finding__in=back).order_by("finding_id", "-at", "-pk").distinct("finding_id")
    of_a_month = [gap.value for gap in Gap if is_back(gap)]
    return {event.finding_id for event in newest if event.verb == Finding.State.BACK and event.note in of_a_month}


def _verb(before: str, after: str) -> str:
    if after != Finding.State.MENDED:
        return after
    return UNPROVED if before == Finding.State.PROVED else UNSHOWN

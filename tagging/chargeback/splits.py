"""How pools are split: saving a split, what it would change, and what forbids it."""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from django.db import transaction

from costs.models import Pool
from finops_site.lib.money import EXACT
from finops_site.lib.periods import Month
from tagging.calc import pool_splits
from tagging.calc.pool_splits import BadSplit, Party
from tagging.chargeback import allocation, queues
from tagging.models import ChargebackPeriod, Split, SplitPart

SplitParts = Mapping[Party, Decimal | None]


def save_split(split: Split, parts: SplitParts) -> Split:
    """Saves a split with who takes part, and lets the drafts be made anew.

    Raises splitting.BadSplit for shares that do not make 100, a circle of pools, dates that overlap those of another
    split of the pool, or a change to a month that is closed.
    """
    with transaction.atomic():
        # Two people who edit at once would each see a world without the other's circle or dates.
        list(Pool.objects.select_for_update().order_by("pk").values_list("pk"))
        check_split(split, parts)
        fresh = split.pk is None
        if not fresh:
            split.version = Split.objects.values_list("version", flat=True).get(pk=split.pk) + 1
        split.save()
        _save_parts(split, parts)
        transaction.on_commit(queues.refresh_chargeback)
    return split


def delete_split(split: Split) -> None:
    """Removes a split that no closed month was made by. Raises BadSplit."""
    with transaction.atomic():
        list(Pool.objects.select_for_update().order_by("pk").values_list("pk"))
        if closed := _closed_months(split):
            raise BadSplit(f"{closed[-1]} is closed and was split by it: end it instead, with the month after.")
        split.delete()
        transaction.on_commit(queues.refresh_chargeback)


def check_split(split: Split, parts: SplitParts) -> None:
    """Raises BadSplit, saying what to change, when the split cannot be saved like this."""
    _need_order_of_dates(split)
    _rule(split, parts)
    _no_overlap(split)
    _no_circle(split, parts)
    _closed_months_stay(split, parts)


def _need_order_of_dates(split: Split) -> None:
    if split.start and split.end and split.end <= split.start:
        raise BadSplit("A split must hold for at least one month: until is after from.")


def _rule(split: Split, parts: SplitParts) -> pool_splits.SplitRule:
    return pool_splits.SplitRule(split.pool_id, split.method, dict(parts), split.metric.name if split.metric else "")


def _others(split: Split) -> list[Split]:
    return [each for each in Split.objects.with_parts() if each.pk != split.pk and _meet(each, split)]


def _meet(one: Split, other: Split) -> bool:
    """Whether there is a month in which both hold."""
    begins = one.start is None or other.end is None or one.start < other.end
    return begins and (other.start is None or one.end is None or other.start < one.end)


def _no_overlap(split: Split) -> None:
    twice = next((each for each in _others(split) if each.pool_id == split.pool_id), None)
    if twice:
        raise BadSplit(
            f"{split.pool} is split already {split_months(twice)}: end that split first, or choose other months."
        )


def split_months(split: Split) -> str:
    """``from 2026-01 until 2026-06``, as far as it is said."""
    if not split.start and not split.end:
        return "always"
    start = f"from {Month.of(split.start)}" if split.start else "from the beginning"
    return f"{start} until {Month.of(split.end)}" if split.end else f"{start} on"


def _no_circle(split: Split, parts: SplitParts) -> None:
    """Pools that feed one another in a month in which their splits hold together."""
    others = _others(split)
    rules = {split.pool_id: _rule(split, parts)}
    for each in others:
        try:
            rules.setdefault(each.pool_id, each.as_rule())
        except BadSplit:
            continue
    try:
        pool_splits.order_pools(rules)
    except pool_splits.CircleOfPools as circle:
        raise pool_splits.CircleOfPools(circle.path, dict(Pool.objects.values_list("pk", "name"))) from None


def _closed_months(split: Split) -> list[Month]:
    held = [
        month
        for month in ChargebackPeriod.objects.closed_months()
        if (split.start is None or split.start <= month.start) and (split.end is None or month.start < split.end)
    ]
    return sorted(held)


def _closed_months_stay(split: Split, parts: SplitParts) -> None:
    """What closed months were split by is not changed: a split may be ended after them, and another begun."""
    before = Split.objects.with_parts().filter(pk=split.pk).first() if split.pk else None
    was = _closed_months(before) if before else []
    now = _closed_months(split)
    if was != now:
        month = ({*was} ^ {*now}).pop()
        raise BadSplit(f"{month} is closed: begin and end splits after the last closed month.")
    if before and was and _said(before, _parts_of(before)) != _said(split, parts):
        raise BadSplit(
            f"{was[-1]} is closed and was split by it: end this split with {was[-1].next}, and add one from there on."
        )


def _parts_of(split: Split) -> SplitParts:
    return {
        pool_splits.team(part.team_id) if part.team_id else pool_splits.pool(part.into_id): part.share
        for part in split.parts.all()
    }


def _said(split: Split, parts: SplitParts) -> Any:
    return split.pool_id, split.method, split.metric_id, split.start, dict(parts)


def _save_parts(split: Split, parts: SplitParts) -> None:
    """One by one, so that the audit log says who took part before and after."""
    for part in split.parts.all():
        party = pool_splits.team(part.team_id) if part.team_id else pool_splits.pool(part.into_id)
        if party not in parts:
            part.delete()
        elif part.share != parts[party]:
            part.share = parts[party]
            part.save()
    known = set(_parts_of(Split.objects.with_parts().get(pk=split.pk)))
    for party in [each for each in parts if each not in known]:
        SplitPart.objects.create(
            split=split,
            share=parts[party],
            team_id=party.id if party.kind == "team" else None,
            into_id=party.id if party.kind == "pool" else None,
        )


@dataclass(frozen=True, slots=True)
class SharedCostChange:
    """What a team would pay of shared cost in a month: now, and after the change."""

    team: str
    currency: str
    before: Decimal
    after: Decimal

    @property
    def difference(self) -> Decimal:
        return EXACT.subtract(self.after, self.before)


def preview_split(
    split: Split, parts: SplitParts, period: ChargebackPeriod
) -> tuple[list[SharedCostChange], list[str]]:
    """What saving the split would move in a month, by team, on its basis; and what a person must know.

    The split is saved, the month computed and everything taken back: what the page shows is what saving does.
    Raises BadSplit.
    """
    before = allocation.allocate_month(period.month, discounts=period.discounts)
    with transaction.atomic():
        save_point = transaction.savepoint()
        try:
            check_split(split, parts)
            copy = Split.objects.get(pk=split.pk) if split.pk else Split()
            for name in ("pool_id", "method", "metric_id", "start", "end"):
                setattr(copy, name, getattr(split, name))
            _write_quietly(copy, parts)
            after = allocation.allocate_month(period.month, discounts=period.discounts)
        finally:
            transaction.savepoint_rollback(save_point)
    return _moves(before, after, period.basis), after.problems


def _write_quietly(split: Split, parts: SplitParts) -> None:
    """Without a trace in the audit log: it is taken back."""
    from auditlog.context import disable_auditlog

    with disable_auditlog():
        split.save()
        split.parts.all().delete()
        for party, share in parts.items():
            kwargs = {"team_id": party.id} if party.kind == "team" else {"into_id": party.id}
            SplitPart.objects.create(split=split, share=share, **kwargs)


def _moves(before: allocation.MonthAllocation, after: allocation.MonthAllocation, basis: str) -> list[SharedCostChange]:
    was, now = _shared_by_team(before, basis), _shared_by_team(after, basis)
    names = allocation.team_names(team for team, _ in {*was, *now})
    zero = Decimal(0)
    rows = [
        SharedCostChange(names[team].name, code, was.get((team, code), zero), now.get((team, code), zero))
        for team, code in {*was, *now}
    ]
    return sorted(
        (row for row in rows if row.difference), key=lambda row: (row.currency, -abs(row.difference), row.team)
    )


def _shared_by_team(computed: allocation.MonthAllocation, basis: str) -> dict[tuple[int, str], Decimal]:
    sums: dict[tuple[int, str], Decimal] = {}
    for line in computed.lines:
        if line.kind == "shared":
            place = (line.team, line.currency)
            sums[place] = EXACT.add(sums.get(place, Decimal(0)), line.amounts[basis])
    return sums

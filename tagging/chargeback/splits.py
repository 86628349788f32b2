"""How pools are split: saving a split, what it would change, and what forbids it."""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal

from django.db import transaction
from django.utils.translation import gettext as _

from costs.models import Pool
from finops_site.celery import task
from finops_site.lib.money import EXACT
from finops_site.lib.periods import Month, month_text
from finops_site.models import Team
from tagging.calc import pool_splits
from tagging.calc.pool_splits import BadSplit, Party
from tagging.chargeback.allocation import MonthAllocation, allocate_month
from tagging.models import ChargebackPeriod, Split, SplitPart

SplitParts = Mapping[Party, Decimal | None]
SETTINGS = ("pool_id", "method", "metric_id", "start", "end")


def save_split(split: Split, parts: SplitParts) -> Split:
    """Saves a split with the teams and pools that take part, and has the drafts refreshed.

    Raises pool_splits.BadSplit for shares that do not make 100, a circle of pools, dates that overlap those of another
    split of the pool, or a change to a month that is closed.
    """
    with transaction.atomic():
        _lock_pools()
        check_split(split, parts)
        if split.pk:
            split.version = Split.objects.values_list("version", flat=True).get(pk=split.pk) + 1
        split.save()
        _save_parts(split, parts)
        task("tagging.tasks.refresh_chargeback").delay_on_commit()
    return split


def delete_split(split: Split) -> None:
    """Removes a split that no closed month was made by, and has the drafts refreshed. Raises BadSplit."""
    with transaction.atomic():
        _lock_pools()
        if closed := _closed_months(split):
            raise BadSplit(
                _("{closed} is closed and was split by it: end it instead, with the month after.").format(
                    closed=month_text(closed[-1], "long")
                )
            )
        split.delete()
        task("tagging.tasks.refresh_chargeback").delay_on_commit()


def _lock_pools() -> None:
    """Two people who edit splits at once would not see the other's circle or dates: the second one waits."""
    list(Pool.objects.select_for_update().order_by("pk").values_list("pk"))


def check_split(split: Split, parts: SplitParts) -> None:
    """Raises BadSplit, with what to change, when the split cannot be saved like this."""
    if split.start and split.end and split.end <= split.start:
        raise BadSplit(_("A split must hold for at least one month: until is after from."))
    metric = split.metric.name if split.metric else ""
    rule = pool_splits.SplitRule(split.pool_id, split.method, dict(parts), metric)
    others = [other for other in Split.objects.with_parts() if other.pk != split.pk and _overlap(other, split)]
    if same_pool := next((other for other in others if other.pool_id == split.pool_id), None):
        raise BadSplit(
            _("{pool} is split already {split_months}: end that split first, or choose other months.").format(
                pool=split.pool, split_months=split_months(same_pool)
            )
        )
    _check_circle(rule, others)
    _check_closed_months(split, parts)


def _overlap(one: Split, other: Split) -> bool:
    """Whether there is a month in which both hold."""
    begins = one.start is None or other.end is None or one.start < other.end
    return begins and (other.start is None or one.end is None or other.start < one.end)


def split_months(split: Split) -> str:
    """``from 2026-01 until 2026-06``, or ``always``."""
    if not split.start and not split.end:
        return _("always")
    first, end = split.start and Month.of(split.start), split.end and Month.of(split.end)
    if not end:
        return _("from {first} on").format(first=first)
    if not first:
        return _("from the beginning until {end}").format(end=end)
    return _("from {first} until {end}").format(first=first, end=end)


def _check_circle(rule: pool_splits.SplitRule, others: list[Split]) -> None:
    """Pools may not feed one another in a month in which their splits hold together."""
    rules = {rule.pool: rule}
    for other in others:
        try:
            rules.setdefault(other.pool_id, other.as_rule())
        except BadSplit:
            continue
    try:
        pool_splits.order_pools(rules)
    except pool_splits.CircleOfPools as circle:
        raise pool_splits.CircleOfPools(circle.path, dict(Pool.objects.values_list("pk", "name"))) from None


def _closed_months(split: Split) -> list[Month]:
    return sorted(
        month
        for month in ChargebackPeriod.objects.closed_months()
        if (split.start is None or split.start <= month.start) and (split.end is None or month.start < split.end)
    )


def _check_closed_months(split: Split, parts: SplitParts) -> None:
    """The split of a closed month is not changed: it may be ended after that month, and another one begun."""
    stored = Split.objects.with_parts().filter(pk=split.pk).first() if split.pk else None
    was = _closed_months(stored) if stored else []
    now = _closed_months(split)
    if was != now:
        month = ({*was} ^ {*now}).pop()
        raise BadSplit(
            _("{month} is closed: begin and end splits after the last closed month.").format(
                month=month_text(month, "long")
            )
        )
    if not stored or not was:
        return
    unchanged = all(getattr(stored, name) == getattr(split, name) for name in SETTINGS if name != "end")
    if not unchanged or stored.parts_by_party() != dict(parts):
        raise BadSplit(
            _("{was} is closed and was split by it: end this split with {next}, and add one from there on.").format(
                was=month_text(was[-1], "long"), next=month_text(was[-1].next, "long")
            )
        )


def _save_parts(split: Split, parts: SplitParts) -> None:
    """Saves the parts one by one, so that the audit log has each part before and after."""
    stored = {part.party: part for part in split.parts.all()}
    for party, part in stored.items():
        if party not in parts:
            part.delete()
        elif part.share != parts[party]:
            part.share = parts[party]
            part.save()
    for party in parts:
        if party not in stored:
            _create_part(split, party, parts[party])


def _create_part(split: Split, party: Party, share: Decimal | None) -> None:
    column = "team_id" if party.kind == "team" else "into_id"
    SplitPart.objects.create(split=split, share=share, **{column: party.id})


def preview_period(split: Split) -> ChargebackPeriod | None:
    """The latest draft with a bill in which the split holds: there saving it shows."""
    drafts = ChargebackPeriod.objects.draft().exclude(totals=None)
    if split.start:
        drafts = drafts.filter(billing_month__gte=split.start)
    if split.end:
        drafts = drafts.filter(billing_month__lt=split.end)
    return drafts.first()


@dataclass(frozen=True, slots=True)
class SharedCostChange:
    """The shared cost of a team in a month: now, and after the change of a split."""

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
    """What saving the split would change in a month, by team, on its basis; and the problems that it would have.

    The split is saved, the month computed and everything rolled back: what the page shows is what saving does. Raises
    BadSplit.
    """
    before = allocate_month(period.month, discounts=period.discounts)
    with transaction.atomic():
        save_point = transaction.savepoint()
        try:
            check_split(split, parts)
            copy = Split.objects.get(pk=split.pk) if split.pk else Split()
            for name in SETTINGS:
                setattr(copy, name, getattr(split, name))
            copy.save()
            copy.parts.all().delete()
            for party, share in parts.items():
                _create_part(copy, party, share)
            after = allocate_month(period.month, discounts=period.discounts)
        finally:
            transaction.savepoint_rollback(save_point)
    was, now = _shared_by_team(before, period.basis), _shared_by_team(after, period.basis)
    teams = Team.objects.in_bulk({team for team, _ignored in {*was, *now}})
    zero = Decimal(0)
    changes = [
        SharedCostChange(teams[team].name, code, was.get((team, code), zero), now.get((team, code), zero))
        for team, code in {*was, *now}
    ]
    changes.sort(key=lambda change: (change.currency, -abs(change.difference), change.team))
    return [change for change in changes if change.difference], after.problems


def _shared_by_team(allocation: MonthAllocation, basis: str) -> dict[tuple[int, str], Decimal]:
    sums: dict[tuple[int, str], Decimal] = {}
    for line in allocation.lines:
        if line.kind == "shared":
            key = (line.team, line.currency)
            sums[key] = EXACT.add(sums.get(key, Decimal(0)), line.amounts[basis])
    return sums

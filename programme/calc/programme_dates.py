"""The days of a programme: what may not be, and what moves with what. Pure: no Django."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from itertools import pairwise

from finops_site.lib.language import gettext as _
from finops_site.lib.periods import day_text, is_in_reach

LONGEST_DAYS = 730
DAYS_A_WEEK = 7


class BadDates(ValueError):
    """Days of a programme that cannot be; `problems` are the reasons, in sentences."""

    def __init__(self, problems: Sequence[str]) -> None:
        self.problems = list(problems)
        super().__init__(" ".join(problems))


@dataclass(frozen=True, slots=True)
class Item:
    """A phase from `first` to `last`, or something of one day: a milestone, a decision. What is over stays fixed."""

    key: tuple[str, int]
    label: str
    first: date
    last: date
    is_fixed: bool = False


@dataclass(frozen=True, slots=True)
class Move:
    """What moves, from which days to which."""

    before: Item
    after: Item

    @property
    def words(self) -> str:
        if self.before.first == self.before.last and self.after.first == self.after.last:
            before, after = day_text(self.before.first), day_text(self.after.first)
        else:
            before, after = (f"{day_text(one.first)} – {day_text(one.last)}" for one in (self.before, self.after))
        return _("{name}: from {before} to {after}").format(name=self.before.label, before=before, after=after)


def week_of(start: date, day: date) -> int:
    """The week of a programme that a day lies in: 1 for its first seven days; 0 or less before it began."""
    return (day - start).days // DAYS_A_WEEK + 1


def date_problems(first: date, days: int, phases: Sequence[Item], others: Iterable[Item]) -> list[str]:
    """What is wrong with the days of a programme, in sentences; empty where nothing is."""
    if not 1 <= days <= LONGEST_DAYS:
        return [_("A programme lasts 1 to {most} days, not {days}.").format(most=LONGEST_DAYS, days=days)]
    if not is_in_reach(first):
        return [out_of_reach(first)]
    last = first + timedelta(days=days - 1)
    problems = [
        _("{name} ends on {last}, before it begins on {first}.").format(
            name=phase.label, last=day_text(phase.last), first=day_text(phase.first)
        )
        for phase in phases
        if phase.last < phase.first
    ]
    in_order = sorted(phases, key=lambda phase: (phase.first, phase.last))
    problems += [
        _("The dates cross: {one} ends on {end}, and {other} begins on {begin}.").format(
            one=one.label, end=day_text(one.last), other=other.label, begin=day_text(other.first)
        )
        for one, other in pairwise(in_order)
        if other.first <= one.last
    ]
    return problems + [
        _("{name} lies outside of the programme, which runs from {first} to {last}.").format(
            name=item.label, first=day_text(first), last=day_text(last)
        )
        for item in [*phases, *others]
        if item.first < first or item.last > last
    ]


def out_of_reach(day: date) -> str:
    """Why a day is none of a programme."""
    return _("{day} is no day of a programme: the years are 1900 to 2200.").format(day=day_text(day))


def moves_with(items: Sequence[Item], key: tuple[str, int], to: date, *, rest: bool) -> list[Move]:
    """What moves when the item `key` moves to begin on `to`: it alone, or with it the rest that begins no earlier.

    Of the rest, a phase that is under way on that day ends later (or earlier) by as many days. What is fixed stays.
    Raises KeyError where there is no such item, and BadDates where it is fixed, or the day is out of reach.
    """
    if not is_in_reach(to):
        raise BadDates([out_of_reach(to)])
    moved = next(item for item in items if item.key == key) if key in {item.key for item in items} else None
    if moved is None:
        raise KeyError(key)
    if moved.is_fixed:
        raise BadDates([_("{name} is over: its date stays.").format(name=moved.label)])
    shift = to - moved.first
    moves = []
    for item in items:
        if item.is_fixed or not (item.key == key or rest):
            continue
        if item.key == key or item.first >= moved.first:
            after = replace(item, first=item.first + shift, last=item.last + shift)
        elif item.last >= moved.first and item.last > item.first:
            after = replace(item, last=item.last + shift)
        else:
            continue
        if after != item:
            moves.append(Move(item, after))
    return moves

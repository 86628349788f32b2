"""What teams spend less once they see their cost: a difference in differences. Pure: no Django.

Of each team that has its statement the mean of the months after, against the months before, is compared with the same
months of teams without one. What changes for everybody, prices or a growing company, cancels out. Every team weighs
the same. The interval is Student's, at 95 %, from how much teams differ from one another (Welch's degrees of freedom).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import ROUND_FLOOR, Decimal

from finops_site.lib.periods import Month

# Fewer teams on either side, or fewer months before or after, prove nothing.
FEWEST_TEAMS = 2
FEWEST_MONTHS = 2
# So many months before, at most: older ones say less of what a team would spend today.
MONTHS_BEFORE = 6
# Student's t, both sides, 95 %, by degrees of freedom.
STUDENT = (
    *("12.706", "4.303", "3.182", "2.776", "2.571", "2.447", "2.365", "2.306", "2.262", "2.228", "2.201", "2.179"),
    *("2.160", "2.145", "2.131", "2.120", "2.110", "2.101", "2.093", "2.086", "2.080", "2.074", "2.069", "2.064"),
    *("2.060", "2.056", "2.052", "2.048", "2.045", "2.042"),
)
BEYOND = Decimal("1.960")
HUNDRED = Decimal(100)

# {month: cost} of a team; a month that is not there is not known.
Course = Mapping[Month, Decimal]


@dataclass(frozen=True, slots=True)
class VisibilityEffect:
    """How many per cent less teams with statements spend than they would without; `margin` is half its interval.

    A `reduction` of None is not known, and `reason` is ``teams-with``, ``teams-without`` or ``months``: too few.
    """

    reduction: Decimal | None
    margin: Decimal | None
    teams_with: int
    teams_without: int
    reason: str = ""

    @property
    def is_clear(self) -> bool:
        """Whether the interval lies on one side of zero."""
        return self.reduction is not None and self.margin is not None and abs(self.reduction) > self.margin


def measure_effect(courses: Mapping[int, Course], since: Mapping[int, Month]) -> VisibilityEffect:
    """The effect of statements on the `courses` of teams; `since` is the month in which a team got its first.

    The month itself is neither before nor after. Teams without cost in the months before are left out.
    """
    compared = [team for team in sorted(courses) if team not in since]
    changes, beside = [], []
    for team in sorted(set(courses) & set(since)):
        own = _change(courses[team], since[team])
        others = [change for other in compared if (change := _change(courses[other], since[team])) is not None]
        if own is not None and len(others) >= FEWEST_TEAMS:
            changes.append(own - _mean(others))
            beside.append(_variance(others) / len(others))
    with_statement = len(set(courses) & set(since))
    if len(changes) < FEWEST_TEAMS:
        reason = _why_not(with_statement, len(compared))
        return VisibilityEffect(None, None, with_statement, len(compared), reason)
    return _with_interval(changes, beside, len(compared))


def _why_not(with_statement: int, without: int) -> str:
    if with_statement < FEWEST_TEAMS:
        return "teams-with"
    return "teams-without" if without < FEWEST_TEAMS else "months"


def _with_interval(changes: Sequence[Decimal], beside: Sequence[Decimal], without: int) -> VisibilityEffect:
    # Teams that see their statement are compared with the same others: their spread does not shrink with more of them.
    of_teams, of_others = _variance(changes) / len(changes), _mean(beside)
    spread = of_teams + of_others
    freedom = _degrees_of_freedom(of_teams, len(changes), of_others, without)
    student = Decimal(STUDENT[freedom - 1]) if freedom <= len(STUDENT) else BEYOND
    margin = student * spread.sqrt() * HUNDRED
    return VisibilityEffect(-_mean(changes) * HUNDRED, margin, len(changes), without)


def _degrees_of_freedom(one: Decimal, size: int, other: Decimal, other_size: int) -> int:
    """Welch's, rounded down; the fewest where teams do not differ at all."""
    spread = one**2 / (size - 1) + other**2 / (other_size - 1)
    if spread == 0:
        return min(size, other_size) - 1
    return max(1, int(((one + other) ** 2 / spread).to_integral_value(rounding=ROUND_FLOOR)))


def _change(course: Course, cut: Month) -> Decimal | None:
    """Mean after / mean before - 1; None where there are too few months, or nothing was spent before."""
    before = [course[month] for month in course if cut.plus(-MONTHS_BEFORE) <= month < cut]
    after = [course[month] for month in course if month > cut]
    if len(before) < FEWEST_MONTHS or len(after) < FEWEST_MONTHS or _mean(before) <= 0:
        return None
    return _mean(after) / _mean(before) - 1


def _mean(values: Sequence[Decimal]) -> Decimal:
    return sum(values, Decimal(0)) / len(values)


def _variance(values: Sequence[Decimal]) -> Decimal:
    mean = _mean(values)
    return sum(((value - mean) ** 2 for value in values), Decimal(0)) / (len(values) - 1)

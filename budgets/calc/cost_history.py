"""The daily cost of many series side by side, in NumPy. Pure: no Django, no clock."""

from dataclasses import dataclass
from datetime import date, timedelta

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Columns = npt.NDArray[np.intp]
# What is usual of a series that has just begun is the middle of so many weeks.
USUAL_WEEKS = 4


@dataclass(frozen=True, slots=True)
class CostHistory:
    """Daily cost of many series, a row each; column 0 is the day `first`, the last column the last complete day."""

    first: date
    daily: Floats

    @property
    def days(self) -> int:
        return int(self.daily.shape[1])

    @property
    def end(self) -> date:
        """The first day that is not known."""
        return self.first + timedelta(days=self.days)

    def day(self, column: int) -> date:
        return self.first + timedelta(days=column)

    def first_columns(self) -> Columns:
        """The column of each series' first cost; the number of columns where it has none."""
        has_cost = self.daily != 0
        return np.where(has_cost.any(axis=1), has_cost.argmax(axis=1), self.days)

    def with_usual_days_before(self) -> "CostHistory":
        """The days before each series began as its first weeks were, by weekday: what began was no change of level."""
        begun = self.first_columns()
        daily = self.daily.copy()
        for row in np.flatnonzero((begun > 0) & (begun < self.days)):
            first = int(begun[row])
            weeks = min(USUAL_WEEKS, (self.days - first) // 7)
            if weeks:
                week = np.median(self.daily[row, first : first + 7 * weeks].reshape(weeks, 7), axis=0)
                daily[row, :first] = week[(np.arange(first) - first) % 7]
        return CostHistory(self.first, daily)

"""The daily cost of many series side by side, in NumPy. Pure: no Django, no clock."""

from dataclasses import dataclass
from datetime import date, timedelta

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Columns = npt.NDArray[np.intp]


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

"""The savings model as every door shows it: cases, assumptions beside what is measured, and what is realised."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from functools import cached_property

from finops_site.lib.money import EXACT
from finops_site.lib.periods import Month
from finops_site.lib.person import Person
from finops_site.registry import registry
from programme.calc.savings_model import (
    MONEY_UNITS,
    YEAR_MONTHS,
    CaseResult,
    Comparison,
    Values,
    case_results,
    compare_stated,
    return_on,
)
from programme.models import Assumption, SavingsModel
from programme.savings_model.assumptions import assumptions_of, savings_model
from programme.savings_model.measured import Measurement, measured_values
from programme.savings_model.realised import RealisedSavings, months_until_paid_back, realised_savings


@dataclass(frozen=True)
class SavingsFigures:
    """The model as of a day. Amounts are in the model's currency."""

    model: SavingsModel
    assumptions: Sequence[Assumption]
    realised: RealisedSavings
    user: Person
    as_of: date

    @cached_property
    def measured(self) -> dict[str, Measurement]:
        """{key of an assumption: what the books say of it}."""
        return measured_values(self.user, self.model, self.as_of)

    @cached_property
    def values(self) -> Values:
        """{key: {case: value}}, money in the model's currency; what no rate converts is not known."""
        return {row.key: self._converted(row) for row in self.assumptions}

    def _converted(self, row: Assumption) -> dict[str, Decimal | None]:
        if row.kind.unit not in MONEY_UNITS or row.currency == self.model.currency:
            return row.values
        rate = registry.exchange_rate(row.currency, self.model.currency, Month.of(self.as_of))
        return {
            case: None if value is None or rate is None else EXACT.multiply(value, rate)
            for case, value in row.values.items()
        }

    @cached_property
    def cases(self) -> list[CaseResult]:
        return case_results(self.values)

    @property
    def expected(self) -> CaseResult:
        return self.cases[1]

    @cached_property
    def comparisons(self) -> list[Comparison]:
        return compare_stated(self.values)

    @cached_property
    def realised_total(self) -> Decimal | None:
        """What is proved since the start; None where nothing is."""
        return self.realised.total(first=self.model.month)

    def realised_of(self, lever: str) -> Decimal | None:
        return self.realised.total(lever=lever, first=self.model.month)

    @property
    def paid(self) -> Decimal | None:
        """What was paid for the programme; None while nobody entered it."""
        return self.values.get("investment-paid", {}).get("expected")

    @property
    def realised_return(self) -> Decimal | None:
        """(realised - paid) / paid, as a ratio; None where one of them is not known."""
        return return_on(self.realised_total, self.paid)

    @cached_property
    def payback(self) -> int | None:
        """The months it took until what is proved had reached what was paid; None where it has not, or is unknown."""
        if not self.paid or self.realised_total is None:
            return None
        return months_until_paid_back(self.realised, self.model.month, Month.of(self.as_of), self.paid)

    @property
    def planned_a_month(self) -> Decimal | None:
        """A twelfth of the expected case."""
        total = self.expected.total
        return None if total is None else total / YEAR_MONTHS

    @cached_property
    def months(self) -> list[Month]:
        """The months since the start, the current one last."""
        last, first = Month.of(self.as_of), self.model.month
        count = (last.year - first.year) * 12 + last.number - first.number + 1
        return [first.plus(number) for number in range(max(0, count))]


def load_figures(user: Person, as_of: date) -> SavingsFigures | None:
    """The model as it was at the end of a day; None where there was none, or where it is not hers to see."""
    model = savings_model()
    if model is None or not user.sees_whole_company or model.started_at.date() > as_of:
        return None
    assumptions = assumptions_of(user, as_of)
    return SavingsFigures(model, assumptions, realised_savings(user, model.currency, as_of), user, as_of)

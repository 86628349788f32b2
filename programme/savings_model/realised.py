"""What was saved and is proved: from evidence that pillars register, never from the model."""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from functools import cached_property

from finops_site.lib.money import EXACT, exact_sum
from finops_site.lib.periods import Month
from finops_site.lib.person import Person
from finops_site.registry import SavingsEvidenceSource, registry
from finops_site.ui.request_memo import request_memo
from programme.calc.double_counting import Claim, CountedClaim, count_once


@dataclass(frozen=True)
class RealisedSavings:
    """Every claim with what of it counts, and the sums in one currency; `apart` are those that no rate converts.

    `by_source` has them by month, lever and label of the source. `nothing`: {(lever, label): whether it is known that
    this source has nothing to prove, so that it is 0}, of every source that there is.
    """

    currency: str
    counted: Sequence[CountedClaim]
    by_source: Mapping[tuple[Month, str, str], Decimal]
    apart: Mapping[str, Decimal]
    nothing: Mapping[tuple[str, str], bool] = field(default_factory=dict)

    @cached_property
    def months(self) -> list[Month]:
        """Every month in which something is proved."""
        return sorted({month for month, _, _ in self.by_source})

    def total(
        self, *, lever: str = "", source: str = "", first: Month | None = None, last: Month | None = None
    ) -> Decimal | None:
        """The sum of months, levers and sources that were asked for.

        Where nothing of it is proved: 0 where that is known of each source, else None, which is not known.
        """
        amounts = self._amounts(lever, source, first, last)
        if not amounts:
            known = [is_so for (of, by), is_so in self.nothing.items() if lever in ("", of) and source in ("", by)]
            return Decimal(0) if known and all(known) else None
        return exact_sum(amounts)

    def _amounts(self, lever: str, source: str, first: Month | None, last: Month | None) -> list[Decimal]:
        return [
            amount
            for (month, of, by), amount in self.by_source.items()
            if (not lever or of == lever)
            and (not source or by == source)
            and (first is None or month >= first)
            and (last is None or month <= last)
        ]

    def of_month(self, month: Month, lever: str = "") -> Decimal | None:
        """What is proved of a month; None where nothing is."""
        amounts = self._amounts(lever, "", month, month)
        return exact_sum(amounts) if amounts else None


def realised_savings(user: Person, currency: str, as_of: date) -> RealisedSavings:
    """What of the user's rows is proved up to `as_of`, summed in `currency` by the company's rates of each month."""

    def compute() -> RealisedSavings:
        counted = [one for one in count_once(_claims(user, as_of)) if one.claim.row.month <= Month.of(as_of)]
        by_source: dict[tuple[Month, str, str], Decimal] = defaultdict(Decimal)
        apart: dict[str, Decimal] = defaultdict(Decimal)
        for one in counted:
            row = one.claim.row
            rate = registry.exchange_rate(row.currency, currency, row.month)
            if rate is None:
                apart[row.currency] = EXACT.add(apart[row.currency], one.counted)
                continue
            key = (row.month, one.claim.lever, one.claim.source)
            by_source[key] = EXACT.add(by_source[key], EXACT.multiply(one.counted, rate))
        return RealisedSavings(currency, counted, dict(by_source), dict(apart), _nothing_of(user, as_of, counted))

    return request_memo(user, ("realised savings", currency, as_of), compute)


def _nothing_of(user: Person, as_of: date, counted: Sequence[CountedClaim]) -> dict[tuple[str, str], bool]:
    """{(lever, label) of each source: whether it has no row, and that is known to be 0}."""
    proving = {(one.claim.lever, one.claim.source) for one in counted}
    return {
        (source.lever, source.label): (source.lever, source.label) not in proving
        and bool(source.is_nothing and source.is_nothing(user, as_of))
        for source in registry.of(SavingsEvidenceSource)
    }


def _claims(user: Person, as_of: date) -> Iterator[Claim]:
    for source in registry.of(SavingsEvidenceSource):
        for row in source.rows(user, as_of):
            yield Claim(row, source.lever, source.label, source.order)


def months_until_paid_back(realised: RealisedSavings, start: Month, last: Month, paid: Decimal) -> int | None:
    """After how many months since `start` what is proved had reached what was paid; None where it has not."""
    together = Decimal(0)
    for number in range(1, (last.year - start.year) * 12 + last.number - start.number + 2):
        together = EXACT.add(together, realised.of_month(start.plus(number - 1)) or Decimal(0))
        if together >= paid:
            return number
    return None

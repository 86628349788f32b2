"""How much a correcting entry may move after a dispute. Pure: no Django.

What was disputed bounds it: the line without asking anybody, the statement at most. What was moved of the same line or
statement before counts with it, so that small entries do not add up to a large one, and what a restated bill gave back
of it, so that nothing is given back twice.
"""

from dataclasses import dataclass
from decimal import Decimal

from finops_site.lib.language import gettext as _
from finops_site.lib.money import EXACT, exact_sum, formatted


class TooMuch(ValueError):
    """A correcting entry above everything that the statement charges; the message names the limit."""


@dataclass(frozen=True, slots=True)
class CorrectionLimits:
    """What a disputed line and its statement charge, and what earlier entries and restated bills took off them already.

    Amounts are those taken off the team: more than zero for cost, less than zero for a credit.
    """

    currency: str
    line: Decimal
    statement: Decimal
    moved_of_line: Decimal = Decimal(0)
    moved_of_statement: Decimal = Decimal(0)

    @property
    def most(self) -> Decimal:
        """The most that can be moved at all; a line may be larger than a statement that has credits."""
        return max(abs(self.statement), abs(self.line))

    def needs_second_person(self, amount: Decimal) -> bool:
        """Whether another person has to confirm it: it leaves more, or less, than between the line and nothing, or it
        moves more than the statement charges, which has credits.

        Raises TooMuch where nobody can book it.
        """
        of_statement = EXACT.add(self.moved_of_statement, amount)
        if abs(of_statement) > self.most or abs(amount) > self.most:
            sentence = (
                _(
                    "{amount} after {moved} before is more than the statement charges, {charged}: a correcting entry "
                    "moves {most} at most."
                )
                if self.moved_of_statement
                else _(
                    "{amount} is more than the statement charges, {charged}: a correcting entry moves {most} at most."
                )
            )
            raise TooMuch(
                sentence.format(
                    amount=self._text(amount),
                    moved=self._text(self.moved_of_statement),
                    charged=self._text(self.statement),
                    most=self._text(self.most),
                )
            )
        is_within_line = self._is_within_line(exact_sum([self.moved_of_line, amount]))
        return not is_within_line or abs(of_statement) > abs(self.statement)

    def hold(self, *, is_confirmed: bool) -> bool:
        """Whether what was moved until now is within them; where a second person confirmed it, within the statement."""
        of_statement = abs(self.moved_of_statement)
        if of_statement > self.most:
            return False
        return is_confirmed or (self._is_within_line(self.moved_of_line) and of_statement <= abs(self.statement))

    def __str__(self) -> str:
        return _("{moved} of {line} is moved or given back, {moved_in_all} of the statement's {charged}").format(
            moved=self._text(self.moved_of_line),
            line=self._text(self.line),
            moved_in_all=self._text(self.moved_of_statement),
            charged=self._text(self.statement),
        )

    def _is_within_line(self, moved: Decimal) -> bool:
        low, high = min(self.line, Decimal(0)), max(self.line, Decimal(0))
        return low <= moved <= high

    def _text(self, amount: Decimal) -> str:
        return f"{formatted(amount, self.currency)} {self.currency}"

"""The savings model in words: what its rows are called, and how a value of each unit reads."""

from decimal import Decimal

from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from finops_site.lib.locale_format import in_marks, percent_figure
from finops_site.lib.money import exact_figure, formatted, percent, rounded
from finops_site.translation import gettext_lazy as _lazy
from programme.calc.savings_model import HUNDRED, AssumptionUnit, Comparison

ABSENT = "—"
CASE_LABELS = {
    "conservative": _lazy("Conservative"),
    "expected": _lazy("Expected"),
    "optimistic": _lazy("Optimistic"),
}
LEVER_LABELS = {
    "commitments": _lazy("Commitments"),
    "alerts": _lazy("Budget alerts"),
    "tags": _lazy("Tag accountability"),
    "usage": _lazy("Usage actions"),
}
ASSUMPTION_LABELS = {
    "commitments-saving": _lazy("Saved by commitments"),
    "alerts-avoided": _lazy("Overruns avoided by budget alerts"),
    "tags-base": _lazy("Cost that teams answer for"),
    "tags-reduction": _lazy("Reduction once teams see their cost"),
    "investment": _lazy("Investment of the first year"),
    "investment-paid": _lazy("Investment paid so far"),
    "stated-tags": _lazy("Stated: tag accountability"),
    "stated-total": _lazy("Stated: savings in total"),
    "stated-roi": _lazy("Stated: return on investment"),
    "stated-payback": _lazy("Stated: payback"),
}
COMPARISON_LABELS = {
    "tags": _lazy("Tag accountability: the cost of twelve months times the reduction"),
    "total": _lazy("Savings in total: the sum of the three pillars"),
    "roi": _lazy("Return on the investment, of what the pillars sum to"),
    "roi-of-stated": _lazy("Return on the investment, of the stated total"),
    "payback": _lazy("Payback: the investment against a twelfth of the sum a month"),
}


def value_text(value: Decimal | None, unit: AssumptionUnit, currency: str) -> str:
    """A value as people read it: ``27,000 USD``, ``12%``, ``5.6 months``; a dash for what is not known."""
    if value is None:
        return ABSENT
    if unit == AssumptionUnit.PERCENT:
        return percent_figure(_short(value))
    if unit == AssumptionUnit.MONTHS:
        return ngettext("{count} month", "{count} months", 1 if value == 1 else 2).format(count=in_marks(_short(value)))
    return f"{money_text(value, currency)} {currency}"


def money_text(value: Decimal, currency: str) -> str:
    """Money of a plan: without cents where it has none, and with all digits where it is less than one."""
    if value == value.to_integral_value():
        return in_marks(f"{value:,.0f}")
    return formatted(value, currency) if rounded(value, currency) else str(exact_figure(value))


def percent_text(share: Decimal | None) -> str:
    """A return on investment, 1.145 as ``114.5%``; a dash for what is not known."""
    return ABSENT if share is None else value_text(percent(share), AssumptionUnit.PERCENT, "")


def _short(value: Decimal) -> str:
    """One place at the most, and none where it is zero; in English marks."""
    cut = value.quantize(Decimal("0.1"))
    return f"{cut:,f}".removesuffix(".0")


def range_text(pair: tuple[Decimal | None, Decimal | None], unit: AssumptionUnit, currency: str) -> str:
    """``150,000 to 300,000 USD``, the smaller first; one value where both are the same."""
    known = sorted(value for value in pair if value is not None)
    if len(known) < len(pair) or known[0] == known[-1]:
        return value_text(known[0] if known else None, unit, currency)
    if unit == AssumptionUnit.PERCENT:
        low, high = (value_text(value, unit, currency) for value in known)
        return _("{low} to {high}").format(low=low, high=high)
    if unit == AssumptionUnit.MONTHS:
        return _("{low} to {high} months").format(low=in_marks(_short(known[0])), high=in_marks(_short(known[1])))
    low, high = (money_text(value, currency) for value in known)
    return _("{low} to {high} {currency}").format(low=low, high=high, currency=currency)


def comparison_sentences(row: Comparison, currency: str) -> list[str]:
    """How what follows differs from what was stated: of the conservative case, then of the optimistic one."""
    cases = (CASE_LABELS["conservative"], CASE_LABELS["optimistic"])
    return [
        _sentence(str(case), claim, result, gap, row.unit, currency)
        for case, claim, result, gap in zip(cases, row.stated, row.follows, row.differences, strict=True)
    ]


def _sentence(
    case: str, claim: Decimal | None, result: Decimal | None, gap: Decimal | None, unit: AssumptionUnit, currency: str
) -> str:
    if claim is None:
        return _("{case}: nothing was stated.").format(case=case)
    if result is None or gap is None:
        return _("{case}: what follows is not known, for an assumption is missing.").format(case=case)
    texts = {"case": case, "stated": value_text(claim, unit, currency), "follows": value_text(result, unit, currency)}
    if texts["stated"] == texts["follows"]:
        return _("{case}: {stated}, as stated.").format(**texts)
    difference = _gap_text(abs(gap), unit, currency)
    words = _("{case}: stated {stated}, follows {follows}, {difference} less.")
    if gap > 0:
        words = _("{case}: stated {stated}, follows {follows}, {difference} more.")
    return words.format(**texts, difference=difference)


def _gap_text(gap: Decimal, unit: AssumptionUnit, currency: str) -> str:
    if unit == AssumptionUnit.PERCENT:
        return _("{count} percentage points").format(count=in_marks(_short(gap)))
    return value_text(gap, unit, currency)


def as_percent(share: Decimal | None) -> Decimal | None:
    """A ratio as per cent, exact."""
    return None if share is None else share * HUNDRED

"""What a purchase commits to, in sentences: beside the buttons, on its page and in emails."""

from datetime import datetime

from finops_site.lib.money import formatted
from finops_site.lib.periods import day_text, months_later
from reservations.calc import purchase_rules
from reservations.calc.purchase_titles import term_text
from reservations.models import PurchaseRequest


def describe_commitment(row: PurchaseRequest, now: datetime) -> str:
    """What an approval commits to: the sum, until when, what is paid at once, and what if demand falls."""
    code, end = row.currency, months_later(now.date(), row.term_months)
    return (
        f"{row.title}: it commits {formatted(row.value, code)} {code} for {term_text(row.term_months)}, until "
        f"{day_text(end)}. {formatted(row.upfront, code)} {code} are paid on the first day, "
        f"{formatted(row.monthly, code)} {code} each month. {describe_fall(row)}"
    )


def describe_fall(row: PurchaseRequest) -> str:
    """What becomes of its saving when demand falls."""
    code, saving = row.currency, purchase_rules.saving_after_fall(row.on_demand_cost, row.committed_cost)
    then = f"If what it covers falls by {purchase_rules.FALL:.0%}, it still costs the same, and"
    if saving < 0:
        return f"{then} costs up to {formatted(-saving, code)} {code} a year more than on demand."
    return f"{then} saves at least {formatted(saving, code)} {code} a year, of {formatted(row.saving, code)}."

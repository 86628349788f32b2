"""What a purchase commits to, in sentences: beside the buttons, on its page and in emails."""

from datetime import datetime

from django.utils.translation import gettext as _

from finops_site.lib.money import formatted
from finops_site.lib.periods import day_text, months_later
from finops_site.lib.words import share_text
from reservations.calc import purchase_rules
from reservations.calc.purchase_titles import term_text
from reservations.models import PurchaseRequest


def describe_commitment(row: PurchaseRequest, now: datetime) -> str:
    """What an approval commits to: the sum, until when, what is paid at once, and what if demand falls."""
    code, end = row.currency, months_later(now.date(), row.term_months)
    return _(
        "{title}: it commits {value} {code} for {term}, until {end}. {upfront} {code} are paid on "
        "the first day, {monthly} {code} each month. {fall}"
    ).format(
        title=row.title,
        value=formatted(row.value, code),
        code=code,
        term=term_text(row.term_months),
        end=day_text(end),
        upfront=formatted(row.upfront, code),
        monthly=formatted(row.monthly, code),
        fall=describe_fall(row),
    )


def describe_fall(row: PurchaseRequest) -> str:
    """What becomes of its saving when demand falls."""
    code, saving = row.currency, purchase_rules.saving_after_fall(row.on_demand_cost, row.committed_cost)
    fall = share_text(purchase_rules.FALL)
    if saving < 0:
        return _(
            "If what it covers falls by {fall}, it still costs the same, and costs up to {amount} {code} a year more "
            "than on demand."
        ).format(fall=fall, amount=formatted(-saving, code), code=code)
    return _(
        "If what it covers falls by {fall}, it still costs the same, and saves at least {amount} {code} a year, of "
        "{most}."
    ).format(fall=fall, amount=formatted(saving, code), code=code, most=formatted(row.saving, code))

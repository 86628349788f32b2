"""What can be done about the unused part of a commitment, each option priced until its end."""

from datetime import date, timedelta
from decimal import Decimal
from typing import Any

from django.db.models import Sum
from django.utils.translation import gettext as _

from finops_site.lib.money import exact_text
from finops_site.lib.words import number_text, share_text
from finops_site.translation import gettext_lazy as _lazy
from reservations.calc.terms import AWS, AZURE, AZURE_RESERVATION, PLANS, RI_CONVERTIBLE, provider_of
from reservations.inventory.commitment_use import CommitmentUse, days_before, use_of
from reservations.models import Commitment, Coverage

ZERO = Decimal(0)
# AWS keeps this share of what a reservation sells for on its marketplace.
MARKETPLACE_FEE = Decimal("0.12")


# Azure returns reservations of so much within twelve months (Microsoft Learn, "Self-service exchanges and refunds").
AZURE_RETURNS = Decimal(50_000)
AZURE_RULES = _lazy(
    "Azure gives back what is left, up to 50,000 USD in twelve months, or exchanges it for "
    "reservations that cost no less"
)
AWS_RETURNED_WITHIN = timedelta(days=7)
AWS_RETURNED_AN_HOUR = Decimal(100)
AWS_RULES = _lazy(
    "AWS takes a plan back within seven days of its purchase, in the same month; buy a smaller one after it"
)
MONTH_DAYS = Decimal(365) / 12


def contingency(commitment: Commitment, week: CommitmentUse, day: date) -> list[dict[str, Any]]:
    """What can be done about it, each priced until the end: exchange, sell, return, move workloads, or wait.

    Only AWS has a marketplace, and only for standard reserved instances of EC2.
    """
    months = commitment.months_left(day)
    idle = week.a_day(week.unused_cost)
    rest = idle * MONTH_DAYS * months if months is not None else None
    options = [_wait(commitment, week, rest, day), _move(commitment, idle, rest, day)]
    cloud = provider_of(commitment.provider)
    if commitment.kind == RI_CONVERTIBLE:
        options.insert(
            0, _option(_("Exchange"), rest, commitment, _("the unused part for a type that runs on demand now"))
        )
    if commitment.has_marketplace and months is not None and week.share is not None:
        options.insert(0, _sell(commitment, week.share, months, rest))
    if cloud == AZURE and commitment.kind == AZURE_RESERVATION:
        options.insert(
            0, _option(_("Return or exchange"), rest and min(rest, AZURE_RETURNS), commitment, str(AZURE_RULES))
        )
    if cloud == AWS and commitment.kind in PLANS and _is_returnable(commitment, day):
        options.insert(0, _option(_("Return"), rest, commitment, str(AWS_RULES)))
    return sorted(options, key=lambda option: -Decimal(option["saves"] or 0))


def _is_returnable(commitment: Commitment, day: date) -> bool:
    """Within seven days of its start, in the same month, and up to 100 an hour (AWS's user guide of Savings Plans)."""
    start, hourly = commitment.start, commitment.hourly_commitment
    if start is None or hourly is None or hourly > AWS_RETURNED_AN_HOUR:
        return False
    return start <= day <= start + AWS_RETURNED_WITHIN and (start.year, start.month) == (day.year, day.month)


def _option(name: str, saves: Decimal | None, commitment: Commitment, working: str) -> dict[str, Any]:
    cents = None if saves is None else saves.quantize(Decimal("0.01"))
    return {"name": name, "saves": exact_text(cents), "currency": commitment.currency, "working": working}


def _sell(commitment: Commitment, share: Decimal, months: Decimal, rest: Decimal | None) -> dict[str, Any]:
    """The unused machines on the marketplace: what is left of their upfront fee, and what need not be paid any more."""
    term = Decimal(commitment.term_months or 12)
    upfront = (commitment.upfront or ZERO) * min(months / term, Decimal(1)) * (1 - share)
    recurring = (commitment.recurring_hourly or ZERO) * 730 * months * (1 - share)
    proceeds = upfront * (1 - MARKETPLACE_FEE)
    working = _(
        "{value} of it, {months} months left: {proceeds} for the upfront fee after the marketplace's "
        "{marketplace_fee}, and {recurring} that need not be paid. AWS requires that it was held for "
        "30 days."
    ).format(
        value=share_text(1 - share),
        months=number_text(months, 1),
        proceeds=number_text(proceeds, 2),
        marketplace_fee=share_text(MARKETPLACE_FEE),
        recurring=number_text(recurring, 2),
    )
    known = commitment.upfront is not None or commitment.recurring_hourly is not None
    if not known:
        return _option(
            _("Sell"), rest and rest * (1 - MARKETPLACE_FEE), commitment, _("its fees are unknown: load its CSV")
        )
    return _option(_("Sell"), proceeds + recurring, commitment, working)


def _move(commitment: Commitment, idle: Decimal, rest: Decimal | None, day: date) -> dict[str, Any]:
    """Usage of the same family and region that runs on demand and could run on it."""
    rows = Coverage.objects.within(days_before(7, day)).filter(currency=commitment.currency).order_by()
    groups = rows.values("provider", "service", "region", "family", "owner").annotate(
        eligible=Sum("eligible_cost"), covered=Sum("covered_cost")
    )
    open_cost = (one["eligible"] - one["covered"] for one in groups if commitment.reach.covers(one))
    uncovered = sum(open_cost, ZERO) / 7
    share = min(Decimal(1), uncovered / idle) if idle else ZERO
    working = _("{uncovered} a day run on demand where it applies, {idle} of it stand idle").format(
        uncovered=number_text(uncovered, 2), idle=number_text(idle, 2)
    )
    return _option(_("Move workloads"), None if rest is None else rest * share, commitment, working)


def _wait(commitment: Commitment, week: CommitmentUse, rest: Decimal | None, day: date) -> dict[str, Any]:
    """By the trend: the week before against this one."""
    before = use_of(commitment, days_before(7, day - timedelta(days=7))).share
    if before is None or week.share is None:
        return _option(_("Wait"), ZERO, commitment, _("there is no week before to compare with"))
    trend = _("{before} the week before, {now} now: unchanged")
    if week.share != before:
        trend = _("{before} the week before, {now} now: rising")
        if week.share < before:
            trend = _("{before} the week before, {now} now: falling")
    working = trend.format(before=share_text(before), now=share_text(week.share))
    if rest is not None:
        working = _("{trend}; unchanged it costs {amount} until it ends").format(
            trend=working, amount=number_text(rest, 2)
        )
    return _option(_("Wait"), ZERO, commitment, working)
